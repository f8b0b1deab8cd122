//! Rows under an SLO and a goal: clusters, frontier, best, funnel.
//!
//! Composing rows into clusters needs no tables, so the page does it on every move of an SLO handle.

use serde::{Deserialize, Serialize};

use crate::parallel::Parallel;
use crate::rows::MemoryUse;
use crate::source::Evidence;

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

/// How the cluster is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Layout {
    /// Every worker prefills and decodes.
    Agg {
        /// The worker; its count is the number of replicas.
        worker: Worker,
        /// Prefill tokens of a mixed step.
        ctx_tokens: u32,
    },
    /// Separate prefill and decode workers.
    Disagg {
        /// Prefill workers of the whole cluster.
        prefill: Worker,
        /// Decode workers of the whole cluster.
        decode: Worker,
    },
}

/// One deployment of the whole cluster and what it is predicted to do.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
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

/// How many candidates are left after each stage; never increasing from top to bottom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Funnel {
    /// Enumerated within the GPU budget: aggregated replicas, and pairs of prefill and decode workers.
    pub tried: u64,
    /// Weights, activations and buffers fit.
    pub fit_memory: u64,
    /// The KV cache of the batch fits.
    pub fit_kv: u64,
    /// Every operator has measured data.
    pub measured: u64,
    /// Meet the TTFT target.
    pub meet_ttft: u64,
    /// Meet the ITL (or request latency) target as well.
    pub meet_itl: u64,
    /// On the frontier, within the SLO.
    pub frontier: u64,
}

/// What to change when nothing meets the SLO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Nearest {
    /// The lowest TTFT at which something meets the ITL target, ms.
    pub ttft_ms: Option<f64>,
    /// The lowest ITL (or request latency) at which something meets the TTFT target, ms.
    pub itl_ms: Option<f64>,
    /// The fewest GPUs on which something meets both.
    pub gpus: Option<u32>,
}

/// Rows under an SLO and a goal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// All points, best first: by goal, then by tokens/s/user.
    pub points: Vec<Point>,
    /// The frontier over the points that meet the TTFT target, by rising tokens/s/user.
    pub frontier: Vec<usize>,
    /// The aggregated frontier alone.
    pub frontier_agg: Vec<usize>,
    /// The disaggregated frontier alone.
    pub frontier_disagg: Vec<usize>,
    /// Points within the SLO, best of each layout, ranked.
    pub picks: Vec<usize>,
    /// Counts for the funnel.
    pub funnel: Funnel,
    /// What to change when nothing meets the SLO.
    pub nearest: Option<Nearest>,
}

impl View {
    /// The best point within the SLO.
    pub fn best(&self) -> Option<&Point> {
        self.picks.first().map(|&pick| &self.points[pick])
    }
}
