//! Gives the crate the identity of the sources that decide what crosses the worker boundary.
//!
//! Page and worker are two programs that a browser may cache apart; they compare this identity first.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Everything whose types or results cross the boundary, relative to this crate.
const SOURCES: [&str; 5] = [
    "src",
    "../engine/src",
    "../../perf-data/src",
    "../../perf-data/models.json",
    "../../perf-data/systems.json",
];

fn main() -> io::Result<()> {
    let mut files = Vec::new();
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
        collect(Path::new(source), &mut files)?;
    }
    files.sort();
    let mut hash = Fnv::new();
    for file in &files {
        hash.add(file.to_string_lossy().as_bytes());
        hash.add(&fs::read(file)?);
    }
    println!("cargo::rustc-env=WORKER_BUILD={:016x}", hash.0);
    Ok(())
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            collect(&entry?.path(), files)?;
        }
    } else {
        files.push(path.to_owned());
    }
    Ok(())
}

/// FNV-1a; every part is preceded by its length, so that parts cannot run into each other.
struct Fnv(u64);

impl Fnv {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, part: &[u8]) {
        for byte in (part.len() as u64).to_le_bytes().iter().chain(part) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
