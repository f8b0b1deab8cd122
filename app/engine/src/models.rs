//! From model facts to operator lists: one module per family.

mod deepseek;
mod deepseek_v32;
mod deepseek_v4;
mod deepseek_wide;
mod gemma4;
mod hybrid;
mod kimik3;
mod llama;
mod minimax_m3;
mod moe;
mod nemotron;
mod qwen35;
mod routing;
mod setup;
pub mod vision;
mod wide;

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

/// Knowledge of a family.
fn knowledge(family: Family) -> Knowledge {
    match family {
        Family::Llama | Family::Qwen3Vl => Knowledge { list: llama::list, kv_cache: llama::kv_cache },
        Family::Moe | Family::Qwen3VlMoe => Knowledge { list: moe::list, kv_cache: moe::kv_cache },
        Family::Deepseek | Family::KimiK25 => {
            Knowledge { list: deepseek::list, kv_cache: deepseek::kv_cache }
        }
        Family::HybridMoe => Knowledge { list: hybrid::list, kv_cache: llama::kv_cache },
        Family::Step3p7 => Knowledge { list: hybrid::list, kv_cache: hybrid::windowed_kv_cache },
        Family::Gemma4Mix => Knowledge { list: gemma4::list, kv_cache: gemma4::kv_cache },
        Family::NemotronH => Knowledge { list: nemotron::hybrid, kv_cache: llama::kv_cache },
        Family::NemotronNas => Knowledge { list: nemotron::blocks, kv_cache: llama::kv_cache },
        Family::Qwen35 => Knowledge { list: qwen35::list, kv_cache: qwen35::kv_cache },
        Family::KimiK3 => Knowledge { list: kimik3::list, kv_cache: kimik3::kv_cache },
        Family::DeepseekV32 => Knowledge { list: deepseek_v32::list, kv_cache: deepseek_v32::kv_cache },
        Family::DeepseekV4 => Knowledge { list: deepseek_v4::list, kv_cache: deepseek_v4::kv_cache },
        Family::MinimaxM3 => Knowledge { list: minimax_m3::list, kv_cache: llama::kv_cache },
    }
}

/// Operators of a worker.
pub fn op_lists(setup: &Setup<'_>) -> OpLists {
    let Knowledge { list, .. } = knowledge(setup.model.family);
    OpLists { context: list(*setup, Phase::Context), generation: list(*setup, Phase::Generation) }
}

/// KV cache of one sequence on one GPU.
pub fn kv_cache(setup: &Setup<'_>) -> KvCache {
    (knowledge(setup.model.family).kv_cache)(setup)
}

/// Precisions of the dense matrices that a model's operators read, each once.
fn gemm_modes(setup: &Setup<'_>) -> Vec<Quant> {
    // The publisher refuses a precision that was not measured, whichever parts of the model keep to it.
    let mut wanted = vec![setup.precision.gemm];
    if let Some(gdn) = setup.model.gdn {
        let modes = qwen35::modes(setup, &gdn);
        wanted.push(modes.projection);
        wanted.extend((!setup.model.is_moe()).then_some(modes.ffn));
        wanted.extend((gdn.shared_ffn > 0).then_some(modes.shared));
    }
    // Logits and routers.
    wanted.push(Quant::Bf16);
    let mut out = Vec::new();
    for quant in wanted {
        if !out.contains(&quant) {
            out.push(quant);
        }
    }
    out
}

/// Operator families and precisions of the tables that a model's operators read.
pub fn tables(setup: &Setup<'_>) -> Vec<(&'static str, String)> {
    let Precision { moe, fmha, kv, .. } = setup.precision;
    let modes = gemm_modes(setup);
    let is_static = modes.contains(&Quant::Fp8Static);
    let mut out = Vec::new();
    for mode in modes {
        let mode = if mode == Quant::Fp8Static { Quant::Fp8 } else { mode };
        let file = ("gemm", mode.name().to_owned());
        if !out.contains(&file) {
            out.push(file);
        }
    }
    if is_static {
        out.push(("quantize", String::new()));
    }
    let latent = matches!(setup.model.family, Family::Deepseek | Family::KimiK25 | Family::KimiK3);
    if let Some(tables) = sparse_tables(setup) {
        out.extend(tables.iter().map(|&table| (table, String::new())));
    } else if latent && setup.backend != Backend::Vllm {
        out.push(("mla", String::new()));
        // The draft model of Kimi K3 has grouped queries.
        if setup.model.k3.is_some() && setup.draft_tokens > 0 {
            out.push(("generation_attention", kv.name().to_owned()));
        }
    } else {
        out.push(("context_attention", format!("{fmha}-{kv}")));
        out.push(("generation_attention", kv.name().to_owned()));
        if latent {
            out.push(("mla", String::new()));
        }
    }
    if setup.model.is_moe() {
        out.push(("moe", moe.name().to_owned()));
        let experts = gemma4::experts(setup);
        if setup.model.family == Family::Gemma4Mix && experts != moe {
            out.push(("moe", experts.name().to_owned()));
        }
    }
    let stateful = setup.model.gdn.is_some() || setup.model.k3.is_some() || setup.model.nemh.is_some();
    if stateful {
        out.push(("ssm", String::new()));
    }
    out.push(("comm", String::new()));
    out
}

/// Whether a model runs without these tables: its operators have a formula or a stand-in for them.
pub fn may_lack(backend: Backend, family: &str) -> bool {
    family == "ssm" || (family == "mla" && backend == Backend::Vllm)
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

/// Tables that open further layouts where they were measured: experts behind an all-to-all exchange.
pub fn optional_tables(setup: &Setup<'_>) -> &'static [&'static str] {
    match setup.model.family {
        family if !has_wide_experts(family) => &[],
        Family::Deepseek | Family::KimiK25 if setup.backend == Backend::Sglang => {
            &["a2a", "moe_wideep", "mla_wideep"]
        }
        _ => &["a2a", "moe_wideep"],
    }
}

/// Whether a family is known with experts behind an all-to-all exchange.
pub fn has_wide_experts(family: Family) -> bool {
    matches!(family, Family::Moe | Family::Deepseek | Family::KimiK25 | Family::DeepseekV32)
}

/// Whether engines draft tokens for a family.
pub fn can_draft(family: Family) -> bool {
    family != Family::NemotronNas
}

/// Whether the model can be laid out like this at all.
pub fn is_legal(model: &ModelSpec, parallel: Parallel, block_quantised: bool) -> bool {
    let Parallel { tp, pp: _, dp, moe_tp, moe_ep, cp } = parallel;
    let heads = model.heads.is_multiple_of(tp);
    // Context parallel attention works on whole heads of one rank.
    let context = cp == 1 || (tp == 1 && dp == 1);
    // States live on one rank: their heads are split evenly and their sequences not at all.
    let states = model.gdn.map_or(0, |gdn| gdn.num_key_heads);
    let (values, kimi) =
        (model.gdn.map_or(0, |gdn| gdn.num_value_heads), model.k3.map_or(0, |k3| k3.kda_heads));
    let stateful = states + values + kimi > 0;
    if (stateful && cp > 1) || ![states, values, kimi].iter().all(|heads| heads.is_multiple_of(tp)) {
        return false;
    }
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
