//! `configurator models`.

use engine::backend::Backend;
use engine::catalog::Catalog;
use engine::model::ModelSpec;
use engine::problem::Plan;
use engine::scenario::Scenario;
use serde::Serialize;

use crate::args;
use crate::data::Data;
use crate::report::{Failure, Report, json};
use crate::table::{Align, table};

const COLUMNS: &[(&str, Align)] = &[
    ("model", Align::Left),
    ("family", Align::Left),
    ("weights", Align::Left),
    ("KV cache", Align::Left),
    ("runs on", Align::Left),
];

#[derive(Serialize)]
struct Row<'a> {
    model: &'a str,
    family: &'static str,
    weights: &'static str,
    kv_cache: &'static str,
    /// Systems and backends with the tables that the checkpoint's precisions need.
    runs_on: Vec<Place<'a>>,
}

#[derive(Serialize)]
struct Place<'a> {
    system: &'a str,
    backend: &'a str,
}

pub(super) fn run(args: &args::List) -> Result<Report, Failure> {
    let data = Data::open(args.output.data.as_deref())?;
    let rows: Vec<_> = Catalog::embedded().models.iter().map(|model| row(model, &data)).collect();
    let text = if args.output.json { json(&rows)? } else { table(COLUMNS, &cells(&rows, &data)) };
    Ok(Report::new(text, Vec::new(), true))
}

fn row<'a>(model: &'a ModelSpec, data: &'a Data) -> Row<'a> {
    let runs = |system: &str, backend: &str| {
        let scenario = Scenario {
            model: model.id.clone(),
            system: system.to_owned(),
            backend: Backend::from_name(backend)?,
            ..Scenario::default()
        };
        Plan::resolve(&scenario, Catalog::embedded(), &data.index).ok()
    };
    let packs = data.index.packs.iter().filter(|pack| runs(&pack.system, &pack.backend).is_some());
    Row {
        model: &model.id,
        family: model.family.name(),
        weights: model.quant.gemm.name(),
        kv_cache: model.quant.kv.name(),
        runs_on: packs.map(|pack| Place { system: &pack.system, backend: &pack.backend }).collect(),
    }
}

fn cells(rows: &[Row<'_>], data: &Data) -> Vec<Vec<String>> {
    let all = data.index.packs.len();
    let cells = rows.iter().map(|row| {
        let places = format!("{} of {all} systems and backends", row.runs_on.len());
        vec![
            row.model.to_owned(),
            row.family.to_owned(),
            row.weights.to_owned(),
            row.kv_cache.to_owned(),
            places,
        ]
    });
    cells.collect()
}
