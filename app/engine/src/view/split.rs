//! How many workers of each kind a goal needs.

use crate::problem::MAX_GPUS;

/// One kind of worker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pool {
    /// GPUs of one worker.
    pub gpus: u32,
    /// Requests per second that one worker contributes to the cluster.
    pub rate: f64,
}

/// Whole workers needed for a load, when one carries `each`; none beyond any sensible cluster.
pub(super) fn needed(load: f64, each: f64) -> Option<u32> {
    let count = (load / each - 1e-9).ceil().max(1.0);
    (count <= f64::from(MAX_GPUS)).then_some(count as u32)
}

/// Requests per second of a cluster: what its slowest kind of worker serves.
pub(super) fn rate(pools: &[Pool], counts: &[u32]) -> f64 {
    pools
        .iter()
        .zip(counts)
        .fold(f64::INFINITY, |least, (pool, &count)| least.min(f64::from(count) * pool.rate))
}

/// GPUs of a cluster.
pub(super) fn gpus(pools: &[Pool], counts: &[u32]) -> u32 {
    pools
        .iter()
        .zip(counts)
        .fold(0, |sum, (pool, &count)| u32::saturating_add(sum, count.saturating_mul(pool.gpus)))
}

/// The workers of a GPU budget with the highest rate; of those the fewest.
pub(super) fn within_budget<const N: usize>(pools: [Pool; N], budget: u32) -> Option<[u32; N]> {
    if pools.iter().any(|pool| !(pool.rate > 0.0 && pool.rate.is_finite())) {
        return None;
    }
    let fitting = |rate: f64| {
        let mut counts = [0; N];
        for (count, pool) in counts.iter_mut().zip(&pools) {
            *count = least(pool.rate, rate)?;
        }
        (gpus(&pools, &counts) <= budget).then_some(counts)
    };
    let mut best: Option<(f64, [u32; N])> = None;
    // The best rate is that of whole workers of one kind: of each kind, the most that the others can follow.
    for pool in &pools {
        let (mut few, mut many) = (0, budget / pool.gpus.max(1));
        while few < many {
            let mid = few + (many - few).div_ceil(2);
            if fitting(f64::from(mid) * pool.rate).is_some() {
                few = mid;
            } else {
                many = mid - 1;
            }
        }
        let reached = f64::from(few) * pool.rate;
        if few > 0 && best.is_none_or(|(rate, _)| reached > rate) {
            best = fitting(reached).map(|counts| (reached, counts));
        }
    }
    best.map(|(_, counts)| counts)
}

/// The fewest workers of `each` that reach a rate, exactly; none beyond any sensible cluster.
fn least(each: f64, rate: f64) -> Option<u32> {
    let about = (rate / each).ceil();
    if about > f64::from(MAX_GPUS) {
        return None;
    }
    let about = (about as u32).max(1);
    // The quotient may be rounded to the wrong side of a whole number.
    let reaches = |count: u32| f64::from(count) * each >= rate;
    let fewer = about.saturating_sub(1).max(1);
    Some(if reaches(fewer) {
        fewer
    } else if reaches(about) {
        about
    } else {
        about + 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [(u32, u32); 6] = [(1, 1), (1, 2), (2, 1), (4, 2), (2, 8), (8, 4)];
    const RATIOS: [f64; 7] = [0.05, 0.3, 0.9, 1.0, 1.7, 6.0, 40.0];

    /// No budget serves more, and no worker is spare.
    fn check<const N: usize>(pools: [Pool; N], budget: u32, want: f64) {
        let got = within_budget(pools, budget);
        assert_eq!(got.map_or(0.0, |counts| rate(&pools, &counts)), want, "{pools:?} {budget}");
        let Some(counts) = got else { return };
        assert!(gpus(&pools, &counts) <= budget);
        for at in 0..N {
            let mut fewer = counts;
            fewer[at] -= 1;
            assert!(fewer[at] == 0 || rate(&pools, &fewer) < want, "{pools:?} {budget} {counts:?}");
        }
    }

    #[test]
    fn two_kinds_are_as_good_as_trying_all() {
        for (gp, gd) in SIZES {
            for budget in [2, 3, 6, 10, 13, 28, 36, 97] {
                for ratio in RATIOS {
                    let pools = [Pool { gpus: gp, rate: 1.0 }, Pool { gpus: gd, rate: ratio }];
                    let mut want = 0f64;
                    for x in 1..=budget {
                        for y in (1..=budget).take_while(|y| x * gp + y * gd <= budget) {
                            want = want.max(rate(&pools, &[x, y]));
                        }
                    }
                    check(pools, budget, want);
                }
            }
        }
    }

    #[test]
    fn three_kinds_are_as_good_as_trying_all() {
        for (gp, gd) in SIZES {
            for ge in [1, 2] {
                for budget in [3, 6, 13, 28] {
                    for ratio in RATIOS {
                        let pools = [
                            Pool { gpus: gp, rate: 1.0 },
                            Pool { gpus: gd, rate: ratio },
                            Pool { gpus: ge, rate: 0.7 },
                        ];
                        let mut want = 0f64;
                        for x in 1..=budget {
                            for y in 1..=budget {
                                for z in 1..=budget {
                                    if gpus(&pools, &[x, y, z]) <= budget {
                                        want = want.max(rate(&pools, &[x, y, z]));
                                    }
                                }
                            }
                        }
                        check(pools, budget, want);
                    }
                }
            }
        }
    }

    #[test]
    fn senseless_rates_make_no_cluster() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(within_budget([Pool { gpus: 1, rate: 1.0 }, Pool { gpus: 1, rate }], 32), None);
        }
        assert_eq!(within_budget([Pool { gpus: 8, rate: 1.0 }], 7), None);
        assert_eq!(within_budget([Pool { gpus: 8, rate: 1.0 }], 31), Some([3]));
    }
}
