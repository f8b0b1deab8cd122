//! Changes of desired replicas: those that adapters reported as events, and those seen while watching.

use std::collections::BTreeMap;

use engine::cluster::{DECISIONS, Decision, Latency, Loop, Pool, Role, WorkerState};

use super::facts::Event;

/// An event and a change that was seen are the same if they are not further apart, ms.
const SAME: u64 = 120_000;

/// Remembers changes, oldest first.
#[derive(Default)]
pub(super) struct Decisions {
    all: Vec<Decision>,
    /// Desired replicas by component, as last seen.
    desired: BTreeMap<String, u32>,
    /// The newest event by object that was understood, so that none counts twice.
    events: BTreeMap<String, u64>,
}

impl Decisions {
    /// Takes in what the pools want now. `scaled_ms`: when the adapter of a component last wrote.
    pub(super) fn see(&mut self, pools: &[Pool], scaled_ms: &BTreeMap<String, u64>, now_ms: u64) {
        for pool in pools {
            let Some((name, desired)) = pool.name.clone().zip(pool.count.desired) else { continue };
            let Some(from) = self.desired.insert(name.clone(), desired).filter(|&from| from != desired)
            else {
                continue;
            };
            // The adapter writes a moment after it was told to, and before that has the time of another change.
            let wrote = scaled_ms.get(&name).copied();
            let at_ms = wrote.filter(|&at| at <= now_ms && now_ms - at <= SAME / 2).unwrap_or(now_ms);
            self.add(decision(at_ms, pool.role, from, desired, pool.count.ready));
        }
        for pool in pools {
            self.served(pool, now_ms);
        }
    }

    /// Takes in an event about an adapter.
    pub(super) fn hear(&mut self, name: &str, event: &Event, pools: &[Pool]) {
        let Some((component, from, to)) = event.scaled() else { return };
        let Some(pool) = pools.iter().find(|pool| pool.name.as_deref() == Some(component)) else { return };
        if from == to || self.events.get(name).is_some_and(|&heard| heard >= event.at_ms) {
            return;
        }
        self.events.insert(name.to_owned(), event.at_ms);
        self.add(decision(event.at_ms, pool.role, from, to, None));
    }

    /// Forgets which events were understood once the cluster has forgotten them.
    pub(super) fn forget(&mut self, known: impl Fn(&str) -> bool) {
        self.events.retain(|name, _| known(name));
    }

    /// The last changes, oldest first.
    pub(super) fn last(&self) -> Vec<Decision> {
        self.all.clone()
    }

    fn add(&mut self, new: Decision) {
        let same = self.all.iter_mut().rev().find(|old| {
            (old.role, old.from, old.to) == (new.role, new.from, new.to)
                && old.at_ms.abs_diff(new.at_ms) <= SAME
                && (old.ready.is_none() || new.ready.is_none())
        });
        if let Some(same) = same {
            // Events have the cluster's time; who watched knows what was ready.
            if new.ready.is_none() {
                same.at_ms = new.at_ms;
            } else {
                (same.ready, same.cancels) = (new.ready, new.cancels);
            }
        } else {
            self.all.push(new);
        }
        self.all.sort_by_key(|decision| decision.at_ms);
        let surplus = self.all.len().saturating_sub(DECISIONS);
        self.all.drain(..surplus);
    }

    /// Notes when the workers of the last change of a role served.
    fn served(&mut self, pool: &Pool, now_ms: u64) {
        let Some(last) = self.all.iter_mut().rev().find(|decision| decision.role == pool.role) else {
            return;
        };
        let up = last.to > last.from && last.ready_ms.is_none();
        if !up || pool.count.ready.is_none_or(|ready| ready < last.to) {
            return;
        }
        let workers = pool.workers.iter().filter(|worker| worker.state == WorkerState::Ready);
        let newest = workers.filter_map(|worker| worker.since_ms).max();
        // Without the workers, what was seen to begin is seen to end; older changes ended nobody knows when.
        let seen = last.ready.is_some() && newest.is_none();
        last.ready_ms = newest.filter(|&at| at >= last.at_ms).or(seen.then_some(now_ms));
    }
}

fn decision(at_ms: u64, role: Role, from: u32, to: u32, ready: Option<u32>) -> Decision {
    Decision {
        at_ms,
        role,
        from,
        to,
        ready,
        by: Loop::Seen,
        reason: None,
        estimated: Latency::default(),
        cancels: to < from && ready.is_some_and(|ready| ready < from),
        ready_ms: None,
    }
}

#[cfg(test)]
mod tests {
    use engine::cluster::{Count, Worker};

    use super::*;

    fn pool(desired: u32, ready: u32) -> Pool {
        Pool {
            role: Role::Prefill,
            name: Some("prefill".to_owned()),
            count: Count { desired: Some(desired), ready: Some(ready), ..Count::default() },
            gpus_per_replica: None,
            since_ms: None,
            lower_bound: None,
            capacity_per_sec: None,
            queued_tokens: None,
            kv_usage: None,
            workers: Vec::new(),
        }
    }

    fn event(at_ms: u64, from: u32, to: u32) -> Event {
        Event {
            at_ms,
            warning: false,
            kind: "DynamoGraphDeploymentScalingAdapter".to_owned(),
            name: "a-prefill".to_owned(),
            reason: "Scaled".to_owned(),
            message: format!("Scaled component prefill from {from} to {to} replicas"),
        }
    }

    #[test]
    fn a_change_seen_and_its_event_are_one() {
        let mut decisions = Decisions::default();
        let nobody = BTreeMap::new();
        decisions.see(&[pool(1, 1)], &nobody, 1_000);
        decisions.see(&[pool(2, 1)], &nobody, 2_000);
        for _ in 0..2 {
            decisions.hear("e", &event(1_900, 1, 2), &[pool(2, 1)]);
        }
        let all = decisions.last();
        assert_eq!(all.len(), 1, "{all:?}");
        assert_eq!((all[0].at_ms, all[0].from, all[0].to, all[0].ready), (1_900, 1, 2, Some(1)));
        assert_eq!((all[0].by, all[0].ready_ms), (Loop::Seen, None));
        // Taken back before it served, and asked for again.
        decisions.see(&[pool(1, 1)], &nobody, 7_000);
        decisions.see(&[pool(2, 1)], &nobody, 9_000);
        let all = decisions.last();
        assert_eq!(
            all.iter().map(|one| (one.to, one.cancels)).collect::<Vec<_>>(),
            [(2, false), (1, true), (2, false)]
        );
    }

    #[test]
    fn what_happened_before_is_told_by_events_alone() {
        let mut decisions = Decisions::default();
        let mut served = pool(2, 2);
        let worker = |since_ms| Worker {
            name: "w".to_owned(),
            state: WorkerState::Ready,
            since_ms: Some(since_ms),
            start_ms: None,
            why: None,
        };
        served.workers = vec![worker(10), worker(5_000)];
        decisions.hear("late", &event(4_000, 1, 2), &[served.clone()]);
        decisions.hear("early", &event(1_000, 3, 1), &[served.clone()]);
        decisions.see(&[served], &BTreeMap::new(), 9_000);
        let all = decisions.last();
        assert_eq!(
            all.iter().map(|one| (one.at_ms, one.ready_ms)).collect::<Vec<_>>(),
            [(1_000, None), (4_000, Some(5_000))]
        );
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut decisions = Decisions::default();
        for at in 0..200 {
            decisions.see(&[pool(at % 2 + 1, 1)], &BTreeMap::new(), u64::from(at) * 1_000);
        }
        assert_eq!(decisions.last().len(), DECISIONS);
        assert_eq!(decisions.last()[DECISIONS - 1].at_ms, 199_000);
    }
}
