//! Writes `perf-data/packs/coverage.json`: which models answer where, and why the others do not.

use std::{fs, process};

fn main() {
    let path = tests::root().join("perf-data/packs/coverage.json");
    let json = serde_json::to_string(&tests::coverage()).map_err(|error| error.to_string());
    let written = json.and_then(|json| fs::write(&path, json + "\n").map_err(|error| error.to_string()));
    if let Err(error) = written {
        eprintln!("{}: {error}", path.display());
        process::exit(1);
    }
}
