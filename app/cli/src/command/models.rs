//! `configurator models`.

use engine::catalog::Catalog;
use engine::coverage::Atlas;
use engine::model::ModelSpec;
use engine::scenario::Place;
use engine::text::systems_measured;
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
    ("coverage", Align::Left),
];

#[derive(Serialize)]
struct Row<'a> {
    model: &'a str,
    family: &'static str,
    weights: &'static str,
    kv_cache: &'static str,
    /// GPU systems where some engine answers.
    systems: usize,
    /// Where: systems and backends.
    measured_on: Vec<&'a Place>,
}

pub(super) fn run(args: &args::List) -> Result<Report, Failure> {
    let data = Data::open(args.output.data.as_deref())?;
    let atlas = data.coverage()?;
    let rows: Vec<_> = Catalog::embedded().models.iter().map(|model| row(model, &atlas)).collect();
    let text = if args.output.json { json(&rows)? } else { table(COLUMNS, &cells(&rows)) };
    Ok(Report::new(text, Vec::new(), true))
}

fn row<'a>(model: &'a ModelSpec, atlas: &'a Atlas) -> Row<'a> {
    let measured = atlas.row(&model.id);
    Row {
        model: &model.id,
        family: model.family.name(),
        weights: model.quant.gemm.name(),
        kv_cache: model.quant.kv.name(),
        systems: measured.map_or(0, |row| atlas.systems(row)),
        measured_on: measured.into_iter().flat_map(|row| atlas.measured(row)).collect(),
    }
}

fn cells(rows: &[Row<'_>]) -> Vec<Vec<String>> {
    let cells = rows.iter().map(|row| {
        vec![
            row.model.to_owned(),
            row.family.to_owned(),
            row.weights.to_owned(),
            row.kv_cache.to_owned(),
            systems_measured(row.systems),
        ]
    });
    cells.collect()
}
