//! One worker under one kind of request: steps, memory, and what they add up to.
//!
//! Formulas of in-flight batching and of separate prefill and decode workers as in the performance model
//! of aiconfigurator 0.12.0 (see NOTICE).

mod schedule;

pub use schedule::{Draft, floor_div};

use schedule::schedule;

use crate::backend::Backend;
use crate::encoder::Encoder;
use crate::kernel::{Gap, Timing};
use crate::memory::{Fit, Load, MemoryModel, Role};
use crate::parallel::Parallel;
use crate::point::MemoryUse;
use crate::scenario::Workload;
use crate::source::Evidence;
use crate::step::{Part, Steps};

/// Corrections of the disaggregated composition.
pub mod disagg {
    /// On every prefill latency.
    pub const PREFILL_LATENCY: f64 = 1.1;
    /// On every decode latency.
    pub const DECODE_LATENCY: f64 = 1.08;
    /// From a prefill worker's latency to the TTFT that users see.
    pub const TTFT: f64 = 1.8;
    /// Share of a prefill worker's rate that a cluster keeps.
    pub const PREFILL_RATE: f64 = 0.9;
    /// Share of a decode worker's rate that a cluster keeps.
    pub const DECODE_RATE: f64 = 0.92;
    /// Share of an encoder worker's rate that a cluster keeps, in aggregated serving too.
    pub const ENCODER_RATE: f64 = 0.9;
}

/// Decode steps are sampled every so many tokens.
const STRIDE: u32 = 32;
/// Tokens of a TensorRT-LLM step, which it reserves activations for.
const TRTLLM_STEP_TOKENS: f64 = 8192.0;
/// vLLM: time to dispatch a request, per layer.
const VLLM_DISPATCH_MS_PER_LAYER: f64 = 0.8;

/// One worker under one kind of request.
#[derive(Clone, Debug)]
pub struct WorkerModel {
    /// Layout.
    pub parallel: Parallel,
    backend: Backend,
    version: String,
    layers: f64,
    workload: Workload,
    steps: Steps,
    memory: MemoryModel,
    /// Share of memory for the KV cache, in place of the backend's own.
    fraction: Option<f64>,
    max_seq_len: Option<u32>,
    draft: Draft,
    is_wide: bool,
    encoder: Option<Encoder>,
    /// Decode attention at the mean KV length, by batch.
    attention: Vec<Option<Result<Timing, Gap>>>,
    /// Prefill attention of mixed steps, by requests in the step.
    prefill_attention: Vec<(f64, Result<Timing, Gap>)>,
}

/// What a worker is made of.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Layout.
    pub parallel: Parallel,
    /// Engine.
    pub backend: Backend,
    /// Data version.
    pub version: String,
    /// Transformer layers.
    pub layers: u32,
    /// Requests.
    pub workload: Workload,
    /// Bound operators.
    pub steps: Steps,
    /// Memory.
    pub memory: MemoryModel,
    /// Share of memory for the KV cache, in place of the backend's own.
    pub fraction: Option<f64>,
    /// KV slot length (TensorRT-LLM, aggregated).
    pub max_seq_len: Option<u32>,
    /// Speculative decoding.
    pub draft: Draft,
    /// Whether its experts are reached by an all-to-all exchange.
    pub is_wide: bool,
    /// Vision encoder that runs before prefill.
    pub encoder: Option<Encoder>,
}

/// In-flight batching at one batch and context-token budget.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agg {
    /// Time to first token, ms.
    pub ttft_ms: f64,
    /// Inter-token latency, ms.
    pub itl_ms: f64,
    /// Requests per second of one replica.
    pub requests_per_sec: f64,
    /// Requests in flight on one replica.
    pub concurrency: u32,
    /// One mixed step, ms.
    pub mixed_ms: f64,
    /// One decode-only step, ms; 0 when there is none.
    pub decode_ms: f64,
    /// Decode requests in a mixed step.
    pub mixed_decodes: u32,
    /// What the steps rest on.
    pub evidence: Evidence,
}

impl WorkerModel {
    /// A worker of these parts.
    pub fn new(parts: Parts) -> Self {
        let Parts { parallel, backend, version, layers, workload, steps, .. } = parts;
        let Parts { memory, fraction, max_seq_len, draft, is_wide, encoder, .. } = parts;
        Self {
            parallel,
            backend,
            version,
            layers: f64::from(layers),
            workload,
            steps,
            memory,
            fraction,
            max_seq_len,
            draft,
            is_wide,
            encoder,
            attention: Vec::new(),
            prefill_attention: Vec::new(),
        }
    }

    /// Its bound operators.
    pub fn steps(&self) -> &Steps {
        &self.steps
    }

    /// Speculative decoding of this worker.
    pub fn draft(&self) -> Draft {
        self.draft
    }

    /// Whether its experts are reached by an all-to-all exchange.
    pub fn is_wide(&self) -> bool {
        self.is_wide
    }

    /// Requests, the tokens of their images included.
    pub fn workload(&self) -> Workload {
        self.workload
    }

    /// The vision encoder that runs before prefill.
    pub fn encoder(&self) -> Option<&Encoder> {
        self.encoder.as_ref()
    }

    /// Latency of encoding the images of a batch; nothing without an encoder.
    fn encode(&self, batch: u32) -> Result<Timing, Gap> {
        self.encoder.as_ref().map_or(Ok(Timing::default()), |encoder| encoder.latency(batch))
    }

    /// Tokens of a decode step of a batch, drafts included.
    pub fn decode_tokens(&self, batch: u32) -> f64 {
        f64::from(batch) * f64::from(self.draft.width())
    }

    /// KV length at the middle of the output.
    pub fn mean_length(&self) -> f64 {
        f64::from(self.workload.isl + self.workload.osl / 2 + 1)
    }

    fn decode_attention(&mut self, batch: u32) -> Result<Timing, Gap> {
        let at = batch as usize;
        if self.attention.len() <= at {
            self.attention.resize(at + 1, None);
        }
        if let Some(known) = self.attention[at] {
            return known;
        }
        let timing = self.steps.generation(self.decode_tokens(batch), self.mean_length(), Part::Attention);
        self.attention[at] = Some(timing);
        timing
    }

    fn mixed_prefill_attention(&mut self, requests: f64) -> Result<Timing, Gap> {
        if let Some(&(_, known)) = self.prefill_attention.iter().find(|(r, _)| *r == requests) {
            return known;
        }
        let Workload { isl, prefix, .. } = self.workload;
        let timing =
            self.steps.context(requests, f64::from(isl - prefix), f64::from(prefix), Part::Attention);
        self.prefill_attention.push((requests, timing));
        timing
    }

    /// Latency of a mixed step: `ctx_tokens` of prefill beside `decodes` decoding requests.
    pub fn mixed_step(&mut self, ctx_tokens: u32, decodes: u32) -> Result<Timing, Gap> {
        let Workload { isl, prefix, .. } = self.workload;
        if ctx_tokens == 0 && decodes == 0 {
            return Ok(Timing::default());
        }
        let cached = f64::from(prefix) * f64::from(ctx_tokens / isl);
        let tokens = f64::from(ctx_tokens) + self.decode_tokens(decodes) - cached;
        let mut step = self.steps.context(1.0, tokens, cached, Part::Rest)?;
        if ctx_tokens > 0 {
            let attention = self.mixed_prefill_attention(f64::from(ctx_tokens.div_ceil(isl)))?;
            step.add(1.0 / f64::from(isl.div_ceil(ctx_tokens)), attention);
        }
        if decodes > 0 {
            step.add(1.0, self.decode_attention(decodes)?);
        }
        Ok(step)
    }

    /// Latency of a decode-only step at the mean KV length.
    pub fn decode_step(&mut self, batch: u32) -> Result<Timing, Gap> {
        if batch == 0 {
            return Ok(Timing::default());
        }
        let mut step = self.steps.generation(self.decode_tokens(batch), self.mean_length(), Part::Rest)?;
        step.add(1.0, self.decode_attention(batch)?);
        Ok(step)
    }

    /// In-flight batching of `batch` requests, `ctx_tokens` of prefill per mixed step.
    pub fn agg(&mut self, batch: u32, ctx_tokens: u32) -> Result<Agg, Gap> {
        let Workload { isl, osl, .. } = self.workload;
        let progress = self.draft.progress();
        let plan = schedule(self.backend, self.workload, progress, batch, ctx_tokens);
        let mixed = self.mixed_step(ctx_tokens, plan.mixed_decodes)?;
        let decode =
            if plan.decode_batch > 0 { self.decode_step(plan.decode_batch)? } else { Timing::default() };
        let encode = self.encode(batch)?;
        let prompt = mixed.ms * f64::from(isl.div_ceil(ctx_tokens));
        let queued_ms = if self.backend == Backend::Vllm {
            let queue = if batch <= 1 { 1.0 } else { (1.0 + libm::log2(f64::from(batch)) / 8.0).min(2.0) };
            (prompt + VLLM_DISPATCH_MS_PER_LAYER * self.layers) * queue
        } else {
            prompt * (2.0 + (plan.prompt_steps - 3.0) / 20.0).min(4.0)
        };
        let ttft_ms = encode.ms + queued_ms;
        let counted = plan.counted + plan.decode_only;
        let itl_ms = if counted > 0.0 {
            (mixed.ms * plan.counted + decode.ms * plan.decode_only) / counted / progress
        } else {
            0.0
        };
        let total = encode.ms + plan.mixed * mixed.ms + plan.decode_only * decode.ms;
        let later_tokens = f64::from(osl.saturating_sub(1));
        let mut per_rank = if total > 0.0 { 1000.0 / total * f64::from(batch) } else { 0.0 };
        let latency = ttft_ms + itl_ms * later_tokens;
        if self.backend == Backend::Vllm && latency > 0.0 {
            // Little's law: no more requests finish than are in flight.
            per_rank = per_rank.min(f64::from(batch) * 1000.0 / latency);
        }
        let ranks = self.parallel.pp * self.parallel.dp;
        let requests_per_sec = per_rank * f64::from(ranks);
        let mut all = encode;
        all.add(plan.mixed, mixed);
        all.add(plan.decode_only, decode);
        Ok(Agg {
            ttft_ms,
            itl_ms,
            requests_per_sec,
            concurrency: batch * ranks,
            mixed_ms: mixed.ms,
            decode_ms: decode.ms,
            mixed_decodes: plan.mixed_decodes,
            evidence: evidence(all),
        })
    }

    /// Memory of in-flight batching, and whether it fits.
    pub fn agg_memory(&self, batch: u32, ctx_tokens: u32) -> (MemoryUse, Fit) {
        let Workload { isl, osl, .. } = self.workload;
        let requests = f64::from(batch);
        let trtllm = self.backend == Backend::Trtllm;
        let slot = self.max_seq_len.filter(|_| trtllm).map_or(f64::from(isl + osl), f64::from);
        let at =
            |tokens: f64, drafting: f64| self.memory.at(Load { batch: requests, tokens, drafting, slot });
        let mut memory = if trtllm {
            at(TRTLLM_STEP_TOKENS, TRTLLM_STEP_TOKENS)
        } else if batch > 1 {
            let decodes = requests - f64::from(ctx_tokens.div_ceil(isl));
            at(decodes + f64::from(ctx_tokens), decodes)
        } else {
            let (prompt, decode) = (at(f64::from(ctx_tokens), 0.0), at(1.0, 1.0));
            if osl > 1 && decode.total() > prompt.total() { decode } else { prompt }
        };
        memory.encoder = self.encoder.as_ref().map_or(0.0, |encoder| encoder.bytes(batch));
        (memory, self.memory.fit(&memory, Role::Agg, &self.version, self.fraction))
    }

    /// Latency of prefilling a batch, its images included, uncorrected.
    pub fn prefill(&self, batch: u32) -> Result<Timing, Gap> {
        let Workload { isl, prefix, .. } = self.workload;
        let mut all = self.encode(batch)?;
        let (new, prefix) = (f64::from(isl - prefix), f64::from(prefix));
        all.add(1.0, self.steps.context(f64::from(batch), new, prefix, Part::All)?);
        Ok(all)
    }

    /// Memory of a prefill worker (`osl` 1) or of a whole static batch, and whether it fits.
    pub fn prefill_memory(&self, batch: u32, osl: u32) -> (MemoryUse, Fit) {
        let Workload { isl, prefix, .. } = self.workload;
        let tokens = f64::from(isl - prefix) * f64::from(batch);
        let encoder = self.encoder.as_ref().map_or(0.0, |encoder| encoder.bytes(batch));
        let memory = MemoryUse { encoder, ..self.static_memory(batch, tokens, 0.0, osl) };
        self.fitted(memory)
    }

    /// Latency of all decode steps of a batch, uncorrected, as if no draft token were accepted.
    pub fn decode(&self, batch: u32) -> Result<Timing, Gap> {
        let Workload { isl, osl, .. } = self.workload;
        let later = osl.saturating_sub(1);
        let mut total = Timing::default();
        if later == 0 {
            return Ok(total);
        }
        let requests = self.decode_tokens(batch);
        total.add(f64::from(later), self.steps.generation(requests, f64::from(isl + 1), Part::Steady)?);
        let mut at = 0;
        while at < later {
            let attention = self.steps.generation(requests, f64::from(isl + at + 1), Part::Growing)?;
            total.add(f64::from(STRIDE.min(later - at)), attention);
            at += STRIDE;
        }
        Ok(total)
    }

    /// Memory of a decode worker, and whether it fits.
    pub fn decode_memory(&self, batch: u32) -> (MemoryUse, Fit) {
        self.fitted(self.static_memory(batch, f64::from(batch), f64::from(batch), self.workload.osl))
    }

    fn static_memory(&self, batch: u32, tokens: f64, drafting: f64, osl: u32) -> MemoryUse {
        let slot = f64::from(self.workload.isl + osl);
        self.memory.at(Load { batch: f64::from(batch), tokens, drafting, slot })
    }

    fn fitted(&self, memory: MemoryUse) -> (MemoryUse, Fit) {
        (memory, self.memory.fit(&memory, Role::Static, &self.version, self.fraction))
    }
}

/// What shares of a timing come from.
pub fn evidence(timing: Timing) -> Evidence {
    if timing.ms <= 0.0 {
        return Evidence::default();
    }
    let share = |part: f64| part / timing.ms;
    Evidence {
        measured: share(timing.measured),
        held: share(timing.held),
        empirical: share(timing.empirical),
        sol: share(timing.sol),
    }
}
