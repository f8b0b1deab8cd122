//! What a reading assumed or left out.

use serde_json::Value;

use super::keys::{Keys, excerpt};
use crate::model::{Family, ModelSpec};

/// Something worth knowing about a checkpoint that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The file names no architecture; the one of its `model_type` is taken.
    ArchitectureOfType {
        /// The architecture.
        architecture: &'static str,
    },
    /// The file has no number of KV heads; every query head has its own.
    KvHeadsOfQueries {
        /// Their number.
        heads: u32,
    },
    /// The KV cache is priced at 8 bits because attention over 8-bit weights runs in 8 bits.
    EightBitKv,
    /// A precision of the KV cache that is not understood is left to the weights.
    KvNotUnderstood {
        /// As it was declared.
        value: String,
    },
    /// The weights are declared quantised, but no format was recognised: 16 bits are taken.
    WeightsNotRecognised {
        /// The key that declares it.
        key: String,
    },
    /// Weights that are not quantised are priced at 16 bits, whatever the file says.
    SixteenBits {
        /// As the file says.
        dtype: String,
    },
    /// Projections of latent attention are priced with the widths they were measured at.
    LatentWidths {
        /// Rank of the query projection in the file.
        query_rank: u32,
    },
    /// The encoder of images is not counted.
    VisionLeftOut,
    /// Attention over a window is priced over the whole sequence.
    WindowLeftOut {
        /// The window, tokens.
        window: u32,
    },
}

/// Width of the query projection that latent attention was measured at.
const MEASURED_QUERY_RANK: u32 = 1536;

/// What the facts do not show of a file.
pub(super) fn observe(spec: &ModelSpec, text: &Keys<'_>, top: &Keys<'_>, notes: &mut Vec<Note>) {
    let dtype = [text, top].iter().find_map(|keys| keys.get("dtype").or_else(|| keys.get("torch_dtype")));
    if let Some(dtype) = dtype.and_then(Value::as_str)
        && matches!(dtype.trim_start_matches("torch."), "float32" | "float" | "float64")
    {
        notes.push(Note::SixteenBits { dtype: excerpt(dtype) });
    }
    let query_rank =
        text.get("q_lora_rank").and_then(Value::as_u64).and_then(|rank| u32::try_from(rank).ok());
    if let (Some(query_rank), Family::Deepseek | Family::KimiK25) = (query_rank, spec.family)
        && query_rank != MEASURED_QUERY_RANK
    {
        notes.push(Note::LatentWidths { query_rank });
    }
    if spec.vit.is_none() && top.get("vision_config").is_some() {
        notes.push(Note::VisionLeftOut);
    }
    let window =
        text.get("sliding_window").and_then(Value::as_u64).and_then(|window| u32::try_from(window).ok());
    // The window of gpt-oss is part of its family.
    let windowed = matches!(spec.family, Family::Llama | Family::Moe | Family::Qwen3Vl | Family::Qwen3VlMoe)
        && spec.arch != "GptOssForCausalLM"
        && text.get("use_sliding_window").is_none_or(|flag| *flag == Value::Bool(true));
    if let (Some(window), true) = (window.filter(|window| *window < spec.max_pos), windowed) {
        notes.push(Note::WindowLeftOut { window });
    }
}
