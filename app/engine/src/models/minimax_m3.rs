//! Attention over selected blocks and routed experts: MiniMax-M3.

use super::deepseek_v32::shared_expert;
use super::setup::{List, Phase, Setup};
use crate::model::ModelSpec;
use crate::ops::{ATTENTION, MsaBlock, Op, OpKind};

/// How tokens spread over experts in the measurements of this family.
const DISTRIBUTION: &str = "power_law_1.01";

/// Operators of one phase.
pub(super) fn list(setup: Setup<'_>, phase: Phase) -> Vec<Op> {
    let ModelSpec { vocab, hidden, heads, kv_heads, head_dim, moe_ffn, .. } = *setup.model;
    let tp = setup.parallel.tp;
    let depth = setup.depth(phase);
    let layers = f64::from(setup.model.layers) * depth;
    let mut out = List::new(setup, phase);
    out.embedding(depth, vocab, hidden);
    out.norm("add_norm_1", layers);
    let block = MsaBlock {
        hidden,
        heads: (heads / tp).max(1),
        kv_heads: (kv_heads / tp).max(1),
        head_dim,
        fmha: (phase == Phase::Context).then_some(setup.precision.fmha),
        kv: setup.precision.kv,
        gemm: setup.precision.gemm,
    };
    out.op(ATTENTION, layers, OpKind::Msa(block));
    out.norm("add_norm_2", layers);
    let mut shared = out.branch();
    shared_expert(&mut shared, layers, [2 * moe_ffn, moe_ffn].map(|width| width / tp), setup.precision.gemm);
    let mut routed = out.branch();
    routed.routed(layers, DISTRIBUTION, 1);
    match phase {
        Phase::Context => out.extend(shared).extend(routed),
        Phase::Generation => out.overlap("moe_overlap", routed, shared),
    };
    out.logits(depth).p2p(depth);
    out.into_ops()
}
