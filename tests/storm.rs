//! The workers of the storm, which the page and the server carry without any tables.

use engine::simulate::story;

#[test]
fn the_step_times_of_the_storm_are_those_of_the_shipped_tables() {
    let shipped = story::storm_fleets().expect("a sound table");
    assert_eq!(Ok(shipped), tests::storm(), "run `cargo run -p tests --bin storm`");
}
