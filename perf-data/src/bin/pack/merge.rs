//! Rows of several files merged into ragged trees.

use std::collections::HashMap;

use perf_data::{Grid, Key, Level, Slice};

use crate::spec::{MAX_AXES, Place, Wins};

/// One row.
#[derive(Clone, Copy)]
pub(crate) struct Leaf {
    pub(crate) place: Place,
    pub(crate) value: f64,
    /// Number of the file the row comes from, in merging order.
    pub(crate) source: u32,
    /// Position of the row among all rows of the table.
    pub(crate) sequence: u32,
    pub(crate) primary: bool,
}

/// Slices in the order in which their keys were first seen.
#[derive(Default)]
pub(crate) struct Merge {
    numbers: HashMap<Vec<Key>, usize>,
    pub(crate) slices: Vec<(Vec<Key>, Vec<Leaf>)>,
}

impl Merge {
    /// Adds a row; rows have to come in merging order.
    pub(crate) fn add(&mut self, key: Vec<Key>, leaf: Leaf) {
        if let Some(number) = self.numbers.get(&key) {
            self.slices[*number].1.push(leaf);
        } else {
            self.numbers.insert(key.clone(), self.slices.len());
            self.slices.push((key, vec![leaf]));
        }
    }

    /// Leaves one row per place, sorted by place.
    pub(crate) fn settle(&mut self, wins: Wins) {
        for (_, leaves) in &mut self.slices {
            leaves.sort_by_key(|leaf| leaf.place);
            // `dedup_by` hands over (this, kept).
            leaves.dedup_by(|leaf, kept| {
                let same = leaf.place == kept.place;
                if same && wins == Wins::Last && leaf.source == kept.source {
                    *kept = *leaf;
                }
                same
            });
        }
    }
}

/// The tree of settled leaves.
pub(crate) fn slice(key: Vec<Key>, leaves: &[Leaf], axes: usize) -> Slice {
    let mut levels = vec![Level::default(); axes.min(MAX_AXES)];
    let mut previous: Option<&Place> = None;
    for Leaf { place, .. } in leaves {
        // The outermost axis on which this leaf differs from the one before; everything inside it is new.
        let shared = previous.map(|previous| {
            previous
                .iter()
                .zip(place)
                .take_while(|(a, b)| a == b)
                .count()
        });
        for (at, level) in levels.iter_mut().enumerate().skip(shared.unwrap_or(0)) {
            if shared.is_none_or(|shared| at > shared) {
                level.starts.push(level.keys.len() as u32);
            }
            level.keys.push(place[at]);
        }
        previous = Some(place);
    }
    for level in &mut levels {
        level.starts.push(level.keys.len() as u32);
    }
    let tiers: Vec<_> = leaves.iter().map(|leaf| u8::from(!leaf.primary)).collect();
    let borrowed = tiers.contains(&1);
    Slice {
        key,
        grid: Grid {
            levels,
            values: leaves.iter().map(|leaf| leaf.value).collect(),
            tiers: if borrowed { tiers } else { Vec::new() },
        },
    }
}
