//! From what the engines ask for to what is sent: bound, floors, budget, and the reason of it.

use super::guard::Verdict;
use super::reason::LoadReason;
use super::scaler::{LoadDecision, Scaler, only};
use super::shape::{Estimator, PerRole, Role};
use super::signal::Targets;

/// What the engines of a role ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// They cannot be judged.
    Unknown(LoadReason),
    /// As many as there are.
    Stay(LoadReason),
    /// So many.
    To(u32),
}

/// What the engines of a role ask for, and the worst estimate among them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Side {
    pub(super) wish: Wish,
    pub(super) estimate_ms: Option<f64>,
}

impl Side {
    pub(super) fn unknown() -> Self {
        Self { wish: Wish::Unknown(LoadReason::InsufficientData), estimate_ms: None }
    }
}

impl Wish {
    pub(super) fn target(self) -> Option<u32> {
        if let Self::To(replicas) = self { Some(replicas) } else { None }
    }

    /// A reason that says more than that nothing changes.
    pub(super) fn telling(self) -> Option<LoadReason> {
        match self {
            Self::Unknown(reason) | Self::Stay(reason) if reason != LoadReason::NoChange => Some(reason),
            _ => None,
        }
    }
}

impl LoadDecision {
    pub(super) fn hold(reason: LoadReason) -> Self {
        Self {
            targets: None,
            reason,
            prefill: None,
            decode: None,
            estimated_ttft_ms: None,
            estimated_itl_ms: None,
        }
    }
}

/// How interesting a reason is beside another.
fn weight(reason: LoadReason) -> u32 {
    match reason {
        LoadReason::ScaleUp => 4,
        LoadReason::ScaleDownCappedByThroughput => 3,
        LoadReason::ScaleDown => 2,
        _ => 1,
    }
}

/// One role on its way.
#[derive(Clone, Copy, Debug)]
struct Course {
    ready: u32,
    /// What the engines asked for.
    asked: u32,
    /// That, raised to the bound of the throughput loop.
    bounded: u32,
    result: u32,
}

impl Course {
    fn reason(self) -> LoadReason {
        let capped = self.bounded > self.asked && self.asked < self.ready;
        match self.result.cmp(&self.ready) {
            std::cmp::Ordering::Greater => LoadReason::ScaleUp,
            _ if capped => LoadReason::ScaleDownCappedByThroughput,
            std::cmp::Ordering::Less => LoadReason::ScaleDown,
            std::cmp::Ordering::Equal => LoadReason::NoChange,
        }
    }
}

impl<E: Estimator> Scaler<E> {
    /// The bound of the throughput loop, 0 when it does not run.
    fn bound(&self) -> PerRole<u32> {
        if self.config.throughput_loop() { self.lower_bound } else { PerRole::default() }
    }

    /// Both roles together.
    pub(super) fn settle(&self, wishes: PerRole<Wish>) -> LoadDecision {
        if self.inventory.starts() {
            return self.settle_start(wishes);
        }
        let (ready, budget) = (self.inventory.ready(), self.budget());
        let asked = wishes.zip(ready, |wish, ready| wish.target().unwrap_or(ready));
        let bounded = asked.zip(self.bound(), u32::max);
        let floored = bounded.zip(budget.floor, u32::max);
        let below = ready.zip(budget.floor, |ready, floor| ready < floor);
        let (result, verdict) = if below.prefill || below.decode {
            (budget.raise(ready), Some(Verdict::Reconcile))
        } else {
            let fits = if bounded == asked { floored } else { budget.ceiling().fit(ready, floored) };
            budget.guard(ready, fits)
        };
        let reason = |role: Role| {
            let (ready, asked) = (*ready.of(role), *asked.of(role));
            Course { ready, asked, bounded: *bounded.of(role), result: *result.of(role) }.reason()
        };
        let mut reasons = PerRole { prefill: reason(Role::Prefill), decode: reason(Role::Decode) };
        let mut overall =
            if weight(reasons.decode) > weight(reasons.prefill) { reasons.decode } else { reasons.prefill };
        if result == ready {
            let telling = wishes.map(Wish::telling);
            reasons = reasons.zip(telling, |reason, telling| telling.unwrap_or(reason));
            overall = telling.prefill.or(telling.decode).unwrap_or(overall);
        }
        LoadDecision {
            targets: (result != ready).then(|| result.map(Some)),
            prefill: Some(reasons.prefill),
            decode: Some(reasons.decode),
            ..LoadDecision::hold(verdict.map_or(overall, Verdict::load))
        }
    }

    /// The only role.
    pub(super) fn settle_single(&self, role: Role, wish: Wish) -> LoadDecision {
        if self.inventory.starts() {
            let mut wishes = PerRole {
                prefill: Wish::Stay(LoadReason::NoChange),
                decode: Wish::Stay(LoadReason::NoChange),
            };
            *wishes.of_mut(role) = wish;
            return self.settle_start(wishes);
        }
        let (ready, budget) = (self.inventory.of(role).ready, self.single_budget(role));
        let asked = wish.target().unwrap_or(ready);
        let bounded = asked.max(*self.bound().of(role));
        let (result, verdict) = if ready < budget.floor {
            (budget.floor, Some(Verdict::Reconcile))
        } else {
            let floored = bounded.max(budget.floor);
            let fits = if bounded == asked { floored } else { budget.ceiling().fit(ready, floored) };
            budget.guard(ready, fits)
        };
        let mut reason = Course { ready, asked, bounded, result }.reason();
        if result == ready {
            reason = wish.telling().unwrap_or(reason);
        }
        LoadDecision {
            targets: (result != ready).then(|| only(role, result)),
            ..LoadDecision::hold(verdict.map_or(reason, Verdict::load))
        }
    }

    /// While workers start nothing grows; a role that could do with less than it will have is a candidate for
    /// cancelling the start.
    fn settle_start(&self, wishes: PerRole<Wish>) -> LoadDecision {
        let (ready, with_pending) = (self.inventory.ready(), self.inventory.with_pending());
        let least = self.bound().zip(self.config.floors(), u32::max);
        let wanted = wishes.zip(ready, |wish, ready| wish.target().filter(|&target| target <= ready));
        let raised = wanted.zip(least, |wanted, least| wanted.map(|wanted| wanted.max(least)));
        let targets: Targets =
            raised.zip(with_pending, |target, pending| target.filter(|&target| target < pending));
        let some = targets.prefill.is_some() || targets.decode.is_some();
        let telling = wishes.map(Wish::telling);
        let idle = telling.prefill.or(telling.decode).unwrap_or(LoadReason::NoChange);
        let reason = if some { LoadReason::ScaleDown } else { idle };
        LoadDecision { targets: some.then_some(targets), ..LoadDecision::hold(reason) }
    }
}
