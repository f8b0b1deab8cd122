//! Rows into clusters: how many workers of each kind, and what they do together.

use super::split::{Pool, gpus, needed, rate, within_budget};
use super::{EncoderPool, Layout, Point, Target, Worker};
use crate::order;
use crate::rows::{AggRow, DecodeRow, EncoderRow, PrefillRow, Rows};
use crate::scenario::{Goal, Scenario};
use crate::serving::disagg;
use crate::source::Evidence;

/// One point for each aggregated row and one for each decode row, with their best company.
pub(super) fn points(rows: &Rows, scenario: &Scenario, target: &Target) -> Vec<Point> {
    let mut points = Vec::new();
    let encoders = encoders(rows, scenario);
    if scenario.serving.agg() {
        points.extend(rows.agg.iter().filter_map(|row| best_agg(row, &encoders, scenario, target)));
    }
    if scenario.serving.disagg() {
        let fronts = Fronts::new(&rows.prefill, &encoders, target);
        points.extend(rows.decode.iter().filter_map(|row| best_pair(row, &fronts, scenario, target)));
    }
    points
}

/// Encoder workers to try: none at all where prefill workers encode.
pub(super) fn encoders<'a>(rows: &'a Rows, scenario: &Scenario) -> Vec<Option<&'a EncoderRow>> {
    if scenario.has_encoder_workers() { rows.encoder.iter().map(Some).collect() } else { vec![None] }
}

/// What one user sees, tokens per second; a single output token arrives after the TTFT.
fn per_user(osl: u32, ttft_ms: f64, itl_ms: f64) -> f64 {
    1000.0 / if osl > 1 { itl_ms } else { ttft_ms }
}

/// How a cluster is laid out and what it does.
struct Outcome {
    layout: Layout,
    replicas: u32,
    gpus_used: u32,
    ttft_ms: f64,
    itl_ms: f64,
    requests_per_sec: f64,
    concurrency: u32,
    evidence: Evidence,
}

fn point(outcome: &Outcome, scenario: &Scenario, target: &Target) -> Point {
    let Outcome { layout, replicas, gpus_used, ttft_ms, itl_ms, requests_per_sec, concurrency, evidence } =
        *outcome;
    let osl = scenario.workload.osl;
    // A named cluster may be larger than the budget.
    let paid = target.gpus.map_or(gpus_used, |budget| budget.max(gpus_used));
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

/// Evidence of workers beside an optional encoder.
fn evidence(of_workers: Evidence, encoder: Option<&EncoderRow>) -> Evidence {
    encoder.map_or(of_workers, |encoder| of_workers.weaker(encoder.evidence))
}

fn encoder_pool(row: &EncoderRow) -> Pool {
    Pool { gpus: row.parallel.gpus(), rate: row.requests_per_sec * disagg::ENCODER_RATE }
}

fn encoder_workers(row: &EncoderRow, count: u32) -> EncoderPool {
    EncoderPool { tp: row.parallel.tp, batch: row.batch, count, memory_bytes: row.memory.total() }
}

/// An aggregated row with the encoder workers that suit it best.
fn best_agg(
    row: &AggRow,
    encoders: &[Option<&EncoderRow>],
    scenario: &Scenario,
    target: &Target,
) -> Option<Point> {
    // Within the SLO if possible, else the first token as early as possible.
    let late = |point: &Point| if point.meets_ttft { 0.0 } else { point.ttft_ms };
    encoders.iter().filter_map(|encoder| agg(row, *encoder, scenario, target)).min_by(|a, b| {
        let order = b.meets().cmp(&a.meets()).then(late(a).total_cmp(&late(b)));
        order.then(super::compare(a, b, scenario.goal)).then(a.ttft_ms.total_cmp(&b.ttft_ms))
    })
}

fn agg(row: &AggRow, encoder: Option<&EncoderRow>, scenario: &Scenario, target: &Target) -> Option<Point> {
    let own = Pool { gpus: row.parallel.gpus(), rate: row.requests_per_sec };
    let ttft_ms = row.ttft_ms + encoder.map_or(0.0, |encoder| encoder.latency_ms);
    let (replicas, encoding) = match (scenario.goal, encoder.map(encoder_pool)) {
        (Goal::Gpus(budget), None) => (budget / own.gpus, 0),
        (Goal::Gpus(budget), Some(pool)) => within_budget([own, pool], budget)?.into(),
        (Goal::RequestRate(load), None) => (needed(load, own.rate)?, 0),
        (Goal::RequestRate(load), Some(pool)) => (needed(load, own.rate)?, needed(load, pool.rate)?),
        (Goal::Concurrency(load), pool) => {
            // Little's law: this many in flight means so many images to encode per second.
            let per_sec = f64::from(load) / (target.latency(ttft_ms, row.itl_ms) / 1000.0);
            let encoding = pool.map_or(Some(0), |pool| needed(per_sec, pool.rate))?;
            (load.div_ceil(row.concurrency.max(1)), encoding)
        }
    };
    if replicas == 0 {
        return None;
    }
    Some(agg_point(row, encoder, [replicas, encoding], scenario, target))
}

/// So many workers of an aggregated row beside so many encoder workers; their counts are at least 1.
pub(super) fn agg_point(
    row: &AggRow,
    encoder: Option<&EncoderRow>,
    counts: [u32; 2],
    scenario: &Scenario,
    target: &Target,
) -> Point {
    let own = Pool { gpus: row.parallel.gpus(), rate: row.requests_per_sec };
    let [replicas, encoding] = counts;
    let worker = Worker { parallel: row.parallel, batch: row.batch, count: replicas, memory: row.memory };
    let all = [own, encoder.map_or(own, encoder_pool)];
    let kinds = if encoder.is_some() { 2 } else { 1 };
    let encoders = encoder.map(|encoder| encoder_workers(encoder, encoding));
    let outcome = Outcome {
        layout: Layout::Agg { worker, ctx_tokens: row.ctx_tokens, encoders },
        replicas: gcd(replicas, encoding),
        gpus_used: gpus(&all[..kinds], &counts[..kinds]),
        ttft_ms: row.ttft_ms + encoder.map_or(0.0, |encoder| encoder.latency_ms),
        itl_ms: row.itl_ms,
        requests_per_sec: rate(&all[..kinds], &counts[..kinds]),
        concurrency: row.concurrency.saturating_mul(replicas),
        evidence: evidence(row.evidence, encoder),
    };
    point(&outcome, scenario, target)
}

/// What comes before decode: a prefill row and, where they are separate, an encoder row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Front<'a> {
    prefill: &'a PrefillRow,
    encoder: Option<&'a EncoderRow>,
    /// Of both, ms.
    ttft_ms: f64,
}

impl<'a> Front<'a> {
    pub(super) fn new(prefill: &'a PrefillRow, encoder: Option<&'a EncoderRow>) -> Self {
        let encode_ms = encoder.map_or(0.0, |encoder| encoder.latency_ms * disagg::TTFT);
        Self { prefill, encoder, ttft_ms: prefill.ttft_ms + encode_ms }
    }
}

/// The fronts that can matter: for each worker size, none slower and of lower rate than another.
struct Fronts<'a> {
    /// Within the TTFT target.
    within: Vec<Front<'a>>,
    /// The fastest of each worker size, for when nothing is within the target.
    fastest: Vec<Front<'a>>,
}

impl<'a> Fronts<'a> {
    fn new(rows: &'a [PrefillRow], encoders: &[Option<&'a EncoderRow>], target: &Target) -> Self {
        let mut order: Vec<&PrefillRow> = rows.iter().filter(|row| row.requests_per_sec > 0.0).collect();
        order::sort_by(&mut order, |a, b| {
            let size = a.parallel.gpus().cmp(&b.parallel.gpus());
            size.then(a.ttft_ms.total_cmp(&b.ttft_ms)).then(b.requests_per_sec.total_cmp(&a.requests_per_sec))
        });
        let mut out = Self { within: Vec::new(), fastest: Vec::new() };
        for &encoder in encoders {
            out.add(&order, encoder, target);
        }
        out
    }

    fn add(&mut self, order: &[&'a PrefillRow], encoder: Option<&'a EncoderRow>, target: &Target) {
        // Only those beside this encoder compete.
        let (first, first_fastest) = (self.within.len(), self.fastest.len());
        let size = |front: &Front<'_>| front.prefill.parallel.gpus();
        for &prefill in order {
            let front = Front::new(prefill, encoder);
            if self.fastest[first_fastest..].last().is_none_or(|last| size(last) != size(&front)) {
                self.fastest.push(front);
            }
            let last = self.within[first..].last().filter(|last| size(last) == size(&front)).copied();
            let better = last.is_none_or(|last| prefill.requests_per_sec > last.prefill.requests_per_sec);
            if target.meets_ttft(front.ttft_ms) && better {
                // Without a request latency only the rate matters once the TTFT is met.
                if last.is_some() && target.request_latency_ms.is_none() {
                    self.within.pop();
                }
                self.within.push(front);
            }
        }
    }
}

fn best_pair(row: &DecodeRow, fronts: &Fronts<'_>, scenario: &Scenario, target: &Target) -> Option<Point> {
    let best = |fronts: &[Front<'_>], must_meet: bool| {
        fronts
            .iter()
            .filter(|front| !must_meet || target.meets_rest(front.ttft_ms, row.itl_ms))
            .filter_map(|front| pair(front, row, scenario, target))
            .min_by(|a, b| super::compare(a, b, scenario.goal).then(a.ttft_ms.total_cmp(&b.ttft_ms)))
    };
    best(&fronts.within, true)
        .or_else(|| best(&fronts.within, false))
        .or_else(|| best(&fronts.fastest, false))
}

/// Workers of a disaggregated cluster: prefill, decode and encoder.
fn workers(front: &Front<'_>, decode: &DecodeRow, goal: Goal, target: &Target) -> Option<[u32; 3]> {
    let [prefilling, decoding] = pools(front.prefill, decode);
    let encoding = front.encoder.map(encoder_pool);
    let encoders = |load: f64| encoding.map_or(Some(0), |pool| needed(load, pool.rate));
    match goal {
        Goal::Gpus(budget) => match encoding {
            None => within_budget([prefilling, decoding], budget).map(|[x, y]| [x, y, 0]),
            Some(pool) => within_budget([prefilling, decoding, pool], budget),
        },
        Goal::RequestRate(load) => {
            Some([needed(load, prefilling.rate)?, needed(load, decoding.rate)?, encoders(load)?])
        }
        Goal::Concurrency(load) => {
            // Little's law: this many in flight means so many to prefill per second.
            let per_sec = f64::from(load) / (target.latency(front.ttft_ms, decode.itl_ms) / 1000.0);
            let decodes = load.div_ceil(decode.concurrency.max(1));
            Some([needed(per_sec, prefilling.rate)?, decodes, encoders(per_sec)?])
        }
    }
}

fn pools(prefill: &PrefillRow, decode: &DecodeRow) -> [Pool; 2] {
    [
        Pool { gpus: prefill.parallel.gpus(), rate: prefill.requests_per_sec * disagg::PREFILL_RATE },
        Pool { gpus: decode.parallel.gpus(), rate: decode.requests_per_sec * disagg::DECODE_RATE },
    ]
}

fn pair(front: &Front<'_>, decode: &DecodeRow, scenario: &Scenario, target: &Target) -> Option<Point> {
    let counts = workers(front, decode, scenario.goal, target)?;
    Some(pair_point(front, decode, counts, scenario, target))
}

/// So many prefill, decode and encoder workers; their counts are at least 1.
pub(super) fn pair_point(
    front: &Front<'_>,
    decode: &DecodeRow,
    counts: [u32; 3],
    scenario: &Scenario,
    target: &Target,
) -> Point {
    let Front { prefill, encoder, ttft_ms } = *front;
    let [x, y, z] = counts;
    let [prefilling, decoding] = pools(prefill, decode);
    let all = [prefilling, decoding, encoder.map_or(decoding, encoder_pool)];
    // Without encoder workers nothing waits for them.
    let kinds = if encoder.is_some() { 3 } else { 2 };
    let worker = |parallel, batch, count, memory| Worker { parallel, batch, count, memory };
    let outcome = Outcome {
        layout: Layout::Disagg {
            prefill: worker(prefill.parallel, prefill.batch, x, prefill.memory),
            decode: worker(decode.parallel, decode.batch, y, decode.memory),
            encoders: encoder.map(|encoder| encoder_workers(encoder, z)),
        },
        replicas: gcd(gcd(x, y), z),
        gpus_used: gpus(&all[..kinds], &counts[..kinds]),
        ttft_ms,
        itl_ms: decode.itl_ms,
        requests_per_sec: rate(&all[..kinds], &counts[..kinds]),
        concurrency: decode.concurrency.saturating_mul(y),
        evidence: evidence(prefill.evidence.weaker(decode.evidence), encoder),
    };
    point(&outcome, scenario, target)
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}
