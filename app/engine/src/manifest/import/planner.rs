//! Settings of the planner: targets, budget, and what its performance model is told.

use super::node::Node;
use super::question::Question;
use crate::scenario::Goal;
use crate::text::Why;

/// Keys that change nothing of the question.
const BESIDE: &[&str] = &[
    "environment",
    "mode",
    "optimization_target",
    "enable_throughput_scaling",
    "enable_load_scaling",
    "throughput_adjustment_interval_seconds",
    "throughput_adjustment_interval",
    "load_adjustment_interval_seconds",
    "load_adjustment_interval",
    "adjustment_interval",
    "scheduling",
    "min_gpu_budget",
    "min_endpoint",
    "prefill_min_endpoint",
    "decode_min_endpoint",
    "max_throughput_scaling_replicas",
    "prefill_engine_num_gpu",
    "decode_engine_num_gpu",
    "pre_deployment_sweeping_mode",
    "profile_results_dir",
    "load_predictor",
    "load_predictor_log1p",
    "prophet_window_size",
    "kalman_q_level",
    "kalman_q_trend",
    "kalman_r",
    "kalman_min_points",
    "load_predictor_warmup_trace",
    "throughput_metrics_source",
    "prefill_scale_up_queue_tokens",
    "prefill_scale_down_queue_tokens",
    "decode_scale_up_kv_rate",
    "decode_scale_down_kv_rate",
    "load_scaling_down_sensitivity",
    "load_min_observations",
    "max_num_fpm_samples",
    "fpm_sample_bucket_size",
    "advisory",
    "enable_power_awareness",
    "total_gpu_power_limit",
    "control_api_port",
    "live_dashboard_port",
    "metric_reporting_prometheus_port",
    "report_interval_hours",
    "report_output_dir",
    "report_filename",
    "report_write_gzip_log",
    "namespace",
    "metric_pulling_prometheus_endpoint",
    "plugin_registration",
    "global_planner_namespace",
    "no_operation",
    "log_dir",
    "no_correction",
    "aic_perf_model",
];

/// Whether the keys of a group are those of a planner configuration.
pub(super) fn is_planner(node: &Node<'_>) -> bool {
    [
        "optimization_target",
        "max_gpu_budget",
        "aic_interpolation",
        "enable_throughput_scaling",
        "ttft_ms",
        "itl_ms",
    ]
    .iter()
    .any(|key| node.get(key).is_some())
}

/// Reads a planner configuration.
pub(super) fn read(node: &Node<'_>, question: &mut Question<'_>) {
    for (key, value) in node.entries() {
        if value.value().is_null() {
            continue;
        }
        field(key, &value, question);
    }
}

fn field(key: &str, value: &Node<'_>, question: &mut Question<'_>) {
    let notes = &mut question.notes;
    match key {
        "backend" => match value.text(notes) {
            // It stands in for an engine.
            Some(said) if said.value == "mocker" => {}
            Some(said) => question.backend_name(&said),
            None => {}
        },
        "ttft_ms" | "ttft" => {
            if let Some(said) = value.number(notes) {
                question.target("ttft", &said);
            }
        }
        "itl_ms" | "itl" => {
            if let Some(said) = value.number(notes) {
                question.target("itl", &said);
            }
        }
        "max_gpu_budget" => {
            // A negative budget is none.
            let off = value.value().as_i64().is_some_and(|budget| budget < 0);
            if let Some(said) = (!off).then(|| value.whole(notes)).flatten() {
                question.goal(Goal::Gpus(said.value), said.line);
            }
        }
        "model_name" => {
            if let Some(said) = value.text(notes) {
                question.model(&said);
            }
        }
        "aic_interpolation" => interpolation(value, question),
        "ais_perf_model" => {
            for (_, role) in value.get("roles").iter().flat_map(Node::entries) {
                place(&role, "model", question);
            }
        }
        "speculative_nextn" => {
            if value.value().as_u64() != Some(0) {
                value.unread(notes, &Why::NotModelled);
            }
        }
        key if BESIDE.contains(&key) => {}
        _ => value.unread(notes, &Why::UnknownKey),
    }
}

fn interpolation(value: &Node<'_>, question: &mut Question<'_>) {
    place(value, "hf_id", question);
    for key in ["isl", "osl"] {
        if let Some(said) = value.get(key).and_then(|node| node.whole(&mut question.notes)) {
            question.tokens(key, &said);
        }
    }
    let known = [
        "hf_id",
        "system",
        "backend",
        "isl",
        "osl",
        "sweep_max_context_length",
        "prefill_pick",
        "decode_pick",
        "prefill_interpolation_granularity",
        "decode_interpolation_granularity",
    ];
    value.only(&known, &mut question.notes);
}

/// Model, system and backend.
fn place(value: &Node<'_>, model: &str, question: &mut Question<'_>) {
    if let Some(said) = value.get(model).and_then(|node| node.text(&mut question.notes)) {
        question.model(&said);
    }
    if let Some(said) = value.get("system").and_then(|node| node.text(&mut question.notes)) {
        question.system(&said);
    }
    if let Some(said) = value.get("backend").and_then(|node| node.text(&mut question.notes)) {
        question.backend_name(&said);
    }
}
