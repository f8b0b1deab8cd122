//! The workers of the storm, which the page and the server carry without any tables.

use engine::simulate::story;

#[test]
fn the_step_times_of_the_storm_are_those_of_the_shipped_tables() {
    let found = serde_json::to_string(&tests::storm().expect("step times")).expect("JSON");
    let shipped = include_str!("../app/engine/src/simulate/storm.json");
    assert_eq!(found, shipped.trim_end(), "run `cargo run -p tests --bin storm`");
    assert!(story::storm_fleets().is_ok());
}
