//! What the layers of a family have that others do not.

mod hybrid;
mod state;

use serde_json::Value;

use super::error::CheckpointError;
use super::keys::Keys;
use super::quantization::Declared;
use crate::model::{Dsa, Dsv4, Family, Mla, ModelSpec, NasBlocks, Vit};

pub(super) use state::pattern;

type Outcome = Result<(), CheckpointError>;

/// Width of a feed-forward part that a block does not name, as a multiple of the hidden size.
const NAS_WIDTH: f64 = 3.5;

/// Adds what this family has.
pub(super) fn read(
    spec: &mut ModelSpec,
    text: &Keys<'_>,
    top: &Keys<'_>,
    declared: &Declared<'_>,
) -> Outcome {
    match spec.family {
        Family::Llama | Family::Moe | Family::MinimaxM3 => Ok(()),
        Family::Deepseek | Family::KimiK25 => latent(spec, text),
        Family::DeepseekV32 => selected(spec, text),
        Family::DeepseekV4 => compressed(spec, text),
        Family::HybridMoe if spec.arch == "Llama4ForConditionalGeneration" => hybrid::llama4(spec, text),
        Family::HybridMoe => hybrid::mimo(spec, text),
        Family::Step3p7 => hybrid::step(spec, text, top),
        Family::Gemma4Mix => hybrid::gemma(spec, text),
        Family::NemotronH => state::nemotron_h(spec, text),
        Family::NemotronNas => blocks(spec, text),
        Family::Qwen35 => state::qwen35(spec, text, top, declared),
        Family::KimiK3 => state::kimi_k3(spec, text),
        Family::Qwen3Vl | Family::Qwen3VlMoe => vision(spec, top),
    }?;
    // Without experts there is nothing that these two could mean.
    if spec.experts == 0 {
        spec.topk = 0;
        spec.moe_ffn = 0;
    }
    Ok(())
}

/// Names in a list of one per layer, each one of two; whether it is the second.
fn kinds(
    text: &Keys<'_>,
    key: &str,
    layers: &[Value],
    names: [&str; 2],
) -> Result<Vec<bool>, CheckpointError> {
    let is_second = |layer: &Value| match layer.as_str() {
        Some(name) if name == names[0] => Ok(false),
        Some(name) if name == names[1] => Ok(true),
        _ => Err(text.value(key, layer, format!("a list of {} and {}", names[0], names[1]))),
    };
    layers.iter().map(is_second).collect()
}

fn count(layers: &[bool], wanted: bool) -> u32 {
    layers.iter().filter(|&&layer| layer == wanted).count() as u32
}

fn latent(spec: &mut ModelSpec, text: &Keys<'_>) -> Outcome {
    spec.mla = Some(Mla {
        kv_lora_rank: text.or_zero("kv_lora_rank")?,
        qk_rope_head_dim: text.or_zero("qk_rope_head_dim")?,
        v_head_dim: text.or_zero("v_head_dim")?,
    });
    Ok(())
}

fn selected(spec: &mut ModelSpec, text: &Keys<'_>) -> Outcome {
    spec.dsa = Some(Dsa {
        q_lora_rank: text.need("q_lora_rank")?,
        kv_lora_rank: text.need("kv_lora_rank")?,
        qk_nope_head_dim: text.need("qk_nope_head_dim")?,
        qk_rope_head_dim: text.need("qk_rope_head_dim")?,
        v_head_dim: text.need("v_head_dim")?,
        index_head_dim: text.need("index_head_dim")?,
        index_n_heads: text.need("index_n_heads")?,
        index_topk: text.need("index_topk")?,
        full_layers: indexed_layers(spec.layers, text)?,
    });
    Ok(())
}

/// Layers with an indexer of their own: by a pattern of letters, else every so many layers after an offset.
fn indexed_layers(layers: u32, text: &Keys<'_>) -> Result<u32, CheckpointError> {
    if let Some(pattern) = text.text("index_topk_pattern")?.filter(|pattern| !pattern.is_empty()) {
        let reuse = pattern.chars().take(layers as usize).filter(|&letter| letter == 'S').count();
        return Ok(layers - reuse as u32);
    }
    let every = text.or_zero("index_topk_freq")?.max(1);
    let offset = text.whole("index_skip_topk_offset")?.unwrap_or(2);
    let own = |layer: &u32| layer.saturating_add(1).saturating_sub(offset).is_multiple_of(every);
    // The number of layers is not checked yet; no model has more than this.
    Ok(if every == 1 { layers } else { (0..layers.min(u32::from(u16::MAX))).filter(own).count() as u32 })
}

fn compressed(spec: &mut ModelSpec, text: &Keys<'_>) -> Outcome {
    let key = "compress_ratios";
    let ratios = text.list(key)?.ok_or_else(|| text.missing(key))?;
    // Draft layers may follow.
    let ratios =
        ratios.get(..spec.layers as usize).ok_or_else(|| text.length(key, ratios.len(), spec.layers))?;
    let mut facts = Dsv4 {
        q_lora_rank: text.need("q_lora_rank")?,
        o_lora_rank: text.need("o_lora_rank")?,
        o_groups: text.need("o_groups")?,
        head_dim: text.need("head_dim")?,
        qk_rope_head_dim: text.need("qk_rope_head_dim")?,
        index_head_dim: text.need("index_head_dim")?,
        index_n_heads: text.need("index_n_heads")?,
        index_topk: text.need("index_topk")?,
        sliding_window: text.need("sliding_window")?,
        hc_mult: text.need("hc_mult")?,
        hc_sinkhorn_iters: text.need("hc_sinkhorn_iters")?,
        layers_by_ratio: std::collections::BTreeMap::new(),
        first_seen: Vec::new(),
    };
    for ratio in ratios {
        let ratio = text.as_whole(key, ratio)?;
        *facts.layers_by_ratio.entry(ratio).or_insert(0) += 1;
        if !facts.first_seen.contains(&ratio) {
            if !matches!(ratio, 0 | 4 | 128) {
                return Err(text.value(key, &Value::from(ratio), "a list of 0, 4 and 128"));
            }
            facts.first_seen.push(ratio);
        }
    }
    spec.dsv4 = Some(facts);
    Ok(())
}

/// Blocks of Nemotron-NAS, equal neighbours together.
fn blocks(spec: &mut ModelSpec, text: &Keys<'_>) -> Outcome {
    let key = "block_configs";
    for block in text.per_layer(key, spec.layers)? {
        let Value::Object(block) = block else {
            return Err(text.value(key, block, "a list of objects"));
        };
        let block = Keys::new(block, text.name(key));
        let (attention, ffn) = (block.object("attention")?, block.object("ffn")?);
        let group = match attention {
            Some(part) if !part.flag("no_op")? => Some(part.need("n_heads_in_group")?),
            Some(_) => None,
            None => return Err(block.missing("attention")),
        };
        let ffn = match ffn {
            Some(part) if part.flag("no_op")? => None,
            Some(part) => match part.get("ffn_mult") {
                Some(value) => Some(value.as_f64().ok_or_else(|| part.value("ffn_mult", value, "a number"))?),
                None => Some(NAS_WIDTH),
            },
            None => return Err(block.missing("ffn")),
        };
        match spec.nas_blocks.last_mut() {
            Some(last) if last.group == group && last.ffn == ffn => last.count += 1,
            _ => spec.nas_blocks.push(NasBlocks { group, ffn, count: 1 }),
        }
    }
    Ok(())
}

fn vision(spec: &mut ModelSpec, top: &Keys<'_>) -> Outcome {
    let encoder = top.object("vision_config")?.ok_or_else(|| top.missing("vision_config"))?;
    let (hidden, merge) = (encoder.need("hidden_size")?, encoder.need("spatial_merge_size")?);
    let out = encoder.need("out_hidden_size")?;
    // A square of patches becomes one token.
    let merged = hidden.saturating_mul(merge).saturating_mul(merge);
    let tapped = encoder.list("deepstack_visual_indexes")?.unwrap_or_default().len();
    spec.vit = Some(Vit {
        depth: encoder.need("depth")?,
        hidden,
        heads: encoder.need("num_heads")?,
        ffn: encoder.need("intermediate_size")?,
        patch: encoder.need("patch_size")?,
        merge,
        out,
        projector: vec![[merged, merged], [merged, out]],
        projector_instances: 1 + tapped as u32,
    });
    Ok(())
}
