//! What an operator list depends on, and the blocks that lists are made of.

use crate::backend::Backend;
use crate::model::ModelSpec;
use crate::ops::{ATTENTION, Collective, CommQuant, Dispatch, LOGITS, Op, OpKind, Transport, WideEp};
use crate::parallel::Parallel;
use crate::quant::{Precision, Quant};

/// One of the two kinds of engine step that a model has an operator list for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Prefill.
    Context,
    /// Decode.
    Generation,
}

/// A worker whose operators are to be listed.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    /// The model.
    pub model: &'a ModelSpec,
    /// Layout of the worker.
    pub parallel: Parallel,
    /// Precisions it runs with.
    pub precision: Precision,
    /// Engine.
    pub backend: Backend,
    /// Whether the user chose the GEMM precision, which then holds everywhere.
    pub gemm_chosen: bool,
    /// Draft tokens of speculative decoding; 0 is off.
    pub draft_tokens: u32,
    /// All-to-all exchange around the experts; none is the collectives of one node.
    pub wide: Option<WideEp>,
}

impl Setup<'_> {
    /// How often a per-layer operator runs in a phase, as a multiple of the layers: draft layers come on top.
    pub fn depth(&self, phase: Phase) -> f64 {
        let layers = f64::from(self.model.layers);
        match phase {
            Phase::Generation if self.draft_tokens > 0 => (layers + f64::from(self.draft_tokens)) / layers,
            _ => 1.0,
        }
    }
}

/// KV cache of one sequence on one GPU, as a function of its length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KvCache {
    /// Bytes whatever the length.
    pub constant: f64,
    /// Parts that grow with the length.
    pub terms: Vec<KvTerm>,
}

/// A part of a KV cache.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KvTerm {
    /// Bytes per entry.
    pub bytes: f64,
    /// Tokens beyond these are dropped.
    pub window: f64,
    /// Tokens per entry.
    pub every: f64,
}

impl KvCache {
    /// A cache that keeps every token.
    pub fn linear(bytes: f64) -> Self {
        Self { constant: 0.0, terms: vec![KvTerm { bytes, window: f64::INFINITY, every: 1.0 }] }
    }

    /// Bytes of a sequence of `tokens`.
    pub fn bytes(&self, tokens: f64) -> f64 {
        let term = |term: &KvTerm| term.bytes * (tokens.min(term.window) / term.every).floor();
        self.constant + self.terms.iter().map(term).sum::<f64>()
    }
}

/// An operator list under construction; every block is one line of the family's description.
#[derive(Clone, Debug)]
pub(super) struct List<'a> {
    /// The worker.
    pub(super) setup: Setup<'a>,
    /// The phase.
    pub(super) phase: Phase,
    ops: Vec<Op>,
}

impl<'a> List<'a> {
    /// An empty list.
    pub(super) fn new(setup: Setup<'a>, phase: Phase) -> Self {
        Self { setup, phase, ops: Vec::new() }
    }

    /// An empty list of the same phase, for a branch.
    #[must_use]
    pub(super) fn branch(&self) -> Self {
        Self::new(self.setup, self.phase)
    }

    /// Whether this is the prefill list.
    pub(super) fn is_context(&self) -> bool {
        self.phase == Phase::Context
    }

    /// How this phase exchanges tokens with the experts by all-to-all; none is the collectives of one node.
    pub(super) fn transport(&self) -> Option<Transport> {
        let wide = self.setup.wide?;
        if self.is_context() { wide.context } else { wide.generation }
    }

    /// The finished list.
    pub(super) fn into_ops(self) -> Vec<Op> {
        self.ops
    }

    /// Context parallel ranks that share the tokens of a sequence in this phase.
    pub(super) fn seq_split(&self) -> u32 {
        if self.is_context() { self.setup.parallel.cp } else { 1 }
    }

    /// Adds an operator whose tokens are shared by the context parallel ranks.
    pub(super) fn op(&mut self, name: impl Into<String>, count: f64, kind: OpKind) -> &mut Self {
        let seq_split = self.seq_split();
        self.whole(name, count, seq_split, kind)
    }

    /// Adds an operator with its own split of the sequence.
    pub(super) fn whole(
        &mut self,
        name: impl Into<String>,
        count: f64,
        seq_split: u32,
        kind: OpKind,
    ) -> &mut Self {
        self.ops.push(Op { name: name.into(), count, seq_split, token_divisor: 1, kind });
        self
    }

    /// Tokens of the last operator are divided by `divisor` first.
    pub(super) fn divided(&mut self, divisor: u32) -> &mut Self {
        if let Some(last) = self.ops.last_mut() {
            last.token_divisor = divisor;
        }
        self
    }

    /// The last operator sees every token, context parallel or not.
    pub(super) fn unsplit(&mut self) -> &mut Self {
        if let Some(last) = self.ops.last_mut() {
            last.seq_split = 1;
        }
        self
    }

    /// Every operator so far sees every token, context parallel or not.
    pub(super) fn unsplit_all(&mut self) -> &mut Self {
        self.ops.iter_mut().for_each(|op| op.seq_split = 1);
        self
    }

    /// The exchanges so far are those of prefill, whatever the phase.
    pub(super) fn exchange_as_prefill(&mut self) -> &mut Self {
        for op in &mut self.ops {
            if let OpKind::MoeDispatch(Dispatch { is_context, .. }) = &mut op.kind {
                *is_context = true;
            }
        }
        self
    }

    /// Adds all operators of another list.
    pub(super) fn extend(&mut self, other: List<'_>) -> &mut Self {
        self.ops.extend(other.ops);
        self
    }

    /// Token embedding.
    pub(super) fn embedding(&mut self, count: f64, vocab: u32, hidden: u32) -> &mut Self {
        self.op("embedding", count, OpKind::Embedding { vocab, hidden })
    }

    /// Reads `read` and writes `write` 16-bit elements per token.
    pub(super) fn elementwise(
        &mut self,
        name: impl Into<String>,
        count: f64,
        read: u32,
        write: u32,
    ) -> &mut Self {
        let bytes_per_token = 2.0 * (f64::from(read) + f64::from(write));
        self.op(name, count, OpKind::Elementwise { bytes_per_token })
    }

    /// A norm with its residual: reads and writes two hidden vectors.
    pub(super) fn norm(&mut self, name: impl Into<String>, count: f64) -> &mut Self {
        let width = 2 * self.setup.model.hidden;
        self.elementwise(name, count, width, width)
    }

    /// Dense product `tokens × k` by `k × n`.
    pub(super) fn gemm(
        &mut self,
        name: impl Into<String>,
        count: f64,
        n: u32,
        k: u32,
        quant: Quant,
    ) -> &mut Self {
        self.op(name, count, OpKind::Gemm { n, k, quant, low_precision_input: false, roofline_below: false })
    }

    /// The input of the last product already is in low precision.
    pub(super) fn low_input(&mut self) -> &mut Self {
        if let Some(Op { kind: OpKind::Gemm { low_precision_input, .. }, .. }) = self.ops.last_mut() {
            *low_precision_input = true;
        }
        self
    }

    /// Outside the measured shapes the last product costs its roofline.
    pub(super) fn roofline_below(&mut self) -> &mut Self {
        if let Some(Op { kind: OpKind::Gemm { roofline_below, .. }, .. }) = self.ops.last_mut() {
            *roofline_below = true;
        }
        self
    }

    /// Gate and up projection, activation, down projection of `width` per rank.
    pub(super) fn mlp(&mut self, names: [&str; 3], count: f64, width: u32, quant: Quant) -> &mut Self {
        let hidden = self.setup.model.hidden;
        self.gemm(names[0], count, 2 * width, hidden, quant);
        self.elementwise(names[1], count, 2 * width, width);
        self.gemm(names[2], count, hidden, width, quant)
    }

    /// Projection of the last token of each request onto the vocabulary, 16-bit.
    pub(super) fn logits(&mut self, count: f64) -> &mut Self {
        let vocab = self.setup.model.vocab / self.setup.parallel.tp;
        self.gemm(LOGITS, count, vocab, self.setup.model.hidden, Quant::Bf16)
    }

    /// All-reduce of a hidden vector per token over the tensor parallel ranks.
    pub(super) fn all_reduce(&mut self, name: impl Into<String>, count: f64) -> &mut Self {
        let kind = OpKind::AllReduce { hidden: self.setup.model.hidden, gpus: self.setup.parallel.tp };
        self.op(name, count, kind)
    }

    /// A 16-bit collective over `gpus` that sees every token.
    pub(super) fn nccl(
        &mut self,
        name: impl Into<String>,
        count: f64,
        collective: Collective,
        elements: f64,
        gpus: u32,
    ) -> &mut Self {
        self.whole(name, count, 1, OpKind::Nccl { collective, elements, gpus, dtype: CommQuant::Half })
    }

    /// Hops between pipeline stages.
    pub(super) fn p2p(&mut self, depth: f64) -> &mut Self {
        let (pp, hidden) = (self.setup.parallel.pp, self.setup.model.hidden);
        self.op("p2p", f64::from(pp - 1) * depth, OpKind::P2p { hidden, pp })
    }

    /// The attention kernel of the phase, grouped queries.
    pub(super) fn attention(&mut self, count: f64, heads: Heads) -> &mut Self {
        let Precision { fmha, kv, .. } = self.setup.precision;
        let Heads { query, kv: kv_heads, size: head_dim, window, qk_norm, cp } = heads;
        let kind = match self.phase {
            Phase::Context => {
                OpKind::ContextAttention { heads: query, kv_heads, head_dim, window, fmha, kv, qk_norm, cp }
            }
            Phase::Generation => OpKind::GenerationAttention { heads: query, kv_heads, head_dim, window, kv },
        };
        self.whole(ATTENTION, count, 1, kind)
    }

    /// Two branches that run at the same time.
    pub(super) fn overlap(&mut self, name: impl Into<String>, a: List<'_>, b: List<'_>) -> &mut Self {
        self.whole(name, 1.0, 1, OpKind::Overlap { a: a.ops, b: b.ops })
    }

    /// The first operator where it was measured, the others where it was not.
    pub(super) fn fallback(
        &mut self,
        name: impl Into<String>,
        primary: Op,
        otherwise: List<'_>,
    ) -> &mut Self {
        let primary = Box::new(primary);
        self.whole(name, 1.0, 1, OpKind::Fallback { primary, otherwise: otherwise.ops })
    }
}

/// Heads of an attention kernel on one rank.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heads {
    /// Query heads.
    pub(super) query: u32,
    /// KV heads.
    pub(super) kv: u32,
    /// Size of one head.
    pub(super) size: u32,
    /// Sliding window, tokens; 0 means none.
    pub(super) window: u32,
    /// Whether queries and keys are normalised.
    pub(super) qk_norm: bool,
    /// Context parallel size.
    pub(super) cp: u32,
}
