//! What a search keeps: every layout that fits, free of any SLO and of the GPU budget.

use serde::{Deserialize, Serialize};

use crate::parallel::Parallel;
pub use crate::point::MemoryUse;
use crate::point::Point;
use crate::source::Evidence;

/// One aggregated replica: in-flight batching on one worker.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AggRow {
    /// Layout of the worker.
    pub parallel: Parallel,
    /// Requests per attention-DP rank.
    pub batch: u32,
    /// Prefill tokens of a mixed step.
    pub ctx_tokens: u32,
    /// Time to first token, ms.
    pub ttft_ms: f64,
    /// Inter-token latency, ms.
    pub itl_ms: f64,
    /// Requests per second of one replica.
    pub requests_per_sec: f64,
    /// Requests in flight on one replica.
    pub concurrency: u32,
    /// Memory per GPU.
    pub memory: MemoryUse,
    /// What the latencies rest on.
    pub evidence: Evidence,
}

/// One prefill worker.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrefillRow {
    /// Layout of the worker.
    pub parallel: Parallel,
    /// Requests per attention-DP rank.
    pub batch: u32,
    /// Time to first token with queueing, ms.
    pub ttft_ms: f64,
    /// Requests per second of one worker.
    pub requests_per_sec: f64,
    /// Memory per GPU.
    pub memory: MemoryUse,
    /// What the latencies rest on.
    pub evidence: Evidence,
}

/// One decode worker.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecodeRow {
    /// Layout of the worker.
    pub parallel: Parallel,
    /// Requests per attention-DP rank.
    pub batch: u32,
    /// Inter-token latency, ms.
    pub itl_ms: f64,
    /// Requests per second of one worker.
    pub requests_per_sec: f64,
    /// Requests in flight on one worker.
    pub concurrency: u32,
    /// Memory per GPU.
    pub memory: MemoryUse,
    /// What the latencies rest on.
    pub evidence: Evidence,
}

/// One worker that only encodes images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EncoderRow {
    /// Layout of the worker: tensor parallel only.
    pub parallel: Parallel,
    /// Requests whose images are encoded together.
    pub batch: u32,
    /// Latency of a batch, ms.
    pub latency_ms: f64,
    /// Requests per second of one worker.
    pub requests_per_sec: f64,
    /// Memory per GPU.
    pub memory: MemoryUse,
    /// What the latency rests on.
    pub evidence: Evidence,
}

/// How many candidates of one worker size passed each stage; each count includes the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stages {
    /// GPUs of one worker.
    pub gpus: u32,
    /// Enumerated.
    pub tried: u64,
    /// Weights, activations and buffers fit.
    pub fit_memory: u64,
    /// The KV cache of the batch fits too.
    pub fit_kv: u64,
    /// Every operator has measured data.
    pub measured: u64,
}

/// Candidates by role and worker size.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Aggregated replicas.
    pub agg: Vec<Stages>,
    /// Prefill workers.
    pub prefill: Vec<Stages>,
    /// Decode workers.
    pub decode: Vec<Stages>,
    /// Encoder workers; empty where they are not separate.
    pub encoder: Vec<Stages>,
    /// Operators without data that candidates were rejected for, each once.
    pub gaps: Vec<String>,
}

/// Everything a search keeps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rows {
    /// Aggregated replicas.
    pub agg: Vec<AggRow>,
    /// Prefill workers.
    pub prefill: Vec<PrefillRow>,
    /// Decode workers.
    pub decode: Vec<DecodeRow>,
    /// Encoder workers; empty where they are not separate.
    pub encoder: Vec<EncoderRow>,
    /// Counts.
    pub tally: Tally,
    /// Ready-made points of the `Reference` policy, which cannot be composed again from rows.
    pub fixed: Option<FixedPoints>,
}

/// Points of the `Reference` policy and the order it ranks them in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FixedPoints {
    /// Every configuration that the reference search keeps.
    pub points: Vec<Point>,
    /// Its picks, best first, as indices into `points`.
    pub picks: Vec<usize>,
}

impl FixedPoints {
    /// Picks of each serving mode, at most.
    pub const TOP: usize = 5;
}
