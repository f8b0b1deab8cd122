//! Attention over selected tokens and routed experts: DeepSeek V3.2, GLM-5.

use super::setup::{KvCache, List, Phase, Setup};
use super::wide::{self, DECODE_SHARE, Shared};
use crate::backend::Backend;
use crate::model::{Dsa, ModelSpec};
use crate::ops::{ATTENTION, Collective, DsaArch, DsaBlock, Op, OpKind, Projections};
use crate::quant::Quant;

/// How tokens spread over experts in the measurements of this family.
const DISTRIBUTION: &str = "power_law_1.01";

fn projections(setup: &Setup<'_>) -> Projections {
    let mode = |part: &str| {
        let left = setup.model.attn_unquantized.iter().any(|name| name == part);
        if left { Quant::Bf16 } else { setup.precision.gemm }
    };
    Projections { query: mode("q"), kv: mode("kv"), out: mode("o"), indexer: mode("indexer") }
}

fn block(setup: &Setup<'_>, phase: Phase, dims: Dsa) -> DsaBlock {
    let context = phase == Phase::Context;
    let projections = projections(setup);
    let layers = f64::from(setup.model.layers);
    // Only this engine's layers that reuse a selection were measured.
    let amortised = setup.backend == Backend::Sglang;
    DsaBlock {
        arch: DsaArch::from_name(&setup.model.arch).unwrap_or(DsaArch::DeepseekV32),
        hidden: setup.model.hidden,
        dims,
        heads: setup.model.heads / setup.parallel.tp,
        fmha: context.then_some(setup.precision.fmha),
        kv: setup.precision.kv,
        // Mixed blocks were measured at the precision of their output projection.
        gemm: projections.out,
        projections,
        indexer_share: if amortised { f64::from(dims.full_layers) / layers } else { 1.0 },
        cp: if context { setup.parallel.cp } else { 1 },
    }
}

/// Operators of one phase.
pub(super) fn list(setup: Setup<'_>, phase: Phase) -> Vec<Op> {
    let ModelSpec { vocab, hidden, .. } = *setup.model;
    let Some(dims) = setup.model.dsa else { return Vec::new() };
    let depth = setup.depth(phase);
    let mut layers = f64::from(setup.model.layers) * depth;
    let mut out = List::new(setup, phase);
    match (setup.wide, setup.backend) {
        (Some(_), Backend::Sglang) => return exchanged(out, layers, dims),
        (Some(_), Backend::Trtllm) if phase == Phase::Generation => layers *= DECODE_SHARE,
        _ => {}
    }
    let split = out.seq_split();
    out.embedding(depth, vocab, hidden);
    out.norm("add_norm_1", layers).divided(split);
    // The block splits the sequence itself.
    out.op(ATTENTION, layers, OpKind::Dsa(block(&setup, phase, dims)));
    out.norm("add_norm_2", layers).divided(split);
    experts(&mut out, layers);
    out.logits(depth).p2p(depth);
    out.unsplit_all();
    out.into_ops()
}

/// Operators of one phase under SGLang with experts behind an all-to-all exchange.
fn exchanged(mut out: List<'_>, layers: f64, dims: Dsa) -> Vec<Op> {
    let (setup, phase) = (out.setup, out.phase);
    let (tp, hidden) = (setup.parallel.tp, f64::from(setup.model.hidden));
    let gathers = out.is_context() && tp > 1;
    if gathers {
        out.nccl("tp_all_gather", layers, Collective::AllGather, hidden, tp);
    }
    out.whole(ATTENTION, layers, 1, OpKind::Dsa(block(&setup, phase, dims)));
    if gathers {
        out.nccl("tp_reduce_scatter", layers, Collective::ReduceScatter, hidden, tp);
    }
    experts(&mut out, layers);
    out.into_ops()
}

/// Shared and routed experts, as this phase reaches them.
fn experts(out: &mut List<'_>, layers: f64) {
    let Setup { model, parallel, precision, backend, .. } = out.setup;
    let kept = if model.shared_expert_unquantized { Quant::Bf16 } else { precision.gemm };
    if let Some(transport) = out.transport() {
        // Only TensorRT-LLM's list heeds what the checkpoint left in 16 bits.
        let quant = if backend == Backend::Trtllm { kept } else { precision.gemm };
        let shared = Shared::of(&out.setup, quant);
        return wide::experts(out, transport, layers, DISTRIBUTION, Some(shared));
    }
    let mut shared = out.branch();
    let widths = [2 * model.moe_ffn, model.moe_ffn].map(|width| width / parallel.moe_tp);
    shared_expert(&mut shared, layers, widths, kept);
    let mut routed = out.branch();
    routed.routed(layers, DISTRIBUTION, parallel.cp);
    match out.phase {
        Phase::Context => out.extend(shared).extend(routed),
        Phase::Generation => out.overlap("moe_overlap", routed, shared),
    };
}

/// The expert that every token visits; `widths` are those of both gates together and of one.
pub(super) fn shared_expert(out: &mut List<'_>, layers: f64, widths: [u32; 2], quant: Quant) {
    let hidden = out.setup.model.hidden;
    let [gates, width] = widths;
    out.gemm("shared_gate_up_gemm", layers, gates, hidden, quant);
    out.elementwise("shared_act_gate", layers, gates, width);
    out.gemm("shared_ffn2_gemm", layers, hidden, width, quant);
}

/// KV cache of one sequence: a latent vector and an indexer key per layer, the same on every rank.
pub(super) fn kv_cache(setup: &Setup<'_>) -> KvCache {
    let Some(Dsa { kv_lora_rank, qk_rope_head_dim, index_head_dim, .. }) = setup.model.dsa else {
        return super::llama::kv_cache(setup);
    };
    let latent = f64::from(kv_lora_rank) * setup.precision.kv.bytes() + f64::from(qk_rope_head_dim) * 2.0;
    // One scale per 128 elements of an indexer key.
    let index = f64::from(index_head_dim + 4 * index_head_dim.div_ceil(128));
    KvCache::linear(f64::from(setup.model.layers) * (latent + index))
}
