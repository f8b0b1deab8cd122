//! How far a deployment is from the best of its question, in sentences.

use super::layout::{layout_short, serving};
use super::{number_of, place};
use crate::format::{change, count, rate, typed};
use crate::gap::{Change, Edit, Gap};
use crate::parallel::WorkerRole;
use crate::point::Point;
use crate::scenario::{Goal, Place, Scenario};
use crate::view::View;

/// What a gap means, the most important first; `places` are those that the points count in.
pub fn gap(gap: &Gap, view: &View, point: &Point, scenario: &Scenario, places: &[Place]) -> Vec<String> {
    let mut out = Vec::new();
    if !gap.meets {
        out.push(misses(point, scenario));
    }
    out.extend(short_of_load(point, scenario));
    let named =
        |at: usize| view.points.get(at).map(|point| format!("{} {}", serving(point), layout_short(point)));
    if let Some((best, name)) = gap.best.and_then(|best| Some((best, named(best.at)?))) {
        out.push(format!("The best within the SLO, {name}, serves {} more tokens/s/GPU.", change(best.more)));
    } else if gap.meets && view.best().is_some() {
        out.push("Nothing within the SLO serves more tokens/s/GPU.".to_owned());
    }
    let other = gap.as_fast.filter(|fast| gap.best.is_none_or(|best| best.at != fast.at));
    if let Some((fast, name)) = other.and_then(|fast| Some((fast, named(fast.at)?))) {
        out.push(format!("As fast for each user or faster, {name} serves {} more.", change(fast.more)));
    }
    if let Some(fewest) = gap.gpus_for_load.filter(|&fewest| fewest < point.gpus_used) {
        let saved = point.gpus_used - fewest;
        out.push(format!(
            "Its {} requests/s need {} within the SLO, {} fewer than it has.",
            rate(point.requests_per_sec),
            number_of(fewest, "GPU"),
            count(u64::from(saved))
        ));
    }
    out.extend(gap.change.as_ref().and_then(|change| {
        let to = view.points.get(change.to)?;
        Some(smallest(change, to, gap.meets, places))
    }));
    if !gap.meets && view.best().is_none() {
        out.push("No deployment of this question meets the SLO.".to_owned());
    }
    out
}

fn misses(point: &Point, scenario: &Scenario) -> String {
    let ms = crate::format::ms;
    let mut parts = Vec::new();
    if !point.meets_ttft {
        let limit = typed(scenario.sla.ttft_ms);
        parts.push(format!("TTFT is {} ms of at most {limit} ms", ms(point.ttft_ms)));
    }
    if !point.meets_itl {
        parts.push(match scenario.sla.request_latency_ms {
            Some(limit) => {
                format!("a request takes {} ms of at most {} ms", ms(point.request_latency_ms), typed(limit))
            }
            None => format!("ITL is {} ms of at most {} ms", ms(point.itl_ms), typed(scenario.sla.itl_ms)),
        });
    }
    format!("It misses the SLO at full batches: {}.", parts.join(", "))
}

/// What a cluster lacks of the load that is asked for.
fn short_of_load(point: &Point, scenario: &Scenario) -> Option<String> {
    match scenario.goal {
        Goal::RequestRate(load) if point.requests_per_sec < load => {
            Some(format!("It serves {} of {} requests/s.", rate(point.requests_per_sec), typed(load)))
        }
        Goal::Concurrency(load) if point.concurrency < load => {
            let of = |number: u32| count(u64::from(number));
            Some(format!("It holds {} of {} requests in flight.", of(point.concurrency), of(load)))
        }
        _ => None,
    }
}

fn smallest(found: &Change, to: &Point, meets: bool, places: &[Place]) -> String {
    let edits: Vec<String> = found.edits.iter().map(|one| edit(one, to, places)).collect();
    let edits = edits.join(", ");
    match found.closes.filter(|_| meets) {
        Some(share) if share >= 0.9995 => format!("The smallest change that closes the gap: {edits}."),
        Some(share) => {
            format!("The smallest change that closes most of the gap, {} of it: {edits}.", change(share))
        }
        None => format!("The smallest change that meets the SLO: {edits}."),
    }
}

/// One setting that differs on the way to a point: `decode batch 8 → 32`.
pub fn edit(one: &Edit, to: &Point, places: &[Place]) -> String {
    let kind = |role: Option<WorkerRole>| match role {
        Some(WorkerRole::Agg) => "",
        Some(WorkerRole::Prefill) => "prefill ",
        Some(WorkerRole::Decode) => "decode ",
        None => "encoder ",
    };
    let number = |value: u32| count(u64::from(value));
    match *one {
        Edit::Place(at) => places.get(at as usize).map_or_else(
            || "another backend or other GPUs".to_owned(),
            |to| format!("{} instead", place(to.backend, &to.system)),
        ),
        Edit::Serving => format!("{} {} instead", serving(to), layout_short(to)),
        Edit::Parallel(role, from, to) => format!("{}{from} → {to}", kind(role)),
        Edit::Count(role, from, to) => format!("{}workers {} → {}", kind(role), number(from), number(to)),
        Edit::Batch(role, from, to) => format!("{}batch {} → {}", kind(role), number(from), number(to)),
        Edit::StepTokens(from, to) => {
            format!("prefill tokens of a step {} → {}", number(from), number(to))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::samples;
    use super::*;
    use crate::gap::{Ahead, Touches};
    use crate::parallel::Parallel;

    #[test]
    fn a_gap_is_told_in_percent_in_gpus_and_as_a_change() {
        let best = samples::disagg();
        let mut point = samples::disagg();
        point.tokens_per_sec_per_gpu = 500.0;
        let view = View { points: vec![best], picks: vec![0], ..View::default() };
        let ahead = Some(Ahead { at: 0, more: 0.6 });
        let edits = vec![
            Edit::Parallel(Some(WorkerRole::Decode), Parallel::dense(2, 1, 1), Parallel::dense(1, 1, 1)),
            Edit::Count(Some(WorkerRole::Prefill), 2, 5),
            Edit::Batch(Some(WorkerRole::Decode), 8, 1024),
        ];
        let found = Gap {
            meets: true,
            as_fast: ahead,
            best: ahead,
            gpus_for_load: Some(20),
            change: Some(Change { to: 0, touches: Touches::OneRole, edits, closes: Some(0.874) }),
        };
        assert_eq!(
            gap(&found, &view, &point, &Scenario::default(), &[]),
            [
                "The best within the SLO, disaggregated 5P (tp2) : 6D (tp1), serves 60 % more tokens/s/GPU."
                    .to_owned(),
                format!("Its {} requests/s need 20 GPUs within the SLO, 12 fewer than it has.", rate(point.requests_per_sec)),
                "The smallest change that closes most of the gap, 87 % of it: decode tp2 → tp1, prefill workers \
                 2 → 5, decode batch 8 → 1,024."
                    .to_owned(),
            ]
        );
    }

    #[test]
    fn what_misses_the_slo_says_by_how_much() {
        let mut point = samples::agg();
        (point.meets_ttft, point.meets_itl) = (false, false);
        let found = Gap { meets: false, as_fast: None, best: None, gpus_for_load: None, change: None };
        let scenario = Scenario { goal: Goal::RequestRate(1e6), ..Scenario::default() };
        let text = gap(&found, &View::default(), &point, &scenario, &[]);
        assert!(
            text[0].contains("TTFT is 340 ms of at most 500 ms, ITL is 29.5 ms of at most 30 ms"),
            "{text:?}"
        );
        assert!(text[1].contains("of 1,000,000 requests/s") || text[1].contains("1000000"), "{text:?}");
        assert_eq!(text.last().map(String::as_str), Some("No deployment of this question meets the SLO."));
    }
}
