//! `configurator systems`.

use engine::catalog::Catalog;
use engine::coverage::Atlas;
use engine::format::gib;
use engine::system::SystemSpec;
use perf_data::PackEntry;
use serde::Serialize;

use crate::args;
use crate::data::Data;
use crate::report::{Failure, Report, json};
use crate::table::{Align, table};

const COLUMNS: &[(&str, Align)] = &[
    ("system", Align::Left),
    ("GPU", Align::Left),
    ("GiB", Align::Right),
    ("GPUs/node", Align::Right),
    ("models", Align::Right),
    ("measured with", Align::Left),
];

#[derive(Serialize)]
struct Row<'a> {
    system: &'a str,
    name: &'a str,
    memory_bytes: u64,
    gpus_per_node: u32,
    /// Models that answer with some engine.
    models: usize,
    measured_with: Vec<Measured<'a>>,
}

#[derive(Serialize)]
struct Measured<'a> {
    backend: &'a str,
    version: &'a str,
    data: &'a str,
    bytes: u64,
}

pub(super) fn run(args: &args::List) -> Result<Report, Failure> {
    let data = Data::open(args.output.data.as_deref())?;
    let atlas = data.coverage()?;
    let rows: Vec<_> = Catalog::embedded().systems.iter().map(|system| row(system, &data, &atlas)).collect();
    let text = if args.output.json { json(&rows)? } else { table(COLUMNS, &cells(&rows)) };
    Ok(Report::new(text, Vec::new(), true))
}

fn row<'a>(system: &'a SystemSpec, data: &'a Data, atlas: &Atlas) -> Row<'a> {
    let packs = data.index.packs.iter().filter(|pack| pack.system == system.id);
    let measured = |pack: &'a PackEntry| Measured {
        backend: &pack.backend,
        version: &pack.version,
        data: &pack.id,
        bytes: pack.files.iter().map(|file| file.bytes).sum(),
    };
    Row {
        system: &system.id,
        name: &system.name,
        memory_bytes: system.mem_bytes,
        gpus_per_node: system.gpus_per_node,
        models: atlas.models(&system.id),
        measured_with: packs.map(measured).collect(),
    }
}

fn cells(rows: &[Row<'_>]) -> Vec<Vec<String>> {
    let cells = rows.iter().map(|row| {
        let measured: Vec<_> =
            row.measured_with.iter().map(|pack| format!("{} {}", pack.backend, pack.version)).collect();
        vec![
            row.system.to_owned(),
            row.name.to_owned(),
            gib(row.memory_bytes as f64),
            row.gpus_per_node.to_string(),
            row.models.to_string(),
            if measured.is_empty() { "–".to_owned() } else { measured.join(", ") },
        ]
    });
    cells.collect()
}
