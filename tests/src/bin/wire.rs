//! Writes, for a few scenarios, the request a page sends to its worker and the reply it must get, so that a
//! browser test can hold the WebAssembly engine against the native one, byte for byte.

use std::path::{Path, PathBuf};
use std::{env, fs, process};

use engine::backend::Backend;
use engine::catalog::Catalog;
use engine::places::Plans;
use engine::planner::PerRole;
use engine::problem::Skipped;
use engine::scenario::{Goal, Policy, Scenario, Workload};
use engine::simulate::story;
use worker::codec::encode;
use worker::protocol::{Failure, Left, Reply, Request};
use worker::replay::{self, Ask, Crowd, Job, Seat};

fn scenarios() -> Vec<(&'static str, Scenario)> {
    let airline = Scenario::default();
    let mut prefix = airline.clone();
    prefix.workload = Workload { isl: 8000, osl: 777, prefix: 6001, images: None };
    prefix.engine.chunked_prefill = true;
    prefix.goal = Goal::RequestRate(37.5);
    let static_fp8 = Scenario {
        model: "nvidia/Llama-3.1-70B-Instruct-FP8".to_owned(),
        system: "b200_sxm".to_owned(),
        backend: Backend::Vllm,
        ..airline.clone()
    };
    let reference = Scenario { policy: Policy::Reference, backend: Backend::Sglang, ..airline.clone() };
    let mut every_backend = airline.clone();
    every_backend.set_backend(None);
    let mut everywhere = reference.clone();
    everywhere.set_backend(None);
    everywhere.set_system(None);
    vec![
        ("airline", airline),
        ("prefix", prefix),
        ("static-fp8", static_fp8),
        ("reference", reference),
        ("every-backend", every_backend),
        ("everywhere", everywhere),
    ]
}

fn write(folder: &PathBuf) -> Result<(), Box<dyn std::error::Error>> {
    fs::create_dir_all(folder)?;
    for (name, scenario) in scenarios() {
        let plans = Plans::resolve(&scenario, Catalog::embedded(), tests::index())?;
        let data = plans.data_id();
        let searches = tests::searches(&scenario)?;
        let request = Request::Search { id: 1, scenario: Box::new(scenario) };
        let rows = searches.rows().into_iter().cloned().collect();
        let without_data = |Skipped { place, why }| Left { place, why: Failure::Scenario(why) };
        let left = plans.skipped.into_iter().map(without_data).collect();
        // The time is the only part that may differ; it stands last.
        let reply = Reply::Found { id: 1, places: searches.places(), rows, left, data, elapsed_ms: 0.0 };
        fs::write(folder.join(format!("{name}.request")), encode(&request)?)?;
        fs::write(folder.join(format!("{name}.reply")), encode(&reply)?)?;
    }
    Ok(())
}

/// A replay of the storm: what the page asks, and everything it is told.
fn write_replay(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let storm = story::storm();
    let job = Job {
        crowd: Crowd::Story(storm.outline),
        fleets: None,
        count: PerRole { prefill: 1, decode: 1 },
        slo: storm.slo,
        settings: storm.settings,
    };
    let ask = Ask::Run { id: 1, seat: Seat::First, job: Box::new(job) };
    fs::write(folder.join("storm.ask"), encode(&ask)?)?;
    let mut host = replay::Host::new();
    let mut told = Vec::new();
    host.handle(ask);
    while host.is_busy() {
        for reply in host.advance() {
            told.extend(encode(&reply)?);
        }
    }
    fs::write(folder.join("storm.told"), told)?;
    Ok(())
}

fn main() {
    let Some(folder) = env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("Usage: wire FOLDER");
        process::exit(2);
    };
    if let Err(error) = write(&folder).and_then(|()| write_replay(&folder)) {
        eprintln!("{}: {error}", folder.display());
        process::exit(1);
    }
}
