//! What a frontend, a planner, a router and workers would export, as a function of the time since the start.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::time::Instant;

pub(crate) const REQUESTS_PER_SEC: f64 = 2.0;

/// An exporter of one deployment.
pub(crate) struct Exporter {
    pub(crate) address: SocketAddr,
    switches: Arc<Switches>,
}

#[derive(Default)]
struct Switches {
    scaled: AtomicBool,
    stopped: AtomicBool,
}

impl Exporter {
    pub(crate) async fn start() -> Self {
        Self::named("airline").await
    }

    pub(crate) async fn named(name: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let switches = Arc::<Switches>::default();
        let (own, started) = (Arc::clone(&switches), Instant::now());
        let app = Router::new().route(
            "/metrics",
            get(move || {
                let answer = answer(name, &own, started.elapsed().as_secs_f64());
                async move { answer }
            }),
        );
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, switches }
    }

    /// From now on the planner asks for two prefill workers.
    pub(crate) fn scale_up(&self) {
        self.switches.scaled.store(true, Ordering::Relaxed);
    }

    pub(crate) fn stop(&self) {
        self.switches.stopped.store(true, Ordering::Relaxed);
    }

    pub(crate) fn resume(&self) {
        self.switches.stopped.store(false, Ordering::Relaxed);
    }
}

fn answer(name: &str, switches: &Switches, seconds: f64) -> Response {
    if switches.stopped.load(Ordering::Relaxed) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let text = text(name, seconds, switches.scaled.load(Ordering::Relaxed));
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

fn text(name: &str, seconds: f64, scaled: bool) -> String {
    let mut out = String::new();
    let mut line = |series: String, value: f64| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{series} {value}");
    };
    let requests = REQUESTS_PER_SEC * seconds;
    let model = format!("{name}-model");
    // Two frontends; the second gets no requests and must not pull the means down.
    for (pod, requests) in [("0", requests), ("1", 0.0)] {
        let labels = format!(
            "{{model=\"{model}\",dynamo_namespace=\"serving-{name}\",namespace=\"serving\",pod=\"{name}-frontend-{pod}\"}}"
        );
        for (figure, mean) in [
            ("time_to_first_token_seconds", 0.4),
            ("inter_token_latency_seconds", 0.02),
            ("input_sequence_tokens", 3_000.0),
            ("output_sequence_tokens", 150.0),
        ] {
            line(format!("dynamo_frontend_{figure}_sum{labels}"), requests * mean);
            line(format!("dynamo_frontend_{figure}_count{labels}"), requests);
        }
        line(format!("dynamo_frontend_requests_started_total{labels}"), requests);
        line(format!("dynamo_frontend_requests_total{labels}"), requests * 0.9);
        line(format!("dynamo_frontend_active_requests{labels}"), if pod == "0" { 7.0 } else { 0.0 });
    }
    let router = format!("{{dynamo_namespace=\"serving_{name}\",namespace=\"serving\"}}");
    line(format!("dynamo_component_router_kv_hit_rate_sum{router}"), requests * 0.25);
    line(format!("dynamo_component_router_kv_hit_rate_count{router}"), requests);
    // Workers write underscores and the hash of their version.
    for (component, usages) in [("prefill", [0.1, 0.3]), ("backend", [0.4, 0.6])] {
        for (worker, usage) in usages.into_iter().enumerate() {
            let labels = format!(
                "{{dynamo_namespace=\"serving_{name}_0a1b2c3d\",namespace=\"serving\",dynamo_component=\"{component}\",worker=\"{worker}\"}}"
            );
            line(format!("dynamo_component_gpu_cache_usage_percent{labels}"), usage);
        }
    }
    // The planner's gauges come without the label of the deployment.
    let pod = format!("namespace=\"serving\",pod=\"{name}-0-planner-x7k2p\"");
    let estimate = if scaled { 36_920.0 } else { 250.0 };
    for (gauge, value) in [
        ("num_prefill_replicas", 1.0),
        ("num_decode_replicas", 1.0),
        ("predicted_num_prefill_replicas", if scaled { 2.0 } else { 1.0 }),
        ("predicted_num_decode_replicas", 1.0),
        ("predicted_requests_per_second", 2.5),
        ("predicted_input_sequence_tokens", 3_100.0),
        ("predicted_output_sequence_tokens", 160.0),
        ("sla_target_ttft_ms", 500.0),
        ("sla_target_itl_ms", 30.0),
        ("estimated_ttft_ms", estimate),
        ("estimated_itl_ms", f64::NAN),
        ("engine_prefill_capacity_requests_per_second", 5.405),
        ("engine_decode_capacity_requests_per_second", 28.1),
        ("gpu_hours", 1.5),
    ] {
        line(format!("dynamo_planner_{gauge}{{{pod}}}"), value);
    }
    for (worker, tokens) in [(1, 100.0), (2, 200.0)] {
        line(
            format!(
                "dynamo_planner_engine_queued_prefill_tokens{{{pod},worker_id=\"{worker}\",dp_rank=\"0\"}}"
            ),
            tokens,
        );
    }
    let load = if scaled { "scale_up" } else { "no_change" };
    for (name, active, states) in [
        ("load_scaling_decision", load, ["unset", "no_change", "scale_up"]),
        ("throughput_scaling_decision", "set_lower_bound", ["unset", "disabled", "set_lower_bound"]),
    ] {
        for state in states {
            let series = format!("dynamo_planner_{name}{{{pod},dynamo_planner_{name}=\"{state}\"}}");
            line(series, f64::from(u8::from(state == active)));
        }
    }
    out
}
