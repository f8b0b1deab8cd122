//! The reference's ranking: cluster score, one row for each layout, best first.

use std::collections::BTreeMap;

use super::{Found, Member, Node, Row, Shape};
use crate::point::{EncoderPool, Layout, Point, Worker};
use crate::rows::FixedPoints;
use crate::scenario::{Goal, Scenario};
use crate::view::frontier;

/// Largest replica, GPUs.
const LARGEST_REPLICA: u32 = 128;
/// Largest replica where experts are exchanged across nodes, GPUs.
const LARGEST_WIDE_REPLICA: u32 = 512;
/// Largest worker that a load target considers, GPUs.
const LARGEST_LOAD_WORKER: u32 = 64;

/// A row placed on a cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// The row.
    pub row: Row,
    /// Replicas.
    pub replicas: u32,
    /// Tokens/s/GPU of the cluster; of the replica under a load target.
    pub score: f64,
}

impl Placed {
    /// GPUs in use.
    pub fn gpus(&self) -> u32 {
        self.row.gpus.saturating_mul(self.replicas)
    }
}

/// The reference's answer for one serving mode.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cluster {
    /// The best row of each layout, ranked.
    pub top: Vec<Placed>,
    /// Rows that no other dominates, by rising tokens/s/user (or request latency).
    pub frontier: Vec<Placed>,
    /// Whether nothing met the target, so that the rows are those beyond it.
    pub exceeded: bool,
}

/// The reference's answer: none for a mode without rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picked {
    /// Aggregated.
    pub agg: Option<Cluster>,
    /// Disaggregated.
    pub disagg: Option<Cluster>,
}

/// GPU budgets for one worker, tried in turn until something fits.
pub(super) fn worker_budgets(scenario: &Scenario, gpus_per_node: u32) -> Vec<u32> {
    match scenario.goal {
        Goal::Gpus(gpus) => vec![gpus],
        Goal::RequestRate(_) | Goal::Concurrency(_) => {
            std::iter::successors(Some(gpus_per_node), |b| Some(b * 2))
                .take_while(|&b| b <= LARGEST_LOAD_WORKER)
                .collect()
        }
    }
}

/// Sizes that replicas of several workers may have, ascending.
pub(super) fn replica_sizes(scenario: &Scenario, node: Node) -> Vec<u32> {
    let budget = match scenario.goal {
        Goal::Gpus(gpus) => gpus,
        Goal::RequestRate(_) | Goal::Concurrency(_) => node.gpus,
    };
    if node.smallest_wide.is_some_and(|gpus| gpus <= budget) {
        return (1..=budget.min(LARGEST_WIDE_REPLICA)).collect();
    }
    let sizes = [1, 2, 4].into_iter().chain((8..=LARGEST_REPLICA).step_by(8));
    sizes.filter(|&size| size <= budget).collect()
}

/// Places a row on the cluster of this goal.
fn place(row: &Row, goal: Goal) -> Placed {
    let row = row.clone();
    match goal {
        Goal::Gpus(budget) => {
            let replicas = budget / row.gpus;
            let score = row.tokens_per_sec_per_gpu * f64::from(replicas * row.gpus) / f64::from(budget);
            Placed { row, replicas, score }
        }
        Goal::RequestRate(rate) => {
            let replicas = (rate / row.requests_per_sec).ceil().clamp(1.0, 1e6) as u32;
            Placed { replicas, score: row.tokens_per_sec_per_gpu, row }
        }
        Goal::Concurrency(load) => {
            let replicas = load.div_ceil(row.concurrency.max(1)).max(1);
            Placed { replicas, score: row.tokens_per_sec_per_gpu, row }
        }
    }
}

/// Ranks the rows of one mode.
fn rank(rows: &[Row], scenario: &Scenario) -> Option<Cluster> {
    let limit = scenario.sla.request_latency_ms;
    let within = |row: &Row| match limit {
        Some(limit) => row.request_latency_ms <= limit,
        None => row.itl_ms <= scenario.sla.itl_ms,
    };
    let is_load = !matches!(scenario.goal, Goal::Gpus(_));
    let strict = scenario.sla.strict && !is_load;
    let placed: Vec<Placed> =
        rows.iter().filter(|row| !strict || within(row)).map(|row| place(row, scenario.goal)).collect();
    if placed.is_empty() {
        return None;
    }
    let met: Vec<&Placed> = placed.iter().filter(|p| within(&p.row)).collect();
    let exceeded = met.is_empty();
    let candidates = if exceeded { placed.iter().collect() } else { met };
    let mut groups: BTreeMap<String, &Placed> = BTreeMap::new();
    for candidate in candidates {
        let best = groups.entry(candidate.row.group().group_label()).or_insert(candidate);
        let gain = |p: &Placed| {
            if is_load { -f64::from(p.gpus()) } else { p.score }
        };
        // Equal rows are common; the reference picks one at random, this the faster one for each user.
        let order = gain(candidate)
            .total_cmp(&gain(best))
            .then(candidate.score.total_cmp(&best.score))
            .then(candidate.row.tokens_per_sec_per_user.total_cmp(&best.row.tokens_per_sec_per_user))
            .then(best.row.gpus.cmp(&candidate.row.gpus));
        if order.is_gt() {
            *best = candidate;
        }
    }
    let mut top: Vec<Placed> = groups.into_values().cloned().collect();
    top.sort_by(|a, b| {
        let by_score = b.score.total_cmp(&a.score);
        if exceeded {
            let missed = |p: &Placed| {
                if limit.is_some() { p.row.request_latency_ms } else { p.row.itl_ms }
            };
            missed(a).total_cmp(&missed(b))
        } else if is_load {
            a.gpus().cmp(&b.gpus()).then(by_score)
        } else if limit.is_some() {
            by_score.then(a.row.request_latency_ms.total_cmp(&b.row.request_latency_ms))
        } else {
            by_score.then(b.row.tokens_per_sec_per_user.total_cmp(&a.row.tokens_per_sec_per_user))
        }
    });
    top.truncate(FixedPoints::TOP);
    let x = |p: &Placed| {
        if limit.is_some() { -p.row.request_latency_ms } else { p.row.tokens_per_sec_per_user }
    };
    let points: Vec<(f64, f64)> = placed.iter().map(|p| (x(p), p.score)).collect();
    let frontier = frontier(&points).into_iter().map(|at| placed[at].clone()).collect();
    Some(Cluster { top, frontier, exceeded })
}

/// Ranks both modes.
pub fn pick(found: &Found, scenario: &Scenario) -> Picked {
    Picked { agg: rank(&found.agg, scenario), disagg: rank(&found.disagg, scenario) }
}

/// Every row as a point, and the picks of both modes, the better mode's best first.
pub fn fixed_points(found: &Found, scenario: &Scenario) -> FixedPoints {
    let mut out = FixedPoints::default();
    let picked = pick(found, scenario);
    let rows = found.agg.iter().chain(&found.disagg);
    let placed: Vec<Placed> = rows.map(|row| place(row, scenario.goal)).filter(|p| p.replicas > 0).collect();
    let mut picks: Vec<&Placed> = [&picked.agg, &picked.disagg]
        .into_iter()
        .flatten()
        .filter(|cluster| !cluster.exceeded)
        .flat_map(|cluster| &cluster.top)
        .collect();
    picks.sort_by(|a, b| match scenario.goal {
        Goal::Gpus(_) => b.score.total_cmp(&a.score),
        Goal::RequestRate(_) | Goal::Concurrency(_) => {
            a.gpus().cmp(&b.gpus()).then(b.score.total_cmp(&a.score))
        }
    });
    out.picks = picks.into_iter().filter_map(|pick| placed.iter().position(|p| p == pick)).collect();
    out.points = placed.iter().map(point).collect();
    out
}

fn point(placed: &Placed) -> Point {
    let Placed { row, replicas, score } = placed;
    let worker = |member: &Member| Worker {
        parallel: member.parallel,
        batch: member.batch,
        count: member.count.saturating_mul(*replicas),
        memory: member.memory,
    };
    let encoders = row.encoders.as_ref().map(|member| EncoderPool {
        tp: member.parallel.tp,
        batch: member.batch,
        count: member.count.saturating_mul(*replicas),
        memory_bytes: member.memory.total(),
    });
    Point {
        place: 0,
        layout: match &row.shape {
            Shape::Agg { worker: member, ctx_tokens } => {
                Layout::Agg { worker: worker(member), ctx_tokens: *ctx_tokens, encoders }
            }
            Shape::Disagg { prefill, decode } => {
                Layout::Disagg { prefill: worker(prefill), decode: worker(decode), encoders }
            }
        },
        replicas: *replicas,
        gpus_used: placed.gpus(),
        ttft_ms: row.ttft_ms,
        itl_ms: row.itl_ms,
        request_latency_ms: row.request_latency_ms,
        tokens_per_sec_per_gpu: *score,
        tokens_per_sec_per_user: row.tokens_per_sec_per_user,
        requests_per_sec: row.requests_per_sec * f64::from(*replicas),
        concurrency: row.concurrency.saturating_mul(*replicas),
        evidence: row.evidence,
        meets_ttft: false,
        meets_itl: false,
    }
}
