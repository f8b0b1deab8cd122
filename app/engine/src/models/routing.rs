//! Routed experts of models that do not follow the common order of blocks.

use super::setup::{List, Setup};
use crate::model::ModelSpec;
use crate::ops::{Dispatch, Experts};
use crate::parallel::Parallel;

/// Gated experts of a model that work on vectors of `hidden` elements.
pub(super) fn experts(setup: &Setup<'_>, hidden: u32, distribution: &'static str) -> Experts {
    let ModelSpec { experts, topk, moe_ffn: inter, .. } = *setup.model;
    let Parallel { moe_tp, moe_ep, dp, .. } = setup.parallel;
    let quant = setup.precision.moe;
    Experts { hidden, inter, topk, experts, moe_tp, moe_ep, dp, quant, distribution, gated: true }
}

/// Exchange of vectors of `hidden` elements before (`pre`) or after the experts.
pub(super) fn dispatch(list: &List<'_>, hidden: u32, pre: bool, attention_reduced: bool) -> Dispatch {
    let Setup { model, parallel, precision, backend, .. } = list.setup;
    let ModelSpec { experts, topk, .. } = *model;
    let Parallel { moe_tp, moe_ep, dp, cp, .. } = parallel;
    let (quant, is_context) = (precision.moe, list.is_context());
    Dispatch {
        hidden,
        topk,
        experts,
        moe_tp,
        moe_ep,
        dp,
        cp,
        pre,
        quant,
        attention_reduced,
        is_context,
        backend,
    }
}
