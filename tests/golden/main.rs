//! Parity with the reference system, case by case.
//!
//! Reads `tests/golden`, or the folder in `GOLDEN_DIR`, which must have the same layout and formats.

#![allow(clippy::print_stdout, reason = "a suite reports its worst error per case")]
#![allow(clippy::too_many_lines, reason = "one match arm for each kind of operator")]

mod estimate;
mod manifests;
mod models;
mod operators;
mod ours;
mod planner;
mod report;
mod search;
mod several;

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

fn folder() -> PathBuf {
    std::env::var_os("GOLDEN_DIR").map_or_else(|| tests::root().join("tests/golden"), PathBuf::from)
}

/// A golden file; none when the folder does not have it.
fn load(name: &str) -> Option<Value> {
    let text = fs::read_to_string(folder().join(name)).ok()?;
    Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name} is not JSON: {error}")))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} is not text in {value}"))
}

fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or_else(|| panic!("{key} is not a number in {value}"))
}

fn whole(value: &Value, key: &str) -> u32 {
    number(value, key) as u32
}

/// A whole number that may be absent.
fn optional(value: &Value, key: &str) -> Option<u32> {
    value[key].as_f64().map(|number| number as u32)
}

/// The catalogue's name of a model; one golden model is a local folder.
fn model_id(golden: &str) -> &str {
    if golden == "mixtral-8x7b" { "mistralai/Mixtral-8x7B-v0.1" } else { golden }
}
