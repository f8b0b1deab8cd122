//! All cells together, in a form that is small enough to ship beside the packs.

use perf_data::{Index, PackEntry};
use serde::{Deserialize, Serialize};

use super::Verdict;
use super::nearest::{alike, siblings};
use crate::backend::Backend;
use crate::catalog::Catalog;
use crate::scenario::{Place, QuantChoice, Scenario, Serving};

/// Serving modes of a cell, in the order of its verdicts.
pub const MODES: [Serving; 2] = [Serving::Agg, Serving::Disagg];

/// The columns of an atlas: every place with data, in the order of the index.
pub fn places(index: &Index) -> Vec<Place> {
    let place = |pack: &PackEntry| {
        Backend::from_name(&pack.backend).map(|backend| Place { system: pack.system.clone(), backend })
    };
    index.packs.iter().filter_map(place).collect()
}

/// The question of a scenario about a model in one place, at the checkpoint's own precisions.
pub fn ask(like: &Scenario, model: &str, place: &Place) -> Scenario {
    let mut workload = like.workload;
    // Another model may have no vision encoder.
    workload.images = workload.images.filter(|_| like.model == model);
    Scenario {
        model: model.to_owned(),
        workload,
        custom: None,
        decode_system: None,
        version: None,
        serving: Serving::Both,
        quant: QuantChoice::default(),
        ..like.at(place)
    }
}

/// One model in every place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Model id.
    pub model: String,
    /// Other checkpoints of the same model, as rows of the atlas.
    pub(super) siblings: Vec<u16>,
    /// By place, then by serving mode: which of the atlas' verdicts.
    cells: Vec<[u16; 2]>,
}

/// Every model in every place with data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Atlas {
    /// Identity of the data it was made from.
    pub data: String,
    /// Columns (see [`places`]).
    pub places: Vec<Place>,
    /// For each place, all of them: those whose GPU and engine are most like it first.
    pub(super) alike: Vec<Vec<u16>>,
    /// Distinct verdicts; the first is [`Verdict::Measured`].
    verdicts: Vec<Verdict>,
    /// Rows, in the order of the catalogue.
    pub rows: Vec<Row>,
}

impl Atlas {
    /// Joins one column for each place of an index (see [`places`] and [`super::column`]).
    pub fn new(catalog: &Catalog, index: &Index, columns: &[Vec<[Verdict; 2]>]) -> Self {
        let mut verdicts = vec![Verdict::Measured];
        let mut number = |verdict: &Verdict| {
            let at = verdicts.iter().position(|have| have == verdict).unwrap_or_else(|| {
                verdicts.push(verdict.clone());
                verdicts.len() - 1
            });
            at as u16
        };
        let rows = catalog.models.iter().enumerate().map(|(at, model)| {
            let mine = columns.iter().filter_map(|column| column.get(at));
            let cells = mine.map(|[agg, disagg]| [number(agg), number(disagg)]).collect();
            Row { model: model.id.clone(), siblings: siblings(catalog, model), cells }
        });
        let rows = rows.collect();
        let places = places(index);
        let alike = alike(catalog, &places);
        Self { data: index.identity(), places, alike, verdicts, rows }
    }

    /// Reads `coverage.bin`; none when it is damaged or of another release.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        postcard::take_from_bytes(bytes).ok().and_then(|(atlas, rest)| rest.is_empty().then_some(atlas))
    }

    /// Writes it; none when there is no memory for it.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        postcard::to_allocvec(self).ok()
    }

    /// Verdicts on a model in the place at `at`, by serving mode; none outside the atlas.
    pub fn cell(&self, row: &Row, at: usize) -> Option<[&Verdict; 2]> {
        let [agg, disagg] = *row.cells.get(at)?;
        Some([self.verdicts.get(usize::from(agg))?, self.verdicts.get(usize::from(disagg))?])
    }

    /// The row of a model.
    pub fn row(&self, model: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.model == model)
    }

    /// Places where some serving mode of a model is measured.
    pub fn measured<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = &'a Place> {
        let here =
            |at| self.cell(row, at).is_some_and(|cell| cell.iter().any(|verdict| verdict.is_measured()));
        self.places.iter().enumerate().filter(move |&(at, _)| here(at)).map(|(_, place)| place)
    }

    /// How many GPU systems answer for a model.
    pub fn systems(&self, row: &Row) -> usize {
        let mut seen: Vec<&str> = self.measured(row).map(|place| place.system.as_str()).collect();
        seen.dedup();
        seen.len()
    }

    /// How many models answer on a system with some engine.
    pub fn models(&self, system: &str) -> usize {
        self.rows.iter().filter(|row| self.measured(row).any(|place| place.system == system)).count()
    }
}
