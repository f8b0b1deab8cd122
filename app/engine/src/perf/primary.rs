//! The part of a pack that a version measured itself.

use std::sync::Arc;

use perf_data::{Grid, Level, Pack, Slice, Table};

/// The pack without values borrowed from other versions.
pub(super) fn only(pack: Arc<Pack>) -> Arc<Pack> {
    let borrows = |slice: &Slice| slice.grid.tiers.contains(&1);
    if !pack.tables.iter().any(|table| table.slices.iter().any(borrows)) {
        return pack;
    }
    let slice = |slice: &Slice| Some(Slice { key: slice.key.clone(), grid: own(&slice.grid)? });
    let table = |table: &Table| Table {
        info: table.info.clone(),
        slices: table.slices.iter().filter_map(slice).collect(),
    };
    Arc::new(Pack { info: pack.info.clone(), tables: pack.tables.iter().map(table).collect() })
}

/// The leaves of a grid that are not borrowed; none when all are.
fn own(grid: &Grid) -> Option<Grid> {
    if !grid.tiers.contains(&1) {
        return Some(grid.clone());
    }
    let mut out = Grid {
        levels: grid.levels.iter().map(|_| Level { keys: Vec::new(), starts: vec![0] }).collect(),
        ..Grid::default()
    };
    copy(grid, 0, 0, &mut out).then_some(out)
}

/// Copies a node with its own leaves; false, and nothing copied, when it has none.
fn copy(grid: &Grid, axis: usize, node: usize, out: &mut Grid) -> bool {
    let level = &grid.levels[axis];
    let before = out.levels[axis].keys.len();
    for at in level.range(node) {
        let kept = if axis + 1 < grid.levels.len() {
            copy(grid, axis + 1, at, out)
        } else {
            let own = grid.tiers.get(at).is_none_or(|&tier| tier == 0);
            if own {
                out.values.push(grid.values[at]);
            }
            own
        };
        if kept {
            out.levels[axis].keys.push(level.keys[at]);
        }
    }
    let after = out.levels[axis].keys.len();
    if after == before {
        return false;
    }
    out.levels[axis].starts.push(after as u32);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borrowed_leaves_and_empty_nodes_are_gone() {
        let grid = Grid {
            levels: vec![
                Level { keys: vec![1, 2, 4], starts: vec![0, 3] },
                Level { keys: vec![8, 16, 8, 8, 32], starts: vec![0, 2, 3, 5] },
            ],
            values: vec![1.0, 2.0, 3.0, 4.0, 5.0],
            tiers: vec![0, 1, 1, 1, 0],
        };
        let want = Grid {
            levels: vec![
                Level { keys: vec![1, 4], starts: vec![0, 2] },
                Level { keys: vec![8, 32], starts: vec![0, 1, 2] },
            ],
            values: vec![1.0, 5.0],
            tiers: vec![],
        };
        assert_eq!(own(&grid), Some(want));
        assert_eq!(own(&Grid { tiers: vec![1; 5], ..grid }), None);
    }
}
