//! An assistant with prompts of 3,000 and answers of 150 tokens, number by number.

use super::super::capacity::{Ask, Engine};
use super::*;

fn ask() -> Ask {
    Ask { isl: 3000.0, osl: 150.0, ttft_ms: 500.0, itl_ms: 30.0, kv_hit_rate: None, accept_length: 1.0 }
}

fn engine(estimator: &Lines, role: Role) -> Engine<'_, Lines> {
    Engine { estimator, role, limits: limits(), ranks: 1 }
}

#[test]
fn two_prompts_at_once_are_the_most_of_a_prefill_worker() {
    let lines = lines();
    let two = engine(&lines, Role::Prefill).capacity(&ask()).expect("a capacity");
    near(two.per_sec, 5.405, 5e-4);
    near(two.ttft_ms.expect("a time"), 370.0, 1e-9);
    assert!(two.eligible);
    let one = Ask { ttft_ms: 200.0, ..ask() };
    let one = engine(&lines, Role::Prefill).capacity(&one).expect("a capacity");
    near(one.per_sec, 5.263, 5e-4);
    near(one.ttft_ms.expect("a time"), 190.0, 1e-9);
}

#[test]
fn of_130_requests_that_fit_a_decode_worker_126_are_fast_enough() {
    let lines = lines();
    let best = engine(&lines, Role::Decode).capacity(&ask()).expect("a capacity");
    near(best.itl_ms.expect("a time"), 29.8925, 1e-9);
    near(best.per_sec, 126.0 / (150.0 * 0.029_892_5), 1e-9);
    near(best.per_sec, 28.10, 5e-3);
}

#[test]
fn a_target_out_of_reach_gives_the_highest_rate_and_says_so() {
    let lines = lines();
    let never = Ask { itl_ms: 1.0, ..ask() };
    let most = engine(&lines, Role::Decode).capacity(&never).expect("a capacity");
    assert!(!most.eligible);
    assert!(most.per_sec > 28.1, "{most:?}");
}

#[test]
fn ranks_share_a_batch() {
    let lines = lines();
    let two = Engine { ranks: 2, ..engine(&lines, Role::Prefill) };
    let best = two.capacity(&ask()).expect("a capacity");
    near(best.ttft_ms.expect("a time"), 10.0 + 0.06 * 3000.0, 1e-9);
}

/// Replicas for so many requests in 180 s, one of each ready.
fn planned(requests: f64) -> ThroughputDecision {
    let mut scaler = Scaler::new(sla(), shape(), lines());
    scaler.set_inventory(stable(1, 1));
    let forecast = Forecast { requests, isl: 3000.0, osl: 150.0, kv_hit_rate: None, accept_length: 1.0 };
    scaler.throughput(&forecast, 180.0)
}

#[test]
fn a_calm_hour_needs_one_of_each_and_a_busy_one_a_second_prefill_worker() {
    assert_eq!(planned(180.0).targets, None);
    assert_eq!(planned(180.0).reason, Some(ThroughputReason::NoChange));
    let busy = planned(1800.0);
    assert_eq!(busy.targets, Some(targets(2, 1)));
    assert_eq!(busy.reason, Some(ThroughputReason::Scale));
    near(busy.capacity_per_sec.prefill.expect("a rate"), 5.405, 5e-4);
    near(busy.capacity_per_sec.decode.expect("a rate"), 28.10, 5e-3);
}

#[test]
fn two_hundred_requests_at_once_get_a_second_prefill_worker() {
    let mut planner = Planner::new(by_load(), shape(), lines()).expect("settings");
    let calm = planner.tick(5.0, stable(1, 1), None, &[reader(1, 0)], &[writer(2, 20)]);
    assert_eq!((calm.targets, calm.load_reason()), (None, Some(LoadReason::NoChange)));
    near(calm.estimated_ttft_ms().expect("an estimate"), 190.0, 1e-9);
    let burst = planner.tick(10.0, stable(1, 1), None, &[reader(1, 600_000)], &[writer(2, 20)]);
    assert_eq!((burst.targets, burst.load_reason()), (Some(targets(2, 1)), Some(LoadReason::ScaleUp)));
    // 73 full passes of 8,192 tokens and one of 4,984.
    near(burst.estimated_ttft_ms().expect("an estimate"), 73.0 * 501.52 + 309.04, 1e-6);
    near(burst.estimated_itl_ms().expect("an estimate"), 8.0 + 0.42 + 3.228_75, 1e-9);
}

#[test]
fn a_regression_learns_the_same_lines_and_decides_alike() {
    let config = by_load();
    let learned = regression::Learned::new(&config);
    let mut planner = Planner::new(config, shape(), learned).expect("settings");
    let at = |step: u64| 5.0 * step as f64;
    let mut last = None;
    for step in 1..=6 {
        let tokens = 1000 * step;
        let mut read = reader(1, if step == 6 { 600_000 } else { 0 });
        read.scheduled.prefill_tokens = tokens;
        read.wall_secs = (10.0 + 0.06 * tokens as f64) / 1000.0;
        let mut write = writer(2, 10 * step * step);
        write.scheduled.decode_kv_tokens = 30_000 * step;
        write.wall_secs = (8.0 + 0.2 * (step * step) as f64 + 1.5 * step as f64) / 1000.0;
        let outcome = planner.tick(at(step), stable(1, 1), None, &[read], &[write]);
        let ready = outcome.load_reason() != Some(LoadReason::InsufficientData);
        assert_eq!(ready, step >= 5, "{outcome:?}");
        last = Some(outcome);
    }
    let burst = last.expect("a tick");
    assert_eq!(burst.targets, Some(targets(2, 1)));
    // The mean prompt is 3,500 tokens by now.
    near(burst.estimated_ttft_ms().expect("an estimate"), 73.0 * 501.52 + 10.0 + 0.06 * 5484.0, 1e-3);
}
