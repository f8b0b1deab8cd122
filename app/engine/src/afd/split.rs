//! Which operators of a step run on attention nodes and which on FFN nodes.

use crate::ops::{Op, OpKind};

/// Where an operator runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Attention,
    Ffn,
    /// Exchanges inside one worker, which the transfers between nodes replace.
    Nowhere,
}

/// Parts of names of operators between the blocks; they stay with attention.
const BETWEEN: [&str; 6] = ["logits_gemm", "reduce_add", "add_norm_2", "_ffn_norm", "_moe_norm", "_mlp_norm"];
/// Parts of names of operators around attention.
const ATTENTION: [&str; 11] = [
    "embedding",
    "add_norm_1",
    "_attn_norm",
    "attention",
    "qkv",
    "q_a_layernorm",
    "q_b_proj",
    "kv_b_proj",
    "downscale_gemm",
    "mla",
    "bmm",
];
/// Parts of names of operators of the feed-forward block and the experts.
const FFN: [&str; 12] = [
    "router",
    "moe",
    "ffn",
    "mlp",
    "shared",
    "expert",
    "act_gate",
    "_act",
    "gate_up",
    "up_gemm",
    "down_gemm",
    "relu",
];

/// Operators of attention nodes and of FFN nodes; none for models with operators that belong to neither.
pub(super) fn split(ops: Vec<Op>) -> Option<(Vec<Op>, Vec<Op>)> {
    let (mut attention, mut ffn) = (Vec::new(), Vec::new());
    for op in ops {
        match place(&op)? {
            Place::Attention => attention.push(op),
            Place::Ffn => ffn.push(op),
            Place::Nowhere => {}
        }
    }
    Some((attention, ffn))
}

fn place(op: &Op) -> Option<Place> {
    match &op.kind {
        OpKind::AllReduce { .. } | OpKind::Nccl { .. } | OpKind::P2p { .. } | OpKind::MoeDispatch(_) => {
            return Some(Place::Nowhere);
        }
        // States of recurrent layers are not measured apart from what surrounds them.
        OpKind::Mamba2(_) | OpKind::Gdn(_) | OpKind::Kda(_) => return None,
        OpKind::Overlap { a, b } => return together(a.iter().chain(b)),
        _ => {}
    }
    // Names stand for whole words here: the first one has no underscore before it.
    let name = format!("_{}", op.name);
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    if has(&BETWEEN) || has(&ATTENTION) || name.contains("rope") || name == "_proj_gemm" {
        Some(Place::Attention)
    } else if has(&FFN) {
        Some(Place::Ffn)
    } else {
        None
    }
}

/// The one place of operators that run at the same time.
fn together<'a>(ops: impl Iterator<Item = &'a Op>) -> Option<Place> {
    let mut found = None;
    for op in ops {
        let place = place(op)?;
        if place != Place::Nowhere && found.replace(place).is_some_and(|before| before != place) {
            return None;
        }
    }
    found
}
