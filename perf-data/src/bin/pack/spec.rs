//! How the rows of one published table become slices.

use anyhow::{Context, Result, ensure};
use perf_data::Key;

use crate::frame::Row;

/// Most axes any table has.
pub(crate) const MAX_AXES: usize = 4;
/// Axis keys of one row, outermost first; unused places are 0.
pub(crate) type Place = [u32; MAX_AXES];

/// How a key or an axis is read from a row.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    /// The column of the same name, text or whole number.
    Same,
    /// That column; empty or absent cells count as this text.
    TextOr(&'static str),
    /// That column; empty or absent cells count as 0.
    IntOr0,
    /// Anything else.
    By(fn(Row<'_>) -> Option<Key>),
}

/// Which of several rows at the same place of one file counts. Across files it is always the first.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Wins {
    First,
    Last,
}

/// Where the values of a table stand.
#[derive(Clone, Copy)]
pub(crate) struct Value {
    /// Key column `phase` of these values, for tables with one column per phase.
    pub(crate) phase: Option<&'static str>,
    /// Columns to add up.
    pub(crate) columns: &'static [&'static str],
}

/// The plain case: one column `latency`.
const LATENCY: &[Value] = &[Value { phase: None, columns: &["latency"] }];

/// A table that is published under its own name, in milliseconds.
pub(crate) const fn spec(
    name: &'static str,
    key: &'static [(&'static str, Part)],
    axes: &'static [(&'static str, Part)],
) -> Spec {
    Spec {
        name,
        file: name,
        keep: |_| true,
        key,
        axes,
        values: LATENCY,
        unit: "ms",
        exact: false,
        wins: Wins::First,
    }
}

/// A table of a pack.
#[derive(Clone, Copy)]
pub(crate) struct Spec {
    /// Table name in the pack.
    pub(crate) name: &'static str,
    /// Published name, without `_perf.parquet`.
    pub(crate) file: &'static str,
    pub(crate) keep: fn(Row<'_>) -> bool,
    pub(crate) key: &'static [(&'static str, Part)],
    pub(crate) axes: &'static [(&'static str, Part)],
    pub(crate) values: &'static [Value],
    pub(crate) unit: &'static str,
    pub(crate) exact: bool,
    pub(crate) wins: Wins,
}

impl Spec {
    /// Names of the key columns.
    pub(crate) fn key_names(&self) -> Vec<String> {
        let phase = self.values.iter().any(|value| value.phase.is_some()).then_some("phase");
        phase.into_iter().chain(self.key.iter().map(|(name, _)| *name)).map(String::from).collect()
    }

    pub(crate) fn key_of(&self, row: Row<'_>, phase: Option<&str>) -> Result<Vec<Key>> {
        let mut key = Vec::with_capacity(self.key.len() + 1);
        key.extend(phase.map(Key::from));
        for (name, part) in self.key {
            key.push(part.read(row, name).with_context(|| format!("no usable {name}"))?);
        }
        Ok(key)
    }

    pub(crate) fn place_of(&self, row: Row<'_>) -> Result<Place> {
        let mut place = Place::default();
        for (at, (name, part)) in place.iter_mut().zip(self.axes) {
            let key = part.read(row, name).as_ref().and_then(Key::as_int);
            *at = key.and_then(|key| u32::try_from(key).ok()).with_context(|| format!("no usable {name}"))?;
        }
        Ok(place)
    }
}

impl Value {
    pub(crate) fn read(&self, row: Row<'_>) -> Result<f64> {
        let mut sum = 0.0;
        for column in self.columns {
            sum += row.float(column).with_context(|| format!("no {column}"))?;
        }
        ensure!(sum.is_finite() && sum >= 0.0, "{sum} is not a latency");
        Ok(sum)
    }
}

impl Part {
    fn read(self, row: Row<'_>, name: &str) -> Option<Key> {
        match self {
            Self::Same => {
                row.text(name).map(|text| Key::Text(text.clone())).or_else(|| row.int(name).map(Key::Int))
            }
            Self::TextOr(default) => {
                Some(row.text(name).map_or_else(|| default.into(), |text| Key::Text(text.clone())))
            }
            Self::IntOr0 => Some(Key::Int(row.int(name).unwrap_or(0))),
            Self::By(rule) => rule(row),
        }
    }
}
