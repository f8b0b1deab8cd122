//! Tables that every model reads, and those of multi-head latent attention.

use perf_data::Key;

use super::axes::{CONTEXT, GENERATION, TOKENS};
use crate::spec::Part::{self, By, IntOr0, Same, TextOr};
use crate::spec::{Spec, spec};

pub(crate) const GEMM: &[Spec] = &[Spec {
    keep: |row| !matches!(row.text("gemm_dtype").map(|name| &**name), Some("awq" | "gptq")),
    ..spec("gemm", &[("gemm_dtype", Same), ("n", Same), ("k", Same)], &[("m", Same)])
}];

// Static FP8 subtracts these from other latencies, so they keep every bit.
pub(crate) const QUANTIZE: &[Spec] = &[
    Spec { exact: true, ..spec("computescale", &[("quant_dtype", Same)], &[("m", Same), ("k", Same)]) },
    Spec { exact: true, ..spec("scale_matrix", &[("quant_dtype", Same)], &[("m", Same), ("k", Same)]) },
];

/// 0 if there are as many key-value heads as query heads: one case for all counts.
const KV_HEADS: (&str, Part) = (
    "num_key_value_heads",
    By(|row| {
        let own = row.int("num_key_value_heads")?;
        Some(Key::Int(if row.int("num_heads") == Some(own) { 0 } else { own }))
    }),
);

const LANE: (&str, Part) = ("kernel_source", TextOr("default"));
pub(crate) const CONTEXT_ATTENTION: &[Spec] = &[spec(
    "context_attention",
    &[
        LANE,
        ("attn_dtype", Same),
        ("kv_cache_dtype", Same),
        KV_HEADS,
        ("head_dim", Same),
        ("window_size", IntOr0),
    ],
    CONTEXT,
)];
pub(crate) const GENERATION_ATTENTION: &[Spec] = &[spec(
    "generation_attention",
    &[LANE, ("kv_cache_dtype", Same), KV_HEADS, ("head_dim", Same), ("window_size", IntOr0)],
    GENERATION,
)];
pub(crate) const ENCODER_ATTENTION: &[Spec] =
    &[spec("encoder_attention", &[("attn_dtype", Same), ("head_dim", Same)], CONTEXT)];

pub(crate) const COMM: &[Spec] = &[
    spec("custom_allreduce", &[("num_gpus", Same)], MESSAGE),
    spec("nccl", COLLECTIVE, MESSAGE),
    spec("oneccl", COLLECTIVE, MESSAGE),
];
const COLLECTIVE: &[(&str, Part)] = &[("nccl_dtype", Same), ("op_name", Same), ("num_gpus", Same)];

const MESSAGE: &[(&str, Part)] = &[("message_size", Same)];

pub(crate) const MLA: &[Spec] = &[
    spec("context_mla", &[("mla_dtype", Same), ("kv_cache_dtype", Same)], CONTEXT),
    spec("generation_mla", &[("kv_cache_dtype", Same)], GENERATION),
    spec(
        "mla_context_module",
        &[("mla_dtype", Same), ("kv_cache_dtype", Same), ("gemm_type", Same), MLA_HEADS],
        CONTEXT,
    ),
    spec("mla_generation_module", &[("kv_cache_dtype", Same), ("gemm_type", Same), MLA_HEADS], GENERATION),
    spec("mla_bmm", &[("bmm_dtype", Same), ("op_name", Same), ("num_heads", Same)], TOKENS),
];
/// Heads of the model whose module was measured.
const MLA_HEADS: (&str, Part) = (
    "native_heads",
    By(|row| match &**row.text("model")? {
        "deepseek-ai/DeepSeek-V3" => Some(Key::Int(128)),
        _ => None,
    }),
);
pub(crate) const MLA_WIDEEP: &[Spec] = &[
    spec(
        "wideep_context_mla",
        &[("kernel_source", Same), ("mla_dtype", Same), ("kv_cache_dtype", Same)],
        CONTEXT,
    ),
    spec("wideep_generation_mla", &[("kernel_source", Same), ("kv_cache_dtype", Same)], GENERATION),
];
