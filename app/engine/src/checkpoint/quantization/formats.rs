//! Formats of weights: groups of compressed tensors, lists of quantised layers.

use serde_json::{Map, Value};

use super::super::error::CheckpointError;
use super::super::keys::Keys;
use crate::quant::Quant;

/// Whether weights are scaled in blocks.
pub(super) fn has_blocks(config: &Keys<'_>) -> bool {
    config.get("weight_block_size").is_some_and(|size| match size {
        Value::Array(sides) => !sides.is_empty(),
        Value::Number(side) => side.as_f64() != Some(0.0),
        _ => false,
    })
}

/// Precision of the KV cache by its scheme.
pub(super) fn kv_scheme(config: &Keys<'_>) -> Result<Option<String>, CheckpointError> {
    let Some(scheme) = config.object("kv_cache_scheme")? else { return Ok(None) };
    let kind = scheme.text("type")?.unwrap_or_default().to_lowercase();
    let bits = scheme.whole("num_bits")?;
    let name = match bits {
        _ if kind.contains("fp8") => Some("fp8"),
        Some(..=8) if kind == "float" => Some("fp8"),
        Some(16..) if kind == "float" => Some("bfloat16"),
        _ => None,
    };
    Ok(name.map(str::to_owned))
}

/// Whether activations are scaled at run time; none when nothing says so.
pub(super) fn dynamic(config: &Keys<'_>) -> Result<Option<bool>, CheckpointError> {
    match config.text("activation_scheme")?.map(str::to_lowercase).as_deref() {
        Some("dynamic") => return Ok(Some(true)),
        Some("static") => return Ok(Some(false)),
        _ => {}
    }
    let mut said = None;
    for group in groups(config)? {
        for part in ["input_activations", "weights"] {
            let flag = group.get(part).and_then(Value::as_object).and_then(|part| part.get("dynamic"));
            let is_dynamic = match flag {
                None => continue,
                Some(Value::Bool(flag)) => *flag,
                // "local": some scales are made at run time.
                Some(Value::String(text)) => !text.is_empty(),
                Some(_) => false,
            };
            said = Some(said.unwrap_or(false) || is_dynamic);
        }
    }
    Ok(said)
}

/// Groups of tensors.
fn groups<'a>(config: &Keys<'a>) -> Result<Vec<Keys<'a>>, CheckpointError> {
    let Some(groups) = config.object("config_groups")? else { return Ok(Vec::new()) };
    let each =
        groups.iter().filter_map(|(name, group)| Some(Keys::new(group.as_object()?, groups.name(name))));
    Ok(each.collect())
}

/// Number of bits, type in lower case, and the rest of a group's weights.
fn weights<'a>(group: &Keys<'a>) -> Result<Option<(Keys<'a>, u32, String)>, CheckpointError> {
    let Some(weights) = group.object("weights")? else { return Ok(None) };
    let bits = weights.or_zero("num_bits")?;
    let kind = weights.text("type")?.unwrap_or_default().to_lowercase();
    Ok(Some((weights, bits, kind)))
}

/// Precisions of compressed tensors: those of the first group that is understood, for what is not ignored.
pub(super) fn compressed(config: &Keys<'_>) -> Result<(Option<Quant>, Option<Quant>), CheckpointError> {
    let mut base = None;
    for group in groups(config)? {
        let Some((weights, bits, kind)) = weights(&group)? else { continue };
        let blocks = weights.text("strategy")?.is_some_and(|strategy| strategy.eq_ignore_ascii_case("block"))
            || weights.get("block_structure").is_some();
        base = match bits {
            4 if kind.contains("int") => Some(Quant::Int4Wo),
            8 if kind.contains("int") => Some(Quant::Int8Wo),
            8 if kind.contains("float") && blocks => Some(Quant::Fp8Block),
            8 if kind.contains("float") => Some(Quant::Fp8),
            4 if kind.contains("float") => Some(Quant::W4a16Mxfp4),
            _ => None,
        };
        if base.is_some() {
            break;
        }
    }
    let ignored: Vec<String> = config.words("ignore")?.into_iter().map(str::to_lowercase).collect();
    let attention = ["self_attn", "q_proj", "k_proj", "v_proj", "o_proj"];
    let attention = ignored.iter().any(|pattern| attention.iter().any(|mark| pattern.contains(mark)));
    let experts =
        ignored.iter().any(|pattern| pattern.contains("expert") && !pattern.contains("shared_expert"));
    Ok((base.filter(|_| !attention), base.filter(|_| !experts)))
}

/// Precisions of a checkpoint whose layers differ: dense weights and experts by what occurs among them.
pub(super) fn mixed(
    config: Option<&Keys<'_>>,
    sidecar: Option<&Keys<'_>>,
    fp8: Quant,
) -> Result<(Option<Quant>, Option<Quant>), CheckpointError> {
    let (mut dense, mut routed): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let mut put = |target: &str, name: &str| {
        let set = if is_routed(target) { &mut routed } else { &mut dense };
        set.push(name.to_owned());
    };
    for (target, name) in quantized_layers(config, sidecar)? {
        put(target, &name);
    }
    if let Some(config) = config {
        for group in groups(config)? {
            if let Some(name) = group_algorithm(&group)? {
                group.words("targets")?.into_iter().for_each(|target| put(target, &name));
            }
        }
    }
    let has = |set: &[String], name: &str| set.iter().any(|have| have == name);
    let base_is_fp8 = match config {
        Some(config) => {
            config.text("quant_method")?.is_some_and(|method| method.trim().eq_ignore_ascii_case("fp8"))
        }
        None => false,
    };
    let gemm = match () {
        () if base_is_fp8 && config.is_some_and(has_blocks) => Some(Quant::Fp8Block),
        () if base_is_fp8 => Some(fp8),
        () if has(&dense, "mxfp8") => Some(Quant::Fp8Block),
        () if has(&dense, "fp8") => Some(fp8),
        () if has(&dense, "w4a16_nvfp4") => Some(Quant::W4a16Nvfp4),
        () if has(&dense, "nvfp4") => Some(Quant::Nvfp4),
        () => None,
    };
    let experts = [
        ("w4a16_nvfp4", Quant::W4a16Nvfp4),
        ("nvfp4", Quant::Nvfp4),
        ("mxfp8", Quant::Fp8Block),
        ("fp8", Quant::Fp8),
    ];
    let moe = experts.into_iter().find(|(name, _)| has(&routed, name)).map(|(_, quant)| quant);
    Ok((gemm, moe))
}

/// Precisions of single layers: projections, dense feed-forward parts, shared experts. The last one counts.
pub(super) fn by_layer(
    config: Option<&Keys<'_>>,
    sidecar: Option<&Keys<'_>>,
) -> Result<[Option<Quant>; 3], CheckpointError> {
    let mut out = [None; 3];
    for (target, name) in quantized_layers(config, sidecar)? {
        let quant = match name.as_str() {
            "fp8" => Quant::Fp8Static,
            "mxfp8" => Quant::Fp8,
            "nvfp4" => Quant::Nvfp4,
            "w4a16_nvfp4" => Quant::W4a16Nvfp4,
            _ => continue,
        };
        let target = target.to_lowercase();
        let [projection, ffn, shared] = &mut out;
        if target.contains(".linear_attn.") || target.contains(".self_attn.") {
            *projection = Some(quant);
        } else if target.contains("shared_expert") {
            *shared = Some(quant);
        } else if target.contains(".mlp.") && !is_routed(&target) {
            *ffn = Some(quant);
        }
    }
    Ok(out)
}

/// Layers and how each is quantised, where the files list them.
fn quantized_layers<'a>(
    config: Option<&Keys<'a>>,
    sidecar: Option<&Keys<'a>>,
) -> Result<Vec<(&'a str, String)>, CheckpointError> {
    let mut out = Vec::new();
    for object in [sidecar, config].into_iter().flatten() {
        let Some(layers) = object.object("quantized_layers")? else { continue };
        for (target, how) in layers.iter() {
            let name = match how {
                Value::Object(how) => algorithm(how),
                Value::String(name) => layer_name(name),
                _ => None,
            };
            out.extend(name.map(|name| (target.as_str(), name)));
        }
    }
    Ok(out)
}

/// How one layer or group is quantised.
fn algorithm(how: &Map<String, Value>) -> Option<String> {
    let keys = ["quant_algo", "quantization_algo", "quant_method"];
    let name =
        keys.iter().filter_map(|key| how.get(*key).and_then(Value::as_str)).find(|name| !name.is_empty());
    name.and_then(layer_name)
}

fn layer_name(name: &str) -> Option<String> {
    let name = name.trim().to_lowercase();
    match name.as_str() {
        "" => None,
        "e4m3" | "e5m2" => Some("fp8".to_owned()),
        "fp4" => Some("nvfp4".to_owned()),
        _ => Some(name),
    }
}

/// How a group is quantised: as it says, else by the width of its floats.
fn group_algorithm(group: &Keys<'_>) -> Result<Option<String>, CheckpointError> {
    let named = group.get("weights").and_then(Value::as_object).and_then(algorithm);
    if named.is_some() {
        return Ok(named);
    }
    let Some((weights, bits, kind)) = weights(group)? else { return Ok(None) };
    let name = match bits {
        _ if !kind.contains("float") => None,
        8 if weights.whole("group_size")? == Some(32) => Some("mxfp8"),
        8 => Some("fp8"),
        4 => Some("nvfp4"),
        _ => None,
    };
    Ok(name.map(str::to_owned))
}

/// Whether a module is among the routed experts.
fn is_routed(module: &str) -> bool {
    let module = module.to_lowercase();
    !module.contains("shared_expert")
        && (module.contains(".experts.") || module.ends_with(".experts") || module.contains("routing_expert"))
}
