//! From model facts to operator lists: one module per family.

mod llama;

use crate::model::{Family, ModelSpec};
use crate::ops::OpLists;
use crate::parallel::Parallel;
use crate::quant::Precision;

/// Operators of a model on one worker; none when this build does not know the family.
pub fn op_lists(model: &ModelSpec, parallel: Parallel, precision: Precision) -> Option<OpLists> {
    match model.family {
        Family::Llama => Some(llama::op_lists(model, parallel, precision)),
        _ => None,
    }
}

/// KV cache of one sequence of `tokens` on one GPU, bytes; none when this build does not know the family.
pub fn kv_bytes(model: &ModelSpec, parallel: Parallel, precision: Precision, tokens: f64) -> Option<f64> {
    match model.family {
        Family::Llama => Some(llama::kv_bytes(model, parallel, precision, tokens)),
        _ => None,
    }
}
