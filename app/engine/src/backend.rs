//! Inference engines.

use crate::quant::names;

/// The inference engine that serves the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Backend {
    /// NVIDIA TensorRT-LLM.
    Trtllm,
    /// SGLang.
    Sglang,
    /// vLLM.
    Vllm,
}

names!(Backend { Trtllm => "trtllm", Sglang => "sglang", Vllm => "vllm" });

impl Backend {
    /// Name as its makers write it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Trtllm => "TensorRT-LLM",
            Self::Sglang => "SGLang",
            Self::Vllm => "vLLM",
        }
    }
}
