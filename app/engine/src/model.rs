//! Models: the facts of a checkpoint that decide its serving cost.

use serde::{Deserialize, Serialize};

use crate::quant::{Precision, names};

/// Architecture family; models of one family share the way their operators are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each variant is named by the family it stands for")]
pub enum Family {
    Llama,
    Moe,
    Deepseek,
    KimiK25,
    DeepseekV32,
    DeepseekV4,
    HybridMoe,
    Step3p7,
    Gemma4Mix,
    MinimaxM3,
    NemotronH,
    NemotronNas,
    Qwen35,
    KimiK3,
    Qwen3Vl,
    Qwen3VlMoe,
}

names!(Family {
    Llama => "LLAMA",
    Moe => "MOE",
    Deepseek => "DEEPSEEK",
    KimiK25 => "KIMIK25",
    DeepseekV32 => "DEEPSEEKV32",
    DeepseekV4 => "DEEPSEEKV4",
    HybridMoe => "HYBRIDMOE",
    Step3p7 => "STEP3P7",
    Gemma4Mix => "GEMMA4MIX",
    MinimaxM3 => "MINIMAXM3",
    NemotronH => "NEMOTRONH",
    NemotronNas => "NEMOTRONNAS",
    Qwen35 => "QWEN35",
    KimiK3 => "KIMIK3",
    Qwen3Vl => "QWEN3VL",
    Qwen3VlMoe => "QWEN3VL_MOE",
});

impl Family {
    /// Families whose operators this build can list.
    pub const BUILT: &'static [Self] = &[Self::Llama];

    /// Whether this build can list the operators of the family.
    pub fn is_built(self) -> bool {
        Self::BUILT.contains(&self)
    }
}

/// Facts of one model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelSpec {
    /// Hub id, such as `Qwen/Qwen3-32B-FP8`.
    pub id: String,
    /// Architecture class of the checkpoint.
    pub arch: String,
    /// Architecture family.
    pub family: Family,
    /// Transformer layers.
    pub layers: u32,
    /// Hidden size.
    pub hidden: u32,
    /// Query heads.
    pub heads: u32,
    /// KV heads.
    pub kv_heads: u32,
    /// Size of one head.
    pub head_dim: u32,
    /// Width of the dense feed-forward layer.
    pub ffn: u32,
    /// Vocabulary size.
    pub vocab: u32,
    /// Longest sequence the checkpoint supports, tokens.
    pub max_pos: u32,
    /// Whether queries and keys are normalised.
    #[serde(default)]
    pub qk_norm: bool,
    /// Precisions of the checkpoint.
    pub quant: Precision,
}

impl ModelSpec {
    /// The id without its organisation, such as `Qwen3-32B-FP8`.
    pub fn short_name(&self) -> &str {
        self.id.rsplit('/').next().unwrap_or(&self.id)
    }
}
