//! What the kernels of sparse attention share: pair counts, and look-ups of the steps inside a block.

use perf_data::{Grid, Slice};

use super::comm::Collective;
use super::{Measure, Shape, Timing};
use crate::perf::curve::Curve;
use crate::perf::grid::Miss;

/// Label of a block without data.
pub(super) const LABEL: &str = "sparse attention block";

/// Compute-bound and memory-bound time, ms.
pub(super) type Parts = (f64, f64);

pub(super) fn slower((compute, memory): Parts) -> f64 {
    compute.max(memory)
}

/// Pairs of `new` queries per sequence and the tokens they see: all earlier ones, at most `limit`.
pub(super) fn causal_pairs(batch: f64, new: f64, prefix: f64, limit: f64) -> f64 {
    let full = new + prefix;
    // Tokens seen by all queries up to a position.
    let seen = |position: f64| position * (position + 1.0) / 2.0;
    if new <= 0.0 || limit <= 0.0 {
        0.0
    } else if prefix >= limit {
        batch * new * limit
    } else if full <= limit {
        batch * (seen(full) - seen(prefix))
    } else {
        batch * (seen(limit) - seen(prefix) + (full - limit) * limit)
    }
}

/// Pairs of `new` queries per sequence and the compressed tokens they see, `ratio` to one, at most `limit`.
pub(super) fn compressed_pairs(batch: f64, new: f64, prefix: f64, ratio: f64, limit: f64) -> f64 {
    // Compressed tokens seen by all queries up to a position.
    let seen = |position: f64| {
        let whole = (position / ratio).floor();
        ratio * whole * (whole - 1.0) / 2.0 + whole * (position - whole * ratio + 1.0)
    };
    if new <= 0.0 || limit <= 0.0 {
        return 0.0;
    }
    let (full, saturated) = (new + prefix, limit * ratio);
    batch
        * if full < saturated {
            seen(full) - seen(prefix)
        } else if prefix + 1.0 >= saturated {
            new * limit
        } else {
            seen(saturated - 1.0) - seen(prefix) + (full - saturated + 1.0) * limit
        }
}

/// One step of a block, measured by batch, new tokens and cached tokens.
#[derive(Clone, Debug)]
pub(super) struct Lookup {
    batches: Vec<(u32, Vec<(u32, Curve)>)>,
}

impl Lookup {
    /// From rows of (batch, new tokens, cached tokens, value); none without rows.
    fn new(mut rows: Vec<([u32; 3], f64)>) -> Option<Self> {
        rows.sort_by_key(|&(at, _)| at);
        let curve = |rows: &[([u32; 3], f64)]| {
            let keys = rows.iter().map(|&([_, _, cached], _)| cached).collect();
            Curve::new(keys, rows.iter().map(|&(_, value)| value).collect())
        };
        let mut batches = Vec::new();
        for rows in rows.chunk_by(|a, b| a.0[0] == b.0[0]) {
            let sequences = rows.chunk_by(|a, b| a.0[1] == b.0[1]);
            let sequences = sequences.filter_map(|rows| Some((rows[0].0[1], curve(rows)?))).collect();
            batches.push((rows[0].0[0], sequences));
        }
        (!batches.is_empty()).then_some(Self { batches })
    }

    /// A slice with the axes batch, new tokens, cached tokens.
    pub(super) fn by_batch(slice: &Slice) -> Option<Self> {
        Self::new(leaves(&slice.grid))
    }

    /// A slice with the axes cached tokens, new tokens, batch.
    pub(super) fn by_cached(slice: &Slice) -> Option<Self> {
        Self::new(leaves(&slice.grid).into_iter().map(reversed).collect())
    }

    /// How much the first slice exceeds the second where both were measured; never negative.
    pub(super) fn excess(of: &Slice, over: &Slice) -> Option<Self> {
        let mut over = leaves(&over.grid);
        over.sort_by_key(|&(at, _)| at);
        let excess = |(at, value): ([u32; 3], f64)| {
            let other = over.binary_search_by_key(&at, |&(at, _)| at).ok()?;
            Some(reversed((at, (value - over[other].1).max(0.0))))
        };
        Self::new(leaves(&of.grid).into_iter().filter_map(excess).collect())
    }

    /// At the nearest measured batch and length, linear in the cached tokens. These steps grow faster than
    /// the sequence, so nothing is known beyond the longest one.
    pub(super) fn nearest(&self, batch: f64, new: f64, cached: f64) -> Result<f64, Miss> {
        let sequences = nearest(&self.batches, batch).ok_or(Miss)?;
        if sequences.last().is_none_or(|&(longest, _)| new > f64::from(longest)) {
            return Err(Miss);
        }
        Ok(clamped(nearest(sequences, new).ok_or(Miss)?, cached))
    }

    /// Linear along all axes, held at the ends.
    pub(super) fn linear(&self, batch: f64, new: f64, cached: f64) -> f64 {
        let sequence =
            |sequences: &Vec<(u32, Curve)>| between(sequences, new, |curve| clamped(curve, cached));
        between(&self.batches, batch, sequence)
    }
}

fn reversed(([a, b, c], value): ([u32; 3], f64)) -> ([u32; 3], f64) {
    ([c, b, a], value)
}

/// Coordinates and values of a grid of three axes; nothing of any other.
fn leaves(grid: &Grid) -> Vec<([u32; 3], f64)> {
    let [outer, middle, inner] = grid.levels.as_slice() else { return Vec::new() };
    let mut out = Vec::with_capacity(grid.values.len());
    for a in outer.range(0) {
        for b in middle.range(a) {
            for c in inner.range(b) {
                out.push(([outer.keys[a], middle.keys[b], inner.keys[c]], grid.values[c]));
            }
        }
    }
    out
}

/// The entry with the nearest key, the smaller one of two.
fn nearest<T>(rows: &[(u32, T)], x: f64) -> Option<&T> {
    let distance = |&(key, _): &(u32, T)| (f64::from(key) - x).abs();
    rows.iter().min_by(|a, b| distance(a).total_cmp(&distance(b))).map(|(_, value)| value)
}

/// Linear between entries, held at the ends.
fn between<T>(rows: &[(u32, T)], x: f64, value: impl Fn(&T) -> f64) -> f64 {
    let at = rows.partition_point(|&(key, _)| f64::from(key) < x);
    match (at.checked_sub(1).map(|below| &rows[below]), rows.get(at)) {
        (Some((lo, below)), Some((hi, above))) if f64::from(*hi) > x => {
            let w = (x - f64::from(*lo)) / f64::from(hi - lo);
            value(below) * (1.0 - w) + value(above) * w
        }
        (_, Some((_, only))) | (Some((_, only)), None) => value(only),
        (None, None) => 0.0,
    }
}

/// Linear inside a curve, held at its ends.
fn clamped(curve: &Curve, x: f64) -> f64 {
    curve.inside(x).unwrap_or_else(|outside| {
        let below = x < f64::from(curve.range().0);
        curve.point(if below { outside.start } else { outside.end - 1 }).1
    })
}

/// Adds what was measured as part of something else.
pub(super) fn add_measured(total: &mut Timing, ms: f64) {
    total.add(1.0, Timing::measurement(ms));
}

/// Adds an exchange of so many elements between the ranks that share a sequence.
pub(super) fn add_gather(total: &mut Timing, gather: &Collective, elements: f64) -> Result<(), Miss> {
    // Too short to have anything to send.
    if elements <= 0.0 {
        return Ok(());
    }
    let shape = Shape { tokens: elements, batch: 1.0, seq: elements, prefix: 0.0 };
    total.add(1.0, gather.latency(shape, elements)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_those_of_counting() {
        for (new, prefix, limit) in [(5, 0, 9), (7, 3, 4), (6, 8, 8), (9, 2, 11), (10, 4, 100)] {
            let counted: u32 = (1..=new).map(|i| (prefix + i).min(limit)).sum();
            let [new, prefix, limit] = [new, prefix, limit].map(f64::from);
            assert_eq!(causal_pairs(3.0, new, prefix, limit), 3.0 * f64::from(counted));
        }
        for (new, prefix, limit) in
            [(50, 0, 9), (70, 3, 4), (6, 80, 8), (90, 2, 23), (10, 4, 100), (1, 31, 8)]
        {
            let counted: u32 = (1..=new).map(|i| ((prefix + i) / 4).min(limit)).sum();
            let [new, prefix, limit] = [new, prefix, limit].map(f64::from);
            assert_eq!(compressed_pairs(3.0, new, prefix, 4.0, limit), 3.0 * f64::from(counted));
        }
    }

    #[test]
    fn nearest_rows_and_nothing_beyond_the_longest() {
        let rows = vec![([1, 8, 0], 1.0), ([1, 8, 10], 2.0), ([1, 16, 0], 4.0), ([3, 8, 0], 7.0)];
        let lookup = Lookup::new(rows).unwrap();
        assert_eq!(lookup.nearest(2.0, 12.0, 5.0), Ok(1.5));
        assert_eq!(lookup.nearest(1.0, 16.0, 99.0), Ok(4.0));
        assert_eq!(lookup.nearest(1.0, 17.0, 0.0), Err(Miss));
        assert_eq!(lookup.nearest(99.0, 1.0, 0.0), Ok(7.0));
    }

    #[test]
    fn linear_along_all_axes() {
        let rows = vec![([1, 8, 0], 1.0), ([1, 8, 10], 2.0), ([1, 16, 0], 4.0), ([3, 8, 0], 7.0)];
        let lookup = Lookup::new(rows).unwrap();
        assert_eq!(lookup.linear(1.0, 12.0, 5.0), 2.75);
        assert_eq!(lookup.linear(2.0, 8.0, 0.0), 4.0);
        assert_eq!(lookup.linear(9.0, 1.0, 99.0), 7.0);
    }
}
