//! A cluster that serves traffic under the SLO planner, simulated event by event.
//!
//! Requests arrive, wait for prefill, are read in steps of at most so many tokens, hand their KV cache over, join a
//! decoding batch and leave with their last token. Workers start, serve and drain; the planner sees what Dynamo's would
//! see and its targets are followed. The same setup gives the same bytes on every target: there is one seed, and no
//! clock but the simulated one.
//!
//! What it leaves out: contention on links, imbalance between the ranks of a worker, and stragglers.

mod event;
mod fleet;
pub mod grid;
mod measure;
mod pilot;
mod report;
mod request;
mod run;
pub mod speed;
mod status;
pub mod story;
pub mod trace;
mod traffic;
mod worker;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::cluster::Slo;
use crate::planner::{Config, ConfigError, Limits, PerRole};

pub use measure::Percentiles;
pub use report::{Course, Report, Summary};
pub use run::Run;
pub use traffic::{Arrival, Phase, Spacing, Story, Traffic};

use speed::Speed;

/// Longest run, days.
const MAX_DAYS: f64 = 31.0;
/// Most replicas of a role.
pub const MAX_REPLICAS: u32 = 1024;
/// Most samples of a run.
const MAX_SAMPLES: f64 = 200_000.0;

/// How long a new worker takes until it serves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// Mean, seconds.
    pub secs: f64,
    /// It varies by this share to both sides, 0 to 1.
    pub spread: f64,
}

/// Workers of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    /// What a step costs.
    pub speed: Speed,
    /// What a worker can hold.
    pub limits: Limits,
    /// GPUs of one worker.
    pub gpus: u32,
    /// Workers at the beginning.
    pub count: u32,
}

/// The workers of a deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fleets {
    /// Workers that only read prompts; none for aggregated serving.
    pub prefill: Option<Pool>,
    /// Workers that decode, or do both.
    pub decode: Pool,
    /// Time to hand a token's KV cache from prefill to decode, ms.
    pub transfer_ms_per_token: f64,
}

/// Everything that a run depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    /// Who arrives.
    pub traffic: Traffic,
    /// Who serves.
    pub fleets: Fleets,
    /// How long a new worker takes.
    pub start: PerRole<Start>,
    /// Targets that requests are held against.
    pub slo: Slo,
    /// Who changes the number of workers; none for a fleet that stays as it is.
    pub planner: Option<Config>,
    /// Whether the planner is told which workers are starting, as Kubernetes tells it; it can then take them back.
    pub pending: bool,
    /// What if prompts that wait could move to a worker that has become ready? Dynamo leaves them where they are.
    pub rebalance: bool,
    /// Share of prompt tokens that the KV cache has, 0 to 1, for requests that do not say.
    pub hit_rate: f64,
    /// For everything that is left to chance.
    pub seed: u64,
    /// Between two samples, ms.
    pub sample_ms: f64,
    /// Time after the last arrival for requests in flight, ms.
    pub drain_ms: f64,
}

/// Why a run cannot begin.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum SetupError {
    /// A figure outside its range.
    #[error("{what} is {value}, which must be {range}")]
    Range {
        /// Which.
        what: &'static str,
        /// Its value.
        value: f64,
        /// What is allowed.
        range: &'static str,
    },
    /// Settings of the planner that it would refuse.
    #[error("the planner refuses its settings")]
    Planner(Vec<ConfigError>),
    /// Step times that are not numbers.
    #[error("the step times of a worker are incomplete")]
    Speed,
}

impl Setup {
    /// How long traffic lasts, ms.
    pub fn length_ms(&self) -> f64 {
        self.traffic.length_ms()
    }

    /// Whether a run can begin.
    pub fn check(&self) -> Result<(), SetupError> {
        let within = |what, value: f64, least: f64, most: f64, range| {
            let fits = (least..=most).contains(&value);
            if fits { Ok(()) } else { Err(SetupError::Range { what, value, range }) }
        };
        let days = self.length_ms() / 86_400_000.0;
        within("the length of the traffic in days", days, 0.0, MAX_DAYS, "between 0 and 31")?;
        within("the share of cached prompt tokens", self.hit_rate, 0.0, 0.99, "between 0 and 0.99")?;
        within(
            "the hand-over of KV cache in ms per token",
            self.fleets.transfer_ms_per_token,
            0.0,
            1000.0,
            "between 0 and 1000",
        )?;
        within(
            "the time between samples in ms",
            self.sample_ms,
            1.0,
            3_600_000.0,
            "between 1 and 3,600,000",
        )?;
        within(
            "the number of samples",
            self.length_ms() / self.sample_ms,
            0.0,
            MAX_SAMPLES,
            "at most 200,000",
        )?;
        within("the time to finish in ms", self.drain_ms, 0.0, 86_400_000.0, "at most one day")?;
        if let Traffic::Story(story) = &self.traffic {
            for phase in &story.phases {
                within(
                    "the length of a phase in seconds",
                    phase.secs,
                    0.0,
                    MAX_DAYS * 86_400.0,
                    "at most 31 days",
                )?;
                for rate in [phase.from_per_sec, phase.to_per_sec] {
                    within("the requests per second", rate, 0.0, 1e6, "between 0 and 1,000,000")?;
                }
            }
            within("the number of requests", story.requests(), 0.0, 20e6, "at most 20 million")?;
        }
        for start in [self.start.prefill, self.start.decode] {
            within("the start of a worker in seconds", start.secs, 0.0, 86_400.0, "at most one day")?;
            within("the spread of starts", start.spread, 0.0, 1.0, "between 0 and 1")?;
        }
        for pool in self.fleets.prefill.iter().chain(std::iter::once(&self.fleets.decode)) {
            within("the number of workers", pool.count.into(), 0.0, MAX_REPLICAS.into(), "at most 1024")?;
            within("the GPUs of a worker", pool.gpus.into(), 1.0, 4096.0, "between 1 and 4096")?;
            let tokens = pool.limits.max_batched_tokens;
            within("the tokens of a step", tokens.into(), 2.0, f64::from(u32::MAX), "at least 2")?;
            let requests = pool.limits.max_sequences;
            within("the requests of a step", requests.into(), 1.0, f64::from(u32::MAX), "at least 1")?;
            if !pool.speed.is_sound() {
                return Err(SetupError::Speed);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
