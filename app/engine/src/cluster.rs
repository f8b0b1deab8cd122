//! What is known of a running cluster and its SLO planner: the type that server, simulator and page share.
//!
//! Its JSON is a promise to the outside (`/api/cluster`): fields may be added under the same [`SCHEMA`], never renamed.
//! Whatever a source does not tell is `None`; nothing is filled in. Times are milliseconds on the cluster's clock: since
//! 1970 for a real cluster, since the start of the story for a simulated one.

use serde::{Deserialize, Serialize};

/// Version of the JSON.
pub const SCHEMA: u32 = 1;

/// Most decisions carried along.
pub const DECISIONS: usize = 50;

/// What a pool of workers does. An aggregated worker does both, and the planner counts it as decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads prompts.
    Prefill,
    /// Writes tokens.
    Decode,
    /// Both.
    Agg,
}

/// Everything that a server knows at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Grows by one with every change; the `id` of the event.
    pub seq: u64,
    /// When it was made, Unix ms on the server's clock.
    pub at_ms: u64,
    /// Where the figures come from, and how those sources fare.
    pub sources: Vec<Source>,
    /// The last known status; none until a source has told something.
    pub status: Option<ClusterStatus>,
}

/// A source of figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// A story, simulated by the server.
    Simulated,
    /// Prometheus: traffic, latencies, the planner's own gauges.
    Prometheus,
    /// Kubernetes: replicas, conditions, pods, events.
    Kubernetes,
}

/// How a source fares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Nothing heard yet, nothing wrong yet.
    #[default]
    Starting,
    /// It answers.
    Live,
    /// It answered before and does not now.
    Stale,
    /// It has never answered.
    Down,
}

/// A source and how it fares. Times are Unix ms on the server's clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// Which.
    pub kind: SourceKind,
    /// How it fares.
    pub health: Health,
    /// Since when it fares so.
    pub since_ms: u64,
    /// When it last answered.
    pub heard_ms: Option<u64>,
    /// When it will be asked again.
    pub retry_ms: Option<u64>,
    /// What is wrong, or worth knowing although it answers.
    pub trouble: Option<Trouble>,
}

/// What is wrong with a source. Sentences for people are made of it in [`crate::text`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Trouble {
    /// Nobody answers at this address.
    Unreachable {
        /// The address, without credentials.
        url: String,
        /// What the network said.
        why: String,
    },
    /// No answer in time.
    Slow {
        /// The address, without credentials.
        url: String,
        /// Milliseconds waited.
        waited_ms: u64,
    },
    /// Credentials are missing, wrong or expired (401).
    Unauthorized {
        /// The address, without credentials.
        url: String,
    },
    /// The credentials do not reach this (403).
    Forbidden {
        /// What may not be read, for example `pods in namespace serving`.
        what: String,
    },
    /// There is no such thing (404).
    Missing {
        /// What there is not.
        what: String,
    },
    /// Too many requests (429).
    Throttled {
        /// The address, without credentials.
        url: String,
    },
    /// Another status than success.
    Status {
        /// The address, without credentials.
        url: String,
        /// The HTTP status.
        code: u16,
        /// The first words of the answer.
        why: String,
    },
    /// An answer that makes no sense.
    Malformed {
        /// The address, without credentials.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// It answers, and has nothing of what was asked for.
    Empty {
        /// What there was none of, for example `dynamo_planner_num_prefill_replicas`.
        what: String,
    },
    /// Several deployments, and none was chosen.
    Ambiguous {
        /// Their names, `namespace/name`.
        names: Vec<String>,
    },
}

/// The status of one deployment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClusterStatus {
    /// The cluster's clock.
    pub now_ms: u64,
    /// What plays, where the cluster is simulated.
    pub simulated: Option<Simulated>,
    /// Which deployment.
    pub deployment: Deployment,
    /// The targets.
    pub slo: Slo,
    /// Workers by role.
    pub pools: Vec<Pool>,
    /// GPUs in use and allowed.
    pub gpus: Gpus,
    /// Traffic as measured in the last window.
    pub observed: Traffic,
    /// Traffic as the planner expects it.
    pub predicted: Traffic,
    /// Latencies that the planner estimates for the worst engine.
    pub estimated: Latency,
    /// Share of requests that meet both targets, 0 to 1.
    pub attainment: Option<f64>,
    /// What the planner said last.
    pub planner: PlannerSays,
    /// The last changes, oldest first, at most [`DECISIONS`].
    pub decisions: Vec<Decision>,
    /// What the cluster says about workers and deployment, oldest first.
    pub events: Vec<Event>,
    /// When each group of figures was measured.
    pub signals: Vec<Signal>,
}

/// A story that the server plays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Simulated {
    /// Simulated seconds per second.
    pub speed: f64,
    /// Milliseconds until it begins again.
    pub length_ms: u64,
    /// How often it has begun again.
    pub round: u64,
}

/// Which deployment, and how Kubernetes sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    /// Name of the `DynamoGraphDeployment`.
    pub name: Option<String>,
    /// Its namespace.
    pub namespace: Option<String>,
    /// The model as clients name it.
    pub model: Option<String>,
    /// GPU system, where it is known.
    pub system: Option<String>,
    /// `status.state`: initializing, pending, successful, failed.
    pub state: Option<String>,
    /// The condition `Ready`.
    pub ready: Option<Condition>,
    /// `status.rollingUpdate.phase`: Pending, `InProgress`, Completed, Failed.
    pub rollout: Option<String>,
    /// The request that made it.
    pub request: Option<Request>,
    /// Whether its status speaks of its newest specification.
    pub observed: Option<bool>,
}

/// A condition of Kubernetes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// One word.
    pub reason: Option<String>,
    /// A sentence of the operator.
    pub message: Option<String>,
    /// Since when.
    pub since_ms: Option<u64>,
}

/// A `DynamoGraphDeploymentRequest`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Its name.
    pub name: String,
    /// Pending, Profiling, Ready, Deploying, Deployed, Failed.
    pub phase: Option<String>,
    /// `SweepingPrefill` and so on.
    pub profiling: Option<String>,
}

/// The targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Slo {
    /// Time to first token, ms.
    pub ttft_ms: Option<f64>,
    /// Inter-token latency, ms.
    pub itl_ms: Option<f64>,
}

/// Two latencies, in ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Time to first token.
    pub ttft_ms: Option<f64>,
    /// Inter-token latency.
    pub itl_ms: Option<f64>,
}

/// Traffic of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// Requests that arrive each second.
    pub requests_per_sec: Option<f64>,
    /// Mean tokens of a prompt.
    pub isl: Option<f64>,
    /// Mean tokens of an answer.
    pub osl: Option<f64>,
    /// Mean time to first token, ms.
    pub ttft_ms: Option<f64>,
    /// Mean inter-token latency, ms.
    pub itl_ms: Option<f64>,
    /// Share of prompt tokens found in the KV cache, 0 to 1.
    pub kv_hit_rate: Option<f64>,
    /// Requests being served.
    pub in_flight: Option<f64>,
}

/// Workers of one role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    /// What they do.
    pub role: Role,
    /// Name of the component, where the source has one.
    pub name: Option<String>,
    /// Workers by state.
    pub count: Count,
    /// GPUs of one worker.
    pub gpus_per_replica: Option<u32>,
    /// Since when the counts are what they are.
    pub since_ms: Option<u64>,
    /// Fewest workers that the throughput loop allows now.
    pub lower_bound: Option<u32>,
    /// Requests per second of one worker under the SLO, as the planner reckons.
    pub capacity_per_sec: Option<f64>,
    /// Prompt tokens that wait, all workers together.
    pub queued_tokens: Option<f64>,
    /// Share of KV cache in use, 0 to 1, mean of the workers.
    pub kv_usage: Option<f64>,
    /// The workers, where they are known one by one.
    pub workers: Vec<Worker>,
}

/// Workers of a role by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Asked for.
    pub desired: Option<u32>,
    /// Given a node.
    pub scheduled: Option<u32>,
    /// On the way.
    pub starting: Option<u32>,
    /// Serving.
    pub ready: Option<u32>,
    /// Finishing what they have.
    pub draining: Option<u32>,
}

/// State of one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerState {
    /// Waits for a node.
    Waiting,
    /// Pulls its image, loads the weights.
    Starting,
    /// Serves.
    Ready,
    /// Takes nothing new.
    Draining,
    /// Does not come up, or fell.
    Failed,
}

/// One worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Worker {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: WorkerState,
    /// Since when.
    pub since_ms: Option<u64>,
    /// How long it took from its creation until it was ready.
    pub start_ms: Option<u64>,
    /// Why it is not ready, in the words of the cluster.
    pub why: Option<String>,
}

/// GPUs of the deployment's workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gpus {
    /// Of workers that are ready or draining.
    pub used: Option<u32>,
    /// Of workers on the way.
    pub starting: Option<u32>,
    /// Most that the planner may use.
    pub most: Option<u32>,
    /// Fewest that it must use.
    pub fewest: Option<u32>,
}

/// The planner's last words. Reasons are Dynamo's own names, such as `scaling_in_progress`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PlannerSays {
    /// Reason of the load loop.
    pub load: Option<String>,
    /// The same for prefill alone.
    pub load_prefill: Option<String>,
    /// The same for decode alone.
    pub load_decode: Option<String>,
    /// Reason of the throughput loop.
    pub throughput: Option<String>,
    /// When it last decided.
    pub at_ms: Option<u64>,
    /// GPU-hours since it started, by its own count.
    pub gpu_hours: Option<f64>,
}

/// Who asked for a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loop {
    /// The load loop.
    Load,
    /// The throughput loop.
    Throughput,
    /// The GPU budget or a floor.
    Budget,
    /// Nobody knows: seen from the counts alone.
    Seen,
}

/// A change of replicas.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// When.
    pub at_ms: u64,
    /// Which workers.
    pub role: Role,
    /// From how many, those on the way included.
    pub from: u32,
    /// To how many.
    pub to: u32,
    /// Workers that serve at that moment.
    pub ready: Option<u32>,
    /// Who asked.
    pub by: Loop,
    /// Why, in Dynamo's own name.
    pub reason: Option<String>,
    /// The planner's estimates at that moment.
    pub estimated: Latency,
    /// Whether it takes back workers that never served.
    pub cancels: bool,
    /// When the new workers served.
    pub ready_ms: Option<u64>,
}

/// Something the cluster reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When it was last seen.
    pub at_ms: u64,
    /// Whether it is a warning.
    pub warning: bool,
    /// What it is about, for example `Pod/prefill-1`.
    pub about: String,
    /// One word.
    pub reason: String,
    /// A sentence of the cluster.
    pub message: String,
}

/// When a group of figures was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    /// Which figures.
    pub what: Measured,
    /// When, on the cluster's clock.
    pub at_ms: u64,
    /// Who says so.
    pub source: SourceKind,
}

/// A group of figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measured {
    /// Requests, lengths and latencies.
    Traffic,
    /// Replica counts.
    Replicas,
    /// The planner's decisions and estimates.
    Planner,
    /// The engines' queues and KV caches.
    Engines,
}

/// One moment of the timelines: what live status and simulated runs are drawn from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// When.
    pub at_ms: u64,
    /// Requests that arrive each second.
    pub requests_per_sec: Option<f64>,
    /// The same as predicted.
    pub predicted_per_sec: Option<f64>,
    /// Requests per second that the ready workers can serve under the SLO, as the planner reckons: the narrower role.
    pub capacity_per_sec: Option<f64>,
    /// Mean tokens of a prompt.
    pub isl: Option<f64>,
    /// Mean tokens of an answer.
    pub osl: Option<f64>,
    /// Time to first token, ms.
    pub ttft_ms: Option<f64>,
    /// Inter-token latency, ms.
    pub itl_ms: Option<f64>,
    /// The same as the planner estimates it for the worst engine.
    pub estimated_ttft_ms: Option<f64>,
    /// The same as the planner estimates it for the worst engine.
    pub estimated_itl_ms: Option<f64>,
    /// Share of requests that meet both targets, 0 to 1.
    pub attainment: Option<f64>,
    /// Prefill workers.
    pub prefill: Count,
    /// Decode or aggregated workers.
    pub decode: Count,
    /// Prompt tokens that wait.
    pub queued_tokens: Option<f64>,
    /// Share of the decode workers' KV cache in use, 0 to 1.
    pub kv_usage: Option<f64>,
    /// GPUs of all workers, those on the way included.
    pub gpus: Option<u32>,
}

/// What was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Time between samples.
    pub step_ms: u64,
    /// Moments, oldest first.
    pub samples: Vec<Sample>,
    /// Changes of replicas in that time, oldest first.
    pub decisions: Vec<Decision>,
}

impl ClusterStatus {
    /// The pool of a role.
    pub fn pool(&self, role: Role) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.role == role)
    }

    /// This moment on the timelines.
    pub fn sample(&self) -> Sample {
        let prefill = self.pool(Role::Prefill);
        let decode = self.pool(Role::Decode).or_else(|| self.pool(Role::Agg));
        let capacity = |pool: Option<&Pool>| {
            let pool = pool?;
            Some(pool.capacity_per_sec? * f64::from(pool.count.ready?))
        };
        let capacity_per_sec = match (capacity(prefill), capacity(decode)) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (None, other) if prefill.is_none() => other,
            (one, None) if decode.is_none() => one,
            _ => None,
        };
        let gpus = match (self.gpus.used, self.gpus.starting) {
            (Some(used), starting) => Some(used.saturating_add(starting.unwrap_or(0))),
            (None, starting) => starting,
        };
        Sample {
            at_ms: self.now_ms,
            requests_per_sec: self.observed.requests_per_sec,
            predicted_per_sec: self.predicted.requests_per_sec,
            capacity_per_sec,
            isl: self.observed.isl,
            osl: self.observed.osl,
            ttft_ms: self.observed.ttft_ms,
            itl_ms: self.observed.itl_ms,
            estimated_ttft_ms: self.estimated.ttft_ms,
            estimated_itl_ms: self.estimated.itl_ms,
            attainment: self.attainment,
            prefill: prefill.map_or_else(Count::default, |pool| pool.count),
            decode: decode.map_or_else(Count::default, |pool| pool.count),
            queued_tokens: prefill.or(decode).and_then(|pool| pool.queued_tokens),
            kv_usage: decode.and_then(|pool| pool.kv_usage),
            gpus,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(role: Role, ready: u32, capacity_per_sec: f64) -> Pool {
        Pool {
            role,
            name: None,
            count: Count { ready: Some(ready), ..Count::default() },
            gpus_per_replica: Some(1),
            since_ms: None,
            lower_bound: None,
            capacity_per_sec: Some(capacity_per_sec),
            queued_tokens: None,
            kv_usage: None,
            workers: Vec::new(),
        }
    }

    #[test]
    fn the_narrower_role_is_the_capacity() {
        let pools = vec![pool(Role::Prefill, 2, 5.0), pool(Role::Decode, 1, 28.0)];
        let status = ClusterStatus { pools, ..ClusterStatus::default() };
        assert_eq!(status.sample().capacity_per_sec, Some(10.0));
        let status = ClusterStatus { pools: vec![pool(Role::Agg, 3, 4.0)], ..ClusterStatus::default() };
        assert_eq!(status.sample().capacity_per_sec, Some(12.0));
        assert_eq!(ClusterStatus::default().sample().capacity_per_sec, None);
    }

    #[test]
    fn what_is_not_known_stays_unknown_in_json() {
        let status = ClusterStatus::default();
        let json = serde_json::to_value(&status).unwrap();
        assert!(json["observed"]["ttft_ms"].is_null() && json["attainment"].is_null());
        assert_eq!(serde_json::from_value::<ClusterStatus>(json).unwrap(), status);
    }
}
