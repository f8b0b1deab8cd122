//! What the planner decided and why nothing happens, in plain words.

use super::{capital, excerpt, number_of};
use crate::cluster::{
    ClusterStatus, Decision, Gpus, Latency, Loop, Pool, Role, Slo, Traffic, Worker, WorkerState,
};
use crate::format::{count, duration, ms, rate, typed};

/// The numbers behind a reason; what is not known is left out of the sentence.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// The workers it is about; none for all of them.
    pub pool: Option<&'a Pool>,
    /// What they do, where their pool is not known.
    pub role: Option<Role>,
    /// The planner's estimates.
    pub estimated: Latency,
    /// The targets.
    pub slo: Slo,
    /// GPUs in use and allowed.
    pub gpus: Gpus,
    /// Traffic as expected.
    pub predicted: Traffic,
    /// The cluster's clock.
    pub now_ms: u64,
}

impl<'a> Facts<'a> {
    /// What a status knows about the workers of a role, or about all of them.
    pub fn of(status: &'a ClusterStatus, role: Option<Role>) -> Self {
        Self {
            pool: role.and_then(|role| status.pool(role)),
            role,
            estimated: status.estimated,
            slo: status.slo,
            gpus: status.gpus,
            predicted: status.predicted,
            now_ms: status.now_ms,
        }
    }

    fn workers(&self) -> &'static str {
        match self.role {
            Some(Role::Prefill) => "prefill worker",
            Some(Role::Decode) => "decode worker",
            Some(Role::Agg) | None => "worker",
        }
    }

    /// ` (TTFT 36,920 ms of at most 500 ms)`: the estimates that count for the role; empty where none is known.
    fn estimates(&self) -> String {
        let latency = |name, estimate: Option<f64>, target: Option<f64>| {
            let most = target.map_or_else(String::new, |most| format!(" of at most {} ms", typed(most)));
            Some(format!("{name} {} ms{most}", ms(estimate?)))
        };
        let ttft = latency("TTFT", self.estimated.ttft_ms, self.slo.ttft_ms)
            .filter(|_| self.role != Some(Role::Decode));
        let itl = latency("ITL", self.estimated.itl_ms, self.slo.itl_ms)
            .filter(|_| self.role != Some(Role::Prefill));
        brackets(&ttft.into_iter().chain(itl).collect::<Vec<_>>())
    }

    fn budget(&self) -> String {
        let used = self.gpus.used.map(|used| used.saturating_add(self.gpus.starting.unwrap_or(0)));
        let parts = match (used, self.gpus.most) {
            (Some(used), Some(most)) => vec![format!("{used} of at most {}", number_of(most, "GPU"))],
            (None, Some(most)) => vec![format!("at most {}", number_of(most, "GPU"))],
            (Some(used), None) => vec![number_of(used, "GPU")],
            (None, None) => Vec::new(),
        };
        brackets(&parts)
    }

    fn bound(&self) -> String {
        let bound = self.pool.and_then(|pool| pool.lower_bound);
        bound.map_or_else(
            || "as many as there are".to_owned(),
            |bound| format!("at least {}", number_of(bound, self.workers())),
        )
    }

    /// `1 of 2 prefill workers is ready, one has been starting for 2 min.`
    fn starting(&self) -> String {
        let Some(pool) = self.pool else { return String::new() };
        let counts = match (pool.count.ready, pool.count.desired) {
            (Some(ready), Some(desired)) => {
                format!(" {ready} of {} ready.", number_of(desired, self.workers()))
            }
            _ => String::new(),
        };
        let on_the_way =
            |worker: &&Worker| !matches!(worker.state, WorkerState::Ready | WorkerState::Draining);
        let worker = pool.workers.iter().find(on_the_way);
        let worker = worker
            .map_or_else(String::new, |worker| format!(" Worker {}.", worker_state(worker, self.now_ms)));
        counts + &worker
    }

    fn expected(&self) -> String {
        let rate =
            self.predicted.requests_per_sec.map(|per_sec| format!("{} requests/s expected", rate(per_sec)));
        brackets(&rate.into_iter().collect::<Vec<_>>())
    }
}

fn brackets(parts: &[String]) -> String {
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
}

/// `Prefill`, `Decode`, `Aggregated`.
pub const fn role(role: Role) -> &'static str {
    match role {
        Role::Prefill => "Prefill",
        Role::Decode => "Decode",
        Role::Agg => "Aggregated",
    }
}

/// `prefill-1 has been starting for 2 min: image is pulled`.
pub fn worker_state(worker: &Worker, now_ms: u64) -> String {
    let state = match worker.state {
        WorkerState::Waiting => "waiting for a node",
        WorkerState::Starting => "starting",
        WorkerState::Ready => "ready",
        WorkerState::Draining => "draining",
        WorkerState::Failed => "failing",
    };
    let time = match worker.since_ms {
        Some(since) => format!("has been {state} for {}", duration(now_ms.saturating_sub(since))),
        None => format!("is {state}"),
    };
    let why = worker.why.as_deref().map_or_else(String::new, |why| format!(": {}", excerpt(why)));
    format!("{} {time}{why}", excerpt(&worker.name))
}

/// What the load loop's reason means, under Dynamo's name for it.
pub fn load_reason(name: &str, facts: &Facts<'_>) -> String {
    let worker = facts.workers();
    match name {
        "unset" => "The load loop has not decided yet.".to_owned(),
        "disabled" => "The load loop is off, so short bursts change nothing.".to_owned(),
        "no_fpm_data" => "Nothing happens because no engine has reported its load.".to_owned(),
        "scaling_in_progress" => {
            format!("Nothing happens because an earlier change is still under way.{}", facts.starting())
        }
        "worker_count_mismatch" => {
            "Nothing happens because the engines that report are not those that are ready.".to_owned()
        }
        "insufficient_data" => {
            "Nothing happens because the engines have reported too little to judge by.".to_owned()
        }
        "no_change" => format!("Nothing needs to change{}.", facts.estimates()),
        "scale_up" => format!("Every {worker} is estimated above its target{}.", facts.estimates()),
        "scale_down" => format!("One {worker} fewer still meets the target{}.", facts.estimates()),
        "scale_down_capped_by_throughput" => {
            format!("The load needs one {worker} fewer, but the throughput loop wants {}.", facts.bound())
        }
        "scale_down_refused_consolidation" => format!(
            "One {worker} fewer was considered, but the others could not take its work within the target{}.",
            facts.estimates()
        ),
        other => shared_reason(other, facts),
    }
}

/// What the throughput loop's reason means, under Dynamo's name for it.
pub fn throughput_reason(name: &str, facts: &Facts<'_>) -> String {
    match name {
        "unset" => "The throughput loop has not decided yet.".to_owned(),
        "disabled" => "The throughput loop is off.".to_owned(),
        "no_traffic_data" => {
            "Nothing happens because the last window's traffic could not be read.".to_owned()
        }
        "predict_failed" => "Nothing happens because traffic could not be predicted.".to_owned(),
        "model_not_ready" => {
            "Nothing happens because the planner does not know yet what a worker can do.".to_owned()
        }
        "partner_not_ready" => {
            "Nothing happens because the planner does not know yet what a worker of the other role can do."
                .to_owned()
        }
        "set_lower_bound" => {
            let bound = facts.pool.and_then(|pool| pool.lower_bound);
            let workers = bound.map_or_else(
                || "the fewest workers that the load loop may leave".to_owned(),
                |bound| format!("at least {}", number_of(bound, facts.workers())),
            );
            format!("The expected traffic sets a floor: {workers}{}.", facts.expected())
        }
        "scale" => format!("The expected traffic needs another number of workers{}.", facts.expected()),
        "no_change" => format!("The expected traffic needs no other number of workers{}.", facts.expected()),
        "circuit_open" => {
            "The throughput loop failed several times and is left out until it recovers.".to_owned()
        }
        other => shared_reason(other, facts),
    }
}

fn shared_reason(name: &str, facts: &Facts<'_>) -> String {
    match name {
        "override_by_user_plugin" => "A plugin of the installation decided instead.".to_owned(),
        "reconcile_clamped_to_floor" => {
            format!("The plugins' floor for {}s was reached.", facts.workers())
        }
        "reconcile_clamped_to_ceiling" => {
            format!("The plugins' ceiling for {}s was reached.", facts.workers())
        }
        "held_over" => "An earlier decision still holds; this loop was not due.".to_owned(),
        "rejected_by_plugin" => {
            "Nothing happens because a plugin of the installation refused the change.".to_owned()
        }
        "gpu_budget_guard_hold" => {
            format!("Nothing happens because the change would leave the GPU budget{}.", facts.budget())
        }
        "gpu_budget_reconcile" => {
            format!("The number of workers follows the GPU budget or a floor{}.", facts.budget())
        }
        other => format!("The planner says “{}”.", excerpt(other)),
    }
}

/// What the planner says of one role, or of all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Says {
    /// Which workers or which loop: `Prefill`, `Load loop`, `Throughput loop`.
    pub who: &'static str,
    /// The sentence.
    pub says: String,
}

/// What each loop last said, role by role where that is known; empty when nothing is.
pub fn planner_says(status: &ClusterStatus) -> Vec<Says> {
    let planner = &status.planner;
    let mut out = Vec::new();
    for pool in &status.pools {
        let own = match pool.role {
            Role::Prefill => planner.load_prefill.as_ref(),
            Role::Decode | Role::Agg => planner.load_decode.as_ref(),
        };
        if let Some(name) = own.or(planner.load.as_ref()) {
            let says = load_reason(name, &Facts::of(status, Some(pool.role)));
            out.push(Says { who: role(pool.role), says });
        }
    }
    if let (true, Some(name)) = (out.is_empty(), &planner.load) {
        out.push(Says { who: "Load loop", says: load_reason(name, &Facts::of(status, None)) });
    }
    if let Some(name) = &planner.throughput {
        out.push(Says { who: "Throughput loop", says: throughput_reason(name, &Facts::of(status, None)) });
    }
    out
}

/// `Prefill 1 → 2`.
pub fn decision_title(decision: &Decision) -> String {
    let of = |number: u32| count(u64::from(number));
    format!("{} {} → {}", role(decision.role), of(decision.from), of(decision.to))
}

/// Who asked for it.
pub const fn decision_by(decision: &Decision) -> &'static str {
    match decision.by {
        Loop::Load => "load loop",
        Loop::Throughput => "throughput loop",
        Loop::Budget => "GPU budget",
        Loop::Seen => "not known, seen from the counts",
    }
}

/// Why it was made.
pub fn decision_why(decision: &Decision, slo: Slo) -> String {
    let facts = Facts { role: Some(decision.role), estimated: decision.estimated, slo, ..Facts::default() };
    let why = match (decision.reason.as_deref(), decision.by) {
        (Some(name), Loop::Throughput) => throughput_reason(name, &facts),
        (Some(name), _) => load_reason(name, &facts),
        (None, Loop::Budget) => "The number of workers follows the GPU budget or a floor.".to_owned(),
        (None, _) => "No reason was given.".to_owned(),
    };
    if decision.cancels { format!("Workers that never served are taken back. {why}") } else { why }
}

/// How long its new workers took; none for those that need none.
pub fn decision_ready(decision: &Decision) -> Option<String> {
    (decision.to > decision.from).then(|| match decision.ready_ms {
        Some(ready) => format!("ready after {}", duration(ready.saturating_sub(decision.at_ms))),
        None => "not ready yet".to_owned(),
    })
}

/// All of it in one sentence or two.
pub fn decision(decision: &Decision, slo: Slo) -> String {
    let by = match decision.by {
        Loop::Seen => String::new(),
        _ => format!(", by the {}", decision_by(decision)),
    };
    let ready = decision_ready(decision).map_or_else(String::new, |ready| format!(" {}.", capital(&ready)));
    format!("{}{by}. {}{ready}", decision_title(decision), decision_why(decision, slo))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Count, PlannerSays};

    const LOAD: [&str; 18] = [
        "unset",
        "disabled",
        "no_fpm_data",
        "scaling_in_progress",
        "worker_count_mismatch",
        "insufficient_data",
        "no_change",
        "scale_up",
        "scale_down",
        "scale_down_capped_by_throughput",
        "scale_down_refused_consolidation",
        "override_by_user_plugin",
        "reconcile_clamped_to_floor",
        "reconcile_clamped_to_ceiling",
        "held_over",
        "rejected_by_plugin",
        "gpu_budget_guard_hold",
        "gpu_budget_reconcile",
    ];
    const THROUGHPUT: [&str; 15] = [
        "unset",
        "disabled",
        "no_traffic_data",
        "predict_failed",
        "model_not_ready",
        "partner_not_ready",
        "set_lower_bound",
        "scale",
        "override_by_user_plugin",
        "held_over",
        "circuit_open",
        "rejected_by_plugin",
        "gpu_budget_guard_hold",
        "no_change",
        "gpu_budget_reconcile",
    ];

    fn status() -> ClusterStatus {
        let worker = Worker {
            name: "prefill-1".to_owned(),
            state: WorkerState::Waiting,
            since_ms: Some(60_000),
            start_ms: None,
            why: Some("0/4 nodes have a free GPU".to_owned()),
        };
        let pool = Pool {
            role: Role::Prefill,
            name: None,
            count: Count { desired: Some(2), ready: Some(1), starting: Some(1), ..Count::default() },
            gpus_per_replica: Some(1),
            since_ms: Some(60_000),
            lower_bound: Some(2),
            capacity_per_sec: None,
            queued_tokens: None,
            kv_usage: None,
            workers: vec![worker],
        };
        let slo = Slo { ttft_ms: Some(500.0), itl_ms: Some(30.0) };
        let gpus = Gpus { used: Some(2), starting: Some(1), most: Some(3), fewest: None };
        ClusterStatus { now_ms: 180_000, slo, pools: vec![pool], gpus, ..ClusterStatus::default() }
    }

    #[test]
    fn every_reason_of_the_planner_has_words_of_its_own() {
        let status = status();
        let facts = Facts::of(&status, Some(Role::Prefill));
        for (names, say) in [
            (LOAD.as_slice(), load_reason as fn(&str, &Facts<'_>) -> String),
            (THROUGHPUT.as_slice(), throughput_reason),
        ] {
            let all: Vec<String> = names.iter().map(|name| say(name, &facts)).collect();
            for (at, text) in all.iter().enumerate() {
                assert!(text.ends_with('.') && !text.contains('_') && !text.contains('“'), "{text}");
                assert!(!all[..at].contains(text), "{text} is said twice");
            }
        }
        assert_eq!(load_reason("brand_new", &facts), "The planner says “brand_new”.");
    }

    #[test]
    fn why_nothing_happens_names_the_worker_that_is_waited_for() {
        let planner = PlannerSays { load: Some("scaling_in_progress".to_owned()), ..PlannerSays::default() };
        let says = planner_says(&ClusterStatus { planner, ..status() });
        assert_eq!(says.len(), 1);
        assert_eq!(says[0].who, "Prefill");
        assert_eq!(
            says[0].says,
            "Nothing happens because an earlier change is still under way. 1 of 2 prefill workers ready. \
             Worker prefill-1 has been waiting for a node for 2 min: 0/4 nodes have a free GPU."
        );
    }

    #[test]
    fn a_role_s_own_reason_comes_before_the_common_one() {
        let planner = PlannerSays {
            load: Some("scale_up".to_owned()),
            load_prefill: Some("gpu_budget_guard_hold".to_owned()),
            throughput: Some("set_lower_bound".to_owned()),
            ..PlannerSays::default()
        };
        let says = planner_says(&ClusterStatus { planner: planner.clone(), ..status() });
        assert!(says[0].says.contains("GPU budget (3 of at most 3 GPUs)"), "{}", says[0].says);
        assert_eq!(says[1].who, "Throughput loop");
        let bare = planner_says(&ClusterStatus { planner, ..ClusterStatus::default() });
        assert_eq!(bare[0].who, "Load loop");
    }

    #[test]
    fn decisions_are_sentences() {
        let up = Decision {
            at_ms: 65_000,
            role: Role::Prefill,
            from: 1,
            to: 2,
            ready: Some(1),
            by: Loop::Load,
            reason: Some("scale_up".to_owned()),
            estimated: Latency { ttft_ms: Some(36_920.0), itl_ms: Some(11.6) },
            cancels: false,
            ready_ms: Some(245_000),
        };
        let slo = Slo { ttft_ms: Some(500.0), itl_ms: Some(30.0) };
        assert_eq!(
            decision(&up, slo),
            "Prefill 1 → 2, by the load loop. Every prefill worker is estimated above its target \
             (TTFT 36,920 ms of at most 500 ms). Ready after 3 min."
        );
        let seen = Decision { by: Loop::Seen, reason: None, ready_ms: None, ..up.clone() };
        assert_eq!(decision(&seen, slo), "Prefill 1 → 2. No reason was given. Not ready yet.");
        let back = Decision { from: 2, to: 1, cancels: true, reason: Some("scale_down".to_owned()), ..up };
        assert!(decision(&back, Slo::default()).contains("never served are taken back"));
        assert_eq!(decision_ready(&back), None);
    }
}
