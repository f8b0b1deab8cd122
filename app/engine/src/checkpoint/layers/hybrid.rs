//! Layers with global or sliding attention, dense or routed.

use serde_json::Value;

use super::super::error::CheckpointError;
use super::super::keys::Keys;
use super::{Outcome, count, kinds};
use crate::model::{Gemma4, Hybrid, ModelSpec};

const NONE: Hybrid = Hybrid {
    window: 0,
    swa_heads: 0,
    swa_kv: 0,
    swa_hd: 0,
    swa_vhd: 0,
    glob_vhd: 0,
    dense_ffn: 0,
    qk_norm: false,
    gate: false,
    shared_ffn: 0,
    global_moe: 0,
    swa_moe: 0,
    swa_dense: 0,
    global_dense: 0,
};

/// Counts the layers of each kind.
fn counted(base: Hybrid, global: &[bool], routed: &[bool]) -> Hybrid {
    let of = |wanted: (bool, bool)| {
        global.iter().zip(routed).filter(|&(&global, &routed)| (global, routed) == wanted).count() as u32
    };
    Hybrid {
        global_moe: of((true, true)),
        swa_moe: of((false, true)),
        swa_dense: of((false, false)),
        global_dense: of((true, false)),
        ..base
    }
}

/// A list of 0 and 1, one per layer.
fn bits(text: &Keys<'_>, key: &str, layers: &[Value]) -> Result<Vec<bool>, CheckpointError> {
    let bit = |layer: &Value| match layer.as_u64() {
        Some(0) => Ok(false),
        Some(1) => Ok(true),
        _ => Err(text.value(key, layer, "a list of 0 and 1")),
    };
    layers.iter().map(bit).collect()
}

/// MiMo-V2-Flash.
pub(super) fn mimo(spec: &mut ModelSpec, text: &Keys<'_>) -> Outcome {
    let pattern = "hybrid_layer_pattern";
    let global = bits(text, pattern, text.per_layer(pattern, spec.layers)?)?;
    let freq = "moe_layer_freq";
    let routed = match text.get(freq) {
        // One number stands for every layer.
        Some(one @ Value::Number(_)) => {
            vec![bits(text, freq, std::slice::from_ref(one))? == [true]; global.len()]
        }
        _ => bits(text, freq, text.per_layer(freq, spec.layers)?)?,
    };
    let base = Hybrid {
        window: text.or_zero("sliding_window_size")?,
        swa_kv: text.or_zero("swa_num_key_value_heads")?,
        swa_hd: text.or_zero("swa_head_dim")?,
        swa_vhd: text.or_zero("swa_v_head_dim")?,
        glob_vhd: text.or_zero("v_head_dim")?,
        ..NONE
    };
    spec.hybrid = Some(counted(base, &global, &routed));
    Ok(())
}

/// Llama 4: every other layer is global, every so many layers are routed.
pub(super) fn llama4(spec: &mut ModelSpec, text: &Keys<'_>) -> Outcome {
    let step = text.whole("interleave_moe_layer_step")?.unwrap_or(1);
    if step == 0 {
        return Err(text.value("interleave_moe_layer_step", &Value::from(step), "at least 1"));
    }
    let base = Hybrid {
        window: text.or_zero("attention_chunk_size")?,
        dense_ffn: text.or_zero("intermediate_size_mlp")?,
        ..NONE
    };
    // More layers than any model has are refused later.
    let layers = 0..spec.layers.min(u32::from(u16::MAX));
    let global: Vec<bool> = layers.clone().map(|layer| !layer.is_multiple_of(2)).collect();
    let routed: Vec<bool> = layers.map(|layer| (layer + 1).is_multiple_of(step)).collect();
    spec.hybrid = Some(counted(base, &global, &routed));
    Ok(())
}

/// Step 3.5 and 3.7.
pub(super) fn step(spec: &mut ModelSpec, text: &Keys<'_>, top: &Keys<'_>) -> Outcome {
    let key = "layer_types";
    let types = text.list(key)?.ok_or_else(|| text.missing(key))?;
    let (layers, drafts) = (spec.layers as usize, spec.mtp_layers as usize);
    // Draft layers may follow.
    if types.len() != layers && types.len() != layers + drafts {
        return Err(text.length(key, types.len(), spec.layers));
    }
    let global = kinds(text, key, &types[..layers], ["sliding_attention", "full_attention"])?;
    let routed = routed_layers(text, layers)?;
    let other = text.object("attention_other_setting")?;
    let other = |key| other.as_ref().map_or(Ok(0), |other| other.or_zero(key));
    let base = Hybrid {
        window: text.first_of(&["sliding_window", "sliding_window_size"])?,
        swa_heads: other("num_attention_heads")?,
        swa_hd: other("head_dim")?,
        qk_norm: true,
        gate: text.flag("use_head_wise_attn_gate")?,
        shared_ffn: top.or_zero("share_expert_dim")?,
        ..NONE
    };
    spec.hybrid = Some(counted(base, &global, &routed));
    Ok(())
}

/// Which layers are routed: those that are listed, else all after the first dense ones.
fn routed_layers(text: &Keys<'_>, layers: usize) -> Result<Vec<bool>, CheckpointError> {
    let key = "moe_layers_enum";
    let listed: Option<Vec<u32>> = match text.get(key) {
        Some(value @ Value::String(list)) if !list.trim().is_empty() => {
            let number =
                |item: &str| item.parse().map_err(|_| text.value(key, value, "whole numbers and commas"));
            Some(
                list.split(',')
                    .map(str::trim)
                    .filter(|item| !item.is_empty())
                    .map(number)
                    .collect::<Result<_, _>>()?,
            )
        }
        Some(Value::Array(list)) if !list.is_empty() => {
            Some(list.iter().map(|layer| text.as_whole(key, layer)).collect::<Result<_, _>>()?)
        }
        _ => None,
    };
    let mut routed = vec![false; layers];
    if let Some(listed) = listed {
        for layer in listed {
            if let Some(layer) = routed.get_mut(layer as usize) {
                *layer = true;
            }
        }
    } else {
        let dense = text.or_zero("first_k_dense_replace")? as usize;
        routed.iter_mut().skip(dense).for_each(|layer| *layer = true);
    }
    Ok(routed)
}

/// Gemma 4.
pub(super) fn gemma(spec: &mut ModelSpec, text: &Keys<'_>) -> Outcome {
    let key = "layer_types";
    let global =
        kinds(text, key, text.per_layer(key, spec.layers)?, ["sliding_attention", "full_attention"])?;
    let (swa_kv, swa_hd) = (text.need("num_key_value_heads")?, text.need("head_dim")?);
    let or = |found: u32, own| if found > 0 { found } else { own };
    spec.gemma4 = Some(Gemma4 {
        swa: count(&global, false),
        full: count(&global, true),
        swa_kv,
        swa_hd,
        g_kv: or(text.or_zero("num_global_key_value_heads")?, swa_kv),
        g_hd: or(text.or_zero("global_head_dim")?, swa_hd),
        window: text.or_zero("sliding_window")?,
        k_eq_v: text.flag("attention_k_eq_v")?,
    });
    Ok(())
}
