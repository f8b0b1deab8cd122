//! Latent attention and routed experts: DeepSeek V3 and R1, Kimi K2.

use super::llama::gather_kv;
use super::setup::{Heads, KvCache, List, Phase, Setup};
use super::{deepseek_wide, wide};
use crate::backend::Backend;
use crate::model::{Mla, ModelSpec};
use crate::ops::{ATTENTION, Op, OpKind};
use crate::quant::Quant;

/// How tokens spread over experts in the measurements of this family.
const DISTRIBUTION: &str = "power_law_1.01";

/// Widths shared by all members of the family.
pub(super) const Q_LORA: u32 = 1536;
pub(super) const KV_LORA: u32 = 512;
pub(super) const NOPE: u32 = 128;
pub(super) const ROPE: u32 = 64;
pub(super) const VALUE: u32 = 128;
/// Heads of the measured kernels at TP 1.
pub(super) const KERNEL_HEADS: u32 = 128;

/// Precisions of the projections around attention.
pub(super) struct Modes {
    pub query: Quant,
    pub kv: Quant,
    pub out: Quant,
    pub down: Quant,
    pub shared: Quant,
}

fn modes(setup: &Setup<'_>) -> Modes {
    let gemm = setup.precision.gemm;
    let left = |part: &str| setup.model.attn_unquantized.iter().any(|name| name == part);
    let mode = |part: &str| if left(part) { Quant::Bf16 } else { gemm };
    let shared = setup.model.shared_expert_unquantized && !setup.gemm_chosen;
    Modes {
        query: mode("q"),
        kv: mode("kv"),
        out: mode("o"),
        down: if left("q") && left("kv") { Quant::Bf16 } else { gemm },
        shared: if shared { Quant::Bf16 } else { gemm },
    }
}

/// Operators of one phase.
pub(super) fn list(setup: Setup<'_>, phase: Phase) -> Vec<Op> {
    let ModelSpec { hidden, vocab, .. } = *setup.model;
    let depth = setup.depth(phase);
    let layers = f64::from(setup.model.layers) * depth;
    let modes = modes(&setup);
    let mut out = List::new(setup, phase);
    match (setup.wide, setup.backend) {
        (Some(_), Backend::Trtllm) => return deepseek_wide::trtllm(out, &modes),
        (Some(_), Backend::Sglang) => return deepseek_wide::sglang(out, &modes),
        _ => {}
    }
    out.embedding(depth, vocab, hidden);
    out.norm("add_norm_1", layers);
    attention_block(&mut out, &modes, layers);
    gather_kv(&mut out);
    out.norm("add_norm_2", layers);
    experts(&mut out, &modes, layers);
    out.logits(depth);
    if setup.backend == Backend::Vllm {
        out.all_reduce("tp_allreduce", 2.0 * layers).unsplit();
    }
    out.p2p(depth).unsplit();
    out.into_ops()
}

/// Shared and routed experts, as this phase reaches them.
pub(super) fn experts(out: &mut List<'_>, modes: &Modes, layers: f64) {
    match out.transport() {
        Some(transport) => {
            let shared = wide::Shared::of(&out.setup, modes.shared);
            wide::experts(out, transport, layers, DISTRIBUTION, Some(shared));
        }
        None => fused_experts(out, modes, layers),
    }
}

/// Shared and routed experts of one node's collectives.
fn fused_experts(out: &mut List<'_>, modes: &Modes, layers: f64) {
    let ModelSpec { hidden, moe_ffn, .. } = *out.setup.model;
    let tp = out.setup.parallel.tp;
    let mut shared = out.branch();
    let names = ["shared_gate_up_gemm", "shared_act_gate", "shared_ffn2_gemm"];
    shared.gemm(names[0], layers, 2 * moe_ffn / tp, hidden, modes.shared);
    shared.elementwise(names[1], layers, 2 * moe_ffn / tp, moe_ffn / tp);
    shared.gemm(names[2], layers, hidden, moe_ffn / tp, modes.shared);
    let mut routed = out.branch();
    routed.routed(layers, DISTRIBUTION, out.setup.parallel.cp);
    match out.phase {
        Phase::Context => out.extend(shared).extend(routed),
        Phase::Generation => out.overlap("moe_overlap", routed, shared),
    };
}

/// The attention block: measured as a whole where one precision holds throughout, else part by part.
fn attention_block(out: &mut List<'_>, modes: &Modes, layers: f64) {
    let Setup { model, parallel, precision, .. } = out.setup;
    let (heads, tp) = (model.heads, parallel.tp);
    let cp = out.seq_split();
    let fmha = out.is_context().then_some(precision.fmha);
    let whole = layers / f64::from(cp);
    let mut parts = out.branch();
    parts.gemm("downscale_gemm", layers, Q_LORA + KV_LORA + ROPE, model.hidden, modes.down);
    parts.gemm("q_b_proj_gemm", layers, heads * (NOPE + ROPE) / tp, Q_LORA, modes.query);
    if out.is_context() {
        parts.gemm("kv_b_proj_gemm", layers, heads * (NOPE + VALUE) / tp, KV_LORA, modes.kv);
    }
    let kernel = OpKind::Mla { heads: KERNEL_HEADS / tp, fmha, kv: precision.kv, cp };
    if out.setup.backend == Backend::Vllm {
        let size = model.mla.map_or(0, |mla| mla.v_head_dim);
        let size = if size > 0 { size } else { model.head_dim };
        let kv = model.kv_heads / tp;
        parts.attention(whole, Heads { query: heads / tp, kv, size, window: 0, qk_norm: false, cp: 1 });
    } else if out.is_context() {
        parts.whole(ATTENTION, layers, 1, kernel);
    } else {
        let quant = if modes.kv == Quant::Bf16 { Quant::Bf16 } else { Quant::Fp8 };
        let bmm = |pre| OpKind::MlaBmm { heads: heads / tp, quant, pre };
        parts.whole("bmm_pre", layers, 1, bmm(true));
        parts.whole(ATTENTION, layers, 1, kernel);
        parts.whole("bmm_post", layers, 1, bmm(false));
    }
    parts.gemm("proj_gemm", layers, model.hidden, heads * VALUE / tp, modes.out);
    if modes.query == modes.kv && modes.kv == modes.out {
        let kind = OpKind::MlaModule { heads: heads / tp, fmha, kv: precision.kv, gemm: modes.query };
        let name = "mla_module".to_owned();
        let primary = Op { name, count: whole, seq_split: 1, token_divisor: 1, kind };
        out.fallback("mla_block", primary, parts);
    } else {
        out.extend(parts);
    }
}

/// KV cache of one sequence: one latent vector per layer, the same on every rank.
pub(super) fn kv_cache(setup: &Setup<'_>) -> KvCache {
    let Mla { kv_lora_rank, qk_rope_head_dim, .. } =
        setup.model.mla.unwrap_or(Mla { kv_lora_rank: 0, qk_rope_head_dim: 0, v_head_dim: 0 });
    let or = |value: u32, default: u32| if value > 0 { value } else { default };
    let width = or(kv_lora_rank, KV_LORA) + or(qk_rope_head_dim, ROPE);
    KvCache::linear(setup.precision.kv.bytes() * f64::from(setup.model.layers) * f64::from(width))
}
