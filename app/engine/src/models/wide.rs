//! Routed experts behind an all-to-all exchange, with or without a shared expert beside them.

use super::setup::{List, Setup};
use crate::backend::Backend;
use crate::model::{Family, ModelSpec};
use crate::ops::{Exchange, Experts, OpKind, Transport, WideExperts};
use crate::quant::Quant;

/// TensorRT-LLM hides part of each decode layer behind the next.
pub(super) const DECODE_SHARE: f64 = 0.9;

/// The expert that every token passes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shared {
    /// Its width; every rank holds all of it.
    pub width: u32,
    /// Precision.
    pub quant: Quant,
}

impl Shared {
    /// One shared expert of the width of a routed one.
    pub(super) fn of(setup: &Setup<'_>, quant: Quant) -> Self {
        Self { width: setup.model.moe_ffn, quant }
    }
}

/// Router, exchange, experts and the shared expert, in the order of the engine.
pub(super) fn experts(
    out: &mut List<'_>,
    transport: Transport,
    layers: f64,
    distribution: &'static str,
    shared: Option<Shared>,
) {
    let ModelSpec { hidden, family, experts, .. } = *out.setup.model;
    let backend = out.setup.backend;
    // SGLang's measured block of these families has the router inside.
    let inside = backend == Backend::Sglang && matches!(family, Family::Deepseek | Family::DeepseekV32);
    let mut router = out.branch();
    if !inside {
        router.gemm("router_gemm", layers, experts, hidden, Quant::Bf16);
    }
    let routed = exchanged(out, transport, layers, distribution);
    let Some(shared) = shared else {
        out.extend(router).extend(routed);
        return;
    };
    let beside = shared_expert(out, layers, shared);
    if backend != Backend::Trtllm {
        out.extend(router).extend(beside).extend(routed);
        return;
    }
    if out.is_context() {
        out.extend(router).extend(beside).extend(routed);
    } else {
        router.extend(routed);
        out.overlap("moe_overlap", router, beside);
    }
    out.elementwise("moe_reduce_add", layers, 2 * hidden, hidden).unsplit();
}

/// Exchange and experts.
fn exchanged<'a>(out: &List<'a>, transport: Transport, layers: f64, distribution: &'static str) -> List<'a> {
    let Setup { model, parallel, backend, precision, wide, .. } = out.setup;
    let ModelSpec { hidden, experts, topk, moe_ffn: inter, .. } = *model;
    let (ep, quant, is_context) = (parallel.moe_ep, precision.moe, out.is_context());
    let nodes = wide.map_or(1, |wide| wide.nodes);
    let split = if is_context && transport.splits_tokens() { parallel.tp * parallel.cp } else { 1 };
    let mut routed = out.branch();
    for &leg in transport.legs() {
        if leg == crate::ops::Leg::Combine {
            let (moe_tp, dp, gated) = (1, parallel.dp, true);
            let shape =
                Experts { hidden, inter, topk, experts, moe_tp, moe_ep: ep, dp, quant, distribution, gated };
            let kind = OpKind::WideMoe(WideExperts { experts: shape, is_context, backend });
            routed.whole("moe", layers, 1, kind);
        }
        let dtype = transport.dtype(quant, leg, is_context).unwrap_or(quant.name());
        let exchange = Exchange { leg, transport, dtype, hidden, topk, experts, ep, nodes, backend };
        routed.whole(format!("moe_{leg}"), layers, 1, OpKind::Exchange(exchange)).divided(split);
    }
    routed
}

/// The shared expert; in prefill the ranks of SGLang and vLLM share the tokens, not the weights.
fn shared_expert<'a>(out: &List<'a>, layers: f64, shared: Shared) -> List<'a> {
    let Shared { width, quant } = shared;
    let hidden = out.setup.model.hidden;
    let trtllm = out.setup.backend == Backend::Trtllm;
    let split = if out.is_context() && !trtllm { out.setup.parallel.tp } else { 1 };
    let names = if trtllm {
        ["shared_gate_up_gemm", "shared_act_gate", "shared_ffn2_gemm"]
    } else {
        ["gate_ffn1_gemm", "act_gate", "ffn2_gemm"]
    };
    let mut list = out.branch();
    list.gemm(names[0], layers, 2 * width, hidden, quant).divided(split);
    list.elementwise(names[1], layers, 2 * width, width).divided(split);
    list.gemm(names[2], layers, hidden, width, quant).divided(split);
    list
}
