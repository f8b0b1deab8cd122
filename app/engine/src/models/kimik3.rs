//! Kimi delta attention in most layers, latent attention in the others, experts in a latent space: Kimi K3.

use super::routing;
use super::setup::{Heads, KvCache, KvTerm, List, Phase, Setup};
use crate::backend::Backend;
use crate::model::{K3, ModelSpec};
use crate::ops::{ATTENTION, DeltaKernel, DeltaStep, DeltaWork, LOGITS, Op, OpKind};
use crate::quant::Quant;

/// How tokens spread over experts in the measurements of this family.
const DISTRIBUTION: &str = "power_law_1.01";
/// States of a delta layer that a request holds at a time.
const STATES: f64 = 5.0;

/// The draft model that speculates beside this one: layers, heads, widths.
mod draft {
    pub(super) const LAYERS: u32 = 5;
    pub(super) const HEADS: u32 = 64;
    pub(super) const FFN: u32 = 14336;
    /// Grouped queries, everywhere but on vLLM.
    pub(super) const KV_HEADS: u32 = 16;
    pub(super) const SIZE: u32 = 64;
    /// Latent attention, on vLLM.
    pub(super) const Q_LORA: u32 = 1536;
    pub(super) const LATENT: u32 = 512 + 64;
    pub(super) const QUERY: u32 = 128 + 64;
    pub(super) const VALUE: u32 = 128;
}

/// Operators of one phase; none for a model without facts about its delta attention.
pub(super) fn list(setup: Setup<'_>, phase: Phase) -> Vec<Op> {
    let mut out = List::new(setup, phase);
    let Some(k3) = setup.model.k3 else { return out.into_ops() };
    let ModelSpec { layers, vocab, hidden, .. } = *setup.model;
    // Drafts come from a model of their own, so the layers do not grow with them.
    out.embedding(1.0, vocab / setup.parallel.tp, hidden);
    out.all_reduce("embedding_ar", 1.0);
    delta_attention(&mut out, &k3);
    latent_attention(&mut out, &k3);
    if k3.attn_res_block_size > 0 {
        out.elementwise("attn_res", 2.0 * f64::from(layers), 4 * hidden, 2 * hidden);
    }
    feed_forward(&mut out, &k3);
    out.logits(1.0);
    out.p2p(1.0);
    if setup.draft_tokens > 0 && phase == Phase::Generation {
        draft_model(&mut out);
    }
    out.into_ops()
}

fn delta_attention(out: &mut List<'_>, k3: &K3) {
    let Setup { model, parallel, precision, backend, draft_tokens, .. } = out.setup;
    let (hidden, gemm, count) = (model.hidden, precision.gemm, f64::from(k3.kda_layers));
    let (heads, size) = (k3.kda_heads / parallel.tp, k3.kda_head_dim);
    let (width, vllm) = (heads * size, backend == Backend::Vllm);
    out.norm("kda_norm", count);
    out.gemm("kda_qkvg_gemm", count, 4 * width, hidden, gemm);
    out.gemm("kda_bfa_gemm", count, k3.kda_heads + size, hidden, gemm);
    out.gemm("kda_fb_gemm", count, width, size, gemm);
    let kernel = |step, kernel, work| {
        OpKind::Kda(DeltaKernel {
            kernel,
            work,
            step,
            hidden,
            conv: k3.conv,
            key_heads: heads,
            key_size: size,
            value_heads: heads,
            value_size: size,
        })
    };
    // The kernel of vLLM that decodes also convolves and normalises.
    let mut fused = false;
    if out.is_context() {
        let scan = if vllm { "flashkda_fwd" } else { "chunk_kda" };
        let step = DeltaStep::Context;
        out.op("kda_conv1d", count, kernel(step, "causal_conv1d_fn_qkv3", DeltaWork::Convolution));
        out.op("kda_scan", count, kernel(step, scan, DeltaWork::Chunks));
    } else if draft_tokens > 0 {
        let verify = if vllm { "fused_recurrent_kda" } else { "fused_sigmoid_gating_delta_rule_update" };
        let step = DeltaStep::Verify(draft_tokens + 1);
        out.op("kda_conv1d", count, kernel(step, "causal_conv1d_update", DeltaWork::Convolution));
        out.op("kda_verify", count, kernel(step, verify, DeltaWork::Verification));
    } else if vllm {
        let decode = kernel(DeltaStep::Generation, "fused_kda_decode", DeltaWork::Recurrence);
        out.op("kda_fused_decode", count, decode);
        fused = true;
    } else {
        let (step, recurrent) = (DeltaStep::Generation, "fused_recurrent_kda_packed_decode");
        out.op("kda_conv1d", count, kernel(step, "causal_conv1d_update", DeltaWork::Convolution));
        out.op("kda_recurrent", count, kernel(step, recurrent, DeltaWork::Recurrence));
    }
    if !fused {
        out.elementwise("kda_onorm", count, 2 * width, width);
    }
    out.gemm("kda_o_gemm", count, hidden, width, gemm).low_input();
    out.all_reduce("kda_ar", count);
}

fn latent_attention(out: &mut List<'_>, k3: &K3) {
    let Setup { model, parallel, precision, backend, .. } = out.setup;
    let ModelSpec { layers, hidden, heads, kv_heads, .. } = *model;
    let (tp, gemm, count) = (parallel.tp, precision.gemm, f64::from(layers.saturating_sub(k3.kda_layers)));
    let K3 { q_lora_rank, kv_lora_rank, qk_nope_head_dim: nope, qk_rope_head_dim: rope, .. } = *k3;
    let (value, local) = (heads * k3.v_head_dim / tp, heads / tp);
    out.norm("mla_norm", count);
    out.gemm("mla_downscale_gemm", count, q_lora_rank + kv_lora_rank + rope, hidden, gemm);
    let fmha = out.is_context().then_some(precision.fmha);
    let kernel = OpKind::Mla { heads: local, fmha, kv: precision.kv, cp: parallel.cp };
    let mut parts = out.branch();
    parts.gemm("mla_q_b_gemm", count, heads * (nope + rope) / tp, q_lora_rank, gemm);
    if out.is_context() {
        parts.gemm("mla_kv_b_gemm", count, heads * (nope + k3.v_head_dim) / tp, kv_lora_rank, gemm);
    }
    if backend == Backend::Vllm {
        let (kv, size) = (kv_heads / tp, k3.v_head_dim);
        parts.attention(count, Heads { query: local, kv, size, window: 0, qk_norm: false, cp: parallel.cp });
    } else if out.is_context() {
        parts.whole(ATTENTION, count, 1, kernel);
    } else {
        let quant = if gemm == Quant::Bf16 { Quant::Bf16 } else { Quant::Fp8 };
        parts.whole("bmm_pre", count, 1, OpKind::MlaBmm { heads: local, quant, pre: true });
        parts.whole(ATTENTION, count, 1, kernel);
        parts.whole("bmm_post", count, 1, OpKind::MlaBmm { heads: local, quant, pre: false });
    }
    parts.gemm("mla_o_gemm", count, hidden, value, gemm).low_input();
    if backend == Backend::Vllm {
        let kind = OpKind::MlaModule { heads: local, fmha, kv: precision.kv, gemm };
        let primary = Op { name: "mla_module".to_owned(), count, seq_split: 1, token_divisor: 1, kind };
        out.fallback("mla_block", primary, parts);
    } else {
        out.extend(parts);
    }
    out.gemm("mla_gate_gemm", count, value, hidden, gemm);
    out.elementwise("mla_gate_mul", count, 2 * heads * k3.v_head_dim / tp, value);
    out.all_reduce("mla_ar", count);
}

fn feed_forward(out: &mut List<'_>, k3: &K3) {
    let Setup { model, parallel, precision, .. } = out.setup;
    let ModelSpec { layers, hidden, ffn, experts, moe_ffn, .. } = *model;
    let (tp, gemm) = (parallel.tp, precision.gemm);
    let dense = k3.first_k_dense_replace.min(layers);
    out.norm("ffn_norm", f64::from(layers));
    if dense > 0 {
        let count = f64::from(dense);
        out.gemm("dense_gate_up_gemm", count, 2 * ffn / tp, hidden, gemm);
        out.elementwise("dense_act_gate", count, 2 * ffn / tp, ffn / tp);
        out.gemm("dense_down_gemm", count, hidden, ffn / tp, gemm).low_input();
        out.all_reduce("dense_ffn_ar", count);
    }
    let count = f64::from(layers - dense);
    let latent = if k3.routed_expert_hidden_size > 0 { k3.routed_expert_hidden_size } else { hidden };
    out.gemm("router_gemm", count, experts, hidden, Quant::Bf16);
    out.gemm("latent_down_gemm", count, latent, hidden, Quant::Bf16);
    out.elementwise("latent_norm", count, 2 * latent, 2 * latent);
    let exchange = |pre| OpKind::MoeDispatch(routing::dispatch(out, latent, pre, false));
    let (before, after) = (exchange(true), exchange(false));
    out.whole("moe_pre_dispatch", count, 1, before);
    let shape = routing::experts(&out.setup, latent, DISTRIBUTION);
    out.whole("moe", count, 1, OpKind::Moe(shape));
    out.whole("moe_post_dispatch", count, 1, after);
    out.gemm("latent_up_gemm", count, hidden, latent, Quant::Bf16);
    let shared = k3.num_shared_experts * moe_ffn;
    if shared > 0 {
        out.gemm("shared_gate_up_gemm", count, 2 * shared / tp, hidden, Quant::Bf16);
        out.elementwise("shared_act_gate", count, 2 * shared / tp, shared / tp);
        out.gemm("shared_down_gemm", count, hidden, shared / tp, Quant::Bf16);
    }
}

/// Layers of the draft model, as runs per token of the step that verifies: one run of it drafts a block.
fn draft_model(out: &mut List<'_>) {
    let Setup { model, parallel, precision, backend, draft_tokens, .. } = out.setup;
    let ModelSpec { hidden, vocab, .. } = *model;
    let (tp, gemm, kv) = (parallel.tp, precision.gemm, precision.kv);
    let block = f64::from(draft_tokens + 1);
    let once = f64::from(draft_tokens) / block;
    let layers = f64::from(draft::LAYERS * draft_tokens) / block;
    let attention =
        |heads, kv_heads, head_dim| OpKind::GenerationAttention { heads, kv_heads, head_dim, window: 0, kv };
    out.op("draft_embedding", once, OpKind::Embedding { vocab: vocab / tp, hidden });
    out.norm("draft_norm", 2.0 * layers);
    let heads = draft::HEADS / tp;
    let (cached, width) = if backend == Backend::Vllm {
        let (query, width) = (draft::HEADS * draft::QUERY / tp, draft::HEADS * draft::VALUE / tp);
        out.gemm("draft_downscale_gemm", layers, draft::Q_LORA + draft::LATENT, hidden, gemm);
        out.gemm("draft_q_b_gemm", layers, query, draft::Q_LORA, gemm);
        out.op("draft_attention", layers, attention(heads, heads, draft::VALUE));
        (draft::LATENT, width)
    } else {
        let (query, keys) = (draft::HEADS * draft::SIZE, 2 * draft::KV_HEADS * draft::SIZE);
        out.gemm("draft_qkv_gemm", layers, (query + keys) / tp, hidden, gemm);
        out.op("draft_attention", layers, attention(heads, kv_heads(tp), draft::SIZE));
        (keys / tp, query / tp)
    };
    out.gemm("draft_proj_gemm", layers, hidden, width, gemm).low_input();
    out.gemm("draft_gate_up_gemm", layers, 2 * draft::FFN / tp, hidden, gemm);
    out.elementwise("draft_act_gate", layers, 2 * draft::FFN / tp, draft::FFN / tp);
    out.gemm("draft_down_gemm", layers, hidden, draft::FFN / tp, gemm).low_input();
    out.all_reduce("draft_ar", 2.0 * layers);
    out.gemm("draft_kv_proj_gemm", f64::from(draft::LAYERS) / block, cached, hidden, gemm);
    out.gemm(format!("draft_{LOGITS}"), 1.0 / block, vocab / tp, hidden, Quant::Bf16);
}

/// KV heads of the draft model on one rank, outside vLLM.
fn kv_heads(tp: u32) -> u32 {
    (draft::KV_HEADS / tp).max(1)
}

/// KV cache of one sequence: latent vectors of the latent layers, a state per delta layer whatever the length.
pub(super) fn kv_cache(setup: &Setup<'_>) -> KvCache {
    let Some(k3) = setup.model.k3 else { return super::llama::kv_cache(setup) };
    let tp = setup.parallel.tp;
    let latent_layers = f64::from(setup.model.layers.saturating_sub(k3.kda_layers));
    let mut elements = latent_layers * f64::from(k3.kv_lora_rank + k3.qk_rope_head_dim);
    if setup.draft_tokens > 0 {
        let vllm = setup.backend == Backend::Vllm;
        let width = if vllm { draft::LATENT } else { 2 * kv_heads(tp) * draft::SIZE };
        elements += f64::from(draft::LAYERS * width);
    }
    let heads = f64::from((k3.kda_heads / tp).max(1));
    let size = f64::from(k3.kda_head_dim);
    let window = f64::from(k3.conv.saturating_sub(1)) * 3.0 * heads * size * 2.0;
    KvCache {
        constant: f64::from(k3.kda_layers) * (heads * size * size * 4.0 + window) * STATES,
        terms: vec![KvTerm {
            bytes: setup.precision.kv.bytes() * elements,
            window: f64::INFINITY,
            every: 1.0,
        }],
    }
}
