//! Nemotron-H (Mamba-2, attention and feed-forward layers of their own) and Nemotron-NAS (uneven blocks).

use super::routing::Routed;
use super::setup::{Heads, List, Phase, Setup};
use crate::model::{ModelSpec, NasBlocks, NemotronH};
use crate::ops::{Mamba2, MambaKernel, Op, OpKind};

/// Head size of the attention kernel of every Nemotron-NAS block.
const NAS_HEAD: u32 = 128;
/// Feed-forward widths of Nemotron-NAS are multiples of this.
const NAS_WIDTH_STEP: u64 = 256;

/// Operators of one phase of Nemotron-H.
pub(super) fn hybrid(setup: Setup<'_>, phase: Phase) -> Vec<Op> {
    let mut out = List::new(setup, phase);
    let Some(layers) = setup.model.nemh else { return out.into_ops() };
    let depth = setup.depth(phase);
    out.embedding(depth, setup.model.vocab, setup.model.hidden);
    let count = |layers: u32| f64::from(layers) * depth;
    if layers.mamba > 0 {
        mamba(&mut out, count(layers.mamba), layers);
    }
    if layers.attention > 0 {
        attention(&mut out, count(layers.attention));
    }
    if layers.routed > 0 {
        routed(&mut out, count(layers.routed), layers);
    }
    if layers.dense > 0 {
        dense(&mut out, count(layers.dense));
    }
    out.p2p(depth);
    out.logits(depth);
    out.into_ops()
}

fn mamba(out: &mut List<'_>, count: f64, layers: NemotronH) {
    let NemotronH {
        mamba_heads: heads, mamba_head_dim: head_dim, state, conv, n_groups: groups, chunk, ..
    } = layers;
    let hidden = out.setup.model.hidden;
    let (tp, gemm, is_context) = (out.setup.parallel.tp, out.setup.precision.gemm, out.is_context());
    let local = heads / tp;
    let inner = local * head_dim;
    let width = 2 * inner + 2 * (groups / tp).max(1) * state + local;
    out.norm("mamba_norm", count);
    out.gemm("mamba_in_proj_gemm", count, width, hidden, gemm);
    for (name, kernel) in [("mamba_conv1d", MambaKernel::Conv), ("mamba_ssm", MambaKernel::Scan)] {
        let op = Mamba2 { kernel, is_context, hidden, state, conv, heads, head_dim, groups, chunk };
        out.whole(name, count, 1, OpKind::Mamba2(op));
    }
    out.gemm("mamba_out_proj_gemm", count, hidden, inner, gemm);
    out.all_reduce("mamba_ar", count);
}

fn attention(out: &mut List<'_>, count: f64) {
    let ModelSpec { hidden, heads, head_dim: size, kv_heads, .. } = *out.setup.model;
    let (tp, gemm) = (out.setup.parallel.tp, out.setup.precision.gemm);
    let (query, kv) = (heads * size / tp, kv_heads.div_ceil(tp));
    let cp = out.seq_split();
    out.norm("attn_norm", count);
    out.gemm("qkv_gemm", count, query + 2 * size * kv, hidden, gemm);
    out.attention(count, Heads { query: heads / tp, kv, size, window: 0, qk_norm: false, cp });
    out.gemm("proj_gemm", count, hidden, query, gemm).low_input();
    out.all_reduce("attn_ar", count);
}

fn routed(out: &mut List<'_>, count: f64, layers: NemotronH) {
    let hidden = out.setup.model.hidden;
    let (tp, gemm, experts) = (out.setup.parallel.tp, out.setup.precision.gemm, out.setup.precision.moe);
    let (shared, latent) = (layers.shared_ffn / tp, layers.latent);
    out.norm("moe_norm", count);
    out.gemm("shared_up_gemm", count, shared, hidden, gemm);
    out.elementwise("shared_relu2", count, shared, shared);
    out.gemm("shared_down_gemm", count, hidden, shared, gemm).low_input();
    out.router("router_gemm", count);
    if latent > 0 {
        out.gemm("fc1_latent_proj_gemm", count, latent / tp, hidden, gemm);
    }
    let width = if latent > 0 { latent } else { hidden };
    out.experts("", count, Routed { width, experts, sent: experts, gated: false });
    if latent > 0 {
        out.gemm("fc2_latent_proj_gemm", count, hidden, latent / tp, gemm).low_input();
    }
    out.all_reduce("moe_ar", count);
}

fn dense(out: &mut List<'_>, count: f64) {
    let hidden = out.setup.model.hidden;
    let gemm = out.setup.precision.gemm;
    let width = out.setup.model.ffn / out.setup.parallel.tp;
    out.norm("mlp_norm", count);
    out.gemm("mlp_up_gemm", count, width, hidden, gemm);
    out.elementwise("mlp_relu2", count, width, width);
    out.gemm("mlp_down_gemm", count, hidden, width, gemm);
    out.all_reduce("mlp_ar", count);
}

/// Operators of one phase of Nemotron-NAS; it has no draft layers.
pub(super) fn blocks(setup: Setup<'_>, phase: Phase) -> Vec<Op> {
    let ModelSpec { hidden, heads, head_dim: size, vocab, .. } = *setup.model;
    let (tp, gemm) = (setup.parallel.tp, setup.precision.gemm);
    let query = heads * size / tp;
    let mut out = List::new(setup, phase);
    let cp = out.seq_split();
    out.embedding(1.0, vocab, hidden);
    for &NasBlocks { group, ffn, count } in &setup.model.nas_blocks {
        let count = f64::from(count);
        if let Some(group) = group {
            let kv = (heads / group.max(1)).div_ceil(tp);
            out.norm("add_norm_1", count);
            out.gemm("qkv_gemm", count, query + 2 * size * kv, hidden, gemm);
            let attention = Heads { query: heads / tp, kv, size: NAS_HEAD, window: 0, qk_norm: false, cp };
            out.attention(count, attention);
            out.gemm("proj_gemm", count, hidden, query, gemm);
            out.all_reduce("ar_1", count);
        }
        if let Some(multiple) = ffn {
            let width = nas_width(multiple, hidden);
            out.norm("add_norm_2", count);
            out.gemm("gate_ffn1_gemm", count, 2 * width / tp, hidden, gemm);
            out.elementwise("act_gate", count, 2 * width / tp, width / tp);
            out.gemm("ffn2_gemm", count, hidden, width / tp, gemm);
            out.all_reduce("ar_2", count);
        }
    }
    out.p2p(1.0);
    out.logits(1.0);
    out.into_ops()
}

/// Two thirds of `multiple` hidden sizes, rounded up to a width that kernels like.
fn nas_width(multiple: f64, hidden: u32) -> u32 {
    let width = (2.0 * multiple * f64::from(hidden) / 3.0) as u64;
    u32::try_from(width.next_multiple_of(NAS_WIDTH_STEP)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_rounded_up() {
        assert_eq!(nas_width(5.25, 8192), 28_672);
        assert_eq!(nas_width(2.625, 8192), 14_336);
        assert_eq!(nas_width(0.5, 8192), 2816);
    }
}
