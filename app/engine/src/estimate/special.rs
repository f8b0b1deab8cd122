//! Encoder workers in front of others, and decode on attention and FFN nodes.

use super::{Estimate, EstimateError, Held, Pool, check_batch, per_user};
use crate::afd::{Afd, AfdShape};
use crate::kernel::Gap;
use crate::memory::Fit;
use crate::parallel::Parallel;
use crate::problem::Problem;
use crate::reference::r3;
use crate::scenario::Policy;
use crate::search;
use crate::serving::{disagg, evidence};
use crate::space;

/// Adds workers that only encode images in front of the others.
pub(super) fn encode(
    problem: &Problem,
    of: Estimate,
    pool: Pool,
    ttft_share: f64,
) -> Result<Estimate, EstimateError> {
    let Pool { parallel, batch, count } = pool;
    if parallel != Parallel::dense(parallel.tp, 1, 1) || !space::ENCODER_SIZES.contains(&parallel.tp) {
        return Err(EstimateError::Shape("encoder workers are split by TP only, over 1, 2, 4 or 8 GPUs"));
    }
    if !(1..=space::MAX_ENCODER_BATCH).contains(&batch) || !(1..=crate::problem::MAX_GPUS).contains(&count) {
        return Err(EstimateError::Shape(
            "the batch of encoder workers must be from 1 to 8, their count at least 1",
        ));
    }
    let missing = Gap::NoData("the vision encoder at this parallel size");
    let worker = search::encoder_worker(problem, parallel.tp).ok_or(missing)?;
    let (memory, fit) = worker.memory(batch);
    if fit != Fit::Yes {
        return Err(EstimateError::DoesNotFit(memory));
    }
    let timing = worker.encoder().latency(batch)?;
    let rounded = if problem.scenario.policy == Policy::Reference { r3(timing.ms) } else { timing.ms };
    let share_ms = rounded * ttft_share;
    let most = f64::from(batch) * 1000.0 / timing.ms * disagg::ENCODER_RATE * f64::from(count);
    let kept = if most < of.requests_per_sec { most / of.requests_per_sec } else { 1.0 };
    let tokens_per_sec = of.tokens_per_sec * kept;
    let gpus = of.gpus + parallel.gpus() * count;
    Ok(Estimate {
        ttft_ms: of.ttft_ms + share_ms,
        request_latency_ms: of.request_latency_ms + share_ms,
        requests_per_sec: of.requests_per_sec * kept,
        tokens_per_sec,
        tokens_per_sec_per_gpu: tokens_per_sec / f64::from(gpus),
        gpus,
        memory: of.memory.into_iter().chain([Held { memory, fit }]).collect(),
        evidence: of.evidence.weaker(evidence(timing)),
        ..of
    })
}

/// Decode on attention and FFN nodes.
pub(super) fn split(problem: &Problem, shape: AfdShape, batch: u32) -> Result<Estimate, EstimateError> {
    check_batch(batch)?;
    let afd = Afd::bind(problem, shape)?;
    let decode = afd.decode(batch)?;
    let memory = [decode.attention, decode.ffn].map(|(memory, fit)| Held { memory, fit });
    if let Some(held) = memory.iter().find(|held| held.fit != Fit::Yes) {
        return Err(EstimateError::DoesNotFit(held.memory));
    }
    let osl = problem.scenario.workload.osl;
    let gpus = shape.gpus(problem.decode_side().system.gpus_per_node);
    let tokens_per_sec = f64::from(decode.concurrency) * 1000.0 / decode.itl_ms;
    Ok(Estimate {
        ttft_ms: 0.0,
        itl_ms: decode.itl_ms,
        request_latency_ms: decode.itl_ms * f64::from(osl.saturating_sub(1)),
        requests_per_sec: tokens_per_sec / f64::from(osl),
        tokens_per_sec,
        tokens_per_sec_per_gpu: tokens_per_sec / f64::from(gpus),
        tokens_per_sec_per_user: per_user(decode.itl_ms),
        concurrency: decode.concurrency,
        gpus,
        memory: memory.to_vec(),
        evidence: evidence(decode.timing),
    })
}
