//! Routed experts and the exchange around them, for every family that has them.

use super::setup::{List, Setup};
use crate::model::ModelSpec;
use crate::ops::{Dispatch, Experts, OpKind};
use crate::parallel::Parallel;
use crate::quant::Quant;

/// How tokens spread over experts in the measurements of families of mixed layers.
const MIXED_LAYERS: &str = "power_law_1.01";

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

/// What families of mixed layers set up in their own way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Routed {
    /// Width that the experts read and write.
    pub width: u32,
    /// Precision of the experts.
    pub experts: Quant,
    /// Precision that decides what is sent to them.
    pub sent: Quant,
    /// Three matrices per expert; two otherwise.
    pub gated: bool,
}

impl List<'_> {
    /// The product that chooses the experts of each token, 16-bit.
    pub(super) fn router(&mut self, name: impl Into<String>, count: f64) -> &mut Self {
        let (experts, hidden) = (self.setup.model.experts, self.setup.model.hidden);
        self.gemm(name, count, experts, hidden, Quant::Bf16)
    }

    /// Router, dispatch, routed experts and dispatch back.
    pub(super) fn routed(&mut self, count: f64, distribution: &'static str, cp: u32) -> &mut Self {
        let hidden = self.setup.model.hidden;
        self.router("router_gemm", count);
        let [before, after] = [true, false].map(|pre| Dispatch { cp, ..dispatch(self, hidden, pre, false) });
        let shape = experts(&self.setup, hidden, distribution);
        self.exchanged("", count, before, shape, after)
    }

    /// Dispatch, experts and dispatch back; `kind` are the layers they belong to.
    pub(super) fn experts(&mut self, kind: &str, count: f64, routed: Routed) -> &mut Self {
        let Routed { width, experts: quant, sent, gated } = routed;
        let [before, after] =
            [true, false].map(|pre| Dispatch { quant: sent, ..dispatch(self, width, pre, false) });
        let shape = Experts { quant, gated, ..experts(&self.setup, width, MIXED_LAYERS) };
        self.exchanged(kind, count, before, shape, after)
    }

    fn exchanged(
        &mut self,
        kind: &str,
        count: f64,
        before: Dispatch,
        shape: Experts,
        after: Dispatch,
    ) -> &mut Self {
        self.whole(format!("{kind}moe_pre_dispatch"), count, 1, OpKind::MoeDispatch(before));
        self.whole(format!("{kind}moe"), count, 1, OpKind::Moe(shape));
        self.whole(format!("{kind}moe_post_dispatch"), count, 1, OpKind::MoeDispatch(after))
    }
}
