//! The routes of the live status, and what they do with nonsense.

use axum::http::{Method, StatusCode};
use engine::cluster::{History, SCHEMA, Snapshot};
use serde_json::Value;

use crate::fixture::{Answer, SECRET, Site};

const HOST: (&str, &str) = ("host", "localhost:8080");
const ROUTES: [(&str, &str); 5] = [
    ("/api/cluster", "application/json"),
    ("/api/cluster/history", "application/json"),
    ("/api/openapi.json", "application/json"),
    ("/metrics", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
    ("/api/cluster/events", "text/event-stream; charset=utf-8"),
];

fn problem(answer: &Answer) -> Value {
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    let problem: Value = serde_json::from_slice(&answer.body).unwrap();
    for part in ["title", "detail", "action"] {
        assert!(problem[part].as_str().is_some_and(|text| !text.is_empty()), "{part}: {problem}");
    }
    problem
}

#[tokio::test]
async fn every_route_has_its_type_and_is_kept_nowhere() {
    let site = Site::built("routes");
    for (path, kind) in ROUTES {
        // HEAD: an event stream has no end to wait for.
        let answer = site.ask(Method::HEAD, path, &[HOST]).await;
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, kind), "{path}");
        assert!(answer.body.is_empty(), "{path}");
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
            ("access-control-allow-origin", ""),
            ("content-encoding", ""),
        ] {
            assert_eq!(answer.header(name), value, "{path} {name}");
        }
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
    }
    let stream =
        site.ask(Method::HEAD, "/api/cluster/events", &[HOST, ("accept-encoding", "gzip, br")]).await;
    assert_eq!((stream.header("x-accel-buffering"), stream.header("content-encoding")), ("no", ""));
}

#[tokio::test]
async fn a_server_without_sources_says_so() {
    let site = Site::built("nothing");
    let snapshot: Snapshot = serde_json::from_slice(&site.get("/api/cluster", &[HOST]).await.body).unwrap();
    assert_eq!((snapshot.schema, snapshot.status, snapshot.sources.len()), (SCHEMA, None, 0));
    let history: History =
        serde_json::from_slice(&site.get("/api/cluster/history", &[HOST]).await.body).unwrap();
    assert_eq!((history.schema, history.samples.len(), history.decisions.len()), (SCHEMA, 0, 0));
}

#[tokio::test]
async fn nothing_can_be_changed_through_the_api() {
    let site = Site::built("api-methods");
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        for (path, _) in ROUTES {
            let answer = site.ask(method.clone(), path, &[HOST]).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            assert_eq!(answer.header("allow"), "GET,HEAD", "{method} {path}");
            let problem = problem(&answer);
            assert!(problem["detail"].as_str().unwrap().contains(path), "{problem}");
        }
    }
    let session = site.ask(Method::GET, "/api/session", &[HOST]).await;
    assert_eq!(session.status, StatusCode::METHOD_NOT_ALLOWED);
    problem(&session);
}

#[tokio::test]
async fn what_is_asked_for_in_vain_is_named() {
    let site = Site::built("api-missing");
    for path in ["/api/absent", "/api/cluster/absent", "/api/cluster/", "/api/session/x", "/api/index.html"] {
        // Even somebody who opens the address sees an error, not the page.
        let answer = site.get(path, &[HOST, ("accept", "text/html")]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(problem(&answer)["detail"].as_str().unwrap().contains(path));
    }
    for path in [
        "/api/../secret.txt",
        "/api/..%2fsecret.txt",
        "/api/%2e%2e/secret.txt",
        "/api/cluster/../../secret.txt",
    ] {
        let answer = site.get(path, &[HOST]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(!answer.text().contains(SECRET), "{path}");
    }
}

#[tokio::test]
async fn a_question_that_cannot_be_read_is_answered_with_what_is_wrong() {
    let site = Site::built("api-query");
    for query in [
        "since_ms=x",
        "since_ms=-1",
        "since_ms=1.5",
        "step_ms=",
        "step_ms=99999999999999999999",
        "since_ms=1&since_ms=2",
    ] {
        let answer = site.get(&format!("/api/cluster/history?{query}"), &[HOST]).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        problem(&answer);
    }
    for query in
        ["since_ms=0&step_ms=0", "since_ms=18446744073709551615", "step_ms=18446744073709551615", "x=y"]
    {
        let answer = site.get(&format!("/api/cluster/history?{query}"), &[HOST]).await;
        assert_eq!(answer.status, StatusCode::OK, "{query}");
    }
}

#[tokio::test]
async fn no_line_break_of_a_request_comes_back() {
    let site = Site::built("api-breaks");
    for path in [
        "/api/cluster/history?since_ms=1%0d%0aX-Evil:%201",
        "/api/x%0d%0aX-Evil:%201",
        "/api/cluster?x=%0d%0aX-Evil:%201",
        "/api/cluster/events%0d%0aX-Evil:%201",
    ] {
        let answer = site.get(path, &[HOST]).await;
        assert_eq!(answer.header("x-evil"), "", "{path}");
        assert!(!answer.text().contains(['\r', '\n']), "{path}: {}", answer.text());
    }
}

#[tokio::test]
async fn the_server_counts_what_it_answers() {
    let site = Site::built("api-metrics");
    let state = site.state();
    for path in ["/api/cluster", "/api/nothing/1", "/api/nothing/2", "/absent.js"] {
        crate::fixture::answer(state.clone(), Method::GET, path, &[HOST]).await;
    }
    let metrics = crate::fixture::answer(state, Method::GET, "/metrics", &[HOST]).await.text();
    for line in [
        "configurator_requests_total{route=\"/api/cluster\",status=\"200\"} 1\n",
        "configurator_requests_total{route=\"/api/{*path}\",status=\"404\"} 2\n",
        "configurator_requests_total{route=\"site\",status=\"404\"} 1\n",
        "configurator_clients 0\n",
        "configurator_snapshots_total 0\n",
        "# EOF\n",
    ] {
        assert!(metrics.contains(line), "{line}{metrics}");
    }
}
