//! Operators of one engine step: what they are, before any table is consulted.

use crate::quant::{FmhaQuant, KvQuant, Quant};

/// One operator of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Op {
    /// Name, such as `qkv_gemm`.
    pub name: &'static str,
    /// How often a step runs it (layers; fractional with multi-token prediction).
    pub count: f64,
    /// Ranks that share the tokens of a sequence (context parallel).
    pub seq_split: u32,
    /// What it does.
    pub kind: OpKind,
}

/// What an operator does.
#[derive(Clone, Debug, PartialEq)]
pub enum OpKind {
    /// Token embedding.
    Embedding {
        /// Rows of the (sharded) table.
        vocab: u32,
        /// Hidden size.
        hidden: u32,
    },
    /// Norms, activations: reads and writes memory.
    Elementwise {
        /// Bytes read and written per token.
        bytes_per_token: f64,
    },
    /// Dense matrix product, `tokens × k` by `k × n`.
    Gemm {
        /// Output width.
        n: u32,
        /// Reduction width.
        k: u32,
        /// Precision of the weights.
        quant: Quant,
        /// Whether the input already is in low precision.
        low_precision_input: bool,
    },
    /// Prefill attention.
    ContextAttention {
        /// Query heads of this rank.
        heads: u32,
        /// KV heads of this rank.
        kv_heads: u32,
        /// Size of one head.
        head_dim: u32,
        /// Sliding window, tokens; 0 means none.
        window: u32,
        /// Precision of the arithmetic.
        fmha: FmhaQuant,
        /// Precision of the KV cache.
        kv: KvQuant,
        /// Whether queries and keys are normalised.
        qk_norm: bool,
        /// Context parallel size.
        cp: u32,
    },
    /// Decode attention.
    GenerationAttention {
        /// Query heads of this rank.
        heads: u32,
        /// KV heads of this rank.
        kv_heads: u32,
        /// Size of one head.
        head_dim: u32,
        /// Sliding window, tokens; 0 means none.
        window: u32,
        /// Precision of the KV cache.
        kv: KvQuant,
    },
    /// Bidirectional attention of a vision encoder.
    EncoderAttention {
        /// Heads of this rank.
        heads: u32,
        /// Size of one head.
        head_dim: u32,
        /// Precision of the arithmetic.
        fmha: FmhaQuant,
    },
    /// All-reduce by the engine's own kernel, 16-bit.
    AllReduce {
        /// Elements per token.
        hidden: u32,
        /// GPUs.
        gpus: u32,
    },
    /// Collective through NCCL (or oneCCL).
    Nccl {
        /// Which collective.
        collective: Collective,
        /// Elements per token.
        elements: f64,
        /// GPUs.
        gpus: u32,
        /// Precision of the elements.
        dtype: CommQuant,
    },
    /// Hop between pipeline stages.
    P2p {
        /// Elements per token.
        hidden: u32,
        /// Pipeline parallel size.
        pp: u32,
    },
}

/// A collective operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collective {
    /// Sum over all, result on all.
    AllReduce,
    /// Concatenation on all.
    AllGather,
    /// Sum over all, result split.
    ReduceScatter,
    /// Everyone sends to everyone.
    AllToAll,
}

crate::quant::names!(Collective {
    AllReduce => "all_reduce",
    AllGather => "all_gather",
    ReduceScatter => "reduce_scatter",
    AllToAll => "alltoall",
});

/// Precision of a collective's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommQuant {
    /// 16 bits.
    Half,
    /// 8-bit integer.
    Int8,
    /// 8-bit floating point.
    Fp8,
}

crate::quant::names!(CommQuant { Half => "half", Int8 => "int8", Fp8 => "fp8" });

impl CommQuant {
    /// Bytes per element.
    pub const fn bytes(self) -> f64 {
        match self {
            Self::Half => 2.0,
            Self::Int8 | Self::Fp8 => 1.0,
        }
    }
}

/// Operators of a model's two phases.
#[derive(Clone, Debug, PartialEq)]
pub struct OpLists {
    /// Prefill.
    pub context: Vec<Op>,
    /// Decode.
    pub generation: Vec<Op>,
}

/// The operator whose rows are requests, not tokens: only the last token of each is projected.
pub const LOGITS: &str = "logits_gemm";
/// The attention kernel of a step.
pub const ATTENTION: &str = "attention";
