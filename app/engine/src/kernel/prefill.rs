//! What every prefill attention over (heads, sequence, batch) shares: the cached prefix and the split of a
//! sequence over context parallel ranks.

use super::{Roofline, Shape, Timing};
use crate::perf::grid::{GridTable, Miss};

/// Share of a whole sequence's pairs that are new.
fn new_share(full: f64, prefix: f64) -> f64 {
    (full * full - prefix * prefix) / (full * full)
}

/// Latency from a table of whole sequences; `parts` are the compute and memory bounds of a point of it.
pub(super) fn latency(
    table: &GridTable,
    heads: f64,
    cp: f64,
    shape: Shape,
    parts: impl Fn(&[f64]) -> (f64, f64),
) -> Result<Timing, Miss> {
    let Shape { batch, seq: new, prefix, .. } = shape;
    let sol = |q: &[f64]| {
        let (compute, memory) = parts(q);
        compute.max(memory)
    };
    let part = |new: f64, prefix: f64| {
        let full = new + prefix;
        let reading = table.query(&[heads, full, batch], &sol)?;
        Ok(Timing::from(reading).scaled(new_share(full, prefix)))
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
