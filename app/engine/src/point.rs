//! One deployment of a cluster and what it is predicted to do.

use serde::{Deserialize, Serialize};

use crate::parallel::Parallel;
use crate::source::Evidence;

/// GPU memory use of one worker, bytes per GPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MemoryUse {
    /// Weights.
    pub weights: f64,
    /// KV cache of a full batch.
    pub kv_cache: f64,
    /// Activations.
    pub activations: f64,
    /// Communication buffers.
    pub comm: f64,
    /// Vision encoder of requests with images: weights and activations.
    pub encoder: f64,
    /// Runtime and everything else.
    pub other: f64,
    /// What the GPU has.
    pub capacity: f64,
}

impl MemoryUse {
    /// Everything together, bytes.
    pub fn total(&self) -> f64 {
        self.weights + self.activations + self.kv_cache + self.comm + self.encoder + self.other
    }
}

/// A worker of a point.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Worker {
    /// Layout.
    pub parallel: Parallel,
    /// Requests per attention-DP rank.
    pub batch: u32,
    /// Workers in the whole cluster.
    pub count: u32,
    /// Memory per GPU.
    pub memory: MemoryUse,
}

/// Workers of a point that only encode images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EncoderPool {
    /// GPUs of one worker, which split the weights (tensor parallel).
    pub tp: u32,
    /// Requests whose images are encoded together.
    pub batch: u32,
    /// Workers in the whole cluster.
    pub count: u32,
    /// Memory in use per GPU, bytes.
    pub memory_bytes: f64,
}

/// How the cluster is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Layout {
    /// Every worker prefills and decodes.
    Agg {
        /// The worker; its count is the number of replicas.
        worker: Worker,
        /// Prefill tokens of a mixed step.
        ctx_tokens: u32,
        /// Workers of the whole cluster that only encode images, where they are separate.
        encoders: Option<EncoderPool>,
    },
    /// Separate prefill and decode workers.
    Disagg {
        /// Prefill workers of the whole cluster.
        prefill: Worker,
        /// Decode workers of the whole cluster.
        decode: Worker,
        /// Workers of the whole cluster that only encode images, where they are separate.
        encoders: Option<EncoderPool>,
    },
}

impl Layout {
    /// Workers that only encode images, where they are separate.
    pub fn encoders(&self) -> Option<&EncoderPool> {
        match self {
            Self::Agg { encoders, .. } | Self::Disagg { encoders, .. } => encoders.as_ref(),
        }
    }
}

/// A deployment without its figures: what can be asked about.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Which of the searched places it is for.
    pub place: u32,
    /// How the cluster is laid out.
    pub layout: Layout,
}

/// One deployment of the whole cluster and what it is predicted to do.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Which of the searched places it is for: an index into their list, 0 when there is one.
    pub place: u32,
    /// How the cluster is laid out.
    pub layout: Layout,
    /// Equal replicas the cluster divides into.
    pub replicas: u32,
    /// GPUs in use.
    pub gpus_used: u32,
    /// Time to first token, ms.
    pub ttft_ms: f64,
    /// Inter-token latency (first token excluded), ms.
    pub itl_ms: f64,
    /// End-to-end latency of a request, ms.
    pub request_latency_ms: f64,
    /// Output tokens per second and GPU; GPUs of the budget under a GPU goal, GPUs in use under a load goal.
    pub tokens_per_sec_per_gpu: f64,
    /// Output tokens per second that one user sees.
    pub tokens_per_sec_per_user: f64,
    /// Requests per second of the cluster.
    pub requests_per_sec: f64,
    /// Requests in flight in the cluster.
    pub concurrency: u32,
    /// What the latencies rest on, the weaker side for separate workers.
    pub evidence: Evidence,
    /// Whether the TTFT target is met.
    pub meets_ttft: bool,
    /// Whether the ITL (or request latency) target is met.
    pub meets_itl: bool,
}

impl Point {
    /// The deployment itself.
    pub fn candidate(&self) -> Candidate {
        Candidate { place: self.place, layout: self.layout }
    }
    /// Whether the whole SLO is met.
    pub fn meets(&self) -> bool {
        self.meets_ttft && self.meets_itl
    }
    /// Whether prefill and decode run on separate workers.
    pub fn is_disagg(&self) -> bool {
        matches!(self.layout, Layout::Disagg { .. })
    }
    /// GPUs of one replica.
    pub fn gpus_per_replica(&self) -> u32 {
        self.gpus_used / self.replicas.max(1)
    }
}
