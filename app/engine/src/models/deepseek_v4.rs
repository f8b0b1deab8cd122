//! Attention over compressed tokens, residual streams and routed experts: DeepSeek V4.

use super::deepseek_v32::shared_expert;
use super::setup::{KvCache, KvTerm, List, Phase, Setup};
use crate::model::{Dsv4, ModelSpec};
use crate::ops::{ATTENTION, Compression, Dsv4Block, Op, OpKind, StreamMix};

/// How tokens spread over experts in the measurements of this family.
const DISTRIBUTION: &str = "power_law_1.01";

/// Kinds of attention and their layers, in the order of the layers that have them first.
fn kinds(facts: &Dsv4) -> Vec<(Compression, u32)> {
    let layers = |ratio: u32| facts.layers_by_ratio.get(&ratio).copied().unwrap_or(0);
    // Layers with a window only are priced as heavily compressed ones.
    let heavy = (Compression::Heavy, layers(128) + layers(0));
    let mut out = Vec::new();
    for ratio in &facts.first_seen {
        match ratio {
            4 => out.push((Compression::Sparse, layers(4))),
            128 => out.push(heavy),
            _ => {}
        }
    }
    if !facts.first_seen.contains(&128) {
        out.push(heavy);
    }
    out.retain(|&(_, layers)| layers > 0);
    out
}

fn block(setup: &Setup<'_>, phase: Phase, facts: &Dsv4, kind: Compression) -> Dsv4Block {
    let context = phase == Phase::Context;
    let tp = setup.parallel.tp;
    Dsv4Block {
        kind,
        native_heads: setup.model.heads,
        heads: setup.model.heads / tp,
        hidden: setup.model.hidden,
        q_lora: facts.q_lora_rank,
        o_lora: facts.o_lora_rank,
        o_groups: (facts.o_groups / tp).max(1),
        head_dim: facts.head_dim,
        rope_dim: facts.qk_rope_head_dim,
        index_heads: facts.index_n_heads,
        index_dim: facts.index_head_dim,
        topk: facts.index_topk,
        window: facts.sliding_window,
        fmha: context.then_some(setup.precision.fmha),
        kv: setup.precision.kv,
        gemm: setup.precision.gemm,
        tp,
        cp: if context { setup.parallel.cp } else { 1 },
    }
}

/// Operators of one phase.
pub(super) fn list(setup: Setup<'_>, phase: Phase) -> Vec<Op> {
    let ModelSpec { vocab, hidden, moe_ffn, .. } = *setup.model;
    let Some(facts) = setup.model.dsv4.as_ref() else { return Vec::new() };
    let depth = setup.depth(phase);
    let layers = f64::from(setup.model.layers) * depth;
    let mix = |pre| {
        let Dsv4 { hc_mult: streams, hc_sinkhorn_iters: sinkhorn, .. } = *facts;
        OpKind::StreamMix(StreamMix { pre, streams, hidden, sinkhorn })
    };
    let mut out = List::new(setup, phase);
    out.embedding(depth, vocab, hidden);
    out.op("mhc_pre", layers, mix(true));
    out.elementwise("attn_norm", layers, hidden, hidden);
    for (kind, count) in kinds(facts) {
        // The block splits the sequence itself.
        let block = OpKind::Dsv4(block(&setup, phase, facts, kind));
        out.whole(ATTENTION, f64::from(count) * depth, 1, block);
    }
    out.op("mhc_post", layers, mix(false));
    out.elementwise("ffn_norm", layers, hidden, hidden);
    let width = moe_ffn / setup.parallel.tp;
    let mut shared = out.branch();
    shared_expert(&mut shared, layers, [2 * width, width], setup.precision.gemm);
    let mut routed = out.branch();
    // The publisher does not tell the two phases apart here.
    routed.routed(layers, DISTRIBUTION, setup.parallel.cp).exchange_as_prefill();
    match phase {
        Phase::Context => out.extend(shared).extend(routed),
        Phase::Generation => out.overlap("moe_overlap", routed, shared),
    };
    out.logits(depth);
    out.p2p(depth).unsplit();
    out.into_ops()
}

/// KV cache of one sequence: a window, compressed tokens and what the compressors hold, per layer.
pub(super) fn kv_cache(setup: &Setup<'_>) -> KvCache {
    let Some(facts) = setup.model.dsv4.as_ref() else { return super::llama::kv_cache(setup) };
    let entry = f64::from(facts.head_dim) * setup.precision.kv.bytes();
    let [head, index] = [facts.head_dim, facts.index_head_dim].map(f64::from);
    let mut out = KvCache::default();
    for (&ratio, &layers) in &facts.layers_by_ratio {
        let (every, layers) = (f64::from(ratio), f64::from(layers));
        let window = f64::from(facts.sliding_window);
        out.terms.push(KvTerm { bytes: layers * entry, window, every: 1.0 });
        if ratio == 0 {
            continue;
        }
        let whole = |bytes: f64| KvTerm { bytes: layers * bytes, window: f64::INFINITY, every };
        out.terms.push(whole(entry));
        let compressors = if ratio == Compression::Sparse.ratio() { 2.0 } else { 1.0 };
        out.constant += layers * 2.0 * every * compressors * head * 4.0;
        if ratio == Compression::Sparse.ratio() {
            // Indexer keys in 4 bits.
            out.terms.push(whole(index * 0.5));
            out.constant += layers * 2.0 * every * 2.0 * index * 4.0;
        }
    }
    out
}
