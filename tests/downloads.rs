//! What a scenario downloads before its first answer.

#![allow(clippy::print_stdout, reason = "figures worth reading beside the verdict")]

use engine::backend::Backend;
use engine::catalog::Catalog;
use engine::problem::Plan;
use engine::scenario::Scenario;

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

#[test]
fn any_dense_scenario_fetches_at_most_1_mb() {
    let mut largest = (0, String::new());
    let mut answered = 0;
    let dense = || Catalog::embedded().models.iter().filter(|model| model.family.name() == "LLAMA");
    let packs = || tests::index().packs.iter();
    for model in dense() {
        for prefill in packs() {
            for decode in packs().filter(|decode| decode.backend == prefill.backend) {
                let scenario = Scenario {
                    model: model.id.clone(),
                    system: prefill.system.clone(),
                    decode_system: Some(decode.system.clone()),
                    backend: Backend::from_name(&prefill.backend).expect("a backend"),
                    ..Scenario::default()
                };
                if let Some(bytes) = bytes(&scenario) {
                    answered += 1;
                    let name = format!("{} {} → {}", model.id, prefill.system, decode.system);
                    largest = largest.max((bytes, name));
                }
            }
        }
    }
    println!("largest of {answered}: {} bytes for {}", largest.0, largest.1);
    assert!(answered > 500, "{answered}");
    assert!(largest.0 <= 1_000_000, "{largest:?}");
}
