//! What holds for every input.

use proptest::prelude::*;

use super::super::budget::{Band, Budget};
use super::*;

/// An estimator that answers anything.
#[derive(Clone, Debug)]
struct Anything(Vec<Option<f64>>);

impl Estimator for Anything {
    fn forward_ms(&self, _: Role, pass: Pass) -> Option<f64> {
        let sum = pass.prefill_tokens + pass.decode_requests + pass.decode_kv_tokens;
        self.0[sum as usize % self.0.len()]
    }
}

fn figure() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(0.0),
        Just(-1.0),
        Just(f64::MAX),
        0.0..1e4,
        0.0..1e12,
    ]
}

fn small() -> impl Strategy<Value = u32> {
    prop_oneof![0..12u32, 0..12u32, Just(u32::MAX), any::<u32>()]
}

fn count() -> impl Strategy<Value = Count> {
    (small(), proptest::option::of(small()), prop_oneof![Just(0), Just(0), small()], any::<bool>())
        .prop_map(|(ready, expected, pending, scaling)| Count { ready, expected, pending, scaling })
}

fn work() -> impl Strategy<Value = Work> {
    let tokens = || prop_oneof![0..200_000u64, Just(0), Just(u64::MAX)];
    (tokens(), tokens(), tokens(), tokens()).prop_map(|(a, b, c, d)| Work {
        prefill_requests: a,
        prefill_tokens: b,
        decode_requests: c,
        decode_kv_tokens: d,
    })
}

fn records() -> impl Strategy<Value = Vec<Record>> {
    let record = (0..4u64, 0..3u32, figure(), work(), work()).prop_map(
        |(worker_id, dp_rank, wall_secs, scheduled, queued)| Record {
            worker_id,
            dp_rank,
            wall_secs,
            scheduled,
            queued,
        },
    );
    proptest::collection::vec(record, 0..6)
}

fn window() -> impl Strategy<Value = Window> {
    let maybe = || proptest::option::of(figure());
    (maybe(), maybe(), maybe(), maybe(), maybe()).prop_map(
        |(requests, isl, osl, kv_hit_rate, accept_length)| Window {
            requests,
            isl,
            osl,
            kv_hit_rate,
            accept_length,
        },
    )
}

fn config() -> impl Strategy<Value = Config> {
    let mode = prop_oneof![Just(Mode::Disagg), Just(Mode::Prefill), Just(Mode::Decode), Just(Mode::Agg)];
    let target =
        prop_oneof![Just(Target::Throughput), Just(Target::Latency), Just(Target::Load), Just(Target::Sla)];
    let predictor = prop_oneof![
        Just(PredictorKind::Constant),
        Just(PredictorKind::Kalman),
        Just(PredictorKind::MovingAverage)
    ];
    let budget = (prop_oneof![Just(-1i64), 2..40i64, Just(i64::MAX)], prop_oneof![Just(-1i64), 0..20i64]);
    let loops = (any::<bool>(), any::<bool>(), any::<bool>());
    let sizes = (0..3u32, prop_oneof![1..9u32, Just(u32::MAX)], 1..3u32, 0..4u32);
    (mode, target, predictor, budget, loops, sizes).prop_map(
        |(mode, target, predictor, (most, least), (load, throughput, log1p), (floor, step, ranks, nextn))| {
            Config {
                mode,
                target,
                predictor,
                log1p,
                max_gpu_budget: most,
                min_gpu_budget: if most < 0 { least } else { least.min(most) },
                enable_load_scaling: load,
                enable_throughput_scaling: throughput || !load,
                throughput_interval_secs: 10,
                min_endpoint: floor,
                max_throughput_scaling_replicas: step,
                decode_attention_dp: ranks,
                speculative_nextn: nextn,
                kalman_min_points: 2,
                prefill_scale_up_queue_tokens: Some(20_000.0),
                prefill_scale_down_queue_tokens: Some(2000.0),
                decode_scale_up_kv_rate: Some(80.0),
                decode_scale_down_kv_rate: Some(40.0),
                ..Config::default()
            }
        },
    )
}

fn whole_shape() -> impl Strategy<Value = Shape> {
    let role = || {
        let most = || prop_oneof![Just(0u32), Just(1), 1..10_000u32, Just(u32::MAX)];
        let gpus = prop_oneof![1..5u32, 1..5u32, Just(0)];
        (gpus, most(), most(), prop_oneof![0..500_000u64, Just(u64::MAX)], proptest::option::of(most()))
            .prop_map(
                |(gpus_per_replica, max_batched_tokens, max_sequences, max_kv_tokens, context_length)| {
                    RoleShape {
                        gpus_per_replica,
                        limits: Limits { max_batched_tokens, max_sequences, max_kv_tokens, context_length },
                        watts: None,
                    }
                },
            )
    };
    (role(), role()).prop_map(|(prefill, decode)| Shape { prefill, decode })
}

fn gpus(shape: &Shape, replicas: PerRole<u32>) -> i128 {
    let each = replicas.zip(*shape, |count, role| i128::from(count) * i128::from(role.gpus_per_replica));
    each.prefill + each.decode
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 192, ..ProptestConfig::default() })]

    /// No panic; what is sent respects floors and budget, and nothing is sent into a rollout.
    #[test]
    fn every_answer_is_within_the_settings(
        config in config(),
        shape in whole_shape(),
        answers in proptest::collection::vec(proptest::option::of(figure()), 1..8),
        steps in proptest::collection::vec((figure(), count(), count(), proptest::option::of(window()), records(), records()), 1..12),
    ) {
        let Ok(mut planner) = Planner::new(config.clone(), shape, Anything(answers)) else { return Ok(()) };
        for (late, prefill, decode, window, read, write) in steps {
            let inventory = Inventory { prefill, decode };
            let at = planner.next_tick_secs() + if late < 100.0 { late.max(0.0) } else { 0.0 };
            planner.tick(late, inventory, window.as_ref(), &read, &write);
            let outcome = planner.tick(at, inventory, window.as_ref(), &read, &write);
            let Some(targets) = outcome.targets else { continue };
            let (has_prefill, has_decode) = (config.mode.has_prefill(), config.mode.has_decode());
            prop_assert_eq!((targets.prefill.is_some(), targets.decode.is_some()), (has_prefill, has_decode));
            let scaled = |has: bool, count: Count| if has { count } else { Count::default() };
            let seen = Inventory { prefill: scaled(has_prefill, prefill), decode: scaled(has_decode, decode) };
            prop_assert!(seen.starts() || !seen.in_rollout(), "sent into a rollout: {:?}", outcome);
            let before = seen.with_pending();
            let after = targets.map(Option::unwrap_or_default);
            if seen.starts() {
                prop_assert!(after.prefill <= before.prefill && after.decode <= before.decode);
            }
            let most = i128::from(config.max_gpu_budget);
            let fits = most < 0 || gpus(&shape, after) <= most || (seen.starts() && gpus(&shape, after) < gpus(&shape, before));
            let known = shape.prefill.gpus_per_replica > 0 && shape.decode.gpus_per_replica > 0;
            prop_assert!(fits || !known, "{:?} exceeds {}", outcome, most);
            let floors = config.floors();
            let keeps = |has: bool, after: u32, floor: u32, before: u32| !has || after >= floor || after >= before;
            prop_assert!(keeps(has_prefill, after.prefill, floors.prefill, before.prefill), "{:?}", outcome);
            prop_assert!(keeps(has_decode, after.decode, floors.decode, before.decode), "{:?}", outcome);
        }
    }

    /// The load loop alone moves each role by one, unless replicas were outside of floors or budget before.
    #[test]
    fn one_decision_moves_a_role_by_one(
        config in config(),
        ready in (0..6u32, 0..6u32),
        answers in proptest::collection::vec(proptest::option::of(0.0..1000.0f64), 1..8),
        read in records(),
        write in records(),
    ) {
        let mut scaler = Scaler::new(config.clone(), shape(), Anything(answers));
        scaler.set_inventory(stable(ready.0, ready.1));
        scaler.observe(&read, &write);
        let decision = scaler.load(&read, &write);
        if decision.reason == LoadReason::GpuBudgetReconcile {
            return Ok(());
        }
        if let Some(targets) = decision.targets {
            prop_assert!(targets.prefill.is_none_or(|to| to.abs_diff(ready.0) <= 1), "{:?}", decision);
            prop_assert!(targets.decode.is_none_or(|to| to.abs_diff(ready.1) <= 1), "{:?}", decision);
        }
    }

    /// A fit lies between the two pairs, in the band, and no other pair in the band is nearer.
    #[test]
    fn a_fit_is_the_nearest(
        from in (0..7u32, 0..7u32),
        to in (0..7u32, 0..7u32),
        cost in (1..5i128, 1..5i128),
        bounds in (-1..12i64, -1..20i64),
        floor in (0..3u32, 0..3u32),
    ) {
        let pair = |(prefill, decode): (u32, u32)| PerRole { prefill, decode };
        let budget = Budget {
            band: Band::new(bounds.0, bounds.1),
            cost: PerRole { prefill: cost.0, decode: cost.1 },
            floor: pair(floor),
        };
        let fitted = budget.fit(pair(from), pair(to));
        let opposing = (i64::from(to.0) - i64::from(from.0)) * (i64::from(to.1) - i64::from(from.1)) < 0;
        let distance = |pair: PerRole<u32>| pair.prefill.abs_diff(to.0) + pair.decode.abs_diff(to.1);
        let slack = if bounds.0 >= 0 && bounds.1 >= 0 { cost.0.max(cost.1) } else { 0 };
        let mut least = None;
        for prefill in from.0.min(to.0)..=from.0.max(to.0) {
            for decode in from.1.min(to.1)..=from.1.max(to.1) {
                let half = (prefill == from.0) != (decode == from.1);
                let candidate = PerRole { prefill, decode };
                let allowed = prefill >= floor.0
                    && decode >= floor.1
                    && budget.band.holds(budget.total(candidate), slack)
                    && !(opposing && half);
                if allowed && least.is_none_or(|least| distance(candidate) < least) {
                    least = Some(distance(candidate));
                }
            }
        }
        let wanted = least.unwrap_or(distance(pair(from)));
        prop_assert_eq!(distance(fitted), wanted, "{:?}", fitted);
        prop_assert!(least.is_some() || fitted == pair(from));
    }

    /// A guard keeps what is in the band there, and brings back what is not where the floors allow it.
    #[test]
    fn a_guard_never_leaves_the_band(
        ready in (0..9u32, 0..9u32),
        wish in (0..9u32, 0..9u32),
        cost in (1..5i128, 1..5i128),
        most in 2..30i64,
        floor in (0..2u32, 0..2u32),
    ) {
        let pair = |(prefill, decode): (u32, u32)| PerRole { prefill, decode };
        let cost = PerRole { prefill: cost.0, decode: cost.1 };
        let budget = Budget { band: Band::new(-1, most), cost, floor: pair(floor) };
        let (result, _) = budget.guard(pair(ready), pair(wish));
        prop_assert!(budget.total(result) <= i128::from(most));
    }

    /// Forecasts are numbers of at least 0 whatever came before, and lengths outlast idle windows.
    #[test]
    fn forecasts_stay_numbers(config in config(), windows in proptest::collection::vec(window(), 1..20)) {
        let mut forecaster = Forecaster::new(&config);
        for window in windows {
            let Some(forecast) = forecaster.next(&window) else { continue };
            for value in [forecast.requests, forecast.isl, forecast.osl, forecast.accept_length] {
                prop_assert!(value.is_finite(), "{:?}", forecast);
            }
            prop_assert!(forecast.accept_length >= 1.0);
        }
    }
}
