//! Routed experts of models that set them up in their own way.

use super::setup::List;
use crate::model::ModelSpec;
use crate::ops::{Dispatch, Experts, OpKind};
use crate::parallel::Parallel;
use crate::quant::Quant;

/// How tokens spread over experts in the measurements of these families.
const DISTRIBUTION: &str = "power_law_1.01";

/// What differs between families.
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

    /// Dispatch, experts and dispatch back; `kind` are the layers they belong to.
    pub(super) fn experts(&mut self, kind: &str, count: f64, routed: Routed) -> &mut Self {
        let Routed { width: hidden, experts: quant, sent, gated } = routed;
        let ModelSpec { experts, topk, moe_ffn: inter, .. } = *self.setup.model;
        let Parallel { moe_tp, moe_ep, dp, cp, .. } = self.setup.parallel;
        let (backend, is_context) = (self.setup.backend, self.is_context());
        let dispatch = |pre| {
            OpKind::MoeDispatch(Dispatch {
                hidden,
                topk,
                experts,
                moe_tp,
                moe_ep,
                dp,
                cp,
                pre,
                quant: sent,
                attention_reduced: false,
                is_context,
                backend,
            })
        };
        self.whole(format!("{kind}moe_pre_dispatch"), count, 1, dispatch(true));
        let distribution = DISTRIBUTION;
        let shape = Experts { hidden, inter, topk, experts, moe_tp, moe_ep, dp, quant, distribution, gated };
        self.whole(format!("{kind}moe"), count, 1, OpKind::Moe(shape));
        self.whole(format!("{kind}moe_post_dispatch"), count, 1, dispatch(false))
    }
}
