//! One deployment that the user named: no search.

mod special;

use crate::afd::{AfdError, AfdShape};
use crate::kernel::Gap;
use crate::memory::Fit;
use crate::models;
use crate::ops::WideEp;
use crate::parallel::Parallel;
use crate::point::MemoryUse;
use crate::problem::{Problem, Side};
use crate::quant::{Precision, Quant};
use crate::reference::r3;
use crate::scenario::Policy;
use crate::search;
use crate::serving::{WorkerModel, disagg, evidence};
use crate::source::Evidence;
use crate::space::WorkerRole;

/// Workers of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Layout of a worker.
    pub parallel: Parallel,
    /// Requests per attention-DP rank.
    pub batch: u32,
    /// Workers.
    pub count: u32,
}

/// What to estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deployment {
    /// One worker with in-flight batching.
    Agg {
        /// Layout.
        parallel: Parallel,
        /// Requests per attention-DP rank.
        batch: u32,
        /// Prefill tokens of a mixed step.
        ctx_tokens: u32,
        /// Workers that only encode images, where they are separate.
        encoders: Option<Pool>,
    },
    /// One worker that prefills and then decodes a fixed batch.
    Static {
        /// Layout.
        parallel: Parallel,
        /// Requests per attention-DP rank.
        batch: u32,
        /// Which part to count.
        phase: Phase,
    },
    /// Prefill workers beside decode workers.
    Disagg {
        /// Prefill.
        prefill: Pool,
        /// Decode.
        decode: Pool,
        /// Workers that only encode images, where they are separate.
        encoders: Option<Pool>,
    },
    /// Decode alone, attention and feed-forward layers on different nodes.
    Afd {
        /// Nodes and how they are used.
        shape: AfdShape,
        /// Requests in flight on every attention worker.
        batch: u32,
    },
}

/// Part of a static batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Prefill and decode.
    Both,
    /// Prefill alone.
    Prefill,
    /// Decode alone.
    Decode,
}

/// Memory of one kind of worker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Held {
    /// In use, per GPU.
    pub memory: MemoryUse,
    /// Whether it fits.
    pub fit: Fit,
}

/// What a deployment is predicted to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// Time to first token, ms.
    pub ttft_ms: f64,
    /// Inter-token latency, ms.
    pub itl_ms: f64,
    /// End-to-end latency, ms.
    pub request_latency_ms: f64,
    /// Requests per second.
    pub requests_per_sec: f64,
    /// Output tokens per second.
    pub tokens_per_sec: f64,
    /// Output tokens per second and GPU.
    pub tokens_per_sec_per_gpu: f64,
    /// Output tokens per second that one user sees.
    pub tokens_per_sec_per_user: f64,
    /// Requests in flight.
    pub concurrency: u32,
    /// GPUs.
    pub gpus: u32,
    /// Memory: one worker, prefill and decode, or attention and FFN nodes; encoder workers last.
    pub memory: Vec<Held>,
    /// What the latencies rest on.
    pub evidence: Evidence,
}

/// Why a deployment cannot be estimated.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum EstimateError {
    /// Parallel sizes or batches that make no sense for the model.
    #[error("{0}")]
    Shape(&'static str),
    /// An operator has no data.
    #[error("no measured data for {0:?}")]
    Gap(Gap),
    /// The GPU is too small.
    #[error("needs {:.1} GiB per GPU of {:.1} GiB", .0.total() / f64::from(1 << 30), .0.capacity / f64::from(1 << 30))]
    DoesNotFit(MemoryUse),
}

impl From<AfdError> for EstimateError {
    fn from(error: AfdError) -> Self {
        match error {
            AfdError::Shape(why) => Self::Shape(why),
            AfdError::Gap(gap) => Self::Gap(gap),
        }
    }
}

impl From<Gap> for EstimateError {
    fn from(gap: Gap) -> Self {
        Self::Gap(gap)
    }
}

/// Estimates one deployment of a problem; `Policy::Reference` rounds where the reference system rounds.
pub fn estimate(problem: &Problem, deployment: &Deployment) -> Result<Estimate, EstimateError> {
    let (outcome, encoders, ttft_share) = match *deployment {
        Deployment::Agg { parallel, batch, ctx_tokens, encoders } => {
            (agg(problem, parallel, batch, ctx_tokens)?, encoders, 1.0)
        }
        Deployment::Afd { shape, batch } => return special::split(problem, shape, batch),
        Deployment::Static { parallel, batch, phase } => (fixed(problem, parallel, batch, phase)?, None, 1.0),
        Deployment::Disagg { prefill, decode, encoders } => {
            (disaggregated(problem, prefill, decode)?, encoders, queueing(problem))
        }
    };
    match (encoders, problem.scenario.has_encoder_workers()) {
        (Some(pool), true) => special::encode(problem, outcome, pool, ttft_share),
        (None, false) => Ok(outcome),
        (None, true) => {
            Err(EstimateError::Shape("the images need encoder workers, which this mode does not name"))
        }
        (Some(_), false) => {
            Err(EstimateError::Shape("encoder workers need requests with images to be encoded apart"))
        }
    }
}

fn worker(
    problem: &Problem,
    role: WorkerRole,
    parallel: Parallel,
    batch: u32,
    needs: Phase,
) -> Result<WorkerModel, EstimateError> {
    let Parallel { tp, pp, dp, moe_tp, moe_ep, cp } = parallel;
    if [tp, pp, dp, moe_tp, moe_ep, cp].contains(&0) || parallel.gpus() > crate::problem::MAX_GPUS {
        return Err(EstimateError::Shape("parallel sizes must be at least 1 and sensible"));
    }
    check_batch(batch)?;
    let blocks = problem.prefill.precision.moe == Quant::Fp8Block;
    if !problem.model.heads.is_multiple_of(tp) {
        return Err(EstimateError::Shape("the query heads of the model do not divide by TP"));
    }
    if !models::is_legal(&problem.model, parallel, blocks) {
        let rule = "TP × DP × CP must equal expert TP × EP, EP must not exceed the experts, and weights that are \
                    quantised in blocks must divide into whole ones";
        return Err(EstimateError::Shape(rule));
    }
    let wide = exchange(problem, role, parallel, needs)?;
    let Side { precision, stated_experts, .. } = side(problem, role);
    let precision = Precision { moe: stated_experts.unwrap_or(precision.moe), ..*precision };
    Ok(search::worker_at(problem, role, parallel, wide, precision)?)
}

fn side(problem: &Problem, role: WorkerRole) -> &Side {
    if role == WorkerRole::Decode { problem.decode_side() } else { &problem.prefill }
}

/// How a named deployment reaches its experts: the collectives of one node inside a node and under in-flight
/// batching, an all-to-all exchange across nodes.
fn exchange(
    problem: &Problem,
    role: WorkerRole,
    parallel: Parallel,
    needs: Phase,
) -> Result<Option<WideEp>, EstimateError> {
    let Side { system, wide, .. } = side(problem, role);
    if role == WorkerRole::Agg || parallel.moe_ep <= system.gpus_per_node {
        return Ok(None);
    }
    if parallel.moe_tp != 1 {
        return Err(EstimateError::Shape("experts across nodes need an expert tensor parallel size of 1"));
    }
    // The reference looks up only the phases that a worker runs.
    let narrowed = |wide: WideEp| match needs {
        Phase::Both => (wide.context.is_some() && wide.generation.is_some()).then_some(wide),
        Phase::Prefill => wide.context.map(|_| WideEp { generation: None, ..wide }),
        Phase::Decode => wide.generation.map(|_| WideEp { context: None, ..wide }),
    };
    let missing = EstimateError::Gap(Gap::NoData("all-to-all exchange across nodes"));
    wide.exchange(parallel).and_then(narrowed).map(Some).ok_or(missing)
}

fn check_batch(batch: u32) -> Result<(), EstimateError> {
    if (1..=1_000_000).contains(&batch) {
        Ok(())
    } else {
        Err(EstimateError::Shape("the batch must be from 1 to 1,000,000"))
    }
}

fn per_user(itl_ms: f64) -> f64 {
    if itl_ms > 0.0 { 1000.0 / itl_ms } else { 0.0 }
}

fn agg(
    problem: &Problem,
    parallel: Parallel,
    batch: u32,
    ctx_tokens: u32,
) -> Result<Estimate, EstimateError> {
    if ctx_tokens == 0 {
        return Err(EstimateError::Shape("the context tokens of a mixed step must be at least 1"));
    }
    let mut worker = worker(problem, WorkerRole::Agg, parallel, batch, Phase::Both)?;
    let agg = worker.agg(batch, ctx_tokens)?;
    let (memory, fit) = worker.agg_memory(batch, ctx_tokens);
    if fit == Fit::No {
        return Err(EstimateError::DoesNotFit(memory));
    }
    let osl = problem.scenario.workload.osl;
    let later = f64::from(osl.saturating_sub(1));
    // The reference leaves the first token of a request out.
    let (requests_per_sec, counted) = match problem.scenario.policy {
        Policy::Reference if osl <= 1 => (0.0, later),
        Policy::Reference => (agg.requests_per_sec, later),
        Policy::Exhaustive => (agg.requests_per_sec, f64::from(osl)),
    };
    let tokens_per_sec = requests_per_sec * counted;
    Ok(Estimate {
        ttft_ms: agg.ttft_ms,
        itl_ms: agg.itl_ms,
        request_latency_ms: agg.ttft_ms + agg.itl_ms * later,
        requests_per_sec,
        tokens_per_sec,
        tokens_per_sec_per_gpu: tokens_per_sec / f64::from(parallel.gpus()),
        tokens_per_sec_per_user: per_user(agg.itl_ms),
        concurrency: agg.concurrency,
        gpus: parallel.gpus(),
        memory: vec![Held { memory, fit }],
        evidence: agg.evidence,
    })
}

fn fixed(problem: &Problem, parallel: Parallel, batch: u32, phase: Phase) -> Result<Estimate, EstimateError> {
    let role = if phase == Phase::Decode { WorkerRole::Decode } else { WorkerRole::Prefill };
    // The weights of a worker are those of its prefill operators.
    let needs = if phase == Phase::Prefill { Phase::Prefill } else { Phase::Both };
    let worker = worker(problem, role, parallel, batch, needs)?;
    let osl = problem.scenario.workload.osl;
    let later = f64::from(osl.saturating_sub(1));
    let mut all = crate::kernel::Timing::default();
    let (mut ttft_ms, mut decode_ms) = (0.0, 0.0);
    if phase != Phase::Decode {
        let timing = worker.prefill(batch)?;
        ttft_ms = timing.ms;
        all.add(1.0, timing);
    }
    if phase != Phase::Prefill {
        let timing = worker.decode(batch)?;
        decode_ms = timing.ms / worker.draft().progress();
        all.add(1.0, timing);
    }
    let (memory, fit) = match phase {
        Phase::Both => worker.prefill_memory(batch, osl),
        Phase::Prefill => worker.prefill_memory(batch, 1),
        Phase::Decode => worker.decode_memory(batch),
    };
    let tokens = match phase {
        Phase::Both => f64::from(osl),
        Phase::Prefill => 1.0,
        Phase::Decode => later,
    };
    let Parallel { tp, pp, dp, .. } = parallel;
    let latency = ttft_ms + decode_ms;
    let requests_per_sec =
        if latency > 0.0 { f64::from(batch * dp) / latency * 1000.0 * f64::from(pp) } else { 0.0 };
    let itl_ms = if later > 0.0 { decode_ms / later } else { 0.0 };
    Ok(Estimate {
        ttft_ms,
        itl_ms,
        request_latency_ms: latency,
        requests_per_sec,
        tokens_per_sec: requests_per_sec * tokens,
        tokens_per_sec_per_gpu: requests_per_sec * tokens / f64::from(tp * pp * dp),
        tokens_per_sec_per_user: per_user(itl_ms),
        concurrency: batch * dp,
        gpus: parallel.gpus(),
        memory: vec![Held { memory, fit }],
        evidence: evidence(all),
    })
}

/// Factor from the latency of prefill and encoder workers to the TTFT of a named deployment; the reference
/// forgets it beside encoder workers.
fn queueing(problem: &Problem) -> f64 {
    let forgotten = problem.scenario.policy == Policy::Reference && problem.scenario.has_encoder_workers();
    if forgotten { 1.0 } else { disagg::TTFT }
}

fn disaggregated(problem: &Problem, prefill: Pool, decode: Pool) -> Result<Estimate, EstimateError> {
    if prefill.count == 0 || decode.count == 0 {
        return Err(EstimateError::Shape("both kinds of workers must be at least 1"));
    }
    let round = |value: f64| {
        if problem.scenario.policy == Policy::Reference { r3(value) } else { value }
    };
    let prefiller = worker(problem, WorkerRole::Prefill, prefill.parallel, prefill.batch, Phase::Prefill)?;
    let decoder = worker(problem, WorkerRole::Decode, decode.parallel, decode.batch, Phase::Decode)?;
    let held = [prefiller.prefill_memory(prefill.batch, 1), decoder.decode_memory(decode.batch)]
        .map(|(memory, fit)| Held { memory, fit });
    if let Some(held) = held.iter().find(|held| held.fit != Fit::Yes) {
        return Err(EstimateError::DoesNotFit(held.memory));
    }
    let osl = problem.scenario.workload.osl;
    let later = f64::from(osl.saturating_sub(1));
    let (prefill_time, decode_time) = (prefiller.prefill(prefill.batch)?, decoder.decode(decode.batch)?);
    let rate = |pool: Pool, latency: f64| {
        let Parallel { pp, dp, .. } = pool.parallel;
        if latency > 0.0 { round(f64::from(pool.batch * dp) / latency * 1000.0 * f64::from(pp)) } else { 0.0 }
    };
    let prefill_ms = prefill_time.ms * disagg::PREFILL_LATENCY;
    let decode_ms = decode_time.ms * disagg::DECODE_LATENCY;
    let ttft_ms = round(prefill_ms) * queueing(problem);
    // The reference rounds a decode worker before and after what its drafts win.
    let progress = decoder.draft().progress();
    let itl_ms = if later > 0.0 { round(round(decode_ms / later) / progress) } else { 0.0 };
    let requests_per_sec = (disagg::PREFILL_RATE * f64::from(prefill.count) * rate(prefill, prefill_ms))
        .min(disagg::DECODE_RATE * f64::from(decode.count) * round(rate(decode, decode_ms) * progress));
    let gpus = prefill.parallel.gpus() * prefill.count + decode.parallel.gpus() * decode.count;
    let tokens_per_sec = requests_per_sec * f64::from(osl);
    Ok(Estimate {
        ttft_ms,
        itl_ms,
        request_latency_ms: ttft_ms + itl_ms * later,
        requests_per_sec,
        tokens_per_sec,
        tokens_per_sec_per_gpu: tokens_per_sec / f64::from(gpus),
        tokens_per_sec_per_user: per_user(decode_ms / later.max(1.0)) * progress,
        concurrency: decode.count * decode.batch * decode.parallel.dp,
        gpus,
        memory: held.to_vec(),
        evidence: evidence(prefill_time).weaker(evidence(decode_time)),
    })
}
