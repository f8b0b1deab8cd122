//! What an import understood and what not, in sentences.

use super::{Message, alternatives, excerpt};
use crate::backend::Backend;
use crate::format::{count, gib};
use crate::kernel::Gap;
use crate::parallel::WorkerRole;
use crate::search::{Cut, Drop, PriceError};

/// Why a part of a text does not count.
#[derive(Clone, Debug, PartialEq)]
pub enum Why<'a> {
    /// The engine has no such argument, as far as is known.
    UnknownFlag(Backend),
    /// The format has no such key, as far as is known.
    UnknownKey,
    /// Starts none of the engines.
    UnknownCommand,
    /// A word where none is expected.
    Stray,
    /// Nothing follows the argument.
    NoValue,
    /// No whole number from 1.
    NotWhole,
    /// No number above 0.
    NotNumber,
    /// No share between 0 and 1.
    NotShare,
    /// Neither true nor false.
    NotFlag,
    /// No text.
    NotText,
    /// No list of texts.
    NotList,
    /// No group of keys.
    NotMap,
    /// No JSON object.
    NotJson,
    /// None of these.
    NotOneOf(&'a [&'a str]),
    /// A variable without a value.
    Unset(&'a str),
    /// Understood, but the prediction has no place for it.
    NotModelled,
    /// A file that is not in the text.
    MissingFile(&'a str),
    /// A file whose YAML cannot be read.
    BadFile(&'a str),
    /// A model that is not in the list.
    UnknownModel,
    /// GPUs that nothing is known of.
    UnknownGpu,
    /// A second engine in one text.
    OtherEngine(Backend),
    /// A second value for what all workers share.
    OtherValue(&'a str),
    /// A second layout for workers of one kind.
    OtherLayout(WorkerRole),
    /// A worker that neither prefills nor decodes.
    OtherRole,
    /// Parallel sizes that do not divide.
    Sizes(&'a str),
    /// GPUs of a pod beside those that the arguments use.
    GpuCount(u32, u32),
    /// Prefill workers without decode workers, or the other way round.
    Lonely(WorkerRole),
    /// Separate workers beside ones that do both.
    Mixed,
    /// A quote that never ends.
    OpenQuote,
    /// No container called main.
    NoMain,
    /// A deployment of nothing.
    NoWorkers,
    /// Something that a link could not say.
    Link(String),
    /// What a value may have been meant as.
    Meant(&'a str),
    /// The link disagrees with the arguments.
    Overruled(&'a str),
    /// A longest request that is shorter than those of the question.
    TooShort(u32),
    /// More lines like these.
    More(usize),
}

/// Why a part of a text does not count, in a sentence.
pub fn why_unread(why: &Why<'_>) -> String {
    match why {
        Why::UnknownFlag(backend) => format!("{} has no such argument that is known here.", backend.label()),
        Why::UnknownKey => "No such field is known here.".to_owned(),
        Why::UnknownCommand => "This starts none of vLLM, SGLang and TensorRT-LLM.".to_owned(),
        Why::Stray => "Nothing is expected here.".to_owned(),
        Why::NoValue => "The value is missing.".to_owned(),
        Why::NotWhole => "This is not a whole number of at least 1.".to_owned(),
        Why::NotNumber => "This is not a number above 0.".to_owned(),
        Why::NotShare => "This is not a share above 0 and at most 1.".to_owned(),
        Why::NotFlag => "This is neither true nor false.".to_owned(),
        Why::NotText => "This is not a text.".to_owned(),
        Why::NotList => "This is not a list of texts.".to_owned(),
        Why::NotMap => "This is not a group of fields.".to_owned(),
        Why::NotJson => "This is not a JSON object.".to_owned(),
        Why::NotOneOf(names) => format!("This is none of {}.", alternatives(names)),
        Why::Unset(name) => format!("The text does not set {}.", excerpt(name)),
        Why::NotModelled => "Known, but the prediction does not take it into account.".to_owned(),
        Why::MissingFile(name) => {
            format!("The file {} is not in the text; paste it along.", excerpt(name))
        }
        Why::BadFile(error) => format!("The file cannot be read: {}", excerpt(error)),
        Why::UnknownModel => {
            "The model is not in the model list; add it by its config.json, then import again.".to_owned()
        }
        Why::UnknownGpu => "These GPUs are not in the list of GPU systems.".to_owned(),
        Why::OtherEngine(first) => {
            format!("The text runs {} before; one deployment has one engine.", first.label())
        }
        Why::OtherValue(first) => format!("Another line says {}; the first one counts.", excerpt(first)),
        Why::OtherLayout(role) => {
            format!("The {} differ from those before; the first ones count.", workers(*role))
        }
        Why::OtherRole => "This kind of worker is not predicted.".to_owned(),
        Why::Sizes(rule) => format!("These parallel sizes do not go together: {rule}."),
        Why::GpuCount(asked, used) => format!(
            "{} per worker are asked for, but the arguments use {}; the arguments count.",
            super::number_of(*asked, "GPU"),
            count(u64::from(*used))
        ),
        Why::Lonely(role) => {
            let other = if *role == WorkerRole::Prefill { WorkerRole::Decode } else { WorkerRole::Prefill };
            format!("There are {} but no {}; paste both.", workers(*role), workers(other))
        }
        Why::Mixed => "The text has separate workers as well; only those count.".to_owned(),
        Why::OpenQuote => "A quote that opens here never closes; nothing behind it was read.".to_owned(),
        Why::NoMain => "The component has no container called main.".to_owned(),
        Why::NoWorkers => "The deployment has no components.".to_owned(),
        Why::Link(notice) => notice.clone(),
        Why::Meant(message) => (*message).to_owned(),
        Why::Overruled(link) => format!("The link in the text says {}; this line counts.", excerpt(link)),
        Why::TooShort(whole) => format!(
            "Requests of {} tokens, ISL and OSL, are longer than the engine takes here.",
            count(u64::from(*whole))
        ),
        Why::More(lines) => format!("{} more lines were not understood.", count(*lines as u64)),
    }
}

fn workers(role: WorkerRole) -> &'static str {
    match role {
        WorkerRole::Agg => "workers",
        WorkerRole::Prefill => "prefill workers",
        WorkerRole::Decode => "decode workers",
    }
}

/// What an import had to assume.
#[derive(Clone, Debug, PartialEq)]
pub enum Assumed<'a> {
    /// An input that the text leaves open, and the value it keeps.
    Kept(&'a str, &'a str),
    /// A batch limit: kind of worker, engine, its default.
    Batch(WorkerRole, Backend, u32),
    /// The step of a prefill worker, in tokens, and the prompts that fill it.
    PrefillBatch(Backend, u32, u32),
    /// Prefill tokens of a mixed step.
    StepTokens(Backend, u32, u32),
    /// GPUs: those that the layout uses.
    Gpus(u32),
    /// The prompts of a step and how many its tokens hold.
    Fewer(u32, u32),
    /// Accepted draft tokens.
    Accepted(u32),
    /// Every worker of an SGLang exchange has its own experts.
    Exchange(u32),
    /// The layout of the link.
    Link,
}

/// What an import had to assume, in a sentence.
pub fn assumed(assumed: &Assumed<'_>) -> String {
    let number = |value: u32| count(u64::from(value));
    match *assumed {
        Assumed::Kept(input, value) => format!("The text does not say the {input}: {value} is kept."),
        Assumed::Batch(role, backend, limit) => format!(
            "No batch limit for the {}: {}'s default of {} is taken, as far as memory holds it.",
            workers(role),
            backend.label(),
            number(limit)
        ),
        Assumed::PrefillBatch(backend, tokens, prompts) => format!(
            "No batch limit for the prefill workers: {} fit {}'s default step of {} tokens.",
            super::number_of(prompts, "prompt"),
            backend.label(),
            number(tokens)
        ),
        Assumed::StepTokens(backend, default, tokens) => format!(
            "No token limit of a step: {}'s default of {} leaves {} for prefill.",
            backend.label(),
            number(default),
            number(tokens)
        ),
        Assumed::Gpus(gpus) => {
            format!("The text sets no GPU budget: the {} it uses are taken.", super::number_of(gpus, "GPU"))
        }
        Assumed::Fewer(limit, prompts) => format!(
            "Prefill workers may batch {}, but the tokens of a step hold {}.",
            super::number_of(limit, "prompt"),
            number(prompts)
        ),
        Assumed::Accepted(drafts) => format!(
            "The text drafts {} per step and cannot say how many are accepted: none are counted.",
            super::number_of(drafts, "token")
        ),
        Assumed::Exchange(ep) => {
            format!("SGLang spreads experts over all {ep} GPUs of a worker with this exchange.")
        }
        Assumed::Link => "The layout is that of the link in the text.".to_owned(),
    }
}

/// Why a text is no import at all.
pub fn nothing_to_import() -> String {
    "This is none of: a DynamoGraphDeploymentRequest, a DynamoGraphDeployment, a planner configuration, a launch \
     command of vLLM, SGLang or TensorRT-LLM. Paste one of them whole."
        .to_owned()
}

/// A text that is longer than any deployment.
pub fn too_long(limit: usize) -> String {
    format!("The text is longer than {} MiB. Paste only the deployment.", limit >> 20)
}

/// Why a named layout has no figures.
pub fn price_error(error: &PriceError) -> Message {
    let sizes = "Choose other parallel sizes or precisions.";
    match error {
        PriceError::Shape(rule) => {
            Message::new("The layout makes no sense", format!("It breaks a rule: {rule}."), sizes)
        }
        PriceError::Worker { role, why } => {
            let who = role.map_or("encoder workers", workers);
            match why {
                Drop::Memory(memory) | Drop::Kv(memory) => Message::new(
                    "The layout does not fit",
                    format!(
                        "The {who} need {} GiB per GPU of {} GiB, even at the smallest batch.",
                        gib(memory.total()),
                        gib(memory.capacity)
                    ),
                    "Use a larger TP.",
                ),
                Drop::Data(gap) => {
                    let what = match gap {
                        Gap::NoData(op) | Gap::NoEstimate(op) => (*op).to_owned(),
                        Gap::NoPeak(pipe) => format!("{} tensor cores", pipe.name()),
                    };
                    Message::new(
                        "The layout has no figures",
                        format!("The {who} have no data for {what}."),
                        sizes,
                    )
                }
            }
        }
    }
}

/// A batch limit beyond what memory holds.
pub fn cut(cut: &Cut) -> String {
    format!(
        "Of {} requests that the {} may hold, {} fit the KV cache; the figures are for those.",
        count(u64::from(cut.limit)),
        workers(cut.role),
        count(u64::from(cut.batch))
    )
}
