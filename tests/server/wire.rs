//! The description of the API is true: every field of every type on the wire is in it, and nothing else.

use axum::http::{Method, StatusCode};
use engine::cluster::*;
use serde::Serialize;
use serde_json::{Value, json};

use crate::fixture::Site;
use crate::live::{full_decision, full_status};

const HOST: (&str, &str) = ("host", "localhost");

async fn document() -> Value {
    let site = Site::built("openapi");
    let answer = site.get("/api/openapi.json", &[HOST]).await;
    assert_eq!(answer.status, StatusCode::OK);
    serde_json::from_slice(&answer.body).unwrap()
}

/// Why a value is not as a schema says; empty when it is.
fn wrong(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let pointer = name.strip_prefix('#').unwrap();
        return wrong(document, document.pointer(pointer).expect(name), value, at);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let fits = choices.iter().filter(|choice| wrong(document, choice, value, at).is_empty()).count();
        let why = || format!("{at}: {fits} alternatives fit {value}");
        return if fits == 1 { Vec::new() } else { vec![why()] };
    }
    if let Some(only) = schema.get("const") {
        return if only == value { Vec::new() } else { vec![format!("{at}: {value} is not {only}")] };
    }
    if let Some(names) = schema["enum"].as_array()
        && !names.contains(value)
    {
        return vec![format!("{at}: {value} is none of {names:?}")];
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let types = match &schema["type"] {
        Value::Array(types) => types.clone(),
        one => vec![one.clone()],
    };
    let whole = kind == "integer" && types.contains(&json!("number"));
    if !types.contains(&json!(kind)) && !whole {
        return vec![format!("{at}: {kind} is none of {types:?}")];
    }
    match value {
        Value::Array(items) => items
            .iter()
            .flat_map(|item| wrong(document, &schema["items"], item, &format!("{at}[]")))
            .collect(),
        Value::Object(fields) => {
            let properties = schema["properties"].as_object().expect(at);
            let mut names: Vec<&String> = properties.keys().collect();
            let mut required: Vec<&str> =
                schema["required"].as_array().expect(at).iter().filter_map(Value::as_str).collect();
            required.sort_unstable();
            names.sort();
            let mut out = Vec::new();
            let mut have: Vec<&String> = fields.keys().collect();
            have.sort();
            if have != names || names != required {
                out.push(format!("{at}: written {have:?}, described {names:?}, required {required:?}"));
            }
            for (name, field) in fields {
                if let Some(property) = properties.get(name) {
                    out.extend(wrong(document, property, field, &format!("{at}.{name}")));
                }
            }
            out
        }
        _ => Vec::new(),
    }
}

fn check(document: &Value, name: &str, value: &impl Serialize) {
    let schema = &document["components"]["schemas"][name];
    assert!(schema.is_object(), "{name} is not described");
    let wrong = wrong(document, schema, &serde_json::to_value(value).unwrap(), name);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// All values of an enumeration, and nothing else.
fn check_all(document: &Value, name: &str, values: &[impl Serialize]) {
    let described = &document["components"]["schemas"][name]["enum"];
    assert_eq!(&json!(values), described, "{name}");
}

#[tokio::test]
async fn every_type_is_described_as_it_is_written() {
    let document = document().await;
    let source = Source {
        kind: SourceKind::Prometheus,
        health: Health::Stale,
        since_ms: 1,
        heard_ms: Some(2),
        retry_ms: Some(3),
        trouble: Some(Trouble::Empty { what: "x".to_owned() }),
    };
    let snapshot =
        Snapshot { schema: SCHEMA, seq: 1, at_ms: 2, sources: vec![source], status: Some(full_status()) };
    check(&document, "Snapshot", &snapshot);
    check(&document, "Snapshot", &Snapshot { status: None, ..snapshot });
    check(&document, "ClusterStatus", &ClusterStatus::default());
    let samples = vec![full_status().sample(), Sample::default()];
    let history = History { schema: SCHEMA, step_ms: 1, samples, decisions: vec![full_decision()] };
    check(&document, "History", &history);
    let (url, why, what) = ("u".to_owned(), "w".to_owned(), "x".to_owned());
    for trouble in [
        Trouble::Unreachable { url: url.clone(), why: why.clone() },
        Trouble::Slow { url: url.clone(), waited_ms: 1 },
        Trouble::Unauthorized { url: url.clone() },
        Trouble::Forbidden { what: what.clone() },
        Trouble::Missing { what: what.clone() },
        Trouble::Throttled { url: url.clone() },
        Trouble::Status { url: url.clone(), code: 500, why: why.clone() },
        Trouble::Malformed { url, why },
        Trouble::Empty { what },
        Trouble::Ambiguous { names: vec!["a/b".to_owned()] },
    ] {
        check(&document, "Trouble", &trouble);
    }
    check_all(&document, "Role", &[Role::Prefill, Role::Decode, Role::Agg]);
    check_all(
        &document,
        "SourceKind",
        &[SourceKind::Simulated, SourceKind::Prometheus, SourceKind::Kubernetes],
    );
    check_all(&document, "Health", &[Health::Starting, Health::Live, Health::Stale, Health::Down]);
    check_all(
        &document,
        "WorkerState",
        &[
            WorkerState::Waiting,
            WorkerState::Starting,
            WorkerState::Ready,
            WorkerState::Draining,
            WorkerState::Failed,
        ],
    );
    check_all(&document, "Loop", &[Loop::Load, Loop::Throughput, Loop::Budget, Loop::Seen]);
    check_all(
        &document,
        "Measured",
        &[Measured::Traffic, Measured::Replicas, Measured::Planner, Measured::Engines],
    );
}

#[tokio::test]
async fn the_check_finds_what_is_missing() {
    let document = document().await;
    let schema = &document["components"]["schemas"]["Slo"];
    for (value, fits) in [
        (json!({"ttft_ms": 1, "itl_ms": null}), true),
        (json!({"ttft_ms": 1}), false),
        (json!({"ttft_ms": 1, "itl_ms": 2, "more": 3}), false),
        (json!({"ttft_ms": "1", "itl_ms": 2}), false),
    ] {
        assert_eq!(wrong(&document, schema, &value, "Slo").is_empty(), fits, "{value}");
    }
}

#[tokio::test]
async fn described_routes_exist_with_their_methods() {
    let document = document().await;
    let site = Site::built("described");
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 6);
    for (path, methods) in paths {
        for method in methods.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            // HEAD ends where GET would stream.
            let asked = if method == Method::GET { Method::HEAD } else { method.clone() };
            let answer = site.ask(asked, path, &[HOST]).await;
            assert!(answer.status != StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            let known = methods[method.as_str().to_lowercase()]["responses"].as_object().unwrap();
            assert!(known.contains_key(answer.status.as_str()), "{method} {path}: {}", answer.status);
        }
    }
}
