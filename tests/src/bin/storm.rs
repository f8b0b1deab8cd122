//! Writes `app/engine/src/simulate/storm.json`: what the steps of the storm's workers cost, from the shipped tables.

use std::{fs, process};

fn main() {
    let path = tests::root().join("app/engine/src/simulate/storm.json");
    let written = tests::storm().and_then(|fleets| {
        let json = serde_json::to_string(&fleets).map_err(|error| error.to_string())?;
        fs::write(&path, json + "\n").map_err(|error| error.to_string())
    });
    if let Err(error) = written {
        eprintln!("{}: {error}", path.display());
        process::exit(1);
    }
}
