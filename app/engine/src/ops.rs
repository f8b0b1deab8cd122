//! Operators of one engine step: what they are, before any table is consulted.

mod mamba;
mod sparse;

pub use mamba::{Mamba2, MambaKernel};
mod delta;

pub use delta::{DeltaKernel, DeltaStep, DeltaWork};
pub use sparse::{Compression, DsaArch, DsaBlock, Dsv4Block, MsaBlock, Projections, StreamMix};
mod wide;

pub use wide::{Exchange, Leg, Transport, WideEp, WideExperts};

use crate::backend::Backend;
use crate::quant::{FmhaQuant, KvQuant, Quant};

/// One operator of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Op {
    /// Name, such as `qkv_gemm`; unique names matter only for [`ATTENTION`] and [`LOGITS`].
    pub name: String,
    /// How often a step runs it (layers; fractional with multi-token prediction).
    pub count: f64,
    /// Ranks that share the tokens of a sequence (context parallel).
    pub seq_split: u32,
    /// Ranks that share the tokens of a step; applied first, rounded down.
    pub token_divisor: u32,
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
        /// Whether a shape outside the measured ones costs its roofline instead of having no data.
        roofline_below: bool,
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
    /// Routed experts.
    Moe(Experts),
    /// Exchange of tokens around the routed experts.
    MoeDispatch(Dispatch),
    /// Latent attention, prefill or decode by the list it stands in.
    Mla {
        /// Heads of this rank.
        heads: u32,
        /// Precision of the prefill arithmetic; none in decode.
        fmha: Option<FmhaQuant>,
        /// Precision of the KV cache.
        kv: KvQuant,
        /// Context parallel size.
        cp: u32,
    },
    /// A whole latent attention block, projections included.
    MlaModule {
        /// Heads of this rank.
        heads: u32,
        /// Precision of the prefill arithmetic; none in decode.
        fmha: Option<FmhaQuant>,
        /// Precision of the KV cache.
        kv: KvQuant,
        /// Precision of the projections.
        gemm: Quant,
    },
    /// Batched products before and after latent decode attention.
    MlaBmm {
        /// Heads of this rank.
        heads: u32,
        /// Precision.
        quant: Quant,
        /// Before the attention, not after.
        pre: bool,
    },
    /// A kernel of a Mamba-2 layer.
    Mamba2(Mamba2),
    /// A kernel of a gated delta rule (Qwen3.5).
    Gdn(DeltaKernel),
    /// A kernel of Kimi delta attention.
    Kda(DeltaKernel),
    /// Attention over selected tokens, prefill or decode by the list it stands in.
    Dsa(DsaBlock),
    /// Attention over selected blocks.
    Msa(MsaBlock),
    /// Attention over compressed tokens.
    Dsv4(Dsv4Block),
    /// Mixing of residual streams.
    StreamMix(StreamMix),
    /// One leg of an all-to-all exchange around the routed experts.
    Exchange(Exchange),
    /// Routed experts that are fed by an all-to-all exchange.
    WideMoe(WideExperts),
    /// A whole latent attention block beside such experts.
    WideMla {
        /// Heads of this rank.
        heads: u32,
        /// Precision of the prefill arithmetic; none in decode.
        fmha: Option<FmhaQuant>,
        /// Precision of the KV cache.
        kv: KvQuant,
        /// Context parallel size.
        cp: u32,
    },
    /// Two branches at the same time: the slower one counts.
    Overlap {
        /// One branch.
        a: Vec<Op>,
        /// The other.
        b: Vec<Op>,
    },
    /// The primary operator where it was measured, the others where it was not.
    Fallback {
        /// Preferred.
        primary: Box<Op>,
        /// Their sum otherwise.
        otherwise: Vec<Op>,
    },
    /// Hop between pipeline stages.
    P2p {
        /// Elements per token.
        hidden: u32,
        /// Pipeline parallel size.
        pp: u32,
    },
}

/// Shape of the routed experts on one worker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Experts {
    /// Hidden size.
    pub hidden: u32,
    /// Width of one expert.
    pub inter: u32,
    /// Experts per token.
    pub topk: u32,
    /// Experts in all.
    pub experts: u32,
    /// Tensor parallel size of the experts.
    pub moe_tp: u32,
    /// Expert parallel size.
    pub moe_ep: u32,
    /// Attention data parallel ranks, which share one pool of experts.
    pub dp: u32,
    /// Precision.
    pub quant: Quant,
    /// How tokens spread over experts, such as `power_law_1.2`.
    pub distribution: &'static str,
    /// Three matrices per expert; two otherwise.
    pub gated: bool,
}

/// Exchange of tokens between the ranks before or after the routed experts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dispatch {
    /// Elements per token.
    pub hidden: u32,
    /// Experts per token.
    pub topk: u32,
    /// Experts in all.
    pub experts: u32,
    /// Tensor parallel size of the experts.
    pub moe_tp: u32,
    /// Expert parallel size.
    pub moe_ep: u32,
    /// Attention data parallel ranks.
    pub dp: u32,
    /// Context parallel size of the attention.
    pub cp: u32,
    /// Before the experts, not after.
    pub pre: bool,
    /// Precision of the experts, which decides what is sent.
    pub quant: Quant,
    /// Whether the model lists the all-reduce after attention itself.
    pub attention_reduced: bool,
    /// Whether this is a prefill step.
    pub is_context: bool,
    /// Engine.
    pub backend: Backend,
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

impl OpKind {
    /// What people call it.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Embedding { .. } => "embedding",
            Self::Elementwise { .. } => "elementwise",
            Self::Gemm { .. } => "gemm",
            Self::ContextAttention { .. } => "prefill attention",
            Self::GenerationAttention { .. } => "decode attention",
            Self::EncoderAttention { .. } => "encoder attention",
            Self::AllReduce { .. } => "all-reduce",
            Self::Nccl { .. } => "collective",
            Self::Moe(_) | Self::WideMoe(_) => ROUTED_EXPERTS,
            Self::MoeDispatch(_) => "expert dispatch",
            Self::Mla { .. } => "latent attention",
            Self::MlaModule { .. } | Self::WideMla { .. } => "latent attention block",
            Self::MlaBmm { .. } => "latent attention projection",
            Self::Mamba2(_) => "state-space kernel",
            Self::Gdn(_) => "gated delta rule",
            Self::Kda(_) => "delta attention",
            Self::Dsa(_) | Self::Msa(_) | Self::Dsv4(_) => "sparse attention block",
            Self::StreamMix(_) => "residual stream mixing",
            Self::Exchange(_) => "all-to-all exchange",
            Self::Overlap { .. } => "overlapped branches",
            Self::Fallback { .. } => "block",
            Self::P2p { .. } => "pipeline hop",
        }
    }
}

impl Op {
    /// Whether a decode step spends more on it the longer the sequences are.
    pub fn grows(&self) -> bool {
        let any = |ops: &[Self]| ops.iter().any(Self::grows);
        let inside = match &self.kind {
            OpKind::GenerationAttention { .. }
            | OpKind::Mla { .. }
            | OpKind::MlaModule { .. }
            | OpKind::WideMla { .. } => true,
            OpKind::Overlap { a, b } => any(a) || any(b),
            OpKind::Fallback { primary, otherwise } => primary.grows() || any(otherwise),
            _ => false,
        };
        inside || self.name == ATTENTION
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
/// What people call the experts that tokens are routed to.
pub const ROUTED_EXPERTS: &str = "routed experts";
