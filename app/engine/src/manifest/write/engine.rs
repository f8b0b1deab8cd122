//! Settings of an engine for one kind of worker.

pub(super) mod sglang;
mod trtllm;
pub(super) mod vllm;

use super::annotate::{Annotated, Note};
use super::deployment::Deployment;
use super::limits::Limits;
use super::pool::{Pool, Role};
use crate::backend::Backend;
use crate::format::{count, ms};
use crate::manifest::Check;

/// A flag with its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arg {
    /// The flag, then its values, as the engine sees them.
    pub(super) words: Vec<String>,
    /// Which choice made it.
    pub(super) why: String,
    /// Whether somebody who reads the file wants to know.
    pub(super) is_told: bool,
}

/// Settings of one kind of worker.
#[derive(Clone, Debug, Default)]
pub(super) struct Engine {
    /// Flags.
    pub(super) args: Vec<Arg>,
    /// File with the other settings (TensorRT-LLM), and the reasons of its keys.
    pub(super) file: Option<(Annotated, Vec<Note>)>,
}

impl Engine {
    fn add<const N: usize>(&mut self, words: [&str; N], why: impl Into<String>) {
        let words = words.map(str::to_owned).to_vec();
        self.args.push(Arg { words, why: why.into(), is_told: false });
    }

    /// The same with a comment in the file.
    fn tell<const N: usize>(&mut self, words: [&str; N], why: impl Into<String>) {
        self.add(words, why);
        if let Some(last) = self.args.last_mut() {
            last.is_told = true;
        }
    }
}

/// What an engine's settings follow from.
#[derive(Clone, Copy)]
struct Case<'a> {
    deployment: &'a Deployment<'a>,
    pool: &'a Pool<'a>,
    limits: &'a Limits,
}

/// Settings of one kind of worker; `file` is where its settings file is found.
pub(super) fn engine(deployment: &Deployment<'_>, pool: &Pool<'_>, file: &str) -> Result<Engine, Vec<Check>> {
    let limits = deployment.limits(pool);
    let case = Case { deployment, pool, limits: &limits };
    match deployment.selection.scenario.backend {
        Backend::Vllm => Ok(vllm::engine(case)),
        Backend::Sglang => Ok(sglang::engine(case)),
        Backend::Trtllm => trtllm::engine(case, file),
    }
}

/// The Python module that starts the engine.
pub(super) const fn module(backend: Backend) -> &'static str {
    match backend {
        Backend::Trtllm => "dynamo.trtllm",
        Backend::Sglang => "dynamo.sglang",
        Backend::Vllm => "dynamo.vllm",
    }
}

/// `TP 4 of the selected point.`
fn of_point(what: &str, size: u32) -> String {
    format!("{what} {size} of the selected point.")
}

impl Case<'_> {
    fn batch(self, per_worker: bool) -> String {
        let Pool { role, parallel, batch, .. } = *self.pool;
        let point = self.deployment.selection.point;
        let what = match role {
            Role::Prefill => format!(
                "Prefill batch {batch} of the selected point, predicted TTFT {} ms",
                ms(point.ttft_ms)
            ),
            Role::Encode => format!("Batch {batch} of the selected point's encoders"),
            Role::Worker | Role::Decode => {
                format!("Batch {batch} of the selected point, predicted ITL {} ms", ms(point.itl_ms))
            }
        };
        match (per_worker, parallel.dp) {
            (_, 1) => format!("{what}."),
            (true, dp) => format!("{what}; {batch} on each of {dp} attention ranks."),
            (false, _) => format!("{what}, on each attention rank."),
        }
    }

    fn tokens(self) -> String {
        let Limits { isl, tokens, prompt_tokens, chunked, .. } = *self.limits;
        match self.pool.role {
            Role::Worker if chunked => format!(
                "Steps of {} prompt tokens as predicted, beside the batch.",
                count(prompt_tokens.into())
            ),
            Role::Worker => format!(
                "Prompts of {} tokens with room for longer ones, beside the batch.",
                count(isl.into())
            ),
            Role::Prefill | Role::Encode => {
                format!(
                    "{} prompts of {} tokens with room for longer ones.",
                    self.pool.batch,
                    count(isl.into())
                )
            }
            Role::Decode => format!("A step decodes the batch; {} tokens.", count(tokens.into())),
        }
    }

    fn kv(self) -> &'static str {
        if self.deployment.selection.scenario.quant.kv.is_some() {
            "KV cache precision chosen in the question."
        } else {
            "KV cache precision of the checkpoint."
        }
    }

    fn length(self) -> String {
        let workload = self.deployment.selection.scenario.workload;
        format!("ISL {} and OSL {} with room for longer requests.", self.limits.isl, workload.osl)
    }

    /// Draft tokens of each step; 0 is off, and images are not drafted.
    fn drafts(self) -> u32 {
        if self.pool.role == Role::Encode {
            0
        } else {
            self.deployment.selection.scenario.engine.draft_tokens
        }
    }
}
