//! Runs against closed forms and against runs of Dynamo's own planner.

use std::sync::Arc;

use super::speed::Affine;
use super::*;
use crate::cluster::{Decision, Role};
use crate::planner::{Mode, Target};

/// The engine of the planner's worked example.
const ENGINE: Affine = Affine {
    prefill_ms: 10.0,
    prefill_token_ms: 0.06,
    decode_ms: 8.0,
    decode_request_ms: 0.02,
    decode_kv_ms: 0.000_05,
};

fn limits(max_sequences: u32) -> Limits {
    Limits { max_batched_tokens: 8192, max_sequences, max_kv_tokens: 400_000, context_length: None }
}

fn pool(speed: Affine, max_sequences: u32) -> Pool {
    Pool { speed: Speed::Affine(speed), limits: limits(max_sequences), gpus: 1, count: 1 }
}

fn setup(traffic: Traffic, start_secs: f64) -> Setup {
    let start = Start { secs: start_secs, spread: 0.0 };
    Setup {
        traffic,
        fleets: Fleets {
            prefill: Some(pool(ENGINE, 256)),
            decode: pool(ENGINE, 256),
            transfer_ms_per_token: 0.0,
        },
        start: PerRole { prefill: start, decode: start },
        slo: Slo { ttft_ms: Some(500.0), itl_ms: Some(30.0) },
        planner: None,
        pending: true,
        rebalance: false,
        hit_rate: 0.0,
        seed: 1,
        sample_ms: 1000.0,
        drain_ms: 600_000.0,
    }
}

fn planner(throughput_interval_secs: Option<u32>) -> Config {
    Config {
        target: Target::Sla,
        ttft_ms: 500.0,
        itl_ms: 30.0,
        enable_load_scaling: true,
        enable_throughput_scaling: throughput_interval_secs.is_some(),
        throughput_interval_secs: throughput_interval_secs.unwrap_or(180),
        load_interval_secs: 5,
        ..Config::default()
    }
}

/// Calm traffic, a burst of 200, then eight requests a second for a while.
fn storm(after_secs: f64) -> Traffic {
    let mut rows = Vec::new();
    let mut at = |at_ms: f64| rows.push(Arrival { at_ms, isl: 3000, osl: 150, cached: None });
    for calm in 0..300 {
        at(200.0 + f64::from(calm) * 2000.0);
    }
    for _ in 0..200 {
        at(60_200.0);
    }
    let mut more = 0.0;
    while more < after_secs * 8.0 {
        more += 1.0;
        at(60_200.0 + more * 125.0);
    }
    rows.sort_by(|a, b| a.at_ms.total_cmp(&b.at_ms));
    Traffic::Trace(Arc::from(rows))
}

fn run(setup: Setup) -> Report {
    let mut run = Run::new(setup).unwrap();
    while run.advance(1000) {}
    run.report()
}

fn seconds(report: &Report) -> Vec<(u64, u32, u32, bool)> {
    assert!(report.decisions.iter().all(|decision| decision.role == Role::Prefill));
    let of = |decision: &Decision| (decision.at_ms / 1000, decision.from, decision.to, decision.cancels);
    report.decisions.iter().map(of).collect()
}

/// Actions that Dynamo's own planner took on the same traffic, engine and clock.
#[test]
fn the_planner_acts_as_dynamos_own_did() {
    let planned = |after_secs, start_secs, throughput| {
        run(Setup { planner: Some(planner(throughput)), ..setup(storm(after_secs), start_secs) })
    };
    // A burst alone: the second worker is taken back before it serves.
    let burst = planned(0.0, 180.0, None);
    assert_eq!(seconds(&burst), [(65, 1, 2, false), (110, 2, 1, true)]);
    assert_eq!(burst.decisions[0].estimated.ttft_ms, Some(32_880.0));
    // It starts in time, and the backlog stays on the first.
    let quick = planned(0.0, 20.0, None);
    assert_eq!(seconds(&quick), [(65, 1, 2, false), (100, 2, 1, false)]);
    assert_eq!(quick.decisions[0].ready_ms, Some(85_000));
    // Demand that lasts.
    let lasting = planned(300.0, 180.0, None);
    assert_eq!(seconds(&lasting), [(65, 1, 2, false), (250, 2, 3, false), (415, 3, 1, true)]);
    assert_eq!(lasting.decisions[0].ready_ms, Some(245_000));
    let estimate = lasting.decisions[1].estimated.ttft_ms.unwrap();
    assert!((estimate - 137_000.0).abs() < 500.0, "{estimate}");
    // The throughput loop holds its bound for one more look.
    let both = planned(300.0, 180.0, Some(60));
    assert_eq!(
        seconds(&both),
        [(65, 1, 2, false), (250, 2, 3, false), (415, 3, 2, true), (420, 2, 1, false)]
    );
    // Calm before the burst.
    let before = burst.samples.iter().filter(|sample| sample.at_ms <= 60_000);
    assert!(before.clone().all(|sample| sample.ttft_ms == Some(190.0) && sample.gpus == Some(2)));
    assert_eq!(before.count(), 60);
}

fn poisson(per_sec: f64, secs: f64, osl: u32) -> Traffic {
    let phase = Phase { secs, from_per_sec: per_sec, to_per_sec: per_sec, burst: 0, isl: 3000, osl };
    Traffic::Story(Story { phases: vec![phase], spacing: Spacing::Random, spread: 0.0 })
}

/// One prompt at a time, always as long: the queue M/D/1, whose mean wait is ρ·s / (2·(1 − ρ)).
#[test]
fn waiting_is_that_of_a_queue_with_one_server() {
    let service_ms = 190.0;
    for share in [0.3, 0.5, 0.7, 0.8] {
        let per_sec = share / service_ms * 1000.0;
        let mut setup = setup(poisson(per_sec, 400_000.0 / per_sec, 1), 0.0);
        setup.fleets.prefill = Some(pool(ENGINE, 1));
        setup.sample_ms = 60_000.0;
        let summary = run(setup).summary;
        let wait = summary.ttft.unwrap().mean - service_ms;
        let expected = share * service_ms / (2.0 * (1.0 - share));
        let error = wait / expected - 1.0;
        println!("rho {share}: {wait:.2} ms, expected {expected:.2} ms, {:+.2} %", error * 100.0);
        assert!(error.abs() < 0.03, "{share}: {wait} against {expected}");
        assert!((summary.arrived as f64 / 400_000.0 - 1.0).abs() < 0.01);
    }
}

/// Without chance everything can be reckoned by hand.
#[test]
fn even_flows_take_exactly_their_time() {
    let rows: Vec<_> = (0..50).map(|at| f64::from(at) * 5000.0).collect();
    let rows = rows.into_iter().map(|at_ms| Arrival { at_ms, isl: 3000, osl: 101, cached: None });
    let mut setup = setup(Traffic::Trace(rows.collect()), 0.0);
    setup.fleets.transfer_ms_per_token = 0.001;
    let report = run(setup);
    let ttft = report.summary.ttft.unwrap();
    assert_eq!((ttft.mean, ttft.max), (190.0, 190.0));
    // 100 steps of one request at contexts 3000 to 3099, after 3 ms of hand-over.
    let steps = 100.0 * (8.0 + 0.02) + 0.000_05 * (3000.0 + 3099.0) / 2.0 * 100.0;
    let itl = report.summary.itl.unwrap();
    assert!((itl.mean - (steps + 3.0) / 100.0).abs() < 1e-9, "{}", itl.mean);
    assert!((itl.max - itl.mean).abs() < 1e-9);
    assert_eq!((report.summary.met, report.summary.done), (50, 50));
    assert_eq!(report.summary.output_tokens, 50 * 101);
}

/// Joining a batch on the way ends the run of steps at a step, never inside one.
#[test]
fn requests_join_between_steps() {
    let rows = vec![
        Arrival { at_ms: 0.0, isl: 1000, osl: 201, cached: None },
        Arrival { at_ms: 500.0, isl: 1000, osl: 2, cached: None },
    ];
    let mut setup = setup(Traffic::Trace(rows.into()), 0.0);
    let flat = Affine { decode_ms: 7.0, decode_request_ms: 0.0, decode_kv_ms: 0.0, ..ENGINE };
    setup.fleets.decode = pool(flat, 256);
    let report = run(setup);
    // First tokens at 70 and 570 ms; steps end at 70 + 7k: the second waits until 574 and leaves at 581.
    let itl = report.summary.itl.unwrap();
    assert!((itl.max - 11.0).abs() < 1e-9 && (itl.p50 - 7.0).abs() < 1e-9, "{itl:?}");
}

#[test]
fn a_full_kv_cache_makes_requests_wait_and_start_again() {
    let rows = (0..8).map(|_| Arrival { at_ms: 0.0, isl: 1000, osl: 600, cached: None });
    let mut setup = setup(Traffic::Trace(rows.collect()), 0.0);
    // Room for four prompts, and for two whole requests.
    setup.fleets.decode.limits.max_kv_tokens = 4_100;
    let report = run(setup);
    let summary = report.summary;
    assert_eq!((summary.done, summary.in_flight, summary.refused), (8, 0, 0));
    assert!(summary.preempted > 0);
    assert!(report.samples.iter().all(|sample| sample.kv_usage.is_none_or(|usage| usage <= 1.0)));
}

#[test]
fn requests_that_no_worker_can_hold_are_refused() {
    let row = |isl, osl| Arrival { at_ms: 0.0, isl, osl, cached: None };
    let rows = vec![row(399_000, 1500), row(u32::MAX, 1), row(1000, u32::MAX), row(1000, 10)];
    let summary = run(setup(Traffic::Trace(rows.into()), 0.0)).summary;
    assert_eq!((summary.arrived, summary.refused, summary.done), (4, 3, 1));
}

fn aggregated() -> Setup {
    let mut setup = setup(poisson(6.0, 300.0, 150), 60.0);
    setup.fleets.prefill = None;
    setup
}

#[test]
fn aggregated_workers_read_and_write() {
    let report = run(aggregated());
    let summary = report.summary;
    assert_eq!((summary.done + summary.in_flight, summary.refused), (summary.arrived, 0));
    // Prompts slow decoding down, and the other way round.
    assert!(summary.itl.unwrap().mean > 12.0, "{:?}", summary.itl);
    assert!(report.samples.iter().all(|sample| sample.prefill.ready.is_none()));
    let planned =
        run(Setup { planner: Some(Config { mode: Mode::Agg, ..planner(Some(60)) }), ..aggregated() });
    assert!(planned.decisions.iter().all(|decision| decision.role == Role::Agg));
    assert!(planned.decisions.iter().any(|decision| decision.to == 2), "{:?}", planned.decisions);
}

#[test]
fn the_same_seed_is_the_same_run() {
    let planned =
        |seed| run(Setup { seed, planner: Some(planner(Some(60))), ..setup(poisson(6.0, 600.0, 150), 60.0) });
    assert_eq!(planned(5), planned(5));
    assert_ne!(planned(5), planned(6));
}

#[test]
fn rebalancing_moves_what_waits() {
    let without = setup(storm(0.0), 20.0);
    let with = Setup { rebalance: true, ..without.clone() };
    let planned = |setup| run(Setup { planner: Some(planner(None)), ..setup }).summary.ttft.unwrap();
    let (stay, moved) = (planned(without), planned(with));
    assert!(moved.max < stay.max * 0.9, "{} against {}", moved.max, stay.max);
}

#[test]
fn gpu_hours_count_from_the_request_of_a_worker_until_it_is_gone() {
    let report = run(Setup { planner: Some(planner(None)), ..setup(storm(0.0), 180.0) });
    // Two workers throughout, a third from 65 s to 110 s.
    let expected = (2.0 * report.summary.length_ms + 45_000.0) / 3_600_000.0;
    assert!((report.summary.gpu_hours - expected).abs() < 1e-9);
}

#[test]
fn setups_that_make_no_sense_are_refused() {
    let good = setup(poisson(1.0, 10.0, 150), 0.0);
    let mut no_speed = good.clone();
    no_speed.fleets.decode.speed = Speed::Affine(Affine { decode_ms: f64::NAN, ..ENGINE });
    assert_eq!(Run::new(no_speed).err(), Some(SetupError::Speed));
    for bad in [
        Setup { hit_rate: 1.5, ..good.clone() },
        Setup { sample_ms: 0.0, ..good.clone() },
        Setup { traffic: poisson(1.0, f64::NAN, 1), ..good.clone() },
        Setup { traffic: poisson(1e9, 1e6, 1), ..good.clone() },
    ] {
        assert!(matches!(Run::new(bad).err(), Some(SetupError::Range { .. })));
    }
    let planner = Config { max_gpu_budget: 1, ..planner(None) };
    let refused = Run::new(Setup { planner: Some(planner), ..good }).err();
    assert!(matches!(refused, Some(SetupError::Planner(_))));
}

/// 1P + 1D → 2P + 1D: asked for when the crowd comes, there three minutes later, and the SLO holds again.
#[test]
fn the_storm_needs_a_second_prefill_worker_and_gets_it() {
    let storm = story::storm();
    let report = run(storm.setup(story::storm_fleets().unwrap()));
    assert_eq!(seconds(&report), [(125, 1, 2, false), (900, 2, 1, false)]);
    let up = &report.decisions[0];
    assert_eq!((up.reason.as_deref(), up.ready_ms), (Some("scale_up"), Some(305_000)));
    assert!(up.estimated.ttft_ms.unwrap() > 30_000.0);
    let ttft = |from: u64, to: u64| {
        let within = report.samples.iter().filter(move |sample| (from..to).contains(&(sample.at_ms / 1000)));
        within.filter_map(|sample| sample.ttft_ms)
    };
    assert!(ttft(0, 122).all(|ms| ms < 100.0), "calm");
    assert!(
        ttft(135, 400).all(|ms| ms > 500.0),
        "the SLO is missed from the burst until the backlog is gone"
    );
    let held = ttft(420, 840).filter(|&ms| ms <= 500.0).count() as f64 / ttft(420, 840).count() as f64;
    assert!(held > 0.98, "and kept again while the crowd still comes: {held}");
    let course = Course::of(&report.samples, &report.decisions, report_slo());
    assert!(course.missed_ms.is_some_and(|at| (122_000..130_000).contains(&at)), "{course:?}");
    assert!(course.kept_ms.is_some_and(|at| (400_000..420_000).contains(&at)), "{course:?}");
    assert_eq!((course.first_up.as_ref(), course.cancelled_ms), (Some(up), None));
    // Without the planner it never is.
    let mut fixed = storm;
    fixed.settings.planner = None;
    let fixed = run(fixed.setup(story::storm_fleets().unwrap()));
    assert!(fixed.decisions.is_empty() && fixed.summary.met < report.summary.met / 2);
    let late = fixed.samples.iter().filter(|sample| (420..840).contains(&(sample.at_ms / 1000)));
    assert!(late.filter_map(|sample| sample.ttft_ms).all(|ms| ms > 500.0));
}

/// A burst that is shorter than the start of a worker is over before help comes.
#[test]
fn a_short_storm_is_over_before_the_second_worker_serves() {
    let mut storm = story::storm();
    storm.outline.kind = story::Kind::Burst;
    let report = run(storm.setup(story::storm_fleets().unwrap()));
    assert!(report.decisions[0].to == 2 && report.decisions[0].ready_ms.is_none(), "{:?}", report.decisions);
    assert!(report.decisions[1].cancels);
    let course = Course::of(&report.samples, &report.decisions, report_slo());
    assert_eq!(course.cancelled_ms, Some(report.decisions[1].at_ms));
    assert!(course.kept_ms.is_some());
}

fn report_slo() -> Slo {
    Slo { ttft_ms: Some(500.0), itl_ms: Some(30.0) }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 48, ..Default::default() })]

    /// Requests in = done + in flight + refused, whatever happens to the workers, and nothing is lost.
    #[test]
    fn requests_are_conserved(
        seed in 0u64..1000,
        per_sec in 0.1f64..12.0,
        secs in 10.0f64..400.0,
        kv in 3_200u64..60_000,
        start in 0.0f64..200.0,
        aggregated in proptest::bool::ANY,
        pending in proptest::bool::ANY,
        rebalance in proptest::bool::ANY,
        throughput in proptest::option::of(5u32..13),
        drain_ms in 0.0f64..60_000.0,
    ) {
        let mode = if aggregated { Mode::Agg } else { Mode::Disagg };
        let planner = Config { mode, ..planner(throughput.map(|fives| fives * 5)) };
        let mut setup = setup(poisson(per_sec, secs, 150), start);
        if aggregated {
            setup.fleets.prefill = None;
        }
        setup.fleets.decode.limits.max_kv_tokens = kv;
        let mut run =
            Run::new(Setup { seed, pending, rebalance, drain_ms, planner: Some(planner), ..setup }).unwrap();
        let mut more = true;
        while more {
            more = run.advance(500);
            let now = run.summary();
            proptest::prop_assert_eq!(now.arrived, now.done + now.in_flight + now.refused);
            proptest::prop_assert!(run.status().gpus.used.unwrap() <= 64);
        }
        if drain_ms > 50_000.0 && per_sec < 2.0 && kv > 30_000 {
            proptest::prop_assert_eq!(run.summary().in_flight, 0);
        }
    }
}
