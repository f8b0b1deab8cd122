//! Dense models with grouped-query attention: Llama, Qwen2, Qwen3, MiMo.

use crate::model::ModelSpec;
use crate::ops::{ATTENTION, Collective, CommQuant, LOGITS, Op, OpKind, OpLists};
use crate::parallel::Parallel;
use crate::quant::{Precision, Quant};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Context,
    Generation,
}

/// Operators of both phases.
pub(super) fn op_lists(model: &ModelSpec, parallel: Parallel, precision: Precision) -> OpLists {
    let list = |phase| phase_ops(model, parallel, precision, phase);
    OpLists { context: list(Phase::Context), generation: list(Phase::Generation) }
}

/// KV cache of one sequence, bytes: keys and values of every layer.
pub(super) fn kv_bytes(model: &ModelSpec, parallel: Parallel, precision: Precision, tokens: f64) -> f64 {
    let heads = model.kv_heads.div_ceil(parallel.tp);
    tokens
        * precision.kv.bytes()
        * 2.0
        * f64::from(heads)
        * f64::from(model.head_dim)
        * f64::from(model.layers)
}

fn phase_ops(model: &ModelSpec, parallel: Parallel, precision: Precision, phase: Phase) -> Vec<Op> {
    let ModelSpec { hidden, heads, head_dim, ffn, vocab, .. } = *model;
    let Parallel { tp, pp, cp, .. } = parallel;
    let layers = f64::from(model.layers);
    let kv_heads = model.kv_heads.div_ceil(tp);
    let query = heads * head_dim / tp;
    let gate = 2 * ffn / tp;
    let seq_split = if phase == Phase::Context { cp } else { 1 };
    let gemm = |n, k, quant, low_precision_input| OpKind::Gemm { n, k, quant, low_precision_input };
    let elementwise =
        |read: u32, write: u32| OpKind::Elementwise { bytes_per_token: 2.0 * f64::from(read + write) };
    let all_reduce = OpKind::AllReduce { hidden, gpus: tp };
    let op = |name, count, kind| Op { name, count, seq_split, kind };
    let attention = match phase {
        Phase::Context => OpKind::ContextAttention {
            heads: heads / tp,
            kv_heads,
            head_dim,
            window: 0,
            fmha: precision.fmha,
            kv: precision.kv,
            qk_norm: model.qk_norm,
            cp,
        },
        Phase::Generation => {
            OpKind::GenerationAttention { heads: heads / tp, kv_heads, head_dim, window: 0, kv: precision.kv }
        }
    };
    let mut ops = vec![
        op("embedding", 1.0, OpKind::Embedding { vocab: vocab / tp, hidden }),
        op("add_norm_1", layers, elementwise(2 * hidden, 2 * hidden)),
        op("qkv_gemm", layers, gemm(query + 2 * head_dim * kv_heads, hidden, precision.gemm, false)),
        op(ATTENTION, layers, attention),
    ];
    if phase == Phase::Context && cp > 1 {
        // Every rank needs the keys and values of the whole sequence; elements of 16 bits.
        let elements = kv_bytes(model, parallel, precision, 1.0) / layers / 2.0;
        let kind =
            OpKind::Nccl { collective: Collective::AllGather, elements, gpus: cp, dtype: CommQuant::Half };
        ops.push(Op { name: "cp_all_gather", count: layers, seq_split: 1, kind });
    }
    ops.extend([
        op("proj_gemm", layers, gemm(hidden, query, precision.gemm, true)),
        op("add_norm_2", layers, elementwise(2 * hidden, 2 * hidden)),
        op("gate_ffn1_gemm", layers, gemm(gate, hidden, precision.gemm, false)),
        op("act_gate", layers, elementwise(gate, ffn / tp)),
        op("ffn2_gemm", layers, gemm(hidden, ffn / tp, precision.gemm, true)),
        op(LOGITS, 1.0, gemm(vocab / tp, hidden, Quant::Bf16, false)),
        op("embedding_ar", 1.0, all_reduce.clone()),
        op("ar_1", layers, all_reduce.clone()),
        op("ar_2", layers, all_reduce),
        op("p2p", f64::from(pp - 1), OpKind::P2p { hidden, pp }),
    ]);
    ops
}
