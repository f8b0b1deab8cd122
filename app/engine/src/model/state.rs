//! Facts of models that keep a state instead of keys and values in most layers.

use serde::{Deserialize, Serialize};

use crate::quant::{Quant, names};

/// Layers of a model with gated delta rules (Qwen3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gdn {
    /// Layers with a gated delta rule.
    pub linear: u32,
    /// Layers with full attention.
    pub full: u32,
    /// Key heads of the delta rule.
    pub num_key_heads: u32,
    /// Size of a key head.
    pub key_head_dim: u32,
    /// Value heads of the delta rule.
    pub num_value_heads: u32,
    /// Size of a value head.
    pub value_head_dim: u32,
    /// Tokens that the convolution sees.
    pub conv_kernel_dim: u32,
    /// Width of the shared expert; 0 without one.
    pub shared_ffn: u32,
    /// Precision of the state.
    pub ssm_dtype: StateDtype,
    /// Precisions of the checkpoint by kind of matrix.
    pub modes: GdnModes,
}

/// Precisions of the dense matrices of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GdnModes {
    /// Projections around attention and delta rule.
    pub projection: Quant,
    /// Dense feed-forward layers.
    pub ffn: Quant,
    /// Shared experts.
    pub shared: Quant,
}

/// Precision of a recurrent state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateDtype {
    /// 32 bits.
    F32,
    /// 16 bits, 8 of them exponent.
    Bf16,
    /// 16 bits.
    F16,
}

names!(StateDtype { F32 => "float32", Bf16 => "bfloat16", F16 => "float16" });

impl StateDtype {
    /// Bytes per element.
    pub const fn bytes(self) -> f64 {
        match self {
            Self::F32 => 4.0,
            Self::Bf16 | Self::F16 => 2.0,
        }
    }
}

/// Layers and widths of Kimi K3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct K3 {
    /// Layers with Kimi delta attention; the others have latent attention.
    pub kda_layers: u32,
    /// Heads of the delta attention.
    pub kda_heads: u32,
    /// Size of one of its heads.
    pub kda_head_dim: u32,
    /// Tokens that its convolution sees.
    pub conv: u32,
    /// Rank of the query projection of the latent attention.
    pub q_lora_rank: u32,
    /// Rank of its KV projection.
    pub kv_lora_rank: u32,
    /// Width of a head without position.
    pub qk_nope_head_dim: u32,
    /// Rotary width of a head.
    pub qk_rope_head_dim: u32,
    /// Value width of a head.
    pub v_head_dim: u32,
    /// Width the routed experts work in; 0 means the hidden size.
    pub routed_expert_hidden_size: u32,
    /// Shared experts.
    pub num_shared_experts: u32,
    /// Layers at the start with a dense feed-forward part.
    pub first_k_dense_replace: u32,
    /// Layers per block of attention residuals; 0 without them.
    pub attn_res_block_size: u32,
}
