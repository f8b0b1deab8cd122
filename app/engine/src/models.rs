//! From model facts to operator lists: one module per family.

mod deepseek;
mod deepseek_v32;
mod deepseek_v4;
mod gemma4;
mod hybrid;
mod llama;
mod minimax_m3;
mod moe;
mod nemotron;
mod routed;
mod setup;

pub use setup::{KvCache, Phase, Setup};

use crate::backend::Backend;
use crate::model::{Family, ModelSpec};
use crate::ops::{Op, OpLists};
use crate::parallel::Parallel;
use crate::quant::{Precision, Quant};

/// What the engine knows of a family.
struct Knowledge {
    /// Operators of one phase.
    list: fn(Setup<'_>, Phase) -> Vec<Op>,
    /// KV cache of one sequence on one GPU.
    kv_cache: fn(&Setup<'_>) -> KvCache,
}

/// Knowledge of a family; none when this build does not have it.
fn knowledge(family: Family) -> Option<Knowledge> {
    Some(match family {
        Family::Llama => Knowledge { list: llama::list, kv_cache: llama::kv_cache },
        Family::Moe => Knowledge { list: moe::list, kv_cache: moe::kv_cache },
        Family::Deepseek | Family::KimiK25 => {
            Knowledge { list: deepseek::list, kv_cache: deepseek::kv_cache }
        }
        Family::HybridMoe => Knowledge { list: hybrid::list, kv_cache: llama::kv_cache },
        Family::Step3p7 => Knowledge { list: hybrid::list, kv_cache: hybrid::windowed_kv_cache },
        Family::Gemma4Mix => Knowledge { list: gemma4::list, kv_cache: gemma4::kv_cache },
        Family::NemotronH => Knowledge { list: nemotron::hybrid, kv_cache: llama::kv_cache },
        Family::NemotronNas => Knowledge { list: nemotron::blocks, kv_cache: llama::kv_cache },
        Family::DeepseekV32 => Knowledge { list: deepseek_v32::list, kv_cache: deepseek_v32::kv_cache },
        Family::DeepseekV4 => Knowledge { list: deepseek_v4::list, kv_cache: deepseek_v4::kv_cache },
        Family::MinimaxM3 => Knowledge { list: minimax_m3::list, kv_cache: llama::kv_cache },
        _ => return None,
    })
}

/// Whether this build can list the operators of a family.
pub fn is_built(family: Family) -> bool {
    knowledge(family).is_some()
}

/// Operators of a worker; none when this build does not know the family.
pub fn op_lists(setup: &Setup<'_>) -> Option<OpLists> {
    let Knowledge { list, .. } = knowledge(setup.model.family)?;
    Some(OpLists { context: list(*setup, Phase::Context), generation: list(*setup, Phase::Generation) })
}

/// KV cache of one sequence on one GPU; that of grouped queries for families this build does not know.
pub fn kv_cache(setup: &Setup<'_>) -> KvCache {
    knowledge(setup.model.family).map_or_else(|| llama::kv_cache(setup), |known| (known.kv_cache)(setup))
}

/// Operator families and precisions of the tables that a model's operators read.
pub fn tables(setup: &Setup<'_>) -> Vec<(&'static str, String)> {
    let Precision { gemm, moe, fmha, kv } = match setup.model.family {
        Family::Gemma4Mix => gemma4::precision(setup),
        _ => setup.precision,
    };
    let is_static = gemm == Quant::Fp8Static;
    let gemm = if is_static { Quant::Fp8 } else { gemm };
    let mut out = vec![("gemm", gemm.name().to_owned())];
    if gemm != Quant::Bf16 {
        out.push(("gemm", Quant::Bf16.name().to_owned()));
    }
    if is_static {
        out.push(("quantize", String::new()));
    }
    let latent = matches!(setup.model.family, Family::Deepseek | Family::KimiK25);
    if let Some(tables) = sparse_tables(setup) {
        out.extend(tables.iter().map(|&table| (table, String::new())));
    } else if latent && setup.backend != Backend::Vllm {
        out.push(("mla", String::new()));
    } else {
        out.push(("context_attention", format!("{fmha}-{kv}")));
        out.push(("generation_attention", kv.name().to_owned()));
        if latent {
            out.push(("mla", String::new()));
        }
    }
    if setup.model.is_moe() {
        out.push(("moe", moe.name().to_owned()));
    }
    if setup.model.family == Family::NemotronH {
        out.push(("ssm", String::new()));
    }
    out.push(("comm", String::new()));
    out
}

/// Tables of sparse attention, in place of those of plain attention.
fn sparse_tables(setup: &Setup<'_>) -> Option<&'static [&'static str]> {
    // Only the engine that splits sequences has the tables for it.
    let split = setup.backend == Backend::Sglang;
    match setup.model.family {
        Family::DeepseekV32 if split => Some(&["dsa", "dsa_cp"]),
        Family::DeepseekV32 => Some(&["dsa"]),
        Family::DeepseekV4 => Some(&["dsv4", "mhc"]),
        Family::MinimaxM3 => Some(&["msa"]),
        _ => None,
    }
}

/// Whether the model can be laid out like this at all.
pub fn is_legal(model: &ModelSpec, parallel: Parallel, block_quantised: bool) -> bool {
    let Parallel { tp, pp: _, dp, moe_tp, moe_ep, cp } = parallel;
    let heads = model.heads.is_multiple_of(tp);
    // Context parallel attention works on whole heads of one rank.
    let context = cp == 1 || (tp == 1 && dp == 1);
    // A dense model that is laid out as if it had experts has nothing to spread.
    if !model.is_moe() && model.has_expert_layout() {
        return heads && context && tp * dp * cp == moe_tp && moe_ep == 1;
    }
    if !model.is_moe() {
        return heads && context && dp * moe_tp * moe_ep == 1;
    }
    // Blocks of 128 must not be cut; the families that check it are those with grouped queries.
    let grouped = matches!(model.family, Family::Moe | Family::HybridMoe | Family::Step3p7);
    let blocks = !(grouped && block_quantised) || (model.moe_ffn / moe_tp).is_multiple_of(128);
    heads && context && tp * dp * cp == moe_tp * moe_ep && moe_ep <= model.experts && blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    #[test]
    fn models_of_sparse_attention_have_its_facts() {
        for model in &Catalog::embedded().models {
            assert_eq!(model.dsa.is_some(), model.family == Family::DeepseekV32, "{}", model.id);
            assert_eq!(model.dsv4.is_some(), model.family == Family::DeepseekV4, "{}", model.id);
        }
    }
}
