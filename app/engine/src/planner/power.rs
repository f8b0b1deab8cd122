//! A ceiling on the watts of all replicas. It lowers what was asked and never raises it.

use serde::{Deserialize, Serialize};

use super::budget::{Band, Budget};
use super::shape::{PerRole, Role};
use super::signal::Targets;

/// What the ceiling did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PowerCut {
    /// Less than was asked fits.
    #[serde(rename = "power_budget_clamped")]
    Clamped,
    /// One role grows while the other shrinks, and both at once would exceed the ceiling: the shrinking goes first.
    #[serde(rename = "power_rebalance_staged")]
    Staged,
    /// The other role leaves no room to grow.
    #[serde(rename = "power_budget_scale_up_suppressed")]
    Suppressed,
}

impl PowerCut {
    /// The name in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clamped => "power_budget_clamped",
            Self::Staged => "power_rebalance_staged",
            Self::Suppressed => "power_budget_scale_up_suppressed",
        }
    }
}

/// Watts of a replica of each role, and of all together.
#[derive(Clone, Copy, Debug)]
pub struct Power {
    /// Watts of a replica; none for a role without a limit, which counts nothing.
    pub watts: PerRole<Option<f64>>,
    /// Most watts of all replicas.
    pub most_watts: f64,
    /// Least replicas of each role.
    pub floor: PerRole<u32>,
}

/// Beyond any cluster, small enough for sums.
const MOST_MILLIWATTS: f64 = 1e15;

/// Whole milliwatts, so that sums are exact.
fn milliwatts(watts: f64) -> f64 {
    (watts * 1000.0).clamp(0.0, MOST_MILLIWATTS)
}

impl Power {
    fn budget(&self) -> Budget {
        let most = Some(libm::floor(milliwatts(self.most_watts)) as i128);
        let cost = self.watts.map(|watts| libm::ceil(milliwatts(watts.unwrap_or(0.0))) as i128);
        Budget { band: Band { least: None, most }, cost, floor: self.floor }
    }

    /// Watts of so many replicas.
    pub fn projected(&self, replicas: PerRole<u32>) -> f64 {
        let watts = replicas.zip(self.watts, |count, watts| f64::from(count) * watts.unwrap_or(0.0));
        watts.prefill + watts.decode
    }

    /// What the ceiling leaves of what was asked; a role that was not asked for stays as it is and is charged.
    pub fn apply(&self, ready: PerRole<u32>, wish: Targets) -> (Targets, Option<PowerCut>) {
        let budget = self.budget();
        let adjustable = wish.zip(budget.cost, |wish, cost| wish.is_some() && cost > 0);
        let asked = wish.zip(ready, Option::unwrap_or);
        if adjustable.prefill && adjustable.decode {
            let (fitted, cut) = pair(&budget, ready, asked);
            return (fitted.map(Some), cut);
        }
        let fits = budget.band.holds(budget.total(asked), 0);
        let role = if adjustable.prefill { Role::Prefill } else { Role::Decode };
        if fits || !adjustable.of(role) {
            return (wish, None);
        }
        let (fitted, cut) = single(&budget, role, *ready.of(role), asked);
        let mut targets = wish;
        *targets.of_mut(role) = Some(fitted);
        (targets, cut)
    }
}

/// One role grows, the other shrinks, and together they would exceed the band on the way.
fn needs_stages(budget: &Budget, ready: PerRole<u32>, wish: PerRole<u32>) -> bool {
    let opposing = (wish.prefill > ready.prefill && wish.decode < ready.decode)
        || (wish.prefill < ready.prefill && wish.decode > ready.decode);
    opposing && !budget.band.holds(budget.total(ready.zip(wish, u32::max)), 0)
}

fn pair(budget: &Budget, ready: PerRole<u32>, wish: PerRole<u32>) -> (PerRole<u32>, Option<PowerCut>) {
    let staged = |wish: PerRole<u32>| (wish.zip(ready, u32::min), Some(PowerCut::Staged));
    if needs_stages(budget, ready, wish) {
        return staged(wish);
    }
    if budget.band.holds(budget.total(wish), 0) {
        return (wish, None);
    }
    if budget.band.holds(budget.total(ready), 0) {
        return (budget.fit(ready, wish), Some(PowerCut::Clamped));
    }
    // Above the ceiling already: both give in proportion.
    let most = budget.band.most.unwrap_or(0);
    let shrunk = budget.shrink(wish, most).zip(wish, u32::min);
    if needs_stages(budget, ready, shrunk) { staged(shrunk) } else { (shrunk, Some(PowerCut::Clamped)) }
}

fn single(budget: &Budget, role: Role, ready: u32, asked: PerRole<u32>) -> (u32, Option<PowerCut>) {
    let (wish, floor, cost) = (*asked.of(role), *budget.floor.of(role), *budget.cost.of(role));
    let others = budget.total(asked) - i128::from(wish) * cost;
    let room = (budget.band.most.unwrap_or(0) - others).div_euclid(cost);
    if room < i128::from(floor) {
        let held = wish.min(ready);
        return (held, (held < wish).then_some(PowerCut::Suppressed));
    }
    let fitted = super::budget::count(room).min(wish).max(floor);
    (fitted, (fitted != wish).then_some(PowerCut::Clamped))
}
