//! Events, of `events.k8s.io/v1` and of the older core API.

use serde_json::Value;

use super::{moment, text};

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::source::kubernetes) struct Event {
    /// When it was last seen, Unix ms.
    pub(in crate::source::kubernetes) at_ms: u64,
    /// Whether it is a warning.
    pub(in crate::source::kubernetes) warning: bool,
    /// Kind of the object it is about.
    pub(in crate::source::kubernetes) kind: String,
    /// Name of that object.
    pub(in crate::source::kubernetes) name: String,
    /// One word.
    pub(in crate::source::kubernetes) reason: String,
    /// A sentence.
    pub(in crate::source::kubernetes) message: String,
}

impl Event {
    /// Reads either version. Events whose time is not told cannot be put in order and count as unreadable.
    pub(in crate::source::kubernetes) fn read(object: &Value) -> Option<Self> {
        let times = [
            "/series/lastObservedTime",
            "/deprecatedLastTimestamp",
            "/lastTimestamp",
            "/eventTime",
            "/metadata/creationTimestamp",
        ];
        let about = if object.get("regarding").is_some() { "/regarding" } else { "/involvedObject" };
        Some(Self {
            at_ms: times.iter().find_map(|path| moment(object, path))?,
            warning: object.get("type").and_then(Value::as_str) == Some("Warning"),
            kind: text(object, &format!("{about}/kind"))?,
            name: text(object, &format!("{about}/name"))?,
            reason: text(object, "/reason").unwrap_or_default(),
            message: text(object, "/note").or_else(|| text(object, "/message")).unwrap_or_default(),
        })
    }

    /// What an adapter's `Scaled` event says: component, from, to.
    pub(in crate::source::kubernetes) fn scaled(&self) -> Option<(&str, u32, u32)> {
        if self.reason != "Scaled" {
            return None;
        }
        let (_, rest) = self.message.split_once("omponent ")?;
        let (component, rest) = rest.split_once(" from ")?;
        let (from, rest) = rest.split_once(" to ")?;
        let to = rest.split_whitespace().next()?;
        Some((component, from.trim().parse().ok()?, to.parse().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_apis_are_read() {
        let new = json!({"type": "Warning", "reason": "FailedScheduling", "note": "0/8 nodes are available",
            "eventTime": "2026-03-01T10:00:00.000000Z", "series": {"lastObservedTime": "2026-03-01T10:05:00Z"},
            "regarding": {"kind": "Pod", "name": "p"}});
        let old = json!({"type": "Normal", "reason": "Pulled", "message": "Image is there",
            "eventTime": null, "lastTimestamp": "2026-03-01T10:01:00Z",
            "involvedObject": {"kind": "Pod", "name": "p"}});
        let new = Event::read(&new).unwrap();
        assert!(new.warning && new.at_ms == 1_772_359_500_000, "{new:?}");
        let old = Event::read(&old).unwrap();
        assert!(!old.warning && old.message == "Image is there", "{old:?}");
        assert_eq!(Event::read(&json!({"regarding": {"kind": "Pod", "name": "p"}})), None);
    }

    #[test]
    fn scalings_are_understood_and_nothing_else_is() {
        let mut event = Event {
            at_ms: 0,
            warning: false,
            kind: "DynamoGraphDeploymentScalingAdapter".to_owned(),
            name: "airline-prefill".to_owned(),
            reason: "Scaled".to_owned(),
            message: "Scaled component prefill from 1 to 2 replicas".to_owned(),
        };
        assert_eq!(event.scaled(), Some(("prefill", 1, 2)));
        event.message = "Scaled component prefill from one to 2 replicas".to_owned();
        assert_eq!(event.scaled(), None);
        event.message = "Scaled component group g from 1 to 2 replicas".to_owned();
        assert_eq!(event.scaled(), Some(("group g", 1, 2)));
        event.reason = "UpdateFailed".to_owned();
        assert_eq!(event.scaled(), None);
    }
}
