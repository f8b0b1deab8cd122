//! The shipped atlas of coverage: found anew, complete, and no smaller than the reference system's.

#![allow(clippy::print_stdout, reason = "the suite prints the shares it compares")]

use std::fs;

use engine::catalog::Catalog;
use engine::coverage::{Atlas, Verdict};
use engine::problem::{Plan, Problem};
use engine::scenario::Scenario;

/// Cells in which the reference system answers.
///
/// Source: the support tables that aiconfigurator-core 0.12.0 ships (one CSV file for each system), at the
/// data version of our pack. Its denominator is rows: its models (71 on NVIDIA systems, 74 on B60) × engines
/// with data × {aggregated, disaggregated}; it answers where the status is PASS. The tables ask for ISL 256,
/// OSL 256, prefix 128 and latency targets that everything meets, as the atlas does.
///
/// Two of its H200 cells are stale (DeepSeek-V4-Pro-FP8 with vLLM, both modes): run today, 0.12.0 itself
/// refuses them for want of exchange measurements; so do two on GB200. They are not counted.
const REFERENCE: [(&str, u32, u32); 10] = [
    ("a100_sxm", 102, 426),
    ("b200_sxm", 342, 426),
    ("b300_sxm", 340, 426),
    ("b60", 32, 148),
    ("gb200", 338, 426),
    ("gb300", 340, 426),
    ("h100_sxm", 236, 426),
    ("h200_sxm", 256, 426),
    ("l40s", 154, 426),
    ("rtx_pro_6000_server", 242, 426),
];

/// Models that the reference's tables leave out.
const LEFT_OUT: [&str; 15] = [
    "MiniMaxAI/MiniMax-M2.5",
    "Qwen/Qwen3.5-122B-A10B",
    "mistralai/Mixtral-8x22B-v0.1",
    "mistralai/Mixtral-8x7B-v0.1",
    "moonshotai/Kimi-K2-Instruct",
    "nvidia/GLM-5-NVFP4",
    "nvidia/GLM-5.1-NVFP4",
    "nvidia/Llama-3_3-Nemotron-Super-49B-v1",
    "nvidia/MiniMax-M2.5-NVFP4",
    "nvidia/NVIDIA-Nemotron-3.5-Lightning-30B-A3B-NVFP4",
    "nvidia/Nemotron-H-56B-Base-8K",
    "zai-org/GLM-5",
    "zai-org/GLM-5-FP8",
    "zai-org/GLM-5.1",
    "zai-org/GLM-5.1-FP8",
];

/// Models that only the reference's table of B60 lists.
const MORE_ON_B60: [&str; 3] = ["nvidia/GLM-5.3-NVFP4", "zai-org/GLM-5.3", "zai-org/GLM-5.3-FP8"];

fn shipped() -> Atlas {
    let path = tests::root().join("perf-data/packs/coverage.bin");
    let bytes = fs::read(&path).expect("packs/coverage.bin");
    Atlas::from_bytes(&bytes).expect("an atlas")
}

/// The verdicts of all models on a system that the reference's tables list there.
fn listed<'a>(atlas: &'a Atlas, system: &str) -> Vec<&'a Verdict> {
    let more = if system == "b60" { [].as_slice() } else { MORE_ON_B60.as_slice() };
    let rows = atlas.rows.iter().filter(|row| {
        let id = row.model.as_str();
        !LEFT_OUT.contains(&id) && !more.contains(&id)
    });
    let places: Vec<usize> =
        (0..atlas.places.len()).filter(|&at| atlas.places[at].system == system).collect();
    rows.flat_map(|row| places.iter().flat_map(|&at| atlas.cell(row, at).expect("a cell"))).collect()
}

#[test]
fn the_shipped_atlas_is_what_the_search_answers() {
    let (found, shipped) = (tests::coverage(), shipped());
    let name = |atlas: &Atlas| (atlas.data.clone(), atlas.places.len(), atlas.rows.len());
    assert_eq!(name(&found), name(&shipped), "run `make coverage`");
    for (row, old) in found.rows.iter().zip(&shipped.rows) {
        for (at, place) in found.places.iter().enumerate() {
            let (now, then) = (found.cell(row, at), shipped.cell(old, at));
            assert_eq!(now, then, "{} on {place:?}: run `make coverage`", row.model);
        }
    }
    assert_eq!(found, shipped, "run `make coverage`");
}

#[test]
fn every_model_answers_or_every_cell_says_why() {
    let atlas = shipped();
    let models: Vec<_> = Catalog::embedded().models.iter().map(|model| &model.id).collect();
    assert_eq!(atlas.rows.iter().map(|row| &row.model).collect::<Vec<_>>(), models);
    for row in &atlas.rows {
        for at in 0..atlas.places.len() {
            let cell = atlas.cell(row, at).expect("a verdict for every cell");
            for why in cell.iter().filter_map(|verdict| verdict.why()) {
                let text = engine::text::why(why).to_string();
                assert!(text.len() > 20, "{} at {:?}: {text}", row.model, atlas.places[at]);
            }
        }
        if atlas.systems(row) == 0 {
            println!("{}: nowhere", row.model);
        }
    }
}

#[test]
fn no_system_covers_less_than_the_reference() {
    let atlas = shipped();
    println!("{:<20} {:>5} {:>9} {:>6}", "system", "cells", "reference", "here");
    let mut short = Vec::new();
    for (system, reference, cells) in REFERENCE {
        let listed = listed(&atlas, system);
        assert_eq!(listed.len() as u32, cells, "{system}: cells of the reference's table");
        let here = listed.iter().filter(|verdict| verdict.is_measured()).count() as u32;
        let share = |count: u32| 100.0 * f64::from(count) / f64::from(cells);
        println!("{system:<20} {cells:>5} {:>8.1}% {:>5.1}%", share(reference), share(here));
        if here < reference {
            short.push(format!("{system}: {here} of {reference}"));
        }
    }
    assert!(short.is_empty(), "{short:?}");
}

/// Follows every link of the atlas: the nearest cell answers indeed.
#[test]
fn the_nearest_cell_answers() {
    let (atlas, catalog) = (shipped(), Catalog::embedded());
    let mut lonely = 0;
    for row in &atlas.rows {
        for (at, place) in atlas.places.iter().enumerate() {
            let cell = atlas.cell(row, at).expect("a cell");
            for (mode, verdict) in cell.iter().enumerate() {
                let Some(near) = atlas.nearest(row, at, mode) else {
                    lonely += u32::from(!verdict.is_measured());
                    continue;
                };
                assert!(!verdict.is_measured(), "{} on {place:?} needs nothing else", row.model);
                let there = near.apply(&Scenario::default());
                let plan = Plan::resolve(&there, catalog, tests::index());
                let problem = plan.and_then(|plan| Problem::new(plan, tests::pack));
                assert!(problem.is_ok(), "{} on {place:?}: {near:?}: {:?}", row.model, problem.err());
            }
        }
    }
    assert!(lonely > 0, "some checkpoints answer nowhere");
}
