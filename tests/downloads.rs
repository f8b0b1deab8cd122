//! What a scenario downloads before its first answer.

#![allow(clippy::print_stdout, reason = "figures worth reading beside the verdict")]

use engine::backend::Backend;
use engine::catalog::Catalog;
use engine::model::ModelSpec;
use engine::problem::Plan;
use engine::scenario::Scenario;
use perf_data::PackEntry;

fn bytes(scenario: &Scenario) -> Option<u64> {
    let plan = Plan::resolve(scenario, Catalog::embedded(), tests::index()).ok()?;
    Some(plan.files().iter().map(|file| file.bytes).sum())
}

#[test]
fn the_airline_preset_fetches_at_most_600_kb() {
    let bytes = bytes(&Scenario::default()).expect("the default scenario resolves");
    println!("airline preset: {bytes} bytes");
    assert!(bytes <= 600_000, "{bytes}");
}

/// The most that a scenario fetches over models, systems and second systems, and how many of them resolve.
struct Largest {
    bytes: u64,
    scenario: String,
    answered: usize,
}

fn largest(models: impl Fn(&ModelSpec) -> bool, decode_systems: bool) -> Largest {
    let mut out = Largest { bytes: 0, scenario: String::new(), answered: 0 };
    let packs = || tests::index().packs.iter();
    for model in Catalog::embedded().models.iter().filter(|model| models(model)) {
        for prefill in packs() {
            let partner = |decode: &&PackEntry| {
                decode.backend == prefill.backend && (decode_systems || decode.system == prefill.system)
            };
            for decode in packs().filter(partner) {
                let scenario = Scenario {
                    model: model.id.clone(),
                    system: prefill.system.clone(),
                    decode_system: Some(decode.system.clone()),
                    backend: Backend::from_name(&prefill.backend).expect("a backend"),
                    ..Scenario::default()
                };
                let Some(bytes) = bytes(&scenario) else { continue };
                out.answered += 1;
                if bytes > out.bytes {
                    out.bytes = bytes;
                    out.scenario =
                        format!("{} {} → {} {}", model.id, prefill.system, decode.system, prefill.backend);
                }
            }
        }
    }
    println!("largest of {}: {} bytes for {}", out.answered, out.bytes, out.scenario);
    out
}

#[test]
fn any_dense_scenario_fetches_at_most_1_mb() {
    let largest = largest(|model| model.family.name() == "LLAMA", true);
    assert!(largest.answered > 500, "{}", largest.answered);
    assert!(largest.bytes <= 1_000_000, "{} bytes for {}", largest.bytes, largest.scenario);
}

#[test]
fn any_model_with_experts_fetches_at_most_1200_kb() {
    let largest = largest(ModelSpec::is_moe, false);
    assert!(largest.answered > 500, "{}", largest.answered);
    assert!(largest.bytes <= 1_200_000, "{} bytes for {}", largest.bytes, largest.scenario);
}
