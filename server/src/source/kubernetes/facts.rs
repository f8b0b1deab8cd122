//! What is kept of the objects of a cluster: only what a status is made of, read without trusting any shape.
//!
//! Objects come as JSON. A field that is missing or has another type than expected counts as not told; nothing here
//! can fail on what a cluster says.

mod event;
mod graph;
mod pod;

use engine::cluster::{Condition, Request};
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

pub(super) use event::Event;
pub(super) use graph::{Component, Graph, Settings};
pub(super) use pod::{Phase, Pod};

/// Longest text that is kept of what a cluster writes, in bytes.
const TEXT: usize = 1024;

/// One object, reduced.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fact {
    /// The deployment.
    Graph(Box<Graph>),
    /// A scaling adapter.
    Adapter(Adapter),
    /// A deployment request.
    Request(Wanted),
    /// A pod.
    Pod(Box<Pod>),
    /// An event.
    Event(Event),
    /// The planner's configuration.
    Settings(super::settings::Planned),
}

/// A `DynamoGraphDeploymentScalingAdapter`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Adapter {
    /// The deployment it scales.
    pub(super) graph: String,
    /// The component it scales.
    pub(super) component: String,
    /// Replicas asked for; leads the deployment's own.
    pub(super) replicas: Option<u32>,
    /// When it last wrote the deployment.
    pub(super) scaled_ms: Option<u64>,
}

impl Adapter {
    /// Reads either version.
    pub(super) fn read(object: &Value) -> Option<Self> {
        Some(Self {
            graph: text(object, "/spec/dgdRef/name")?,
            component: text(object, "/spec/dgdRef/componentName")
                .or_else(|| text(object, "/spec/dgdRef/serviceName"))?,
            replicas: count(object, "/spec/replicas"),
            scaled_ms: moment(object, "/status/lastScaleTime"),
        })
    }
}

/// A `DynamoGraphDeploymentRequest`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wanted {
    /// The deployment it made, once there is one.
    pub(super) graph: Option<String>,
    /// How far it is.
    pub(super) request: Request,
    /// The model it asks for.
    pub(super) model: Option<String>,
    /// Its target of TTFT, ms.
    pub(super) ttft_ms: Option<f64>,
    /// Its target of ITL, ms.
    pub(super) itl_ms: Option<f64>,
}

impl Wanted {
    /// Reads either version.
    pub(super) fn read(object: &Value) -> Option<Self> {
        Some(Self {
            graph: text(object, "/status/dgdName").or_else(|| text(object, "/status/deployment/name")),
            request: Request {
                name: name(object)?,
                phase: text(object, "/status/phase").or_else(|| text(object, "/status/state")),
                profiling: text(object, "/status/profilingPhase"),
            },
            model: text(object, "/spec/model"),
            ttft_ms: positive(object.pointer("/spec/sla/ttft")),
            itl_ms: positive(object.pointer("/spec/sla/itl")),
        })
    }
}

/// `metadata.name`.
pub(super) fn name(object: &Value) -> Option<String> {
    text(object, "/metadata/name")
}

/// A text that is not empty, cut where it is too long.
pub(super) fn text(object: &Value, path: &str) -> Option<String> {
    object.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty()).map(cut)
}

/// A text of bounded length.
pub(super) fn cut(text: &str) -> String {
    if text.len() <= TEXT {
        return text.to_owned();
    }
    let end = (0..=TEXT).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    format!("{}…", &text[..end])
}

/// A label.
pub(super) fn label(object: &Value, key: &str) -> Option<String> {
    let value = object.pointer("/metadata/labels")?.get(key)?.as_str()?;
    (!value.is_empty()).then(|| cut(value))
}

/// A number of things.
pub(super) fn count(object: &Value, path: &str) -> Option<u32> {
    u32::try_from(object.pointer(path)?.as_u64()?).ok()
}

/// A quantity of Kubernetes that counts things, as number or as text.
pub(super) fn quantity(value: &Value) -> Option<u32> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        value => u32::try_from(value.as_u64()?).ok(),
    }
}

/// A number above 0.
pub(super) fn positive(value: Option<&Value>) -> Option<f64> {
    value.and_then(Value::as_f64).filter(|number| number.is_finite() && *number > 0.0)
}

/// A time, in Unix ms.
pub(super) fn moment(object: &Value, path: &str) -> Option<u64> {
    let time: Timestamp = object.pointer(path)?.as_str()?.parse().ok()?;
    u64::try_from(time.as_millisecond()).ok()
}

/// The condition of a type.
pub(super) fn condition(object: &Value, kind: &str) -> Option<Condition> {
    let all = object.pointer("/status/conditions")?.as_array()?;
    let found = all.iter().find(|one| one.get("type").and_then(Value::as_str) == Some(kind))?;
    Some(Condition {
        status: text(found, "/status")?,
        reason: text(found, "/reason"),
        message: text(found, "/message"),
        since_ms: moment(found, "/lastTransitionTime"),
    })
}

/// The objects of a list, or nothing.
pub(super) fn items<'a>(object: &'a Value, path: &str) -> impl Iterator<Item = &'a Value> {
    object.pointer(path).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn shapes_are_not_trusted() {
        for odd in [json!(null), json!([]), json!("x"), json!({"spec": 3, "metadata": {"name": 4}})] {
            assert_eq!(Adapter::read(&odd), None);
            assert_eq!(Wanted::read(&odd), None);
            assert_eq!(condition(&odd, "Ready"), None);
            assert_eq!(moment(&odd, "/metadata/creationTimestamp"), None);
        }
        assert_eq!(count(&json!({"n": -1}), "/n"), None);
        assert_eq!(count(&json!({"n": 5_000_000_000_u64}), "/n"), None);
        assert_eq!(quantity(&json!(" 8 ")), Some(8));
        assert_eq!(quantity(&json!("8k")), None);
        assert_eq!(moment(&json!({"t": "2026-03-01T10:00:00.5Z"}), "/t"), Some(1_772_359_200_500));
        assert_eq!(moment(&json!({"t": "1960-01-01T00:00:00Z"}), "/t"), None);
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let long = "ü".repeat(TEXT);
        let short = cut(&long);
        assert!(short.len() <= TEXT + '…'.len_utf8() && short.ends_with('…'));
        assert_eq!(cut("short"), "short");
    }

    #[test]
    fn both_versions_of_an_adapter_name_their_component() {
        let beta = json!({"spec": {"replicas": 2, "dgdRef": {"name": "a", "componentName": "prefill"}},
            "status": {"lastScaleTime": "2026-03-01T10:00:00Z"}});
        let read = Adapter::read(&beta).unwrap();
        assert_eq!((read.component.as_str(), read.replicas), ("prefill", Some(2)));
        assert_eq!(read.scaled_ms, Some(1_772_359_200_000));
        let alpha = json!({"spec": {"replicas": 1, "dgdRef": {"name": "a", "serviceName": "Worker"}}});
        assert_eq!(Adapter::read(&alpha).unwrap().component, "Worker");
    }
}
