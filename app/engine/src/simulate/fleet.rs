//! The workers of one role: who gets a request, who comes, who goes.

use super::request::{Requests, Slot};
use super::traffic::Chance;
use super::worker::{Rules, State, Worker};
use super::{Pool, Start};
use crate::planner::{Count, Limits};

/// The workers of one role.
#[derive(Clone, Debug)]
pub(super) struct Fleet {
    pool: Pool,
    start: Start,
    aggregated: bool,
    pub(super) workers: Vec<Worker>,
    next_id: u64,
    /// Replicas asked for.
    pub(super) desired: u32,
    /// The last target, until it is reached.
    expected: Option<u32>,
    chance: Chance,
    /// Of workers that are gone.
    preempted: u64,
}

/// How a fleet follows its target.
#[derive(Clone, Debug, Default)]
pub(super) struct Change {
    /// New workers: number and when they are ready.
    pub(super) started: Vec<(u64, f64)>,
    /// Workers taken back before they were ready.
    pub(super) cancelled: u32,
}

impl Fleet {
    pub(super) fn new(pool: &Pool, start: Start, aggregated: bool, seed: u64) -> Self {
        let mut fleet = Self {
            pool: pool.clone(),
            start,
            aggregated,
            workers: Vec::new(),
            next_id: 0,
            desired: pool.count,
            expected: None,
            chance: Chance::new(seed),
            preempted: 0,
        };
        for _ in 0..pool.count {
            fleet.add(State::Ready, 0.0);
        }
        fleet
    }

    fn add(&mut self, state: State, now_ms: f64) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.workers.push(Worker::new(id, self.aggregated, state, now_ms));
        id
    }

    pub(super) fn rules(&self) -> Rules<'_> {
        Rules { speed: &self.pool.speed, limits: self.pool.limits }
    }

    pub(super) fn limits(&self) -> Limits {
        self.pool.limits
    }

    pub(super) fn gpus_per_replica(&self) -> u32 {
        self.pool.gpus
    }

    /// A worker and the rules it follows.
    pub(super) fn worker(&mut self, id: u64) -> Option<(&mut Worker, Rules<'_>)> {
        let rules = Rules { speed: &self.pool.speed, limits: self.pool.limits };
        self.workers.iter_mut().find(|worker| worker.id == id).map(|worker| (worker, rules))
    }

    pub(super) fn count(&self, state: State) -> u32 {
        self.workers.iter().filter(|worker| worker.state == state).count() as u32
    }

    /// The ready worker with the fewest prompt tokens.
    pub(super) fn for_prompt(&self) -> Option<u64> {
        self.ready().min_by_key(|worker| (worker.load(), worker.id)).map(|worker| worker.id)
    }

    /// The ready worker with the fewest KV tokens.
    pub(super) fn for_decode(&self) -> Option<u64> {
        self.ready().min_by_key(|worker| (worker.kv_load(), worker.id)).map(|worker| worker.id)
    }

    pub(super) fn ready(&self) -> impl Iterator<Item = &Worker> {
        self.workers.iter().filter(|worker| worker.state == State::Ready)
    }

    /// Takes back every prompt that no step has touched.
    pub(super) fn take_untouched(&mut self, requests: &Requests) -> Vec<Slot> {
        let ready = self.workers.iter_mut().filter(|worker| worker.state == State::Ready);
        let mut taken: Vec<Slot> = ready.flat_map(|worker| worker.take_untouched(requests)).collect();
        // First come, first served, whoever had it.
        taken.sort_by(|&a, &b| requests.get(a).arrived_ms.total_cmp(&requests.get(b).arrived_ms));
        taken
    }

    /// Asks for so many replicas.
    pub(super) fn target(&mut self, desired: u32, now_ms: f64) -> Change {
        let mut change = Change::default();
        self.desired = desired;
        self.expected = Some(desired);
        let mut have = self.count(State::Ready) + self.count(State::Starting);
        while have < desired {
            let id = self.add(State::Starting, now_ms);
            change.started.push((id, now_ms + self.start.ms(&mut self.chance)));
            have += 1;
        }
        while have > desired {
            // The newest that never served, then the newest that serves.
            if let Some(at) = self.workers.iter().rposition(|worker| worker.state == State::Starting) {
                self.workers.remove(at);
                change.cancelled += 1;
            } else if let Some(worker) =
                self.workers.iter_mut().rev().find(|worker| worker.state == State::Ready)
            {
                (worker.state, worker.since_ms) = (State::Draining, now_ms);
            } else {
                break;
            }
            have -= 1;
        }
        self.sweep();
        change
    }

    /// A worker serves from now on; false when it was taken back before.
    pub(super) fn is_ready(&mut self, id: u64, now_ms: f64) -> bool {
        let starting = |worker: &&mut Worker| worker.id == id && worker.state == State::Starting;
        let Some(worker) = self.workers.iter_mut().find(starting) else { return false };
        (worker.state, worker.since_ms, worker.ready_ms) = (State::Ready, now_ms, Some(now_ms));
        true
    }

    /// Whether a drained worker has nothing left.
    pub(super) fn has_drained(&self) -> bool {
        self.workers.iter().any(Worker::has_drained)
    }

    /// Drained workers that have nothing left go.
    pub(super) fn sweep(&mut self) {
        let gone = &mut self.preempted;
        self.workers.retain(|worker| {
            if worker.has_drained() {
                *gone += worker.preempted;
            }
            !worker.has_drained()
        });
    }

    /// Times that a request's KV cache was given up.
    pub(super) fn preempted(&self) -> u64 {
        self.preempted + self.workers.iter().map(|worker| worker.preempted).sum::<u64>()
    }

    /// What the planner sees of the replicas. With `pending` as Kubernetes tells it, workers that start are known as
    /// such; without, as in replay, only the last target is.
    pub(super) fn inventory(&mut self, pending: bool) -> Count {
        let (ready, starting) = (self.count(State::Ready), self.count(State::Starting));
        let draining = self.count(State::Draining) > 0;
        if !pending {
            self.expected = self.expected.filter(|&expected| expected != ready);
            return Count {
                ready,
                expected: Some(self.expected.unwrap_or(ready)),
                pending: 0,
                scaling: false,
            };
        }
        if starting == 0 && !draining {
            return Count::stable(ready);
        }
        // Only a start that nothing else disturbs is verified.
        Count { ready, expected: None, pending: if draining { 0 } else { starting }, scaling: true }
    }
}

impl Start {
    /// How long this start takes, ms.
    fn ms(self, chance: &mut Chance) -> f64 {
        let share = if self.spread > 0.0 { 1.0 + self.spread * (2.0 * chance.share() - 1.0) } else { 1.0 };
        (self.secs * share).max(0.0) * 1000.0
    }
}
