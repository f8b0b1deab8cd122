//! Why candidates were rejected, and what to change when none is left.

use super::{Funnel, Nearest, Target, View};
use crate::order;
use crate::rows::{AggRow, DecodeRow, EncoderRow, PrefillRow, Rows, Stages};
use crate::scenario::Scenario;
use crate::serving::disagg;

/// Counts candidates within the budget: aggregated replicas, and pairs of prefill and decode workers.
pub(super) fn count(places: &[&Rows], scenario: &Scenario, target: &Target, view: &View) -> Funnel {
    let mut funnel = Funnel::default();
    for rows in places {
        candidates(rows, scenario, target, &mut funnel);
        if rows.fixed.is_none() {
            let (ttft, both) = meeting(rows, scenario, target);
            funnel.meet_ttft += ttft;
            funnel.meet_itl += both;
        }
    }
    if places.iter().any(|rows| rows.fixed.is_some()) {
        let points = &view.points;
        funnel.meet_ttft = points.iter().filter(|p| p.meets_ttft).count() as u64;
        funnel.meet_itl = points.iter().filter(|p| p.meets()).count() as u64;
    }
    funnel.frontier = view.frontier.iter().filter(|&&at| view.points[at].meets()).count() as u64;
    funnel
}

/// Adds the stages before the targets.
fn candidates(rows: &Rows, scenario: &Scenario, target: &Target, funnel: &mut Funnel) {
    let mut add = |tried: u64, fit_memory: u64, fit_kv: u64, measured: u64| {
        funnel.tried += tried;
        funnel.fit_memory += fit_memory;
        funnel.fit_kv += fit_kv;
        funnel.measured += measured;
    };
    let tally = &rows.tally;
    // Where no workers only encode, there is one way to have none of them.
    let none = [Stages { gpus: 0, tried: 1, fit_memory: 1, fit_kv: 1, measured: 1 }];
    let encoders: &[Stages] = if scenario.has_encoder_workers() { &tally.encoder } else { &none };
    if scenario.serving.agg() {
        for e in encoders {
            for s in tally.agg.iter().filter(|s| target.fits(s.gpus + e.gpus)) {
                add(
                    s.tried * e.tried,
                    s.fit_memory * e.fit_memory,
                    s.fit_kv * e.fit_kv,
                    s.measured * e.measured,
                );
            }
        }
    }
    if scenario.serving.disagg() {
        for (p, e) in tally.prefill.iter().flat_map(|p| encoders.iter().map(move |e| (p, e))) {
            let fits = |d: &&Stages| target.fits(p.gpus + d.gpus + e.gpus);
            for d in tally.decode.iter().filter(fits) {
                add(
                    p.tried * d.tried * e.tried,
                    p.fit_memory * d.fit_memory * e.fit_memory,
                    p.fit_kv * d.fit_kv * e.fit_kv,
                    p.measured * d.measured * e.measured,
                );
            }
        }
    }
}

/// How many candidates meet the TTFT target, and how many the whole SLO.
fn meeting(rows: &Rows, scenario: &Scenario, target: &Target) -> (u64, u64) {
    let (mut ttft, mut both) = (0, 0);
    let sizes = by_size(&rows.decode);
    for Ahead { gpus: ahead, agg_ms, disagg_ms } in ahead(rows, scenario) {
        if scenario.serving.agg() {
            let within = |row: &&AggRow| {
                target.fits(row.parallel.gpus() + ahead) && target.meets_ttft(row.ttft_ms + agg_ms)
            };
            for row in rows.agg.iter().filter(within) {
                ttft += 1;
                both += u64::from(target.meets_rest(row.ttft_ms + agg_ms, row.itl_ms));
            }
        }
        if scenario.serving.disagg() {
            for prefill in rows.prefill.iter().filter(|row| target.meets_ttft(row.ttft_ms + disagg_ms)) {
                let fits = |gpus: u32| target.fits(prefill.parallel.gpus() + gpus + ahead);
                for (_, itls) in sizes.iter().filter(|(gpus, _)| fits(*gpus)) {
                    ttft += itls.len() as u64;
                    let first = prefill.ttft_ms + disagg_ms;
                    both += itls.partition_point(|&itl| target.meets_rest(first, itl)) as u64;
                }
            }
        }
    }
    (ttft, both)
}

/// What encoder workers put ahead of the others: GPUs of one, and their part of the TTFT by serving mode.
#[derive(Clone, Copy, Debug, Default)]
struct Ahead {
    gpus: u32,
    agg_ms: f64,
    disagg_ms: f64,
}

/// Ways to encode images apart; one that adds nothing where that is not asked for.
fn ahead(rows: &Rows, scenario: &Scenario) -> Vec<Ahead> {
    let of = |encoder: Option<&EncoderRow>| {
        encoder.map_or_else(Ahead::default, |row| Ahead {
            gpus: row.parallel.gpus(),
            agg_ms: row.latency_ms,
            disagg_ms: row.latency_ms * disagg::TTFT,
        })
    };
    super::compose::encoders(rows, scenario).into_iter().map(of).collect()
}

/// ITLs of decode rows, ascending, by GPUs of a worker.
fn by_size(rows: &[DecodeRow]) -> Vec<(u32, Vec<f64>)> {
    let mut sizes: Vec<(u32, Vec<f64>)> = Vec::new();
    for row in rows {
        let gpus = row.parallel.gpus();
        match sizes.iter_mut().find(|(size, _)| *size == gpus) {
            Some((_, itls)) => itls.push(row.itl_ms),
            None => sizes.push((gpus, vec![row.itl_ms])),
        }
    }
    for (_, itls) in &mut sizes {
        order::sort_by(itls, f64::total_cmp);
    }
    sizes
}

/// The smallest changes, one at a time, after which something meets the SLO.
pub(super) fn nearest(places: &[&Rows], scenario: &Scenario, target: &Target, view: &View) -> Nearest {
    let mut out = Nearest::default();
    let mut offer = |gpus: u32, ttft_ms: f64, itl_ms: f64| {
        let (ttft, rest) = (target.meets_ttft(ttft_ms), target.meets_rest(ttft_ms, itl_ms));
        let least = |have: &mut Option<f64>, value: f64| {
            *have = Some(have.map_or(value, |have| have.min(value)));
        };
        if ttft && rest {
            out.gpus = Some(out.gpus.map_or(gpus, |have| have.min(gpus)));
        }
        if target.fits(gpus) && rest {
            least(&mut out.ttft_ms, ttft_ms);
        }
        if target.fits(gpus) && ttft {
            let reached =
                if target.request_latency_ms.is_some() { target.latency(ttft_ms, itl_ms) } else { itl_ms };
            least(&mut out.itl_ms, reached);
        }
    };
    if places.iter().any(|rows| rows.fixed.is_some()) {
        view.points.iter().for_each(|point| offer(point.gpus_per_replica(), point.ttft_ms, point.itl_ms));
        return out;
    }
    for rows in places {
        offer_rows(rows, scenario, &mut offer);
    }
    out
}

/// Offers every pair that can be nearest, by GPUs, TTFT and ITL.
fn offer_rows(rows: &Rows, scenario: &Scenario, offer: &mut impl FnMut(u32, f64, f64)) {
    // Only the fastest encoder of each size can be nearest: the one of the smallest batch.
    let mut sooner: Vec<Ahead> = ahead(rows, scenario);
    sooner.dedup_by_key(|ahead| ahead.gpus);
    if scenario.serving.agg() {
        for ahead in &sooner {
            for row in &rows.agg {
                offer(row.parallel.gpus() + ahead.gpus, row.ttft_ms + ahead.agg_ms, row.itl_ms);
            }
        }
    }
    if scenario.serving.disagg() {
        // Per size of prefill worker only the fastest row can be nearest.
        let mut fastest: Vec<&PrefillRow> = Vec::new();
        for row in &rows.prefill {
            match fastest.iter_mut().find(|have| have.parallel.gpus() == row.parallel.gpus()) {
                Some(have) if have.ttft_ms <= row.ttft_ms => {}
                Some(have) => *have = row,
                None => fastest.push(row),
            }
        }
        for (prefill, ahead) in fastest.iter().flat_map(|prefill| sooner.iter().map(move |e| (prefill, e))) {
            let (gpus, ttft_ms) = (prefill.parallel.gpus() + ahead.gpus, prefill.ttft_ms + ahead.disagg_ms);
            for decode in &rows.decode {
                offer(gpus + decode.parallel.gpus(), ttft_ms, decode.itl_ms);
            }
        }
    }
}
