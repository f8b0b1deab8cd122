//! The reference's disaggregated sweep: worker rows, then replicas of few sizes.

use std::collections::BTreeMap;

use super::epd::{self, WORKERS};
use super::{Found, Member, Row, Shape, r3, targets};
use crate::backend::Backend;
use crate::memory::Fit;
use crate::parallel::Parallel;
use crate::point::MemoryUse;
use crate::rows::{EncoderRow, Stages};
use crate::scenario::Scenario;
use crate::serving::{WorkerModel, disagg, evidence};
use crate::source::Evidence;
use crate::space;

/// Prefill rows kept for each target.
const PREFILLS: usize = 32;
/// Decode rows kept for each layout and target.
const DECODES: usize = 16;
/// Layouts kept for each target.
const GROUPS: usize = 5;

/// One kind of worker at one batch, rounded to three decimals.
#[derive(Clone, Copy, Debug)]
struct Static {
    parallel: Parallel,
    batch: u32,
    ttft_ms: f64,
    itl_ms: f64,
    requests_per_sec: f64,
    requests_per_sec_per_gpu: f64,
    per_user: f64,
    is_wide: bool,
    memory: MemoryUse,
    evidence: Evidence,
}

/// Workers of each kind.
pub(super) struct Workers<'a> {
    pub prefill: Vec<&'a WorkerModel>,
    pub decode: Vec<&'a WorkerModel>,
    /// Workers that only encode images, where they are separate.
    pub encoders: Option<&'a [EncoderRow]>,
}

pub(super) fn sweep(scenario: &Scenario, sizes: Vec<u32>, workers: &Workers<'_>, found: &mut Found) {
    let Workers { prefill, decode, encoders } = workers;
    let prefills: Vec<Static> = prefill.iter().flat_map(|worker| prefill_rows(worker, found)).collect();
    let decodes: Vec<Static> =
        decode.iter().flat_map(|worker| decode_rows(worker, scenario.workload.osl, found)).collect();
    let mut matcher = Matcher { sizes, cache: BTreeMap::new() };
    for (ttft, itl) in targets(scenario) {
        let fronts = fronts(&prefills, *encoders, ttft);
        for row in best_rows(scenario, &fronts, &decodes, itl, &mut matcher) {
            if !found.disagg.contains(&row) {
                found.disagg.push(row);
            }
        }
    }
}

fn static_row(worker: &WorkerModel, batch: u32, latency: f64, itl_ms: f64, memory: MemoryUse) -> Static {
    let Parallel { tp, pp, dp, .. } = worker.parallel;
    let rate = f64::from(batch * dp) / latency * 1000.0 * f64::from(pp);
    Static {
        parallel: worker.parallel,
        batch,
        ttft_ms: if itl_ms > 0.0 { 0.0 } else { r3(latency) },
        itl_ms: r3(itl_ms),
        requests_per_sec: r3(rate),
        // Context parallel ranks are not counted here by the reference.
        requests_per_sec_per_gpu: r3(rate / f64::from(tp * pp * dp)),
        per_user: if itl_ms > 0.0 { r3(1000.0 / itl_ms) } else { 0.0 },
        is_wide: worker.is_wide(),
        memory,
        evidence: Evidence::default(),
    }
}

/// The rounded row of a decode worker whose requests advance by several tokens a step.
fn drafted(worker: &WorkerModel, row: Static) -> Static {
    if worker.draft().tokens == 0 {
        return row;
    }
    let progress = worker.draft().progress();
    Static {
        itl_ms: r3(row.itl_ms / progress),
        requests_per_sec: r3(row.requests_per_sec * progress),
        requests_per_sec_per_gpu: r3(row.requests_per_sec_per_gpu * progress),
        per_user: r3(row.per_user * progress),
        ..row
    }
}

fn prefill_rows(worker: &WorkerModel, found: &mut Found) -> Vec<Static> {
    let mut stages = Stages { gpus: worker.parallel.gpus(), tried: 1, ..Stages::default() };
    let row = worker.prefill(1).ok().and_then(|timing| {
        let (memory, fit) = worker.prefill_memory(1, 1);
        stages.fit_memory += u64::from(fit != Fit::No);
        let row = static_row(worker, 1, timing.ms * disagg::PREFILL_LATENCY, 0.0, memory);
        (fit == Fit::Yes).then_some(Static { evidence: evidence(timing), ..row })
    });
    stages.fit_kv = u64::from(row.is_some());
    stages.measured = stages.fit_kv;
    found.tally.prefill.push(stages);
    row.into_iter().collect()
}

fn decode_rows(worker: &WorkerModel, osl: u32, found: &mut Found) -> Vec<Static> {
    let mut stages = Stages { gpus: worker.parallel.gpus(), ..Stages::default() };
    let mut rows = Vec::new();
    for batch in space::decode_batches() {
        stages.tried += 1;
        let Ok(timing) = worker.decode(batch) else {
            break;
        };
        let (memory, fit) = worker.decode_memory(batch);
        stages.fit_memory += u64::from(fit != Fit::No);
        if fit != Fit::Yes || osl <= 1 {
            break;
        }
        stages.fit_kv += 1;
        stages.measured += 1;
        let latency = timing.ms * disagg::DECODE_LATENCY;
        let row = static_row(worker, batch, latency, latency / f64::from(osl - 1), memory);
        rows.push(drafted(worker, Static { evidence: evidence(timing), ..row }));
    }
    found.tally.decode.push(stages);
    rows
}

/// Bits of a rate and GPUs of a worker: prefill, decode and, where it is separate, encoder.
type Rates = [(u64, u32); 3];

/// How many workers of each kind make the best replica for a pair of rates and sizes.
struct Matcher {
    sizes: Vec<u32>,
    cache: BTreeMap<Rates, Option<[u32; 3]>>,
}

impl Matcher {
    fn best(&mut self, prefill: &Static, decode: &Static, encoder: Option<&EncoderRow>) -> Option<[u32; 3]> {
        let (p, d) = (prefill.requests_per_sec, decode.requests_per_sec);
        let (gp, gd) = (prefill.parallel.gpus(), decode.parallel.gpus());
        let sizes = &self.sizes;
        let key = encoder.map_or((0, 0), |e| (e.requests_per_sec.to_bits(), e.parallel.gpus()));
        *self.cache.entry([(p.to_bits(), gp), (d.to_bits(), gd), key]).or_insert_with(|| {
            let mut best = (0.0, None);
            let mut offer = |rate: f64, gpus: u32, workers: [u32; 3]| {
                let each = rate / f64::from(gpus);
                if each > best.0 {
                    best = (each, Some(workers));
                }
            };
            for y in 1..=WORKERS {
                for x in 1..=WORKERS {
                    let gpus = gp * x + gd * y;
                    let rate = rate(p, x, d, y);
                    let Some(encoder) = encoder else {
                        if sizes.binary_search(&gpus).is_ok() {
                            offer(rate, gpus, [x, y, 0]);
                        }
                        continue;
                    };
                    let size = encoder.parallel.gpus();
                    for e in epd::counts(sizes, gpus, size) {
                        offer(rate.min(epd::capacity(encoder, e)), gpus + size * e, [x, y, e]);
                    }
                }
            }
            best.1
        })
    }
}

fn rate(prefill: f64, x: u32, decode: f64, y: u32) -> f64 {
    (prefill * f64::from(x) * disagg::PREFILL_RATE).min(decode * f64::from(y) * disagg::DECODE_RATE)
}

/// Prefill rows that one encoder row leaves time for, best first.
struct Front<'a> {
    encoder: Option<&'a EncoderRow>,
    prefills: Vec<Static>,
}

/// Prefill rows within a TTFT target, beside each encoder row where images are encoded apart.
fn fronts<'a>(prefills: &[Static], encoders: Option<&'a [EncoderRow]>, ttft: f64) -> Vec<Front<'a>> {
    let front = |encoder: Option<&'a EncoderRow>| {
        let left = ttft - encoder.map_or(0.0, |encoder| encoder.latency_ms * disagg::TTFT);
        Front { encoder, prefills: fast(prefills, left) }
    };
    let fits = |encoder: &&EncoderRow| encoder.latency_ms * disagg::TTFT < ttft;
    match encoders {
        None => vec![front(None)],
        Some(encoders) => encoders.iter().filter(fits).map(|encoder| front(Some(encoder))).collect(),
    }
}

/// The best prefill rows within a TTFT target.
fn fast(prefills: &[Static], ttft: f64) -> Vec<Static> {
    let mut fast: Vec<Static> = prefills
        .iter()
        .map(|row| Static { ttft_ms: row.ttft_ms * disagg::TTFT, ..*row })
        .filter(|row| row.ttft_ms < ttft)
        .collect();
    let global = |row: &Static| row.batch * row.parallel.dp;
    fast.sort_by(|a, b| {
        b.requests_per_sec_per_gpu.total_cmp(&a.requests_per_sec_per_gpu).then(global(a).cmp(&global(b)))
    });
    fast.truncate(PREFILLS);
    fast
}

/// The best row of each decode layout under an ITL target, best five.
fn best_rows(
    scenario: &Scenario,
    fronts: &[Front<'_>],
    decodes: &[Static],
    itl: f64,
    matcher: &mut Matcher,
) -> Vec<Row> {
    let mut groups: BTreeMap<String, Vec<&Static>> = BTreeMap::new();
    for row in decodes.iter().filter(|row| row.itl_ms > 0.0 && row.itl_ms < itl) {
        groups.entry(row.parallel.group_label()).or_default().push(row);
    }
    let mut rows: Vec<Row> = Vec::new();
    for group in groups.values_mut() {
        group.sort_by(|a, b| b.requests_per_sec_per_gpu.total_cmp(&a.requests_per_sec_per_gpu));
        let mut best: Option<Row> = None;
        let pairs = fronts.iter().flat_map(|front| {
            let decodes = group.iter().take(DECODES);
            decodes.flat_map(move |decode| {
                front.prefills.iter().map(move |prefill| (front.encoder, *decode, prefill))
            })
        });
        for (encoder, decode, prefill) in pairs {
            // SGLang moves a KV cache only between workers of equal tensor parallel size.
            let apart = prefill.parallel.tp != decode.parallel.tp && !prefill.is_wide && !decode.is_wide;
            if scenario.backend == Backend::Sglang && apart {
                continue;
            }
            let Some([x, y, e]) = matcher.best(prefill, decode, encoder) else {
                continue;
            };
            let mut row = compose(scenario, prefill, decode, (x, y));
            if let Some(encoder) = encoder {
                row = epd::overlay(row, encoder, e, encoder.latency_ms * disagg::TTFT);
            }
            let better = best.as_ref().is_none_or(|best| {
                let by_rate = row.tokens_per_sec_per_gpu.total_cmp(&best.tokens_per_sec_per_gpu);
                by_rate.then(best.gpus.cmp(&row.gpus)).is_gt()
            });
            if better {
                best = Some(row);
            }
        }
        rows.extend(best.map(rounded));
    }
    super::sort(&mut rows);
    rows.truncate(GROUPS);
    rows
}

fn compose(scenario: &Scenario, prefill: &Static, decode: &Static, (x, y): (u32, u32)) -> Row {
    let gpus = prefill.parallel.gpus() * x + decode.parallel.gpus() * y;
    let requests_per_sec = rate(prefill.requests_per_sec, x, decode.requests_per_sec, y);
    let tokens_per_sec = requests_per_sec * f64::from(scenario.workload.osl);
    let member = |row: &Static, count| Member {
        parallel: row.parallel,
        batch: row.batch,
        count,
        requests_per_sec: row.requests_per_sec,
        memory: row.memory,
    };
    let later = f64::from(scenario.workload.osl.saturating_sub(1));
    Row {
        shape: Shape::Disagg { prefill: member(prefill, x), decode: member(decode, y) },
        encoders: None,
        gpus,
        ttft_ms: prefill.ttft_ms,
        itl_ms: decode.itl_ms,
        request_latency_ms: prefill.ttft_ms + decode.itl_ms * later,
        requests_per_sec,
        tokens_per_sec,
        tokens_per_sec_per_gpu: tokens_per_sec / f64::from(gpus),
        tokens_per_sec_per_user: decode.per_user,
        concurrency: decode.batch * decode.parallel.dp * y,
        evidence: prefill.evidence.weaker(decode.evidence),
    }
}

fn rounded(row: Row) -> Row {
    Row {
        ttft_ms: r3(row.ttft_ms),
        request_latency_ms: r3(row.request_latency_ms),
        requests_per_sec: r3(row.requests_per_sec),
        tokens_per_sec: r3(row.tokens_per_sec),
        tokens_per_sec_per_gpu: r3(row.tokens_per_sec_per_gpu),
        ..row
    }
}
