//! What a run came to.

use serde::{Deserialize, Serialize};

use super::measure::Percentiles;
use crate::cluster::{Decision, Sample};

/// Figures of a whole run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Simulated time, ms.
    pub length_ms: f64,
    /// Requests that arrived: those done, in flight and refused.
    pub arrived: u64,
    /// Requests served to the last token.
    pub done: u64,
    /// Requests being served, or waiting.
    pub in_flight: u64,
    /// Requests too long for a worker.
    pub refused: u64,
    /// Times that a request lost its KV cache and had to be computed again.
    pub preempted: u64,
    /// Requests that met both targets.
    pub met: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// Times to first token.
    pub ttft: Option<Percentiles>,
    /// Mean inter-token latencies of the requests.
    pub itl: Option<Percentiles>,
    /// GPU-hours of all workers, from the moment they are asked for until they are gone.
    pub gpu_hours: f64,
}

impl Summary {
    /// Share of finished requests that met both targets, 0 to 1.
    pub fn attainment(&self) -> Option<f64> {
        (self.done > 0).then(|| self.met as f64 / self.done as f64)
    }

    /// Requests per second that met both targets.
    pub fn goodput_per_sec(&self) -> f64 {
        if self.length_ms > 0.0 { self.met as f64 / self.length_ms * 1000.0 } else { 0.0 }
    }
}

/// A run: its timelines, its decisions, its figures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Moments at even distances.
    pub samples: Vec<Sample>,
    /// Changes of replicas.
    pub decisions: Vec<Decision>,
    /// Figures of the whole.
    pub summary: Summary,
}
