//! The tables that are read, family by family.

mod axes;
mod dense;
mod experts;
mod recurrent;
mod sparse;

use self::dense::{
    COMM, CONTEXT_ATTENTION, ENCODER_ATTENTION, GEMM, GENERATION_ATTENTION, MLA, MLA_WIDEEP, QUANTIZE,
};
use self::experts::{A2A, MOE, MOE_WIDEEP};
use self::recurrent::SSM;
use self::sparse::{DSA, DSA_CP, DSV4, MHC, MSA};
use crate::spec::Spec;

/// Tables that travel together.
pub(crate) struct Family {
    pub(crate) name: &'static str,
    /// Key columns whose values split the family into files.
    pub(crate) split: &'static [&'static str],
    pub(crate) tables: &'static [Spec],
}

/// All families, in the order of their files.
pub(crate) const FAMILIES: &[Family] = &[
    Family { name: "a2a", split: &[], tables: A2A },
    Family { name: "comm", split: &[], tables: COMM },
    Family { name: "context_attention", split: &["attn_dtype", "kv_cache_dtype"], tables: CONTEXT_ATTENTION },
    Family { name: "dsa", split: &[], tables: DSA },
    Family { name: "dsa_cp", split: &[], tables: DSA_CP },
    Family { name: "dsv4", split: &[], tables: DSV4 },
    Family { name: "encoder_attention", split: &[], tables: ENCODER_ATTENTION },
    Family { name: "gemm", split: &["gemm_dtype"], tables: GEMM },
    Family { name: "generation_attention", split: &["kv_cache_dtype"], tables: GENERATION_ATTENTION },
    Family { name: "mhc", split: &[], tables: MHC },
    Family { name: "mla", split: &[], tables: MLA },
    Family { name: "mla_wideep", split: &[], tables: MLA_WIDEEP },
    Family { name: "moe", split: &["moe_dtype"], tables: MOE },
    Family { name: "moe_wideep", split: &[], tables: MOE_WIDEEP },
    Family { name: "msa", split: &[], tables: MSA },
    Family { name: "quantize", split: &[], tables: QUANTIZE },
    Family { name: "ssm", split: &[], tables: SSM },
];
