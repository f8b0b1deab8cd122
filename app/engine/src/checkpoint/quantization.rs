//! Precisions of a checkpoint, from `quantization_config` and `hf_quant_config.json`.

mod formats;

use serde_json::{Map, Value};

use super::error::CheckpointError;
use super::keys::{Keys, excerpt};
use super::note::Note;
use crate::model::ModelSpec;
use crate::quant::{FmhaQuant, KvQuant, Precision, Quant};

/// Ways of quantising that are understood, for errors.
const UNDERSTOOD: &str = "fp8, fp8_block, nvfp4, mxfp4, mixed_precision or compressed-tensors";

/// What the files declare.
pub(super) struct Declared<'a> {
    /// `quantization_config`, or what stands for it.
    config: Option<Keys<'a>>,
    /// `quantization` of the other file.
    sidecar: Option<Keys<'a>>,
    /// Way of quantising.
    algorithm: Option<String>,
    /// Key that says so.
    algorithm_key: String,
    /// Precision of the KV cache.
    kv: Option<String>,
    /// Whether activations are scaled at run time; none when nothing says so.
    dynamic: Option<bool>,
    /// What is left in 16 bits.
    patterns: Vec<&'a str>,
}

impl<'a> Declared<'a> {
    pub(super) fn read(
        top: &Keys<'a>,
        text: &Keys<'a>,
        quant: Option<&'a Map<String, Value>>,
    ) -> Result<Self, CheckpointError> {
        let sidecar = quant.map(|quant| Keys::new(quant, "")).map(|quant| quant.object("quantization"));
        let sidecar = sidecar.transpose()?.flatten();
        let own = top.object("quantization_config")?;
        // A description beside the file counts before one inside the language model.
        let stands_in = own.is_none() && sidecar.is_some();
        let config = match own {
            None if stands_in => None,
            None => text.object("quantization_config")?,
            own => own,
        };
        let find = |keys: &[(&Option<Keys<'a>>, &str)]| first_text(keys);
        let (mut algorithm, mut algorithm_key) = find(&[
            (&sidecar, "quant_algo"),
            (&config, "quant_algo"),
            (&config, "quant_method"),
            (&config, "quantization_method"),
        ])?;
        if algorithm.is_none() && stands_in {
            (algorithm, algorithm_key) = find(&[(&sidecar, "quantization_algo")])?;
        }
        let (kv, _) = find(&[
            (&sidecar, "kv_cache_quant_algo"),
            (&config, "kv_cache_quant_algo"),
            (&config, "kv_cache_quant_method"),
            (&config, "kv_cache_dtype"),
        ])?;
        let mut declared = Self {
            algorithm: algorithm.map(|name| algorithm_name(&name)),
            algorithm_key,
            kv: kv.map(|name| kv_name(&name)),
            dynamic: None,
            patterns: patterns(config.as_ref(), sidecar.as_ref())?,
            config,
            sidecar,
        };
        if let Some(config) = &declared.config {
            if declared.kv.is_none() {
                declared.kv = formats::kv_scheme(config)?;
            }
            if declared.algorithm.as_deref() == Some("fp8") && formats::has_blocks(config) {
                declared.algorithm = Some("fp8_block".to_owned());
            }
            declared.dynamic = formats::dynamic(config)?;
        }
        declared.override_by(top)?;
        Ok(declared)
    }

    /// Keys at the top say the last word.
    fn override_by(&mut self, top: &Keys<'a>) -> Result<(), CheckpointError> {
        if let Some(name) = top.text("quant_algo")? {
            self.algorithm = Some(algorithm_name(name));
            self.algorithm_key = top.name("quant_algo");
        }
        if let Some(name) = top.text("kv_cache_quant_algo")? {
            self.kv = Some(kv_name(name));
        }
        if top.get("quant_dynamic").is_some() {
            self.dynamic = Some(top.flag("quant_dynamic")?);
        }
        Ok(())
    }

    /// Sets the precisions of a model and which of its parts stay in 16 bits.
    pub(super) fn precisions(
        &self,
        spec: &mut ModelSpec,
        top: &Keys<'_>,
        notes: &mut Vec<Note>,
    ) -> Result<(), CheckpointError> {
        let (gemm, moe) = self.weights()?;
        let Precision { gemm: out_gemm, moe: out_moe, kv, fmha } = &mut spec.quant;
        *out_gemm = gemm.unwrap_or(Quant::Bf16);
        *out_moe = moe.unwrap_or(Quant::Bf16);
        if self.algorithm.is_some() && gemm.is_none() && moe.is_none() {
            notes.push(Note::WeightsNotRecognised { key: self.algorithm_key.clone() });
        }
        let v4 = spec.arch == "DeepseekV4ForCausalLM";
        let fp4 = top.text("expert_dtype")?.is_some_and(|dtype| dtype.eq_ignore_ascii_case("fp4"));
        if v4 && fp4 && moe != Some(Quant::Nvfp4) {
            *out_moe = Quant::W4a8Mxfp4Mxfp8;
        }
        match self.kv.as_deref() {
            Some("fp8") => *kv = KvQuant::Fp8,
            None | Some("bfloat16" | "auto") => {}
            Some(other) => notes.push(Note::KvNotUnderstood { value: excerpt(other) }),
        }
        if v4 {
            *kv = KvQuant::Fp8;
        }
        let eight_bits = self.kv.as_deref() == Some("fp8");
        if self
            .algorithm
            .as_deref()
            .is_some_and(|name| eight_bits || matches!(name, "fp8" | "fp8_block" | "nvfp4"))
        {
            *fmha = FmhaQuant::Fp8;
            if *kv != KvQuant::Fp8 {
                *kv = KvQuant::Fp8;
                notes.push(Note::EightBitKv);
            }
        }
        spec.attn_unquantized = self.attention_left().into_iter().map(str::to_owned).collect();
        spec.shared_expert_unquantized = self.leaves(|pattern| pattern.contains("shared_expert"));
        spec.unquantized_patterns = self.parts_left().into_iter().map(str::to_owned).collect();
        Ok(())
    }

    /// Precisions of dense weights and of experts, as far as the files say.
    fn weights(&self) -> Result<(Option<Quant>, Option<Quant>), CheckpointError> {
        let fp8 = if self.dynamic == Some(true) { Quant::Fp8 } else { Quant::Fp8Static };
        let both = |quant| (Some(quant), Some(quant));
        Ok(match self.algorithm.as_deref() {
            None => (None, None),
            Some("fp8") => (Some(fp8), Some(Quant::Fp8)),
            Some("fp8_block") => both(Quant::Fp8Block),
            Some("nvfp4") => both(Quant::Nvfp4),
            Some("mxfp4") => (Some(Quant::Bf16), Some(Quant::W4a16Mxfp4)),
            Some("compressed-tensors") => {
                self.config.as_ref().map_or(Ok((None, None)), formats::compressed)?
            }
            Some("mixed_precision") => formats::mixed(self.config.as_ref(), self.sidecar.as_ref(), fp8)?,
            Some(other) => {
                let (key, value) = (self.algorithm_key.clone(), excerpt(other));
                return Err(CheckpointError::Value { key, value, must: UNDERSTOOD.to_owned() });
            }
        })
    }

    /// Precisions of single layers (Qwen3.5): projections, dense feed-forward parts, shared experts.
    pub(super) fn by_layer(&self) -> Result<[Option<Quant>; 3], CheckpointError> {
        formats::by_layer(self.config.as_ref(), self.sidecar.as_ref())
    }

    /// Whether a pattern of what stays in 16 bits, in lower case, is like this.
    fn leaves(&self, is_like: impl Fn(&str) -> bool) -> bool {
        self.patterns.iter().any(|pattern| is_like(&pattern.to_lowercase()))
    }

    /// Parts of attention that stay in 16 bits, in alphabetical order.
    fn attention_left(&self) -> Vec<&'static str> {
        const PARTS: [(&str, &[&str]); 4] = [
            ("indexer", &["indexer"]),
            ("kv", &["kv_a_proj", "kv_b_proj", "kv_proj", "k_proj", "v_proj"]),
            ("o", &["o_proj"]),
            ("q", &["q_a_proj", "q_b_proj", "q_proj"]),
        ];
        let named = |pattern: &str, marks: &[&str]| marks.iter().any(|mark| pattern.contains(mark));
        let whole = |pattern: &&str| {
            pattern.contains("self_attn") && !PARTS.iter().any(|(_, marks)| named(pattern, marks))
        };
        let all = self.patterns.iter().any(whole);
        let left = |marks: &[&str]| all || self.patterns.iter().any(|pattern| named(pattern, marks));
        PARTS.iter().filter(|(_, marks)| left(marks)).map(|(part, _)| *part).collect()
    }

    /// Kinds of layers that stay in 16 bits.
    fn parts_left(&self) -> Vec<&'static str> {
        let not_shared = |pattern: &str| pattern.contains(".mlp") && !pattern.contains("shared_expert");
        let parts = [
            ("self_attn", self.leaves(|pattern| pattern.contains("self_attn"))),
            ("linear_attn", self.leaves(|pattern| pattern.contains("linear_attn"))),
            ("mlp", self.leaves(|pattern| pattern.contains(".mlp"))),
            ("mlp_not_shared", self.leaves(not_shared)),
        ];
        parts.into_iter().filter(|(_, left)| *left).map(|(part, _)| part).collect()
    }
}

/// The first of these keys that says something, in lower case, and its name.
fn first_text(keys: &[(&Option<Keys<'_>>, &str)]) -> Result<(Option<String>, String), CheckpointError> {
    for (object, key) in keys {
        if let Some(object) = object
            && let Some(text) = object.text(key)?.map(str::trim).filter(|text| !text.is_empty())
        {
            return Ok((Some(text.to_lowercase()), object.name(key)));
        }
    }
    Ok((None, String::new()))
}

fn algorithm_name(name: &str) -> String {
    let name = name.trim().to_lowercase();
    match name.as_str() {
        "w4a16_mxfp4" => "mxfp4".to_owned(),
        "mixed-precision" | "mixedprecision" => "mixed_precision".to_owned(),
        _ => name,
    }
}

fn kv_name(name: &str) -> String {
    let name = name.trim().to_lowercase();
    match name.as_str() {
        "e4m3" | "e5m2" => "fp8".to_owned(),
        "fp16" | "float16" | "bf16" => "bfloat16".to_owned(),
        _ => name,
    }
}

/// Patterns of what stays in 16 bits.
fn patterns<'a>(
    config: Option<&Keys<'a>>,
    sidecar: Option<&Keys<'a>>,
) -> Result<Vec<&'a str>, CheckpointError> {
    let mut out = Vec::new();
    let places = [
        (config, ["modules_to_not_convert", "exclude_modules", "ignore"].as_slice()),
        (sidecar, ["exclude_modules", "ignore"].as_slice()),
    ];
    for (object, keys) in places {
        let Some(object) = object else { continue };
        for key in keys {
            out.extend(object.words(key)?);
        }
    }
    Ok(out)
}
