//! What the figures say: the limit, the runner-up, the evidence, the funnel.

use super::capital;
use super::layout::{layout_short, serving};
use crate::explain::{Bound, Explanation, StepKind, StepTime};
use crate::format::{change, count, ms, percent, rate};
use crate::order;
use crate::scenario::Scenario;
use crate::source::{DataMode, Evidence};
use crate::view::{Funnel, Point};

/// The best point in one sentence.
pub fn verdict(best: &Point) -> String {
    format!(
        "{} {}: {} tokens/s/GPU at TTFT {} ms and ITL {} ms.",
        capital(serving(best)),
        layout_short(best),
        rate(best.tokens_per_sec_per_gpu),
        ms(best.ttft_ms),
        ms(best.itl_ms)
    )
}

/// The runner-up and what it gives up: `Next best: aggregated tp4, 14 % fewer tokens/s/GPU, 8 % lower ITL.`
pub fn next_best(best: &Point, next: &Point) -> String {
    let mut parts = vec![match relative(next.tokens_per_sec_per_gpu, best.tokens_per_sec_per_gpu) {
        Some(difference) if difference < 0.0 => {
            format!("{} fewer tokens/s/GPU", change(difference))
        }
        Some(difference) => format!("{} more tokens/s/GPU", change(difference)),
        None => "the same tokens/s/GPU".to_owned(),
    }];
    for (name, difference) in
        [("TTFT", relative(next.ttft_ms, best.ttft_ms)), ("ITL", relative(next.itl_ms, best.itl_ms))]
    {
        if let Some(difference) = difference.filter(|difference| difference.abs() >= 0.05) {
            let side = if difference < 0.0 { "lower" } else { "higher" };
            parts.push(format!("{} {side} {name}", change(difference)));
        }
    }
    if next.gpus_used != best.gpus_used {
        parts.push(format!("{} instead of {} GPUs in use", next.gpus_used, best.gpus_used));
    }
    format!("Next best: {} {}, {}.", serving(next), layout_short(next), parts.join(", "))
}

/// What limits a point, such as `decode memory bandwidth`; none when no breakdown is at hand.
///
/// Of a disaggregated cluster the slowest side of the rate match counts. Of an aggregated one both kinds of
/// steps count, by the share of each that the point's ITL implies.
pub fn limited_by(explanation: &Explanation, point: &Point) -> Option<String> {
    let steps = &explanation.steps;
    let side = match explanation.prefill_over_decode {
        _ if explanation.encoders_limit => Some(StepKind::Encode),
        Some(ratio) if ratio < 1.0 => Some(StepKind::Prefill),
        Some(_) => Some(StepKind::Decode),
        None => None,
    };
    let mut weighed: Vec<(&StepTime, f64)> = match side.and_then(|kind| find(steps, kind)) {
        Some(step) => vec![(step, 1.0)],
        None => match (find(steps, StepKind::Mixed), find(steps, StepKind::Decode)) {
            (Some(mixed), Some(decode)) => {
                let share = mixed_share(mixed.total_ms, decode.total_ms, point.itl_ms);
                vec![(mixed, share), (decode, 1.0 - share)]
            }
            _ => steps.iter().map(|step| (step, 1.0)).collect(),
        },
    };
    order::sort_by(&mut weighed, |(a, share_a), (b, share_b)| {
        (b.total_ms * share_b).total_cmp(&(a.total_ms * share_a))
    });
    let (step, _) = weighed.first()?;
    let bounds = [Bound::Compute, Bound::Memory, Bound::Network].map(|bound| {
        // From +0: an empty sum is -0, which would order before it.
        let spent = step.ops.iter().filter(|op| op.bound == bound).fold(0.0, |sum, op| sum + op.ms);
        (bound, spent)
    });
    // The first of equals, so that the answer does not depend on anything else.
    let (bound, spent) =
        bounds.into_iter().reduce(|most, other| if other.1 > most.1 { other } else { most })?;
    if spent <= 0.0 {
        return None;
    }
    let kind = match step.kind {
        StepKind::Encode => "vision encoder",
        StepKind::Prefill => "prefill",
        StepKind::Mixed => "mixed-step",
        StepKind::Decode => "decode",
    };
    let bound = match bound {
        Bound::Compute => "compute",
        Bound::Memory => "memory bandwidth",
        Bound::Network => "communication between GPUs",
    };
    Some(format!("{kind} {bound}"))
}

fn find(steps: &[StepTime], kind: StepKind) -> Option<&StepTime> {
    steps.iter().find(|step| step.kind == kind)
}

/// Share of mixed steps, from `itl = share · mixed + (1 − share) · decode`.
fn mixed_share(mixed_ms: f64, decode_ms: f64, itl_ms: f64) -> f64 {
    let gap = mixed_ms - decode_ms;
    if gap > 0.0 { ((itl_ms - decode_ms) / gap).clamp(0.0, 1.0) } else { 1.0 }
}

fn relative(value: f64, base: f64) -> Option<f64> {
    let difference = value / base - 1.0;
    (difference.is_finite() && difference.abs() >= 0.0005).then_some(difference)
}

/// What answers for an operator, as a choice.
pub fn data_mode(mode: DataMode) -> &'static str {
    match mode {
        DataMode::Silicon => "measured only",
        DataMode::Hybrid => "measured, else estimated",
        DataMode::Empirical => "estimated",
        DataMode::Sol => "roofline",
    }
}

/// Shares below this are not worth a word.
const NOTHING: f64 = 0.0005;

/// What the latencies rest on, as a badge: `silicon 93 %`, `empirical 40 %` or `roofline`.
pub fn evidence(evidence: Evidence) -> String {
    if evidence.sol > NOTHING {
        "roofline".to_owned()
    } else if evidence.empirical > NOTHING {
        format!("empirical {}", change(evidence.empirical))
    } else {
        format!("silicon {}", percent(evidence.measured))
    }
}

/// What the latencies rest on, in a sentence.
pub fn evidence_detail(evidence: Evidence) -> String {
    let Evidence { measured, held, empirical, sol } = evidence;
    let formulas = (1.0 - measured - held - empirical - sol).max(0.0);
    let measurements = || format!("{} of the time comes from measurements on this GPU", percent(measured));
    let others = [
        (held, "from the nearest measurement at the same efficiency"),
        (empirical, "from the roofline at the efficiency of similar measurements"),
        (sol, "of the time is the roofline, which no GPU reaches"),
        (formulas, "from formulas"),
    ];
    let parts = others.into_iter().filter(|&(share, _)| share > NOTHING);
    let parts = parts.map(|(share, words)| format!("{} {words}", change(share)));
    // Where nothing was asked of measurements, none are spoken of.
    let first = (sol <= NOTHING).then(measurements);
    format!("{}.", first.into_iter().chain(parts).collect::<Vec<_>>().join(", "))
}

/// Stages of the funnel with how many candidates are left after each.
pub fn funnel_stages(funnel: &Funnel, scenario: &Scenario) -> [(&'static str, u64); 7] {
    let second = if scenario.sla.request_latency_ms.is_some() { "meet latency" } else { "meet ITL" };
    // In full, so that a new stage cannot be forgotten here.
    let &Funnel { tried, fit_memory, fit_kv, measured, meet_ttft, meet_itl, frontier } = funnel;
    [
        ("tried", tried),
        ("fit memory", fit_memory),
        ("fit KV cache", fit_kv),
        ("have data", measured),
        ("meet TTFT", meet_ttft),
        (second, meet_itl),
        ("on the frontier", frontier),
    ]
}

/// The outcome of a search for a screen reader: `12,408 tried, best 823 tokens/s/GPU.`
pub fn announcement(funnel: &Funnel, best: Option<&Point>) -> String {
    let tried = count(funnel.tried);
    match best {
        Some(best) => format!(
            "{tried} tried, best {} tokens/s/GPU, {} {}.",
            rate(best.tokens_per_sec_per_gpu),
            serving(best),
            layout_short(best)
        ),
        None => format!("{tried} tried, nothing meets the SLO."),
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::samples;
    use super::*;
    use crate::explain::OpTime;
    use crate::source::Source;

    fn step(kind: StepKind, times: [f64; 3]) -> StepTime {
        let ops =
            [Bound::Compute, Bound::Memory, Bound::Network].into_iter().zip(times).map(|(bound, ms)| {
                OpTime { name: "op".to_owned(), ms, sol_ms: None, bound, source: Source::Silicon }
            });
        StepTime { kind, total_ms: times.iter().sum(), ops: ops.collect() }
    }

    #[test]
    fn the_slower_side_of_the_rate_match_limits() {
        let mut explanation = Explanation {
            steps: vec![step(StepKind::Prefill, [90.0, 5.0, 6.0]), step(StepKind::Decode, [2.0, 20.0, 3.0])],
            prefill_over_decode: Some(0.8),
            encoders_limit: false,
        };
        let point = samples::disagg();
        assert_eq!(limited_by(&explanation, &point).unwrap(), "prefill compute");
        explanation.prefill_over_decode = Some(1.2);
        assert_eq!(limited_by(&explanation, &point).unwrap(), "decode memory bandwidth");
    }

    #[test]
    fn aggregated_steps_count_by_how_often_they_run() {
        let explanation = Explanation {
            steps: vec![
                step(StepKind::Mixed, [100.0, 10.0, 20.0]),
                step(StepKind::Decode, [2.0, 10.0, 13.0]),
            ],
            prefill_over_decode: None,
            encoders_limit: false,
        };
        let mut point = samples::agg();
        point.itl_ms = 26.0;
        assert_eq!(limited_by(&explanation, &point).unwrap(), "decode communication between GPUs");
        point.itl_ms = 100.0;
        assert_eq!(limited_by(&explanation, &point).unwrap(), "mixed-step compute");
    }

    #[test]
    fn without_a_breakdown_nothing_is_claimed() {
        assert_eq!(limited_by(&Explanation::default(), &samples::agg()), None);
        let empty = Explanation {
            steps: vec![step(StepKind::Decode, [0.0; 3])],
            prefill_over_decode: None,
            encoders_limit: false,
        };
        assert_eq!(limited_by(&empty, &samples::agg()), None);
    }

    #[test]
    fn the_runner_up_says_what_it_gives_up() {
        let best = samples::disagg();
        let mut next = samples::agg();
        next.tokens_per_sec_per_gpu = 688.0;
        next.ttft_ms = 476.0;
        next.itl_ms = 29.0;
        assert_eq!(
            next_best(&best, &next),
            "Next best: aggregated tp8, 14 % fewer tokens/s/GPU, 40 % higher TTFT, 40 instead of 32 GPUs in use."
        );
        assert_eq!(
            next_best(&best, &best),
            "Next best: disaggregated 5P (tp2) : 6D (tp1), the same tokens/s/GPU."
        );
        assert_eq!(
            verdict(&best),
            "Disaggregated 5P (tp2) : 6D (tp1): 800 tokens/s/GPU at TTFT 340 ms and ITL 29.5 ms."
        );
    }

    #[test]
    fn evidence_never_claims_more_than_there_is() {
        let some = Evidence { measured: 0.939, held: 0.04, ..Evidence::default() };
        assert_eq!(evidence(some), "silicon 93 %");
        assert_eq!(
            evidence_detail(some),
            "93 % of the time comes from measurements on this GPU, 4 % from the nearest measurement at the same efficiency, 2 % from formulas."
        );
        let all = Evidence { measured: 1.0, ..Evidence::default() };
        assert_eq!(evidence_detail(all), "100 % of the time comes from measurements on this GPU.");
    }

    #[test]
    fn estimates_and_rooflines_are_called_so() {
        let hybrid = Evidence { measured: 0.55, empirical: 0.4, ..Evidence::default() };
        assert_eq!(evidence(hybrid), "empirical 40 %");
        assert_eq!(
            evidence_detail(hybrid),
            "55 % of the time comes from measurements on this GPU, 40 % from the roofline at the efficiency of similar measurements, 5 % from formulas."
        );
        let bound = Evidence { sol: 1.0, ..Evidence::default() };
        assert_eq!(evidence(bound), "roofline");
        assert_eq!(evidence_detail(bound), "100 % of the time is the roofline, which no GPU reaches.");
    }

    #[test]
    fn the_funnel_names_the_target_it_used() {
        let funnel = Funnel { tried: 12408, frontier: 23, ..Funnel::default() };
        let mut scenario = Scenario::default();
        assert_eq!(funnel_stages(&funnel, &scenario)[0], ("tried", 12408));
        assert_eq!(funnel_stages(&funnel, &scenario)[5].0, "meet ITL");
        assert_eq!(funnel_stages(&funnel, &scenario)[6], ("on the frontier", 23));
        scenario.sla.request_latency_ms = Some(9000.0);
        assert_eq!(funnel_stages(&funnel, &scenario)[5].0, "meet latency");
        assert_eq!(announcement(&funnel, None), "12,408 tried, nothing meets the SLO.");
        assert!(
            announcement(&funnel, Some(&samples::agg())).contains("best 800 tokens/s/GPU, aggregated tp8")
        );
    }
}
