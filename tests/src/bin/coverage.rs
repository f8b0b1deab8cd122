//! Writes `perf-data/packs/coverage.bin`: which models answer where, and why the others do not.

use std::{fs, process};

fn main() {
    let path = tests::root().join("perf-data/packs/coverage.bin");
    let bytes = tests::coverage().to_bytes().ok_or_else(|| "it cannot be written".to_owned());
    let written = bytes.and_then(|bytes| fs::write(&path, bytes).map_err(|error| error.to_string()));
    if let Err(error) = written {
        eprintln!("{}: {error}", path.display());
        process::exit(1);
    }
}
