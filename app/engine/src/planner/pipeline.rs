//! The planner on its clock: what is due, in which order, and what of it is sent.

use serde::{Deserialize, Serialize};

use super::cancel::{Cancel, Step};
use super::check::ConfigError;
use super::config::{Config, Mode, Target};
use super::power::{Power, PowerCut};
use super::predict::{Forecast, Forecaster, Rates};
use super::reason::{LoadReason, ThroughputReason};
use super::scaler::{LoadDecision, Scaler, ThroughputDecision, only};
use super::shape::{Estimator, PerRole, Shape};
use super::signal::{Inventory, Needs, Record, Targets, Window};

/// Seconds by which a tick may be early.
const EARLY_SECS: f64 = 1e-6;

/// Which loops a tick ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ran {
    /// The load loop.
    pub load: bool,
    /// The throughput loop.
    pub throughput: bool,
}

/// Why a decision was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Withheld {
    /// A rollout is in progress.
    Rollout,
    /// Cancelling a start must stand for a load interval first.
    Standing,
    /// What was cancelled is still on its way out.
    Draining,
    /// With the workers that start, the budget would be left.
    Budget,
}

/// What a tick decided.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// When, s.
    pub at_secs: f64,
    /// Which loops ran.
    pub ran: Ran,
    /// Replicas to ask for; none to leave everything as it is.
    pub targets: Option<Targets>,
    /// The load loop, when it ran and is on.
    pub load: Option<LoadDecision>,
    /// The throughput loop, when it ran and is on.
    pub throughput: Option<ThroughputDecision>,
    /// Replicas that the load loop must leave.
    pub lower_bound: PerRole<u32>,
    /// What the next window is expected to bring.
    pub predicted: Option<Forecast>,
    /// Why a decision was not sent.
    pub withheld: Option<Withheld>,
    /// What the ceiling on watts did.
    pub power: Option<PowerCut>,
}

impl Outcome {
    /// Why the load loop did what it did; none when it did not run.
    pub fn load_reason(&self) -> Option<LoadReason> {
        self.load.map(|load| load.reason)
    }

    /// Why the throughput loop did what it did; none when it did not run.
    pub fn throughput_reason(&self) -> Option<ThroughputReason> {
        self.throughput.and_then(|throughput| throughput.reason)
    }

    /// Time to the first token of the next request on the worst engine, ms.
    pub fn estimated_ttft_ms(&self) -> Option<f64> {
        self.load.and_then(|load| load.estimated_ttft_ms)
    }

    /// Time between tokens with one request more on the worst engine, ms.
    pub fn estimated_itl_ms(&self) -> Option<f64> {
        self.load.and_then(|load| load.estimated_itl_ms)
    }

    /// Requests per second that one worker carries under the targets.
    pub fn capacity_per_sec(&self) -> PerRole<Option<f64>> {
        self.throughput.map(|throughput| throughput.capacity_per_sec).unwrap_or_default()
    }
}

/// A rhythm that started with the planner.
#[derive(Clone, Copy, Debug)]
struct Beat {
    start_secs: f64,
    every_secs: f64,
    next: u64,
}

impl Beat {
    fn new(start_secs: f64, every_secs: f64) -> Self {
        Self { start_secs, every_secs, next: 1 }
    }

    fn at_secs(self) -> f64 {
        self.start_secs + self.next as f64 * self.every_secs
    }

    fn due(self, at_secs: f64) -> bool {
        at_secs + EARLY_SECS >= self.at_secs()
    }

    /// Beats that were missed are dropped.
    fn pass(&mut self, at_secs: f64) {
        let passed = libm::floor((at_secs + EARLY_SECS - self.start_secs) / self.every_secs);
        self.next = self.next.max((passed as u64).saturating_add(1));
    }
}

/// The planner.
#[derive(Clone, Debug)]
pub struct Planner<E> {
    scaler: Scaler<E>,
    forecaster: Forecaster,
    rates: Rates,
    tick: Beat,
    load: Beat,
    throughput: Beat,
    cancel: Cancel,
}

impl<E: Estimator> Planner<E> {
    /// A planner that starts at 0 s and ticks for the first time an interval later.
    ///
    /// # Errors
    /// Every setting that cannot be.
    pub fn new(config: Config, shape: Shape, estimator: E) -> Result<Self, Vec<ConfigError>> {
        config.check_with(&shape)?;
        let beat = |secs: f64| Beat::new(0.0, secs);
        Ok(Self {
            forecaster: Forecaster::new(&config),
            rates: Rates::new(config.speculative_nextn),
            tick: beat(config.tick_secs()),
            load: beat(f64::from(config.load_interval_secs)),
            throughput: beat(f64::from(config.throughput_interval_secs)),
            cancel: Cancel::default(),
            scaler: Scaler::new(config, shape, estimator),
        })
    }

    /// The same, started at another time; before the first tick.
    #[must_use]
    pub fn starting_at(mut self, secs: f64) -> Self {
        let start_secs = if secs.is_finite() { secs } else { 0.0 };
        for beat in [&mut self.tick, &mut self.load, &mut self.throughput] {
            *beat = Beat::new(start_secs, beat.every_secs);
        }
        self
    }

    /// Windows of an earlier trace, oldest first, for the forecasts.
    pub fn warm_up(&mut self, windows: &[Window]) {
        self.forecaster.warm_up(windows);
    }

    /// Settings.
    pub fn config(&self) -> &Config {
        self.scaler.config()
    }

    /// What it decides with.
    pub fn scaler(&self) -> &Scaler<E> {
        &self.scaler
    }

    /// Time of the next tick, s.
    pub fn next_tick_secs(&self) -> f64 {
        self.tick.at_secs()
    }

    /// What the next tick reads.
    pub fn needs(&self) -> Needs {
        let ran = self.due(self.next_tick_secs());
        let rates = self.config().target == Target::Sla && !self.config().throughput_loop();
        Needs { traffic: ran.throughput || (rates && ran.load), fpm: ran.load }
    }

    fn due(&self, at_secs: f64) -> Ran {
        let throughput = self.config().throughput_loop() && self.throughput.due(at_secs);
        Ran { load: self.load.due(at_secs), throughput }
    }

    /// One tick: replicas as they are, traffic and passes as far as they are [needed](Self::needs).
    ///
    /// `window` covers the throughput interval; none when traffic could not be read.
    pub fn tick(
        &mut self,
        at_secs: f64,
        inventory: Inventory,
        window: Option<&Window>,
        prefill: &[Record],
        decode: &[Record],
    ) -> Outcome {
        let ran = self.due(at_secs);
        self.scaler.set_inventory(inventory);
        self.cancel.see(self.scaler.inventory);
        let mut outcome = Outcome {
            at_secs,
            ran,
            targets: None,
            load: None,
            throughput: None,
            lower_bound: self.scaler.lower_bound,
            predicted: None,
            withheld: None,
            power: None,
        };
        if let Some(window) = window {
            self.rates.observe(window);
            self.scaler.set_rates(self.rates.kv_hit_rate, self.rates.accept_length);
        }
        // The bound of the throughput loop holds for the load loop of the same tick.
        if ran.throughput {
            self.throughput.pass(at_secs);
            self.forecast(window, &mut outcome);
        }
        if ran.load {
            self.load.pass(at_secs);
            self.scaler.observe(prefill, decode);
            if self.config().load_loop() {
                outcome.load = Some(self.scaler.load(prefill, decode));
            }
        }
        self.tick.pass(at_secs);
        outcome.lower_bound = self.scaler.lower_bound;
        self.send(&mut outcome);
        outcome
    }

    fn forecast(&mut self, window: Option<&Window>, outcome: &mut Outcome) {
        outcome.predicted = window.and_then(|window| self.forecaster.next(window));
        outcome.throughput = Some(match &outcome.predicted {
            Some(forecast) => self.scaler.throughput(forecast, self.throughput.every_secs),
            None => ThroughputDecision {
                reason: Some(ThroughputReason::NoTrafficData),
                ..ThroughputDecision::default()
            },
        });
    }

    /// What of the decisions is sent: floors, budget and watts once more, and starts only cancelled with care.
    fn send(&mut self, outcome: &mut Outcome) {
        let load = outcome.load.and_then(|load| load.targets);
        let wish = load.or(outcome.throughput.and_then(|throughput| throughput.targets));
        let inventory = self.scaler.inventory;
        if inventory.starts() {
            return self.send_cancel(outcome, wish);
        }
        self.cancel.forget();
        if inventory.in_rollout() || self.cancel.drains() {
            let why = if self.cancel.drains() { Withheld::Draining } else { Withheld::Rollout };
            outcome.withheld = wish.map(|_| why);
            return;
        }
        let ready = inventory.ready();
        let wish = wish.or_else(|| self.raised(outcome));
        let Some(wish) = wish else { return };
        let whole = self.within_budget(wish.zip(ready, Option::unwrap_or));
        let (targets, cut) = self.within_power(ready, self.masked(whole));
        outcome.power = cut;
        outcome.targets = (targets != self.masked(ready)).then_some(targets);
    }

    /// A role below its floor is raised whatever the loops say.
    fn raised(&self, outcome: &mut Outcome) -> Option<Targets> {
        let (ready, floors) = (self.scaler.inventory.ready(), self.config().floors());
        let mode = self.config().mode;
        let below = (mode.has_prefill() && ready.prefill < floors.prefill)
            || (mode.has_decode() && ready.decode < floors.decode);
        if !below || !(outcome.ran.load || outcome.ran.throughput) {
            return None;
        }
        if let Some(load) = &mut outcome.load {
            load.reason = LoadReason::GpuBudgetReconcile;
        }
        if let Some(throughput) = &mut outcome.throughput {
            throughput.reason = Some(ThroughputReason::GpuBudgetReconcile);
        }
        let raised = match mode {
            Mode::Disagg => self.scaler.budget().raise(ready),
            _ => ready.zip(floors, u32::max),
        };
        Some(self.masked(raised))
    }

    /// Replicas of the roles that are scaled.
    fn masked(&self, replicas: PerRole<u32>) -> Targets {
        match self.config().mode {
            Mode::Disagg => replicas.map(Some),
            mode if mode.has_prefill() => only(super::Role::Prefill, replicas.prefill),
            mode => only(mode.decode_role(), replicas.decode),
        }
    }

    fn within_budget(&self, replicas: PerRole<u32>) -> PerRole<u32> {
        let mode = self.config().mode;
        if mode == Mode::Disagg {
            return self.scaler.budget().ceiling().clamp(replicas);
        }
        let role = if mode.has_prefill() { super::Role::Prefill } else { mode.decode_role() };
        let mut fitted = replicas;
        *fitted.of_mut(role) = self.scaler.single_budget(role).ceiling().clamp(*replicas.of(role));
        fitted
    }

    fn within_power(&self, ready: PerRole<u32>, targets: Targets) -> (Targets, Option<PowerCut>) {
        let config = self.config();
        let Some(most_watts) = config.total_gpu_power_limit.filter(|_| config.enable_power_awareness) else {
            return (targets, None);
        };
        let watts = self.scaler.shape.map(|role| role.watts);
        Power { watts, most_watts, floor: config.floors() }.apply(ready, targets)
    }

    /// While workers start: only less than there will be, only after the wish stood, only within the budget.
    fn send_cancel(&mut self, outcome: &mut Outcome, wish: Option<Targets>) {
        let Some(wish) = wish else {
            if outcome.ran.load || outcome.ran.throughput {
                self.cancel.forget();
            }
            return;
        };
        let inventory = self.scaler.inventory;
        let after = wish.zip(inventory.with_pending(), Option::unwrap_or);
        if !self.legal(inventory.with_pending(), after) {
            self.cancel.forget();
            outcome.withheld = Some(Withheld::Budget);
            return;
        }
        let targets = self.masked(after);
        let stand_secs = f64::from(self.config().load_interval_secs) - EARLY_SECS;
        match self.cancel.wish(targets, inventory, outcome.at_secs, stand_secs) {
            Step::Send => outcome.targets = Some(targets),
            Step::Stand => outcome.withheld = Some(Withheld::Standing),
            Step::Drain => outcome.withheld = Some(Withheld::Draining),
        }
    }

    /// Whether a cancellation leaves the budget as whole as it was.
    fn legal(&self, before: PerRole<u32>, after: PerRole<u32>) -> bool {
        let budget = self.scaler.budget();
        if !budget.is_known() || self.config().mode != Mode::Disagg {
            let role = self.config().mode.decode_role();
            let role = if self.config().mode.has_prefill() { super::Role::Prefill } else { role };
            let single = self.scaler.single_budget(role);
            return single.holds(*after.of(role)) || !single.holds(*before.of(role));
        }
        budget.holds(after) || !budget.holds(before)
    }
}
