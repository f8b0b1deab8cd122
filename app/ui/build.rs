//! Takes from the catalogue what the page shows before the search is asked: the full facts of every model, and
//! the code that reads them, are a tenth of a megabyte that only the worker needs.

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

const MODELS: &str = "../../perf-data/models.json";
const SYSTEMS: &str = "../../perf-data/systems.json";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let mut out = String::from("const MODELS: &[Model] = &[\n");
    for model in sorted(read(MODELS)?.get("models"))? {
        let (id, family) = (text(&model, "/id")?, text(&model, "/family")?);
        let (gemm, kv) = (text(&model, "/quant/gemm")?, text(&model, "/quant/kv")?);
        writeln!(out, "    Model {{ id: {id:?}, family: {family:?}, gemm: {gemm:?}, kv: {kv:?} }},")?;
    }
    out.push_str("];\nconst SYSTEMS: &[System] = &[\n");
    for system in sorted(Some(&read(SYSTEMS)?))? {
        let (id, name) = (text(&system, "/id")?, text(&system, "/name")?);
        let flops = system.get("flops").and_then(Value::as_object).ok_or("a system has no peaks")?;
        let peaks: Vec<&String> = flops
            .iter()
            .filter(|(_, peak)| peak.as_f64().is_some_and(|peak| peak > 0.0))
            .map(|(pipe, _)| pipe)
            .collect();
        writeln!(out, "    System {{ id: {id:?}, name: {name:?}, peaks: &{peaks:?} }},")?;
    }
    out.push_str("];\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("catalog.rs"), out)?;
    Ok(())
}

fn read(file: &str) -> Result<Value, Box<dyn Error>> {
    println!("cargo::rerun-if-changed={file}");
    let content = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    Ok(serde_json::from_str(&content).map_err(|error| format!("{file}: {error}"))?)
}

/// The entries of a list, by id.
fn sorted(list: Option<&Value>) -> Result<Vec<Value>, Box<dyn Error>> {
    let mut entries = list.and_then(Value::as_array).cloned().ok_or("the catalogue holds no list")?;
    entries.sort_by(|a, b| a["id"].as_str().cmp(&b["id"].as_str()));
    Ok(entries)
}

fn text<'a>(entry: &'a Value, pointer: &str) -> Result<&'a str, String> {
    let value = entry.pointer(pointer).and_then(Value::as_str);
    value.ok_or_else(|| format!("{pointer} of an entry of the catalogue is no text"))
}
