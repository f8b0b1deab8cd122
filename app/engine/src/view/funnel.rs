//! Why candidates were rejected, and what to change when none is left.

use super::{Funnel, Nearest, Target, View};
use crate::rows::{DecodeRow, PrefillRow, Rows, Stages};
use crate::scenario::Scenario;

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
    if scenario.serving.agg() {
        for s in tally.agg.iter().filter(|s| target.fits(s.gpus)) {
            add(s.tried, s.fit_memory, s.fit_kv, s.measured);
        }
    }
    if scenario.serving.disagg() {
        for p in &tally.prefill {
            let fits = |d: &&Stages| target.fits(p.gpus + d.gpus);
            for d in tally.decode.iter().filter(fits) {
                add(
                    p.tried * d.tried,
                    p.fit_memory * d.fit_memory,
                    p.fit_kv * d.fit_kv,
                    p.measured * d.measured,
                );
            }
        }
    }
}

/// How many candidates meet the TTFT target, and how many the whole SLO.
fn meeting(rows: &Rows, scenario: &Scenario, target: &Target) -> (u64, u64) {
    let (mut ttft, mut both) = (0, 0);
    if scenario.serving.agg() {
        for row in
            rows.agg.iter().filter(|row| target.fits(row.parallel.gpus()) && target.meets_ttft(row.ttft_ms))
        {
            ttft += 1;
            both += u64::from(target.meets_rest(row.ttft_ms, row.itl_ms));
        }
    }
    if scenario.serving.disagg() {
        let sizes = by_size(&rows.decode);
        for prefill in rows.prefill.iter().filter(|row| target.meets_ttft(row.ttft_ms)) {
            for (_, itls) in sizes.iter().filter(|(gpus, _)| target.fits(prefill.parallel.gpus() + gpus)) {
                ttft += itls.len() as u64;
                both += itls.partition_point(|&itl| target.meets_rest(prefill.ttft_ms, itl)) as u64;
            }
        }
    }
    (ttft, both)
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
        itls.sort_by(f64::total_cmp);
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
    if scenario.serving.agg() {
        rows.agg.iter().for_each(|row| offer(row.parallel.gpus(), row.ttft_ms, row.itl_ms));
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
        for prefill in fastest {
            for decode in &rows.decode {
                offer(prefill.parallel.gpus() + decode.parallel.gpus(), prefill.ttft_ms, decode.itl_ms);
            }
        }
    }
}
