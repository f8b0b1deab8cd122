//! Operators of expert parallelism by all-to-all, which may span nodes.

use super::Experts;
use crate::backend::Backend;
use crate::quant::Quant;

/// How tokens travel to the experts of other GPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each variant is named by the transport it stands for")]
pub enum Transport {
    DeepepHt,
    DeepepLl,
    DeepepV2Context,
    DeepepV2Generation,
    TrtllmDeepepHt,
    TrtllmDeepepLl,
    NvlinkTwoSided,
    NvlinkOneSided,
}

crate::quant::names!(Transport {
    DeepepHt => "deepep_ht",
    DeepepLl => "deepep_ll",
    DeepepV2Context => "deepep_v2_context",
    DeepepV2Generation => "deepep_v2_generation",
    TrtllmDeepepHt => "trtllm_deepep_ht",
    TrtllmDeepepLl => "trtllm_deepep_ll",
    NvlinkTwoSided => "nvlink_two_sided",
    NvlinkOneSided => "nvlink_one_sided",
});

/// A part of the exchange around the experts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leg {
    /// Agree on what is sent.
    Prepare,
    /// Tokens to their experts.
    Dispatch,
    /// Results back.
    Combine,
}

crate::quant::names!(Leg { Prepare => "prepare", Dispatch => "dispatch", Combine => "combine" });

impl Transport {
    /// Whether an engine uses it in prefill (`context`) or in decode.
    pub const fn serves(self, backend: Backend, context: bool) -> bool {
        match self {
            Self::DeepepHt => context && !matches!(backend, Backend::Trtllm),
            Self::DeepepLl => !context && !matches!(backend, Backend::Trtllm),
            Self::DeepepV2Context => context && matches!(backend, Backend::Vllm),
            Self::DeepepV2Generation => !context && matches!(backend, Backend::Vllm),
            Self::TrtllmDeepepHt => context && matches!(backend, Backend::Trtllm),
            Self::TrtllmDeepepLl => !context && matches!(backend, Backend::Trtllm),
            Self::NvlinkTwoSided | Self::NvlinkOneSided => matches!(backend, Backend::Trtllm),
        }
    }

    /// Whether the GPU links of one rack carry it, which only Blackwell has.
    pub const fn is_nvlink(self) -> bool {
        matches!(self, Self::NvlinkTwoSided | Self::NvlinkOneSided)
    }

    /// Whether each attention rank sends its own share of the tokens.
    pub const fn splits_tokens(self) -> bool {
        matches!(self, Self::DeepepHt | Self::DeepepLl | Self::DeepepV2Context | Self::DeepepV2Generation)
    }

    /// The group whose measurement stands in for one over several nodes that was not measured.
    pub const fn stand_in(self, backend: Backend, gpus_per_node: u32) -> Option<(u32, u32)> {
        match self {
            Self::DeepepHt | Self::DeepepLl | Self::TrtllmDeepepHt | Self::TrtllmDeepepLl => {
                // SGLang's table is normalised to eight GPUs, whatever the system.
                Some(if matches!(backend, Backend::Sglang) { (8, 1) } else { (gpus_per_node, 1) })
            }
            _ => None,
        }
    }

    /// Parts of its exchange, in order.
    pub const fn legs(self) -> &'static [Leg] {
        if matches!(self, Self::NvlinkTwoSided) {
            &[Leg::Prepare, Leg::Dispatch, Leg::Combine]
        } else {
            &[Leg::Dispatch, Leg::Combine]
        }
    }

    /// Precision on the wire for experts of this precision; none where it cannot carry them.
    pub fn dtype(self, experts: Quant, leg: Leg, context: bool) -> Option<&'static str> {
        let experts = if experts == Quant::Fp8Block { Quant::Fp8 } else { experts };
        let packed = experts == Quant::Nvfp4;
        let plain = matches!(experts, Quant::Bf16 | Quant::Fp8);
        match self {
            Self::DeepepHt | Self::DeepepLl | Self::DeepepV2Context | Self::DeepepV2Generation => {
                Some("default")
            }
            Self::TrtllmDeepepHt if packed => Some(Quant::Nvfp4.name()),
            Self::TrtllmDeepepHt => plain.then_some(Quant::Bf16.name()),
            Self::TrtllmDeepepLl if packed && leg == Leg::Combine => Some("fp4"),
            Self::TrtllmDeepepLl => (packed || plain).then_some(experts.name()),
            Self::NvlinkTwoSided | Self::NvlinkOneSided if packed && !context && leg == Leg::Combine => {
                Some("fp4")
            }
            Self::NvlinkTwoSided | Self::NvlinkOneSided => Some(experts.name()),
        }
    }

    /// Streaming multiprocessors that it takes, where that was measured.
    pub const fn sms(self) -> u32 {
        if matches!(self, Self::DeepepHt) { 20 } else { 0 }
    }
}

/// How a worker exchanges tokens with experts on other GPUs, by phase; none is the collectives of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WideEp {
    /// In prefill.
    pub context: Option<Transport>,
    /// In decode.
    pub generation: Option<Transport>,
    /// Nodes of the expert parallel group.
    pub nodes: u32,
}

/// One leg of an all-to-all exchange.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exchange {
    /// Which leg.
    pub leg: Leg,
    /// How tokens travel.
    pub transport: Transport,
    /// Precision on the wire.
    pub dtype: &'static str,
    /// Elements per token.
    pub hidden: u32,
    /// Experts per token.
    pub topk: u32,
    /// Experts in all.
    pub experts: u32,
    /// Expert parallel size.
    pub ep: u32,
    /// Nodes of the expert parallel group.
    pub nodes: u32,
    /// Engine.
    pub backend: Backend,
}

/// Experts that are fed by an all-to-all exchange.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WideExperts {
    /// Their shape; no tensor parallelism inside an expert.
    pub experts: Experts,
    /// Whether this is a prefill step.
    pub is_context: bool,
    /// Engine.
    pub backend: Backend,
}
