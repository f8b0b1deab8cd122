//! The deployment in version `v1alpha1` of the API: services by name.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::beta::{Multinode, env, node_selector, tolerations, words};
use super::volumes;
use crate::manifest::write::deployment::Deployment;
use crate::manifest::write::graph::{Graph, Kind, Part};
use crate::manifest::write::objects::{Env, Mount, Named, Toleration, Volume};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec<'a> {
    backend_framework: &'static str,
    services: Services<'a>,
}

/// Services by name, in the order of the components.
struct Services<'a>(Vec<(&'static str, Service<'a>)>);

impl Serialize for Services<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, service)| (name, service)))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Service<'a> {
    component_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_component_type: Option<&'static str>,
    replicas: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    multinode: Option<Multinode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resources: Option<Resources>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shared_memory: Option<SharedMemory>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scaling_adapter: Option<Adapter>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    envs: Vec<Env<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    env_from_secret: Option<&'static str>,
    extra_pod_spec: Pod<'a>,
}

#[derive(Serialize)]
struct Resources {
    limits: Limits,
}

#[derive(Serialize)]
struct Limits {
    gpu: String,
}

#[derive(Serialize)]
struct SharedMemory {
    size: &'static str,
}

#[derive(Serialize)]
struct Adapter {
    enabled: bool,
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
    main_container: Container<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    volumes: Vec<Volume<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Container<'a> {
    image: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    working_dir: Option<&'static str>,
    command: &'a [&'static str],
    args: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    volume_mounts: Vec<Mount<'a>>,
}

pub(super) fn spec<'a>(deployment: &'a Deployment<'_>, graph: &'a Graph) -> Spec<'a> {
    let secret = deployment.options.extras.pull_secret.as_deref();
    let services = graph.parts.iter().map(|part| (part.name, service(part, secret))).collect();
    Spec { backend_framework: deployment.selection.scenario.backend.name(), services: Services(services) }
}

fn service<'a>(part: &'a Part, pull_secret: Option<&'a str>) -> Service<'a> {
    let (component_type, sub_component_type) = match part.kind {
        Kind::Frontend => ("frontend", None),
        Kind::Worker => ("worker", None),
        Kind::Prefill => ("worker", Some("prefill")),
        Kind::Decode => ("worker", Some("decode")),
        Kind::Planner => ("planner", None),
    };
    let (volumes, volume_mounts) = volumes(part);
    Service {
        component_type,
        sub_component_type,
        replicas: part.replicas,
        multinode: (part.nodes > 1).then_some(Multinode { node_count: part.nodes }),
        resources: part.gpus.map(|gpus| Resources { limits: Limits { gpu: gpus.to_string() } }),
        shared_memory: part.shared_memory.map(|size| SharedMemory { size }),
        scaling_adapter: part.is_scaled.then_some(Adapter { enabled: true }),
        envs: env(part),
        env_from_secret: part.secret,
        extra_pod_spec: Pod {
            node_selector: node_selector(part),
            tolerations: tolerations(part),
            image_pull_secrets: pull_secret.map(|name| Named { name }).into_iter().collect(),
            main_container: Container {
                image: &part.image,
                working_dir: part.folder,
                command: &part.command,
                args: words(part),
                volume_mounts,
            },
            volumes,
        },
    }
}
