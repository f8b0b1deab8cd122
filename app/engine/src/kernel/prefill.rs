//! What every prefill attention over (heads, sequence, batch) shares: the cached prefix and the split of a
//! sequence over context parallel ranks.

use super::answer::Answer;
use super::{Roofline, Shape, Timing};
use crate::perf::grid::{GridTable, Miss};

/// Share of a whole sequence's pairs that are new.
fn new_share(full: f64, prefix: f64) -> f64 {
    (full * full - prefix * prefix) / (full * full)
}

/// New tokens of each sequence after so many cached ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk {
    pub new: f64,
    pub prefix: f64,
    pub batch: f64,
}

/// Rooflines of a prefill attention.
pub(super) struct Bounds<T, W> {
    /// At a point of its table, ms: whole sequences.
    pub table: T,
    /// Of a chunk, ms.
    pub work: W,
}

/// Latency from a table of whole sequences.
pub(super) fn latency(
    answer: &Answer<GridTable>,
    heads: f64,
    cp: f64,
    shape: Shape,
    bounds: &Bounds<impl Fn(&[f64]) -> f64, impl Fn(Chunk) -> f64>,
) -> Result<Timing, Miss> {
    let Shape { batch, seq: new, prefix, .. } = shape;
    let part = |new: f64, prefix: f64| {
        let full = new + prefix;
        let at = [heads, full, batch];
        let read = |table: &GridTable| {
            Ok(Timing::from(table.query(&at, &bounds.table)?).scaled(new_share(full, prefix)))
        };
        answer.timing(read, &at, || (bounds.work)(Chunk { new, prefix, batch }))
    };
    if cp <= 1.0 {
        return part(new, prefix);
    }
    // Zigzag: a rank holds one early and one late chunk of the sequence.
    let chunk = (new / (2.0 * cp)).ceil().max(1.0);
    let mut both = part(chunk, prefix)?;
    both.add(1.0, part(chunk, prefix + new - chunk)?);
    Ok(both)
}

/// Roofline of the same work.
pub(super) fn roofline(heads: f64, cp: f64, shape: Shape, parts: impl Fn(&[f64]) -> (f64, f64)) -> Roofline {
    let full = shape.seq + shape.prefix;
    let (compute, memory) = parts(&[heads, full, shape.batch]);
    let share = new_share(full, shape.prefix) / cp;
    Roofline::of(compute * share, memory * share)
}
