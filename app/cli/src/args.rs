//! The command line.

#![allow(clippy::doc_markdown, reason = "doc comments are the help text, where backticks would show")]

use std::path::PathBuf;

use clap::builder::RangedI64ValueParser;
use clap::{ArgAction, Args as Group, Parser, Subcommand, ValueEnum};
use engine::backend::Backend;
use engine::link::AUTO;
use engine::manifest::{Dynamo, Format};
use engine::quant::{FmhaQuant, KvQuant, Quant};
use engine::source::DataMode;

const AFTER: &str =
    "Exit code: 0 when something meets the targets, 1 when nothing does, 2 when the input is wrong.";

/// Finds the deployment of a model that serves your traffic within your latency targets.
#[derive(Debug, Parser)]
#[command(name = "configurator", version, after_help = AFTER, max_term_width = 110)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Searches every layout and prints the best ones.
    Search(Search),
    /// Prices one layout.
    Estimate(Estimate),
    /// Prints the Kubernetes manifest of the best layout, or of another pick.
    Export(Export),
    /// Reads a manifest or launch command and says how far it is from the best.
    Import(Import),
    /// Prints the share link of a question.
    Link(Link),
    /// Says which models answer where, why the others do not, and what would.
    Support(Support),
    /// Lists the models and what they can run on.
    Models(List),
    /// Lists the GPU systems and the measured data for them.
    Systems(List),
    /// Checks manifests as the cluster, its operator, the planner and the engines would.
    Validate(Validate),
}

#[derive(Debug, Group)]
pub(crate) struct Search {
    #[command(flatten)]
    pub(crate) question: Question,
    #[command(flatten)]
    pub(crate) space: Space,
    #[command(flatten)]
    pub(crate) output: Output,
    /// How many picks to print.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) top: u32,
}

#[derive(Debug, Group)]
pub(crate) struct Export {
    #[command(flatten)]
    pub(crate) question: Question,
    #[command(flatten)]
    pub(crate) space: Space,
    #[command(flatten)]
    pub(crate) output: Output,
    /// Which pick of the search to export; 1 is the best.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) pick: u32,
    /// What to write: dgdr, dgd, planner, launch, benchmark, llm-d or llm-d-helm.
    #[arg(long, value_name = "NAME", value_parser = format, default_value = Format::default().name())]
    pub(crate) format: Format,
    /// Folder for the files; they are printed when left out.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Name of the request or deployment; made from the model when left out.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Kubernetes namespace; the current one when left out.
    #[arg(long)]
    pub(crate) namespace: Option<String>,
    /// Dynamo release in the cluster.
    #[arg(long, value_name = "VERSION", value_parser = dynamo, default_value = Dynamo::default().tag())]
    pub(crate) dynamo: Dynamo,
    /// Profiler image; the published one of the release when left out.
    #[arg(long)]
    pub(crate) image: Option<String>,
    /// Deploy the outcome at once instead of leaving it for review (dgdr).
    #[arg(long)]
    pub(crate) auto_apply: bool,
    /// Registry and path of the images; the published ones when left out.
    #[arg(long, value_name = "PREFIX")]
    pub(crate) registry: Option<String>,
    #[command(flatten)]
    pub(crate) extras: Extras,
}

/// What a deployment may have besides its layout.
#[derive(Debug, Group)]
#[command(next_help_heading = "Deployment")]
#[allow(clippy::struct_excessive_bools, reason = "independent switches")]
pub(crate) struct Extras {
    /// What the planner may do.
    #[arg(long, value_enum, default_value_t = PlannerUse::Scales)]
    pub(crate) planner: PlannerUse,
    /// Version of the deployment API (dgd).
    #[arg(long, value_enum, default_value_t = Api::V1beta1)]
    pub(crate) api: Api,
    /// How the profiler chooses (dgdr).
    #[arg(long, value_enum, default_value_t = Strategy::Rapid)]
    pub(crate) strategy: Strategy,
    /// Route requests by cached prefixes.
    #[arg(long)]
    pub(crate) kv_router: bool,
    /// Workers that only pretend (dgdr).
    #[arg(long)]
    pub(crate) mocker: bool,
    /// Let the model bring code of its own.
    #[arg(long)]
    pub(crate) trust_remote_code: bool,
    /// Pin pods to nodes with the GPU and tolerate its taint.
    #[arg(long)]
    pub(crate) pin_nodes: bool,
    /// Secret with registry credentials.
    #[arg(long, value_name = "SECRET")]
    pub(crate) pull_secret: Option<String>,
    /// Volume with the model: claim, mount and folder, such as model-cache:/models:qwen3; only the claim is needed.
    #[arg(long, value_name = "CLAIM[:MOUNT[:FOLDER]]")]
    pub(crate) model_cache: Option<String>,
    /// One more environment variable of workers; can be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) env: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlannerUse {
    /// It scales prefill and decode workers.
    Scales,
    /// It computes and logs, and changes nothing.
    Advises,
    /// There is none.
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Api {
    V1beta1,
    V1alpha1,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Strategy {
    /// By the performance model.
    Rapid,
    /// By measuring candidates on real GPUs.
    Thorough,
}

#[derive(Debug, Group)]
pub(crate) struct Import {
    /// A DynamoGraphDeployment(Request), planner configuration or launch command; `-` is standard input.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// What the text does not say.
    #[command(flatten)]
    pub(crate) question: Question,
    #[command(flatten)]
    pub(crate) space: Space,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Group)]
#[command(
    after_help = "Exit code: 0 without errors (warnings may be printed), 1 with errors, 2 when a file cannot be read."
)]
pub(crate) struct Validate {
    /// Files of any number of documents each; - reads standard input.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Dynamo release in the cluster.
    #[arg(long, value_name = "VERSION", value_parser = dynamo, default_value = Dynamo::default().tag())]
    pub(crate) dynamo: Dynamo,
    /// Print the findings as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Group)]
pub(crate) struct Link {
    #[command(flatten)]
    pub(crate) question: Question,
    #[command(flatten)]
    pub(crate) space: Space,
    #[command(flatten)]
    pub(crate) output: Output,
    /// Address of the page, put before the link.
    #[arg(long, value_name = "URL", default_value = "")]
    pub(crate) base: String,
}

#[derive(Debug, Group)]
pub(crate) struct Estimate {
    #[command(flatten)]
    pub(crate) question: Question,
    #[command(flatten)]
    pub(crate) layout: Layout,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// One layout.
#[derive(Debug, Group)]
#[command(next_help_heading = "Layout")]
pub(crate) struct Layout {
    /// What the workers do.
    #[arg(long, value_enum, default_value_t = Mode::Agg)]
    pub(crate) mode: Mode,
    /// Tensor parallel size.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = size())]
    pub(crate) tp: u32,
    /// Pipeline parallel size.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = size())]
    pub(crate) pp: u32,
    /// Context parallel size (prefill).
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = size())]
    pub(crate) cp: u32,
    /// Requests in a batch.
    #[arg(long, value_name = "N", value_parser = batch())]
    pub(crate) batch: Option<u32>,
    /// Prefill tokens of a mixed step (agg); ISL when left out.
    #[arg(long, value_name = "TOKENS", value_parser = batch())]
    pub(crate) ctx_tokens: Option<u32>,
    /// Tensor parallel size of prefill workers (disagg); --tp when left out.
    #[arg(long, value_name = "N", value_parser = size())]
    pub(crate) prefill_tp: Option<u32>,
    /// Pipeline parallel size of prefill workers (disagg); --pp when left out.
    #[arg(long, value_name = "N", value_parser = size())]
    pub(crate) prefill_pp: Option<u32>,
    /// Requests in a prefill batch (disagg).
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = batch())]
    pub(crate) prefill_batch: u32,
    /// Prefill workers (disagg).
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = size())]
    pub(crate) prefill_workers: u32,
    /// Tensor parallel size of decode workers (disagg); --tp when left out.
    #[arg(long, value_name = "N", value_parser = size())]
    pub(crate) decode_tp: Option<u32>,
    /// Pipeline parallel size of decode workers (disagg); --pp when left out.
    #[arg(long, value_name = "N", value_parser = size())]
    pub(crate) decode_pp: Option<u32>,
    /// Requests in a decode batch (disagg); --batch when left out.
    #[arg(long, value_name = "N", value_parser = batch())]
    pub(crate) decode_batch: Option<u32>,
    /// Decode workers (disagg).
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = size())]
    pub(crate) decode_workers: u32,
    /// Attention nodes (afd); --tp is the size of an attention worker, --batch its requests.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = size())]
    pub(crate) attention_nodes: u32,
    /// FFN nodes (afd).
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = size())]
    pub(crate) ffn_nodes: u32,
    /// Expert parallel size of the FFN nodes (afd).
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = size())]
    pub(crate) ffn_ep: u32,
    /// Parts of a batch in flight at a time (afd).
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = size())]
    pub(crate) microbatches: u32,
    /// How transfers and computation overlap (afd).
    #[arg(long, value_enum, default_value_t = Overlap::Optimistic)]
    pub(crate) overlap: Overlap,
    /// Tensor parallel size of encoder workers (--encoder workers).
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = size())]
    pub(crate) encoder_tp: u32,
    /// Requests in a batch of encoder workers.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = batch())]
    pub(crate) encoder_batch: u32,
    /// Encoder workers.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = size())]
    pub(crate) encoder_workers: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// One worker that prefills and decodes in the same steps.
    Agg,
    /// One worker that prefills a fixed batch, then decodes it.
    Static,
    /// The prefill of a fixed batch.
    Prefill,
    /// The decode of a fixed batch.
    Decode,
    /// Prefill workers beside decode workers.
    Disagg,
    /// The decode of attention nodes beside FFN nodes.
    Afd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Overlap {
    /// Transfers run beside computation, where enough microbatches are in flight.
    Optimistic,
    /// A node waits for what it sends.
    Conservative,
}

/// Parallel sizes and worker counts; the limit keeps their product a number of GPUs.
fn size() -> RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=1024)
}

fn batch() -> RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=1_000_000)
}

#[derive(Debug, Group)]
pub(crate) struct Support {
    /// Model id, such as Qwen/Qwen3-32B-FP8; all models when left out.
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// GPU system, such as h100_sxm; all systems when left out.
    #[arg(long)]
    pub(crate) system: Option<String>,
    /// Inference engine; all of them when left out.
    #[arg(long, value_name = "NAME", value_parser = backend)]
    pub(crate) backend: Option<BackendChoice>,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Group)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Group)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
    /// Folder with the measured data.
    #[arg(long, value_name = "DIR", env = "CONFIGURATOR_DATA")]
    pub(crate) data: Option<PathBuf>,
}

/// The question; what is left out keeps its value from the link or file, or the page's default.
#[derive(Debug, Default, Group)]
#[command(next_help_heading = "Question")]
pub(crate) struct Question {
    /// A share link of the page.
    #[arg(value_name = "LINK", help_heading = "Arguments", conflicts_with = "scenario")]
    pub(crate) link: Option<String>,
    /// A file with a scenario (JSON or YAML) or a share link; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) scenario: Option<PathBuf>,
    /// Model id, such as Qwen/Qwen3-32B-FP8, or a name for the model of --config.
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// The config.json of a model that is not in the list; --model names it.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The hf_quant_config.json beside it, when it has one.
    #[arg(long, value_name = "FILE", requires = "config")]
    pub(crate) quant_config: Option<PathBuf>,
    /// GPU system, such as h100_sxm; `any` searches all with data and ranks them together.
    #[arg(long)]
    pub(crate) system: Option<String>,
    /// GPU system of the decode workers, when it differs.
    #[arg(long, value_name = "SYSTEM")]
    pub(crate) decode_system: Option<String>,
    /// Find the highest throughput on this many GPUs.
    #[arg(long, value_name = "N", group = "goal")]
    pub(crate) gpus: Option<u32>,
    /// Find the fewest GPUs that serve this many requests per second.
    #[arg(long, value_name = "R", group = "goal")]
    pub(crate) rate: Option<f64>,
    /// Find the fewest GPUs that hold this many requests in flight.
    #[arg(long, value_name = "N", group = "goal")]
    pub(crate) concurrency: Option<u32>,
    /// Inference engine; `auto` searches all and ranks them together.
    #[arg(long, value_name = "NAME", value_parser = backend)]
    pub(crate) backend: Option<BackendChoice>,
    /// Data version; the current one when left out.
    #[arg(long)]
    pub(crate) version: Option<String>,
    /// Input tokens of a request, cached ones included.
    #[arg(long, value_name = "TOKENS")]
    pub(crate) isl: Option<u32>,
    /// Output tokens of a request.
    #[arg(long, value_name = "TOKENS")]
    pub(crate) osl: Option<u32>,
    /// Leading input tokens that are already cached.
    #[arg(long, value_name = "TOKENS")]
    pub(crate) prefix: Option<u32>,
    /// Images of a request; 0 for none.
    #[arg(long, value_name = "N")]
    pub(crate) images: Option<u32>,
    /// Size of every image, pixels; 1024x768 when left out.
    #[arg(long, value_name = "WxH", value_parser = image_size)]
    pub(crate) image_size: Option<(u32, u32)>,
    /// What the ranks of a worker divide among themselves in the vision encoder.
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) encoder: Option<Encoder>,
    /// Target for the time to first token.
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    pub(crate) ttft: Option<f64>,
    /// Target for the inter-token latency, first token excluded.
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    pub(crate) itl: Option<f64>,
    /// Target for the latency of a whole request; replaces the ITL target.
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    pub(crate) latency: Option<f64>,
    /// Precision of the dense weights, instead of the checkpoint's.
    #[arg(long, value_name = "PRECISION", value_parser = gemm)]
    pub(crate) gemm: Option<Quant>,
    /// Precision of the KV cache, instead of the checkpoint's.
    #[arg(long, value_name = "PRECISION", value_parser = kv)]
    pub(crate) kv: Option<KvQuant>,
    /// Precision of prefill attention, instead of the checkpoint's.
    #[arg(long, value_name = "PRECISION", value_parser = fmha)]
    pub(crate) fmha: Option<FmhaQuant>,
    /// Share of GPU memory for the KV cache, in (0, 1].
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    pub(crate) mem: Option<f64>,
    /// KV slot length (TensorRT-LLM, aggregated serving).
    #[arg(long, value_name = "TOKENS")]
    pub(crate) max_seq_len: Option<u32>,
    /// Draft tokens per step of multi-token prediction.
    #[arg(long, value_name = "TOKENS")]
    pub(crate) mtp: Option<u32>,
    /// Drafts that are accepted per step, on average.
    #[arg(long, value_name = "TOKENS", allow_negative_numbers = true)]
    pub(crate) mtp_accepted: Option<f64>,
    /// What answers for an operator: measured tables (silicon), those with estimates where nothing was measured
    /// (hybrid), estimates alone (empirical) or the roofline (sol).
    #[arg(long, value_name = "MODE", value_parser = data_mode)]
    pub(crate) database_mode: Option<DataMode>,
}

/// What to search.
#[derive(Debug, Default, Group)]
#[command(next_help_heading = "Search")]
pub(crate) struct Space {
    /// Leave out everything beyond the targets.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true, action = ArgAction::Set)]
    pub(crate) strict: Option<bool>,
    /// Serving modes to search.
    #[arg(long, value_enum)]
    pub(crate) serving: Option<Serving>,
    /// Search finer context-token budgets (aggregated serving).
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true, action = ArgAction::Set)]
    pub(crate) chunked: Option<bool>,
    /// Pipeline parallel sizes to search.
    #[arg(long, value_enum, value_name = "SIZES")]
    pub(crate) pp: Option<Pipeline>,
    /// How to search: every layout, or as AI Configurator 0.12.0 does.
    #[arg(long, value_enum)]
    pub(crate) policy: Option<Policy>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Encoder {
    /// Images: every rank holds the whole encoder.
    Images,
    /// Weights: every rank sees all images.
    Weights,
    /// Neither: separate workers encode (EPD).
    Workers,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Serving {
    Both,
    Agg,
    Disagg,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Pipeline {
    #[value(name = "1")]
    One,
    #[value(name = "1,2,4")]
    Deep,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Policy {
    Exhaustive,
    Reference,
}

/// One backend; none stands for all of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BackendChoice(pub(crate) Option<Backend>);

fn backend(name: &str) -> Result<BackendChoice, String> {
    if name == AUTO {
        return Ok(BackendChoice(None));
    }
    let names: Vec<_> = Backend::ALL.iter().map(|backend| backend.name()).chain([AUTO]).collect();
    Backend::from_name(name).map(|backend| BackendChoice(Some(backend))).ok_or_else(|| one_of(&names))
}

fn image_size(size: &str) -> Result<(u32, u32), String> {
    let sides = size.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    sides.ok_or_else(|| "it is width x height in pixels, such as 1024x768".to_owned())
}

fn gemm(name: &str) -> Result<Quant, String> {
    Quant::from_name(name).ok_or_else(|| one_of(Quant::ALL))
}

fn kv(name: &str) -> Result<KvQuant, String> {
    KvQuant::from_name(name).ok_or_else(|| one_of(KvQuant::ALL))
}

fn fmha(name: &str) -> Result<FmhaQuant, String> {
    FmhaQuant::from_name(name).ok_or_else(|| one_of(FmhaQuant::ALL))
}

fn data_mode(name: &str) -> Result<DataMode, String> {
    DataMode::from_name(name).ok_or_else(|| one_of(DataMode::ALL))
}

fn dynamo(tag: &str) -> Result<Dynamo, String> {
    let tags: Vec<_> = Dynamo::ALL.iter().map(|release| release.tag()).collect();
    Dynamo::from_tag(tag).ok_or_else(|| one_of(&tags))
}

fn format(name: &str) -> Result<Format, String> {
    let names: Vec<_> = Format::ALL.iter().map(|format| format.name()).collect();
    Format::from_name(name).ok_or_else(|| one_of(&names))
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it is a name and a value, such as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn one_of(names: &[impl ToString]) -> String {
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    format!("it can be {}", names.join(", "))
}
