//! A real Prometheus between an exporter with Dynamo's names and the server: right values, and every way to fail.
//!
//! Needs the program `prometheus` (Debian's package of this name); `.ci/setup test` installs it.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

mod exporter;
mod prometheus;
mod proxy;
mod wrong;

use std::time::Duration;

use engine::cluster::*;
use server::source::prometheus::{Prometheus, Settings};
use server::{Clock, Hub};
use tokio::time::timeout;

use exporter::Exporter;
use prometheus::Process;
use proxy::{Mood, Proxy};

/// Far longer than anything here takes; a test that hangs should fail.
const LONG: Duration = Duration::from_mins(1);
const WINDOW: Duration = Duration::from_secs(10);

pub(crate) fn settings(url: &str) -> Settings {
    Settings {
        url: url.parse().unwrap(),
        token_file: None,
        ca: None,
        namespace: None,
        deployment: None,
        window: WINDOW,
    }
}

/// A hub that reads this Prometheus.
pub(crate) fn hub(settings: Settings) -> Hub {
    let hub = Hub::new(Clock::System);
    tokio::spawn(hub.drive(Prometheus::new(settings).unwrap(), 1));
    hub
}

/// Waits until the snapshot is as wanted.
pub(crate) async fn until(hub: &Hub, what: &str, wanted: impl Fn(&Snapshot) -> bool) -> Snapshot {
    let mut news = hub.subscribe();
    let found = timeout(LONG, news.wait_for(|published| wanted(&published.snapshot))).await;
    let Ok(found) = found else { panic!("{what}: {:#?}", hub.latest().snapshot) };
    found.unwrap().snapshot.clone()
}

pub(crate) fn trouble(snapshot: &Snapshot) -> Option<&Trouble> {
    snapshot.sources[0].trouble.as_ref()
}

pub(crate) fn health(snapshot: &Snapshot) -> Health {
    snapshot.sources[0].health
}

fn near(have: Option<f64>, want: f64, tolerance: f64) {
    assert!(have.is_some_and(|have| (have - want).abs() <= tolerance), "{have:?} is not {want}");
}

/// Everything with one Prometheus: it takes seconds until it has scraped often enough.
#[tokio::test(flavor = "multi_thread")]
async fn a_real_prometheus_is_read_and_its_end_and_return_are_seen() {
    let exporter = Exporter::start().await;
    let mut prometheus = Process::start(&[exporter.address]).await;
    let proxy = Proxy::start(prometheus.address).await;
    let hub = hub(settings(&format!("http://{}/prefix/", proxy.address)));

    // Nothing is scraped yet, or too little: unknown, and never zero.
    let steady = |snapshot: &Snapshot| {
        let status = snapshot.status.as_ref();
        let rate = status.and_then(|status| status.observed.requests_per_sec);
        rate.is_some_and(|rate| rate > exporter::REQUESTS_PER_SEC * 0.95)
    };
    let live = until(&hub, "values", steady).await;
    assert_eq!((health(&live), trouble(&live)), (Health::Live, None));
    values(live.status.as_ref().unwrap(), hub.now_ms());

    // The planner asks for more: seen from the counts, with the planner's reason.
    exporter.scale_up();
    let decided =
        |snapshot: &Snapshot| snapshot.status.as_ref().is_some_and(|status| !status.decisions.is_empty());
    let seen = until(&hub, "a decision", decided).await;
    let decision = &seen.status.as_ref().unwrap().decisions[0];
    assert_eq!((decision.role, decision.from, decision.to), (Role::Prefill, 1, 2));
    assert_eq!((decision.by, decision.reason.as_deref()), (Loop::Seen, Some("scale_up")));
    near(decision.estimated.ttft_ms, 36_920.0, 1e-6);

    // Each way of failing is told apart, keeps what was known, and ends by itself.
    for (mood, fits) in failures() {
        proxy.become_(mood);
        let what = format!("{mood:?}");
        let stale = until(&hub, &what, |snapshot| {
            health(snapshot) == Health::Stale && trouble(snapshot).is_some_and(fits)
        })
        .await;
        let status = stale.status.as_ref().unwrap();
        near(status.observed.ttft_ms, 400.0, 1e-6);
        assert!(stale.sources[0].retry_ms.is_some(), "{what}");
        proxy.become_(Mood::Honest);
        let back = until(&hub, &what, |snapshot| health(snapshot) == Health::Live).await;
        assert_eq!(trouble(&back), None, "{what}");
    }

    // Who starts later knows what was before.
    let later = self::hub(settings(&format!("http://{}", prometheus.address)));
    until(&later, "a second reader", |snapshot| snapshot.status.is_some()).await;
    let history = later.history(None, None);
    let known = history.samples.iter().filter(|sample| sample.requests_per_sec.is_some()).count();
    assert!(known >= 4, "{known} moments of the past");
    assert_eq!(
        history.decisions.iter().map(|decision| (decision.from, decision.to)).collect::<Vec<_>>(),
        [(1, 2)]
    );
    near(history.samples.last().unwrap().ttft_ms, 400.0, 1e-6);

    // The exporter goes: its series end, and nothing of them is shown as if it were zero.
    exporter.stop();
    let gone = until(&hub, "an end of the series", |snapshot| {
        matches!(trouble(snapshot), Some(Trouble::Empty { .. }))
    })
    .await;
    assert!(gone.status.as_ref().unwrap().observed.requests_per_sec != Some(0.0));

    // Prometheus itself dies, and comes back on the same port.
    prometheus.kill().await;
    let down = until(&hub, "a dead Prometheus", |snapshot| {
        health(snapshot) == Health::Stale && matches!(trouble(snapshot), Some(Trouble::Unreachable { .. }))
    })
    .await;
    assert!(down.status.is_some());
    exporter.resume();
    prometheus.restart().await;
    until(&hub, "a Prometheus that came back", |snapshot| health(snapshot) == Health::Live).await;
}

fn values(status: &ClusterStatus, now_ms: u64) {
    let observed = &status.observed;
    near(observed.requests_per_sec, exporter::REQUESTS_PER_SEC, 0.2);
    near(observed.ttft_ms, 400.0, 1e-6);
    near(observed.itl_ms, 20.0, 1e-6);
    near(observed.isl, 3_000.0, 1e-6);
    near(observed.osl, 150.0, 1e-6);
    near(observed.kv_hit_rate, 0.25, 1e-9);
    near(observed.in_flight, 7.0, 0.0);
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    assert_eq!(text(&status.deployment.name), "airline");
    assert_eq!(text(&status.deployment.namespace), "serving");
    assert_eq!(text(&status.deployment.model), "airline-model");
    assert_eq!(text(&status.planner.load), "no_change");
    assert_eq!(text(&status.planner.throughput), "set_lower_bound");
    near(status.planner.gpu_hours, 1.5, 0.0);
    near(status.slo.ttft_ms, 500.0, 0.0);
    near(status.slo.itl_ms, 30.0, 0.0);
    near(status.predicted.requests_per_sec, 2.5, 0.0);
    near(status.predicted.isl, 3_100.0, 0.0);
    near(status.estimated.ttft_ms, 250.0, 0.0);
    // NaN in the exporter: unknown, not zero.
    assert_eq!((status.estimated.itl_ms, status.attainment), (None, None));
    let prefill = status.pool(Role::Prefill).unwrap();
    assert_eq!((prefill.count.desired, prefill.count.ready), (Some(1), Some(1)));
    near(prefill.capacity_per_sec, 5.405, 0.0);
    near(prefill.queued_tokens, 300.0, 0.0);
    near(prefill.kv_usage, 0.2, 1e-9);
    let decode = status.pool(Role::Decode).unwrap();
    assert_eq!((decode.count.desired, decode.count.ready), (Some(1), Some(1)));
    near(decode.capacity_per_sec, 28.1, 0.0);
    near(decode.kv_usage, 0.5, 1e-9);
    assert_eq!(status.signals.len(), 4);
    for signal in &status.signals {
        assert!(signal.at_ms <= now_ms && now_ms - signal.at_ms < 10_000, "{signal:?} at {now_ms}");
    }
    assert!(status.now_ms.abs_diff(now_ms) < 10_000);
}

type Fits = fn(&Trouble) -> bool;

fn failures() -> [(Mood, Fits); 10] {
    [
        (Mood::Garbage, |t| matches!(t, Trouble::Malformed { why, .. } if why.contains("JSON"))),
        (Mood::Html, |t| matches!(t, Trouble::Malformed { why, .. } if why.contains("<html>"))),
        (Mood::Cut, |t| matches!(t, Trouble::Unreachable { .. } | Trouble::Malformed { .. })),
        (Mood::Status(500), |t| matches!(t, Trouble::Status { code: 500, why, .. } if why == "it broke")),
        (Mood::Status(302), |t| matches!(t, Trouble::Status { code: 302, .. })),
        (Mood::Status(401), |t| matches!(t, Trouble::Unauthorized { .. })),
        (Mood::Status(403), |t| matches!(t, Trouble::Forbidden { what } if what.contains("/api/v1/query"))),
        (
            Mood::Status(404),
            |t| matches!(t, Trouble::Missing { what } if what.contains("/prefix/api/v1/query")),
        ),
        (Mood::Status(429), |t| matches!(t, Trouble::Throttled { .. })),
        (Mood::Silent, |t| matches!(t, Trouble::Slow { waited_ms: 10_000, .. })),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn several_deployments_are_named_and_one_can_be_chosen() {
    let (first, second) = (Exporter::start().await, Exporter::named("hotel").await);
    let prometheus = Process::start(&[first.address, second.address]).await;
    let url = format!("http://{}", prometheus.address);
    let names = vec!["serving/airline".to_owned(), "serving/hotel".to_owned()];
    let undecided = hub(settings(&url));
    let down = until(&undecided, "several", |snapshot| {
        trouble(snapshot) == Some(&Trouble::Ambiguous { names: names.clone() })
    })
    .await;
    assert_eq!((health(&down) == Health::Live, down.status.is_some()), (false, false));
    for (namespace, deployment) in [(None, "hotel"), (Some("serving"), "hotel")] {
        let chosen = hub(Settings {
            namespace: namespace.map(str::to_owned),
            deployment: Some(deployment.to_owned()),
            ..settings(&url)
        });
        let live = until(&chosen, "the chosen one", |snapshot| snapshot.status.is_some()).await;
        assert_eq!(live.status.unwrap().deployment.name.as_deref(), Some("hotel"));
    }
    let absent = hub(Settings { deployment: Some("absent".to_owned()), ..settings(&url) });
    until(
        &absent,
        "an absent one",
        |snapshot| matches!(trouble(snapshot), Some(Trouble::Empty { what }) if what.contains("absent")),
    )
    .await;
}
