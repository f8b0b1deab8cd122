//! Builds the packs from the published wheel: `pack --wheel FILE --out DIR`.
//!
//! Writes `packs/*.pack`, `packs/index.json` and `systems.json` below DIR, and below `tests/` the row counts and
//! spot values that the packs are tested against. The same wheel always gives the same bytes.

mod wheel;
mod sources;
mod frame;
mod spec;
mod merge;
mod bucket;
mod lanes;
mod table;
mod catalog;
mod pair;
mod systems;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use perf_data::{FORMAT_VERSION, Index};
use serde_yaml::Value;

use crate::pair::{Built, Pair};
use crate::wheel::Wheel;

/// What the packs are made from.
const SOURCES: &str = include_str!("../../../SOURCES.toml");
const BACKENDS: [&str; 3] = ["sglang", "trtllm", "vllm"];

fn main() -> Result<()> {
    let (wheel, out) = arguments()?;
    let mut wheel = Wheel::open(&wheel, pinned("sha256")?)?;
    let source = format!("{} {}", pinned("name")?, pinned("version")?);
    let systems = wheel.systems()?;
    let versions = wheel.yaml("query_versions.yaml")?;
    let mut packs = Vec::new();
    for (system, description) in &systems {
        for backend in BACKENDS {
            let version = current(&versions, system, backend)?;
            let pair = Pair { system, description, backend, version, source: &source };
            let built = pair.build(&mut wheel).with_context(|| format!("{system}/{backend} {version}"))?;
            if let Some(built) = built {
                eprintln!("{system}/{backend} {version}: {}", summary(&built));
                packs.push(built);
            }
        }
    }
    write(&out, &source, &systems, packs)
}

fn arguments() -> Result<(PathBuf, PathBuf)> {
    let (mut wheel, mut out) = (None, None);
    let mut arguments = std::env::args_os().skip(1);
    while let Some(name) = arguments.next() {
        let place = match name.to_str() {
            Some("--wheel") => &mut wheel,
            Some("--out") => &mut out,
            _ => bail!("unknown argument {}; usage: pack --wheel FILE --out DIR", name.display()),
        };
        *place = arguments.next().map(PathBuf::from);
    }
    wheel.zip(out).context("usage: pack --wheel FILE --out DIR")
}

/// A string of `SOURCES.toml`.
fn pinned(field: &str) -> Result<&'static str> {
    let mut pairs = SOURCES.lines().filter_map(|line| line.split_once(" = "));
    let value = pairs.find(|(name, _)| *name == field).map(|(_, value)| value.trim().trim_matches('"'));
    value.with_context(|| format!("SOURCES.toml has no {field}"))
}

/// The version that is current for `system` and `backend`.
fn current<'a>(versions: &'a Value, system: &str, backend: &str) -> Result<&'a str> {
    let entry = |from: Option<&'a Value>| from?.get(backend)?.get("current")?.as_str();
    let overridden = versions.get("overrides").and_then(|all| all.get(system));
    entry(overridden)
        .or_else(|| entry(versions.get("defaults")))
        .with_context(|| format!("query_versions.yaml has no current version of {backend} for {system}"))
}

fn summary(built: &Built) -> String {
    let rows: usize = built.rows.iter().map(|(_, rows)| rows).sum();
    let bytes: u64 = built.entry.files.iter().map(|file| file.bytes).sum();
    format!("{} files, {rows} rows, {} kB", built.contents.len(), bytes.div_ceil(1000))
}

fn write(out: &Path, source: &str, systems: &BTreeMap<String, Value>, packs: Vec<Built>) -> Result<()> {
    let folder = out.join("packs");
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    for entry in fs::read_dir(&folder).with_context(|| format!("listing {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "pack") {
            fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
        }
    }
    let (mut rows, mut spots) = (String::new(), String::new());
    let mut entries = Vec::new();
    for built in packs {
        let pair = format!("{}\t{}", built.entry.system, built.entry.backend);
        for (table, count) in built.rows {
            writeln!(rows, "{pair}\t{table}\t{count}")?;
        }
        for (table, key, place, value) in built.spots {
            writeln!(spots, "{pair}\t{table}\t{key}\t{place}\t{value}")?;
        }
        for (file, content) in built.entry.files.iter().zip(built.contents) {
            put(&folder.join(&file.name), &content)?;
        }
        entries.push(built.entry);
    }
    ensure!(!entries.is_empty(), "the wheel holds no tables");
    let index = Index { format: FORMAT_VERSION, source: source.into(), packs: entries };
    put(&folder.join("index.json"), (serde_json::to_string_pretty(&index)? + "\n").as_bytes())?;
    put(&out.join("systems.json"), systems::json(systems)?.as_bytes())?;
    let tests = out.join("tests");
    fs::create_dir_all(&tests).with_context(|| format!("creating {}", tests.display()))?;
    put(&tests.join("rows.tsv"), rows.as_bytes())?;
    put(&tests.join("spots.tsv"), spots.as_bytes())
}

fn put(path: &Path, content: &[u8]) -> Result<()> {
    fs::write(path, content).with_context(|| format!("writing {}", path.display()))
}
