//! Models: the facts of a checkpoint that decide its serving cost.

mod check;
mod hybrid;
mod sparse;

pub use check::FactError;
pub use hybrid::{Gemma4, Hybrid, NasBlocks, NemotronH};
mod state;
mod vision;

pub use sparse::{Dsa, Dsv4};
pub use state::{Gdn, GdnModes, K3, StateDtype};
pub use vision::Vit;

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
    /// Routed experts; 0 for a dense model.
    #[serde(default)]
    pub experts: u32,
    /// Experts per token.
    #[serde(default)]
    pub topk: u32,
    /// Width of a routed expert.
    #[serde(default)]
    pub moe_ffn: u32,
    /// Draft layers for multi-token prediction in the checkpoint.
    #[serde(default)]
    pub mtp_layers: u32,
    /// Parts of the attention that the checkpoint leaves in 16 bits: `q`, `kv`, `o`, `indexer`.
    #[serde(default)]
    pub attn_unquantized: Vec<String>,
    /// Whether the checkpoint leaves shared experts in 16 bits.
    #[serde(default)]
    pub shared_expert_unquantized: bool,
    /// Latent attention (DeepSeek V3, Kimi K2).
    #[serde(default)]
    pub mla: Option<Mla>,
    /// Parts that the checkpoint leaves in 16 bits: `self_attn`, `linear_attn`, `mlp`, `mlp_not_shared`.
    #[serde(default)]
    pub unquantized_patterns: Vec<String>,
    /// Kinds of layers (MiMo-V2, Llama 4, Step 3.7).
    #[serde(default)]
    pub hybrid: Option<Hybrid>,
    /// Kinds of layers (Gemma 4).
    #[serde(default)]
    pub gemma4: Option<Gemma4>,
    /// Kinds of layers (Nemotron-H).
    #[serde(default)]
    pub nemh: Option<NemotronH>,
    /// Blocks, in order (Nemotron-NAS).
    #[serde(default)]
    pub nas_blocks: Vec<NasBlocks>,
    /// Gated delta rules (Qwen3.5).
    #[serde(default)]
    pub gdn: Option<Gdn>,
    /// Kimi delta attention (Kimi K3).
    #[serde(default)]
    pub k3: Option<K3>,
    /// Vision encoder.
    #[serde(default)]
    pub vit: Option<Vit>,
    /// Attention over selected tokens (DeepSeek V3.2, GLM-5).
    #[serde(default)]
    pub dsa: Option<Dsa>,
    /// Attention over compressed tokens (DeepSeek V4).
    #[serde(default)]
    pub dsv4: Option<Dsv4>,
    /// Precisions of the checkpoint.
    pub quant: Precision,
}

/// Ranks and widths of latent attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mla {
    /// Rank of the KV projection.
    #[serde(default)]
    pub kv_lora_rank: u32,
    /// Rotary width of a head.
    #[serde(default)]
    pub qk_rope_head_dim: u32,
    /// Value width of a head.
    #[serde(default)]
    pub v_head_dim: u32,
}

impl ModelSpec {
    /// Whether tokens are routed to experts.
    pub fn is_moe(&self) -> bool {
        self.experts > 0
    }

    /// Whether the layout of a worker names sizes for experts: all of a family of mixtures, dense members included.
    pub fn has_expert_layout(&self) -> bool {
        self.is_moe() || self.family == Family::Gemma4Mix
    }

    /// The id without its organisation, such as `Qwen3-32B-FP8`.
    pub fn short_name(&self) -> &str {
        self.id.rsplit('/').next().unwrap_or(&self.id)
    }
}
