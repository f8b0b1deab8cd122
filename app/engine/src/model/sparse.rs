//! Facts of sparse attention: DeepSeek V3.2 and GLM-5 (selected tokens), DeepSeek V4 (compressed tokens).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Ranks and widths of attention over tokens that an indexer selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dsa {
    /// Rank of the query projection.
    pub q_lora_rank: u32,
    /// Rank of the KV projection.
    pub kv_lora_rank: u32,
    /// Width of a head without its rotary part.
    pub qk_nope_head_dim: u32,
    /// Rotary width of a head.
    pub qk_rope_head_dim: u32,
    /// Value width of a head.
    pub v_head_dim: u32,
    /// Width of an indexer head.
    pub index_head_dim: u32,
    /// Indexer heads.
    pub index_n_heads: u32,
    /// Tokens the indexer selects.
    pub index_topk: u32,
    /// Layers with an indexer of their own; the others reuse the selection of an earlier layer.
    pub full_layers: u32,
}

/// Ranks and widths of attention over compressed tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dsv4 {
    /// Rank of the query projection.
    pub q_lora_rank: u32,
    /// Rank of one group of the output projection.
    pub o_lora_rank: u32,
    /// Groups of the output projection.
    pub o_groups: u32,
    /// Size of one head.
    pub head_dim: u32,
    /// Rotary width of a head.
    pub qk_rope_head_dim: u32,
    /// Width of an indexer head.
    pub index_head_dim: u32,
    /// Indexer heads.
    pub index_n_heads: u32,
    /// Compressed tokens the indexer selects.
    pub index_topk: u32,
    /// Tokens that are kept uncompressed.
    pub sliding_window: u32,
    /// Residual streams.
    pub hc_mult: u32,
    /// Iterations that balance the mixing of residual streams.
    pub hc_sinkhorn_iters: u32,
    /// Layers by compression ratio; 0 is a window only.
    pub layers_by_ratio: BTreeMap<u32, u32>,
    /// Ratios in the order of the layers that have them first.
    pub first_seen: Vec<u32>,
}
