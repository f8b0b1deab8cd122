//! Payloads of sparse attention blocks and of residual stream mixing.

use crate::model::Dsa;
use crate::quant::{FmhaQuant, KvQuant, Quant, names};

/// Attention over tokens that an indexer selects, projections included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DsaBlock {
    /// Architecture it was measured under.
    pub arch: DsaArch,
    /// Hidden size.
    pub hidden: u32,
    /// Ranks and widths.
    pub dims: Dsa,
    /// Heads of this rank.
    pub heads: u32,
    /// Precision of the prefill arithmetic; none in decode.
    pub fmha: Option<FmhaQuant>,
    /// Precision of the KV cache.
    pub kv: KvQuant,
    /// Precision the block was measured at.
    pub gemm: Quant,
    /// Precisions of its weights.
    pub projections: Projections,
    /// Share of layers with an indexer of their own.
    pub indexer_share: f64,
    /// Context parallel size.
    pub cp: u32,
}

/// Architectures that selective attention was measured under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DsaArch {
    /// DeepSeek V3.2.
    DeepseekV32,
    /// GLM-5.
    Glm5,
}

names!(DsaArch { DeepseekV32 => "DeepseekV32ForCausalLM", Glm5 => "GlmMoeDsaForCausalLM" });

/// Precisions of the weights of one attention block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Projections {
    /// Query projections.
    pub query: Quant,
    /// KV projections.
    pub kv: Quant,
    /// Output projection.
    pub out: Quant,
    /// Indexer.
    pub indexer: Quant,
}

impl DsaBlock {
    /// Bytes of the weights of one layer.
    pub fn weight_bytes(&self) -> f64 {
        let Dsa { q_lora_rank, kv_lora_rank, qk_nope_head_dim, qk_rope_head_dim, v_head_dim, .. } = self.dims;
        let [hidden, ql, kl] = [self.hidden, q_lora_rank, kv_lora_rank].map(f64::from);
        let [nope, rope, value] = [qk_nope_head_dim, qk_rope_head_dim, v_head_dim].map(f64::from);
        let [heads, index_heads] = [self.heads, self.dims.index_n_heads].map(f64::from);
        let index = index_heads * f64::from(self.dims.index_head_dim);
        let Projections { query, kv, out, indexer } = self.projections;
        (hidden * ql + ql * heads * (nope + rope)) * query.bytes()
            + (hidden * (kl + rope) + kl * heads * (nope + value)) * kv.bytes()
            + heads * value * hidden * out.bytes()
            + (ql * index + hidden * index_heads) * indexer.bytes()
    }
}

/// Grouped-query attention over blocks that an indexer selects, projections included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MsaBlock {
    /// Hidden size.
    pub hidden: u32,
    /// Query heads of this rank.
    pub heads: u32,
    /// KV heads of this rank.
    pub kv_heads: u32,
    /// Size of one head.
    pub head_dim: u32,
    /// Precision of the prefill arithmetic; none in decode.
    pub fmha: Option<FmhaQuant>,
    /// Precision of the KV cache.
    pub kv: KvQuant,
    /// Precision of the projections.
    pub gemm: Quant,
}

/// Attention over compressed tokens, projections included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dsv4Block {
    /// How tokens are compressed.
    pub kind: Compression,
    /// Heads of the whole model.
    pub native_heads: u32,
    /// Heads of this rank.
    pub heads: u32,
    /// Hidden size.
    pub hidden: u32,
    /// Rank of the query projection.
    pub q_lora: u32,
    /// Rank of one group of the output projection.
    pub o_lora: u32,
    /// Output groups of this rank.
    pub o_groups: u32,
    /// Size of one head.
    pub head_dim: u32,
    /// Rotary width of a head.
    pub rope_dim: u32,
    /// Indexer heads.
    pub index_heads: u32,
    /// Width of an indexer head.
    pub index_dim: u32,
    /// Compressed tokens the indexer selects.
    pub topk: u32,
    /// Tokens that are kept uncompressed.
    pub window: u32,
    /// Precision of the prefill arithmetic; none in decode.
    pub fmha: Option<FmhaQuant>,
    /// Precision of the KV cache.
    pub kv: KvQuant,
    /// Precision of the projections.
    pub gemm: Quant,
    /// Tensor parallel size.
    pub tp: u32,
    /// Context parallel size.
    pub cp: u32,
}

/// How DeepSeek V4 compresses tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Four to one, then selected by an indexer.
    Sparse,
    /// 128 to one, all of them seen.
    Heavy,
}

impl Compression {
    /// Tokens per compressed one.
    pub const fn ratio(self) -> u32 {
        match self {
            Self::Sparse => 4,
            Self::Heavy => 128,
        }
    }

    /// Compressors per layer: the sparse kind compresses overlapping stretches.
    pub const fn compressors(self) -> u32 {
        match self {
            Self::Sparse => 2,
            Self::Heavy => 1,
        }
    }
}

impl Dsv4Block {
    /// Bytes of the weights of one layer.
    pub fn weight_bytes(&self) -> f64 {
        let [hidden, ql, ol, hd] = [self.hidden, self.q_lora, self.o_lora, self.head_dim].map(f64::from);
        let [heads, groups] = [self.heads, self.o_groups].map(f64::from);
        let [ratio, compressors] = [self.kind.ratio(), self.kind.compressors()].map(f64::from);
        let [index_heads, index] = [self.index_heads, self.index_dim].map(f64::from);
        let mut gemm = hidden * ql
            + ql * heads * hd
            + hidden * hd
            + groups * ol * hidden
            + 2.0 * hidden * compressors * hd;
        let mut half = heads * hd * ol;
        let mut full = heads + ratio * compressors * hd;
        if self.kind == Compression::Sparse {
            gemm += ql * index_heads * index + 4.0 * hidden * index;
            half += hidden * index_heads;
            full += ratio * 2.0 * index;
        }
        gemm * self.gemm.bytes() + 2.0 * half + 4.0 * full
    }
}

/// Mixing of residual streams before or after a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamMix {
    /// Before the layer, not after.
    pub pre: bool,
    /// Residual streams.
    pub streams: u32,
    /// Hidden size.
    pub hidden: u32,
    /// Iterations that balance the mixing.
    pub sinkhorn: u32,
}

impl StreamMix {
    /// Bytes of its weights, 16-bit.
    pub fn weight_bytes(&self) -> f64 {
        let [streams, hidden] = [self.streams, self.hidden].map(f64::from);
        let mix = (2.0 + streams) * streams;
        2.0 * (mix * streams * hidden + mix + 3.0) * 2.0
    }
}
