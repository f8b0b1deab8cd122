//! The throughput loop: replicas for the traffic that is expected.

use super::budget::SingleBudget;
use super::capacity::Ask;
use super::config::Mode;
use super::guard::Verdict;
use super::predict::Forecast;
use super::reason::ThroughputReason;
use super::scaler::{Scaler, ThroughputDecision, only};
use super::shape::{Estimator, PerRole, Role};
use super::signal::Targets;

/// How a decision came about.
type Settled = (Option<Targets>, ThroughputReason);

impl SingleBudget {
    /// The same without the lower bound.
    pub(super) fn ceiling(mut self) -> Self {
        self.band.least = None;
        self
    }

    /// The count in the band between two others that is nearest to the second.
    pub(super) fn fit(&self, from: u32, to: u32) -> u32 {
        let fitted = self.clamp(to);
        if (from.min(to)..=from.max(to)).contains(&fitted) { fitted } else { from }
    }
}

impl<E: Estimator> Scaler<E> {
    /// Decides on a forecast for a window of so many seconds; with the load loop on, sets its lower bound instead.
    pub fn throughput(&mut self, forecast: &Forecast, window_secs: f64) -> ThroughputDecision {
        let mode = self.config.mode;
        let hold = |reason: ThroughputReason| {
            let role = (mode == Mode::Disagg).then_some(reason);
            ThroughputDecision { reason: Some(reason), prefill: role, decode: role, ..Default::default() }
        };
        if !self.config.throughput_loop() {
            return hold(ThroughputReason::Disabled);
        }
        if !(window_secs > 0.0 && window_secs.is_finite()) {
            return hold(ThroughputReason::NoTrafficData);
        }
        let per_sec = forecast.requests / window_secs;
        let ask = Ask {
            isl: forecast.isl,
            osl: forecast.osl,
            ttft_ms: self.config.ttft_ms,
            itl_ms: self.config.itl_ms,
            kv_hit_rate: forecast.kv_hit_rate,
            accept_length: forecast.accept_length,
        };
        match mode {
            Mode::Disagg => self.throughput_pair(per_sec, &ask),
            Mode::Prefill => self.throughput_single(Role::Prefill, per_sec, &ask),
            Mode::Decode => self.throughput_single(Role::Decode, per_sec, &ask),
            Mode::Agg => self.throughput_single(Role::Aggregated, per_sec, &ask),
        }
    }

    fn rate(&self, role: Role, ask: &Ask) -> Option<f64> {
        self.engine(role).capacity(ask).map(|capacity| capacity.per_sec).filter(|&rate| rate > 0.0)
    }

    /// Replicas of a role for so many requests per second, not too far from those that are ready.
    fn replicas(&self, role: Role, per_sec: f64, rate: f64) -> u32 {
        let (ready, floor) = (self.inventory.of(role).ready, *self.config.floors().of(role));
        let step = self.config.max_throughput_scaling_replicas;
        let enough = libm::ceil(per_sec / rate) as u32;
        enough.max(floor).clamp(ready.saturating_sub(step), ready.saturating_add(step)).max(floor)
    }

    fn throughput_pair(&mut self, per_sec: f64, ask: &Ask) -> ThroughputDecision {
        let rates = PerRole { prefill: self.rate(Role::Prefill, ask), decode: self.rate(Role::Decode, ask) };
        let mut decision = ThroughputDecision { capacity_per_sec: rates, ..Default::default() };
        let (Some(prefill), Some(decode)) = (rates.prefill, rates.decode) else {
            let reason = |rate: Option<f64>| match rate {
                None => ThroughputReason::ModelNotReady,
                Some(_) => ThroughputReason::PartnerNotReady,
            };
            decision.reason = Some(ThroughputReason::ModelNotReady);
            (decision.prefill, decision.decode) = (Some(reason(rates.prefill)), Some(reason(rates.decode)));
            return decision;
        };
        let wanted = PerRole {
            prefill: self.replicas(Role::Prefill, per_sec, prefill),
            decode: self.replicas(Role::Decode, per_sec, decode),
        };
        let settled = if self.inventory.starts() {
            self.throughput_start(wanted.map(Some))
        } else {
            Some(self.throughput_settle(wanted))
        };
        if let Some((targets, reason)) = settled {
            decision.targets = targets;
            (decision.reason, decision.prefill, decision.decode) = (Some(reason), Some(reason), Some(reason));
        }
        decision
    }

    fn throughput_settle(&mut self, wanted: PerRole<u32>) -> Settled {
        let (ready, budget) = (self.inventory.ready(), self.budget());
        let fitted = budget.ceiling().fit(ready, wanted);
        if self.config.load_loop() {
            self.lower_bound = fitted;
            return (None, ThroughputReason::SetLowerBound);
        }
        let below = ready.zip(budget.floor, |ready, floor| ready < floor);
        let (result, verdict) = if below.prefill || below.decode {
            (budget.raise(ready), Some(Verdict::Reconcile))
        } else {
            budget.guard(ready, fitted)
        };
        let moves = result != ready;
        (moves.then(|| result.map(Some)), reason(moves, verdict))
    }

    fn throughput_single(&mut self, role: Role, per_sec: f64, ask: &Ask) -> ThroughputDecision {
        let Some(rate) = self.rate(role, ask) else {
            return ThroughputDecision {
                reason: Some(ThroughputReason::ModelNotReady),
                ..Default::default()
            };
        };
        let wanted = self.replicas(role, per_sec, rate);
        let settled = if self.inventory.starts() {
            self.throughput_start(only(role, wanted))
        } else {
            Some(self.throughput_settle_single(role, wanted))
        };
        let mut capacity_per_sec = PerRole::default();
        *capacity_per_sec.of_mut(role) = Some(rate);
        if role == Role::Aggregated {
            capacity_per_sec.prefill = Some(rate);
        }
        let (targets, reason) = settled.map_or((None, None), |(targets, reason)| (targets, Some(reason)));
        ThroughputDecision { targets, reason, prefill: None, decode: None, capacity_per_sec }
    }

    fn throughput_settle_single(&mut self, role: Role, wanted: u32) -> Settled {
        let (ready, budget) = (self.inventory.of(role).ready, self.single_budget(role));
        let fitted = budget.ceiling().fit(ready, wanted);
        if self.config.load_loop() {
            *self.lower_bound.of_mut(role) = fitted;
            return (None, ThroughputReason::SetLowerBound);
        }
        let (result, verdict) = if ready < budget.floor {
            (budget.floor, Some(Verdict::Reconcile))
        } else {
            budget.guard(ready, fitted)
        };
        let moves = result != ready;
        (moves.then(|| only(role, result)), reason(moves, verdict))
    }

    /// While workers start nothing grows; none when there is nothing to say.
    fn throughput_start(&mut self, wanted: Targets) -> Option<Settled> {
        let (ready, with_pending) = (self.inventory.ready(), self.inventory.with_pending());
        let kept = wanted.zip(ready, |wanted, ready| wanted.filter(|&wanted| wanted <= ready));
        if self.config.load_loop() {
            self.lower_bound = kept.zip(self.lower_bound, Option::unwrap_or);
            return (kept.prefill.is_some() || kept.decode.is_some())
                .then_some((None, ThroughputReason::SetLowerBound));
        }
        let targets = kept.zip(with_pending, |wanted, pending| wanted.filter(|&wanted| wanted < pending));
        (targets.prefill.is_some() || targets.decode.is_some())
            .then_some((Some(targets), ThroughputReason::Scale))
    }
}

fn reason(moves: bool, verdict: Option<Verdict>) -> ThroughputReason {
    let ordinary = if moves { ThroughputReason::Scale } else { ThroughputReason::NoChange };
    verdict.map_or(ordinary, Verdict::throughput)
}
