//! Gated delta rules in most layers, grouped-query attention in the others: Qwen3.5 and Qwen3.6.

use super::routing;
use super::setup::{Heads, KvCache, KvTerm, List, Phase, Setup};
use crate::backend::Backend;
use crate::model::{Gdn, GdnModes, ModelSpec};
use crate::ops::{DeltaKernel, DeltaStep, DeltaWork, Op, OpKind};
use crate::quant::Quant;

/// How tokens spread over experts in the measurements of this family.
const DISTRIBUTION: &str = "power_law_1.2";
/// Fewer experts than these are routed inside the expert kernel.
const ROUTER_FROM: u32 = 128;

/// Precisions of the dense matrices: the checkpoint's, unless the user chose one for all.
pub(super) fn modes(setup: &Setup<'_>, gdn: &Gdn) -> GdnModes {
    let gemm = setup.precision.gemm;
    // What the checkpoint holds in its main precision follows what this GPU makes of that precision.
    let mode = |mode: Quant| {
        if setup.gemm_chosen || mode == setup.model.quant.gemm { gemm } else { mode }
    };
    let GdnModes { projection, ffn, shared } = gdn.modes;
    GdnModes { projection: mode(projection), ffn: mode(ffn), shared: mode(shared) }
}

/// Operators of one phase; none for a model without facts about its delta rule.
pub(super) fn list(setup: Setup<'_>, phase: Phase) -> Vec<Op> {
    let mut out = List::new(setup, phase);
    let Some(gdn) = setup.model.gdn else { return out.into_ops() };
    let modes = modes(&setup, &gdn);
    let depth = setup.depth(phase);
    // SGLang reduces after attention in the exchange before the experts.
    let folded = setup.backend == Backend::Sglang && setup.model.is_moe() && setup.parallel.dp > 1;
    out.embedding(depth, setup.model.vocab / setup.parallel.tp, setup.model.hidden);
    out.all_reduce("embedding_ar", depth);
    if gdn.linear > 0 {
        let layers = f64::from(gdn.linear) * depth;
        delta_rule(&mut out, &gdn, modes.projection, layers);
        if !folded {
            out.all_reduce("gdn_ar", layers);
        }
        feed_forward(&mut out, &gdn, modes, "gdn", layers);
    }
    if gdn.full > 0 {
        let layers = f64::from(gdn.full) * depth;
        full_attention(&mut out, modes.projection, layers);
        if !folded {
            out.all_reduce("full_ar", layers);
        }
        feed_forward(&mut out, &gdn, modes, "full", layers);
    }
    out.logits(depth);
    out.p2p(depth);
    out.into_ops()
}

fn delta_rule(out: &mut List<'_>, gdn: &Gdn, quant: Quant, layers: f64) {
    let Gdn { num_key_heads, key_head_dim, num_value_heads, value_head_dim, .. } = *gdn;
    let (hidden, tp) = (out.setup.model.hidden, out.setup.parallel.tp);
    let (keys, values) = (num_key_heads * key_head_dim, num_value_heads * value_head_dim);
    let context = out.is_context();
    let kernel = |kernel, work| {
        OpKind::Gdn(DeltaKernel {
            kernel,
            work,
            step: if context { DeltaStep::Context } else { DeltaStep::Generation },
            hidden,
            conv: gdn.conv_kernel_dim,
            key_heads: num_key_heads / tp,
            key_size: key_head_dim,
            value_heads: num_value_heads / tp,
            value_size: value_head_dim,
        })
    };
    out.norm("gdn_norm", layers);
    out.gemm("gdn_in_proj_gemm", layers, 2 * (keys + values) / tp, hidden, quant);
    out.gemm("gdn_in_proj_ba_gemm", layers, 2 * num_value_heads / tp, hidden, quant).roofline_below();
    if context {
        out.op("gdn_conv1d", layers, kernel("causal_conv1d_fn", DeltaWork::Convolution));
        out.op("gdn_scan", layers, kernel("chunk_gated_delta_rule", DeltaWork::Chunks));
    } else {
        out.op("gdn_conv1d", layers, kernel("causal_conv1d_update", DeltaWork::Convolution));
        let recurrence = kernel("fused_sigmoid_gating_delta_rule_update", DeltaWork::Recurrence);
        out.op("gdn_recurrence", layers, recurrence);
    }
    out.gemm("gdn_out_proj_gemm", layers, hidden, values / tp, quant).low_input();
}

fn full_attention(out: &mut List<'_>, quant: Quant, layers: f64) {
    let ModelSpec { hidden, heads, kv_heads, head_dim: size, .. } = *out.setup.model;
    let tp = out.setup.parallel.tp;
    let (query, kv) = (heads / tp, kv_heads.div_ceil(tp));
    out.norm("full_attn_norm", layers);
    // Every query head has an output gate of its own width.
    out.gemm("qkv_gemm", layers, 2 * query * size + 2 * kv * size, hidden, quant);
    out.attention(layers, Heads { query, kv, size, window: 0, qk_norm: true, cp: 1 });
    out.gemm("proj_gemm", layers, hidden, query * size, quant).low_input();
}

/// The feed-forward part of the layers called `layer`.
fn feed_forward(out: &mut List<'_>, gdn: &Gdn, modes: GdnModes, layer: &str, layers: f64) {
    let ModelSpec { hidden, ffn, .. } = *out.setup.model;
    let tp = out.setup.parallel.tp;
    let name = |part: &str| format!("{layer}_{part}");
    out.norm(name("ffn_norm"), layers);
    if !out.setup.model.is_moe() {
        out.gemm(name("gate_ffn1_gemm"), layers, 2 * ffn / tp, hidden, modes.ffn);
        out.elementwise(name("act_gate"), layers, 2 * ffn / tp, ffn / tp);
        out.gemm(name("ffn2_gemm"), layers, hidden, ffn / tp, modes.ffn).low_input();
        out.all_reduce(name("ffn_ar"), layers);
        return;
    }
    let sglang = out.setup.backend == Backend::Sglang;
    let context = out.is_context();
    let mut routed = out.branch();
    if out.setup.model.experts >= ROUTER_FROM {
        routed.gemm(name("router_gemm"), layers, out.setup.model.experts, hidden, Quant::Bf16);
    }
    let exchange = |pre| OpKind::MoeDispatch(routing::dispatch(out, hidden, pre, true));
    let (before, after) = (exchange(true), exchange(false));
    if !sglang || out.setup.parallel.dp > 1 {
        // SGLang exchanges decoded tokens before the two branches split.
        let target = if sglang && !context { &mut *out } else { &mut routed };
        target.whole(name("moe_pre_dispatch"), layers, 1, before);
    }
    let experts = routing::experts(&out.setup, hidden, DISTRIBUTION);
    routed.whole(name("moe"), layers, 1, OpKind::Moe(experts));
    let shared = shared_expert(out, gdn, modes.shared, layer, layers);
    let mut merge = out.branch();
    if gdn.shared_ffn > 0 {
        // SGLang adds in a kernel of its own, the others while they gate.
        let read = if sglang { 3 * hidden } else { 2 * hidden };
        merge.elementwise(name("shared_merge"), layers, read, hidden);
    }
    let mut post = out.branch();
    post.whole(name("moe_post_dispatch"), layers, 1, after);
    if context {
        out.extend(routed).extend(post).extend(shared).extend(merge);
        return;
    }
    if gdn.shared_ffn > 0 && out.setup.backend != Backend::Trtllm {
        out.overlap(name("moe_overlap"), routed, shared);
    } else {
        out.extend(routed).extend(shared);
    }
    out.extend(merge).extend(post);
}

/// The expert that sees every token; empty without one.
fn shared_expert<'a>(out: &List<'a>, gdn: &Gdn, quant: Quant, layer: &str, layers: f64) -> List<'a> {
    let hidden = out.setup.model.hidden;
    let width = gdn.shared_ffn / out.setup.parallel.tp;
    // Rounded down after doubling.
    let both = 2 * gdn.shared_ffn / out.setup.parallel.tp;
    let gated = out.setup.backend != Backend::Sglang;
    let name = |part: &str| format!("{layer}_{part}");
    let mut shared = out.branch();
    if gdn.shared_ffn == 0 {
        return shared;
    }
    if gated {
        shared.gemm(name("shared_expert_gate_gemm"), layers, 1, hidden, Quant::Bf16).roofline_below();
    }
    shared.gemm(name("shared_gate_up_gemm"), layers, both, hidden, quant);
    shared.elementwise(name("shared_act_gate"), layers, both, width);
    shared.gemm(name("shared_down_gemm"), layers, hidden, width, quant).low_input();
    if gated {
        shared.elementwise(name("shared_expert_gate_mul"), layers, hidden, hidden);
    }
    shared
}

/// KV cache of one sequence: keys and values of the full layers, a state per delta rule whatever the length.
pub(super) fn kv_cache(setup: &Setup<'_>) -> KvCache {
    let Some(gdn) = setup.model.gdn else { return super::llama::kv_cache(setup) };
    let Gdn { num_key_heads, key_head_dim, num_value_heads, value_head_dim, .. } = gdn;
    let tp = setup.parallel.tp;
    let kv = f64::from(setup.model.kv_heads.div_ceil(tp)) * f64::from(setup.model.head_dim);
    let bytes = setup.precision.kv.bytes() * f64::from(gdn.full) * 2.0 * kv;
    let state = f64::from(num_value_heads / tp * key_head_dim * value_head_dim) * gdn.ssm_dtype.bytes();
    let channels = (2 * num_key_heads * key_head_dim + num_value_heads * value_head_dim) / tp;
    let window = f64::from(channels * gdn.conv_kernel_dim.saturating_sub(1)) * 2.0;
    KvCache {
        constant: f64::from(gdn.linear) * (state + window),
        terms: vec![KvTerm { bytes, window: f64::INFINITY, every: 1.0 }],
    }
}
