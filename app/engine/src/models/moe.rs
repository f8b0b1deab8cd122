//! Grouped-query attention and routed experts: Mixtral, Qwen3-MoE, gpt-oss, MiniMax-M2.

use super::llama::gather_kv;
use super::setup::{Heads, KvCache, KvTerm, List, Phase, Setup};
use super::wide;
use crate::backend::Backend;
use crate::model::ModelSpec;
use crate::ops::Op;

/// How tokens spread over experts in the measurements of this family.
const DISTRIBUTION: &str = "power_law_1.2";
/// Window of every other gpt-oss layer, tokens.
const GPT_OSS_WINDOW: u32 = 128;

fn is_gpt_oss(model: &ModelSpec) -> bool {
    model.arch == "GptOssForCausalLM"
}

/// Operators of one phase.
pub(super) fn list(setup: Setup<'_>, phase: Phase) -> Vec<Op> {
    let ModelSpec { hidden, heads, head_dim: size, vocab, qk_norm, .. } = *setup.model;
    let tp = setup.parallel.tp;
    let gemm = setup.precision.gemm;
    let depth = setup.depth(phase);
    let layers = f64::from(setup.model.layers) * depth;
    let (query, kv) = (heads * size / tp, setup.model.kv_heads.div_ceil(tp));
    let mut out = List::new(setup, phase);
    let cp = out.seq_split();
    let attention = |window| Heads { query: heads / tp, kv, size, window, qk_norm, cp };
    // Half of the layers of gpt-oss see a window only.
    let full = if is_gpt_oss(setup.model) {
        out.attention(layers / 2.0, attention(GPT_OSS_WINDOW));
        layers / 2.0
    } else {
        layers
    };
    let transport = out.transport();
    // SGLang keeps the whole embedding on each of these ranks, so that nothing is to be reduced.
    let replicated = setup.wide.is_some() && setup.backend == Backend::Sglang;
    out.embedding(depth, if replicated { vocab } else { vocab / tp }, hidden);
    out.norm("add_norm_1", layers);
    out.gemm("qkv_gemm", layers, query + 2 * size * kv, hidden, gemm);
    out.attention(full, attention(0));
    gather_kv(&mut out);
    out.gemm("proj_gemm", layers, hidden, query, gemm).low_input();
    out.norm("add_norm_2", layers);
    match transport {
        Some(transport) => wide::experts(&mut out, transport, layers, DISTRIBUTION, None),
        None => {
            out.routed(layers, DISTRIBUTION, cp);
        }
    }
    // The publisher leaves the logits of a prefill step out.
    if phase == Phase::Generation {
        out.logits(depth);
    }
    if !replicated {
        out.all_reduce("embedding_ar", depth);
        out.p2p(depth);
    }
    out.into_ops()
}

/// KV cache of one sequence; half of the layers of gpt-oss keep a window only.
pub(super) fn kv_cache(setup: &Setup<'_>) -> KvCache {
    if !is_gpt_oss(setup.model) {
        return super::llama::kv_cache(setup);
    }
    let heads = setup.model.kv_heads.div_ceil(setup.parallel.tp);
    let per_layer = 2.0 * f64::from(heads) * f64::from(setup.model.head_dim) * setup.precision.kv.bytes();
    let term = |layers: u32, window: f64| KvTerm { bytes: per_layer * f64::from(layers), window, every: 1.0 };
    let windowed = setup.model.layers / 2;
    let terms =
        vec![term(windowed, f64::from(GPT_OSS_WINDOW)), term(setup.model.layers - windowed, f64::INFINITY)];
    KvCache { constant: 0.0, terms }
}
