//! The planner's settings inside a request.
//!
//! The planner ignores keys it does not know without a word, so names are checked here.

use serde_json::{Map, Value};

use crate::manifest::Check;
use crate::manifest::yaml::join;

const PATH: &str = "spec.features.planner";

/// What a setting may be.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Flag,
    Whole(i64),
    Number,
    Positive,
    Percent,
    OneOf(&'static [&'static str]),
    Mapping,
}

/// A setting: name, what it may be, whether null is allowed.
type Setting = (&'static str, Kind, bool);

const SETTINGS: &[Setting] = &[
    ("environment", Kind::OneOf(&["kubernetes", "virtual", "global-planner"]), false),
    ("global_planner_namespace", Kind::Text, true),
    ("backend", Kind::OneOf(&["vllm", "sglang", "trtllm", "mocker"]), false),
    ("mode", Kind::OneOf(&["disagg", "prefill", "decode", "agg"]), false),
    ("optimization_target", Kind::OneOf(&["throughput", "latency", "load", "sla"]), false),
    ("ttft_ms", Kind::Positive, false),
    ("ttft", Kind::Positive, false),
    ("itl_ms", Kind::Positive, false),
    ("itl", Kind::Positive, false),
    ("enable_throughput_scaling", Kind::Flag, false),
    ("enable_load_scaling", Kind::Flag, false),
    (THROUGHPUT_INTERVAL, Kind::Positive, false),
    ("throughput_adjustment_interval", Kind::Positive, false),
    (LOAD_INTERVAL, Kind::Positive, false),
    ("load_adjustment_interval", Kind::Positive, false),
    ("scheduling", Kind::Mapping, true),
    ("max_gpu_budget", Kind::Whole(i64::MIN), false),
    ("min_gpu_budget", Kind::Whole(i64::MIN), false),
    ("min_endpoint", Kind::Whole(0), false),
    ("prefill_min_endpoint", Kind::Whole(1), true),
    ("decode_min_endpoint", Kind::Whole(1), true),
    ("max_throughput_scaling_replicas", Kind::Whole(1), false),
    ("prefill_engine_num_gpu", Kind::Whole(1), true),
    ("decode_engine_num_gpu", Kind::Whole(1), true),
    ("pre_deployment_sweeping_mode", Kind::OneOf(&["none", "rapid", "thorough"]), false),
    ("aic_interpolation", Kind::Mapping, true),
    ("aic_perf_model", Kind::Mapping, true),
    ("ais_perf_model", Kind::Mapping, true),
    ("profile_results_dir", Kind::Text, false),
    ("model_name", Kind::Text, true),
    ("load_predictor", Kind::OneOf(&["constant", "arima", "kalman", "prophet"]), false),
    ("load_predictor_log1p", Kind::Flag, false),
    ("load_predictor_warmup_trace", Kind::Text, true),
    ("prophet_window_size", Kind::Whole(1), false),
    ("kalman_q_level", Kind::Number, false),
    ("kalman_q_trend", Kind::Number, false),
    ("kalman_r", Kind::Number, false),
    ("kalman_min_points", Kind::Whole(1), false),
    ("throughput_metrics_source", Kind::OneOf(&["frontend", "router"]), false),
    ("prefill_scale_up_queue_tokens", Kind::Number, true),
    ("prefill_scale_down_queue_tokens", Kind::Number, true),
    ("decode_scale_up_kv_rate", Kind::Percent, true),
    ("decode_scale_down_kv_rate", Kind::Percent, true),
    ("load_scaling_down_sensitivity", Kind::Percent, false),
    ("load_min_observations", Kind::Whole(1), false),
    ("max_num_fpm_samples", Kind::Whole(1), false),
    ("fpm_sample_bucket_size", Kind::Whole(1), false),
    ("speculative_nextn", Kind::Whole(0), false),
    ("advisory", Kind::Flag, false),
    ("enable_power_awareness", Kind::Flag, false),
    ("total_gpu_power_limit", Kind::Positive, true),
    ("control_api_port", Kind::Whole(0), false),
    ("live_dashboard_port", Kind::Whole(0), false),
    ("metric_reporting_prometheus_port", Kind::Whole(0), false),
    ("report_interval_hours", Kind::Positive, true),
    ("report_output_dir", Kind::Text, false),
    ("report_filename", Kind::Text, true),
    ("report_write_gzip_log", Kind::Flag, false),
    ("plugin_registration", Kind::Mapping, true),
];

const THROUGHPUT_INTERVAL: &str = "throughput_adjustment_interval_seconds";
const LOAD_INTERVAL: &str = "load_adjustment_interval_seconds";

/// Checks the planner of a request that runs this version of Dynamo.
pub(super) fn check(spec: &Value, version: (u16, u16, u16), out: &mut Vec<Check>) {
    let Some(features) = spec.get("features") else {
        return;
    };
    let Some(planner) = features.get("planner").and_then(Value::as_object) else {
        return;
    };
    let since_1_6 = version >= (1, 6, 0);
    settings(planner, since_1_6, out);
    belongs(spec, features, planner, out);
    scaling(planner, out);
    budget(spec, planner, out);
    rarely_set(planner, out);
}

fn at(key: &str) -> String {
    join(PATH, key)
}

fn text<'a>(planner: &'a Map<String, Value>, key: &str, default: &'a str) -> &'a str {
    planner.get(key).and_then(Value::as_str).unwrap_or(default)
}

fn flag(planner: &Map<String, Value>, key: &str, default: bool) -> bool {
    planner.get(key).and_then(Value::as_bool).unwrap_or(default)
}

fn number(planner: &Map<String, Value>, key: &str) -> Option<f64> {
    planner.get(key).and_then(Value::as_f64)
}

fn settings(planner: &Map<String, Value>, since_1_6: bool, out: &mut Vec<Check>) {
    for (key, value) in planner {
        if key == "aic_perf_model" && since_1_6 {
            let message =
                "aic_perf_model is rejected since Dynamo 1.6; use ais_perf_model.roles or leave it out.";
            out.push(Check::error(at(key), "planner-retired", message));
            continue;
        }
        if !since_1_6 && ["ais_perf_model", "max_throughput_scaling_replicas"].contains(&key.as_str()) {
            let message = format!("{key} exists only since Dynamo 1.6; remove it.");
            out.push(Check::error(at(key), "planner-newer", message));
            continue;
        }
        if key == "namespace" || key.starts_with("metric_pulling_prometheus_") {
            let message = format!("{key} is taken from the environment of the pod; remove it.");
            out.push(Check::warning(at(key), "no-effect", message));
            continue;
        }
        match SETTINGS.iter().find(|(name, ..)| name == key) {
            None => {
                let message =
                    format!("{key} is no setting of the planner, which would ignore it without a word.");
                out.push(Check::error(at(key), "planner-unknown", message));
            }
            Some((_, _, true)) if value.is_null() => {}
            Some(&(_, kind, _)) => {
                if let Some(wanted) = misfit(value, kind) {
                    let message = format!("{key} is {value}; it must be {wanted}.");
                    out.push(Check::error(at(key), "planner-value", message));
                }
            }
        }
    }
    if let Some(scheduling) = planner.get("scheduling").and_then(Value::as_object) {
        for (key, value) in scheduling {
            let known = ["scale_interval_seconds", "tick_max_duration_seconds"].contains(&key.as_str());
            let fits = known && (value.is_null() || misfit(value, Kind::Positive).is_none());
            if !fits {
                let message = format!(
                    "{key} is not valid here; the planner knows scale_interval_seconds and tick_max_duration_seconds, both above 0."
                );
                out.push(Check::error(join(&at("scheduling"), key), "planner-value", message));
            }
        }
    }
}

/// What the value should be; none when it fits.
fn misfit(value: &Value, kind: Kind) -> Option<String> {
    let number = value.as_f64();
    let (fits, wanted) = match kind {
        Kind::Text => (value.is_string(), "a text".to_owned()),
        Kind::Flag => (value.is_boolean(), "true or false".to_owned()),
        Kind::Whole(i64::MIN) => (value.is_i64(), "a whole number".to_owned()),
        Kind::Whole(least) => (
            value.as_i64().is_some_and(|whole| whole >= least),
            format!("a whole number of at least {least}"),
        ),
        Kind::Number => (number.is_some(), "a number".to_owned()),
        Kind::Positive => (number.is_some_and(|number| number > 0.0), "a number above 0".to_owned()),
        Kind::Percent => (
            number.is_some_and(|number| (0.0..=100.0).contains(&number)),
            "a number from 0 to 100".to_owned(),
        ),
        Kind::OneOf(names) => {
            (value.as_str().is_some_and(|name| names.contains(&name)), format!("one of {}", names.join(", ")))
        }
        Kind::Mapping => (value.is_object(), "a mapping".to_owned()),
    };
    (!fits).then_some(wanted)
}

/// The planner must fit the request around it.
fn belongs(spec: &Value, features: &Value, planner: &Map<String, Value>, out: &mut Vec<Check>) {
    let mocker = features.get("mocker").and_then(|mocker| mocker.get("enabled")).and_then(Value::as_bool);
    let mocker = mocker.unwrap_or(false);
    let request = spec.get("backend").and_then(Value::as_str).unwrap_or("auto");
    // With a planner, the profiler turns `auto` into vLLM.
    let served = if request == "auto" { "vllm" } else { request };
    let backend = text(planner, "backend", "vllm");
    if backend != served && !(mocker && backend == "mocker") {
        let message =
            format!("The planner's backend is {backend}, the request's is {served}; they must be the same.");
        out.push(Check::error(at("backend"), "planner-backend", message));
    }
    if mocker && text(planner, "pre_deployment_sweeping_mode", "rapid") == "none" {
        let message =
            "Mocked engines need a sweep before deployment; set pre_deployment_sweeping_mode to rapid.";
        out.push(Check::error(at("pre_deployment_sweeping_mode"), "planner-sweep", message));
    }
    let has_sla = spec.get("sla").and_then(Value::as_object).is_some_and(|sla| !sla.is_empty());
    let target = text(planner, "optimization_target", "throughput");
    if has_sla && target != "sla" {
        let message = format!(
            "The target is {target}, so the planner ignores the SLA; set optimization_target to sla."
        );
        out.push(Check::warning(at("optimization_target"), "planner-target", message));
    }
}

fn scaling(planner: &Map<String, Value>, out: &mut Vec<Check>) {
    // Any other target forces load scaling on and throughput scaling off.
    if text(planner, "optimization_target", "throughput") == "sla" {
        let by_throughput = flag(planner, "enable_throughput_scaling", true);
        let by_load = flag(planner, "enable_load_scaling", false);
        if !by_throughput && !by_load {
            let message = "Both kinds of scaling are off; enable throughput scaling, load scaling or both.";
            out.push(Check::error(PATH, "planner-scaling", message));
        }
        let slow = number(planner, THROUGHPUT_INTERVAL)
            .or_else(|| number(planner, "throughput_adjustment_interval"));
        let fast = number(planner, LOAD_INTERVAL).or_else(|| number(planner, "load_adjustment_interval"));
        let (slow, fast) = (slow.unwrap_or(180.0), fast.unwrap_or(5.0));
        if by_throughput && by_load && fast >= slow {
            let message = format!(
                "The load interval ({fast} s) must be shorter than the throughput interval ({slow} s)."
            );
            out.push(Check::error(at(LOAD_INTERVAL), "planner-intervals", message));
        }
        let tick = planner.get("scheduling").and_then(|scheduling| scheduling.get("scale_interval_seconds"));
        if let Some(tick) = tick.and_then(Value::as_f64).filter(|&tick| tick > 0.0)
            && ((by_throughput && slow % tick != 0.0) || (by_load && fast % tick != 0.0))
        {
            let message = format!("The scale interval ({tick} s) must divide the intervals in use.");
            out.push(Check::error(at("scheduling.scale_interval_seconds"), "planner-intervals", message));
        }
    }
    if text(planner, "optimization_target", "throughput") == "load" {
        let mode = text(planner, "mode", "disagg");
        let queue = ("prefill_scale_up_queue_tokens", "prefill_scale_down_queue_tokens");
        let cache = ("decode_scale_up_kv_rate", "decode_scale_down_kv_rate");
        for ((up, down), applies) in
            [(queue, matches!(mode, "disagg" | "prefill")), (cache, mode != "prefill")]
        {
            let in_order = number(planner, up).zip(number(planner, down)).is_some_and(|(up, down)| up > down);
            if applies && !in_order {
                let message = format!("The load target needs {up} and {down}, the first above the second.");
                out.push(Check::error(at(up), "planner-thresholds", message));
            }
        }
    }
}

fn budget(spec: &Value, planner: &Map<String, Value>, out: &mut Vec<Check>) {
    const DEFAULT: i64 = 8;
    let total = spec.get("hardware").and_then(|hardware| hardware.get("totalGpus")).and_then(Value::as_i64);
    let budget = planner.get("max_gpu_budget").and_then(Value::as_i64).unwrap_or(DEFAULT);
    if let Some(total) = total.filter(|&total| total != budget) {
        let message = format!(
            "The planner may use {budget} GPUs, the request has {total}; set max_gpu_budget to {total}."
        );
        out.push(Check::warning(at("max_gpu_budget"), "planner-budget", message));
    }
}

fn rarely_set(planner: &Map<String, Value>, out: &mut Vec<Check>) {
    let mode = text(planner, "mode", "disagg");
    let environment = text(planner, "environment", "kubernetes");
    let set = |key: &str| planner.get(key).is_some_and(|value| !value.is_null());
    if environment == "global-planner" && !set("global_planner_namespace") {
        let message = "A global planner needs global_planner_namespace.";
        out.push(Check::error(at("global_planner_namespace"), "planner-value", message));
    }
    for (key, mode_of_its_own) in [("prefill_min_endpoint", "prefill"), ("decode_min_endpoint", "decode")] {
        if set(key) && mode != "disagg" && mode != mode_of_its_own {
            let message = format!("{key} does not apply to mode {mode}; remove it.");
            out.push(Check::error(at(key), "planner-value", message));
        }
    }
    if let Some(size) = planner.get("fpm_sample_bucket_size").and_then(Value::as_u64)
        && size.isqrt().pow(2) != size
    {
        let message = format!("fpm_sample_bucket_size is {size}; it must be a square such as 16.");
        out.push(Check::error(at("fpm_sample_bucket_size"), "planner-value", message));
    }
    if flag(planner, "enable_power_awareness", false)
        && (!set("total_gpu_power_limit") || environment != "kubernetes" || mode == "agg")
    {
        let message = "Power awareness needs total_gpu_power_limit, the kubernetes environment and a mode other than agg.";
        out.push(Check::error(at("enable_power_awareness"), "planner-value", message));
    }
}
