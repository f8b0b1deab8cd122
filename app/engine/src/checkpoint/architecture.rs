//! Architecture classes of the Hub and the families they belong to.

use super::error::CheckpointError;
use super::keys::{Keys, excerpt};
use super::note::Note;
use crate::model::Family;

/// A class that can be priced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Architecture {
    /// Name of the class, as in `architectures`.
    pub name: &'static str,
    /// Name of its configuration, as in `model_type`; empty when the class shares another one's.
    pub model_type: &'static str,
    /// Its family.
    pub family: Family,
    /// Whether the sizes stand in `text_config` when the file has one.
    pub nested: bool,
}

const fn flat(name: &'static str, model_type: &'static str, family: Family) -> Architecture {
    Architecture { name, model_type, family, nested: false }
}

const fn nested(name: &'static str, model_type: &'static str, family: Family) -> Architecture {
    Architecture { name, model_type, family, nested: true }
}

/// Every class that can be priced.
pub const ARCHITECTURES: &[Architecture] = &[
    flat("LlamaForCausalLM", "llama", Family::Llama),
    flat("Qwen2ForCausalLM", "qwen2", Family::Llama),
    flat("Qwen3ForCausalLM", "qwen3", Family::Llama),
    flat("MiMoForCausalLM", "mimo", Family::Llama),
    flat("MixtralForCausalLM", "mixtral", Family::Moe),
    flat("GptOssForCausalLM", "gpt_oss", Family::Moe),
    flat("Qwen2MoeForCausalLM", "qwen2_moe", Family::Moe),
    flat("Qwen3MoeForCausalLM", "qwen3_moe", Family::Moe),
    flat("MiniMaxM2ForCausalLM", "minimax_m2", Family::Moe),
    flat("DeepSeekForCausalLM", "", Family::Deepseek),
    flat("DeepseekV3ForCausalLM", "deepseek_v3", Family::Deepseek),
    nested("KimiK25ForConditionalGeneration", "kimi_k25", Family::KimiK25),
    flat("DeepseekV32ForCausalLM", "deepseek_v32", Family::DeepseekV32),
    flat("GlmMoeDsaForCausalLM", "glm_moe_dsa", Family::DeepseekV32),
    flat("DeepseekV4ForCausalLM", "deepseek_v4", Family::DeepseekV4),
    flat("MiMoV2FlashForCausalLM", "mimo_v2_flash", Family::HybridMoe),
    nested("Llama4ForConditionalGeneration", "llama4", Family::HybridMoe),
    nested("Step3p7ForConditionalGeneration", "", Family::Step3p7),
    flat("Step3p5ForCausalLM", "step3p5", Family::Step3p7),
    nested("Step3p7FlashForCausalLM", "step3p7", Family::Step3p7),
    flat("Step3p5FlashForCausalLM", "", Family::Step3p7),
    nested("Gemma4ForConditionalGeneration", "gemma4", Family::Gemma4Mix),
    flat("MiniMaxM3ForCausalLM", "minimax_m3", Family::MinimaxM3),
    nested("MiniMaxM3SparseForConditionalGeneration", "minimax_m3_vl", Family::MinimaxM3),
    flat("NemotronHForCausalLM", "nemotron_h", Family::NemotronH),
    flat("NemotronForCausalLM", "", Family::NemotronNas),
    flat("DeciLMForCausalLM", "nemotron-nas", Family::NemotronNas),
    nested("Qwen3_5ForConditionalGeneration", "qwen3_5", Family::Qwen35),
    nested("Qwen3_5MoeForConditionalGeneration", "qwen3_5_moe", Family::Qwen35),
    nested("KimiK3ForConditionalGeneration", "kimi_k3", Family::KimiK3),
    nested("Qwen3VLForConditionalGeneration", "qwen3_vl", Family::Qwen3Vl),
    nested("Qwen3VLMoeForConditionalGeneration", "qwen3_vl_moe", Family::Qwen3VlMoe),
];

/// The class of a file: the first of `architectures`, else the one whose configuration `model_type` names.
pub(super) fn of(top: &Keys<'_>, notes: &mut Vec<Note>) -> Result<&'static Architecture, CheckpointError> {
    if let Some(&name) = top.words("architectures")?.first() {
        let known = ARCHITECTURES.iter().find(|known| known.name == name);
        return known.ok_or_else(|| unknown(name));
    }
    let Some(model_type) = top.text("model_type")? else { return Err(top.missing("architectures")) };
    let known = ARCHITECTURES.iter().find(|known| !model_type.is_empty() && known.model_type == model_type);
    let known = known.ok_or_else(|| unknown(model_type))?;
    notes.push(Note::ArchitectureOfType { architecture: known.name });
    Ok(known)
}

fn unknown(name: &str) -> CheckpointError {
    CheckpointError::Architecture { name: excerpt(name), close: closest(name) }
}

/// Up to three known classes that share the most pairs of letters with a name.
fn closest(name: &str) -> Vec<&'static str> {
    let pairs = |text: &str| -> Vec<[u8; 2]> {
        let text = text.trim_end_matches("ForCausalLM").trim_end_matches("ForConditionalGeneration");
        let text = text.to_ascii_lowercase();
        text.as_bytes().windows(2).map(|pair| [pair[0], pair[1]]).collect()
    };
    let name: String = name.chars().take(80).collect();
    let wanted = pairs(&name);
    let mut scored: Vec<(usize, &'static str)> = ARCHITECTURES
        .iter()
        .map(|known| {
            let have = pairs(known.name);
            let shared = have.iter().filter(|pair| wanted.contains(pair)).count();
            (shared * 100 / have.len().max(wanted.len()).max(1), known.name)
        })
        .filter(|(score, _)| *score >= 25)
        .collect();
    scored.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    scored.into_iter().take(3).map(|(_, name)| name).collect()
}
