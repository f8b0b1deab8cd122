//! The reference's aggregated sweep of one layout.

use std::collections::BTreeSet;

use super::{Found, Member, Row, Shape, epd, r3, targets};
use crate::memory::Fit;
use crate::rows::{EncoderRow, Stages};
use crate::scenario::{Scenario, Workload};
use crate::serving::{WorkerModel, floor_div};
use crate::space::{self, leaves_a_decode};

/// Rows kept for each target.
const KEPT: usize = 10;

/// What cells with encoder workers are made of.
pub(super) struct Cells<'a> {
    pub encoders: &'a [EncoderRow],
    /// GPUs that a cell may have, ascending.
    pub sizes: Vec<u32>,
}

pub(super) fn sweep(
    scenario: &Scenario,
    worker: &mut WorkerModel,
    cells: Option<&Cells<'_>>,
    found: &mut Found,
) {
    let mut stages = Stages { gpus: worker.parallel.gpus(), ..Stages::default() };
    let points = points(scenario, worker, &mut stages);
    found.tally.agg.push(stages);
    let mut seen = vec![false; points.len()];
    let mut paired = BTreeSet::new();
    for (ttft, itl) in targets(scenario) {
        let mut kept: Vec<usize> =
            (0..points.len()).filter(|&at| points[at].itl_ms <= itl && points[at].ttft_ms <= ttft).collect();
        kept.sort_by(|&a, &b| r3(points[b].requests_per_sec).total_cmp(&r3(points[a].requests_per_sec)));
        if let Some(Cells { encoders, sizes }) = cells {
            epd::cells(&points, &kept, encoders, sizes, ttft, &mut paired);
            continue;
        }
        for at in kept.into_iter().take(KEPT) {
            if !std::mem::replace(&mut seen[at], true) {
                found.agg.push(rounded(&points[at]));
            }
        }
    }
    let Some(Cells { encoders, .. }) = cells else { return };
    for (at, encoder, workers, count) in paired {
        found.agg.push(epd::row(&rounded(&points[at]), &encoders[encoder], workers, count));
    }
}

fn rounded(row: &Row) -> Row {
    Row {
        ttft_ms: r3(row.ttft_ms),
        itl_ms: r3(row.itl_ms),
        request_latency_ms: r3(row.request_latency_ms),
        requests_per_sec: r3(row.requests_per_sec),
        tokens_per_sec: r3(row.tokens_per_sec),
        tokens_per_sec_per_gpu: r3(row.tokens_per_sec_per_gpu),
        tokens_per_sec_per_user: r3(row.tokens_per_sec_per_user),
        ..row.clone()
    }
}

/// Every point that the reference evaluates for one layout.
fn points(scenario: &Scenario, worker: &mut WorkerModel, stages: &mut Stages) -> Vec<Row> {
    let Workload { isl, osl, .. } = worker.workload();
    let tokens = space::context_tokens(isl, scenario.engine.chunked_prefill);
    let mut rows = Vec::new();
    let mut visited: Vec<f64> = Vec::new();
    for batch in space::agg_batches() {
        for &ctx_tokens in &tokens {
            if !leaves_a_decode(batch, ctx_tokens, isl) {
                break;
            }
            // Points that spend the same share of their steps on prefill count once.
            let ratio = f64::from(isl) * f64::from(batch) / f64::from(ctx_tokens) / f64::from(osl);
            if ratio > 1.0 && worker.draft().tokens == 0 {
                let per_step = floor_div(f64::from(batch), ratio);
                if per_step > 1.0 && visited.contains(&per_step) {
                    continue;
                }
                visited.push(per_step);
            }
            stages.tried += 1;
            let Ok(agg) = worker.agg(batch, ctx_tokens) else {
                continue;
            };
            let (memory, fit) = worker.agg_memory(batch, ctx_tokens);
            stages.fit_memory += u64::from(fit != Fit::No);
            if fit != Fit::Yes {
                break;
            }
            stages.fit_kv += 1;
            stages.measured += 1;
            let later = f64::from(osl.saturating_sub(1));
            let requests_per_sec = if osl > 1 { agg.requests_per_sec } else { 0.0 };
            let tokens_per_sec = requests_per_sec * later;
            let member = Member { parallel: worker.parallel, batch, count: 1, requests_per_sec, memory };
            rows.push(Row {
                shape: Shape::Agg { worker: member, ctx_tokens },
                encoders: None,
                gpus: worker.parallel.gpus(),
                ttft_ms: agg.ttft_ms,
                itl_ms: agg.itl_ms,
                request_latency_ms: agg.ttft_ms + agg.itl_ms * later,
                requests_per_sec,
                tokens_per_sec,
                tokens_per_sec_per_gpu: tokens_per_sec / f64::from(worker.parallel.gpus()),
                tokens_per_sec_per_user: if osl > 1 && agg.itl_ms > 0.0 { 1000.0 / agg.itl_ms } else { 0.0 },
                concurrency: agg.concurrency,
                evidence: agg.evidence,
            });
        }
    }
    rows
}
