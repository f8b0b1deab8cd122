//! The reference's cells of aggregated workers beside encoder workers.

use std::collections::{BTreeMap, BTreeSet};

use super::{Member, Row, Shape, r3};
use crate::rows::EncoderRow;
use crate::serving::disagg::ENCODER_RATE;

/// Largest batches of an encoder worker, ascending.
pub const ENCODER_BATCHES: [u32; 4] = [1, 2, 4, 8];
/// Rows that each encoder worker is paired with, for each target.
const PAIRED: usize = 10;
/// Workers of one kind in a cell.
pub(super) const WORKERS: u32 = 32;

/// Encoder worker counts that land on one of the sizes beside `others` GPUs, ascending.
pub(super) fn counts(sizes: &[u32], others: u32, gpus: u32) -> impl Iterator<Item = u32> {
    let spare = sizes.iter().filter_map(move |size| size.checked_sub(others));
    spare
        .filter(move |spare| *spare > 0 && spare % gpus == 0)
        .map(move |spare| spare / gpus)
        .filter(|&e| e <= WORKERS)
}

/// Requests per second of encoder workers.
pub(super) fn capacity(encoder: &EncoderRow, count: u32) -> f64 {
    encoder.requests_per_sec * ENCODER_RATE * f64::from(count)
}

/// A row with encoder workers in front: they add `share_ms` to the TTFT and may limit the rate.
pub(super) fn overlay(row: Row, encoder: &EncoderRow, count: u32, share_ms: f64) -> Row {
    let most = capacity(encoder, count);
    let gpus = row.gpus + encoder.parallel.gpus() * count;
    let (requests_per_sec, tokens_per_sec) = if most < row.requests_per_sec {
        (most, row.tokens_per_sec * (most / row.requests_per_sec))
    } else {
        (row.requests_per_sec, row.tokens_per_sec)
    };
    let encoders = Member {
        parallel: encoder.parallel,
        batch: encoder.batch,
        count,
        requests_per_sec: encoder.requests_per_sec,
        memory: encoder.memory,
    };
    Row {
        encoders: Some(encoders),
        gpus,
        ttft_ms: row.ttft_ms + share_ms,
        request_latency_ms: row.request_latency_ms + share_ms,
        requests_per_sec,
        tokens_per_sec,
        tokens_per_sec_per_gpu: tokens_per_sec / f64::from(gpus),
        evidence: row.evidence.weaker(encoder.evidence),
        ..row
    }
}

/// A cell: an aggregated row, an encoder row and how many workers there are of each.
pub(super) type Cell = (usize, usize, u32, u32);

/// Cells of the rows at `kept`, best first, that leave the encoder time within the TTFT target.
pub(super) fn cells(
    rows: &[Row],
    kept: &[usize],
    encoders: &[EncoderRow],
    sizes: &[u32],
    ttft: f64,
    found: &mut BTreeSet<Cell>,
) {
    for (which, encoder) in encoders.iter().enumerate() {
        let pairs = kept.iter().filter(|&&at| {
            let row = &rows[at];
            encoder.latency_ms + r3(row.ttft_ms) < ttft && r3(row.requests_per_sec) > 0.0
        });
        let cells = pairs.filter_map(|&at| {
            let best = shapes(&rows[at], encoder, sizes);
            (!best.is_empty()).then_some((at, best))
        });
        for (at, best) in cells.take(PAIRED) {
            found.extend(best.into_iter().map(|(workers, count)| (at, which, workers, count)));
        }
    }
}

/// Worker counts of the cells of which none is both larger and no faster than another.
fn shapes(row: &Row, encoder: &EncoderRow, sizes: &[u32]) -> Vec<(u32, u32)> {
    let each = r3(row.requests_per_sec);
    let mut best: BTreeMap<u32, (f64, u32, u32)> = BTreeMap::new();
    for workers in 1..=WORKERS {
        let others = row.gpus * workers;
        for count in counts(sizes, others, encoder.parallel.gpus()) {
            let rate = (each * f64::from(workers)).min(capacity(encoder, count));
            let have = best.entry(others + encoder.parallel.gpus() * count).or_insert((0.0, 0, 0));
            if rate > have.0 {
                *have = (rate, workers, count);
            }
        }
    }
    let mut kept: Vec<(u32, f64)> = Vec::new();
    let mut out = Vec::new();
    for (gpus, (rate, workers, count)) in best {
        let slower = kept.last().is_some_and(|last| rate <= last.1);
        let repeats = |&(size, each): &(u32, f64)| gpus % size == 0 && rate <= f64::from(gpus / size) * each;
        if !slower && !kept.iter().any(repeats) {
            kept.push((gpus, rate));
            out.push((workers, count));
        }
    }
    out
}

/// The row of a cell.
pub(super) fn row(of: &Row, encoder: &EncoderRow, workers: u32, count: u32) -> Row {
    let scaled = |value: f64| value * f64::from(workers);
    let shape = match of.shape.clone() {
        Shape::Agg { worker, ctx_tokens } => {
            Shape::Agg { worker: Member { count: workers, ..worker }, ctx_tokens }
        }
        shape @ Shape::Disagg { .. } => shape,
    };
    let cell = Row {
        shape,
        gpus: of.gpus * workers,
        requests_per_sec: scaled(of.requests_per_sec),
        tokens_per_sec: scaled(of.tokens_per_sec),
        concurrency: of.concurrency * workers,
        ..of.clone()
    };
    overlay(cell, encoder, count, encoder.latency_ms)
}
