//! What a budget makes of an ordinary decision: it is carried out, cut, held, or the band is restored first.

use super::budget::{Budget, SingleBudget};
use super::reason::{LoadReason, ThroughputReason};
use super::shape::PerRole;

/// What a budget did to a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No room for it.
    Hold,
    /// Replicas were outside of the band or below a floor.
    Reconcile,
}

impl Verdict {
    /// The name in gauges and logs.
    pub const fn name(self) -> &'static str {
        self.load().name()
    }

    pub(super) const fn load(self) -> LoadReason {
        match self {
            Self::Hold => LoadReason::GpuBudgetGuardHold,
            Self::Reconcile => LoadReason::GpuBudgetReconcile,
        }
    }

    pub(super) const fn throughput(self) -> ThroughputReason {
        match self {
            Self::Hold => ThroughputReason::GpuBudgetGuardHold,
            Self::Reconcile => ThroughputReason::GpuBudgetReconcile,
        }
    }
}

fn between(from: u32, to: u32, result: u32) -> bool {
    (from.min(to)..=from.max(to)).contains(&result)
}

impl Budget {
    /// What becomes of a decision to go from the ready replicas to others.
    ///
    /// The band never reverses or exceeds what was asked: it cuts it or holds. Only replicas that are outside of the
    /// band already are brought back, from where they are.
    pub fn guard(&self, ready: PerRole<u32>, wish: PerRole<u32>) -> (PerRole<u32>, Option<Verdict>) {
        if !self.is_known() {
            return (self.clamp(wish), None);
        }
        let slack = if self.band.most.is_some() { self.step() } else { 0 };
        let total = self.total(ready);
        if !self.band.holds(total, slack) {
            return (self.clamp(ready), Some(Verdict::Reconcile));
        }
        let hold = (ready, Some(Verdict::Hold));
        let grows = wish.prefill > ready.prefill || wish.decode > ready.decode;
        let shrinks = wish.prefill < ready.prefill || wish.decode < ready.decode;
        let at_least = self.band.least.is_some_and(|least| total <= least);
        let at_most = self.band.most.is_some_and(|most| total >= most);
        if at_least && shrinks && !grows {
            return hold;
        }
        // With one role up and one down, the first makes use of what the second gives: both or none.
        if grows && shrinks && (at_least || at_most) {
            let fitted = self.fit(ready, wish);
            return if fitted == ready { hold } else { (fitted, None) };
        }
        if at_most && grows {
            return hold;
        }
        let clamped = self.clamp(wish);
        let as_asked = between(ready.prefill, wish.prefill, clamped.prefill)
            && between(ready.decode, wish.decode, clamped.decode);
        if as_asked && self.band.holds(self.total(clamped), slack) { (clamped, None) } else { hold }
    }
}

impl SingleBudget {
    /// What becomes of a decision to go from the ready replicas to another count.
    pub fn guard(&self, ready: u32, wish: u32) -> (u32, Option<Verdict>) {
        if self.cost <= 0 {
            return (wish, None);
        }
        if !self.holds(ready) {
            return (self.clamp(ready), Some(Verdict::Reconcile));
        }
        let total = self.total(ready);
        let stuck_low = self.band.least.is_some_and(|least| total <= least) && wish < ready;
        let stuck_high = self.band.most.is_some_and(|most| total >= most) && wish > ready;
        let clamped = self.clamp(wish);
        if stuck_low || stuck_high || !between(ready, wish, clamped) {
            return (ready, Some(Verdict::Hold));
        }
        (clamped, None)
    }
}
