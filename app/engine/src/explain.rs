//! Where the time of a point goes, operator by operator.

use serde::{Deserialize, Serialize};

use crate::source::Source;

/// Which engine step a breakdown is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepKind {
    /// The vision encoder on the images of a batch.
    Encode,
    /// A prefill worker's step.
    Prefill,
    /// A mixed step of an aggregated worker.
    Mixed,
    /// A decode step.
    Decode,
}

/// What bounds an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Bound {
    /// Tensor-core arithmetic.
    Compute,
    /// Memory bandwidth.
    Memory,
    /// The network between GPUs.
    Network,
}

/// Time of one operator in a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpTime {
    /// Name, such as `qkv_gemm`.
    pub name: String,
    /// All its repetitions in one step, ms.
    pub ms: f64,
    /// The roofline bound of the same work, ms; none where there is no roofline.
    pub sol_ms: Option<f64>,
    /// What the roofline says it is bound by.
    pub bound: Bound,
    /// Where the figure comes from.
    pub source: Source,
}

/// Time of one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepTime {
    /// Which step.
    pub kind: StepKind,
    /// All operators together, ms.
    pub total_ms: f64,
    /// Operators in execution order.
    pub ops: Vec<OpTime>,
}

/// Where the time of a point goes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// Vision encoder, then prefill or mixed step, then the decode step; what a layout has of them.
    pub steps: Vec<StepTime>,
    /// Prefill rate over decode rate of a disaggregated cluster; below one means prefill limits.
    pub prefill_over_decode: Option<f64>,
    /// Whether encoder workers limit the cluster.
    pub encoders_limit: bool,
}
