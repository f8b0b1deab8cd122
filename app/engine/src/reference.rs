//! The search of AI Configurator 0.12.0, pick for pick: its grids, rounding points and limits (see NOTICE).
//!
//! Kept for parity and as a switch for people who compare; [`crate::search`] beats it.

mod agg;
mod disagg;
mod epd;
mod pick;

pub use epd::ENCODER_BATCHES;
pub use pick::{Cluster, Picked, Placed, fixed_points, pick};

use crate::parallel::Parallel;
use crate::point::MemoryUse;
use crate::rows::{EncoderRow, Tally};
use crate::scenario::Scenario;
use crate::serving::WorkerModel;
use crate::source::Evidence;
use crate::space::WorkerRole;

/// One configuration; numbers are rounded to three decimals, as the reference prints them.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Workers of one replica.
    pub shape: Shape,
    /// Its workers that only encode images, where they are separate.
    pub encoders: Option<Member>,
    /// GPUs of one replica.
    pub gpus: u32,
    /// Time to first token, ms.
    pub ttft_ms: f64,
    /// Inter-token latency, ms.
    pub itl_ms: f64,
    /// End-to-end latency, ms.
    pub request_latency_ms: f64,
    /// Requests per second of one replica.
    pub requests_per_sec: f64,
    /// Output tokens per second of one replica (aggregated: first tokens not counted).
    pub tokens_per_sec: f64,
    /// The same for each GPU.
    pub tokens_per_sec_per_gpu: f64,
    /// What one user sees.
    pub tokens_per_sec_per_user: f64,
    /// Requests in flight on one replica.
    pub concurrency: u32,
    /// What the latencies rest on.
    pub evidence: Evidence,
}

/// A kind of worker in a replica.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Member {
    /// Layout.
    pub parallel: Parallel,
    /// Requests per rank.
    pub batch: u32,
    /// Workers in one replica.
    pub count: u32,
    /// Requests per second of one worker, rounded.
    pub requests_per_sec: f64,
    /// Memory per GPU.
    pub memory: MemoryUse,
}

/// Workers of one replica.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// One worker that prefills and decodes.
    Agg {
        /// The worker.
        worker: Member,
        /// Prefill tokens of a mixed step.
        ctx_tokens: u32,
    },
    /// Prefill and decode workers.
    Disagg {
        /// Prefill workers.
        prefill: Member,
        /// Decode workers.
        decode: Member,
    },
}

impl Row {
    /// The layout that groups rows: the worker's, or the decode worker's.
    pub fn group(&self) -> Parallel {
        match &self.shape {
            Shape::Agg { worker, .. } => worker.parallel,
            Shape::Disagg { decode, .. } => decode.parallel,
        }
    }
}

/// Rows of both modes, best tokens/s/GPU first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Aggregated.
    pub agg: Vec<Row>,
    /// Disaggregated.
    pub disagg: Vec<Row>,
    /// Counts.
    pub tally: Tally,
}

/// Rounds to three decimals, half to even.
pub fn r3(value: f64) -> f64 {
    (value * 1000.0).round_ties_even() / 1000.0
}

/// Targets of TTFT and ITL, ms, that the sweep visits.
fn targets(scenario: &Scenario) -> Vec<(f64, f64)> {
    let ttft = scenario.sla.ttft_ms;
    let Some(limit) = scenario.sla.request_latency_ms else {
        let grid = (1..20).chain((20..300).step_by(5));
        return grid.map(|itl| (ttft, f64::from(itl))).collect();
    };
    let mut ttfts: Vec<f64> =
        [300, 400, 500, 600, 800, 1000, 1200, 1400, 1600, 2000, 3000, 5000, 8000].map(f64::from).to_vec();
    let shares = [0.1, 0.2, 0.3, 0.5, 0.7].map(|share| limit * share);
    ttfts.extend(shares.into_iter().filter(|&t| !(300.0..=8000.0).contains(&t)));
    ttfts.push(ttft);
    ttfts.sort_by(f64::total_cmp);
    ttfts.dedup();
    let later = f64::from(scenario.workload.osl.saturating_sub(1).max(1));
    ttfts.into_iter().filter(|&t| t < limit).map(|t| (t, (limit - t) / later)).collect()
}

/// Sorts rows best first, keeping the order of equals.
fn sort(rows: &mut [Row]) {
    rows.sort_by(|a, b| b.tokens_per_sec_per_gpu.total_cmp(&a.tokens_per_sec_per_gpu));
}

/// What the reference's limits depend on beside the scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// GPUs per node.
    pub gpus: u32,
    /// GPUs of the smallest worker that exchanges tokens by all-to-all, where that spans nodes.
    pub smallest_wide: Option<u32>,
}

/// Runs the reference's sweep over workers of this scenario and, where images are encoded apart, encoders.
pub fn search(
    scenario: &Scenario,
    node: Node,
    workers: &mut [(WorkerRole, &mut WorkerModel)],
    encoders: &[EncoderRow],
) -> Found {
    // Latencies are rounded before they are used, rates are not.
    let rounded = |row: &EncoderRow| EncoderRow { latency_ms: r3(row.latency_ms), ..*row };
    let encoders: Option<Vec<EncoderRow>> =
        scenario.has_encoder_workers().then(|| encoders.iter().map(rounded).collect());
    let mut found = Found::default();
    // A load target starts at one node and takes larger workers only when nothing fits in memory.
    for budget in pick::worker_budgets(scenario, node.gpus) {
        found = sweep(scenario, node, budget, workers, encoders.as_deref());
        let fits =
            |stages: &[crate::rows::Stages]| stages.is_empty() || stages.iter().any(|s| s.fit_memory > 0);
        if fits(&found.tally.agg) {
            break;
        }
    }
    found
}

fn sweep(
    scenario: &Scenario,
    node: Node,
    budget: u32,
    workers: &mut [(WorkerRole, &mut WorkerModel)],
    encoders: Option<&[EncoderRow]>,
) -> Found {
    let mut found = Found::default();
    let (mut prefill, mut decode): (Vec<&WorkerModel>, Vec<&WorkerModel>) = (Vec::new(), Vec::new());
    for (role, worker) in workers.iter_mut().filter(|(_, worker)| worker.parallel.gpus() <= budget) {
        match role {
            WorkerRole::Agg => {
                let sizes = pick::replica_sizes(scenario, node);
                let cells = encoders.map(|encoders| agg::Cells { encoders, sizes });
                agg::sweep(scenario, worker, cells.as_ref(), &mut found);
            }
            WorkerRole::Prefill => prefill.push(worker),
            WorkerRole::Decode => decode.push(worker),
        }
    }
    sort(&mut found.agg);
    let sizes = pick::replica_sizes(scenario, node);
    if scenario.serving.disagg() && sizes.last().is_some_and(|&most| most > 1) {
        let workers = disagg::Workers { prefill, decode, encoders };
        disagg::sweep(scenario, sizes, &workers, &mut found);
    }
    sort(&mut found.disagg);
    found
}
