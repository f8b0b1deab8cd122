//! Rows into clusters: how many workers of each kind, and what they do together.

use super::{Layout, Point, Target, Worker};
use crate::rows::{AggRow, DecodeRow, PrefillRow, Rows};
use crate::scenario::{Goal, Scenario};
use crate::serving::disagg;
use crate::source::Evidence;

/// Workers of a disaggregated cluster and the requests per second they serve.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Split {
    prefill: u32,
    decode: u32,
    requests_per_sec: f64,
    gpus: u32,
}

/// One point for each aggregated row and one for each decode row, with its best prefill workers.
pub(super) fn points(rows: &Rows, scenario: &Scenario, target: &Target) -> Vec<Point> {
    let mut points = Vec::new();
    if scenario.serving.agg() {
        points.extend(rows.agg.iter().filter_map(|row| agg(row, scenario, target)));
    }
    if scenario.serving.disagg() {
        let prefills = Prefills::new(&rows.prefill, target);
        points.extend(rows.decode.iter().filter_map(|row| best_pair(row, &prefills, scenario, target)));
    }
    points
}

/// What one user sees, tokens per second; a single output token arrives after the TTFT.
fn per_user(osl: u32, ttft_ms: f64, itl_ms: f64) -> f64 {
    1000.0 / if osl > 1 { itl_ms } else { ttft_ms }
}

/// What a cluster does, whatever its layout.
struct Outcome {
    gpus_used: u32,
    ttft_ms: f64,
    itl_ms: f64,
    requests_per_sec: f64,
    concurrency: u32,
    evidence: Evidence,
}

fn point(layout: Layout, replicas: u32, outcome: &Outcome, scenario: &Scenario, target: &Target) -> Point {
    let Outcome { gpus_used, ttft_ms, itl_ms, requests_per_sec, concurrency, evidence } = *outcome;
    let osl = scenario.workload.osl;
    let paid = target.gpus.unwrap_or(gpus_used);
    Point {
        place: 0,
        layout,
        replicas,
        gpus_used,
        ttft_ms,
        itl_ms,
        request_latency_ms: target.latency(ttft_ms, itl_ms),
        tokens_per_sec_per_gpu: requests_per_sec * f64::from(osl) / f64::from(paid),
        tokens_per_sec_per_user: per_user(osl, ttft_ms, itl_ms),
        requests_per_sec,
        concurrency,
        evidence,
        meets_ttft: target.meets_ttft(ttft_ms),
        meets_itl: target.meets_rest(ttft_ms, itl_ms),
    }
}

/// Whole workers needed for a load, when one carries `each`; none beyond any sensible cluster.
fn needed(load: f64, each: f64) -> Option<u32> {
    let count = (load / each - 1e-9).ceil().max(1.0);
    (count <= f64::from(crate::problem::MAX_GPUS)).then_some(count as u32)
}

fn agg(row: &AggRow, scenario: &Scenario, target: &Target) -> Option<Point> {
    let gpus = row.parallel.gpus();
    let replicas = match scenario.goal {
        Goal::Gpus(budget) => budget / gpus,
        Goal::RequestRate(rate) => needed(rate, row.requests_per_sec)?,
        Goal::Concurrency(load) => load.div_ceil(row.concurrency.max(1)),
    };
    if replicas == 0 {
        return None;
    }
    let worker = Worker { parallel: row.parallel, batch: row.batch, count: replicas, memory: row.memory };
    let outcome = Outcome {
        gpus_used: gpus.saturating_mul(replicas),
        ttft_ms: row.ttft_ms,
        itl_ms: row.itl_ms,
        requests_per_sec: row.requests_per_sec * f64::from(replicas),
        concurrency: row.concurrency.saturating_mul(replicas),
        evidence: row.evidence,
    };
    Some(point(Layout::Agg { worker, ctx_tokens: row.ctx_tokens }, replicas, &outcome, scenario, target))
}

/// The prefill rows that can matter: for each worker size, none slower and of lower rate than another.
struct Prefills<'a> {
    /// Rows within the TTFT target.
    within: Vec<&'a PrefillRow>,
    /// The fastest row of each worker size, for when nothing is within the target.
    fastest: Vec<&'a PrefillRow>,
}

impl<'a> Prefills<'a> {
    fn new(rows: &'a [PrefillRow], target: &Target) -> Self {
        let mut order: Vec<&PrefillRow> = rows.iter().filter(|row| row.requests_per_sec > 0.0).collect();
        order.sort_by(|a, b| {
            let size = a.parallel.gpus().cmp(&b.parallel.gpus());
            size.then(a.ttft_ms.total_cmp(&b.ttft_ms)).then(b.requests_per_sec.total_cmp(&a.requests_per_sec))
        });
        let mut within: Vec<&PrefillRow> = Vec::new();
        let mut fastest: Vec<&PrefillRow> = Vec::new();
        for row in order {
            let size = row.parallel.gpus();
            if fastest.last().is_none_or(|last| last.parallel.gpus() != size) {
                fastest.push(row);
            }
            let last = within.last().filter(|last| last.parallel.gpus() == size);
            let better = last.is_none_or(|last| row.requests_per_sec > last.requests_per_sec);
            if target.meets_ttft(row.ttft_ms) && better {
                // Without a request latency only the rate matters once the TTFT is met.
                if last.is_some() && target.request_latency_ms.is_none() {
                    within.pop();
                }
                within.push(row);
            }
        }
        Self { within, fastest }
    }
}

fn best_pair(
    row: &DecodeRow,
    prefills: &Prefills<'_>,
    scenario: &Scenario,
    target: &Target,
) -> Option<Point> {
    let best = |rows: &[&PrefillRow], must_meet: bool| {
        rows.iter()
            .filter(|prefill| !must_meet || target.meets_rest(prefill.ttft_ms, row.itl_ms))
            .filter_map(|prefill| pair(prefill, row, scenario, target))
            .min_by(|a, b| super::compare(a, b, scenario.goal).then(a.ttft_ms.total_cmp(&b.ttft_ms)))
    };
    best(&prefills.within, true)
        .or_else(|| best(&prefills.within, false))
        .or_else(|| best(&prefills.fastest, false))
}

fn pair(prefill: &PrefillRow, decode: &DecodeRow, scenario: &Scenario, target: &Target) -> Option<Point> {
    let split = split(prefill, decode, scenario, target)?;
    let worker = |parallel, batch, count, memory| Worker { parallel, batch, count, memory };
    let layout = Layout::Disagg {
        prefill: worker(prefill.parallel, prefill.batch, split.prefill, prefill.memory),
        decode: worker(decode.parallel, decode.batch, split.decode, decode.memory),
    };
    let outcome = Outcome {
        gpus_used: split.gpus,
        ttft_ms: prefill.ttft_ms,
        itl_ms: decode.itl_ms,
        requests_per_sec: split.requests_per_sec,
        concurrency: decode.concurrency.saturating_mul(split.decode),
        evidence: prefill.evidence.weaker(decode.evidence),
    };
    Some(point(layout, gcd(split.prefill, split.decode), &outcome, scenario, target))
}

fn split(prefill: &PrefillRow, decode: &DecodeRow, scenario: &Scenario, target: &Target) -> Option<Split> {
    let size = (prefill.parallel.gpus(), decode.parallel.gpus());
    let rate =
        (prefill.requests_per_sec * disagg::PREFILL_RATE, decode.requests_per_sec * disagg::DECODE_RATE);
    match scenario.goal {
        Goal::Gpus(budget) => within_budget(size, rate, budget),
        Goal::RequestRate(load) => Some(workers(size, rate, needed(load, rate.0)?, needed(load, rate.1)?)),
        Goal::Concurrency(load) => {
            let decodes = load.div_ceil(decode.concurrency.max(1));
            // Little's law: this many in flight means so many to prefill per second.
            let latency_s = target.latency(prefill.ttft_ms, decode.itl_ms) / 1000.0;
            Some(workers(size, rate, needed(f64::from(load) / latency_s, rate.0)?, decodes))
        }
    }
}

fn workers(size: (u32, u32), rate: (f64, f64), prefill: u32, decode: u32) -> Split {
    let requests_per_sec = (f64::from(prefill) * rate.0).min(f64::from(decode) * rate.1);
    let gpus = prefill.saturating_mul(size.0).saturating_add(decode.saturating_mul(size.1));
    Split { prefill, decode, requests_per_sec, gpus }
}

/// The split of a GPU budget with the highest rate, then the fewest GPUs.
fn within_budget(size: (u32, u32), rate: (f64, f64), budget: u32) -> Option<Split> {
    let most = budget.checked_sub(size.0)? / size.1;
    if most == 0 || !(rate.0 > 0.0 && rate.1 > 0.0) {
        return None;
    }
    let at = |decode: u32| workers(size, rate, (budget - decode * size.1) / size.0, decode);
    // More decode workers raise the decode rate and lower the prefill rate: the best is where they cross.
    let (mut lo, mut hi) = (1, most);
    while lo < hi {
        let mid = lo + (hi - lo).div_ceil(2);
        let split = at(mid);
        if f64::from(split.decode) * rate.1 <= f64::from(split.prefill) * rate.0 {
            lo = mid;
        } else {
            hi = mid - 1;
        }
    }
    let best = [lo, (lo + 1).min(most)]
        .map(at)
        .into_iter()
        .reduce(|a, b| if b.requests_per_sec > a.requests_per_sec { b } else { a })?;
    // Workers beyond what the slower side needs would idle.
    let enough = |count: u32, each: f64| {
        let exact = (best.requests_per_sec / each).ceil() as u32;
        let fewer = exact.saturating_sub(1).max(1);
        if f64::from(fewer) * each >= best.requests_per_sec { fewer } else { exact.min(count).max(1) }
    };
    let trimmed = workers(size, rate, enough(best.prefill, rate.0), enough(best.decode, rate.1));
    Some(if trimmed.requests_per_sec >= best.requests_per_sec { trimmed } else { best })
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budget_split_is_as_good_as_trying_all() {
        for (gp, gd) in [(1, 1), (1, 2), (2, 1), (4, 2), (2, 8), (8, 4)] {
            for budget in [2, 3, 6, 10, 13, 28, 36, 97] {
                for ratio in [0.05, 0.3, 0.9, 1.0, 1.7, 6.0, 40.0] {
                    let rate = (1.0, ratio);
                    let mut want = 0f64;
                    for x in 1..=budget {
                        for y in 1..=budget {
                            if x * gp + y * gd <= budget {
                                want = want.max(workers((gp, gd), rate, x, y).requests_per_sec);
                            }
                        }
                    }
                    let got = within_budget((gp, gd), rate, budget);
                    assert_eq!(got.map_or(0.0, |s| s.requests_per_sec), want, "{gp} {gd} {budget} {ratio}");
                    if let Some(split) = got {
                        assert!(split.gpus <= budget);
                        let spare = |x: u32, y: u32| {
                            x >= 1 && y >= 1 && workers((gp, gd), rate, x, y).requests_per_sec >= want
                        };
                        assert!(
                            !spare(split.prefill - 1, split.decode)
                                && !spare(split.prefill, split.decode - 1)
                        );
                    }
                }
            }
        }
    }
}
