//! The invariants of a table, checked before it is written and after it is read.

use std::collections::HashSet;

use crate::{Grid, Key, Level, Table};

/// More axes than any table needs.
const MAX_AXES: usize = 8;

pub(crate) fn table(table: &Table) -> Result<(), String> {
    let info = &table.info;
    if info.axes.is_empty() || info.axes.len() > MAX_AXES {
        return Err(format!("{} axes instead of 1 to {MAX_AXES}", info.axes.len()));
    }
    if info.unit != "ms" && info.unit != "us" {
        return Err(format!("unknown unit {:?}", info.unit));
    }
    let mut keys = HashSet::with_capacity(table.slices.len());
    let mut rows = 0;
    for slice in &table.slices {
        if slice.key.len() != info.key.len() {
            return Err(format!("a key of {} columns instead of {}", slice.key.len(), info.key.len()));
        }
        let like = |(a, b): (&Key, &Key)| {
            matches!((a, b), (Key::Int(_), Key::Int(_)) | (Key::Text(_), Key::Text(_)))
        };
        if !slice.key.iter().zip(&table.slices[0].key).all(like) {
            return Err("a key column mixes numbers and names".into());
        }
        if !keys.insert(&slice.key) {
            return Err(format!("key {:?} appears twice", slice.key));
        }
        grid(&slice.grid, info.axes.len()).map_err(|why| format!("{why} (key {:?})", slice.key))?;
        rows += slice.grid.values.len() as u64;
    }
    if rows != info.rows {
        return Err(format!("{rows} values instead of {}", info.rows));
    }
    Ok(())
}

fn grid(grid: &Grid, axes: usize) -> Result<(), String> {
    if grid.levels.len() != axes {
        return Err(format!("{} levels instead of {axes}", grid.levels.len()));
    }
    let mut nodes = 1;
    for one in &grid.levels {
        level(one, nodes)?;
        nodes = one.keys.len();
    }
    if grid.values.len() != nodes {
        return Err(format!("{} values for {nodes} places", grid.values.len()));
    }
    if let Some(value) = grid.values.iter().find(|value| !value.is_finite() || value.is_sign_negative()) {
        return Err(format!("{value} is not a latency"));
    }
    if !grid.tiers.is_empty() && grid.tiers.len() != nodes {
        return Err(format!("{} origins for {nodes} values", grid.tiers.len()));
    }
    if let Some(tier) = grid.tiers.iter().find(|tier| **tier > 1) {
        return Err(format!("unknown origin {tier}"));
    }
    Ok(())
}

fn level(level: &Level, nodes: usize) -> Result<(), String> {
    if level.starts.len() != nodes + 1
        || level.starts[0] != 0
        || level.starts[nodes] as usize != level.keys.len()
    {
        return Err("offsets do not fit the keys".into());
    }
    for bounds in level.starts.windows(2) {
        let Some(keys) = level.keys.get(bounds[0] as usize..bounds[1] as usize) else {
            return Err("offsets do not ascend".into());
        };
        if keys.is_empty() {
            return Err("an axis has no keys".into());
        }
        if keys.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err("the keys of an axis do not ascend".into());
        }
    }
    Ok(())
}
