//! A deployment: its workers, their arguments, replicas and GPUs, and what its planner is told.

use super::MAX_WORKERS;
use super::command::{self, Context};
use super::node::Node;
use super::place::Deployed;
use super::planner;
use super::question::Question;
use super::settings::{Role, Said};
use super::shell::{self, File, Variables, Word};
use crate::manifest::yaml;
use crate::parallel::WorkerRole;
use crate::text::Why;

/// Label of a node with the name of its GPUs.
const PRODUCT: &str = "nvidia.com/gpu.product";

const COMPONENT: &[&str] = &[
    "name",
    "type",
    "replicas",
    "minAvailable",
    "multinode",
    "sharedMemorySize",
    "scalingAdapter",
    "podTemplate",
    "runtimeVersionOverride",
    "compilationCache",
    "modelRef",
    "globalDynamoNamespace",
    "frontendSidecar",
    "eppConfig",
    "topologyConstraint",
    "providerOverride",
    "experimental",
];
const SERVICE: &[&str] = &[
    "componentType",
    "subComponentType",
    "replicas",
    "minAvailable",
    "multinode",
    "resources",
    "envs",
    "envFromSecret",
    "livenessProbe",
    "readinessProbe",
    "sharedMemory",
    "scalingAdapter",
    "extraPodSpec",
    "extraPodMetadata",
    "labels",
    "annotations",
    "volumeMounts",
    "modelRef",
    "runtimeVersionOverride",
    "ingress",
    "autoscaling",
    "dynamoNamespace",
    "globalDynamoNamespace",
    "serviceName",
    "gpuMemoryService",
    "failover",
    "checkpoint",
    "eppConfig",
    "topologyConstraint",
    "providerOverride",
    "frontendSidecar",
];

/// What a component is, whatever the version of its API.
struct Component<'a> {
    node: Node<'a>,
    /// Its kind, such as `prefill`.
    kind: Option<Said<String>>,
    main: Option<Node<'a>>,
    pod: Option<Node<'a>>,
    gpus: Option<Node<'a>>,
    env: Vec<Node<'a>>,
}

/// Files of a `ConfigMap`, under its name.
pub(super) fn files(root: &Node<'_>, out: &mut Vec<File>) {
    let name = root.at(&["metadata", "name"]).and_then(|name| name.value().as_str()).unwrap_or_default();
    for (key, value) in root.get("data").iter().flat_map(Node::entries) {
        if let Some(text) = value.value().as_str() {
            out.push(File { path: format!("{name}/{key}"), text: text.to_owned(), line: value.text_line() });
        }
    }
}

/// Workers of a deployment; what it says about the question goes there.
pub(super) fn read(root: &Node<'_>, files: &[File], question: &mut Question<'_>) -> Vec<Deployed> {
    let Some(spec) = root.group("spec", &mut question.notes) else {
        root.unread(&mut question.notes, &Why::NotMap);
        return Vec::new();
    };
    let known = [
        "components",
        "services",
        "backendFramework",
        "env",
        "envs",
        "labels",
        "annotations",
        "priorityClassName",
        "topologyConstraint",
        "providerOverride",
        "restart",
        "experimental",
        "pvcs",
        "dynamoGraph",
        "dynamoNamespace",
    ];
    spec.only(&known, &mut question.notes);
    if let Some(said) = spec.get("backendFramework").and_then(|node| node.text(&mut question.notes)) {
        question.backend_name(&said);
    }
    let mut shared = Variables::new();
    for key in ["env", "envs"] {
        environment(&spec.get(key).map(|node| node.items()).unwrap_or_default(), &mut shared);
    }
    let mut out = Vec::new();
    let mut components = components(&spec, question);
    // GPUs of prefill workers are the system of the question, those of decode workers may differ.
    components.sort_by_key(|one| role(one) == Some(Role::Worker(WorkerRole::Decode)));
    for component in &components {
        deployed(component, files, &shared, question, &mut out);
    }
    out
}

fn components<'a>(spec: &Node<'a>, question: &mut Question<'_>) -> Vec<Component<'a>> {
    let notes = &mut question.notes;
    let mut out = Vec::new();
    for node in spec.get("components").iter().flat_map(Node::items) {
        node.only(COMPONENT, notes);
        let pod = node.at(&["podTemplate", "spec"]);
        let containers = pod.as_ref().and_then(|pod| pod.get("containers")).map(|list| list.items());
        let is_main = |container: &Node<'_>| container.get("name").is_some_and(|n| n.value() == "main");
        let main = containers.into_iter().flatten().find(is_main);
        let gpus = main.as_ref().and_then(|main| main.at(&["resources", "limits", "nvidia.com/gpu"]));
        let env = main.as_ref().and_then(|main| main.get("env")).map(|env| env.items());
        let kind = node.get("type").and_then(|kind| kind.text(notes));
        out.push(Component { node, kind, main, pod, gpus, env: env.unwrap_or_default() });
    }
    for (_, node) in spec.get("services").iter().flat_map(Node::entries) {
        node.only(SERVICE, notes);
        let pod = node.get("extraPodSpec");
        let main = pod.as_ref().and_then(|pod| pod.get("mainContainer"));
        let gpus = node.at(&["resources", "limits", "gpu"]);
        let both = [node.get("envs"), main.as_ref().and_then(|main| main.get("env"))];
        let env = both.iter().flatten().flat_map(Node::items).collect();
        let kind = node.get("componentType").and_then(|kind| kind.text(notes));
        let part = node.get("subComponentType").and_then(|kind| kind.text(notes));
        let kind =
            if kind.as_ref().is_some_and(|kind| kind.value == "worker") { part.or(kind) } else { kind };
        out.push(Component { node, kind, main, pod, gpus, env });
    }
    if out.is_empty() {
        spec.unread(notes, &Why::NoWorkers);
    }
    if out.len() > MAX_WORKERS {
        notes.unread(None, "", &Why::More(out.len() - MAX_WORKERS));
        out.truncate(MAX_WORKERS);
    }
    out
}

fn environment(items: &[Node<'_>], out: &mut Variables) {
    for item in items {
        let text = |key: &str| item.get(key).and_then(|node| node.value().as_str());
        if let (Some(name), Some(value)) = (text("name"), text("value")) {
            out.insert(name.to_owned(), value.to_owned());
        }
    }
}

fn role(component: &Component<'_>) -> Option<Role> {
    Some(match component.kind.as_ref()?.value.as_str() {
        "prefill" => Role::Worker(WorkerRole::Prefill),
        "decode" => Role::Worker(WorkerRole::Decode),
        "worker" => Role::Worker(WorkerRole::Agg),
        _ => Role::Other,
    })
}

fn deployed(
    component: &Component<'_>,
    files: &[File],
    shared: &Variables,
    question: &mut Question<'_>,
    out: &mut Vec<Deployed>,
) {
    let kind = component.kind.as_ref().map_or("", |kind| kind.value.as_str());
    if matches!(kind, "frontend" | "epp") {
        return;
    }
    let Some(main) = &component.main else {
        return component.node.unread(&mut question.notes, &Why::NoMain);
    };
    let mut variables = shared.clone();
    environment(&component.env, &mut variables);
    let words = words(main, &variables, question);
    let mounts = mounts(component, main);
    if kind == "planner" {
        return plan(&words, files, &mounts, question);
    }
    let context = Context { variables: &variables, files, mounts: &mounts };
    let started = command::read(&words, &context, &mut question.notes);
    if started.is_empty() {
        // A component of another kind is none of the workers; one without a kind may be anything.
        if matches!(kind, "worker" | "prefill" | "decode") {
            main.unread(&mut question.notes, &Why::UnknownCommand);
        }
        return;
    }
    let role = role(component);
    let product = component.pod.as_ref().and_then(|pod| pod.at(&["nodeSelector", PRODUCT]));
    if let Some(said) = product.and_then(|node| node.text(&mut question.notes)) {
        if role == Some(Role::Worker(WorkerRole::Decode)) && question.says("system") {
            question.decode_system(&said);
        } else {
            question.system(&said);
        }
    }
    let replicas = match component.node.get("replicas") {
        None => Some(Said { value: 1, line: component.node.line() }),
        // Nothing runs.
        Some(node) => node.whole(&mut question.notes),
    };
    let Some(replicas) = replicas else { return };
    let nodes = component.node.at(&["multinode", "nodeCount"]);
    let nodes = nodes.and_then(|node| node.whole(&mut question.notes)).map_or(1, |said| said.value);
    let gpus = component.gpus.as_ref().and_then(|node| node.whole(&mut question.notes));
    let gpus = gpus.map(|said| Said { value: said.value.saturating_mul(nodes), ..said });
    for started in started {
        question.worker(&started);
        out.push(Deployed { started, replicas: Some(replicas.clone()), gpus: gpus.clone(), role });
    }
}

/// Command and arguments of a container, each with its line.
fn words(main: &Node<'_>, variables: &Variables, question: &mut Question<'_>) -> Vec<Word> {
    let mut out = Vec::new();
    for key in ["command", "args"] {
        let Some(list) = main.get(key) else { continue };
        if !list.value().is_array() {
            list.unread(&mut question.notes, &Why::NotList);
        }
        for item in list.items() {
            let Some(said) = item.text(&mut question.notes) else { continue };
            // A script is filled in when it is read.
            let is_script = said.value.contains(['\n', ' ']);
            let filled = said.value.contains("$(") && !is_script;
            let (text, unset) = if filled { shell::fill(&said.value, variables) } else { (said.value, None) };
            out.push(Word { text, line: item.text_line(), unset });
        }
    }
    out
}

/// Where each `ConfigMap` is mounted: path and name.
fn mounts(component: &Component<'_>, main: &Node<'_>) -> Vec<(String, String)> {
    let text = |node: Option<Node<'_>>| node.and_then(|node| node.value().as_str().map(str::to_owned));
    let volumes = component.pod.as_ref().and_then(|pod| pod.get("volumes")).map(|list| list.items());
    let volumes: Vec<(String, String)> = volumes
        .iter()
        .flatten()
        .filter_map(|volume| Some((text(volume.get("name"))?, text(volume.at(&["configMap", "name"]))?)))
        .collect();
    let mounts = main.get("volumeMounts").map(|list| list.items()).unwrap_or_default();
    let found = mounts.iter().filter_map(|mount| {
        let volume = text(mount.get("name"))?;
        let (_, map) = volumes.iter().find(|(name, _)| *name == volume)?;
        Some((text(mount.get("mountPath"))?, map.clone()))
    });
    found.collect()
}

/// What the planner of a deployment is told.
fn plan(words: &[Word], files: &[File], mounts: &[(String, String)], question: &mut Question<'_>) {
    let at = words.iter().position(|word| word.text == "--config");
    let Some(config) = at.and_then(|at| words.get(at + 1)) else { return };
    let (text, line) = if config.text.trim_start().starts_with('{') {
        (config.text.as_str(), config.line)
    } else if let Some(file) = command::file(&config.text, files, mounts) {
        (file.text.as_str(), file.line)
    } else {
        return question.notes.unread(Some(config.line), &config.text, &Why::MissingFile(&config.text));
    };
    inside(text, line, question);
}

/// A planner configuration inside of another text.
fn inside(text: &str, line: u32, question: &mut Question<'_>) {
    match yaml::documents(text) {
        Ok(documents) => {
            for document in &documents {
                planner::read(&Node::inside(document, line), question);
            }
        }
        Err(check) => question.notes.unread(Some(line), text, &Why::BadFile(&check.message)),
    }
}
