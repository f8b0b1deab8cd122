//! Settings, floors, watts.

use super::super::power::{Power, PowerCut};
use super::*;

fn fields(config: &Config) -> Vec<&'static str> {
    config.check().err().unwrap_or_default().iter().map(|error| error.field).collect()
}

#[test]
fn the_defaults_are_the_planners_own_and_pass() {
    let config = Config::default();
    assert!(config.check_with(&shape()).is_ok());
    assert_eq!(config, serde_json::from_str("{}").expect("settings"));
    assert_eq!((config.tick_secs(), config.load_loop(), config.throughput_loop()), (5.0, true, false));
}

#[test]
fn settings_are_read_under_their_names_in_yaml_and_come_back() {
    let text = r#"{"mode":"agg","optimization_target":"sla","ttft":200,"load_predictor":"kalman",
        "throughput_adjustment_interval":60,"max_gpu_budget":-1}"#;
    let config: Config = serde_json::from_str(text).expect("settings");
    let want = Config {
        mode: Mode::Agg,
        target: Target::Sla,
        ttft_ms: 200.0,
        predictor: PredictorKind::Kalman,
        throughput_interval_secs: 60,
        max_gpu_budget: -1,
        ..Config::default()
    };
    assert_eq!(config, want);
    let written = serde_json::to_string(&config).expect("text");
    assert_eq!(serde_json::from_str::<Config>(&written).expect("settings"), config);
}

#[test]
fn every_setting_that_cannot_be_is_named() {
    let nothing = Config { enable_throughput_scaling: false, ..sla() };
    assert_eq!(fields(&nothing), ["enable_throughput_scaling"]);
    let slow = Config { enable_load_scaling: true, load_interval_secs: 180, ..sla() };
    assert_eq!(fields(&slow), ["load_adjustment_interval_seconds"]);
    let odd = Config { scale_interval_secs: Some(2.0), ..sla() };
    assert_eq!(fields(&odd), ["scale_interval_seconds"]);
    let floor = Config { mode: Mode::Prefill, decode_min_endpoint: Some(0), ..Config::default() };
    assert_eq!(fields(&floor), ["decode_min_endpoint", "decode_min_endpoint"]);
    let band = Config { min_gpu_budget: 9, ..Config::default() };
    assert_eq!(fields(&band), ["min_gpu_budget"]);
    let load = Config { target: Target::Load, mode: Mode::Decode, ..Config::default() };
    assert_eq!(fields(&load), ["decode_scale_up_kv_rate", "decode_scale_down_kv_rate"]);
    let arima = Config { predictor: PredictorKind::Arima, ..Config::default() };
    assert_eq!(fields(&arima), ["load_predictor"]);
    let watts = Config { enable_power_awareness: true, mode: Mode::Agg, ..Config::default() };
    assert_eq!(fields(&watts), ["total_gpu_power_limit", "enable_power_awareness"]);
    let bad = Config {
        ttft_ms: f64::NAN,
        itl_ms: 0.0,
        throughput_interval_secs: 0,
        load_interval_secs: 0,
        max_throughput_scaling_replicas: 0,
        load_scaling_down_sensitivity: 101.0,
        fpm_sample_bucket_size: 15,
        kalman_r: -1.0,
        ..Config::default()
    };
    assert_eq!(fields(&bad).len(), 8);
    let error = &bad.check().expect_err("errors")[0];
    assert_eq!(error.to_string(), "ttft_ms is NaN; it must be a number above 0.");
}

#[test]
fn least_replicas_must_fit_the_budget_and_the_watts() {
    let gpus = Config { min_endpoint: 5, ..Config::default() };
    let error = gpus.check_with(&shape()).expect_err("too many")[0].to_string();
    assert_eq!(error, "max_gpu_budget is 8; the least replicas need 10 GPUs.");
    assert!(Config { mode: Mode::Decode, ..gpus }.check_with(&shape()).is_ok());
    let watts =
        Config { enable_power_awareness: true, total_gpu_power_limit: Some(1000.0), ..Config::default() };
    let drawing = shape().map(|role| RoleShape { watts: Some(700.0), ..role });
    assert_eq!(watts.check_with(&drawing).expect_err("too much")[0].field, "total_gpu_power_limit");
    assert_eq!(watts.check_with(&shape()).expect_err("unknown")[0].field, "enable_power_awareness");
}

#[test]
fn a_role_below_its_floor_is_raised_even_without_metrics_and_takes_gpus_from_the_other() {
    let config = Config { prefill_min_endpoint: Some(2), ..Config::default() };
    let mut planner = Planner::new(config, shape(), lines()).expect("settings");
    let outcome = planner.tick(5.0, stable(1, 7), None, &[], &[]);
    assert_eq!(outcome.targets, Some(targets(2, 6)));
    assert_eq!(outcome.load_reason(), Some(LoadReason::GpuBudgetReconcile));
}

#[test]
fn a_full_budget_holds_a_wish_and_serves_a_swap() {
    let config = Config { target: Target::Throughput, max_gpu_budget: 3, ..Config::default() };
    let mut planner = Planner::new(config, shape(), lines()).expect("settings");
    let (busy, idle) = ([reader(1, 40_000)], [writer(2, 1), writer(3, 1)]);
    let middling = [writer(2, 100), writer(3, 100)];
    let held = planner.tick(5.0, stable(1, 2), None, &busy, &middling);
    assert_eq!((held.targets, held.load_reason()), (None, Some(LoadReason::GpuBudgetGuardHold)));
    let swapped = planner.tick(10.0, stable(1, 2), None, &busy, &idle);
    assert_eq!(swapped.targets, Some(targets(2, 1)));
}

#[test]
fn watts_hold_what_gpus_would_allow() {
    let config = Config { enable_power_awareness: true, total_gpu_power_limit: Some(1500.0), ..by_load() };
    let drawing = shape().map(|role| RoleShape { watts: Some(700.0), ..role });
    let mut planner = Planner::new(config, drawing, lines()).expect("settings");
    let outcome = planner.tick(5.0, stable(1, 1), None, &[reader(1, 600_000)], &[writer(2, 20)]);
    assert_eq!((outcome.targets, outcome.power), (None, Some(PowerCut::Clamped)));
}

#[test]
fn one_role_alone_is_charged_for_the_other() {
    let power = Power {
        watts: PerRole { prefill: Some(500.0), decode: Some(500.0) },
        most_watts: 2500.0,
        floor: PerRole { prefill: 1, decode: 1 },
    };
    let ready = PerRole { prefill: 1, decode: 4 };
    let wish = Targets { prefill: Some(3), decode: None };
    assert_eq!(
        power.apply(ready, wish),
        (Targets { prefill: Some(1), decode: None }, Some(PowerCut::Clamped))
    );
    let full = PerRole { prefill: 0, decode: 5 };
    let (kept, cut) = power.apply(full, wish);
    assert_eq!((kept.prefill, cut), (Some(0), Some(PowerCut::Suppressed)));
    assert_eq!(power.projected(full), 2500.0);
}

#[test]
fn reasons_are_found_by_their_names() {
    for &reason in LoadReason::ALL {
        assert_eq!(LoadReason::from_name(reason.name()), Some(reason));
        assert_eq!(serde_json::to_value(reason).expect("text"), reason.name());
    }
    for &reason in ThroughputReason::ALL {
        assert_eq!(ThroughputReason::from_name(reason.name()), Some(reason));
        assert_eq!(serde_json::to_value(reason).expect("text"), reason.name());
    }
}
