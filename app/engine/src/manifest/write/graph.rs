//! A deployment as components, whichever version of the API they are written for.

use super::annotate::Note;
use super::deployment::{Deployment, TOKEN_SECRET};
use super::engine::{Arg, engine, module};
use super::planner::{self, Planner};
use super::pool::{Pool, Role, number_of};
use super::{DgdApi, Options};
use crate::backend::Backend;
use crate::format::count;
use crate::manifest::Check;
use crate::manifest::sku::{collective_env, gpu_product, is_rack, shared_memory};

/// Key of the planner's settings in their `ConfigMap`.
pub(super) const PLANNER_FILE: &str = "planner_config.json";
const PLANNER_FOLDER: &str = "/workspace/planner_config";
const ENGINE_FOLDER: &str = "/engine";

/// What a component is to the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Frontend,
    Worker,
    Prefill,
    Decode,
    Planner,
}

/// A component.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) replicas: u32,
    /// Nodes of one replica.
    pub(super) nodes: u32,
    /// GPUs of a pod.
    pub(super) gpus: Option<u32>,
    pub(super) shared_memory: Option<&'static str>,
    /// Whether the planner sets the number of replicas.
    pub(super) is_scaled: bool,
    pub(super) image: String,
    pub(super) folder: Option<&'static str>,
    pub(super) command: Vec<&'static str>,
    pub(super) args: Vec<Arg>,
    pub(super) env: Vec<(String, String)>,
    /// Secret with the token of the Hub.
    pub(super) secret: Option<&'static str>,
    pub(super) volumes: Vec<Volume>,
    /// Nodes it must run on.
    pub(super) nodes_like: Option<Nodes>,
    /// Why it is there.
    pub(super) about: String,
}

/// A volume and where it is mounted.
#[derive(Clone, Debug)]
pub(super) struct Volume {
    pub(super) name: &'static str,
    pub(super) source: Source,
    pub(super) mount: String,
}

/// Where the files of a volume come from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Claim(String),
    ConfigMap(String),
}

/// Nodes with the right GPUs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nodes {
    pub(super) product: &'static str,
    pub(super) is_arm: bool,
}

/// Files that components mount.
#[derive(Clone, Debug)]
pub(super) struct ConfigMap {
    pub(super) name: String,
    pub(super) files: Vec<(String, String)>,
    pub(super) notes: Vec<Note>,
}

/// A deployment as components.
#[derive(Clone, Debug)]
pub(super) struct Graph {
    pub(super) configs: Vec<ConfigMap>,
    pub(super) parts: Vec<Part>,
}

/// Breaks a deployment into components.
pub(super) fn graph(deployment: &Deployment<'_>) -> Result<Graph, Vec<Check>> {
    let mut parts = vec![frontend(deployment)];
    let mut settings =
        ConfigMap { name: format!("{}-engine", deployment.name), files: Vec::new(), notes: Vec::new() };
    for pool in &deployment.pools {
        let file = format!("{}.yaml", pool.role.name());
        let built = engine(deployment, pool, &format!("{ENGINE_FOLDER}/{file}"))?;
        let mut part = worker(deployment, pool, built.args);
        if let Some((yaml, notes)) = built.file {
            settings.notes.extend(notes.into_iter().map(|note| note.silent().below(&format!("data.{file}"))));
            settings.files.push((file, yaml.text));
            let source = Source::ConfigMap(settings.name.clone());
            part.volumes.push(Volume { name: "engine", source, mount: ENGINE_FOLDER.to_owned() });
        }
        parts.push(part);
    }
    let mut configs = Vec::new();
    if !settings.files.is_empty() {
        configs.push(settings);
    }
    if deployment.has_planner()
        && let Some(planner) = Planner::of_deployment(deployment)
    {
        let json = serde_json::to_string_pretty(&planner).map_err(|error| {
            vec![Check::error("", "json", format!("The planner's settings cannot be written: {error}."))]
        })?;
        let name = format!("{}-planner", deployment.name);
        let path = format!("data.{PLANNER_FILE}");
        let notes = planner::notes(deployment).iter().map(|note| note.below(&path)).collect();
        configs.push(ConfigMap {
            name: name.clone(),
            files: vec![(PLANNER_FILE.to_owned(), json + "\n")],
            notes,
        });
        parts.push(planner_part(deployment, name));
    }
    Ok(Graph { configs, parts })
}

fn arg<const N: usize>(words: [&str; N], why: &str) -> Arg {
    Arg { words: words.map(str::to_owned).to_vec(), why: why.to_owned(), is_told: false }
}

fn part(name: &'static str, kind: Kind, image: String, about: String) -> Part {
    Part {
        name,
        kind,
        replicas: 1,
        nodes: 1,
        gpus: None,
        shared_memory: None,
        is_scaled: false,
        image,
        folder: None,
        command: Vec::new(),
        args: Vec::new(),
        env: Vec::new(),
        secret: Some(TOKEN_SECRET),
        volumes: Vec::new(),
        nodes_like: None,
        about,
    }
}

/// The volume with models, which every component mounts.
fn model_volume(deployment: &Deployment<'_>, part: &mut Part) {
    if let Some((mount, claim)) = deployment.volume() {
        let source = Source::Claim(claim.to_owned());
        part.volumes.push(Volume { name: "model-cache", source, mount: mount.to_owned() });
    }
    if let Some(cache) = deployment.hub_cache() {
        part.env.push(("HF_HOME".to_owned(), cache.to_owned()));
    }
}

/// The frontend: it needs no GPU, so nothing ties it to nodes that have some.
fn frontend(deployment: &Deployment<'_>) -> Part {
    let about = "The frontend: one address for clients.".to_owned();
    let mut out = part("Frontend", Kind::Frontend, deployment.engine_image(), about);
    out.command = vec!["python3", "-m", "dynamo.frontend"];
    out.args = vec![arg(["--http-port", "8000"], "The port of the service.")];
    if let Some(folder) = deployment.model_folder() {
        let why = "The model is read from the volume.";
        out.args.push(arg(["--model-name", &deployment.selection.model.id], why));
        out.args.push(arg(["--model-path", &folder], why));
    }
    if deployment.options.extras.kv_router {
        out.env.push(("DYN_ROUTER_MODE".to_owned(), "kv".to_owned()));
    }
    model_volume(deployment, &mut out);
    out
}

fn worker(deployment: &Deployment<'_>, pool: &Pool<'_>, args: Vec<Arg>) -> Part {
    let backend = deployment.selection.scenario.backend;
    let extras = &deployment.options.extras;
    let kind = match pool.role {
        Role::Worker | Role::Encode => Kind::Worker,
        Role::Prefill => Kind::Prefill,
        Role::Decode => Kind::Decode,
    };
    let mut out = part(pool.role.name(), kind, deployment.engine_image(), pool.sentence());
    (out.replicas, out.nodes, out.gpus) = (pool.count, pool.nodes, Some(pool.gpus_per_node));
    out.shared_memory = shared_memory(pool.system, pool.role == Role::Decode);
    out.is_scaled = deployment.is_scaled() && matches!(kind, Kind::Prefill | Kind::Decode);
    out.folder = Some(match backend {
        Backend::Vllm => "/workspace/examples/backends/vllm",
        Backend::Sglang => "/workspace/examples/backends/sglang",
        Backend::Trtllm => "/workspace/",
    });
    out.command = vec!["python3", "-m", module(backend)];
    out.args = args;
    let pairs = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    out.env.extend(collective_env(pool.system).into_iter().map(pairs));
    if backend == Backend::Vllm && deployment.has_planner() && kind != Kind::Worker {
        out.env.push(pairs(("DYN_BENCHMARK_MODE", pool.role.name())));
    }
    model_volume(deployment, &mut out);
    for (name, value) in &extras.env {
        out.env.retain(|(have, _)| have != name);
        out.env.push((name.clone(), value.clone()));
    }
    // Different GPUs for prefill and decode only work where each finds its own.
    if extras.pin_nodes || deployment.has_two_systems() {
        let is_arm = is_rack(pool.system);
        out.nodes_like = gpu_product(&pool.system.id).map(|product| Nodes { product, is_arm });
    }
    out
}

fn planner_part(deployment: &Deployment<'_>, settings: String) -> Part {
    let about = if deployment.is_scaled() {
        "The planner: it scales prefill and decode workers to keep the SLA."
    } else {
        "The planner: it computes and logs what it would do."
    };
    let image = deployment.options.released_image("dynamo-planner");
    let mut out = part("Planner", Kind::Planner, image, about.to_owned());
    out.secret = None;
    out.command = vec!["python3", "-m", "dynamo.planner"];
    let file = format!("{PLANNER_FOLDER}/{PLANNER_FILE}");
    out.args = vec![arg(["--config", &file], "The settings in the ConfigMap above.")];
    let source = Source::ConfigMap(settings);
    out.volumes.push(Volume { name: "planner-config", source, mount: PLANNER_FOLDER.to_owned() });
    out
}

/// Where the fields of a component stand in a version of the API.
pub(super) struct Fields {
    api: DgdApi,
    base: String,
}

impl Fields {
    pub(super) fn of(api: DgdApi, part: &Part) -> Self {
        let list = match api {
            DgdApi::V1Beta1 => "spec.components",
            DgdApi::V1Alpha1 => "spec.services",
        };
        Self { api, base: format!("{list}.{}", part.name) }
    }

    fn at(&self, field: &str) -> String {
        format!("{}.{field}", self.base)
    }

    /// A field of the container.
    fn main(&self, field: &str) -> String {
        self.at(&match self.api {
            DgdApi::V1Beta1 => format!("podTemplate.spec.containers.main.{field}"),
            DgdApi::V1Alpha1 => format!("extraPodSpec.mainContainer.{field}"),
        })
    }

    /// Comments and reasons of a component.
    pub(super) fn notes(&self, part: &Part, deployment: &Deployment<'_>) -> Vec<Note> {
        let Options { release, .. } = deployment.options;
        let backend = deployment.selection.scenario.backend;
        let (gpus, node, memory, env, pod) = match self.api {
            DgdApi::V1Beta1 => (
                self.main("resources.limits.nvidia.com/gpu"),
                self.at("multinode.nodeCount"),
                self.at("sharedMemorySize"),
                self.main("env"),
                self.at("podTemplate.spec"),
            ),
            DgdApi::V1Alpha1 => (
                self.at("resources.limits.gpu"),
                self.at("multinode.nodeCount"),
                self.at("sharedMemory.size"),
                self.at("envs"),
                self.at("extraPodSpec"),
            ),
        };
        let inside = release.engine(backend).filter(|_| part.kind != Kind::Planner);
        let inside =
            inside.map_or_else(String::new, |version| format!(" with {} {version}", backend.label()));
        let replicas = match part.kind {
            Kind::Frontend | Kind::Planner => "One is enough.".to_owned(),
            _ => format!("{} of the selected point.", count(part.replicas.into())),
        };
        let mut notes = vec![
            Note::comment(self.base.clone(), part.about.clone()),
            Note::reason(self.at("replicas"), replicas),
            Note::reason(self.main("image"), format!("Dynamo {}{inside}.", release.tag())),
            Note::reason(self.main("workingDir"), "Where the image has the engine's examples."),
            Note::reason(memory, "Ranks exchange data through it; the default is 8Gi."),
            Note::reason(self.at("scalingAdapter"), "Lets the planner set the number of replicas."),
            Note::reason(format!("{pod}.nodeSelector"), "Nodes with the GPU of the question."),
            Note::reason(format!("{pod}.imagePullSecrets"), "Credentials for the registry."),
        ];
        if let Some(limit) = part.gpus {
            let whole = part.nodes * limit;
            let why = match part.nodes {
                1 => format!("{} of a worker.", number_of(whole.into(), "GPU")),
                nodes => format!("Of {whole} GPUs of a worker, those of one of {nodes} nodes."),
            };
            notes.push(Note::reason(gpus, why));
            notes.push(Note::reason(node, "A worker has more GPUs than a node."));
        }
        for arg in &part.args {
            let path = self.main(&format!("args.{}", arg.words[0]));
            let note = if arg.is_told { Note::comment } else { Note::reason };
            notes.push(note(path, arg.why.as_str()));
        }
        for (name, _) in &part.env {
            notes.push(Note::reason(format!("{env}.{name}"), env_reason(name)));
        }
        notes
    }
}

fn env_reason(name: &str) -> &'static str {
    match name {
        "DYN_ROUTER_MODE" => "Requests go where their prefix is cached.",
        "DYN_BENCHMARK_MODE" => "The planner starts from what the worker measures of itself.",
        "HF_HOME" => "The volume is a cache of the Hugging Face Hub.",
        name if name.starts_with("NCCL_") || name.starts_with("UCX_") => {
            "Wanted by the collectives on this GPU."
        }
        _ => "Chosen at export.",
    }
}
