//! Breakdown of a found layout by operator.

use super::{Search, decode_row, prefill_row};
use crate::explain::{Explanation, OpTime, StepKind, StepTime};
use crate::kernel::{Kernel, Shape};
use crate::point::{EncoderPool, Layout, Worker};
use crate::serving::{WorkerModel, disagg};
use crate::space::WorkerRole;
use crate::step::{Call, Part};

impl Search {
    /// Where the time of a layout goes; none for layouts that this search did not find.
    pub fn explain(&self, layout: &Layout) -> Option<Explanation> {
        let workload = self.problem.requests;
        let (isl, prefix) = (f64::from(workload.isl), f64::from(workload.prefix));
        match layout {
            Layout::Agg { worker, ctx_tokens, encoders } => {
                let mut model = self.worker_of(WorkerRole::Agg, worker.parallel)?.clone();
                let agg = model.agg(worker.batch, *ctx_tokens).ok()?;
                let mut steps = Vec::new();
                let encoded = self.add_encoders(&mut steps, encoders.as_ref())?;
                add_encode(&mut steps, &model, worker.batch)?;
                steps.push(mixed_breakdown(&model, workload, *ctx_tokens, agg.mixed_decodes)?);
                if agg.decode_ms > 0.0 {
                    steps.push(decode_breakdown(&model, worker.batch)?);
                }
                let encoders_limit = encoded < agg.requests_per_sec * f64::from(worker.count);
                Some(Explanation { steps, prefill_over_decode: None, encoders_limit })
            }
            Layout::Disagg { prefill, decode, encoders } => {
                let prefills = self.worker_of(WorkerRole::Prefill, prefill.parallel)?;
                let decodes = self.worker_of(WorkerRole::Decode, decode.parallel)?;
                let batch = f64::from(prefill.batch);
                let calls = prefills.steps().context_calls(batch, isl - prefix, prefix, Part::All).ok()?;
                let mut steps = Vec::new();
                let encoded = self.add_encoders(&mut steps, encoders.as_ref())?;
                add_encode(&mut steps, prefills, prefill.batch)?;
                steps.push(breakdown(StepKind::Prefill, calls, 1.0)?);
                steps.push(decode_breakdown(decodes, decode.batch)?);
                let rate = |worker: &Worker, row: f64, share: f64| f64::from(worker.count) * row * share;
                let fed = rate(
                    prefill,
                    prefill_row(prefills, prefill.batch).ok()?.requests_per_sec,
                    disagg::PREFILL_RATE,
                );
                let used = rate(
                    decode,
                    decode_row(decodes, decode.batch, workload.osl).ok()?.requests_per_sec,
                    disagg::DECODE_RATE,
                );
                let encoders_limit = encoded < fed.min(used);
                Some(Explanation { steps, prefill_over_decode: Some(fed / used), encoders_limit })
            }
        }
    }

    /// Adds the step of encoder workers, if there are any; returns the requests per second they serve.
    fn add_encoders(&self, steps: &mut Vec<StepTime>, encoders: Option<&EncoderPool>) -> Option<f64> {
        let Some(EncoderPool { tp, batch, count, .. }) = encoders else {
            return Some(f64::INFINITY);
        };
        let worker = self.encoders.iter().find(|worker| worker.parallel.tp == *tp)?;
        let step = breakdown(StepKind::Encode, worker.encoder().calls(*batch).ok()?, 1.0)?;
        let each = f64::from(*batch) * 1000.0 / step.total_ms * disagg::ENCODER_RATE;
        steps.push(step);
        Some(each * f64::from(*count))
    }
}

/// Operators of one step; `attention_share` scales the attention kernels.
fn breakdown<'a>(kind: StepKind, calls: impl Iterator<Item = Call<'a>>, share: f64) -> Option<StepTime> {
    let mut step = StepTime { kind, total_ms: 0.0, ops: Vec::new() };
    for (kernel, shape) in calls {
        add(&mut step, kernel, shape, share)?;
    }
    Some(step)
}

/// Adds an operator to a step; of a composed one, the operators that count.
fn add(step: &mut StepTime, kernel: &Kernel, shape: Shape, share: f64) -> Option<()> {
    if let Some(parts) = kernel.parts(shape) {
        return parts.iter().try_for_each(|part| add(step, part, shape, share * kernel.count));
    }
    let runs = kernel.count * share;
    let timing = kernel.latency(shape).ok()?;
    let ms = timing.ms * runs;
    let roofline = kernel.roofline(shape);
    step.total_ms += ms;
    step.ops.push(OpTime {
        name: kernel.name.to_string(),
        ms,
        sol_ms: roofline.ms.map(|sol| sol * runs),
        bound: roofline.bound,
        source: kernel.source(timing),
    });
    Some(())
}

/// Adds the encoder of a worker on the images of a batch, if it has one.
fn add_encode(steps: &mut Vec<StepTime>, worker: &WorkerModel, batch: u32) -> Option<()> {
    if let Some(encoder) = worker.encoder() {
        steps.push(breakdown(StepKind::Encode, encoder.calls(batch).ok()?, 1.0)?);
    }
    Some(())
}

fn decode_breakdown(worker: &WorkerModel, batch: u32) -> Option<StepTime> {
    let tokens = worker.decode_tokens(batch);
    let calls = worker.steps().generation_calls(tokens, worker.mean_length(), Part::All).ok()?;
    breakdown(StepKind::Decode, calls, 1.0)
}

fn mixed_breakdown(
    worker: &WorkerModel,
    workload: crate::scenario::Workload,
    ctx_tokens: u32,
    decodes: u32,
) -> Option<StepTime> {
    let (isl, prefix) = (workload.isl, f64::from(workload.prefix));
    let cached = prefix * f64::from(ctx_tokens / isl);
    let tokens = f64::from(ctx_tokens) + worker.decode_tokens(decodes) - cached;
    let steps = worker.steps();
    let mut step =
        breakdown(StepKind::Mixed, steps.context_calls(1.0, tokens, cached, Part::Rest).ok()?, 1.0)?;
    let prompts = f64::from(ctx_tokens.div_ceil(isl));
    let calls = steps.context_calls(prompts, f64::from(isl) - prefix, prefix, Part::Attention).ok()?;
    let mut attention = breakdown(StepKind::Mixed, calls, 1.0 / f64::from(isl.div_ceil(ctx_tokens)))?;
    attention.ops.iter_mut().for_each(|op| op.name = format!("prefill_{}", op.name));
    let mut parts = vec![attention];
    if decodes > 0 {
        let calls = steps
            .generation_calls(worker.decode_tokens(decodes), worker.mean_length(), Part::Attention)
            .ok()?;
        let mut attention = breakdown(StepKind::Mixed, calls, 1.0)?;
        attention.ops.iter_mut().for_each(|op| op.name = format!("decode_{}", op.name));
        parts.push(attention);
    }
    for part in parts {
        step.total_ms += part.total_ms;
        step.ops.extend(part.ops);
    }
    Some(step)
}
