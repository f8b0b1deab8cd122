//! Precisions of weights, experts, attention and KV cache.

use serde::{Deserialize, Serialize};

/// Defines an enum of precisions with its table names.
macro_rules! names {
    ($ty:ident { $($variant:ident => $name:literal),* $(,)? }) => {
        impl $ty {
            /// Every value, in the order people list them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];
            /// Name in tables, links and manifests.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
            /// The value with this name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
        impl std::fmt::Display for $ty {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
        impl serde::Serialize for $ty {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(self.name())
            }
        }
        impl<'de> serde::Deserialize<'de> for $ty {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let name = <std::borrow::Cow<'de, str>>::deserialize(d)?;
                Self::from_name(&name).ok_or_else(|| serde::de::Error::custom(format!("unknown name {name:?}")))
            }
        }
    };
}
pub(crate) use names;

/// Which tensor-core peak a precision runs at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Pipe {
    /// 16-bit floating point.
    Bf16,
    /// 8-bit integer.
    Int8,
    /// 8-bit floating point.
    Fp8,
    /// 4-bit floating point.
    Fp4,
}

impl Pipe {
    /// Peak relative to 16-bit floats, as a class of arithmetic: what precisions are compared by.
    pub const fn speed(self) -> f64 {
        match self {
            Self::Bf16 => 1.0,
            Self::Int8 | Self::Fp8 => 2.0,
            Self::Fp4 => 4.0,
        }
    }

    /// Name of the peak in a system description.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bf16 => "bfloat16",
            Self::Int8 => "int8",
            Self::Fp8 => "fp8",
            Self::Fp4 => "fp4",
        }
    }
}

/// Precision of a weight matrix: dense GEMMs and routed experts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each variant is named by the precision it stands for")]
pub enum Quant {
    Bf16,
    Int8Wo,
    Int4Wo,
    Fp8,
    Fp8Static,
    Fp8Block,
    Fp8Ootb,
    Sq,
    Nvfp4,
    Nvfp4Wo,
    W4a16Nvfp4,
    W4aFp8,
    W4a16Mxfp4,
    W4a16Mxfp4Cutlass,
    W4a8Mxfp4Mxfp8,
    W4a8Mxfp4Mxfp8Trtllm,
}

names!(Quant {
    Bf16 => "bfloat16",
    Int8Wo => "int8_wo",
    Int4Wo => "int4_wo",
    Fp8 => "fp8",
    Fp8Static => "fp8_static",
    Fp8Block => "fp8_block",
    Fp8Ootb => "fp8_ootb",
    Sq => "sq",
    Nvfp4 => "nvfp4",
    Nvfp4Wo => "nvfp4_wo",
    W4a16Nvfp4 => "w4a16_nvfp4",
    W4aFp8 => "w4afp8",
    W4a16Mxfp4 => "w4a16_mxfp4",
    W4a16Mxfp4Cutlass => "w4a16_mxfp4_cutlass",
    W4a8Mxfp4Mxfp8 => "w4a8_mxfp4_mxfp8",
    W4a8Mxfp4Mxfp8Trtllm => "w4a8_mxfp4_mxfp8_trtllm",
});

impl Quant {
    /// Bytes per weight element.
    pub const fn bytes(self) -> f64 {
        match self {
            Self::Bf16 => 2.0,
            Self::Int8Wo | Self::Fp8 | Self::Fp8Static | Self::Fp8Block | Self::Fp8Ootb | Self::Sq => 1.0,
            Self::Nvfp4 | Self::Nvfp4Wo | Self::W4a16Nvfp4 => 9.0 / 16.0,
            Self::Int4Wo
            | Self::W4aFp8
            | Self::W4a16Mxfp4
            | Self::W4a16Mxfp4Cutlass
            | Self::W4a8Mxfp4Mxfp8
            | Self::W4a8Mxfp4Mxfp8Trtllm => 0.5,
        }
    }

    /// The tensor-core peak this precision runs at.
    pub const fn pipe(self) -> Pipe {
        match self {
            Self::Bf16
            | Self::Int8Wo
            | Self::Int4Wo
            | Self::Nvfp4Wo
            | Self::W4a16Nvfp4
            | Self::W4a16Mxfp4
            | Self::W4a16Mxfp4Cutlass => Pipe::Bf16,
            Self::Sq => Pipe::Int8,
            Self::Nvfp4 => Pipe::Fp4,
            Self::Fp8
            | Self::Fp8Static
            | Self::Fp8Block
            | Self::Fp8Ootb
            | Self::W4aFp8
            | Self::W4a8Mxfp4Mxfp8
            | Self::W4a8Mxfp4Mxfp8Trtllm => Pipe::Fp8,
        }
    }
}

/// Precision of the attention arithmetic during prefill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each variant is named by the precision it stands for")]
pub enum FmhaQuant {
    Bf16,
    Fp8,
    Fp8Block,
}

names!(FmhaQuant { Bf16 => "bfloat16", Fp8 => "fp8", Fp8Block => "fp8_block" });

impl FmhaQuant {
    /// Bytes per element.
    pub const fn bytes(self) -> f64 {
        match self {
            Self::Bf16 => 2.0,
            Self::Fp8 | Self::Fp8Block => 1.0,
        }
    }

    /// The tensor-core peak this precision runs at.
    pub const fn pipe(self) -> Pipe {
        match self {
            Self::Bf16 => Pipe::Bf16,
            Self::Fp8 | Self::Fp8Block => Pipe::Fp8,
        }
    }
}

/// Precision of the KV cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each variant is named by the precision it stands for")]
pub enum KvQuant {
    Bf16,
    Int8,
    Fp8,
}

names!(KvQuant { Bf16 => "bfloat16", Int8 => "int8", Fp8 => "fp8" });

impl KvQuant {
    /// Bytes per element.
    pub const fn bytes(self) -> f64 {
        match self {
            Self::Bf16 => 2.0,
            Self::Int8 | Self::Fp8 => 1.0,
        }
    }
}

/// The precisions one engine runs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Precision {
    /// Dense weight matrices.
    pub gemm: Quant,
    /// Routed experts; meaningless for a dense model.
    pub moe: Quant,
    /// Prefill attention.
    pub fmha: FmhaQuant,
    /// KV cache.
    pub kv: KvQuant,
}
