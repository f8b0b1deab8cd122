//! The running cluster as the page shows it: pure functions from a snapshot to plain data.

mod feed;
mod plan;

pub mod read;

use engine::cluster::{ClusterStatus, Count, Decision, Event, Pool, Slo, Snapshot, Source};
use engine::format::{self, NONE, count, duration, ms, percent};
use engine::order;
use engine::text::live::{self as say, Stand};
use engine::text::{Message, planner};

pub use feed::{Feed, Span, window};
pub use plan::{Compared, Plan, compare, plan};

use super::timeline::Clock;

/// A figure of the strip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    /// What it is.
    pub name: &'static str,
    /// Its digits.
    pub value: String,
    /// Its unit.
    pub unit: &'static str,
    /// How it stands.
    pub stand: Stand,
    /// The same in words.
    pub words: String,
}

/// A promise kept for less than this share of the requests is marked: one in a hundred is noise.
const KEPT: f64 = 0.99;

/// Whether the promise is kept: attainment, TTFT and ITL.
pub fn tiles(status: &ClusterStatus) -> [Tile; 3] {
    let latency = |name, value: Option<f64>, target| {
        let (stand, words) = say::against(value, target);
        Tile { name, value: value.map_or_else(|| NONE.to_owned(), ms), unit: "ms", stand, words }
    };
    let (stand, words) = match status.attainment {
        Some(share) if share >= KEPT => (Stand::Within, "of requests meet both targets"),
        Some(_) => (Stand::Over, "of requests meet both targets; the others do not"),
        None => (Stand::Unknown, "not told by any source"),
    };
    let value = status.attainment.map_or_else(|| NONE.to_owned(), percent);
    [
        Tile { name: "SLO attainment", value, unit: "", stand, words: words.to_owned() },
        latency("TTFT", status.observed.ttft_ms, status.slo.ttft_ms),
        latency("ITL", status.observed.itl_ms, status.slo.itl_ms),
    ]
}

/// A source, as of now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceVm {
    /// Its name.
    pub name: &'static str,
    /// How it fares, with ages.
    pub fares: String,
    /// Whether it answers.
    pub live: bool,
    /// Ages of what it measures: `traffic 5 s`.
    pub ages: Vec<String>,
    /// What is wrong.
    pub message: Option<Message>,
}

/// Every source; `now_ms` is the time on the server's clock.
pub fn sources(snapshot: &Snapshot, now_ms: u64) -> Vec<SourceVm> {
    let source = |source: &Source| SourceVm {
        name: say::source(source.kind),
        fares: say::health(source, now_ms),
        live: source.health == engine::cluster::Health::Live,
        ages: ages(snapshot, source, now_ms),
        message: source.trouble.as_ref().map(|trouble| say::trouble(source.kind, trouble)),
    };
    snapshot.sources.iter().map(source).collect()
}

fn ages(snapshot: &Snapshot, source: &Source, now_ms: u64) -> Vec<String> {
    let Some(status) = &snapshot.status else { return Vec::new() };
    // A story's clock runs at its own speed.
    let speed = status.simulated.as_ref().map_or(1.0, |story| story.speed);
    let passed = (now_ms.saturating_sub(snapshot.at_ms) as f64 * speed).max(0.0) as u64;
    let now = status.now_ms.saturating_add(passed);
    let own = status.signals.iter().filter(|signal| signal.source == source.kind);
    own.map(|signal| {
        format!("{} {} old", say::measured(signal.what), duration(now.saturating_sub(signal.at_ms)))
    })
    .collect()
}

/// Workers of one role.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolVm {
    /// What they do.
    pub role: &'static str,
    /// Name of the component.
    pub name: Option<String>,
    /// Desired, scheduled, starting, ready, draining, and for how long that has been so.
    pub counts: [String; 6],
    /// GPUs each, floor, capacity, queue, KV cache: what is known of it.
    pub facts: Vec<String>,
    /// The workers, those that do not serve first.
    pub workers: Vec<WorkerVm>,
}

/// Names of the counts.
pub const COUNTS: [&str; 6] = ["Desired", "Scheduled", "Starting", "Ready", "Draining", "So for"];

/// One worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerVm {
    /// Its name.
    pub name: String,
    /// Its state and for how long.
    pub state: String,
    /// Why it does not serve, or how long its start took.
    pub note: String,
    /// Whether it serves.
    pub serves: bool,
}

/// Workers by role.
pub fn pools(status: &ClusterStatus) -> Vec<PoolVm> {
    status.pools.iter().map(|pool| pool_vm(pool, status.now_ms)).collect()
}

fn pool_vm(pool: &Pool, now_ms: u64) -> PoolVm {
    let text =
        |number: Option<u32>| number.map_or_else(|| NONE.to_owned(), |number| count(u64::from(number)));
    let Count { desired, scheduled, starting, ready, draining } = pool.count;
    let since = pool.since_ms.map_or_else(|| NONE.to_owned(), |since| duration(now_ms.saturating_sub(since)));
    let mut facts = Vec::new();
    facts.extend(
        pool.gpus_per_replica.map(|gpus| format!("{gpus} GPU{} each", if gpus == 1 { "" } else { "s" })),
    );
    facts.extend(pool.lower_bound.map(|bound| format!("at least {bound} by the throughput loop")));
    facts.extend(
        pool.capacity_per_sec.map(|rate| format!("{} requests/s each within the SLO", format::rate(rate))),
    );
    facts.extend(
        pool.queued_tokens
            .map(|tokens| format!("{} prompt tokens waiting", count(tokens.max(0.0).round() as u64))),
    );
    facts.extend(pool.kv_usage.map(|share| format!("{} of the KV cache in use", percent(share))));
    let mut workers: Vec<WorkerVm> = pool.workers.iter().map(|worker| worker_vm(worker, now_ms)).collect();
    order::sort_by_key(&mut workers, |worker| worker.serves);
    PoolVm {
        role: planner::role(pool.role),
        name: pool.name.clone(),
        counts: [text(desired), text(scheduled), text(starting), text(ready), text(draining), since],
        facts,
        workers,
    }
}

fn worker_vm(worker: &engine::cluster::Worker, now_ms: u64) -> WorkerVm {
    let state = say::worker(worker.state);
    let since = worker.since_ms.map(|since| duration(now_ms.saturating_sub(since)));
    let took = worker.start_ms.map(|took| format!("started within {}", duration(took)));
    WorkerVm {
        name: worker.name.clone(),
        state: since.map_or_else(|| state.to_owned(), |since| format!("{state} for {since}")),
        note: worker.why.clone().or(took).unwrap_or_default(),
        serves: worker.state == engine::cluster::WorkerState::Ready,
    }
}

/// The GPU budget as a bar.
#[derive(Clone, Debug, PartialEq)]
pub struct BudgetVm {
    /// Share of the bar in use, 0 to 1.
    pub used: f64,
    /// Share on the way.
    pub starting: f64,
    /// The same in words.
    pub words: String,
}

/// The GPU budget.
pub fn budget(status: &ClusterStatus) -> BudgetVm {
    let gpus = status.gpus;
    let (used, starting) = (f64::from(gpus.used.unwrap_or(0)), f64::from(gpus.starting.unwrap_or(0)));
    let most = gpus.most.map_or(0.0, f64::from).max(used + starting).max(1.0);
    BudgetVm { used: used / most, starting: starting / most, words: say::gpus(&gpus) }
}

/// A line of the decision log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRow {
    /// When, on the cluster's clock, ms.
    pub at_ms: u64,
    /// The same as text.
    pub time: String,
    /// `Prefill 1 → 2`.
    pub what: String,
    /// Who asked.
    pub by: &'static str,
    /// Why.
    pub why: String,
    /// Time until it was ready.
    pub ready: String,
}

/// Decisions, newest first.
pub fn log(decisions: &[Decision], slo: Slo, clock: Clock) -> Vec<LogRow> {
    let row = |decision: &Decision| LogRow {
        at_ms: decision.at_ms,
        time: clock.exact(decision.at_ms),
        what: planner::decision_title(decision),
        by: planner::decision_by(decision),
        why: planner::decision_why(decision, slo),
        ready: planner::decision_ready(decision).unwrap_or_else(|| NONE.to_owned()),
    };
    decisions.iter().rev().take(engine::cluster::DECISIONS).map(row).collect()
}

/// Something the cluster reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventVm {
    /// When.
    pub time: String,
    /// Whether it is a warning.
    pub warning: bool,
    /// What and why.
    pub text: String,
}

/// Most events that are shown.
const EVENTS: usize = 20;

/// What the cluster reported, newest first.
pub fn events(status: &ClusterStatus, clock: Clock) -> Vec<EventVm> {
    let event = |event: &Event| EventVm {
        time: clock.exact(event.at_ms),
        warning: event.warning,
        text: format!("{} {}: {}", event.about, event.reason, event.message),
    };
    status.events.iter().rev().take(EVENTS).map(event).collect()
}

/// What is known of the deployment, in short pieces.
pub fn deployment(status: &ClusterStatus) -> Vec<String> {
    let deployment = &status.deployment;
    let mut out = Vec::new();
    let name = match (&deployment.namespace, &deployment.name) {
        (Some(namespace), Some(name)) => Some(format!("{namespace}/{name}")),
        (None, name) => name.clone(),
        _ => None,
    };
    out.extend(name);
    out.extend(deployment.model.clone());
    out.extend(deployment.system.as_deref().map(|id| super::form::system_name(id).to_owned()));
    out.extend(deployment.state.clone());
    if let Some(ready) = &deployment.ready
        && ready.status != "True"
    {
        let why = ready.message.as_ref().or(ready.reason.as_ref()).cloned().unwrap_or_default();
        out.push(format!("not ready: {why}"));
    }
    out.extend(deployment.rollout.as_ref().map(|phase| format!("rollout {phase}")));
    out.extend(
        (deployment.observed == Some(false)).then(|| "its status is older than its specification".to_owned()),
    );
    if let Some(request) = &deployment.request {
        let phase = request.profiling.as_ref().or(request.phase.as_ref());
        out.push(phase.map_or_else(|| request.name.clone(), |phase| format!("{} {phase}", request.name)));
    }
    out
}

#[cfg(test)]
mod tests;
