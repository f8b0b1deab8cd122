//! Workers that only encode images.

use super::{Drop, record};
use crate::encoder::EncoderWorker;
use crate::kernel::Binder;
use crate::problem::{Problem, Side};
use crate::rows::{EncoderRow, Stages};
use crate::serving::evidence;
use crate::space::ENCODER_SIZES;

/// Encoder workers of every size; none where images are not encoded apart.
pub(super) fn workers(problem: &Problem) -> Vec<EncoderWorker> {
    if !problem.scenario.has_encoder_workers() {
        return Vec::new();
    }
    ENCODER_SIZES.into_iter().filter_map(|tp| worker(problem, tp)).collect()
}

/// An encoder worker of `tp` GPUs of the prefill system; none for sizes that the encoder does not divide by.
pub fn worker(problem: &Problem, tp: u32) -> Option<EncoderWorker> {
    let Side { system, db, .. } = &problem.prefill;
    let (vit, images) = (problem.model.vit.as_ref()?, problem.scenario.workload.images?);
    EncoderWorker::bind(Binder::new(db), system, problem.scenario.backend, vit, images, tp)
}

/// Rows of a worker at the batches, ascending, that raise its rate.
pub(super) fn rows(
    worker: &EncoderWorker,
    batches: &[u32],
    stages: &mut Stages,
    gaps: &mut Vec<String>,
) -> Vec<EncoderRow> {
    let mut out: Vec<EncoderRow> = Vec::new();
    for &batch in batches {
        let found = row(worker, batch);
        record(stages, gaps, found.map(|_| ()));
        let Ok(row) = found else { continue };
        if out.last().is_none_or(|last| row.requests_per_sec > last.requests_per_sec) {
            out.push(row);
        }
    }
    out
}

/// One batch of a worker.
pub(super) fn row(worker: &EncoderWorker, batch: u32) -> Result<EncoderRow, Drop> {
    let memory = super::checked(worker.memory(batch))?;
    let timing = worker.encoder().latency(batch).map_err(Drop::Data)?;
    Ok(EncoderRow {
        parallel: worker.parallel,
        batch,
        latency_ms: timing.ms,
        requests_per_sec: f64::from(batch) * 1000.0 / timing.ms,
        memory,
        evidence: evidence(timing),
    })
}
