//! The way back: from a manifest or a launch command to a question and a layout.
//!
//! What the text says overlays a base question; what it leaves open keeps the base's value and is named. Nothing is
//! guessed: what is not understood is listed by line.

mod settings;
mod shell;
mod node;
mod gpu;
mod model;
mod beside;
mod flags;
mod command;
mod question;
mod place;
mod planner;
mod dgdr;
mod dgd;

use serde::{Deserialize, Serialize};

pub use settings::{Fixed, Unread};

use self::command::{Arguments, Context, Worker};
use self::node::Node;
use self::place::{Deployed, Ground};
use self::question::Question;
use self::settings::Settings;
use self::shell::Variables;
use super::yaml::{self, Document};
use super::{Check, check};
use crate::backend::Backend;
use crate::catalog::Catalog;
use crate::link;
use crate::parallel::Parallel;
use crate::point::Layout;
use crate::problem::MAX_GPUS;
use crate::scenario::{Goal, Scenario, Serving};
use crate::text::{self, Assumed, Why};

/// Longer than any deployment.
const MAX_BYTES: usize = 2 << 20;
/// Most commands and components that start workers; a deployment may have 25 components.
const MAX_WORKERS: usize = 256;
/// Annotation that holds the link of a question and its layout.
const LINK: &str = "ai-configurator/link";

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// `DynamoGraphDeploymentRequest`.
    Request,
    /// `DynamoGraphDeployment`.
    Deployment,
    /// Settings of the planner.
    Planner,
    /// Settings file of TensorRT-LLM.
    Engine,
    /// Commands that start engines.
    Launch,
}

impl Kind {
    /// What it is called.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Request => "DynamoGraphDeploymentRequest",
            Self::Deployment => "DynamoGraphDeployment",
            Self::Planner => "Planner configuration",
            Self::Engine => "Settings of TensorRT-LLM",
            Self::Launch => "Launch command",
        }
    }
}

/// What a text says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Imported {
    /// What the text is.
    pub kind: Kind,
    /// The question: the base, or that of a link in the text, overlaid with what the text says.
    pub scenario: Scenario,
    /// The layout, where the text fixes one; its batches are limits and its memory is unknown.
    ///
    /// [`crate::search::price_limits`] prices it at `scenario.home()`.
    pub layout: Option<Layout>,
    /// Identity of the measured data that a link in the text was made on.
    pub data: Option<String>,
    /// Inputs that the text fixes.
    pub fixed: Vec<Fixed>,
    /// What had to be assumed, in sentences.
    pub assumed: Vec<String>,
    /// What does not count, by line.
    pub unread: Vec<Unread>,
}

/// Reads a manifest, a planner configuration or launch commands over a base question.
///
/// `goal` is what a layout is measured by where the text sets no budget and no load; none takes the GPUs that the
/// layout uses. An error carries the line where reading stopped.
pub fn import(
    text: &str,
    base: &Scenario,
    goal: Option<Goal>,
    catalog: &Catalog,
) -> Result<Imported, Vec<Check>> {
    if text.len() > MAX_BYTES {
        return Err(vec![Check::error("", "import", text::too_long(MAX_BYTES))]);
    }
    let text = text.trim_start_matches('\u{feff}');
    let found = find(text).map_err(|check| vec![check])?;
    let link = link_of(text, &found);
    let parsed = link.as_ref().map(|(link, _)| link::parse(link));
    let start = parsed.as_ref().map_or(base, |parsed| &parsed.scenario);
    let mut question = Question::new(start, catalog);
    if let (Some((_, line)), Some(parsed)) = (&link, &parsed) {
        for notice in &parsed.notices {
            let why = Why::Link(text::notice(notice));
            question.notes.unread(Some(*line), &notice.key, &why);
        }
    }
    let linked = link.as_ref().and_then(|(link, _)| link::pointed(link));
    if let Some(place) = linked.as_ref().and_then(|pointed| pointed.place.as_ref()) {
        // The layout is for one of the places that the link asks for.
        question.scenario.system.clone_from(&place.system);
        question.scenario.backend = place.backend;
    }
    let linked = linked.map(|pointed| pointed.layout);
    let (kind, deployed) = read(text, &found, &mut question);
    let layout = layout(&deployed, linked.as_ref(), &mut question);
    settle(&mut question, layout.as_ref(), goal, parsed.as_ref().map(|parsed| parsed.scenario.goal));
    let Question { scenario, mut notes, .. } = question;
    let (mut fixed, assumed) = (std::mem::take(&mut notes.fixed), std::mem::take(&mut notes.assumed));
    fixed.sort_by_key(|one| one.line);
    let data = parsed.and_then(|parsed| parsed.data);
    Ok(Imported { kind, scenario, layout, data, fixed, assumed, unread: notes.into_unread() })
}

/// What a text holds.
enum Found {
    Documents(Kind, Vec<Document>),
    Script(shell::Script),
}

fn find(text: &str) -> Result<Found, Check> {
    let begins = |line: &str| {
        let line = line.trim_start_matches([' ', '\t', '{', '"', '-']);
        line.starts_with("apiVersion") || line.starts_with("kind:")
    };
    if text.lines().any(begins) {
        let documents = yaml::documents(text)?;
        let is = |kind: &str| documents.iter().any(|document| document.value["kind"] == kind);
        let kind = if is(check::DGDR_KIND) {
            Kind::Request
        } else if is("DynamoGraphDeployment") {
            Kind::Deployment
        } else {
            let at = documents.first().and_then(|document| document.line("kind"));
            return Err(Check { line: at, ..Check::error("kind", "import", text::nothing_to_import()) });
        };
        return Ok(Found::Documents(kind, documents));
    }
    let script = shell::read(text, 1, &Variables::new());
    if script.commands.iter().any(|command| command::starts_engine(command)) {
        return Ok(Found::Script(script));
    }
    let nothing = || Check { line: Some(1), ..Check::error("", "import", text::nothing_to_import()) };
    let documents = yaml::documents(text).map_err(|_| nothing())?;
    let any = |test: &dyn Fn(&Node<'_>) -> bool| documents.iter().any(|document| test(&Node::root(document)));
    if any(&planner::is_planner) {
        Ok(Found::Documents(Kind::Planner, documents))
    } else if any(&|node| ENGINE.iter().any(|key| node.get(key).is_some())) {
        Ok(Found::Documents(Kind::Engine, documents))
    } else {
        Err(nothing())
    }
}

/// Keys that only TensorRT-LLM's file has.
const ENGINE: &[&str] =
    &["tensor_parallel_size", "kv_cache_config", "cuda_graph_config", "enable_attention_dp"];

/// The link of a comment or annotation, with its line.
fn link_of(text: &str, found: &Found) -> Option<(String, u32)> {
    if let Found::Documents(_, documents) = found {
        let annotation = documents.iter().find_map(|document| {
            let node = Node::root(document).at(&["metadata", "annotations", LINK])?;
            Some((node.value().as_str()?.to_owned(), node.line()))
        });
        if annotation.is_some() {
            return annotation;
        }
    }
    text.lines().zip(1..).find_map(|(line, number)| {
        let link = line.trim().strip_prefix('#')?.trim_start().strip_prefix("From:")?.trim();
        (!link.is_empty()).then(|| (link.to_owned(), number))
    })
}

/// Reads everything into the question; the workers are returned.
fn read(text: &str, found: &Found, question: &mut Question<'_>) -> (Kind, Vec<Deployed>) {
    let (kind, documents) = match found {
        Found::Documents(kind, documents) => (*kind, documents),
        Found::Script(script) => return (Kind::Launch, launched(script, question)),
    };
    let mut files = Vec::new();
    for document in documents {
        for note in &document.notes {
            let at = note.line.and_then(|line| text.lines().nth(line as usize - 1)).unwrap_or(&note.path);
            question.notes.unread(note.line, at.trim(), &Why::Meant(&note.message));
        }
        if document.value["kind"] == "ConfigMap" {
            dgd::files(&Node::root(document), &mut files);
        }
    }
    let mut deployed = Vec::new();
    for document in documents {
        let root = Node::root(document);
        match document.value["kind"].as_str() {
            Some(check::DGDR_KIND) => dgdr::read(&root, question),
            Some("DynamoGraphDeployment") => deployed.extend(dgd::read(&root, &files, question)),
            _ if kind == Kind::Planner => planner::read(&root, question),
            _ if kind == Kind::Engine => deployed.push(engine(&root, question)),
            _ => {}
        }
    }
    (kind, deployed)
}

/// Workers that commands start.
fn launched(script: &shell::Script, question: &mut Question<'_>) -> Vec<Deployed> {
    if let Some(line) = script.open_quote {
        question.notes.unread(Some(line), "", &Why::OpenQuote);
    }
    let variables = Variables::new();
    let context = Context { variables: &variables, files: &script.files, mounts: &[] };
    let mut out: Vec<Deployed> = Vec::new();
    for (at, words) in script.commands.iter().enumerate() {
        if out.len() >= MAX_WORKERS {
            question.notes.unread(None, "", &Why::More(script.commands.len() - at));
            break;
        }
        for started in command::read(words, &context, &mut question.notes) {
            let first = out.first().map(|one| one.started.backend);
            if let Some(first) = first.filter(|&first| first != started.backend) {
                question.notes.unread(Some(started.line), started.backend.label(), &Why::OtherEngine(first));
                continue;
            }
            question.worker(&started);
            out.push(Deployed { started, replicas: None, gpus: None, role: None });
        }
    }
    out
}

/// A worker of which only TensorRT-LLM's file is known.
fn engine(root: &Node<'_>, question: &mut Question<'_>) -> Deployed {
    let mut settings = Settings::default();
    let backend = Backend::Trtllm;
    let mut reader =
        Arguments { backend, notes: &mut question.notes, settings: &mut settings, positional: false };
    reader.fields(root.value(), &|below| root.line_of(below));
    let started = Worker { backend, settings, line: root.line() };
    question.worker(&started);
    Deployed { started, replicas: None, gpus: None, role: None }
}

fn layout(deployed: &[Deployed], linked: Option<&Layout>, question: &mut Question<'_>) -> Option<Layout> {
    if deployed.is_empty() {
        if linked.is_some() {
            question.notes.assume(&Assumed::Link);
        }
        return linked.copied();
    }
    let catalog = question.catalog;
    let scenario = question.scenario.clone();
    let model = scenario.spec(catalog)?;
    let system = scenario.decode_system.as_ref().unwrap_or(&scenario.system);
    let (system, isl) = (catalog.system(system), scenario.workload.isl);
    let drafts = scenario.engine.draft_tokens;
    let ground = Ground { model: &model, system, isl, drafts, linked };
    let layout = place::layout(deployed, &ground, &mut question.notes)?;
    if gpus(&layout).is_some() {
        return Some(layout);
    }
    let rule = "there are more GPUs than any cluster has";
    question.notes.unread(None, "", &Why::Sizes(rule));
    None
}

/// GPUs of a layout; none when there are more than any cluster has.
fn gpus(layout: &Layout) -> Option<u32> {
    let of = |parallel: Parallel, count: u32| parallel.checked_gpus()?.checked_mul(count);
    let sum = match layout {
        Layout::Agg { worker, .. } => of(worker.parallel, worker.count)?,
        Layout::Disagg { prefill, decode, .. } => {
            of(prefill.parallel, prefill.count)?.checked_add(of(decode.parallel, decode.count)?)?
        }
    };
    let encoders = layout.encoders().map_or(Some(0), |pool| pool.tp.checked_mul(pool.count))?;
    sum.checked_add(encoders).filter(|&gpus| gpus <= MAX_GPUS)
}

/// Settles the goal and the serving modes, and says what stays open.
fn settle(question: &mut Question<'_>, layout: Option<&Layout>, goal: Option<Goal>, linked: Option<Goal>) {
    if let Some(layout) = layout {
        let modes = question.scenario.serving;
        let searched = match layout {
            Layout::Agg { .. } => modes.agg(),
            Layout::Disagg { .. } => modes.disagg(),
        };
        if !searched {
            question.scenario.serving = Serving::Both;
        }
    }
    let used = layout.and_then(gpus);
    // What was sized for a load has the GPUs of its layout as its budget.
    if let (Some(load @ (Goal::RequestRate(_) | Goal::Concurrency(_))), Goal::Gpus(budget)) =
        (linked, question.scenario.goal)
        && used == Some(budget)
    {
        question.scenario.goal = load;
    }
    if !question.has_goal() && linked.is_none() {
        match (goal, used) {
            (Some(goal), _) => question.scenario.goal = goal,
            (None, Some(gpus)) => {
                question.scenario.goal = Goal::Gpus(gpus);
                question.notes.assume(&Assumed::Gpus(gpus));
            }
            (None, None) => {}
        }
    }
    question.check_length();
    if linked.is_none() {
        question.close();
    }
}
