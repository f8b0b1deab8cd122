//! Changes of replicas: told by a source, or seen from one status to the next.

use std::collections::BTreeMap;

use engine::cluster::{ClusterStatus, Count, DECISIONS, Decision, Latency, Loop, PlannerSays, Role, Sample};

use super::history::SPAN_MS;

/// Most that are kept; far more than a planner makes in the time that is kept.
const MOST: usize = 1_000;

/// What is known of changes, by time and role.
#[derive(Debug, Default)]
pub(crate) struct Decisions {
    known: BTreeMap<(u64, Role), Decision>,
    desired: BTreeMap<Role, u32>,
    told: bool,
}

impl Decisions {
    /// Learns from the newest status, and writes the last changes into it.
    pub(crate) fn note(&mut self, status: &mut ClusterStatus) {
        let told = status.simulated.is_some() || !status.decisions.is_empty();
        if told && !self.told {
            self.known.clear();
        }
        self.told |= told;
        if self.told {
            for decision in &status.decisions {
                self.known.insert((decision.at_ms, decision.role), decision.clone());
            }
        } else {
            for pool in &status.pools {
                let seen = Seen { at_ms: status.now_ms, role: pool.role, count: pool.count };
                self.see(&seen, status.estimated, Some(&status.planner));
            }
        }
        while self.known.len() > MOST
            || self.known.first_key_value().is_some_and(|((at, _), _)| at + SPAN_MS < status.now_ms)
        {
            self.known.pop_first();
        }
        let skip = self.known.len().saturating_sub(DECISIONS);
        status.decisions = self.known.values().skip(skip).cloned().collect();
    }

    /// Learns from earlier moments, where nothing is known of that time yet.
    pub(crate) fn remember(&mut self, past: &[Sample], status: &ClusterStatus) {
        if self.told || !status.decisions.is_empty() || !self.desired.is_empty() {
            return;
        }
        let decode = if status.pool(Role::Agg).is_some() { Role::Agg } else { Role::Decode };
        for sample in past {
            let estimated = Latency { ttft_ms: sample.estimated_ttft_ms, itl_ms: sample.estimated_itl_ms };
            for (role, count) in [(Role::Prefill, sample.prefill), (decode, sample.decode)] {
                self.see(&Seen { at_ms: sample.at_ms, role, count }, estimated, None);
            }
        }
    }

    fn see(&mut self, seen: &Seen, estimated: Latency, planner: Option<&PlannerSays>) {
        let &Seen { at_ms, role, count } = seen;
        if let Some(last) = self.known.values_mut().rev().find(|decision| decision.role == role)
            && last.to > last.from
            && last.ready_ms.is_none()
            && count.ready.is_some_and(|ready| ready >= last.to)
        {
            last.ready_ms = Some(at_ms);
        }
        let Some(to) = count.desired else { return };
        let Some(from) = self.desired.insert(role, to).filter(|from| *from != to) else { return };
        let decision = Decision {
            at_ms,
            role,
            from,
            to,
            ready: count.ready,
            by: Loop::Seen,
            reason: planner.and_then(|said| reason(said, role, to > from)),
            estimated,
            cancels: to < from && count.ready.is_some_and(|ready| ready <= to),
            ready_ms: None,
        };
        self.known.insert((at_ms, role), decision);
    }

    /// Those from `from_ms` on, oldest first.
    pub(crate) fn since(&self, from_ms: u64) -> Vec<Decision> {
        self.known.range((from_ms, Role::Prefill)..).map(|(_, decision)| decision.clone()).collect()
    }
}

/// A role at a moment.
struct Seen {
    at_ms: u64,
    role: Role,
    count: Count,
}

/// What the planner said that goes with a change in this direction; what it said of something else is no reason.
fn reason(said: &PlannerSays, role: Role, up: bool) -> Option<String> {
    let of_role = if role == Role::Prefill { &said.load_prefill } else { &said.load_decode };
    let fits = |reason: &&String| match reason.as_str() {
        "scale"
        | "gpu_budget_reconcile"
        | "reconcile_clamped_to_floor"
        | "reconcile_clamped_to_ceiling"
        | "override_by_user_plugin" => true,
        "scale_up" => up,
        "scale_down" | "scale_down_capped_by_throughput" => !up,
        _ => false,
    };
    [of_role, &said.load, &said.throughput].into_iter().flatten().find(fits).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::cluster::{Pool, Simulated};

    fn status(now_ms: u64, desired: u32, ready: u32, load: &str) -> ClusterStatus {
        let pool = Pool {
            role: Role::Prefill,
            name: None,
            count: Count { desired: Some(desired), ready: Some(ready), ..Count::default() },
            gpus_per_replica: None,
            since_ms: None,
            lower_bound: None,
            capacity_per_sec: None,
            queued_tokens: None,
            kv_usage: None,
            workers: Vec::new(),
        };
        ClusterStatus {
            now_ms,
            pools: vec![pool],
            planner: PlannerSays { load: Some(load.into()), ..PlannerSays::default() },
            ..ClusterStatus::default()
        }
    }

    /// The decisions after each of these statuses.
    fn after(decisions: &mut Decisions, statuses: impl IntoIterator<Item = ClusterStatus>) -> Vec<Decision> {
        statuses
            .into_iter()
            .map(|mut status| {
                decisions.note(&mut status);
                status.decisions
            })
            .last()
            .unwrap_or_default()
    }

    #[test]
    fn changes_are_seen_with_the_reason_that_goes_with_them() {
        let mut decisions = Decisions::default();
        let seen = after(
            &mut decisions,
            [
                status(1, 1, 1, "no_change"),
                status(2, 2, 1, "scale_up"),
                status(3, 2, 1, "scaling_in_progress"),
                status(4, 2, 2, "no_change"),
                status(5, 3, 2, "scaling_in_progress"),
                status(6, 2, 2, "scale_down"),
            ],
        );
        let short: Vec<_> = seen
            .iter()
            .map(|d| (d.at_ms, d.from, d.to, d.reason.as_deref(), d.cancels, d.ready_ms))
            .collect();
        assert_eq!(
            short,
            [
                (2, 1, 2, Some("scale_up"), false, Some(4)),
                (5, 2, 3, None, false, None),
                (6, 3, 2, Some("scale_down"), true, None),
            ]
        );
        assert!(seen.iter().all(|decision| decision.by == Loop::Seen));
        assert_eq!(decisions.since(5).len(), 2);
    }

    #[test]
    fn what_a_source_tells_is_taken_as_it_is() {
        let mut decisions = Decisions::default();
        let mut story = |now_ms, desired, told: Vec<Decision>| {
            let mut status = status(now_ms, desired, 1, "scale_up");
            status.simulated = Some(Simulated { speed: 20.0, length_ms: 100, round: 0 });
            status.decisions = told;
            decisions.note(&mut status);
            status.decisions
        };
        assert_eq!(story(1, 1, Vec::new()), []);
        assert_eq!(story(2, 2, Vec::new()), [], "the story says nothing, so nothing is made up");
        let told = Decision {
            at_ms: 2,
            role: Role::Prefill,
            from: 1,
            to: 2,
            ready: Some(1),
            by: Loop::Load,
            reason: Some("scale_up".into()),
            estimated: Latency::default(),
            cancels: false,
            ready_ms: None,
        };
        assert_eq!(story(3, 2, vec![told.clone()]), [told]);
    }

    #[test]
    fn the_past_tells_decisions_only_of_a_time_nobody_saw() {
        let mut decisions = Decisions::default();
        let past: Vec<Sample> =
            [(10, 1), (20, 2)].map(|(at, desired)| status(at, desired, 1, "").sample()).to_vec();
        decisions.remember(&past, &status(30, 2, 2, ""));
        let seen = after(&mut decisions, [status(30, 2, 2, "no_change")]);
        assert_eq!(seen.len(), 1);
        assert_eq!((seen[0].at_ms, seen[0].to, seen[0].ready_ms), (20, 2, Some(30)));
        decisions.remember(&past, &status(30, 2, 2, ""));
        assert_eq!(decisions.since(0).len(), 1);
    }

    #[test]
    fn only_the_last_fifty_travel_and_only_six_hours_are_kept() {
        let mut decisions = Decisions::default();
        let flapping = (0..5_000u64).map(|at| status(at * 1_000, 1 + (at % 2) as u32, 1, ""));
        assert_eq!(after(&mut decisions, flapping).len(), DECISIONS);
        assert_eq!(decisions.known.len(), MOST);
        assert_eq!(after(&mut decisions, [status(SPAN_MS * 2, 2, 1, "")]), []);
    }
}
