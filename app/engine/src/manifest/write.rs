//! A selected point as files that can be applied.

mod annotate;
mod objects;
mod pool;
mod limits;
mod deployment;
mod engine;
mod planner;
mod request;
mod graph;
mod dgdr;
mod dgd;
mod shell;
mod launch;
mod benchmark;
mod llmd;

use serde::{Deserialize, Serialize};

use super::check::validate;
use super::{Check, Dynamo};
use crate::model::ModelSpec;
use crate::scenario::Scenario;
use crate::system::SystemSpec;
use crate::view::Point;

/// What is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Format {
    /// `DynamoGraphDeploymentRequest`: what is wanted; Dynamo chooses the layout.
    #[default]
    Dgdr,
    /// `DynamoGraphDeployment`: the layout itself.
    Dgd,
    /// Settings of the planner.
    Planner,
    /// Commands for every node, without Kubernetes.
    Launch,
    /// A job that measures at the predicted operating point.
    Benchmark,
    /// llm-d by Kustomize.
    LlmdKustomize,
    /// llm-d by Helm.
    LlmdHelm,
}

impl Format {
    /// Every format, in the order of their tabs.
    pub const ALL: &'static [Self] = &[
        Self::Dgdr,
        Self::Dgd,
        Self::Planner,
        Self::Launch,
        Self::Benchmark,
        Self::LlmdKustomize,
        Self::LlmdHelm,
    ];

    /// Name on a command line and in an address.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dgdr => "dgdr",
            Self::Dgd => "dgd",
            Self::Planner => "planner",
            Self::Launch => "launch",
            Self::Benchmark => "benchmark",
            Self::LlmdKustomize => "llm-d",
            Self::LlmdHelm => "llm-d-helm",
        }
    }

    /// The format of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|format| format.name() == name)
    }
}

/// A point that was selected, and the question it answers.
#[derive(Clone, Copy, Debug)]
pub struct Selection<'a> {
    /// The question, at the place of the point.
    pub scenario: &'a Scenario,
    /// The model.
    pub model: &'a ModelSpec,
    /// GPUs; prefill side where decode workers run elsewhere.
    pub system: &'a SystemSpec,
    /// GPUs of decode workers, where they differ.
    pub decode_system: Option<&'a SystemSpec>,
    /// The point.
    pub point: &'a Point,
}

/// What the user decides at export.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Name of the object; none derives one from the model.
    pub name: Option<String>,
    /// Namespace; none leaves it to the command.
    pub namespace: Option<String>,
    /// Release of Dynamo in the cluster.
    pub release: Dynamo,
    /// Registry and path of the images, such as `nvcr.io/nvidia/ai-dynamo`; none takes the published ones.
    pub registry: Option<String>,
    /// Image of the profiler, whole; none takes the one of the registry.
    pub image: Option<String>,
    /// Deploy the outcome at once instead of leaving it for review (request).
    pub auto_apply: bool,
    /// Link to the question and the point, noted in what is written.
    pub link: Option<String>,
    /// What else is wanted.
    pub extras: Extras,
}

impl Options {
    /// An image of the release, such as `nvcr.io/nvidia/ai-dynamo/dynamo-planner:1.6.1`.
    fn released_image(&self, name: &str) -> String {
        let registry = self.registry.as_deref().unwrap_or("nvcr.io/nvidia/ai-dynamo").trim_end_matches('/');
        format!("{registry}/{name}:{}", self.release.tag())
    }
}

/// What a deployment may have besides its layout.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "independent switches")]
pub struct Extras {
    /// Whether the planner scales prefill and decode workers to keep the SLO.
    pub planner: PlannerUse,
    /// Route requests by cached prefixes.
    pub kv_router: bool,
    /// Workers that only pretend (request).
    pub mocker: bool,
    /// How the profiler chooses (request).
    pub strategy: Strategy,
    /// Version of the API (deployment).
    pub api: DgdApi,
    /// Let the model bring code of its own.
    pub trust_remote_code: bool,
    /// Pin pods to nodes with the GPU and tolerate its taint.
    pub pin_nodes: bool,
    /// Secret with registry credentials.
    pub pull_secret: Option<String>,
    /// Volume with the model.
    pub model_cache: Option<ModelCache>,
    /// More environment variables of workers, by name.
    #[serde(default)]
    pub env: Vec<(String, String)>,
}

/// What the planner may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlannerUse {
    /// It scales.
    #[default]
    Scales,
    /// It computes and logs, and changes nothing.
    Advises,
    /// There is none.
    Off,
}

/// How Dynamo's profiler chooses a layout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Strategy {
    /// By the performance model.
    #[default]
    Rapid,
    /// By measuring candidates on real GPUs.
    Thorough,
}

/// Version of the deployment API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each variant is named by the version it stands for")]
pub enum DgdApi {
    #[default]
    V1Beta1,
    V1Alpha1,
}

/// A volume with the model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelCache {
    /// Name of the claim.
    pub claim: String,
    /// Where it is mounted; none takes `/opt/model-cache`.
    pub mount: Option<String>,
    /// Folder of the model on the volume; none treats the volume as a Hugging Face cache.
    pub path: Option<String>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// File name.
    pub name: String,
    /// Its text.
    pub text: String,
    /// Which choice made a line: line numbers from 1, ascending.
    pub reasons: Vec<(u32, String)>,
}

/// A command for the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// What it does, such as `Apply it`.
    pub label: String,
    /// The command.
    pub text: String,
}

impl Command {
    fn new(label: impl Into<String>, text: impl Into<String>) -> Self {
        Self { label: label.into(), text: text.into() }
    }
}

/// Files that passed their checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Name of the object.
    pub name: String,
    /// The files, the one to look at first.
    pub files: Vec<File>,
    /// How to apply and look at them.
    pub commands: Vec<Command>,
    /// Warnings; an error would have kept the files back.
    pub checks: Vec<Check>,
}

/// Writes a selected point, or says what keeps it back.
pub fn write(format: Format, selection: &Selection<'_>, options: &Options) -> Result<Manifest, Vec<Check>> {
    match format {
        Format::Dgdr => dgdr::write(selection, options),
        Format::Dgd => dgd::write(selection, options),
        Format::Planner => planner::write(selection, options),
        Format::Launch => launch::write(selection, options),
        Format::Benchmark => benchmark::write(selection, options),
        Format::LlmdKustomize => llmd::write_kustomize(selection, options),
        Format::LlmdHelm => llmd::write_helm(selection, options),
    }
}

impl File {
    fn new(name: String, lines: annotate::Annotated) -> Self {
        let annotate::Annotated { text, reasons, .. } = lines;
        Self { name, text, reasons }
    }
}

/// Checks the files and puts them into the manifest; its own findings stand behind theirs.
fn finish(manifest: Manifest, files: Vec<File>, release: Dynamo) -> Result<Manifest, Vec<Check>> {
    let is_script = |file: &&File| file.name.rsplit('.').next() == Some("sh");
    let documents = files.iter().filter(|file| !is_script(file));
    let mut checks: Vec<Check> = documents.flat_map(|file| validate(&file.text, release)).collect();
    if checks.iter().any(Check::is_error) {
        return Err(checks);
    }
    checks.extend(manifest.checks);
    Ok(Manifest { files, checks, ..manifest })
}
