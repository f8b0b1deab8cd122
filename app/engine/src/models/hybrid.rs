//! Global and sliding attention, dense and routed layers in one model: MiMo-V2, Llama 4, Step 3.7.

use super::routing::Routed;
use super::setup::{Heads, KvCache, KvTerm, List, Phase, Setup};
use crate::model::{Hybrid, ModelSpec};
use crate::ops::{Collective, Op};
use crate::quant::Quant;

/// Attention of one kind of layer.
#[derive(Clone, Copy, Debug)]
struct Attention {
    name: &'static str,
    query: u32,
    /// On one rank.
    kv: u32,
    size: u32,
    value: u32,
    window: u32,
}

/// The model's own size where a kind of layer has none.
fn or(size: u32, own: u32) -> u32 {
    if size > 0 { size } else { own }
}

/// Global and sliding attention.
fn attentions(setup: &Setup<'_>, kinds: Hybrid) -> [Attention; 2] {
    let ModelSpec { heads, kv_heads, head_dim, .. } = *setup.model;
    let tp = setup.parallel.tp;
    let global = Attention {
        name: "global",
        query: heads,
        kv: kv_heads.div_ceil(tp),
        size: head_dim,
        value: or(kinds.glob_vhd, head_dim),
        window: 0,
    };
    let sliding = Attention {
        name: "swa",
        query: or(kinds.swa_heads, heads),
        kv: or(kinds.swa_kv, kv_heads).div_ceil(tp),
        size: or(kinds.swa_hd, head_dim),
        value: or(kinds.swa_vhd, head_dim),
        window: kinds.window,
    };
    [global, sliding]
}

/// Operators of one phase.
pub(super) fn list(setup: Setup<'_>, phase: Phase) -> Vec<Op> {
    let mut out = List::new(setup, phase);
    let Some(kinds) = setup.model.hybrid else { return out.into_ops() };
    let ModelSpec { hidden, vocab, ffn, .. } = *setup.model;
    let (tp, gemm) = (setup.parallel.tp, setup.precision.gemm);
    let depth = setup.depth(phase);
    let [global, sliding] = attentions(&setup, kinds);
    let dense = or(kinds.dense_ffn, ffn) / tp;
    out.embedding(depth, vocab, hidden);
    for (layers, attention, routed) in [
        (kinds.global_moe, global, true),
        (kinds.swa_moe, sliding, true),
        (kinds.swa_dense, sliding, false),
        (kinds.global_dense, global, false),
    ] {
        if layers == 0 {
            continue;
        }
        let count = f64::from(layers) * depth;
        let kind = attention.name;
        let prefix = if routed { format!("{kind}_") } else { format!("{kind}_dense_") };
        attention_block(&mut out, &prefix, count, attention, kinds);
        if routed {
            out.norm(format!("{prefix}moe_norm"), count);
            out.router(format!("{kind}_router_gemm"), count);
            // The publisher prices what is sent to the experts at 16 bits.
            let (experts, sent) = (setup.precision.moe, Quant::Bf16);
            out.experts(&format!("{kind}_"), count, Routed { width: hidden, experts, sent, gated: true });
        } else {
            out.norm(format!("{prefix}ffn_norm"), count);
            feed_forward(&mut out, kind, count, dense, gemm);
        }
    }
    out.logits(depth);
    out.p2p(depth);
    gather_kv(&mut out, kinds);
    if kinds.shared_ffn > 0 {
        let count = f64::from(kinds.global_moe + kinds.swa_moe) * depth;
        feed_forward(&mut out, "shared_expert", count, kinds.shared_ffn / tp, gemm);
    }
    out.into_ops()
}

/// Norm, projections and attention of one kind of layer.
fn attention_block(out: &mut List<'_>, prefix: &str, count: f64, attention: Attention, kinds: Hybrid) {
    let Attention { query, kv, size, value, window, .. } = attention;
    let (tp, gemm, hidden) = (out.setup.parallel.tp, out.setup.precision.gemm, out.setup.model.hidden);
    let output = query * value / tp;
    out.norm(format!("{prefix}attn_norm"), count);
    let width = query * size / tp + kv * (size + value);
    out.gemm(format!("{prefix}qkv_gemm"), count, width, hidden, gemm);
    let (qk_norm, cp) = (kinds.qk_norm, out.seq_split());
    out.attention(count, Heads { query: query / tp, kv, size, window, qk_norm, cp });
    if kinds.gate {
        out.gemm(format!("{prefix}attn_gate_gemm"), count, query / tp, hidden, gemm);
        out.elementwise(format!("{prefix}attn_gate"), count, output + query / tp, output);
    }
    out.gemm(format!("{prefix}proj_gemm"), count, hidden, output, gemm).low_input();
}

fn feed_forward(out: &mut List<'_>, kind: &str, count: f64, width: u32, gemm: Quant) {
    let names = ["gate_up_gemm", "act", "down_gemm"].map(|part| format!("{kind}_dense_{part}"));
    out.mlp(names.each_ref().map(String::as_str), count, width, gemm).low_input();
}

/// Under context parallel every rank needs the keys and values of the whole sequence.
fn gather_kv(out: &mut List<'_>, kinds: Hybrid) {
    let (cp, kv) = (out.setup.parallel.cp, out.setup.precision.kv);
    if !out.is_context() || cp == 1 {
        return;
    }
    let layers = [kinds.global_moe + kinds.global_dense, kinds.swa_moe + kinds.swa_dense];
    for (layers, attention) in layers.into_iter().zip(attentions(&out.setup, kinds)) {
        if layers == 0 {
            continue;
        }
        let Attention { name, kv: heads, size, value, .. } = attention;
        // Counted in elements of 16 bits.
        let elements = f64::from(heads * (size + value)) * kv.bytes() / 2.0;
        let name = format!("cp_all_gather_{name}");
        out.nccl(name, f64::from(layers), Collective::AllGather, elements, cp);
    }
}

/// KV cache of one sequence of Step 3.7: sliding layers keep their window only. The publisher counts
/// all layers with the model's own head size.
pub(super) fn windowed_kv_cache(setup: &Setup<'_>) -> KvCache {
    let Some(kinds) = setup.model.hybrid else { return super::llama::kv_cache(setup) };
    let heads = setup.model.kv_heads.div_ceil(setup.parallel.tp);
    let per_layer = 2.0 * f64::from(heads) * f64::from(setup.model.head_dim) * setup.precision.kv.bytes();
    let window = if kinds.window > 0 { f64::from(kinds.window) } else { f64::INFINITY };
    let term = |layers: u32, window| KvTerm { bytes: per_layer * f64::from(layers), window, every: 1.0 };
    let sliding = term(kinds.swa_moe + kinds.swa_dense, window);
    KvCache {
        constant: 0.0,
        terms: vec![sliding, term(kinds.global_moe + kinds.global_dense, f64::INFINITY)],
    }
}
