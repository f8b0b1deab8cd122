//! Pods.

use serde_json::Value;

use super::{condition, cut, items, label, moment, name, text};

/// What keeps a container from running for good, unless somebody changes something.
const FAILING: &[&str] = &[
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImageNeverPull",
    "ErrImagePull",
    "ImageInspectError",
    "ImagePullBackOff",
    "InvalidImageName",
    "RunContainerError",
];

/// How far a pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::source::kubernetes) enum Phase {
    /// Serves.
    Ready,
    /// Has a node.
    Starting,
    /// Has none.
    Waiting,
    /// Does not come up, or fell.
    Failed,
    /// Is being ended.
    Ending,
}

/// A pod of the deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::source::kubernetes) struct Pod {
    /// Its name.
    pub(in crate::source::kubernetes) name: String,
    /// The component it belongs to.
    pub(in crate::source::kubernetes) component: Option<String>,
    /// The worker it is a part of, where several pods make one.
    pub(in crate::source::kubernetes) group: Option<String>,
    /// How far it is.
    pub(in crate::source::kubernetes) phase: Phase,
    /// Whether Kubernetes counts it as pending or running, whatever its containers do.
    pub(in crate::source::kubernetes) alive: bool,
    /// Whether it has a node.
    pub(in crate::source::kubernetes) scheduled: bool,
    /// Since when it is so far, Unix ms.
    pub(in crate::source::kubernetes) since_ms: Option<u64>,
    /// When it was made, Unix ms.
    pub(in crate::source::kubernetes) created_ms: Option<u64>,
    /// When it became ready for the first time, Unix ms; none once a container was started again.
    pub(in crate::source::kubernetes) first_ready_ms: Option<u64>,
    /// Why it is not ready.
    pub(in crate::source::kubernetes) why: Option<String>,
}

impl Pod {
    /// Reads a pod. Pods that only write a snapshot and pods that are done serve nobody and are left out.
    pub(in crate::source::kubernetes) fn read(object: &Value) -> Option<Self> {
        let running = object.pointer("/status/phase").and_then(Value::as_str).unwrap_or_default();
        if label(object, "nvidia.com/snapshot-job-uid").is_some() || running == "Succeeded" {
            return None;
        }
        let ready = condition(object, "Ready");
        let scheduled = condition(object, "PodScheduled");
        let has_node = scheduled.as_ref().is_some_and(|one| one.status == "True")
            || object.pointer("/spec/nodeName").is_some_and(Value::is_string);
        let is_ready = ready.as_ref().is_some_and(|one| one.status == "True");
        let created_ms = moment(object, "/metadata/creationTimestamp");
        let restarted = containers(object)
            .any(|one| one.get("restartCount").and_then(Value::as_u64).unwrap_or_default() > 0);
        let waiting = waiting(object);
        let ready_ms = ready.as_ref().and_then(|one| one.since_ms);
        let (phase, since_ms, why) = if object.pointer("/metadata/deletionTimestamp").is_some() {
            (Phase::Ending, ended(object), None)
        } else if running == "Failed" {
            (
                Phase::Failed,
                ready_ms,
                sentence(text(object, "/status/reason"), text(object, "/status/message")),
            )
        } else if is_ready {
            (Phase::Ready, ready_ms, None)
        } else if let Some((reason, message, _)) = waiting.as_ref().filter(|(_, _, failing)| *failing) {
            (Phase::Failed, fallen(object).or(ready_ms), sentence(Some(reason.clone()), message.clone()))
        } else if has_node {
            let why = waiting.and_then(|(reason, message, _)| sentence(Some(reason), message));
            (Phase::Starting, scheduled.and_then(|one| one.since_ms).or(created_ms), why)
        } else {
            let why = scheduled.and_then(|one| sentence(one.reason, one.message));
            (Phase::Waiting, created_ms, why)
        };
        Some(Self {
            name: name(object)?,
            component: label(object, "nvidia.com/dynamo-component"),
            group: group(object),
            phase,
            alive: matches!(running, "Pending" | "Running"),
            scheduled: has_node,
            since_ms,
            created_ms,
            first_ready_ms: ready_ms.filter(|_| is_ready && !restarted),
            why,
        })
    }
}

fn containers(object: &Value) -> impl Iterator<Item = &Value> {
    items(object, "/status/initContainerStatuses").chain(items(object, "/status/containerStatuses"))
}

/// What the first waiting container waits for, and whether it does so for good. A failing one comes first.
fn waiting(object: &Value) -> Option<(String, Option<String>, bool)> {
    let all = containers(object).filter_map(|one| {
        let reason = text(one, "/state/waiting/reason")?;
        let failing = FAILING.contains(&reason.as_str());
        Some((reason, text(one, "/state/waiting/message"), failing))
    });
    let all: Vec<_> = all.collect();
    all.iter().find(|(_, _, failing)| *failing).or(all.first()).cloned()
}

/// When a container last fell.
fn fallen(object: &Value) -> Option<u64> {
    containers(object).filter_map(|one| moment(one, "/lastState/terminated/finishedAt")).max()
}

/// When the end was asked for: the deletion time lies a grace period later.
fn ended(object: &Value) -> Option<u64> {
    let gone = moment(object, "/metadata/deletionTimestamp")?;
    let grace =
        object.pointer("/metadata/deletionGracePeriodSeconds").and_then(Value::as_u64).unwrap_or_default();
    Some(gone.saturating_sub(grace.saturating_mul(1000)))
}

/// Reason and message in one.
fn sentence(reason: Option<String>, message: Option<String>) -> Option<String> {
    match (reason, message) {
        (Some(reason), Some(message)) => Some(cut(&format!("{reason}: {message}"))),
        (one, other) => one.or(other),
    }
}

/// The worker that a pod is a part of, as Grove and `LeaderWorkerSet` say it.
fn group(object: &Value) -> Option<String> {
    let grove = label(object, "grove.io/podcliquescalinggroup")
        .zip(label(object, "grove.io/podcliquescalinggroup-replica-index"));
    let set = || {
        label(object, "leaderworkerset.sigs.k8s.io/name")
            .zip(label(object, "leaderworkerset.sigs.k8s.io/group-index"))
    };
    let (set, index) = grove.or_else(set)?;
    Some(format!("{set}-{index}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(status: &Value) -> Value {
        json!({"metadata": {"name": "p", "creationTimestamp": "2026-03-01T10:00:00Z",
            "labels": {"nvidia.com/dynamo-component": "prefill"}}, "status": status})
    }

    #[test]
    fn a_pod_without_a_node_says_why() {
        let read = Pod::read(&pod(&json!({"phase": "Pending", "conditions": [{"type": "PodScheduled",
            "status": "False", "reason": "Unschedulable",
            "message": "0/8 nodes are available: insufficient nvidia.com/gpu."}]})))
        .unwrap();
        assert_eq!((read.phase, read.scheduled), (Phase::Waiting, false));
        assert_eq!(
            read.why.as_deref(),
            Some("Unschedulable: 0/8 nodes are available: insufficient nvidia.com/gpu.")
        );
        assert_eq!(read.since_ms, read.created_ms);
    }

    #[test]
    fn the_start_ends_where_it_became_ready() {
        let ready = json!({"phase": "Running", "conditions": [
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-03-01T10:00:01Z"},
            {"type": "Ready", "status": "True", "lastTransitionTime": "2026-03-01T10:01:00Z"}],
            "containerStatuses": [{"restartCount": 0}]});
        let read = Pod::read(&pod(&ready)).unwrap();
        assert_eq!(read.phase, Phase::Ready);
        assert_eq!(read.first_ready_ms.unwrap() - read.created_ms.unwrap(), 60_000);
        let mut again = ready;
        again["containerStatuses"][0]["restartCount"] = json!(1);
        assert_eq!(Pod::read(&pod(&again)).unwrap().first_ready_ms, None);
    }

    #[test]
    fn failures_and_waits_are_told_apart() {
        let waits = |reason: &str| {
            pod(&json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True"}],
                "containerStatuses": [{"state": {"waiting": {"reason": reason, "message": "m"}}}]}))
        };
        let read = Pod::read(&waits("ContainerCreating")).unwrap();
        assert_eq!((read.phase, read.why.as_deref()), (Phase::Starting, Some("ContainerCreating: m")));
        let read = Pod::read(&waits("ImagePullBackOff")).unwrap();
        assert_eq!((read.phase, read.why.as_deref()), (Phase::Failed, Some("ImagePullBackOff: m")));
    }

    #[test]
    fn an_ending_pod_ends_since_it_was_told_to() {
        let mut ending = pod(&json!({"phase": "Running"}));
        ending["metadata"]["deletionTimestamp"] = json!("2026-03-01T10:10:30Z");
        ending["metadata"]["deletionGracePeriodSeconds"] = json!(30);
        let read = Pod::read(&ending).unwrap();
        assert_eq!(read.phase, Phase::Ending);
        assert_eq!(read.since_ms.unwrap() - read.created_ms.unwrap(), 600_000);
    }

    #[test]
    fn snapshots_and_finished_pods_are_left_out() {
        assert_eq!(Pod::read(&pod(&json!({"phase": "Succeeded"}))), None);
        let mut snapshot = pod(&json!({"phase": "Running"}));
        snapshot["metadata"]["labels"]["nvidia.com/snapshot-job-uid"] = json!("1");
        assert_eq!(Pod::read(&snapshot), None);
    }
}
