//! What the server tells Prometheus about itself.

use std::fmt;
use std::sync::atomic::AtomicI64;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use engine::cluster::{Health, SourceKind};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, text};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;

use crate::hub::Hub;
use crate::site::AppState;

type Labels = Vec<(&'static str, String)>;
type Clients = Gauge<i64, AtomicI64>;

/// Counters of the server, and the registry that writes them.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    clients: Clients,
    requests: Family<Labels, Counter>,
}

impl Metrics {
    pub(crate) fn new(hub: &Hub) -> Self {
        let mut registry = Registry::with_prefix("configurator");
        let clients = Clients::default();
        registry.register("clients", "Event streams that are open", clients.clone());
        let requests = Family::<Labels, Counter>::default();
        registry.register("requests", "Requests by route and status", requests.clone());
        registry.register_collector(Box::new(Sources(hub.clone())));
        Self { registry, clients, requests }
    }

    /// Counts one more client until it is dropped.
    pub(crate) fn client(&self) -> Client {
        self.clients.inc();
        Client(self.clients.clone())
    }
}

/// A client that is counted.
pub(crate) struct Client(Clients);

impl Drop for Client {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Snapshots and sources, read from the hub whenever somebody asks.
#[derive(Debug)]
struct Sources(Hub);

impl Collector for Sources {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let published = self.0.latest();
        let now_ms = self.0.now_ms();
        let snapshots = ConstCounter::new(published.snapshot.seq);
        snapshots.encode(encoder.encode_descriptor(
            "snapshots",
            "Snapshots made.",
            None,
            prometheus_client::metrics::MetricType::Counter,
        )?)?;
        let gauge = prometheus_client::metrics::MetricType::Gauge;
        let mut states =
            encoder.encode_descriptor("source_health", "1 for how a source fares.", None, gauge)?;
        for source in &published.snapshot.sources {
            for health in [Health::Starting, Health::Live, Health::Stale, Health::Down] {
                let labels = [("source", kind(source.kind)), ("health", state(health))];
                let active = ConstGauge::new(i64::from(source.health == health));
                active.encode(states.encode_family(&labels)?)?;
            }
        }
        let gauge = prometheus_client::metrics::MetricType::Gauge;
        let mut ages = encoder.encode_descriptor(
            "source_age_seconds",
            "Time since a source last answered.",
            None,
            gauge,
        )?;
        for source in &published.snapshot.sources {
            let Some(heard_ms) = source.heard_ms else { continue };
            let age = ConstGauge::new(now_ms.saturating_sub(heard_ms) as f64 / 1_000.0);
            age.encode(ages.encode_family(&[("source", kind(source.kind))])?)?;
        }
        Ok(())
    }
}

fn kind(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Simulated => "simulated",
        SourceKind::Prometheus => "prometheus",
        SourceKind::Kubernetes => "kubernetes",
    }
}

fn state(health: Health) -> &'static str {
    match health {
        Health::Starting => "starting",
        Health::Live => "live",
        Health::Stale => "stale",
        Health::Down => "down",
    }
}

/// All of it as text.
pub(crate) async fn metrics(State(state): State<AppState>) -> Response {
    let mut body = String::new();
    // Writing to a string cannot fail.
    let _ = text::encode(&mut body, &state.metrics().registry);
    ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], body).into_response()
}

/// Counts every answer by the route that gave it, never by the address: those are without number.
pub(crate) async fn count(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("site", MatchedPath::as_str).to_owned();
    let response = next.run(request).await;
    let labels = vec![("route", route), ("status", response.status().as_u16().to_string())];
    state.metrics().requests.get_or_create(&labels).inc();
    response
}
