//! The questions. Every row of an answer says which figure it is: in a label `figure`, or by its own name.

use std::time::Duration;

/// Names a figure's row by its label.
pub(crate) const FIGURE: &str = "figure";
/// What the planner's own gauges begin with.
pub(crate) const PLANNER: &str = "dynamo_planner_";
/// The planner's last words: one series per word, the one that holds is 1.
pub(crate) const LOAD: &str = "dynamo_planner_load_scaling_decision";
/// The same of the throughput loop.
pub(crate) const THROUGHPUT: &str = "dynamo_planner_throughput_scaling_decision";
/// What is missing where there is no planner.
pub(crate) const PLANNER_SIGN: &str = "dynamo_planner_num_decode_replicas";
/// What is missing where there is no traffic.
pub(crate) const TRAFFIC_SIGN: &str = "dynamo_frontend_requests_started_total";

/// Figures that are a sum over a count, with the histogram they come from.
const MEANS: [(&str, &str); 4] = [
    ("ttft", "time_to_first_token_seconds"),
    ("itl", "inter_token_latency_seconds"),
    ("isl", "input_sequence_tokens"),
    ("osl", "output_sequence_tokens"),
];

const GAUGES: &str = "observed_requests_per_second|observed_ttft_ms|observed_itl_ms|\
    observed_input_sequence_tokens|observed_output_sequence_tokens|num_prefill_replicas|num_decode_replicas|predicted_num_prefill_replicas|\
    predicted_num_decode_replicas|predicted_requests_per_second|predicted_input_sequence_tokens|\
    predicted_output_sequence_tokens|sla_target_ttft_ms|sla_target_itl_ms|estimated_ttft_ms|estimated_itl_ms|\
    engine_prefill_capacity_requests_per_second|engine_decode_capacity_requests_per_second|\
    engine_queued_prefill_tokens|gpu_hours";

/// The KV cache in use, a share from 0 to 1 whatever the names say.
const KV_USAGE: [&str; 4] = [
    "dynamo_component_gpu_cache_usage_percent",
    "vllm:kv_cache_usage_perc",
    "sglang:token_usage",
    "trtllm_kv_cache_utilization",
];

/// All questions of a round; the same are asked about the past.
pub(crate) fn all(window: Duration) -> [String; 5] {
    let window = format!("{}s", window.as_secs());
    [frontend(&window), router(&window), format!("{{__name__=~\"{PLANNER}({GAUGES})\"}}"), words(), engines()]
}

fn frontend(window: &str) -> String {
    let by = "by (model, dynamo_namespace, namespace)";
    let increase = |name: &str| format!("sum {by} (increase(dynamo_frontend_{name}[{window}]))");
    let mut figures = means("", increase);
    figures.extend([
        named("started", &increase("requests_started_total")),
        named("completed", &increase("requests_total")),
        named("active", &format!("sum {by} (dynamo_frontend_active_requests)")),
        named("inflight", &format!("sum {by} (dynamo_frontend_inflight_requests)")),
        named("traffic_at", &format!("max {by} (timestamp({TRAFFIC_SIGN}))")),
        named("completed_at", &format!("max {by} (timestamp(dynamo_frontend_requests_total))")),
    ]);
    figures.join(" or ")
}

fn router(window: &str) -> String {
    let by = "by (dynamo_namespace, namespace)";
    let increase = |name: &str| format!("sum {by} (increase(dynamo_component_router_{name}[{window}]))");
    let mut figures = means("router_", increase);
    figures.extend([
        named("hit_sum", &increase("kv_hit_rate_sum")),
        named("hit_count", &increase("kv_hit_rate_count")),
        named("router_started", &increase("requests_started_total")),
        named("router_completed", &increase("requests_total")),
        named("router_at", &format!("max {by} (timestamp(dynamo_component_router_requests_started_total))")),
    ]);
    figures.join(" or ")
}

/// The numerators and denominators, not the quotients: of several frontends the sums are divided.
fn means(prefix: &str, increase: impl Fn(&str) -> String) -> Vec<String> {
    MEANS
        .iter()
        .flat_map(|(figure, name)| {
            ["sum", "count"]
                .map(|part| named(&format!("{prefix}{figure}_{part}"), &increase(&format!("{name}_{part}"))))
        })
        .collect()
}

fn words() -> String {
    [
        format!("{LOAD} == 1"),
        format!("{THROUGHPUT} == 1"),
        named("planner_at", &format!("timestamp({PLANNER_SIGN})")),
    ]
    .join(" or ")
}

fn engines() -> String {
    let usage = KV_USAGE.join(" or ");
    let seen = KV_USAGE.map(|name| format!("timestamp({name})")).join(" or ");
    let by = "by (dynamo_namespace, namespace, dynamo_component)";
    [
        named("kv_sum", &format!("sum {by} ({usage})")),
        named("kv_count", &format!("count {by} ({usage})")),
        named("engines_at", &format!("max {by} ({seen})")),
    ]
    .join(" or ")
}

fn named(figure: &str, expression: &str) -> String {
    format!("label_replace({expression}, \"{FIGURE}\", \"{figure}\", \"\", \"\")")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_the_one_asked_for_and_questions_fit_into_an_address() {
        let asks = all(Duration::from_secs(30));
        assert!(asks[0].contains("increase(dynamo_frontend_time_to_first_token_seconds_sum[30s])"));
        assert!(asks[1].contains("increase(dynamo_component_router_kv_hit_rate_count[30s])"));
        for ask in asks {
            assert!(ask.len() < 3_000, "{}", ask.len());
            assert_eq!(ask.matches('(').count(), ask.matches(')').count(), "{ask}");
        }
    }
}
