//! The deployment in version `v1beta1` of the API: components around pod templates.

use std::collections::BTreeMap;

use serde::Serialize;

use super::volumes;
use crate::manifest::write::deployment::Deployment;
use crate::manifest::write::graph::{Graph, Kind, Part};
use crate::manifest::write::objects::{Env, EnvFrom, GPU_TAINT, Mount, Named, Resources, Toleration, Volume};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec<'a> {
    backend_framework: &'static str,
    components: Vec<Component<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Component<'a> {
    name: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    replicas: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    multinode: Option<Multinode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shared_memory_size: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scaling_adapter: Option<Adapter>,
    pod_template: Template<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Multinode {
    pub(super) node_count: u32,
}

/// Present is enough.
#[derive(Serialize)]
struct Adapter {}

#[derive(Serialize)]
struct Template<'a> {
    spec: Pod<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pod<'a> {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    node_selector: BTreeMap<&'static str, &'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tolerations: Vec<Toleration>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    image_pull_secrets: Vec<Named<'a>>,
    containers: Vec<Container<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    volumes: Vec<Volume<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Container<'a> {
    name: &'static str,
    image: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    working_dir: Option<&'static str>,
    command: &'a [&'static str],
    args: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    env: Vec<Env<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    env_from: Vec<EnvFrom>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resources: Option<Resources>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    volume_mounts: Vec<Mount<'a>>,
}

pub(super) fn spec<'a>(deployment: &'a Deployment<'_>, graph: &'a Graph) -> Spec<'a> {
    let secret = deployment.options.extras.pull_secret.as_deref();
    Spec {
        backend_framework: deployment.selection.scenario.backend.name(),
        components: graph.parts.iter().map(|part| component(part, secret)).collect(),
    }
}

/// Labels of the nodes a component must run on.
pub(super) fn node_selector(part: &Part) -> BTreeMap<&'static str, &'static str> {
    let labels = part.nodes_like.into_iter().flat_map(|nodes| {
        let arm = nodes.is_arm.then_some(("kubernetes.io/arch", "arm64"));
        [("nvidia.com/gpu.product", nodes.product)].into_iter().chain(arm)
    });
    labels.collect()
}

pub(super) fn tolerations(part: &Part) -> Vec<Toleration> {
    part.nodes_like.map(|_| GPU_TAINT).into_iter().collect()
}

pub(super) fn env(part: &Part) -> Vec<Env<'_>> {
    part.env.iter().map(|(name, value)| Env { name, value }).collect()
}

pub(super) fn words(part: &Part) -> Vec<&str> {
    part.args.iter().flat_map(|arg| arg.words.iter().map(String::as_str)).collect()
}

fn component<'a>(part: &'a Part, pull_secret: Option<&'a str>) -> Component<'a> {
    let kind = match part.kind {
        Kind::Frontend => "frontend",
        Kind::Worker => "worker",
        Kind::Prefill => "prefill",
        Kind::Decode => "decode",
        Kind::Planner => "planner",
    };
    let (volumes, volume_mounts) = volumes(part);
    let main = Container {
        name: "main",
        image: &part.image,
        working_dir: part.folder,
        command: &part.command,
        args: words(part),
        env: env(part),
        env_from: part.secret.map(|name| EnvFrom { secret_ref: Named { name } }).into_iter().collect(),
        resources: part.gpus.map(Resources::gpus),
        volume_mounts,
    };
    Component {
        name: part.name,
        kind,
        replicas: part.replicas,
        multinode: (part.nodes > 1).then_some(Multinode { node_count: part.nodes }),
        shared_memory_size: part.shared_memory,
        scaling_adapter: part.is_scaled.then_some(Adapter {}),
        pod_template: Template {
            spec: Pod {
                node_selector: node_selector(part),
                tolerations: tolerations(part),
                image_pull_secrets: pull_secret.map(|name| Named { name }).into_iter().collect(),
                containers: vec![main],
                volumes,
            },
        },
    }
}
