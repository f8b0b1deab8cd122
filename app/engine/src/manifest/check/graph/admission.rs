//! What the schema's rules, the admission webhook and the controller refuse.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Component, Framework, Graph, Role, text};
use crate::manifest::check::pod::items;
use crate::manifest::check::schema::quoted;
use crate::manifest::grove::{GROVE_ANNOTATION, GROVE_NAME, grove_names, longest_grove_component};
use crate::manifest::names::{image_version, is_component_name};
use crate::manifest::yaml::join;
use crate::manifest::{Check, Dynamo};

pub(super) fn check(graph: &Graph<'_>, release: Dynamo, out: &mut Vec<Check>) {
    whole(graph, out);
    names(graph, out);
    transfer_policy(graph, out);
    for component in &graph.components {
        image(component, graph.alpha, release, out);
        fields(component, out);
        start(component, out);
        if graph.alpha {
            shared_memory(component, out);
        }
    }
    frameworks(graph, out);
    grove(graph, out);
}

fn is_set(value: &Value, key: &str) -> bool {
    value.get(key).is_some_and(|value| !value.is_null())
}

fn whole(graph: &Graph<'_>, out: &mut Vec<Check>) {
    if graph.components.is_empty() {
        let key = if graph.alpha { "services" } else { "components" };
        let message = "A deployment needs at least one component: a frontend and workers.";
        out.push(Check::error(graph.at(key), "no-components", message));
        return;
    }
    if is_set(graph.spec, "restart") {
        let message =
            "restart must be absent when a deployment is created; set restart.id later to restart it.";
        out.push(Check::error(graph.at("restart"), "restart", message));
    }
    if is_set(graph.spec, "providerOverride") {
        let message = "providerOverride is reserved for the operator; remove it.";
        out.push(Check::error(graph.at("providerOverride"), "provider-override", message));
    }
    let frontends = graph.with_role(Role::Frontend).count();
    let gateways = graph.components.iter().filter(|component| is_epp(component)).count();
    if frontends + gateways == 0 {
        let message = "No component is a frontend, so nothing answers requests; add one of type frontend.";
        out.push(Check::warning(
            graph.at(if graph.alpha { "services" } else { "components" }),
            "no-frontend",
            message,
        ));
    }
    if gateways > 1 {
        let message = "At most one component may have the type epp; remove the others.";
        for component in graph.components.iter().filter(|component| is_epp(component)).skip(1) {
            out.push(Check::error(component.at("type"), "one-epp", message));
        }
    }
    for (claim, path) in items(graph.spec, "pvcs", &graph.path).into_iter().filter(|_| graph.alpha) {
        let created = claim.get("create").and_then(Value::as_bool).unwrap_or(false);
        let whole = ["size", "storageClass", "volumeAccessMode"].iter().all(|key| is_set(claim, key));
        if created && !whole {
            let message = "A volume claim that is created needs size, storageClass and volumeAccessMode.";
            out.push(Check::error(path, "claim", message));
        }
    }
}

fn is_epp(component: &Component<'_>) -> bool {
    ["type", "componentType"].iter().any(|key| text(component.value, key) == Some("epp"))
}

fn names(graph: &Graph<'_>, out: &mut Vec<Check>) {
    let mut seen = BTreeMap::new();
    for component in &graph.components {
        let path = if graph.alpha { component.path.clone() } else { component.at("name") };
        if graph.alpha && !is_component_name(component.name) {
            let message = format!(
                "The component's name {} must be at most 63 letters, digits and dashes, with no dash at either end.",
                quoted(component.name)
            );
            out.push(Check::error(&path, "name", message));
        }
        if let Some(other) = seen.insert(component.name.to_ascii_lowercase(), component.name)
            && !component.name.is_empty()
        {
            let message = format!(
                "{} and {other} are one name to the cluster, which ignores case; rename one component.",
                component.name
            );
            out.push(Check::error(&path, "unique-names", message));
        }
        let length = graph.name.map_or(0, str::len) + 1 + component.name.len();
        if length > 63 {
            let message = format!(
                "“{}-{}” has {length} characters; the name of a Service has at most 63. Shorten either name.",
                graph.name.unwrap_or_default(),
                component.name.to_ascii_lowercase()
            );
            out.push(Check::error(path, "name-length", message));
        }
    }
}

fn transfer_policy(graph: &Graph<'_>, out: &mut Vec<Check>) {
    let Some(policy) =
        graph.spec.pointer("/experimental/kvTransferPolicy").filter(|policy| policy.is_object())
    else {
        return;
    };
    let path = graph.at("experimental.kvTransferPolicy");
    if is_set(policy, "labelKey") == is_set(policy, "clusterTopologyName") {
        let message = "Exactly one of labelKey and clusterTopologyName is needed.";
        out.push(Check::error(&path, "kv-transfer-policy", message));
    }
    if (text(policy, "enforcement") == Some("preferred")) != is_set(policy, "preferredWeight") {
        let message = "preferredWeight goes with enforcement preferred; set both or neither.";
        out.push(Check::error(&path, "kv-transfer-policy", message));
    }
}

/// Every component has a main container with an image whose version is known.
fn image(component: &Component<'_>, alpha: bool, release: Dynamo, out: &mut Vec<Check>) {
    let Some(image) = component.image() else {
        let (path, message) = if alpha {
            (join(&component.main_path, "image"), "The main container needs an image.")
        } else if component.pod.is_none() {
            (
                component.at("podTemplate"),
                "Every component needs a podTemplate with a container named main and its image, the frontend too.",
            )
        } else if component.main.is_none() {
            (
                component.main_path.clone(),
                "One container must be named main; it is the one that the operator completes.",
            )
        } else {
            (join(&component.main_path, "image"), "The container main needs an image.")
        };
        out.push(Check::error(path, "image", message));
        return;
    };
    if image.contains(char::is_whitespace) {
        let message = format!("The image {} has a space in it; remove it.", quoted(image));
        out.push(Check::error(join(&component.main_path, "image"), "image", message));
    }
    if image_version(image).is_none() && !is_set(component.value, "runtimeVersionOverride") {
        let message = format!(
            "The image {} has no version tag such as {}; set runtimeVersionOverride to the version it holds.",
            quoted(image),
            release.tag()
        );
        out.push(Check::error(component.at("runtimeVersionOverride"), "image-version", message));
    }
}

fn fields(component: &Component<'_>, out: &mut Vec<Check>) {
    let value = component.value;
    if component.untyped {
        let message = "Without a type the operator adds neither ports nor probes; say frontend, worker, prefill, decode or planner.";
        out.push(Check::warning(&component.path, "type-missing", message));
    }
    if is_set(value, "providerOverride") {
        let message = "providerOverride is reserved for the operator; remove it.";
        out.push(Check::error(component.at("providerOverride"), "provider-override", message));
    }
    if let Some(least) = value.get("minAvailable").and_then(Value::as_u64)
        && component.replicas > 0
        && least > component.replicas
    {
        let message = format!(
            "minAvailable is {least}, above the {} replicas; lower it or add replicas.",
            component.replicas
        );
        out.push(Check::error(component.at("minAvailable"), "min-available", message));
    }
    if component.replicas == 0 && (component.role.is_worker() || component.role == Role::Frontend) {
        let message = "With 0 replicas nothing serves here, and requests do not start any; set at least 1.";
        out.push(Check::warning(component.at("replicas"), "no-replicas", message));
    }
    if is_set(value, "eppConfig") {
        let config = &value["eppConfig"];
        if !is_epp(component) {
            let message = "eppConfig belongs to a component of type epp; remove it or set the type.";
            out.push(Check::error(component.at("eppConfig"), "epp", message));
        } else if is_set(config, "configMapRef") == is_set(config, "config") {
            let message = "Exactly one of configMapRef and config is needed.";
            out.push(Check::error(component.at("eppConfig"), "epp", message));
        }
    }
    if is_epp(component) && (component.replicas != 1 || is_set(value, "multinode")) {
        let message = "A component of type epp has one replica on one node.";
        out.push(Check::error(&component.path, "epp", message));
    }
    for key in ["/sharedMemorySize", "/sharedMemory/size"] {
        if value.pointer(key).is_some_and(is_negative) {
            let path = component.at(&key[1..].replace('/', "."));
            out.push(Check::error(path, "quantity", "The size of shared memory must not be negative."));
        }
    }
    if let Some(sidecar) = text(value, "frontendSidecar")
        && let Some(pod) = component.pod
        && !items(pod, "containers", "").iter().any(|(item, _)| text(item, "name") == Some(sidecar))
    {
        let message = format!("No container is named {}; frontendSidecar must name one.", quoted(sidecar));
        out.push(Check::error(component.at("frontendSidecar"), "sidecar", message));
    }
    for (list, spared) in [("containers", Some("main")), ("initContainers", None)] {
        for (item, path) in component.pod.map(|pod| items(pod, list, &component.pod_path)).unwrap_or_default()
        {
            let spared = spared.is_some() && text(item, "name") == spared;
            if !spared && text(item, "image").is_none_or(str::is_empty) {
                let message = "Every container needs an image.";
                out.push(Check::error(join(&path, "image"), "image", message));
            }
        }
    }
    let executor = "nvidia.com/vllm-distributed-executor-backend";
    let annotations = value.pointer("/podTemplate/metadata/annotations");
    if let Some(chosen) = annotations.and_then(|annotations| text(annotations, executor))
        && !["mp", "ray"].contains(&chosen.to_ascii_lowercase().as_str())
    {
        let path = component.at(&format!("podTemplate.metadata.annotations.{executor}"));
        out.push(Check::error(path, "executor", format!("{} must be mp or ray.", quoted(chosen))));
    }
}

fn is_negative(value: &Value) -> bool {
    value.as_f64().is_some_and(|number| number < 0.0)
        || value.as_str().is_some_and(|text| text.starts_with('-'))
}

fn start(component: &Component<'_>, out: &mut Vec<Check>) {
    let replaced = component.main.is_some_and(|main| !is_set(main, "command") && is_set(main, "args"));
    if component.role == Role::Frontend && replaced && component.args.module().is_none() {
        let message =
            "These args replace the operator's own; begin them with -m, dynamo.frontend, or set command.";
        out.push(Check::error(join(&component.main_path, "args"), "frontend-args", message));
    }
    if component.role.is_worker() && component.args.is_empty() && component.main.is_some() {
        let message = "The worker has neither command nor args, so nothing says which model it serves.";
        out.push(Check::warning(&component.main_path, "no-command", message));
    }
}

fn shared_memory(component: &Component<'_>, out: &mut Vec<Check>) {
    let Some(memory) = component.value.get("sharedMemory").filter(|memory| memory.is_object()) else {
        return;
    };
    let disabled = memory.get("disabled").and_then(Value::as_bool).unwrap_or(false);
    let none = match memory.get("size") {
        None | Some(Value::Null) => true,
        Some(Value::String(size)) => {
            size.is_empty() || size.trim_end_matches(char::is_alphabetic).trim_matches(['0', '.']).is_empty()
        }
        Some(size) => size.as_f64() == Some(0.0),
    };
    if !disabled && none {
        let message = "sharedMemory needs a size such as 16Gi, or disabled: true.";
        out.push(Check::error(component.at("sharedMemory"), "shared-memory", message));
    }
}

/// One framework for the whole deployment.
fn frameworks(graph: &Graph<'_>, out: &mut Vec<Check>) {
    let path = graph.at("backendFramework");
    let named = text(graph.spec, "backendFramework");
    let found: BTreeSet<&str> =
        graph.components.iter().filter_map(Component::own_framework).map(Framework::name).collect();
    match (named, found.len()) {
        (Some(named), _) => {
            if let Some(other) = found.iter().find(|found| **found != named) {
                let message = format!(
                    "backendFramework is {named}, and a command runs dynamo.{other}; they must agree."
                );
                out.push(Check::error(path, "framework", message));
            }
        }
        (None, 0) if graph.components.iter().any(|component| component.role.is_worker()) => {
            let message =
                "No command shows which framework runs; set backendFramework to vllm, sglang or trtllm.";
            out.push(Check::warning(path, "framework", message));
        }
        (None, 2..) => {
            let found: Vec<&str> = found.into_iter().collect();
            let message =
                format!("The commands run {}; a deployment has one framework.", found.join(" and "));
            out.push(Check::error(path, "framework", message));
        }
        (None, _) => {}
    }
}

fn grove(graph: &Graph<'_>, out: &mut Vec<Check>) {
    let annotations = graph.value.pointer("/metadata/annotations");
    let off = annotations.and_then(|annotations| text(annotations, GROVE_ANNOTATION)) == Some("false");
    if off {
        for key in
            ["priorityClassName", "topologyConstraint"].into_iter().filter(|key| is_set(graph.spec, key))
        {
            let message = format!("{key} needs Grove, which {GROVE_ANNOTATION} turns off; remove either.");
            out.push(Check::error(graph.at(key), "grove-only", message));
        }
        for component in graph.components.iter().filter(|component| is_set(component.value, "minAvailable")) {
            let message =
                format!("minAvailable needs Grove, which {GROVE_ANNOTATION} turns off; remove either.");
            out.push(Check::error(component.at("minAvailable"), "grove-only", message));
        }
        return;
    }
    let Some(name) = graph.name else { return };
    let components: Vec<(&str, u32)> = graph
        .components
        .iter()
        .map(|component| (component.name, component.nodes.min(u64::from(u32::MAX)) as u32))
        .collect();
    let names = grove_names(name, &components);
    for (component, verdict) in
        graph.components.iter().zip(&names.components).filter(|(_, verdict)| !verdict.fits())
    {
        let nodes = if verdict.multinode { "over several nodes" } else { "on one node" };
        let message = format!(
            "Pods of {} are named with {} characters, {} of them the deployment's, shortened to {}; Grove has {GROVE_NAME}. A component {nodes} has a name of at most {} characters.",
            verdict.component,
            verdict.total,
            names.name.chars().count(),
            names.name,
            longest_grove_component(if verdict.multinode { 2 } else { 1 }).min(GROVE_NAME)
        );
        let path = if graph.alpha { component.path.clone() } else { component.at("name") };
        out.push(Check::error(path, "grove-name", message));
    }
}
