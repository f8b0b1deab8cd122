//! How long the search takes: the airline preset, an SLO move, decoding its tables, a large model, everything at
//! once, and how it grows with the cluster.

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use engine::backend::Backend;
use engine::catalog::Catalog;
use engine::places::Plans;
use engine::problem::{Plan, Problem};
use engine::scenario::{Goal, Policy, Scenario};
use engine::search::Search;
use engine::searches::Searches;
use engine::view::{View, view, view_all};
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
        let plans = Plans::resolve(scenario, Catalog::embedded(), &index).expect("a sound scenario");
        let bytes: BTreeMap<_, _> = plans.files().keys().map(|&name| (name.to_owned(), read(name))).collect();
        let packs = decode(&bytes);
        Self { index, bytes, packs }
    }

    fn problem(&self, scenario: &Scenario) -> Problem {
        let plan = Plan::resolve(scenario, Catalog::embedded(), &self.index).expect("a sound scenario");
        Problem::new(plan, |name| self.packs.get(name).cloned()).expect("loaded tables")
    }

    /// From the scenario to the answer at every place it reaches.
    fn answer(&self, scenario: &Scenario, packs: &BTreeMap<String, Arc<Pack>>) -> View {
        let plans = Plans::resolve(scenario, Catalog::embedded(), &self.index).expect("a sound scenario");
        let problem = |plan| Problem::new(plan, |name| packs.get(name).cloned()).expect("loaded tables");
        let problems = plans.plans.into_iter().map(problem).collect();
        let mut searches = Searches::new(scenario.clone(), problems);
        while !searches.advance(u32::MAX).is_done() {}
        view_all(&searches.rows(), scenario)
    }
}

fn decode(bytes: &BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Arc<Pack>> {
    let pack = |bytes: &Vec<u8>| Arc::new(Pack::from_bytes(bytes).expect("a pack"));
    bytes.iter().map(|(name, bytes)| (name.clone(), pack(bytes))).collect()
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

/// One model on every backend and system at once, and the largest common model on each backend.
fn wide(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scenario to answer");
    group.sample_size(10);
    let mut everywhere = Scenario::default();
    everywhere.set_backend(None);
    everywhere.set_system(None);
    let deepseek = |backend: &Backend| Scenario {
        model: "deepseek-ai/DeepSeek-V3".to_owned(),
        system: "h200_sxm".to_owned(),
        backend: *backend,
        goal: Goal::Gpus(64),
        ..Scenario::default()
    };
    let mut asked = vec![("Qwen3-32B-FP8 on every GPU and backend".to_owned(), everywhere)];
    asked.extend(
        Backend::ALL.iter().map(|backend| (format!("DeepSeek-V3 on 64 H200, {backend}"), deepseek(backend))),
    );
    for (name, scenario) in asked {
        let tables = Tables::load(&scenario);
        group.bench_function(&name, |b| b.iter(|| tables.answer(black_box(&scenario), &tables.packs)));
        group.bench_function(format!("{name}, with decoding"), |b| {
            b.iter(|| tables.answer(black_box(&scenario), &decode(black_box(&tables.bytes))));
        });
    }
    group.finish();
}

/// The airline preset on ever larger clusters: GPUs per second.
fn growth(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("airline by GPUs");
    let tables = Tables::load(&Scenario::default());
    for gpus in (3..=10).map(|power| 1 << power) {
        let scenario = Scenario { goal: Goal::Gpus(gpus), ..Scenario::default() };
        group.throughput(Throughput::Elements(u64::from(gpus)));
        group.bench_function(BenchmarkId::from_parameter(gpus), |b| {
            b.iter(|| tables.answer(black_box(&scenario), &tables.packs));
        });
    }
    group.finish();
}

criterion_group! {
    name = all;
    config = Criterion::default().sample_size(30).measurement_time(std::time::Duration::from_secs(4));
    targets = benches, wide, growth
}
criterion_main!(all);
