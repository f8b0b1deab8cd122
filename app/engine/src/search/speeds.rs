//! What the steps of a layout's workers cost at any size, as tables for the simulation of a cluster.

use super::price::{PriceError, bind, of};
use super::{Drop, checked, side};
use crate::kernel::Gap;
use crate::memory::Fit;
use crate::parallel::WorkerRole;
use crate::planner::Limits;
use crate::point::{Layout, MemoryUse, Worker};
use crate::problem::Problem;
use crate::serving::{WorkerModel, disagg};
use crate::simulate::grid::Grid;
use crate::simulate::speed::{Measured, Mixed, Speed};
use crate::simulate::{Fleets, Pool};
use crate::step::Part;

/// Prompt tokens of a step.
const TOKENS: [f64; 13] =
    [1.0, 16.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 3072.0, 4096.0, 8192.0, 16384.0, 32768.0];
/// Requests that the prompt tokens belong to.
const PROMPTS: [f64; 5] = [1.0, 2.0, 4.0, 16.0, 64.0];
/// Decoding requests.
const DECODES: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 96.0, 128.0, 256.0, 512.0];
/// Their mean context.
const CONTEXTS: [f64; 10] =
    [1.0, 256.0, 1024.0, 2048.0, 4096.0, 8192.0, 16384.0, 32768.0, 65536.0, 131_072.0];

/// Tokens of a step where the layout does not say: what engines take.
const STEP_TOKENS: u32 = 8192;
/// Most requests looked for when a KV cache is measured.
const MAX_REQUESTS: u32 = 1 << 20;

/// The workers of a layout as a simulation needs them.
///
/// Prompts are read in steps of 8192 tokens, or of the layout's own size where that is larger; a worker holds as many
/// requests as its layout says, and as many KV tokens as fit beside its weights.
pub fn speeds(problem: &Problem, layout: &Layout) -> Result<Fleets, PriceError> {
    if layout.encoders().is_some() {
        return Err(PriceError::Shape("a simulation does not follow workers that only encode images"));
    }
    match layout {
        Layout::Agg { worker, ctx_tokens, .. } => {
            let model = sized(problem, WorkerRole::Agg, worker)?;
            let kv = kv_tokens(&model, &|batch| model.agg_memory(batch, *ctx_tokens));
            let speed = measured(&model, 1.0, 1.0).and_then(|speed| with_mixed(&model, speed));
            let speed = speed.map_err(Drop::Data).map_err(of(WorkerRole::Agg))?;
            let tokens = (*ctx_tokens).saturating_add(worker.batch).max(STEP_TOKENS);
            let decode = pool(worker, speed, tokens, kv)?;
            Ok(Fleets { prefill: None, decode, transfer_ms_per_token: 0.0 })
        }
        Layout::Disagg { prefill, decode, .. } => {
            let front = sized(problem, WorkerRole::Prefill, prefill)?;
            let back = sized(problem, WorkerRole::Decode, decode)?;
            let speed = |model: &WorkerModel, role| {
                let speed = measured(model, disagg::PREFILL_LATENCY, disagg::DECODE_LATENCY);
                speed.map_err(Drop::Data).map_err(of(role))
            };
            let (fast, slow) = (speed(&front, WorkerRole::Prefill)?, speed(&back, WorkerRole::Decode)?);
            let isl = problem.requests.isl;
            let tokens = isl.saturating_mul(prefill.batch).max(STEP_TOKENS);
            let kv = kv_tokens(&front, &|batch| front.prefill_memory(batch, 1));
            let prefill_pool = pool(prefill, fast, tokens, kv)?;
            let kv = kv_tokens(&back, &|batch| back.decode_memory(batch));
            let decode_pool = pool(decode, slow, STEP_TOKENS, kv)?;
            let (memory, _) = back.decode_memory(decode.batch);
            let slots = f64::from(decode.batch) * slot(&back);
            // Every GPU hands its own share over.
            let transfer = memory.kv_cache / slots / side(problem, WorkerRole::Decode).system.inter_node_bw;
            Ok(Fleets {
                prefill: Some(prefill_pool),
                decode: decode_pool,
                transfer_ms_per_token: transfer * 1000.0,
            })
        }
    }
}

fn sized(problem: &Problem, role: WorkerRole, worker: &Worker) -> Result<WorkerModel, PriceError> {
    if worker.parallel.pp > 1 {
        let rule = "a simulation does not follow pipelines, whose stages overlap: choose a point with PP 1";
        return Err(PriceError::Shape(rule));
    }
    bind(problem, role, worker)
}

/// Tokens of a request's KV slot.
fn slot(model: &WorkerModel) -> f64 {
    let workload = model.workload();
    f64::from(workload.isl) + f64::from(workload.osl)
}

/// KV tokens of one attention-DP rank.
fn kv_tokens(model: &WorkerModel, memory: &dyn Fn(u32) -> (MemoryUse, Fit)) -> f64 {
    let fits = |batch: u32| checked(memory(batch)).is_ok();
    let (mut few, mut many) = (0, 1);
    while many < MAX_REQUESTS && fits(many) {
        (few, many) = (many, many * 2);
    }
    while few + 1 < many {
        let mid = u32::midpoint(few, many);
        if fits(mid) { few = mid } else { many = mid }
    }
    f64::from(few) * slot(model)
}

fn pool(worker: &Worker, speed: Measured, tokens: u32, kv: f64) -> Result<Pool, PriceError> {
    let ranks = worker.parallel.dp;
    let most = |count: f64| (count * f64::from(ranks)).min(9e15) as u64;
    let max_kv_tokens = most(kv);
    if max_kv_tokens == 0 {
        return Err(PriceError::Shape("a worker has no room for the KV cache of one request"));
    }
    Ok(Pool {
        speed: Speed::Measured(Box::new(Measured { ranks, ..speed })),
        limits: Limits {
            max_batched_tokens: tokens.saturating_mul(ranks),
            max_sequences: worker.batch.saturating_mul(ranks).max(1),
            max_kv_tokens,
            context_length: None,
        },
        gpus: worker.parallel.gpus(),
        count: worker.count,
    })
}

fn measured(model: &WorkerModel, on_prefill: f64, on_decode: f64) -> Result<Measured, Gap> {
    let steps = model.steps();
    let prefill = grid(&TOKENS, &PROMPTS, |tokens, prompts| {
        let timing = steps.context(prompts, (tokens / prompts).max(1.0), 0.0, Part::All)?;
        Ok(timing.ms * on_prefill)
    })?;
    let progress = model.draft().progress();
    let width = f64::from(model.draft().width());
    let decode = grid(&DECODES, &CONTEXTS, |decodes, context| {
        // A step with accepted drafts brings more than one token.
        Ok(steps.generation(decodes * width, context, Part::All)?.ms * on_decode / progress)
    })?;
    Ok(Measured { ranks: 1, prefill, decode, mixed: None })
}

fn with_mixed(model: &WorkerModel, speed: Measured) -> Result<Measured, Gap> {
    let steps = model.steps();
    let progress = model.draft().progress();
    let width = f64::from(model.draft().width());
    let rest = grid(&TOKENS, &[1.0, 2.0], |tokens, _| Ok(steps.context(1.0, tokens, 0.0, Part::Rest)?.ms))?;
    let prefill_attention = grid(&TOKENS, &PROMPTS, |tokens, prompts| {
        Ok(steps.context(prompts, (tokens / prompts).max(1.0), 0.0, Part::Attention)?.ms)
    })?;
    let decode_attention = grid(&DECODES, &CONTEXTS, |decodes, context| {
        Ok(steps.generation(decodes * width, context, Part::Attention)?.ms / progress)
    })?;
    Ok(Measured { mixed: Some(Mixed { rest, prefill_attention, decode_attention }), ..speed })
}

fn grid(xs: &[f64], ys: &[f64], ms: impl FnMut(f64, f64) -> Result<f64, Gap>) -> Result<Grid, Gap> {
    Grid::new(xs, ys, ms)?.ok_or(Gap::NoData("step times that are numbers"))
}
