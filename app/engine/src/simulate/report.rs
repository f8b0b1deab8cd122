//! What a run came to.

use serde::{Deserialize, Serialize};

use super::measure::Percentiles;
use crate::cluster::{Decision, Sample, Slo};

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

/// Time that the SLO has to be kept to count as kept again, ms.
const STANDS_MS: u64 = 60_000;

/// How a run went, for telling it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Course {
    /// When a target was first missed.
    pub missed_ms: Option<u64>,
    /// When both were kept again, for a minute at least or to the end.
    pub kept_ms: Option<u64>,
    /// The first time that more workers were asked for.
    pub first_up: Option<Decision>,
    /// When these were taken back before they served.
    pub cancelled_ms: Option<u64>,
}

impl Course {
    /// The course of a run.
    pub fn of(samples: &[Sample], decisions: &[Decision], slo: Slo) -> Self {
        let over =
            |value: Option<f64>, most: Option<f64>| matches!((value, most), (Some(v), Some(m)) if v > m);
        let missed = |sample: &&Sample| over(sample.ttft_ms, slo.ttft_ms) || over(sample.itl_ms, slo.itl_ms);
        let missed_ms = samples.iter().find(missed).map(|sample| sample.at_ms);
        let mut kept_ms = None;
        for sample in samples.iter().filter(|sample| missed_ms.is_some_and(|missed| sample.at_ms > missed)) {
            let stands = kept_ms.is_some_and(|kept| sample.at_ms - kept >= STANDS_MS);
            if missed(&sample) {
                if stands {
                    break;
                }
                kept_ms = None;
            } else if sample.ttft_ms.is_some() {
                kept_ms = kept_ms.or(Some(sample.at_ms));
            }
        }
        let up = decisions.iter().position(|decision| decision.to > decision.from);
        let first_up = up.map(|at| decisions[at].clone());
        let waits = first_up.as_ref().filter(|up| up.ready_ms.is_none());
        let cancelled_ms = waits.and_then(|up| {
            let later = decisions.iter().skip_while(|decision| decision.at_ms <= up.at_ms);
            later.filter(|later| later.role == up.role && later.cancels).map(|later| later.at_ms).next()
        });
        Self { missed_ms, kept_ms, first_up, cancelled_ms }
    }
}
