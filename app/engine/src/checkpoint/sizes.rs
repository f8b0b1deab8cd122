//! Sizes that every model has.

use serde_json::Value;

use super::architecture::Architecture;
use super::error::CheckpointError;
use super::keys::Keys;
use super::layers::pattern;
use super::note::Note;
use crate::model::{Family, ModelSpec};
use crate::quant::{FmhaQuant, KvQuant, Precision, Quant};

/// The facts that every family has, at 16 bits and with equal layers.
pub(super) fn read(
    text: &Keys<'_>,
    architecture: &Architecture,
    notes: &mut Vec<Note>,
) -> Result<ModelSpec, CheckpointError> {
    let family = architecture.family;
    let layers = match text.whole("num_hidden_layers")? {
        Some(layers) => layers,
        // Its layers may be listed instead.
        None if family == Family::NemotronH => pattern(text)?.len() as u32,
        None => return Err(text.missing("num_hidden_layers")),
    };
    let (hidden, heads) = (text.need("hidden_size")?, text.need("num_attention_heads")?);
    let topk = ["num_experts_per_tok", "top_k_experts", "moe_top_k"];
    let topk = topk.into_iter().find(|key| text.get(key).is_some());
    let experts =
        text.first_of(&["num_local_experts", "n_routed_experts", "moe_num_experts", "num_experts"])?;
    let topk = topk.map_or(Ok(0), |key| text.or_zero(key))?;
    Ok(ModelSpec {
        id: String::new(),
        arch: architecture.name.to_owned(),
        family,
        layers,
        hidden,
        heads,
        kv_heads: kv_heads(text, family, heads, notes)?,
        head_dim: head_dim(text, family, hidden, heads)?,
        ffn: text.or_zero("intermediate_size")?,
        vocab: text.need("vocab_size")?,
        max_pos: text.need("max_position_embeddings")?,
        qk_norm: matches!(
            architecture.name,
            "Qwen3ForCausalLM" | "Qwen3MoeForCausalLM" | "MiniMaxM2ForCausalLM"
        ),
        experts,
        topk: if topk == 0 && family == Family::KimiK3 {
            text.or_zero("num_experts_per_token")?
        } else {
            topk
        },
        moe_ffn: text.first_of(&["moe_intermediate_size", "intermediate_size"])?,
        mtp_layers: text.or_zero("num_nextn_predict_layers")?,
        attn_unquantized: Vec::new(),
        shared_expert_unquantized: false,
        mla: None,
        unquantized_patterns: Vec::new(),
        hybrid: None,
        gemma4: None,
        nemh: None,
        nas_blocks: Vec::new(),
        gdn: None,
        k3: None,
        vit: None,
        dsa: None,
        dsv4: None,
        quant: Precision { gemm: Quant::Bf16, moe: Quant::Bf16, fmha: FmhaQuant::Bf16, kv: KvQuant::Bf16 },
    })
}

/// KV heads; without them every query head has its own, unless its blocks say otherwise.
fn kv_heads(
    text: &Keys<'_>,
    family: Family,
    heads: u32,
    notes: &mut Vec<Note>,
) -> Result<u32, CheckpointError> {
    match text.whole("num_key_value_heads")? {
        Some(heads) => Ok(heads),
        None if family == Family::NemotronNas => Ok(0),
        None => {
            notes.push(Note::KvHeadsOfQueries { heads });
            Ok(heads)
        }
    }
}

/// Size of a head; without one the hidden size is shared out, evenly where attention works on it.
fn head_dim(text: &Keys<'_>, family: Family, hidden: u32, heads: u32) -> Result<u32, CheckpointError> {
    let given = text.first_of(&["head_dim", "attention_head_dim"])?;
    if given > 0 {
        return Ok(given);
    }
    let Some(share) = hidden.checked_div(heads) else {
        return Err(text.value("num_attention_heads", &Value::from(heads), "at least 1"));
    };
    // Latent attention has widths of its own, and this one is not read.
    let latent = matches!(family, Family::Deepseek | Family::KimiK25 | Family::KimiK3 | Family::DeepseekV32);
    if !latent && !hidden.is_multiple_of(heads) {
        let must = format!("a multiple of the {heads} attention heads, or head_dim must be given");
        return Err(text.value("hidden_size", &Value::from(hidden), must));
    }
    Ok(share)
}
