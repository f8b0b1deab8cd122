//! DeepSeek V3, R1 and Kimi K2 with experts behind an all-to-all exchange: the frames of two engines.

use super::deepseek::{KERNEL_HEADS, KV_LORA, Modes, NOPE, Q_LORA, ROPE, VALUE, experts};
use super::llama::gather_kv;
use super::setup::List;
use super::wide::DECODE_SHARE;
use crate::ops::{ATTENTION, Collective, Op, OpKind};
use crate::quant::Quant;

/// Operators of one phase under TensorRT-LLM.
pub(super) fn trtllm(mut out: List<'_>, modes: &Modes) -> Vec<Op> {
    let setup = out.setup;
    let (model, tp) = (setup.model, setup.parallel.tp);
    let depth = setup.depth(out.phase);
    let share = if out.is_context() { 1.0 } else { DECODE_SHARE };
    let layers = f64::from(model.layers) * depth * share;
    let fact = |value: Option<u32>, default: u32| value.filter(|&value| value > 0).unwrap_or(default);
    let latent = fact(model.mla.map(|mla| mla.kv_lora_rank), KV_LORA);
    let rope = fact(model.mla.map(|mla| mla.qk_rope_head_dim), ROPE);
    let value = fact(model.mla.map(|mla| mla.v_head_dim), VALUE);
    let heads = model.heads;
    out.embedding(depth, model.vocab, model.hidden);
    out.norm("add_norm_1", layers);
    out.gemm("downscale_gemm", layers, Q_LORA + latent + rope, model.hidden, modes.down);
    out.elementwise("q_a_layernorm", layers, Q_LORA, Q_LORA);
    out.gemm("q_b_proj_gemm", layers, heads * (NOPE + rope) / tp, Q_LORA, modes.query);
    let fmha = out.is_context().then_some(setup.precision.fmha);
    let kernel = OpKind::Mla { heads: KERNEL_HEADS / tp, fmha, kv: setup.precision.kv, cp: 1 };
    if out.is_context() {
        out.gemm("kv_b_proj_gemm", layers, heads * (NOPE + value) / tp, latent, modes.kv);
        out.whole(ATTENTION, layers, 1, kernel);
    } else {
        let quant = if modes.kv == Quant::Bf16 { Quant::Bf16 } else { Quant::Fp8 };
        let bmm = |pre| OpKind::MlaBmm { heads: heads / tp, quant, pre };
        let (mut before, mut cache) = (out.branch(), out.branch());
        before.whole("bmm_pre", layers, 1, bmm(true));
        cache.elementwise("rope_kvcache", layers, latent + rope, latent + rope);
        out.overlap("bmm_rope_overlap", before, cache);
        out.whole(ATTENTION, layers, 1, kernel);
        out.whole("bmm_post", layers, 1, bmm(false));
    }
    out.gemm("proj_gemm", layers, model.hidden, heads * value / tp, modes.out);
    out.norm("add_norm_2", layers);
    experts(&mut out, modes, layers);
    out.logits(depth);
    out.p2p(depth).unsplit();
    out.into_ops()
}

/// Operators of one phase under SGLang.
pub(super) fn sglang(mut out: List<'_>, modes: &Modes) -> Vec<Op> {
    let setup = out.setup;
    let (model, tp, precision) = (setup.model, setup.parallel.tp, setup.precision);
    let depth = setup.depth(out.phase);
    let layers = f64::from(model.layers) * depth;
    let down = Q_LORA + KV_LORA + ROPE;
    let context = out.is_context();
    let hidden = f64::from(model.hidden);
    let gathers = context && tp > 1;
    out.gemm("qkv_a_proj_gemm", layers, down, model.hidden, modes.down).divided(if context { tp } else { 1 });
    if gathers {
        out.nccl("tp_all_gather", layers, Collective::AllGather, hidden, tp);
    }
    out.embedding(depth, model.vocab, model.hidden);
    out.norm("add_norm_1", layers);
    out.gemm("downscale_gemm", layers, down, model.hidden, modes.down);
    let (fmha, cp) = (context.then_some(precision.fmha), out.seq_split());
    let block = OpKind::WideMla { heads: KERNEL_HEADS / tp, fmha, kv: precision.kv, cp };
    out.whole(ATTENTION, layers, 1, block);
    gather_kv(&mut out);
    if gathers {
        out.nccl("tp_reduce_scatter", layers, Collective::ReduceScatter, hidden, tp);
    }
    experts(&mut out, modes, layers);
    out.into_ops()
}
