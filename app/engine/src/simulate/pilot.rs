//! The planner at the controls of a run: what it is told, and how its targets are followed.

use super::event::Side;
use super::fleet::Fleet;
use super::run::Run;
use super::speed::{Speed, Step};
use super::worker::State;
use super::{Fleets, Setup, SetupError};
use crate::cluster::{Decision, Latency, Loop};
use crate::planner::{
    Estimator, Inventory, LoadReason, Outcome, Pass, PerRole, Planner, Role, RoleShape, ThroughputReason,
    Window,
};

/// The planner reckons with the very step times that the workers have.
#[derive(Clone, Debug)]
struct Model {
    prefill: Option<Speed>,
    decode: Speed,
}

impl Estimator for Model {
    fn forward_ms(&self, role: Role, pass: Pass) -> Option<f64> {
        let speed = match role {
            Role::Prefill => self.prefill.as_ref()?,
            Role::Decode | Role::Aggregated => &self.decode,
        };
        Some(speed.ms(Step {
            tokens: pass.prefill_tokens,
            prompts: pass.prefill_requests,
            decodes: pass.decode_requests,
            kv_tokens: pass.decode_kv_tokens,
        }))
    }
}

/// The planner of a run.
#[derive(Clone, Debug)]
pub(super) struct Pilot {
    planner: Planner<Model>,
    pub(super) last: Option<Outcome>,
    pub(super) load: Option<LoadReason>,
    pub(super) load_by_role: PerRole<Option<LoadReason>>,
    pub(super) throughput: Option<ThroughputReason>,
    pub(super) estimated: Latency,
    /// When the roles' estimates were made, they stand until the next.
    pub(super) capacity_per_sec: PerRole<Option<f64>>,
    pub(super) predicted: Option<(f64, f64, f64)>,
    pub(super) decided_ms: Option<f64>,
    window_secs: f64,
}

impl Pilot {
    /// The planner of a setup, where it has one.
    pub(super) fn new(setup: &Setup) -> Result<Option<Self>, SetupError> {
        let Some(config) = &setup.planner else { return Ok(None) };
        let Fleets { prefill, decode, .. } = &setup.fleets;
        let shape = |gpus, limits| RoleShape { gpus_per_replica: gpus, limits, watts: None };
        let decodes = shape(decode.gpus, decode.limits);
        let shapes = PerRole {
            prefill: prefill.as_ref().map_or(decodes, |pool| shape(pool.gpus, pool.limits)),
            decode: decodes,
        };
        let model =
            Model { prefill: prefill.as_ref().map(|pool| pool.speed.clone()), decode: decode.speed.clone() };
        let window_secs = f64::from(config.throughput_interval_secs);
        let planner = Planner::new(config.clone(), shapes, model).map_err(SetupError::Planner)?;
        Ok(Some(Self {
            planner,
            last: None,
            load: None,
            load_by_role: PerRole::default(),
            throughput: None,
            estimated: Latency::default(),
            capacity_per_sec: PerRole::default(),
            predicted: None,
            decided_ms: None,
            window_secs,
        }))
    }

    /// When it looks next, ms.
    pub(super) fn next_ms(&self) -> f64 {
        self.planner.next_tick_secs() * 1000.0
    }

    /// Replicas that the load loop must leave, where the throughput loop has set them.
    pub(super) fn lower_bound(&self) -> Option<PerRole<u32>> {
        let config = self.planner.config();
        (config.throughput_loop() && config.load_loop()).then(|| self.last.map(|last| last.lower_bound))?
    }

    /// One look at the cluster, and what follows from it.
    pub(super) fn tick(&mut self, run: &mut Run) {
        let needs = self.planner.needs();
        let window = needs.traffic.then(|| self.window(run));
        let records = if needs.fpm { run.records() } else { PerRole::default() };
        let inventory = inventory(run);
        let at_secs = run.now_ms / 1000.0;
        let outcome =
            self.planner.tick(at_secs, inventory, window.as_ref(), &records.prefill, &records.decode);
        self.remember(&outcome, run.now_ms);
        if let Some(targets) = outcome.targets {
            let sides = [(Side::Prefill, targets.prefill), (Side::Decode, targets.decode)];
            for (side, target) in sides {
                if let Some(target) = target {
                    self.follow(run, side, target, &outcome);
                }
            }
        }
    }

    /// Traffic of the last window: unknown where nothing was measured. Without a throughput loop the planner reads
    /// traffic for its cache hits alone, over the same window.
    fn window(&self, run: &mut Run) -> Window {
        let recent = run.measures.window.recent();
        if self.planner.config().throughput_loop() {
            run.measures.window.turn();
        }
        let idle = (recent.requests == 0).then_some(0.0);
        Window {
            requests: Some(recent.requests as f64),
            isl: recent.isl.or(idle),
            osl: recent.osl.or(idle),
            kv_hit_rate: (run.setup.hit_rate > 0.0).then_some(run.setup.hit_rate),
            accept_length: None,
        }
    }

    fn remember(&mut self, outcome: &Outcome, now_ms: f64) {
        if let Some(load) = &outcome.load {
            self.load = Some(load.reason);
            self.load_by_role = PerRole { prefill: load.prefill, decode: load.decode };
            self.estimated = Latency { ttft_ms: load.estimated_ttft_ms, itl_ms: load.estimated_itl_ms };
            self.decided_ms = Some(now_ms);
        }
        if let Some(throughput) = &outcome.throughput {
            self.throughput = throughput.reason;
            self.capacity_per_sec = throughput.capacity_per_sec;
            self.decided_ms = Some(now_ms);
        }
        if let Some(forecast) = &outcome.predicted {
            self.predicted = Some((forecast.requests / self.window_secs, forecast.isl, forecast.osl));
        }
        self.last = Some(*outcome);
    }

    fn follow(&self, run: &mut Run, side: Side, target: u32, outcome: &Outcome) {
        let fleet = fleet_of(run, side);
        let (from, ready) = (fleet.desired, fleet.count(State::Ready));
        if target == from {
            return;
        }
        let change = run.scale(side, target);
        let load = outcome.load.is_some_and(|load| load.targets.is_some());
        let throughput = outcome.throughput.is_some_and(|throughput| throughput.targets.is_some());
        let (by, reason) = if load {
            (Loop::Load, self.load.map(LoadReason::name))
        } else if throughput {
            (Loop::Throughput, self.throughput.map(ThroughputReason::name))
        } else {
            (Loop::Budget, Some(LoadReason::GpuBudgetReconcile.name()))
        };
        run.decisions.push(Decision {
            at_ms: run.now_ms as u64,
            role: run.role(side),
            from,
            to: target,
            ready: Some(ready),
            by,
            reason: reason.map(str::to_owned),
            estimated: self.estimated,
            cancels: change.cancelled > 0,
            ready_ms: None,
        });
    }
}

fn fleet_of(run: &Run, side: Side) -> &Fleet {
    match (side, &run.prefill) {
        (Side::Prefill, Some(fleet)) => fleet,
        _ => &run.decode,
    }
}

/// Any disturbance of one role counts for both.
fn inventory(run: &mut Run) -> Inventory {
    let pending = run.setup.pending;
    let decode = run.decode.inventory(pending);
    let prefill = run.prefill.as_mut().map(|fleet| fleet.inventory(pending)).unwrap_or_default();
    let mut both = PerRole { prefill, decode };
    if pending {
        let scaling = both.prefill.scaling || both.decode.scaling;
        let drains = |fleet: &Fleet| fleet.count(State::Draining) > 0;
        let drains = drains(&run.decode) || run.prefill.as_ref().is_some_and(drains);
        for count in [&mut both.prefill, &mut both.decode] {
            if scaling {
                (count.scaling, count.expected) = (true, None);
            }
            if drains {
                count.pending = 0;
            }
        }
    }
    both
}
