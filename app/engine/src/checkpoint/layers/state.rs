//! Layers that keep a state: Mamba-2, gated delta rules, Kimi delta attention.

use serde_json::Value;

use super::super::error::CheckpointError;
use super::super::keys::Keys;
use super::super::quantization::Declared;
use super::{Outcome, count, kinds};
use crate::model::{Gdn, GdnModes, K3, ModelSpec, NemotronH, StateDtype};
use crate::quant::Quant;

/// What each layer of Nemotron-H does, a letter each: `M` Mamba-2, `E` routed experts, `*` attention, `-` dense.
pub(in super::super) fn pattern(text: &Keys<'_>) -> Result<String, CheckpointError> {
    let key = "hybrid_override_pattern";
    if let Some(pattern) = text.text(key)? {
        let known = pattern.chars().all(|layer| matches!(layer, 'M' | 'E' | '*' | '-'));
        let must = "a text of M, E, * and -";
        return if known {
            Ok(pattern.to_owned())
        } else {
            Err(text.value(key, &Value::from(pattern), must))
        };
    }
    let key = "layers_block_type";
    let blocks = text.list(key)?.ok_or_else(|| text.missing("hybrid_override_pattern"))?;
    let letter = |block: &Value| match block.as_str() {
        Some("mamba") => Ok('M'),
        Some("moe") => Ok('E'),
        Some("attention") => Ok('*'),
        Some("mlp") => Ok('-'),
        _ => Err(text.value(key, block, "a list of mamba, moe, attention and mlp")),
    };
    blocks.iter().map(letter).collect()
}

/// Nemotron-H.
pub(super) fn nemotron_h(spec: &mut ModelSpec, text: &Keys<'_>) -> Outcome {
    let pattern = pattern(text)?;
    if pattern.len() != spec.layers as usize {
        return Err(text.length("hybrid_override_pattern", pattern.len(), spec.layers));
    }
    let of = |wanted: char| pattern.chars().filter(|&layer| layer == wanted).count() as u32;
    spec.nemh = Some(NemotronH {
        mamba: of('M'),
        routed: of('E'),
        attention: of('*'),
        dense: of('-'),
        mamba_heads: text.need("mamba_num_heads")?,
        mamba_head_dim: text.need("mamba_head_dim")?,
        state: text.need("ssm_state_size")?,
        conv: text.need("conv_kernel")?,
        n_groups: text.need("n_groups")?,
        chunk: text.need("chunk_size")?,
        shared_ffn: text.or_zero("moe_shared_expert_intermediate_size")?,
        latent: text.or_zero("moe_latent_size")?,
    });
    Ok(())
}

/// Qwen3.5.
pub(super) fn qwen35(
    spec: &mut ModelSpec,
    text: &Keys<'_>,
    top: &Keys<'_>,
    declared: &Declared<'_>,
) -> Outcome {
    let key = "layer_types";
    let full = kinds(text, key, text.per_layer(key, spec.layers)?, ["linear_attention", "full_attention"])?;
    let dtype_key = "mamba_ssm_dtype";
    let ssm_dtype = match [text, top].into_iter().find(|keys| keys.get(dtype_key).is_some()) {
        None => StateDtype::F32,
        Some(keys) => {
            let name = keys.text(dtype_key)?.unwrap_or_default();
            let must = "float32, bfloat16 or float16";
            StateDtype::from_name(name).ok_or_else(|| keys.value(dtype_key, &Value::from(name), must))?
        }
    };
    let [projection, ffn, shared] = declared.by_layer()?;
    let left = |parts: &[&str]| spec.unquantized_patterns.iter().any(|left| parts.contains(&left.as_str()));
    let or = |own: Option<Quant>, left: bool| own.unwrap_or(if left { Quant::Bf16 } else { spec.quant.gemm });
    spec.gdn = Some(Gdn {
        linear: count(&full, false),
        full: count(&full, true),
        num_key_heads: text.need("linear_num_key_heads")?,
        key_head_dim: text.need("linear_key_head_dim")?,
        num_value_heads: text.need("linear_num_value_heads")?,
        value_head_dim: text.need("linear_value_head_dim")?,
        conv_kernel_dim: text.need("linear_conv_kernel_dim")?,
        shared_ffn: text.or_zero("shared_expert_intermediate_size")?,
        ssm_dtype,
        modes: GdnModes {
            projection: or(projection, left(&["self_attn", "linear_attn"])),
            ffn: or(ffn, left(&["mlp_not_shared"])),
            shared: or(shared, spec.shared_expert_unquantized),
        },
    });
    Ok(())
}

/// Kimi K3.
pub(super) fn kimi_k3(spec: &mut ModelSpec, text: &Keys<'_>) -> Outcome {
    let linear = text.object("linear_attn_config")?.ok_or_else(|| text.missing("linear_attn_config"))?;
    let key = "kda_layers";
    let mut kda = Vec::new();
    for layer in linear.list(key)?.ok_or_else(|| linear.missing(key))? {
        let number = linear.as_whole(key, layer)?;
        if !(1..=spec.layers).contains(&number) {
            return Err(linear.value(key, layer, format!("a list of layers, from 1 to {}", spec.layers)));
        }
        kda.push(number);
    }
    kda.sort_unstable();
    kda.dedup();
    spec.k3 = Some(K3 {
        kda_layers: kda.len() as u32,
        kda_heads: linear.need("num_heads")?,
        kda_head_dim: linear.need("head_dim")?,
        conv: linear.whole("short_conv_kernel_size")?.unwrap_or(4),
        q_lora_rank: text.need("q_lora_rank")?,
        kv_lora_rank: text.need("kv_lora_rank")?,
        qk_nope_head_dim: text.need("qk_nope_head_dim")?,
        qk_rope_head_dim: text.need("qk_rope_head_dim")?,
        v_head_dim: text.need("v_head_dim")?,
        routed_expert_hidden_size: text.or_zero("routed_expert_hidden_size")?,
        num_shared_experts: text.or_zero("num_shared_experts")?,
        first_k_dense_replace: text.or_zero("first_k_dense_replace")?,
        attn_res_block_size: text.or_zero("attn_res_block_size")?,
    });
    Ok(())
}
