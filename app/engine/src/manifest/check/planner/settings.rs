//! What each setting of the planner may be.

use serde_json::Value;

/// What a setting may be.
#[derive(Clone, Copy)]
pub(super) enum Kind {
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
pub(super) type Setting = (&'static str, Kind, bool);

/// Every setting.
pub(super) const SETTINGS: &[Setting] = &[
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

pub(super) const THROUGHPUT_INTERVAL: &str = "throughput_adjustment_interval_seconds";
pub(super) const LOAD_INTERVAL: &str = "load_adjustment_interval_seconds";

/// The planner fills these from the environment of its pod.
pub(super) fn is_from_environment(key: &str) -> bool {
    key == "namespace" || key.starts_with("metric_pulling_prometheus_")
}

/// What the value should be; none when it fits.
pub(super) fn misfit(value: &Value, kind: Kind) -> Option<String> {
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
