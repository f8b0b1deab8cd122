//! Which layouts, batches and step sizes a search tries.

use std::collections::BTreeSet;

use crate::backend::Backend;
use crate::model::{Family, ModelSpec};
use crate::models;
use crate::parallel::Parallel;
pub use crate::parallel::WorkerRole;
use crate::quant::{Precision, Quant};
use crate::scenario::{Goal, Policy, Scenario};
use crate::system::SystemSpec;
use crate::wide::Coverage;

/// Largest batch that is tried.
pub const MAX_BATCH: u32 = 512;
/// Largest prefill batch that is tried.
pub const MAX_PREFILL_BATCH: u32 = 8;

/// Tensor parallel sizes of encoder workers.
pub const ENCODER_SIZES: [u32; 4] = [1, 2, 4, 8];
/// Largest batch of an encoder worker.
pub const MAX_ENCODER_BATCH: u32 = 8;

/// Whether a family can split one sequence over several GPUs in prefill.
fn has_context_parallel(family: Family) -> bool {
    use Family::{
        Deepseek, DeepseekV4, DeepseekV32, Gemma4Mix, HybridMoe, KimiK25, Llama, Moe, Qwen3Vl, Qwen3VlMoe,
        Step3p7,
    };
    let grouped = matches!(family, Llama | Moe | Qwen3Vl | Qwen3VlMoe | HybridMoe | Step3p7 | Gemma4Mix);
    grouped || matches!(family, Deepseek | KimiK25 | DeepseekV32 | DeepseekV4)
}

/// How many pipeline stages are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stages {
    /// One.
    One,
    /// One and two, on no more GPUs.
    Two,
    /// One, two and four, each on as many GPUs.
    Four,
}

/// Pipeline stages to try: two also unasked, for models that need many GPUs, on Blackwell.
///
/// The reference tries them from a budget of 16 GPUs on; rows that know no budget hold them always.
pub fn stages<'a>(
    family: Family,
    scenario: &Scenario,
    mut systems: impl Iterator<Item = &'a SystemSpec>,
) -> Stages {
    let budget = scenario.policy == Policy::Exhaustive || matches!(scenario.goal, Goal::Gpus(16..));
    let large = matches!(family, Family::DeepseekV32 | Family::DeepseekV4) && budget;
    if scenario.engine.pipeline {
        Stages::Four
    } else if large && systems.all(|system| system.sm_version.is_some_and(|sm| sm >= 100)) {
        Stages::Two
    } else {
        Stages::One
    }
}

/// What the layouts of a worker depend on, beside its role.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// The model.
    pub model: &'a ModelSpec,
    /// GPU system.
    pub system: &'a SystemSpec,
    /// Engine.
    pub backend: Backend,
    /// Precisions it runs with.
    pub precision: Precision,
    /// Where experts can be reached by an all-to-all exchange.
    pub wide: &'a Coverage,
}

/// Whether prefill may split one sequence over several GPUs.
fn splits_sequences(backend: Backend, role: WorkerRole, family: Family) -> bool {
    backend == Backend::Sglang && role != WorkerRole::Decode && has_context_parallel(family)
}

/// Whether a worker can be laid out like this at all, whatever sizes a search tries.
pub fn can_run(ground: Ground<'_>, role: WorkerRole, parallel: Parallel) -> bool {
    let Ground { model, system, backend, precision, wide } = ground;
    models::is_legal(model, parallel, precision.moe == Quant::Fp8Block)
        && backend_allows(backend, parallel)
        && (parallel.cp == 1 || splits_sequences(backend, role, model.family))
        && (parallel.moe_ep <= system.gpus_per_node || wide.plan(role, parallel).is_some())
}

/// Layouts of one worker, in the order that breaks ties.
pub fn layouts(ground: Ground<'_>, role: WorkerRole, stages: Stages) -> Vec<Parallel> {
    const SIZES: [u32; 5] = [1, 2, 4, 8, 16];
    let Ground { model, system, backend, wide, .. } = ground;
    let rack = matches!(system.id.as_str(), "gb200" | "gb300");
    let most = if model.has_expert_layout() || rack { 16 } else { 8 };
    let sizes = || SIZES.into_iter().filter(move |&size| size <= most);
    let (one, experts) = (|| SIZES.into_iter().take(1), model.has_expert_layout());
    let of_experts = || sizes().filter(move |&size| experts || size == 1);
    let pp: &[u32] = match stages {
        Stages::One => &[1],
        Stages::Two => &[1, 2],
        Stages::Four => &[1, 2, 4],
    };
    let ladder = ladder(backend, role, wide);
    let union = |sizes: &[u32], more: &[u32]| sizes.iter().chain(more).copied().collect::<BTreeSet<u32>>();
    let fused: Vec<u32> = of_experts().collect();
    let (dps, eps) = (union(&fused, &ladder.dp), union(&fused, &ladder.ep));
    let gpus = union(&sizes().collect::<Vec<_>>(), &ladder.gpus);
    let cp: Vec<u32> = if splits_sequences(backend, role, model.family) {
        sizes().filter(|&cp| cp <= 8).collect()
    } else {
        one().collect()
    };
    let mut out = Vec::new();
    for tp in sizes() {
        for &pp in pp {
            for &dp in &dps {
                for moe_tp in of_experts() {
                    for &moe_ep in &eps {
                        for &cp in &cp {
                            let parallel = Parallel { tp, pp, dp, moe_tp, moe_ep, cp };
                            // Stages that the user opened come on top of the usual sizes.
                            let unit = if stages == Stages::Four { pp } else { 1 };
                            if gpus.contains(&(parallel.gpus() / unit)) && can_run(ground, role, parallel) {
                                out.push(parallel);
                            }
                        }
                    }
                }
            }
        }
    }
    out
}

/// Sizes that experts over several nodes add.
#[derive(Default)]
struct Ladder {
    gpus: Vec<u32>,
    dp: Vec<u32>,
    ep: Vec<u32>,
}

/// Larger workers, where experts over several nodes were measured.
fn ladder(backend: Backend, role: WorkerRole, wide: &Coverage) -> Ladder {
    let covered: Vec<u32> = wide.across_nodes(role).into_iter().collect();
    if covered.is_empty() {
        return Ladder::default();
    }
    let powers = |from: u32, to: u32| {
        std::iter::successors(Some(from), |size| Some(size * 2)).take_while(|&size| size <= to).collect()
    };
    let most = if role == WorkerRole::Prefill { 32 } else { 64 };
    match backend {
        Backend::Trtllm => Ladder { gpus: powers(2, most), dp: powers(2, most), ep: powers(2, most) },
        Backend::Sglang => Ladder { gpus: powers(8, most), dp: powers(1, most), ep: powers(8, most) },
        Backend::Vllm => Ladder { gpus: covered.clone(), dp: covered.clone(), ep: covered },
    }
}

/// What an engine cannot combine.
fn backend_allows(backend: Backend, parallel: Parallel) -> bool {
    let Parallel { tp, dp, moe_tp, moe_ep, .. } = parallel;
    match backend {
        Backend::Trtllm => dp == 1 || tp == 1,
        Backend::Vllm => moe_tp == 1 || moe_ep == 1,
        Backend::Sglang => true,
    }
}

/// Batches of aggregated serving.
pub fn agg_batches() -> Vec<u32> {
    let mut out: Vec<u32> = (1..16).collect();
    out.extend((16..32).step_by(4));
    out.extend((32..64).step_by(8));
    out.extend((64..256).step_by(16));
    out.extend((256..512).step_by(32));
    out.push(MAX_BATCH);
    out
}

/// Batches of a decode worker.
pub fn decode_batches() -> Vec<u32> {
    let mut out: Vec<u32> = (1..16).collect();
    out.extend((16..32).step_by(2));
    out.extend((32..128).step_by(4));
    out.extend((128..512).step_by(8));
    out.push(MAX_BATCH);
    out
}

/// Prefill tokens of a mixed step, ascending.
pub fn context_tokens(isl: u32, chunked: bool) -> Vec<u32> {
    let cap = (2 * isl).max(8192);
    let (mut small, mut large) = (512, (cap / 8).max(1024));
    if !chunked {
        small = isl.max(512);
        large = large.div_ceil(isl) * isl;
    }
    let mut out = Vec::new();
    let mut at = 0;
    loop {
        at += if at < 8192 { small } else { large };
        if at > cap {
            break;
        }
        out.push(at);
    }
    for whole in [isl, 2 * isl] {
        if !out.contains(&whole) {
            out.push(whole);
        }
    }
    out.sort_unstable();
    out
}

/// A mixed step must leave room for at least one decoding request.
pub fn leaves_a_decode(batch: u32, ctx_tokens: u32, isl: u32) -> bool {
    let prompts = ctx_tokens.div_ceil(isl);
    batch >= prompts && (batch == 1 || batch > prompts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_prompts_unless_chunked() {
        assert_eq!(context_tokens(4000, false), [4000, 8000]);
        assert_eq!(context_tokens(1024, false), (1..=8).map(|k| k * 1024).collect::<Vec<_>>());
        assert_eq!(context_tokens(4000, true).len(), 18);
    }

    #[test]
    fn two_pipeline_stages_on_large_blackwell_clusters_only() {
        let stages = |family, gpus, systems: &[&str]| {
            let catalog = crate::catalog::Catalog::embedded();
            let systems = catalog.systems.iter().filter(|system| systems.contains(&system.id.as_str()));
            let (goal, policy) = (Goal::Gpus(gpus), Policy::Reference);
            stages(family, &Scenario { goal, policy, ..Scenario::default() }, systems)
        };
        assert_eq!(stages(Family::DeepseekV32, 16, &["b200_sxm", "gb300"]), Stages::Two);
        assert_eq!(stages(Family::DeepseekV4, 15, &["b200_sxm"]), Stages::One);
        assert_eq!(stages(Family::DeepseekV4, 64, &["b200_sxm", "h200_sxm"]), Stages::One);
        assert_eq!(stages(Family::Deepseek, 64, &["b200_sxm"]), Stages::One);
    }

    #[test]
    fn batch_lists_end_at_the_limit() {
        assert_eq!((agg_batches().len(), agg_batches().last()), (44, Some(&512)));
        assert_eq!((decode_batches().len(), decode_batches().last()), (96, Some(&512)));
    }
}
