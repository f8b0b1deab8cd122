//! Sparse attention of several models, and what belongs to it.

use perf_data::Key;

use super::axes::{GENERATION, KV_LEN, STEPPED, TOKENS};
use crate::bucket;
use crate::frame::Row;
use crate::spec::Part::{self, By, Same};
use crate::spec::{Spec, Wins, spec};

pub(crate) const DSA: &[Spec] =
    &[sparse_context("dsa_context_module"), sparse_generation("dsa_generation_module", DSA_KEY)];
pub(crate) const MSA: &[Spec] = &[
    sparse_context("msa_context_module"),
    // Decoding does not depend on `mla_dtype`.
    sparse_generation("msa_generation_module", MSA_KEY),
];
const DSA_KEY: &[(&str, Part)] = &[
    SKIP_INDEXER,
    ("architecture", Same),
    ("mla_dtype", Same),
    ("kv_cache_dtype", Same),
    ("gemm_type", Same),
    BUCKET,
];
const MSA_KEY: &[(&str, Part)] =
    &[SKIP_INDEXER, ("architecture", Same), ("kv_cache_dtype", Same), ("gemm_type", Same), BUCKET];
const SKIP_INDEXER: (&str, Part) = (
    "skip_indexer",
    By(|row| {
        Some(Key::Int(i64::from(row.text("op_name").is_some_and(|name| name.contains("skip_indexer")))))
    }),
);
const BUCKET: (&str, Part) = (bucket::COLUMN, By(bucket::of));

const fn sparse_context(name: &'static str) -> Spec {
    let axes = &[("num_heads", Same), ("step", Same), ("isl", Same), ("batch_size", Same)];
    Spec { wins: Wins::Last, ..spec(name, DSA_KEY, axes) }
}

const fn sparse_generation(name: &'static str, key: &'static [(&'static str, Part)]) -> Spec {
    Spec { wins: Wins::Last, ..spec(name, key, GENERATION) }
}

pub(crate) const DSA_CP: &[Spec] = &[
    sparse_lookup("dsv32_mqa_logits_module", &[("num_heads", Same)]),
    sparse_lookup("dsv32_topk_module", &[("num_heads", Same), ("score_mode", Same)]),
    sparse_lookup("glm5_mqa_logits_module", &[("num_heads", Same)]),
    sparse_lookup("glm5_topk_module", &[("num_heads", Same), ("score_mode", Same)]),
];

const fn sparse_lookup(name: &'static str, key: &'static [(&'static str, Part)]) -> Spec {
    Spec { wins: Wins::Last, ..spec(name, key, &[("batch_size", Same), ("isl", Same), ("step", Same)]) }
}

pub(crate) const DSV4: &[Spec] = &[
    spec("dsv4_csa_context_module", DSV4_CONTEXT, STEPPED),
    spec("dsv4_csa_generation_module", DSV4_GENERATION, DECODE),
    Spec {
        keep: |row| row.int("num_heads").is_some(),
        ..spec("dsv4_csa_topk_calib", &[("num_heads", Same), ("score_mode", Same)], STEPPED)
    },
    spec("dsv4_hca_context_module", DSV4_CONTEXT, STEPPED),
    spec("dsv4_hca_generation_module", DSV4_GENERATION, DECODE),
    spec(
        "dsv4_megamoe_module",
        &[
            ("phase", Same),
            ("kernel_source", Same),
            ("kernel_dtype", Same),
            ("moe_dtype", Same),
            ("pre_dispatch", Same),
            ("source_policy", Same),
            ("distribution", Same),
            ("topk", Same),
            ("num_experts", Same),
            ("num_fused_shared_experts", Same),
            ("hidden_size", Same),
            ("inter_size", Same),
            ("moe_tp_size", Same),
            ("moe_ep_size", Same),
        ],
        TOKENS,
    ),
    spec("dsv4_paged_mqa_logits_module", &[("num_heads", Same), ("tp_size", Same)], STEPPED),
];
const DECODE: &[(&str, Part)] = &[("batch_size", Same), KV_LEN];
const DSV4_CONTEXT: &[(&str, Part)] = &[
    ("mla_dtype", By(|row| fp8(row, "mla_dtype"))),
    ("kv_cache_dtype", By(|row| fp8(row, "kv_cache_dtype"))),
    ("gemm_type", Same),
    DSV4_HEADS,
    ("num_heads", Same),
];
const DSV4_GENERATION: &[(&str, Part)] = &[
    ("kv_cache_dtype", By(|row| fp8(row, "kv_cache_dtype"))),
    ("gemm_type", Same),
    DSV4_HEADS,
    ("num_heads", Same),
];
/// Heads of the whole model: the measured ones are those of one of `tp_size` GPUs.
const DSV4_HEADS: (&str, Part) = (
    "native_heads",
    By(|row| Some(Key::Int(row.int("num_heads")?.checked_mul(row.int("tp_size")?.max(1))?))),
);

fn fp8(row: Row<'_>, column: &str) -> Option<Key> {
    let name = row.text(column)?;
    Some(if &**name == "fp8_e4m3" { "fp8".into() } else { Key::Text(name.clone()) })
}

pub(crate) const MHC: &[Spec] =
    &[spec("mhc_module", &[("op_name", Same), ("hc_mult", Same), ("hidden_size", Same)], TOKENS)];
