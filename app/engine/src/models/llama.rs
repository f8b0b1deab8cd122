//! Dense models with grouped-query attention: Llama, Qwen2, Qwen3, MiMo.

use super::setup::{Heads, KvCache, List, Phase, Setup};
use crate::model::ModelSpec;
use crate::ops::{Collective, Op};

/// Operators of one phase.
pub(super) fn list(setup: Setup<'_>, phase: Phase) -> Vec<Op> {
    let ModelSpec { hidden, heads, head_dim, ffn, vocab, qk_norm, .. } = *setup.model;
    let tp = setup.parallel.tp;
    let gemm = setup.precision.gemm;
    let depth = setup.depth(phase);
    let layers = f64::from(setup.model.layers) * depth;
    let query = heads * head_dim / tp;
    let kv = setup.model.kv_heads.div_ceil(tp);
    let mut out = List::new(setup, phase);
    let cp = out.seq_split();
    out.embedding(depth, vocab / tp, hidden);
    out.norm("add_norm_1", layers);
    out.gemm("qkv_gemm", layers, query + 2 * head_dim * kv, hidden, gemm);
    out.attention(layers, Heads { query: heads / tp, kv, size: head_dim, window: 0, qk_norm, cp });
    gather_kv(&mut out);
    out.gemm("proj_gemm", layers, hidden, query, gemm).low_input();
    out.norm("add_norm_2", layers);
    out.gemm("gate_ffn1_gemm", layers, 2 * ffn / tp, hidden, gemm);
    out.elementwise("act_gate", layers, 2 * ffn / tp, ffn / tp);
    out.gemm("ffn2_gemm", layers, hidden, ffn / tp, gemm).low_input();
    out.logits(depth);
    out.all_reduce("embedding_ar", depth);
    out.all_reduce("ar_1", layers);
    out.all_reduce("ar_2", layers);
    out.p2p(depth);
    out.into_ops()
}

/// Under context parallel every rank needs the keys and values of the whole sequence.
pub(super) fn gather_kv(out: &mut List<'_>) {
    if out.is_context() && out.setup.parallel.cp > 1 {
        let layers = f64::from(out.setup.model.layers);
        // Counted in elements of 16 bits.
        let elements = super::kv_cache(&out.setup).bytes(1.0) / layers / 2.0;
        out.nccl("cp_all_gather", layers, Collective::AllGather, elements, out.setup.parallel.cp);
    }
}

/// KV cache of one sequence: keys and values of every layer.
pub(super) fn kv_cache(setup: &Setup<'_>) -> KvCache {
    let heads = setup.model.kv_heads.div_ceil(setup.parallel.tp);
    let per_layer = setup.precision.kv.bytes() * 2.0 * f64::from(heads) * f64::from(setup.model.head_dim);
    KvCache::linear(per_layer * f64::from(setup.model.layers))
}
