//! How long the search takes: the airline preset, an SLO move, decoding its tables, one step.

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use engine::catalog::Catalog;
use engine::problem::{Plan, Problem};
use engine::scenario::{Goal, Policy, Scenario};
use engine::search::Search;
use engine::view::view;
use perf_data::{Index, Pack};

struct Tables {
    index: Index,
    bytes: BTreeMap<String, Vec<u8>>,
    packs: BTreeMap<String, Arc<Pack>>,
}

impl Tables {
    /// The shipped tables that a scenario needs.
    fn load(scenario: &Scenario) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../perf-data/packs");
        let read = |name: &str| fs::read(folder.join(name)).expect("a shipped pack file");
        let index =
            Index::from_json(&String::from_utf8(read("index.json")).expect("text")).expect("an index");
        let plan = Plan::resolve(scenario, Catalog::embedded(), &index).expect("a sound scenario");
        let bytes: BTreeMap<_, _> =
            plan.files().iter().map(|file| (file.name.clone(), read(&file.name))).collect();
        let decode = |(name, bytes): (&String, &Vec<u8>)| {
            (name.clone(), Arc::new(Pack::from_bytes(bytes).expect("a pack")))
        };
        let packs = bytes.iter().map(decode).collect();
        Self { index, bytes, packs }
    }

    fn problem(&self, scenario: &Scenario) -> Problem {
        let plan = Plan::resolve(scenario, Catalog::embedded(), &self.index).expect("a sound scenario");
        Problem::new(plan, |name| self.packs.get(name).cloned()).expect("loaded tables")
    }
}

fn finished(problem: Problem) -> Search {
    let mut search = Search::new(problem);
    while !search.advance(u32::MAX).is_done() {}
    search
}

fn benches(criterion: &mut Criterion) {
    let airline = Scenario::default();
    let tables = Tables::load(&airline);
    criterion.bench_function("airline: scenario to answer", |b| {
        b.iter(|| {
            let search = finished(tables.problem(black_box(&airline)));
            view(search.rows(), &airline)
        });
    });
    let reference = Scenario { policy: Policy::Reference, ..airline.clone() };
    criterion.bench_function("airline: reference policy", |b| {
        b.iter(|| {
            let search = finished(tables.problem(black_box(&reference)));
            view(search.rows(), &reference)
        });
    });
    let done = finished(tables.problem(&airline));
    let mut moved = airline.clone();
    moved.sla.itl_ms = 27.0;
    criterion.bench_function("airline: SLO move, kept rows", |b| {
        b.iter(|| view(black_box(done.rows()), black_box(&moved)));
    });
    criterion.bench_function("airline: SLO move, exact batches", |b| {
        b.iter(|| {
            let mut search = done.clone();
            search.retarget(black_box(&moved));
            while !search.advance(u32::MAX).is_done() {}
            view(search.rows(), &moved)
        });
    });
    let large = Scenario { goal: Goal::Gpus(1024), ..airline.clone() };
    criterion.bench_function("airline on 1024 GPUs: SLO move", |b| {
        b.iter(|| view(black_box(done.rows()), black_box(&large)));
    });
    criterion.bench_function("airline: decode all tables", |b| {
        b.iter(|| {
            let rows = |bytes: &Vec<u8>| Pack::from_bytes(black_box(bytes)).expect("a pack").tables.len();
            tables.bytes.values().map(rows).sum::<usize>()
        });
    });
}

criterion_group! {
    name = all;
    config = Criterion::default().sample_size(30).measurement_time(std::time::Duration::from_secs(4));
    targets = benches
}
criterion_main!(all);
