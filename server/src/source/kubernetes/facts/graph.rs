//! The deployment: `DynamoGraphDeployment`, `v1beta1` with a list of components and `v1alpha1` with a map of services.

use engine::cluster::{Condition, Role};
use serde_json::Value;

use super::{condition, count, items, name, quantity, text};

/// The resource that stands for a GPU.
const GPU: &str = "nvidia.com/gpu";

/// A deployment.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::source::kubernetes) struct Graph {
    /// Its name.
    pub(in crate::source::kubernetes) name: String,
    /// Its namespace.
    pub(in crate::source::kubernetes) namespace: Option<String>,
    /// Whether its status speaks of its newest specification.
    pub(in crate::source::kubernetes) observed: Option<bool>,
    /// `status.state`.
    pub(in crate::source::kubernetes) state: Option<String>,
    /// The condition `Ready`.
    pub(in crate::source::kubernetes) ready: Option<Condition>,
    /// `status.rollingUpdate.phase`.
    pub(in crate::source::kubernetes) rollout: Option<String>,
    /// The model as clients name it.
    pub(in crate::source::kubernetes) model: Option<String>,
    /// Its parts.
    pub(in crate::source::kubernetes) components: Vec<Component>,
    /// Where the planner's configuration stands.
    pub(in crate::source::kubernetes) settings: Option<Settings>,
}

/// A part of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::source::kubernetes) struct Component {
    /// Its name.
    pub(in crate::source::kubernetes) name: String,
    /// What its workers do; none where it has no workers.
    pub(in crate::source::kubernetes) role: Option<Role>,
    /// Whether it is the planner.
    pub(in crate::source::kubernetes) planner: bool,
    /// Whether Grove scales it as a group, whose counts are of whole workers.
    pub(in crate::source::kubernetes) grouped: bool,
    /// Replicas of the specification.
    pub(in crate::source::kubernetes) desired: Option<u32>,
    /// Replicas that exist.
    pub(in crate::source::kubernetes) replicas: Option<u32>,
    /// Replicas of the newest specification.
    pub(in crate::source::kubernetes) updated: Option<u32>,
    /// Replicas that serve.
    pub(in crate::source::kubernetes) ready: Option<u32>,
    /// Replicas with a node.
    pub(in crate::source::kubernetes) scheduled: Option<u32>,
    /// Nodes, and so pods, of one replica.
    pub(in crate::source::kubernetes) nodes: u32,
    /// GPUs of one replica.
    pub(in crate::source::kubernetes) gpus: Option<u32>,
}

/// Where a planner reads its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::source::kubernetes) enum Settings {
    /// In its arguments.
    Inline(String),
    /// In a `ConfigMap`, and in which of its entries if that is known.
    Map(String, Option<String>),
}

impl Graph {
    /// Reads either version.
    pub(in crate::source::kubernetes) fn read(object: &Value) -> Option<Self> {
        let generation = object.pointer("/metadata/generation").and_then(Value::as_i64);
        let seen = object.pointer("/status/observedGeneration").and_then(Value::as_i64);
        let observed = generation.zip(seen).map(|(generation, seen)| seen >= generation);
        let parts = parts(object);
        let mut components: Vec<Component> =
            parts.iter().map(|(name, part)| component(object, name, part, observed)).collect();
        // Whoever works beside prefill workers writes.
        if components.iter().any(|one| one.role == Some(Role::Prefill)) {
            for one in components.iter_mut().filter(|one| one.role == Some(Role::Agg)) {
                one.role = Some(Role::Decode);
            }
        }
        let model = parts.iter().find_map(|(name, _)| told(object, name)?.get("servedModelName")?.as_str());
        let reference = parts.iter().find_map(|(_, part)| text(part, "/modelRef/name"));
        Some(Self {
            name: name(object)?,
            namespace: text(object, "/metadata/namespace"),
            observed,
            state: text(object, "/status/state"),
            ready: condition(object, "Ready"),
            rollout: text(object, "/status/rollingUpdate/phase"),
            model: model.filter(|model| !model.is_empty()).map(super::cut).or(reference),
            components,
            settings: parts
                .iter()
                .find(|(_, part)| kind(part) == "planner")
                .and_then(|(_, part)| settings(part)),
        })
    }
}

/// The parts by name, in order.
fn parts(object: &Value) -> Vec<(&str, &Value)> {
    let list = items(object, "/spec/components").filter_map(|part| Some((part.get("name")?.as_str()?, part)));
    let map = object.pointer("/spec/services").and_then(Value::as_object).into_iter().flatten();
    list.chain(map.map(|(name, part)| (name.as_str(), part))).collect()
}

/// What the status tells of a part.
fn told<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    let status = object.get("status")?;
    status.get("components").or_else(|| status.get("services"))?.get(name)
}

/// Its type in either version.
fn kind(part: &Value) -> &str {
    part.get("type").or_else(|| part.get("componentType")).and_then(Value::as_str).unwrap_or_default()
}

fn component(object: &Value, name: &str, part: &Value, observed: Option<bool>) -> Component {
    let nothing = Value::Null;
    let status = told(object, name).unwrap_or(&nothing);
    let nodes = match part.get("multinode").filter(|nodes| nodes.is_object()) {
        // The operator's default is two nodes.
        Some(nodes) => count(nodes, "/nodeCount").unwrap_or(2).max(1),
        None => 1,
    };
    // The shape in the status is of the specification that was observed.
    let measured = count(status, "/gpusPerReplica").filter(|_| observed != Some(false));
    Component {
        name: name.to_owned(),
        role: role(name, part),
        planner: kind(part) == "planner",
        grouped: status.get("componentKind").and_then(Value::as_str) == Some("PodCliqueScalingGroup"),
        // The operator takes a missing number for one.
        desired: count(part, "/replicas").or_else(|| part.get("replicas").is_none().then_some(1)),
        replicas: count(status, "/replicas"),
        updated: count(status, "/updatedReplicas"),
        ready: count(status, "/availableReplicas").or_else(|| count(status, "/readyReplicas")),
        scheduled: count(status, "/scheduledReplicas"),
        nodes,
        gpus: measured.or_else(|| Some(gpus(part)?.saturating_mul(nodes))),
    }
}

/// By type; plain workers and parts without a type by their name, as the planner does.
fn role(name: &str, part: &Value) -> Option<Role> {
    let sub = part.get("subComponentType").and_then(Value::as_str).unwrap_or_default();
    let lower = name.to_ascii_lowercase();
    let named = if lower.contains("prefill") {
        Some(Role::Prefill)
    } else if lower.contains("decode") {
        Some(Role::Decode)
    } else {
        None
    };
    match (kind(part), sub) {
        ("prefill", _) | ("worker", "prefill") => Some(Role::Prefill),
        ("decode", _) | ("worker", "decode") => Some(Role::Decode),
        ("worker", _) => named.or(Some(Role::Agg)),
        ("", _) => named,
        _ => None,
    }
}

/// Where the containers of a part stand in either version.
fn containers(part: &Value) -> impl Iterator<Item = &Value> {
    let main = part.pointer("/extraPodSpec/mainContainer").into_iter();
    items(part, "/podTemplate/spec/containers").chain(main).chain(items(part, "/extraPodSpec/containers"))
}

/// GPUs that one pod asks for.
fn gpus(part: &Value) -> Option<u32> {
    let asks = |place: &Value| {
        let (limits, requests) = (place.pointer("/limits"), place.pointer("/requests"));
        limits
            .and_then(|all| all.get(GPU))
            .or_else(|| requests.and_then(|all| all.get(GPU)))
            .and_then(quantity)
    };
    let own = part.pointer("/resources/limits/gpu").or_else(|| part.pointer("/resources/requests/gpu"));
    own.and_then(quantity).or_else(|| {
        let all = containers(part).filter_map(|one| one.get("resources")).filter_map(asks);
        all.reduce(u32::saturating_add)
    })
}

/// Where the planner's argument `--config` leads.
fn settings(part: &Value) -> Option<Settings> {
    let words: Vec<&str> = containers(part)
        .flat_map(|one| items(one, "/command").chain(items(one, "/args")))
        .filter_map(Value::as_str)
        .collect();
    let said = argument(&words);
    if let Some(inline) = said.filter(|said| said.trim_start().starts_with('{')) {
        return Some(Settings::Inline(inline.to_owned()));
    }
    let mounts: Vec<&Value> = containers(part).flat_map(|one| items(one, "/volumeMounts")).collect();
    let volumes: Vec<&Value> =
        items(part, "/podTemplate/spec/volumes").chain(items(part, "/extraPodSpec/volumes")).collect();
    let map = |volume: &Value| text(volume, "/configMap/name");
    let mounted = said.and_then(|file| {
        let mount = mounts.iter().find(|mount| {
            mount.get("mountPath").and_then(Value::as_str).is_some_and(|folder| file.starts_with(folder))
        })?;
        let volume = volumes.iter().find(|volume| volume.get("name") == mount.get("name"))?;
        let key = file.rsplit('/').next().filter(|key| !key.is_empty()).map(str::to_owned);
        Some(Settings::Map(map(volume)?, key))
    });
    mounted.or_else(|| {
        let name = volumes
            .iter()
            .filter_map(|volume| map(volume))
            .find(|name| name.starts_with("planner-config"))?;
        Some(Settings::Map(name, None))
    })
}

/// The value of `--config`, also where the whole command is one word for a shell.
fn argument<'a>(words: &[&'a str]) -> Option<&'a str> {
    for (at, word) in words.iter().enumerate() {
        if let Some(value) = word.strip_prefix("--config=") {
            return Some(value);
        }
        if *word == "--config" {
            return words.get(at + 1).copied();
        }
        if let Some((_, rest)) = word.split_once("--config") {
            let rest = rest.trim_start_matches(['=', ' ']);
            return rest.split_whitespace().next().map(|value| value.trim_matches(['"', '\'']));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn beta(components: &Value) -> Graph {
        Graph::read(&json!({"metadata": {"name": "a"}, "spec": {"components": components}})).unwrap()
    }

    #[test]
    fn a_worker_alone_does_both_and_beside_prefill_it_decodes() {
        let roles = |graph: Graph| graph.components.iter().map(|one| one.role).collect::<Vec<_>>();
        let alone = beta(&json!([{"name": "f", "type": "frontend"}, {"name": "w", "type": "worker"}]));
        assert_eq!(roles(alone), [None, Some(Role::Agg)]);
        let both = beta(&json!([{"name": "p", "type": "prefill"}, {"name": "w", "type": "worker"}]));
        assert_eq!(roles(both), [Some(Role::Prefill), Some(Role::Decode)]);
        let alpha = json!({"metadata": {"name": "a"}, "spec": {"services": {
            "VllmDecodeWorker": {"componentType": "worker"},
            "VllmPrefillWorker": {"componentType": "worker"},
            "x": {"componentType": "worker", "subComponentType": "prefill"}}}});
        let alpha = Graph::read(&alpha).unwrap();
        assert_eq!(roles(alpha), [Some(Role::Decode), Some(Role::Prefill), Some(Role::Prefill)]);
    }

    #[test]
    fn gpus_are_counted_over_nodes() {
        let graph = beta(&json!([
            {"name": "d", "type": "decode", "multinode": {"nodeCount": 4},
             "podTemplate": {"spec": {"containers": [{"resources": {"limits": {"nvidia.com/gpu": "8"}}}]}}},
            {"name": "p", "type": "prefill", "multinode": {}, "podTemplate": {"spec": {"containers": [
                {"resources": {"requests": {"nvidia.com/gpu": 2}}}, {"name": "sidecar"}]}}},
            {"name": "n", "type": "worker"}]));
        let gpus: Vec<_> = graph.components.iter().map(|one| (one.gpus, one.nodes)).collect();
        assert_eq!(gpus, [(Some(32), 4), (Some(4), 2), (None, 1)]);
    }

    #[test]
    fn the_shape_in_a_stale_status_is_not_trusted() {
        let of = |seen: u64| {
            let object = json!({"metadata": {"name": "a", "generation": 3},
                "spec": {"components": [{"name": "d", "type": "decode", "replicas": 2}]},
                "status": {"observedGeneration": seen, "components": {"d": {"gpusPerReplica": 4}}}});
            let graph = Graph::read(&object).unwrap();
            (graph.observed, graph.components[0].gpus)
        };
        assert_eq!(of(3), (Some(true), Some(4)));
        assert_eq!(of(2), (Some(false), None));
    }

    #[test]
    fn the_planners_settings_are_found() {
        let planner = |args: &Value| {
            let graph = beta(&json!([{"name": "P", "type": "planner", "podTemplate": {"spec": {
                "volumes": [{"name": "x", "configMap": {"name": "other"}},
                            {"name": "c", "configMap": {"name": "planner-config-a1"}}],
                "containers": [{"args": args, "volumeMounts": [{"name": "c", "mountPath": "/work/config"}]}]}}}]));
            graph.settings
        };
        let map =
            |key: Option<&str>| Some(Settings::Map("planner-config-a1".to_owned(), key.map(str::to_owned)));
        assert_eq!(planner(&json!(["--config", "/work/config/planner.json"])), map(Some("planner.json")));
        assert_eq!(planner(&json!(["--config=/work/config/planner.json"])), map(Some("planner.json")));
        assert_eq!(
            planner(&json!(["python3 -m dynamo.planner --config /work/config/p.json"])),
            map(Some("p.json"))
        );
        assert_eq!(planner(&json!(["--config", "/elsewhere/p.json"])), map(None));
        assert_eq!(planner(&json!(["--config", "{}"])), Some(Settings::Inline("{}".to_owned())));
    }
}
