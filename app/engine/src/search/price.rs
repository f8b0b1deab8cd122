//! The point of a named layout, without a search.

use serde::{Deserialize, Serialize};

use super::{Drop, agg_row, checked, decode_row, encode, ground, prefill_row, side, worker};
use crate::memory::Fit;
use crate::parallel::{Parallel, WorkerRole};
use crate::point::{EncoderPool, Layout, MemoryUse, Point, Worker};
use crate::problem::{MAX_GPUS, Problem};
use crate::rows::EncoderRow;
use crate::serving::WorkerModel;
use crate::space;
use crate::view::{Workers, cluster};

/// Most requests of a batch and most tokens of a step.
const MAX_BATCH: u32 = 1_000_000;

/// Why a named layout has no figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PriceError {
    /// Sizes, batches or counts that make no sense for the model, engine or traffic.
    Shape(&'static str),
    /// A worker does not fit, or an operator of it has no data.
    Worker {
        /// Which worker; none for those that only encode images.
        role: Option<WorkerRole>,
        /// What it fails at.
        why: Drop,
    },
}

/// A batch that the KV cache holds only a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// Which worker.
    pub role: WorkerRole,
    /// The limit, requests per attention-DP rank.
    pub limit: u32,
    /// Requests that fit.
    pub batch: u32,
}

/// A priced layout whose batches were limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Priced {
    /// The point, at the batches that fit.
    pub point: Point,
    /// Batches that were cut to fit.
    pub cut: Vec<Cut>,
}

/// Prices a layout: the very point that the exhaustive search and its view have for it, where they do.
///
/// Layouts and batches that no search tries are priced as well, while the operators have data. Memory in `layout`
/// is not read. The point is at place 0.
pub fn price(problem: &Problem, layout: &Layout) -> Result<Point, PriceError> {
    let scenario = &problem.scenario;
    let encoder = encoder(problem, layout.encoders())?;
    let encoders = encoder.as_ref().map(|(row, count)| (row, *count));
    match layout {
        Layout::Agg { worker, ctx_tokens, .. } => {
            if !(1..=MAX_BATCH).contains(ctx_tokens) {
                return Err(PriceError::Shape("the prefill tokens of a step must be from 1 to 1,000,000"));
            }
            if !space::leaves_a_decode(worker.batch, *ctx_tokens, problem.requests.isl) {
                let rule = "a mixed step must leave a request of the batch to decode beside its prompts";
                return Err(PriceError::Shape(rule));
            }
            let role = WorkerRole::Agg;
            let mut model = bind(problem, role, worker)?;
            let row = agg_row(&mut model, worker.batch, *ctx_tokens).map_err(of(role))?;
            Ok(cluster(Workers::Agg(&row, worker.count), encoders, scenario))
        }
        Layout::Disagg { prefill, decode, .. } => {
            if problem.requests.osl <= 1 {
                return Err(PriceError::Shape("a single output token leaves nothing to decode"));
            }
            let prefills = bind(problem, WorkerRole::Prefill, prefill)?;
            let decodes = bind(problem, WorkerRole::Decode, decode)?;
            let front = prefill_row(&prefills, prefill.batch).map_err(of(WorkerRole::Prefill))?;
            let back = decode_row(&decodes, decode.batch, problem.requests.osl);
            let back = back.map_err(of(WorkerRole::Decode))?;
            let workers = Workers::Disagg((&front, prefill.count), (&back, decode.count));
            Ok(cluster(workers, encoders, scenario))
        }
    }
}

/// Prices a layout whose batches are limits: an engine lets no more requests in than its KV cache holds.
pub fn price_limits(problem: &Problem, layout: &Layout) -> Result<Priced, PriceError> {
    let mut layout = *layout;
    let mut cut = Vec::new();
    let mut fit = |role, worker: &mut Worker, memory: &dyn Fn(&WorkerModel, u32) -> (MemoryUse, Fit)| {
        let model = bind(problem, role, worker)?;
        let limit = worker.batch;
        // More requests never need less memory.
        let (mut few, mut many) = (1, limit);
        while few < many {
            let mid = few + (many - few).div_ceil(2);
            match checked(memory(&model, mid)) {
                Ok(_) => few = mid,
                Err(_) => many = mid - 1,
            }
        }
        worker.batch = few;
        if few < limit {
            cut.push(Cut { role, limit, batch: few });
        }
        Ok::<(), PriceError>(())
    };
    match &mut layout {
        Layout::Agg { worker, ctx_tokens, .. } => {
            let tokens = *ctx_tokens;
            fit(WorkerRole::Agg, worker, &|model, batch| model.agg_memory(batch, tokens))?;
            // Fewer requests bring fewer prompts.
            let prompts = worker.batch.saturating_sub(1).max(1);
            *ctx_tokens = tokens.min(prompts.saturating_mul(problem.requests.isl));
        }
        Layout::Disagg { prefill, decode, .. } => {
            fit(WorkerRole::Prefill, prefill, &|model, batch| model.prefill_memory(batch, 1))?;
            fit(WorkerRole::Decode, decode, &WorkerModel::decode_memory)?;
        }
    }
    Ok(Priced { point: price(problem, &layout)?, cut })
}

pub(super) fn of(role: WorkerRole) -> impl Fn(Drop) -> PriceError {
    move |why| PriceError::Worker { role: Some(role), why }
}

/// Binds a named worker to its tables.
pub(super) fn bind(problem: &Problem, role: WorkerRole, named: &Worker) -> Result<WorkerModel, PriceError> {
    let Worker { parallel, batch, count, .. } = *named;
    let Parallel { tp, pp, dp, moe_tp, moe_ep, cp } = parallel;
    let sensible = |gpus: Option<u32>| gpus.is_some_and(|gpus| (1..=MAX_GPUS).contains(&gpus));
    let counted = sensible(parallel.checked_gpus()) && sensible(moe_tp.checked_mul(moe_ep));
    if !counted || [tp, pp, dp, cp].contains(&0) {
        return Err(PriceError::Shape("parallel sizes must be at least 1 and sensible"));
    }
    if !(1..=MAX_BATCH).contains(&batch) {
        return Err(PriceError::Shape("the batch must be from 1 to 1,000,000"));
    }
    if count == 0 {
        return Err(PriceError::Shape("there must be at least one worker of each kind"));
    }
    if !space::can_run(ground(problem, role), role, parallel) {
        let rule = "the heads must divide by TP, TP × DP × CP must equal expert TP × EP for a model with experts, \
                    experts over several nodes need a measured exchange, and the engine must be able to combine \
                    these sizes";
        return Err(PriceError::Shape(rule));
    }
    let wide = side(problem, role).wide.plan(role, parallel);
    worker(problem, role, parallel, wide).map_err(|gap| of(role)(Drop::Data(gap)))
}

fn encoder(problem: &Problem, pool: Option<&EncoderPool>) -> Result<Option<(EncoderRow, u32)>, PriceError> {
    let Some(pool) = pool else {
        return if problem.scenario.has_encoder_workers() {
            Err(PriceError::Shape("the images need encoder workers, which this layout does not name"))
        } else {
            Ok(None)
        };
    };
    if !problem.scenario.has_encoder_workers() {
        return Err(PriceError::Shape("encoder workers need requests with images to be encoded apart"));
    }
    if pool.count == 0 || !(1..=MAX_BATCH).contains(&pool.batch) {
        return Err(PriceError::Shape("encoder workers and their batch must be at least 1"));
    }
    let sizes = space::ENCODER_SIZES.contains(&pool.tp).then_some(pool.tp);
    let worker = sizes.and_then(|tp| encode::worker(problem, tp));
    let worker = worker.ok_or(PriceError::Shape("the vision encoder does not divide by this size"))?;
    let row = encode::row(&worker, pool.batch).map_err(|why| PriceError::Worker { role: None, why })?;
    Ok(Some((row, pool.count)))
}
