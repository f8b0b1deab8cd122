//! Mixtures of experts: expert kernels and the exchange of tokens between GPUs.

use perf_data::Key;

use super::axes::{TOKENS, kernel};
use crate::frame::Row;
use crate::spec::Part::{self, By, IntOr0, Same, TextOr};
use crate::spec::{Spec, Value, spec};

pub(crate) const MOE: &[Spec] = &[spec(
    "moe",
    &[
        ("moe_dtype", By(moe_dtype)),
        ("distribution", Same),
        ("topk", Same),
        ("num_experts", Same),
        ("hidden_size", Same),
        ("inter_size", Same),
        ("moe_tp_size", Same),
        ("moe_ep_size", Same),
        ("low_latency", By(|row| Some(Key::Int(i64::from(kernel(row) == "moe_torch_flow_min_latency"))))),
    ],
    TOKENS,
)];

/// Two kernels measure under a data type that others share.
fn moe_dtype(row: Row<'_>) -> Option<Key> {
    let dtype = row.text("moe_dtype")?;
    Some(match (&**dtype, kernel(row)) {
        ("w4a8_mxfp4_mxfp8", "sglang_mxfp4_flashinfer_trtllm_moe") => "w4a8_mxfp4_mxfp8_trtllm".into(),
        ("w4a16_mxfp4", "sglang_flashinfer_cutlass_moe") => "w4a16_mxfp4_cutlass".into(),
        _ => Key::Text(dtype.clone()),
    })
}

const EXPERTS: &[(&str, Part)] = &[
    ("moe_dtype", Same),
    ("distribution", Same),
    ("topk", Same),
    ("num_experts", Same),
    ("hidden_size", Same),
    ("inter_size", Same),
    ("moe_tp_size", Same),
    ("moe_ep_size", Same),
];
pub(crate) const MOE_WIDEEP: &[Spec] = &[
    spec("wideep_context_moe", EXPERTS, TOKENS),
    spec("wideep_generation_moe", EXPERTS, TOKENS),
    spec(
        "wideep_moe",
        &[
            ("kernel_source", TextOr("")),
            ("moe_dtype", Same),
            ("distribution", Same),
            ("topk", Same),
            ("num_experts", Same),
            ("num_slots", Same),
            ("hidden_size", Same),
            ("inter_size", Same),
            ("moe_tp_size", Same),
            ("moe_ep_size", Same),
        ],
        TOKENS,
    ),
];

pub(crate) const A2A: &[Spec] = &[
    Spec {
        unit: "us",
        ..spec(
            "moe_a2a",
            &[
                ("comm_backend", Same),
                ("phase", Same),
                ("comm_dtype", Same),
                ("ep_size", Same),
                ("node_num", Same),
                ("hidden_size", Same),
                ("topk", Same),
                ("num_experts", Same),
            ],
            &[("sms", IntOr0), ("num_tokens", Same)],
        )
    },
    spec(
        "trtllm_alltoall",
        &[
            ("kernel_source", Same),
            ("op_name", Same),
            ("moe_dtype", Same),
            (
                "num_nodes",
                By(|row| {
                    row.int("num_nodes").or_else(|| Some(1.max(row.int("moe_ep_size")? / 4))).map(Key::Int)
                }),
            ),
            ("hidden_size", Same),
            ("topk", Same),
            ("num_experts", Same),
            ("moe_ep_size", Same),
        ],
        TOKENS,
    ),
    Spec {
        unit: "us",
        values: &[
            Value { phase: Some("dispatch"), columns: &["dispatch_avg_t_us"] },
            Value { phase: Some("combine"), columns: &["combine_avg_t_us"] },
        ],
        ..spec("wideep_deepep_ll", DEEPEP, &[("num_token", Same)])
    },
    Spec {
        unit: "us",
        values: &[
            Value { phase: Some("dispatch"), columns: &["dispatch_transmit_us", "dispatch_notify_us"] },
            Value { phase: Some("combine"), columns: &["combine_transmit_us", "combine_notify_us"] },
        ],
        ..spec("wideep_deepep_normal", DEEPEP, &[("dispatch_sms", Same), ("num_token", Same)])
    },
];
const DEEPEP: &[(&str, Part)] =
    &[("node_num", Same), ("hidden_size", Same), ("num_topk", Same), ("num_experts", Same)];
