//! A run seen as a cluster: the moment on the timelines, and the whole status.

use super::event::Side;
use super::fleet::Fleet;
use super::measure::Recent;
use super::run::Run;
use super::worker::{State, Worker};
use crate::cluster::{
    ClusterStatus, Count, DECISIONS, Decision, Deployment, Gpus, Measured, PlannerSays, Pool, Sample, Signal,
    SourceKind, Traffic, WorkerState,
};
use crate::planner::PerRole;

impl Run {
    /// This moment on the timelines.
    pub(super) fn moment(&self) -> Sample {
        self.status().sample()
    }

    /// Seconds that recent figures are over.
    fn recent_secs(&self) -> f64 {
        self.measures.samples.buckets() * self.setup.sample_ms / 1000.0
    }

    /// The cluster as its planner and its users see it now.
    pub fn status(&self) -> ClusterStatus {
        let recent = self.measures.samples.recent();
        let now_ms = self.now_ms as u64;
        let config = self.setup.planner.as_ref();
        let budget = |gpus: i64| u32::try_from(gpus).ok();
        let predicted = self.pilot.as_ref().and_then(|pilot| pilot.predicted);
        let mut pools = Vec::new();
        if let Some(fleet) = &self.prefill {
            pools.push(self.pool(Side::Prefill, fleet));
        }
        pools.push(self.pool(Side::Decode, &self.decode));
        let signal = |what| Signal { what, at_ms: now_ms, source: SourceKind::Simulated };
        let mut signals: Vec<Signal> =
            [Measured::Traffic, Measured::Replicas, Measured::Engines].into_iter().map(signal).collect();
        if let Some(at) = self.pilot.as_ref().and_then(|pilot| pilot.decided_ms) {
            signals.push(Signal { at_ms: at as u64, ..signal(Measured::Planner) });
        }
        let starting = |state: State| -> u32 {
            let of = |fleet: &Fleet| fleet.count(state) * fleet.gpus_per_replica();
            self.prefill.as_ref().map_or(0, of) + of(&self.decode)
        };
        ClusterStatus {
            now_ms,
            simulated: None,
            deployment: Deployment::default(),
            slo: self.setup.slo,
            pools,
            gpus: Gpus {
                used: Some(starting(State::Ready) + starting(State::Draining)),
                starting: Some(starting(State::Starting)),
                most: config.and_then(|config| budget(config.max_gpu_budget)),
                fewest: config.and_then(|config| budget(config.min_gpu_budget)),
            },
            observed: self.observed(&recent),
            predicted: Traffic {
                requests_per_sec: predicted.map(|(rate, ..)| rate),
                isl: predicted.map(|(_, isl, _)| isl),
                osl: predicted.map(|(.., osl)| osl),
                ..Traffic::default()
            },
            estimated: self.pilot.as_ref().map(|pilot| pilot.estimated).unwrap_or_default(),
            attainment: recent.attainment,
            planner: self.says(),
            decisions: newest(&self.decisions),
            events: Vec::new(),
            signals,
        }
    }

    fn observed(&self, recent: &Recent) -> Traffic {
        Traffic {
            requests_per_sec: Some(recent.requests as f64 / self.recent_secs()),
            isl: recent.isl,
            osl: recent.osl,
            ttft_ms: recent.ttft_ms,
            itl_ms: recent.itl_ms,
            kv_hit_rate: (self.setup.hit_rate > 0.0).then_some(self.setup.hit_rate),
            in_flight: Some(self.requests.len() as f64),
        }
    }

    fn says(&self) -> PlannerSays {
        let Some(pilot) = &self.pilot else { return PlannerSays::default() };
        let name = |reason: Option<crate::planner::LoadReason>| reason.map(|reason| reason.name().to_owned());
        PlannerSays {
            load: name(pilot.load),
            load_prefill: name(pilot.load_by_role.prefill),
            load_decode: name(pilot.load_by_role.decode),
            throughput: pilot.throughput.map(|reason| reason.name().to_owned()),
            at_ms: pilot.decided_ms.map(|at| at as u64),
            gpu_hours: Some(self.gpu_hours()),
        }
    }

    fn pool(&self, side: Side, fleet: &Fleet) -> Pool {
        let count = |state| Some(fleet.count(state));
        let bound = self.pilot.as_ref().and_then(super::pilot::Pilot::lower_bound);
        let capacity = self.pilot.as_ref().map(|pilot| pilot.capacity_per_sec).unwrap_or_default();
        let (mut held, mut room) = (0.0, 0.0);
        for worker in fleet.ready() {
            held += worker.kv() as f64;
            room += fleet.limits().max_kv_tokens as f64;
        }
        let reads = side == Side::Prefill || self.prefill.is_none();
        Pool {
            role: self.role(side),
            name: None,
            count: Count {
                desired: Some(fleet.desired),
                scheduled: Some(fleet.count(State::Ready) + fleet.count(State::Starting)),
                starting: count(State::Starting),
                ready: count(State::Ready),
                draining: count(State::Draining),
            },
            gpus_per_replica: Some(fleet.gpus_per_replica()),
            since_ms: fleet.workers.iter().map(|worker| worker.since_ms as u64).max(),
            lower_bound: bound.map(|bound| *of(side, &bound)),
            capacity_per_sec: *of(side, &capacity),
            queued_tokens: reads.then(|| fleet.workers.iter().map(|worker| worker.queued_raw() as f64).sum()),
            kv_usage: (side == Side::Decode && room > 0.0).then_some(held / room),
            workers: fleet.workers.iter().map(|worker| told(side, worker)).collect(),
        }
    }
}

fn of<T>(side: Side, both: &PerRole<T>) -> &T {
    if side == Side::Prefill { &both.prefill } else { &both.decode }
}

/// Workers as Kubernetes would name them.
fn told(side: Side, worker: &Worker) -> crate::cluster::Worker {
    let role = if side == Side::Prefill { "prefill" } else { "decode" };
    let ready = worker.state != State::Starting;
    let started = worker.ready_ms.filter(|_| ready).map(|at| (at - worker.created_ms) as u64);
    crate::cluster::Worker {
        name: format!("{role}-{}", worker.id),
        state: match worker.state {
            State::Starting => WorkerState::Starting,
            State::Ready => WorkerState::Ready,
            State::Draining => WorkerState::Draining,
        },
        since_ms: Some(worker.since_ms as u64),
        start_ms: started,
        why: None,
    }
}

fn newest(decisions: &[Decision]) -> Vec<Decision> {
    decisions[decisions.len().saturating_sub(DECISIONS)..].to_vec()
}
