//! A deployment, in either version of its API, seen as components.

mod admission;
mod args;
mod engine;
mod experts;
mod gpus;
mod planner;
mod trtllm;

use serde_json::Value;

use self::args::Args;
use super::files::{Files, Source};
use super::pod::{self, items};
use crate::manifest::names::{image_name, image_version, semver_core};
use crate::manifest::yaml::join;
use crate::manifest::{Check, Dynamo};

pub(super) use self::planner::file as planner_file;
pub(super) use self::trtllm::{check as check_engine, looks_like as looks_like_engine};

/// The API takes 25; the schema says so, and what is beyond twice as many is left to it.
const MAX_COMPONENTS: usize = 50;

/// What a component does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Frontend,
    Worker,
    Prefill,
    Decode,
    Planner,
    Other,
}

impl Role {
    fn is_worker(self) -> bool {
        matches!(self, Self::Worker | Self::Prefill | Self::Decode)
    }
}

/// What runs the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framework {
    Vllm,
    Sglang,
    TrtLlm,
}

impl Framework {
    const ALL: [Self; 3] = [Self::Vllm, Self::Sglang, Self::TrtLlm];

    fn name(self) -> &'static str {
        match self {
            Self::Vllm => "vllm",
            Self::Sglang => "sglang",
            Self::TrtLlm => "trtllm",
        }
    }

    fn image(self) -> &'static str {
        match self {
            Self::Vllm => "vllm-runtime",
            Self::Sglang => "sglang-runtime",
            Self::TrtLlm => "tensorrtllm-runtime",
        }
    }
}

/// One component.
pub(super) struct Component<'a> {
    value: &'a Value,
    path: String,
    name: &'a str,
    /// What its type says.
    role: Role,
    /// Whether it has no type.
    untyped: bool,
    /// Specification of its pod.
    pod: Option<&'a Value>,
    pod_path: String,
    /// Its main container.
    main: Option<&'a Value>,
    main_path: String,
    args: Args<'a>,
    replicas: u64,
    nodes: u64,
    /// Whether a scaling adapter owns its replicas.
    scaled: bool,
}

/// A deployment.
pub(super) struct Graph<'a> {
    name: Option<&'a str>,
    value: &'a Value,
    spec: &'a Value,
    path: String,
    alpha: bool,
    /// What every worker runs, when that is known.
    framework: Option<Framework>,
    pub(super) components: Vec<Component<'a>>,
}

/// Checks a deployment as its operator, its engines and its planner would.
pub(super) fn check(document: &Value, release: Dynamo, files: &Files<'_>, out: &mut Vec<Check>) {
    let graph = Graph::below(document, "");
    admission::check(&graph, release, out);
    for component in &graph.components {
        component.pod(files, out);
    }
    gpus::check(&graph, files, out);
    engine::check(&graph, release, files, out);
    planner::check(&graph, release, files, out);
}

impl<'a> Graph<'a> {
    /// The deployment whose document stands at a path.
    pub(super) fn below(document: &'a Value, path: &str) -> Self {
        let alpha = document.get("apiVersion").and_then(Value::as_str) == Some("nvidia.com/v1alpha1");
        let spec = document.get("spec").unwrap_or(&Value::Null);
        let path = join(path, "spec");
        let components: Vec<Component<'a>> = if alpha {
            let services = spec.get("services").and_then(Value::as_object).into_iter().flatten();
            let at = join(&path, "services");
            services
                .take(MAX_COMPONENTS)
                .map(|(name, value)| alpha_component(name, value, join(&at, name)))
                .collect()
        } else {
            items(spec, "components", &path)
                .into_iter()
                .take(MAX_COMPONENTS)
                .map(|(value, path)| beta_component(value, path))
                .collect()
        };
        let named = text(spec, "backendFramework");
        let framework = Framework::ALL
            .into_iter()
            .find(|framework| Some(framework.name()) == named)
            .or_else(|| components.iter().find_map(Component::own_framework));
        Self {
            name: super::object::name(document),
            value: document,
            spec,
            path,
            alpha,
            framework,
            components,
        }
    }

    fn at(&self, key: &str) -> String {
        join(&self.path, key)
    }

    fn with_role(&self, role: Role) -> impl Iterator<Item = &Component<'a>> {
        self.components.iter().filter(move |component| component.role() == role)
    }

    fn planner(&self) -> Option<&Component<'a>> {
        self.components.iter().find(|component| component.role == Role::Planner)
    }
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

fn count(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or(1)
}

fn beta_component(value: &Value, path: String) -> Component<'_> {
    let (pod_path, pod) = (join(&path, "podTemplate.spec"), value.pointer("/podTemplate/spec"));
    let main = pod.and_then(|pod| {
        items(pod, "containers", &pod_path).into_iter().find(|(item, _)| text(item, "name") == Some("main"))
    });
    let (main, main_path) =
        main.map_or_else(|| (None, join(&pod_path, "containers")), |(main, path)| (Some(main), path));
    let role = match text(value, "type") {
        Some("frontend") => Role::Frontend,
        Some("worker") => Role::Worker,
        Some("prefill") => Role::Prefill,
        Some("decode") => Role::Decode,
        Some("planner") => Role::Planner,
        _ => Role::Other,
    };
    Component {
        value,
        name: text(value, "name").unwrap_or_default(),
        role,
        untyped: value.get("type").is_none_or(Value::is_null),
        pod,
        pod_path,
        main,
        args: Args::new(main, &main_path),
        main_path,
        replicas: count(value, "/replicas"),
        nodes: count(value, "/multinode/nodeCount"),
        scaled: value.get("scalingAdapter").is_some_and(Value::is_object),
        path,
    }
}

fn alpha_component<'a>(name: &'a str, value: &'a Value, path: String) -> Component<'a> {
    let (pod_path, pod) = (join(&path, "extraPodSpec"), value.get("extraPodSpec"));
    let (main_path, main) = (join(&pod_path, "mainContainer"), value.pointer("/extraPodSpec/mainContainer"));
    let role = match (text(value, "componentType"), text(value, "subComponentType")) {
        (Some("frontend"), _) => Role::Frontend,
        (Some("worker"), Some("prefill")) | (Some("prefill"), _) => Role::Prefill,
        (Some("worker"), Some("decode")) | (Some("decode"), _) => Role::Decode,
        (Some("worker"), _) => Role::Worker,
        (Some("planner"), _) => Role::Planner,
        _ => Role::Other,
    };
    Component {
        value,
        name,
        role,
        untyped: value.get("componentType").is_none_or(Value::is_null),
        pod,
        pod_path,
        main,
        args: Args::new(main, &main_path),
        main_path,
        replicas: count(value, "/replicas"),
        nodes: count(value, "/multinode/nodeCount"),
        scaled: value.pointer("/scalingAdapter/enabled").and_then(Value::as_bool).unwrap_or(false),
        path,
    }
}

impl<'a> Component<'a> {
    fn at(&self, key: &str) -> String {
        join(&self.path, key)
    }

    fn image(&self) -> Option<&'a str> {
        self.main.and_then(|main| text(main, "image")).filter(|image| !image.is_empty())
    }

    /// Version of Dynamo in its image; that of the release when nothing says so.
    fn version(&self, release: Dynamo) -> (u16, u16, u16) {
        text(self.value, "runtimeVersionOverride")
            .and_then(semver_core)
            .or_else(|| self.image().and_then(image_version))
            .unwrap_or_else(|| semver_core(release.tag()).unwrap_or_default())
    }

    /// What it does: its flags say so before its type.
    fn role(&self) -> Role {
        if !self.role.is_worker() {
            return self.role;
        }
        match self.args.disaggregation() {
            Some("prefill") => Role::Prefill,
            Some("decode") => Role::Decode,
            _ => self.role,
        }
    }

    /// What its command or image runs.
    fn own_framework(&self) -> Option<Framework> {
        if !self.role.is_worker() {
            return None;
        }
        let module = self.args.module()?;
        Framework::ALL.into_iter().find(|framework| module.strip_prefix("dynamo.") == Some(framework.name()))
    }

    fn framework(&self, graph: &Graph<'_>) -> Option<Framework> {
        let image = image_name(self.image().unwrap_or_default());
        self.own_framework()
            .or_else(|| Framework::ALL.into_iter().find(|framework| framework.image() == image))
            .or(graph.framework)
    }

    /// The text behind a path in its main container.
    fn file<'f, 'm>(&self, path: &str, files: &'f Files<'m>) -> Option<(Source<'f, 'm>, &'a str, String)> {
        let (main, pod) = (self.main?, self.pod?);
        let mounts = items(main, "volumeMounts", &self.main_path);
        let below = |mount: &Value| {
            let place = text(mount, "mountPath")?.trim_end_matches('/');
            let rest = path.strip_prefix(place)?;
            let file = text(mount, "subPath");
            match (rest.strip_prefix('/'), file) {
                (Some(rest), None) => Some(rest.to_owned()),
                (Some(rest), Some(folder)) => Some(join_path(folder, rest)),
                (None, Some(file)) if rest.is_empty() => Some(file.to_owned()),
                _ => None,
            }
        };
        let (mount, inside) = mounts
            .iter()
            .filter_map(|(mount, _)| Some((*mount, below(mount)?)))
            .max_by_key(|(mount, _)| text(mount, "mountPath").map_or(0, str::len))?;
        let wanted = text(mount, "name")?;
        let volume = items(pod, "volumes", &self.pod_path)
            .into_iter()
            .find(|(item, _)| text(item, "name") == Some(wanted))?
            .0;
        let map = volume.get("configMap")?;
        let name = text(map, "name")?;
        let renamed =
            items(map, "items", "").into_iter().find(|(item, _)| text(item, "path") == Some(&inside));
        let key = renamed.and_then(|(item, _)| text(item, "key")).map_or(inside, str::to_owned);
        Some((files.find(name, &key), name, key))
    }

    /// Names, environment, mounts and references of its pod.
    fn pod(&self, files: &Files<'_>, out: &mut Vec<Check>) {
        pod::environment(self.value, "envs", &self.path, out);
        let Some(spec) = self.pod else { return };
        pod::check(spec, &self.pod_path, out);
        pod::references(spec, &self.pod_path, files, out);
        // The old API has its main container apart.
        if let Some(main) = self.main.filter(|_| self.main_path.ends_with("mainContainer")) {
            let mut silent = Vec::new();
            let volumes = pod::volumes(spec, &self.pod_path, &mut silent);
            pod::container(main, &self.main_path, &volumes, out);
            pod::container_references(main, &self.main_path, files, out);
        }
    }
}

fn join_path(folder: &str, rest: &str) -> String {
    format!("{}/{rest}", folder.trim_end_matches('/'))
}
