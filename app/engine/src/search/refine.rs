//! The exact batch at the SLO, between the listed ones.

use super::{agg_row, decode_row};
use crate::rows::{DecodeRow, Rows, Stages};
use crate::scenario::Scenario;
use crate::serving::{WorkerModel, disagg};
use crate::space::{self, WorkerRole};

/// Adds, for one worker, the largest batches that still meet the SLO (or still fit) to `rows`.
pub(super) fn refine(
    scenario: &Scenario,
    role: WorkerRole,
    worker: &mut WorkerModel,
    base: &Rows,
    rows: &mut Rows,
) {
    match role {
        WorkerRole::Agg => refine_agg(scenario, worker, base, rows),
        WorkerRole::Prefill => {}
        WorkerRole::Decode => refine_decode(scenario, worker, base, rows),
    }
}

/// Between the largest listed batch that is good and the next one that is not, the largest that is good.
///
/// `known` answers for listed batches; `good` evaluates any other. Returns the batch when it is not a listed one.
fn largest_good<T>(
    listed: &[u32],
    known: impl Fn(u32) -> bool,
    mut good: impl FnMut(u32) -> Option<T>,
) -> Option<T> {
    let last = listed.iter().rposition(|&batch| known(batch))?;
    let (mut lo, mut hi) = (listed[last], *listed.get(last + 1)?);
    let mut best = None;
    while hi - lo > 1 {
        let mid = lo + (hi - lo) / 2;
        if let Some(row) = good(mid) {
            best = Some(row);
            lo = mid;
        } else {
            hi = mid;
        }
    }
    best
}

fn count(stages: &mut [Stages], gpus: u32) {
    if let Some(stages) = stages.iter_mut().find(|stages| stages.gpus == gpus) {
        stages.tried += 1;
        stages.fit_memory += 1;
        stages.fit_kv += 1;
        stages.measured += 1;
    }
}

fn refine_agg(scenario: &Scenario, worker: &mut WorkerModel, base: &Rows, rows: &mut Rows) {
    let sla = scenario.sla;
    // Encoder workers spend of the TTFT before the others begin.
    let encode_ms = soonest_encode(base);
    let later = f64::from(scenario.workload.osl.saturating_sub(1));
    let meets = |own_ttft_ms: f64, itl_ms: f64| {
        let ttft_ms = own_ttft_ms + encode_ms;
        let rest = match sla.request_latency_ms {
            Some(limit) => ttft_ms + itl_ms * later <= limit,
            None => itl_ms <= sla.itl_ms,
        };
        ttft_ms <= sla.ttft_ms && rest
    };
    let batches = space::agg_batches();
    let isl = worker.workload().isl;
    for ctx_tokens in space::context_tokens(isl, scenario.engine.chunked_prefill) {
        let mine = |batch: u32| {
            base.agg.iter().find(|row| {
                row.parallel == worker.parallel && row.ctx_tokens == ctx_tokens && row.batch == batch
            })
        };
        let known: Vec<bool> = batches
            .iter()
            .map(|&batch| mine(batch).is_some_and(|row| meets(row.ttft_ms, row.itl_ms)))
            .collect();
        let known = |batch: u32| batches.iter().position(|&b| b == batch).is_some_and(|at| known[at]);
        let found = largest_good(&batches, known, |batch| {
            let row = agg_row(worker, batch, ctx_tokens).ok()?;
            meets(row.ttft_ms, row.itl_ms).then_some(row)
        });
        if let Some(row) = found {
            count(&mut rows.tally.agg, row.parallel.gpus());
            rows.agg.push(row);
        }
    }
}

fn refine_decode(scenario: &Scenario, worker: &WorkerModel, base: &Rows, rows: &mut Rows) {
    let osl = scenario.workload.osl;
    let batches = space::decode_batches();
    let mine: Vec<&DecodeRow> = base.decode.iter().filter(|row| row.parallel == worker.parallel).collect();
    let mut found: Vec<DecodeRow> = Vec::new();
    for limit in itl_limits(scenario, base) {
        let known = |batch: u32| mine.iter().any(|row| row.batch == batch && row.itl_ms <= limit);
        let row = largest_good(&batches, known, |batch| {
            decode_row(worker, batch, osl).ok().filter(|row| row.itl_ms <= limit)
        });
        found.extend(row.filter(|row| !found.iter().any(|have| have.batch == row.batch)));
    }
    for row in found {
        count(&mut rows.tally.decode, row.parallel.gpus());
        rows.decode.push(row);
    }
}

/// Latency of the fastest encoder worker, ms; 0 where there are none.
fn soonest_encode(base: &Rows) -> f64 {
    base.encoder.iter().map(|row| row.latency_ms).reduce(f64::min).unwrap_or(0.0)
}

/// ITLs at which the SLO binds: one, or one for each prefill worker under a request latency.
fn itl_limits(scenario: &Scenario, base: &Rows) -> Vec<f64> {
    let Some(limit) = scenario.sla.request_latency_ms else {
        return vec![scenario.sla.itl_ms];
    };
    let later = f64::from(scenario.workload.osl.saturating_sub(1).max(1));
    let encode_ms = soonest_encode(base) * disagg::TTFT;
    let mut limits: Vec<f64> = base
        .prefill
        .iter()
        .map(|row| row.ttft_ms + encode_ms)
        .filter(|&ttft_ms| ttft_ms <= scenario.sla.ttft_ms && ttft_ms < limit)
        .map(|ttft_ms| (limit - ttft_ms) / later)
        .collect();
    limits.sort_by(f64::total_cmp);
    limits.dedup();
    limits
}
