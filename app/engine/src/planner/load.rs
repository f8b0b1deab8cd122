//! The load loop: what the queues of the engines ask for.

use std::collections::BTreeMap;

use super::config::{Mode, Target};
use super::reason::LoadReason;
use super::scaler::{LoadDecision, Scaler};
use super::settle::{Side, Wish};
use super::shape::{Estimator, PerRole, Role};
use super::signal::Record;

/// Whether the records are those of so many workers with as many ranks each.
fn matches(records: &[Record], ready: u32) -> bool {
    let mut ranks: BTreeMap<u64, u32> = BTreeMap::new();
    for record in records {
        *ranks.entry(record.worker_id).or_default() += 1;
    }
    let first = ranks.values().next();
    ranks.len() as u64 == u64::from(ready) && ranks.values().all(|ranks| Some(ranks) == first)
}

impl<E: Estimator> Scaler<E> {
    /// Decides on the last passes of all engines; they are not learned from, see [`Scaler::observe`].
    pub fn load(&self, prefill: &[Record], decode: &[Record]) -> LoadDecision {
        let mode = self.config.mode;
        if !self.config.load_loop() {
            return self.both(LoadReason::Disabled);
        }
        if self.inventory.in_rollout() && !self.inventory.starts() {
            return self.both(LoadReason::ScalingInProgress);
        }
        match mode {
            Mode::Disagg => self.load_pair(prefill, decode),
            Mode::Prefill => self.load_single(Role::Prefill, prefill),
            Mode::Decode => self.load_single(Role::Decode, decode),
            Mode::Agg => self.load_single(Role::Aggregated, decode),
        }
    }

    /// Nothing for either role, for one reason.
    fn both(&self, reason: LoadReason) -> LoadDecision {
        let role = (self.config.mode == Mode::Disagg).then_some(reason);
        LoadDecision { prefill: role, decode: role, ..LoadDecision::hold(reason) }
    }

    fn load_pair(&self, prefill: &[Record], decode: &[Record]) -> LoadDecision {
        if prefill.is_empty() && decode.is_empty() {
            return self.both(LoadReason::NoFpmData);
        }
        let agrees = |role: Role, records: &[Record]| {
            records.is_empty() || matches(records, self.inventory.of(role).ready)
        };
        if !agrees(Role::Prefill, prefill) || !agrees(Role::Decode, decode) {
            return self.both(LoadReason::WorkerCountMismatch);
        }
        // A role that nobody reports on is left as it is.
        let side = |role: Role, records: &[Record]| {
            let silent = Side { wish: Wish::Stay(LoadReason::NoChange), estimate_ms: None };
            if records.is_empty() { silent } else { self.side(role, records) }
        };
        let (prefill, decode) = (side(Role::Prefill, prefill), side(Role::Decode, decode));
        LoadDecision {
            estimated_ttft_ms: prefill.estimate_ms,
            estimated_itl_ms: decode.estimate_ms,
            ..self.settle(PerRole { prefill: prefill.wish, decode: decode.wish })
        }
    }

    fn load_single(&self, role: Role, records: &[Record]) -> LoadDecision {
        if records.is_empty() {
            return LoadDecision::hold(LoadReason::NoFpmData);
        }
        if !matches(records, self.inventory.of(role).ready) {
            return LoadDecision::hold(LoadReason::WorkerCountMismatch);
        }
        if role == Role::Aggregated && self.config.target == Target::Sla {
            let (ttft, itl) = (self.aggregated_prefill(records), self.aggregated_decode(records));
            let decision = self.settle_single(role, self.aggregated(ttft.wish, itl.wish));
            return LoadDecision {
                estimated_ttft_ms: ttft.estimate_ms,
                estimated_itl_ms: itl.estimate_ms,
                ..decision
            };
        }
        let side = self.side(role, records);
        let mut decision = self.settle_single(role, side.wish);
        if role == Role::Prefill {
            decision.estimated_ttft_ms = side.estimate_ms;
        } else {
            decision.estimated_itl_ms = side.estimate_ms;
        }
        decision
    }

    fn side(&self, role: Role, records: &[Record]) -> Side {
        if self.inventory.of(role).ready == 0 {
            return Side::unknown();
        }
        match (self.config.target, role) {
            (Target::Sla, Role::Prefill) => self.sla_prefill(records),
            (Target::Sla, _) => self.sla_decode(records),
            _ => Side { wish: self.easy(role, records), estimate_ms: None },
        }
    }

    /// More for either signal; fewer only when both agree, or for decode alone when prefill has none.
    fn aggregated(&self, prefill: Wish, decode: Wish) -> Wish {
        let ready = self.inventory.decode.ready;
        let up = |wish: Wish| wish.target().filter(|&target| target > ready);
        let down = |wish: Wish| wish.target().filter(|&target| target <= ready);
        if let Some(target) = up(prefill).or(up(decode)) {
            return Wish::To(target);
        }
        match (prefill, down(prefill), down(decode)) {
            (Wish::Unknown(_), _, Some(target)) => Wish::To(target),
            (_, Some(a), Some(b)) => Wish::To(a.max(b)),
            _ => Wish::Stay(prefill.telling().or(decode.telling()).unwrap_or(LoadReason::NoChange)),
        }
    }
}
