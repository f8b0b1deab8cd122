//! A band of GPUs, and how replicas are fitted into it.
//!
//! Sums are wide enough for any count times any cost.

use super::shape::{PerRole, Role};

/// Least and most; none where a bound is off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Band {
    /// Least.
    pub least: Option<i128>,
    /// Most, which is never exceeded.
    pub most: Option<i128>,
}

impl Band {
    /// A band of settings, where a negative bound is off.
    pub fn new(least: i64, most: i64) -> Self {
        let bound = |value: i64| (value >= 0).then_some(i128::from(value));
        Self { least: bound(least), most: bound(most) }
    }

    /// Whether a total is inside, the lower bound relaxed by `slack`.
    pub fn holds(&self, total: i128, slack: i128) -> bool {
        self.most.is_none_or(|most| total <= most) && self.least.is_none_or(|least| total >= least - slack)
    }

    /// How far the lower bound is relaxed: whole replicas cannot hit every total between two bounds.
    fn slack(&self, step: i128) -> i128 {
        if self.least.is_some() && self.most.is_some() { step } else { 0 }
    }
}

/// A band shared by prefill and decode replicas.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// What all replicas together may cost.
    pub band: Band,
    /// Cost of a replica of each role; 0 for a role whose cost is unknown.
    pub cost: PerRole<i128>,
    /// Least replicas of each role.
    pub floor: PerRole<u32>,
}

/// A band of the replicas of one role.
#[derive(Clone, Copy, Debug)]
pub struct SingleBudget {
    /// What all replicas together may cost.
    pub band: Band,
    /// Cost of a replica; 0 when unknown.
    pub cost: i128,
    /// Least replicas.
    pub floor: u32,
}

/// Values of an axis that a fit looks at; the nearest to what was asked come first.
const MOST_CANDIDATES: usize = 1 << 12;

pub(super) fn count(value: i128) -> u32 {
    u32::try_from(value.max(0)).unwrap_or(u32::MAX)
}

/// A share of a count, as whole replicas.
fn scaled(count: u32, target: i128, total: i128, round: impl Fn(f64) -> f64) -> i128 {
    round(f64::from(count) * (target as f64 / total as f64)) as i128
}

pub(super) fn ceil_div(a: i128, b: i128) -> i128 {
    -(-a).div_euclid(b)
}

impl Budget {
    /// Cost of so many replicas.
    pub fn total(&self, replicas: PerRole<u32>) -> i128 {
        let costs = replicas.zip(self.cost, |count, cost| i128::from(count) * cost);
        costs.prefill + costs.decode
    }

    /// Whether both costs are known.
    pub(super) fn is_known(&self) -> bool {
        self.cost.prefill > 0 && self.cost.decode > 0
    }

    /// The larger cost.
    pub(super) fn step(&self) -> i128 {
        self.cost.prefill.max(self.cost.decode)
    }

    pub(super) fn holds(&self, replicas: PerRole<u32>) -> bool {
        self.band.holds(self.total(replicas), self.band.slack(self.step()))
    }

    /// The same without the lower bound.
    pub(super) fn ceiling(self) -> Self {
        Self { band: Band { least: None, ..self.band }, ..self }
    }

    /// Replicas in the band, in proportion; (0, 0) when not even the floors fit.
    #[must_use]
    pub fn clamp(&self, replicas: PerRole<u32>) -> PerRole<u32> {
        if !self.is_known() || self.holds(replicas) {
            return replicas;
        }
        match self.band.most.filter(|&most| self.total(replicas) > most) {
            Some(most) => self.shrink(replicas, most),
            None => self.band.least.map_or(replicas, |least| self.grow(replicas, least)),
        }
    }

    /// Fewer replicas; what prefill leaves goes to decode.
    pub(super) fn shrink(&self, replicas: PerRole<u32>, most: i128) -> PerRole<u32> {
        if self.total(self.floor) > most {
            return PerRole::default();
        }
        let floor = self.floor.map(i128::from);
        let room = (most - floor.decode * self.cost.decode).div_euclid(self.cost.prefill);
        let share = scaled(replicas.prefill, most, self.total(replicas), libm::floor);
        let prefill = room.min(share).max(floor.prefill);
        let decode = (most - prefill * self.cost.prefill).div_euclid(self.cost.decode);
        PerRole { prefill: count(prefill), decode: count(decode.max(floor.decode)) }
    }

    /// More replicas; from nothing, prefill gets half.
    fn grow(&self, replicas: PerRole<u32>, least: i128) -> PerRole<u32> {
        let floor = self.floor.map(i128::from);
        let total = self.total(replicas);
        let share = if total == 0 {
            ceil_div(least, 2 * self.cost.prefill)
        } else {
            scaled(replicas.prefill, least, total, libm::ceil)
        };
        let prefill = share.max(floor.prefill);
        let rest = ceil_div((least - prefill * self.cost.prefill).max(0), self.cost.decode);
        let decode = rest.max(floor.decode).max(i128::from(replicas.decode));
        let grown = PerRole { prefill: count(prefill), decode: count(decode) };
        let Some(most) = self.band.most.filter(|&most| self.total(grown) > most) else { return grown };
        // Steps too coarse for both: decode as it must be, prefill as far as it goes.
        let prefill = (most - decode * self.cost.decode).div_euclid(self.cost.prefill);
        let fitted = PerRole { prefill: count(prefill), decode: grown.decode };
        let fits = prefill >= i128::from(replicas.prefill).max(floor.prefill) && self.holds(fitted);
        if fits { fitted } else { replicas }
    }

    /// The pair in the band between two others that is nearest to the second, each role above its floor.
    ///
    /// Of two as near: the more even progress, then the more progress, then fewer replicas. When the roles move in
    /// opposite directions, both move or none.
    #[must_use]
    pub fn fit(&self, from: PerRole<u32>, to: PerRole<u32>) -> PerRole<u32> {
        if !self.is_known() {
            return to;
        }
        let above = to.zip(self.floor, |count, floor| count >= floor);
        if above.prefill && above.decode && self.holds(to) {
            return to;
        }
        Fit::new(self, from, to).best().unwrap_or(from)
    }

    /// Ready replicas with every floor met, at the expense of the other role where the band is full.
    #[must_use]
    pub fn raise(&self, ready: PerRole<u32>) -> PerRole<u32> {
        let mut raised = ready.zip(self.floor, u32::max);
        let Some(most) = self.band.most.filter(|_| self.is_known()) else { return raised };
        for (giver, taker) in [(Role::Decode, Role::Prefill), (Role::Prefill, Role::Decode)] {
            let gives = raised.of(taker) > ready.of(taker);
            if gives && self.total(raised) > most {
                let room = most - i128::from(*raised.of(taker)) * self.cost.of(taker);
                let left = count(room.div_euclid(*self.cost.of(giver)));
                *raised.of_mut(giver) = left.min(*raised.of(giver)).max(*self.floor.of(giver));
            }
        }
        raised
    }
}

/// A search between two pairs; axis 0 is prefill, axis 1 decode.
struct Fit {
    from: [i128; 2],
    to: [i128; 2],
    cost: [i128; 2],
    low: [i128; 2],
    high: [i128; 2],
    band: Band,
    slack: i128,
}

/// Smaller is better: distance, unevenness, progress left, replicas.
type Score = (i128, i128, i128, i128, i128);

impl Fit {
    fn new(budget: &Budget, from: PerRole<u32>, to: PerRole<u32>) -> Self {
        let axes = |pair: PerRole<u32>| [i128::from(pair.prefill), i128::from(pair.decode)];
        let (from, to, floor) = (axes(from), axes(to), axes(budget.floor));
        let low = [0, 1].map(|axis: usize| from[axis].min(to[axis]).max(floor[axis]));
        let high = [0, 1].map(|axis: usize| from[axis].max(to[axis]));
        let cost = [budget.cost.prefill, budget.cost.decode];
        let mut fit =
            Self { from, to, cost, low, high, band: budget.band, slack: budget.band.slack(budget.step()) };
        // What no partner could bring into the band need not be looked at.
        let (low, high) = (fit.low, fit.high);
        for axis in 0..2 {
            (fit.low[axis], fit.high[axis]) = fit.interval(axis, low[1 - axis], high[1 - axis]);
        }
        fit
    }

    /// What the band leaves of an axis for partners between two counts.
    fn interval(&self, axis: usize, partner_low: i128, partner_high: i128) -> (i128, i128) {
        let partner = self.cost[1 - axis];
        let low = self.band.least.map_or(self.low[axis], |least| {
            self.low[axis].max(ceil_div(least - self.slack - partner_high * partner, self.cost[axis]))
        });
        let high = self.band.most.map_or(self.high[axis], |most| {
            self.high[axis].min((most - partner_low * partner).div_euclid(self.cost[axis]))
        });
        (low, high)
    }

    fn opposes(&self) -> bool {
        let step = |axis: usize| (self.to[axis] - self.from[axis]).signum();
        step(0) * step(1) < 0
    }

    fn score(&self, pair: [i128; 2]) -> Score {
        let distance = (self.to[0] - pair[0]).abs() + (self.to[1] - pair[1]).abs();
        let asked = [0, 1].map(|axis: usize| (self.to[axis] - self.from[axis]).abs());
        let done = [0, 1].map(|axis: usize| (pair[axis] - self.from[axis]).abs());
        let uneven = (done[0] * asked[1] - done[1] * asked[0]).abs();
        (distance, uneven, -(done[0] + done[1]), pair[0], pair[1])
    }

    /// The best partner of a value of an axis.
    fn partner(&self, axis: usize, value: i128) -> Option<[i128; 2]> {
        let other = 1 - axis;
        let (mut low, mut high) = self.interval(other, value, value);
        let mut wish = self.to[other];
        if self.opposes() {
            let still = self.from[other];
            if value == self.from[axis] {
                wish = still;
                (low, high) = (low.max(still), high.min(still));
            } else if wish > still {
                low = low.max(still + 1);
            } else {
                high = high.min(still - 1);
            }
        }
        if low > high {
            return None;
        }
        let mut pair = [value; 2];
        pair[other] = wish.clamp(low, high);
        Some(pair)
    }

    fn best(&self) -> Option<PerRole<u32>> {
        let length = |axis: usize| self.high[axis] - self.low[axis];
        if length(0) < 0 || length(1) < 0 {
            return None;
        }
        let axis = usize::from(length(0) > length(1));
        let (low, high) = (self.low[axis], self.high[axis]);
        let start = self.to[axis].clamp(low, high);
        let rising = start..=high;
        let falling = (low..start).rev();
        let best = rising
            .take(MOST_CANDIDATES)
            .chain(falling.take(MOST_CANDIDATES))
            .filter_map(|value| self.partner(axis, value))
            .min_by_key(|&pair| self.score(pair))?;
        Some(PerRole { prefill: count(best[0]), decode: count(best[1]) })
    }
}

impl SingleBudget {
    /// Cost of so many replicas.
    pub fn total(&self, replicas: u32) -> i128 {
        i128::from(replicas) * self.cost
    }

    pub(super) fn holds(&self, replicas: u32) -> bool {
        self.band.holds(self.total(replicas), self.band.slack(self.cost))
    }

    /// Replicas in the band; 0 when not even the floor fits.
    #[must_use]
    pub fn clamp(&self, replicas: u32) -> u32 {
        if self.cost <= 0 || self.holds(replicas) {
            return replicas;
        }
        let most = self.band.most.map(|most| most.div_euclid(self.cost));
        let floor = i128::from(self.floor);
        if most.is_some_and(|most| most < floor) {
            return 0;
        }
        let over = self.band.most.is_some_and(|most| self.total(replicas) > most);
        let grown = if over { i128::MAX } else { ceil_div(self.band.least.unwrap_or(0), self.cost) };
        count(most.map_or(grown, |most| grown.min(most)).max(floor))
    }
}
