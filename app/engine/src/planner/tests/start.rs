//! Workers that start, rollouts, the rhythm of ticks.

use super::*;

/// One prefill worker ready, one that starts.
fn starting() -> Inventory {
    let prefill = Count { ready: 1, expected: None, pending: 1, scaling: true };
    Inventory { prefill, decode: Count { scaling: true, expected: None, ..Count::stable(1) } }
}

fn planner() -> Planner<Lines> {
    Planner::new(by_load(), shape(), lines()).expect("settings")
}

#[test]
fn nothing_grows_while_a_worker_starts() {
    let outcome = planner().tick(5.0, starting(), None, &[reader(1, 600_000)], &[writer(2, 20)]);
    assert_eq!((outcome.targets, outcome.load_reason()), (None, Some(LoadReason::NoChange)));
    assert_eq!(outcome.withheld, None);
}

#[test]
fn a_start_is_cancelled_when_the_wish_stood_for_an_interval() {
    let mut planner = planner();
    let mut tick =
        |at: f64, queue: u64| planner.tick(at, starting(), None, &[reader(1, queue)], &[writer(2, 20)]);
    assert_eq!(tick(5.0, 0).withheld, Some(Withheld::Standing));
    // The queue came back, so the wish must stand anew.
    assert_eq!(tick(10.0, 600_000).withheld, None);
    assert_eq!(tick(15.0, 0).withheld, Some(Withheld::Standing));
    let sent = tick(20.0, 0);
    assert_eq!((sent.targets, sent.load_reason()), (Some(targets(1, 1)), Some(LoadReason::ScaleDown)));
    // Until the worker is seen to be gone nothing more is sent.
    assert_eq!(tick(25.0, 0).withheld, Some(Withheld::Draining));
    assert_eq!(tick(30.0, 0).targets, None);
    let gone = planner.tick(35.0, stable(1, 1), None, &[reader(1, 0)], &[writer(2, 20)]);
    assert_eq!((gone.targets, gone.withheld), (None, None));
    let again = planner.tick(40.0, stable(1, 1), None, &[reader(1, 600_000)], &[writer(2, 20)]);
    assert_eq!(again.targets, Some(targets(2, 1)));
}

#[test]
fn a_start_is_kept_where_the_least_gpus_need_it() {
    let config = Config { min_gpu_budget: 4, max_gpu_budget: 8, ..by_load() };
    let mut planner = Planner::new(config, shape(), lines()).expect("settings");
    for at in [5.0, 10.0, 15.0] {
        let outcome = planner.tick(at, starting(), None, &[reader(1, 0)], &[writer(2, 20)]);
        assert_eq!((outcome.targets, outcome.withheld), (None, Some(Withheld::Budget)));
    }
}

#[test]
fn a_rollout_holds_both_roles() {
    let mut inventory = stable(1, 1);
    inventory.decode.scaling = true;
    let outcome = planner().tick(5.0, inventory, None, &[reader(1, 600_000)], &[writer(2, 20)]);
    assert_eq!((outcome.targets, outcome.load_reason()), (None, Some(LoadReason::ScalingInProgress)));
    inventory = stable(1, 1);
    inventory.prefill.expected = Some(2);
    let outcome = planner().tick(5.0, inventory, None, &[reader(1, 600_000)], &[writer(2, 20)]);
    assert_eq!(outcome.load_reason(), Some(LoadReason::ScalingInProgress));
}

#[test]
fn the_throughput_loop_waits_for_a_rollout_too() {
    let mut planner = Planner::new(sla(), shape(), lines()).expect("settings");
    let window = Window { requests: Some(1800.0), isl: Some(3000.0), osl: Some(150.0), ..Window::default() };
    let mut rolling = stable(1, 1);
    rolling.prefill.scaling = true;
    let held = planner.tick(180.0, rolling, Some(&window), &[], &[]);
    assert_eq!((held.targets, held.withheld), (None, Some(Withheld::Rollout)));
    let sent = planner.tick(360.0, stable(1, 1), Some(&window), &[], &[]);
    assert_eq!(sent.targets, Some(targets(2, 1)));
}

#[test]
fn the_bound_of_a_busy_window_holds_until_the_next() {
    let both = Config { enable_load_scaling: true, throughput_interval_secs: 60, ..sla() };
    let mut planner = Planner::new(both, shape(), lines()).expect("settings");
    let window = |requests: f64| Window {
        requests: Some(requests),
        isl: Some(3000.0),
        osl: Some(150.0),
        ..Window::default()
    };
    let idle = [reader(1, 0), reader(2, 0)];
    let busy = planner.tick(60.0, stable(2, 1), Some(&window(480.0)), &idle, &[writer(3, 20)]);
    assert_eq!(busy.lower_bound, PerRole { prefill: 2, decode: 1 });
    assert_eq!(busy.load_reason(), Some(LoadReason::ScaleDownCappedByThroughput));
    assert_eq!(busy.throughput_reason(), Some(ThroughputReason::SetLowerBound));
    let held = planner.tick(65.0, stable(2, 1), None, &idle, &[writer(3, 20)]);
    assert_eq!(held.targets, None);
    let calm = planner.tick(120.0, stable(2, 1), Some(&window(30.0)), &idle, &[writer(3, 20)]);
    assert_eq!(calm.targets, Some(targets(1, 1)));
}

#[test]
fn ticks_come_at_the_greatest_common_divisor_and_late_ones_are_dropped() {
    let both =
        Config { enable_load_scaling: true, load_interval_secs: 6, throughput_interval_secs: 9, ..sla() };
    let mut planner = Planner::new(both, shape(), lines()).expect("settings").starting_at(100.0);
    let mut ran = Vec::new();
    while planner.next_tick_secs() <= 118.0 {
        let (at, needs) = (planner.next_tick_secs(), planner.needs());
        let outcome = planner.tick(at, stable(1, 1), None, &[], &[]);
        assert_eq!((needs.fpm, needs.traffic), (outcome.ran.load, outcome.ran.throughput));
        ran.push((at, outcome.ran.load, outcome.ran.throughput));
    }
    let want = [
        (103.0, false, false),
        (106.0, true, false),
        (109.0, false, true),
        (112.0, true, false),
        (115.0, false, false),
        (118.0, true, true),
    ];
    assert_eq!(ran, want);
    planner.tick(140.5, stable(1, 1), None, &[], &[]);
    assert_eq!(planner.next_tick_secs(), 142.0);
    // Early by more than a rounding error is not due.
    assert_eq!(planner.tick(141.0, stable(1, 1), None, &[], &[]).ran, Ran::default());
}

#[test]
fn a_window_without_a_count_is_skipped_and_one_without_lengths_cannot_be_priced() {
    let mut planner = Planner::new(sla(), shape(), lines()).expect("settings");
    let unknown = Window { isl: Some(3000.0), osl: Some(150.0), ..Window::default() };
    let skipped = planner.tick(180.0, stable(1, 1), Some(&unknown), &[], &[]);
    assert_eq!(skipped.throughput_reason(), Some(ThroughputReason::NoTrafficData));
    let lengths = Window { requests: Some(90.0), ..Window::default() };
    let outcome = planner.tick(360.0, stable(1, 1), Some(&lengths), &[], &[]);
    assert_eq!(outcome.throughput_reason(), Some(ThroughputReason::ModelNotReady));
}
