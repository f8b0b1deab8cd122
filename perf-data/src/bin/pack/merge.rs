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
        let shared = previous.map(|previous| previous.iter().zip(place).take_while(|(a, b)| a == b).count());
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of one key: file, place, value.
    fn settled(wins: Wins, rows: &[(u32, [u32; 2], f64)]) -> Slice {
        let mut merge = Merge::default();
        for (sequence, (source, [a, b], value)) in rows.iter().enumerate() {
            let leaf = Leaf {
                place: [*a, *b, 0, 0],
                value: *value,
                source: *source,
                sequence: sequence as u32,
                primary: *source == 0,
            };
            merge.add(vec![Key::Int(1)], leaf);
        }
        merge.settle(wins);
        let (key, leaves) = merge.slices.pop().unwrap();
        slice(key, &leaves, 2)
    }

    #[test]
    fn rows_become_a_sorted_ragged_tree() {
        let rows = [(0, [8, 1], 3.0), (0, [2, 4], 2.0), (1, [2, 1], 1.0), (1, [16, 9], 4.0)];
        let grid = settled(Wins::First, &rows).grid;
        let outer = Level { keys: vec![2, 8, 16], starts: vec![0, 3] };
        let inner = Level { keys: vec![1, 4, 1, 9], starts: vec![0, 2, 3, 4] };
        assert_eq!(grid.levels, [outer, inner]);
        assert_eq!(grid.values, [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(grid.tiers, [1, 0, 0, 1]);
    }

    #[test]
    fn the_first_file_wins_and_the_table_says_which_row_of_it() {
        let rows = [(0, [1, 1], 1.0), (0, [1, 1], 2.0), (1, [1, 1], 3.0), (1, [1, 2], 4.0), (1, [1, 2], 5.0)];
        assert_eq!(settled(Wins::First, &rows).grid.values, [1.0, 4.0]);
        assert_eq!(settled(Wins::Last, &rows).grid.values, [2.0, 5.0]);
    }
}
