//! The kinds of workers of a selected point, and how many GPUs and nodes each takes.

use super::Selection;
use crate::backend::Backend;
use crate::format::{count, typed};
use crate::manifest::Check;
use crate::parallel::Parallel;
use crate::point::MemoryUse;
use crate::scenario::Goal;
use crate::system::SystemSpec;
use crate::view::{Layout, Worker};

/// What a kind of worker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Prefill and decode.
    Worker,
    /// Prefill only.
    Prefill,
    /// Decode only.
    Decode,
    /// Encoding of images only.
    Encode,
}

impl Role {
    /// Name of the component, short for the sake of what is made of it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Prefill => "prefill",
            Self::Decode => "decode",
            Self::Encode => "encode",
        }
    }
}

/// A kind of worker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pool<'a> {
    pub(super) role: Role,
    /// GPUs it runs on.
    pub(super) system: &'a SystemSpec,
    pub(super) parallel: Parallel,
    /// Requests per attention-DP rank.
    pub(super) batch: u32,
    /// Workers in the whole cluster.
    pub(super) count: u32,
    /// Prefill tokens of a mixed step, where there are any.
    pub(super) ctx_tokens: Option<u32>,
    /// Memory per GPU.
    pub(super) memory: MemoryUse,
    /// Nodes of one worker.
    pub(super) nodes: u32,
    /// GPUs of one worker on each of its nodes.
    pub(super) gpus_per_node: u32,
}

impl<'a> Pool<'a> {
    fn new(role: Role, system: &'a SystemSpec, worker: &Worker, ctx_tokens: Option<u32>) -> Self {
        let Worker { parallel, batch, count, memory } = *worker;
        let gpus = gpus(parallel);
        // Every node has as many GPUs of the worker as the others.
        let fewest = gpus.div_ceil(system.gpus_per_node.max(1)).max(1);
        let nodes = (fewest..=gpus.max(1)).find(|&nodes| gpus.is_multiple_of(nodes)).unwrap_or(1);
        let gpus_per_node = gpus / nodes;
        Self { role, system, parallel, batch, count, ctx_tokens, memory, nodes, gpus_per_node }
    }

    /// GPUs of one worker.
    pub(super) const fn gpus(&self) -> u32 {
        self.nodes * self.gpus_per_node
    }

    /// GPUs of all of them.
    pub(super) const fn all_gpus(&self) -> u64 {
        self.gpus() as u64 * self.count as u64
    }

    /// GPUs of a pipeline stage.
    pub(super) const fn stage(&self) -> u32 {
        self.gpus() / self.parallel.pp
    }

    /// Requests in flight on one worker.
    pub(super) const fn requests(&self) -> u32 {
        self.batch * self.parallel.dp
    }

    /// `4 prefill workers × 2 GPUs (tp2) = 8 GPUs.`
    pub(super) fn sentence(&self) -> String {
        let kind = match self.role {
            Role::Worker => "worker".to_owned(),
            role => format!("{} worker", role.name()),
        };
        format!(
            "{} × {} ({}) = {}.",
            number_of(self.count.into(), &kind),
            number_of(self.gpus().into(), "GPU"),
            self.parallel,
            number_of(self.all_gpus(), "GPU")
        )
    }
}

/// `1 GPU`, `2 GPUs`.
pub(super) fn number_of(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// GPUs of one worker: experts and attention share them.
fn gpus(parallel: Parallel) -> u32 {
    let Parallel { tp, pp, dp, moe_tp, moe_ep, cp } = parallel;
    pp * (tp * dp * cp).max(moe_tp * moe_ep)
}

/// The kinds of workers of a point, or why no manifest can ask for them.
pub(super) fn pools<'a>(selection: &Selection<'a>) -> Result<Vec<Pool<'a>>, Vec<Check>> {
    let &Selection { scenario, system, decode_system, point, .. } = selection;
    let elsewhere = scenario.decode_system.as_ref().filter(|&decode| *decode != scenario.system);
    let decode_system = match (decode_system, elsewhere) {
        (Some(decode), _) => decode,
        (None, Some(decode)) if point.is_disagg() => {
            let message =
                format!("Nothing is known of {decode}, where decode runs. Choose another GPU system.");
            return Err(vec![Check::error("", "unknown-system", message)]);
        }
        (None, _) => system,
    };
    let mut out = match &point.layout {
        Layout::Agg { worker, ctx_tokens, .. } => {
            vec![Pool::new(Role::Worker, system, worker, Some(*ctx_tokens))]
        }
        Layout::Disagg { prefill, decode, .. } => vec![
            Pool::new(Role::Prefill, system, prefill, None),
            Pool::new(Role::Decode, decode_system, decode, None),
        ],
    };
    if let Some(encoders) = point.layout.encoders() {
        let memory = MemoryUse { encoder: encoders.memory_bytes, ..MemoryUse::default() };
        let parallel = Parallel::dense(encoders.tp, 1, 1);
        let worker = Worker { parallel, batch: encoders.batch, count: encoders.count, memory };
        out.push(Pool::new(Role::Encode, system, &worker, None));
    }
    let checks = inexpressible(selection, &out);
    if checks.is_empty() { Ok(out) } else { Err(checks) }
}

/// What the engine of the point has no settings for, and what exceeds the budget.
fn inexpressible(selection: &Selection<'_>, pools: &[Pool<'_>]) -> Vec<Check> {
    let scenario = selection.scenario;
    let backend = scenario.backend;
    let mut checks = Vec::new();
    let mut refuse =
        |role: Role, rule, message: String| checks.push(Check::error(role.name(), rule, message));
    for pool in pools {
        let Pool { role, parallel, system, .. } = *pool;
        if parallel.cp > 1 && backend != Backend::Sglang {
            let message = format!(
                "The selected point splits each prompt over {} GPUs (cp{}), which no setting of {} is known to ask for. Select a point without context parallelism.",
                parallel.cp,
                parallel.cp,
                backend.label()
            );
            refuse(role, "context-parallel", message);
        }
        if backend == Backend::Trtllm && parallel.tp > 1 && parallel.dp > 1 {
            let message = format!(
                "TensorRT-LLM runs data parallel attention on all GPUs of a worker, so tp{} together with dp{} cannot be asked for. Select a point with tp1 or dp1.",
                parallel.tp, parallel.dp
            );
            refuse(role, "attention-dp", message);
        }
        if role == Role::Encode && backend != Backend::Vllm {
            let message = format!(
                "Workers that only encode images exist with vLLM alone, and the selected point runs {}. Select a point that encodes images before prefill.",
                backend.label()
            );
            refuse(role, "encoders", message);
        }
        if crate::manifest::sku::gpu_product(&system.id).is_none() {
            let message = format!("Dynamo and llm-d run on GPUs of NVIDIA; {} is none.", system.name);
            refuse(role, "no-nvidia", message);
        }
    }
    let used: u64 = pools.iter().map(Pool::all_gpus).sum();
    if let Goal::Gpus(budget) = scenario.goal
        && used > u64::from(budget)
    {
        let message = format!(
            "The selected point takes {} GPUs, the budget is {}. Raise the budget or select a smaller point.",
            count(used),
            typed(f64::from(budget))
        );
        checks.push(Check::error("", "over-budget", message));
    }
    checks
}
