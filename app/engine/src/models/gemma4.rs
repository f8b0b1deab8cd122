//! Sliding and global attention, a dense and a routed feed-forward part in every layer: Gemma 4.

use super::routing::Routed;
use super::setup::{Heads, KvCache, KvTerm, List, Phase, Setup};
use crate::model::{Gemma4, ModelSpec};
use crate::ops::{Collective, Op};
use crate::quant::Quant;

/// Fewer experts than this are chosen without a product of its own.
const ROUTER_EXPERTS: u32 = 128;

/// Precisions of the parts of a layer.
#[derive(Clone, Copy, Debug)]
struct Modes {
    /// Projections around attention.
    attention: Quant,
    /// Dense feed-forward part.
    dense: Quant,
    /// Routed experts.
    experts: Quant,
}

/// What the checkpoint leaves in 16 bits stays there unless the user chose the precision.
fn modes(setup: &Setup<'_>) -> Modes {
    // A precision in place of the checkpoint's holds everywhere.
    let replaced = setup.gemm_chosen || setup.precision.gemm != setup.model.quant.gemm;
    let left = |part: &str| !replaced && setup.model.unquantized_patterns.iter().any(|name| name == part);
    let mode = |part: &str, quant| if left(part) { Quant::Bf16 } else { quant };
    let (gemm, moe) = (setup.precision.gemm, setup.precision.moe);
    Modes { attention: mode("self_attn", gemm), dense: mode("mlp", gemm), experts: mode("mlp", moe) }
}

/// Precision of the routed experts.
pub(super) fn experts(setup: &Setup<'_>) -> Quant {
    modes(setup).experts
}

/// One kind of layer.
#[derive(Clone, Copy, Debug)]
struct Kind {
    name: &'static str,
    layers: u32,
    /// KV heads of one rank.
    kv: u32,
    size: u32,
    window: u32,
    /// Keys and values, or keys that serve as values.
    kv_parts: u32,
}

/// Sliding and global layers, as far as the model has them.
fn kinds(setup: &Setup<'_>, facts: Gemma4) -> impl Iterator<Item = Kind> + use<> {
    let Gemma4 { swa, full, swa_kv, swa_hd, g_kv, g_hd, window, k_eq_v } = facts;
    let tp = setup.parallel.tp;
    let kv_parts = if k_eq_v { 1 } else { 2 };
    [
        Kind { name: "swa", layers: swa, kv: swa_kv.div_ceil(tp), size: swa_hd, window, kv_parts: 2 },
        Kind { name: "global", layers: full, kv: g_kv.div_ceil(tp), size: g_hd, window: 0, kv_parts },
    ]
    .into_iter()
    .filter(|kind| kind.layers > 0)
}

/// Operators of one phase.
pub(super) fn list(setup: Setup<'_>, phase: Phase) -> Vec<Op> {
    let mut out = List::new(setup, phase);
    let Some(facts) = setup.model.gemma4 else { return out.into_ops() };
    let ModelSpec { hidden, vocab, .. } = *setup.model;
    let depth = setup.depth(phase);
    out.embedding(depth, vocab, hidden);
    for kind in kinds(&setup, facts) {
        layer(&mut out, f64::from(kind.layers) * depth, kind);
    }
    out.logits(depth);
    out.p2p(depth);
    if out.is_context() && setup.parallel.cp > 1 {
        gather_kv(&mut out, facts);
    }
    out.into_ops()
}

fn layer(out: &mut List<'_>, count: f64, kind: Kind) {
    let ModelSpec { hidden, heads, ffn, experts, topk, .. } = *out.setup.model;
    let tp = out.setup.parallel.tp;
    let modes = modes(&out.setup);
    let Kind { name, kv, size, window, kv_parts, .. } = kind;
    let query = heads * size / tp;
    out.norm(format!("{name}_attn_norm"), count);
    out.gemm(format!("{name}_qkv_gemm"), count, query + kv_parts * kv * size, hidden, modes.attention);
    let cp = out.seq_split();
    out.attention(count, Heads { query: heads / tp, kv, size, window, qk_norm: false, cp });
    out.gemm(format!("{name}_proj_gemm"), count, hidden, query, modes.attention).low_input();
    out.norm(format!("{name}_ffn_norm"), count);
    let names = ["gate_up_gemm", "act", "down_gemm"].map(|part| format!("{name}_shared_mlp_{part}"));
    out.mlp(names.each_ref().map(String::as_str), count, ffn / tp, modes.dense).low_input();
    if experts == 0 || topk == 0 {
        return;
    }
    if experts >= ROUTER_EXPERTS {
        out.router(format!("{name}_router_gemm"), count);
    }
    let routed = Routed { width: hidden, experts: modes.experts, sent: modes.experts, gated: true };
    out.experts(&format!("{name}_"), count, routed);
}

/// Under context parallel every rank needs the keys and values of the whole sequence.
fn gather_kv(out: &mut List<'_>, facts: Gemma4) {
    let (cp, precision) = (out.setup.parallel.cp, out.setup.precision.kv);
    for Kind { name, layers, kv, size, .. } in kinds(&out.setup, facts) {
        // Keys and values, counted in elements of 16 bits.
        let elements = f64::from(kv * size) * precision.bytes();
        let name = format!("cp_all_gather_{name}");
        out.nccl(name, f64::from(layers), Collective::AllGather, elements, cp);
    }
}

/// KV cache of one sequence; sliding layers keep their window only.
pub(super) fn kv_cache(setup: &Setup<'_>) -> KvCache {
    let Some(facts) = setup.model.gemma4 else { return super::llama::kv_cache(setup) };
    let term = |kind: Kind| {
        let bytes = 2.0 * setup.precision.kv.bytes() * f64::from(kind.layers * kind.kv * kind.size);
        let window = if kind.window > 0 { f64::from(kind.window) } else { f64::INFINITY };
        KvTerm { bytes, window, every: 1.0 }
    };
    KvCache { constant: 0.0, terms: kinds(setup, facts).map(term).collect() }
}
