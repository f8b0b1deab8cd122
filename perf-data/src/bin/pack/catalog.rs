//! The tables that are read, family by family.

use perf_data::Key;

use crate::frame::Row;
use crate::spec::{LATENCY, Part, Spec, Value, Wins};
use Part::{By, IntOr0, Same, TextOr};

/// Tables that travel together.
pub(crate) struct Family {
    pub(crate) name: &'static str,
    /// Key columns whose values split the family into files.
    pub(crate) split: &'static [&'static str],
    pub(crate) tables: &'static [Spec],
}

const BASE: Spec = Spec {
    name: "",
    file: "",
    keep: |_| true,
    key: &[],
    axes: &[],
    values: LATENCY,
    unit: "ms",
    exact: false,
    wins: Wins::First,
};

const fn spec(
    name: &'static str,
    key: &'static [(&'static str, Part)],
    axes: &'static [(&'static str, Part)],
) -> Spec {
    Spec {
        name,
        file: name,
        key,
        axes,
        ..BASE
    }
}

const CONTEXT: &[(&str, Part)] = &[("num_heads", Same), ("isl", Same), ("batch_size", Same)];
const GENERATION: &[(&str, Part)] = &[("num_heads", Same), ("batch_size", Same), KV_LEN];
const STEPPED: &[(&str, Part)] = &[("step", Same), ("isl", Same), ("batch_size", Same)];
const TOKENS: &[(&str, Part)] = &[("num_tokens", Same)];
const MESSAGE: &[(&str, Part)] = &[("message_size", Same)];
const KV_LEN: (&str, Part) = ("kv_len", By(|row| sum(row.int("isl"), row.int("step"))));
/// Equal numbers of heads are one case, whatever the number.
const KV_HEADS: (&str, Part) = (
    "num_key_value_heads",
    By(|row| {
        let own = row.int("num_key_value_heads")?;
        Some(Key::Int(if row.int("num_heads") == Some(own) {
            0
        } else {
            own
        }))
    }),
);

fn sum(a: Option<i64>, b: Option<i64>) -> Option<Key> {
    Some(Key::Int(a?.checked_add(b?)?))
}

/// All families, in the order of their files.
pub(crate) const FAMILIES: &[Family] = &[
    Family {
        name: "a2a",
        split: &[],
        tables: A2A,
    },
    Family {
        name: "comm",
        split: &[],
        tables: COMM,
    },
    Family {
        name: "context_attention",
        split: &["attn_dtype", "kv_cache_dtype"],
        tables: CONTEXT_ATTENTION,
    },
    Family {
        name: "dsa",
        split: &[],
        tables: DSA,
    },
    Family {
        name: "dsa_cp",
        split: &[],
        tables: DSA_CP,
    },
    Family {
        name: "dsv4",
        split: &[],
        tables: DSV4,
    },
    Family {
        name: "encoder_attention",
        split: &[],
        tables: ENCODER_ATTENTION,
    },
    Family {
        name: "gemm",
        split: &["gemm_dtype"],
        tables: GEMM,
    },
    Family {
        name: "generation_attention",
        split: &["kv_cache_dtype"],
        tables: GENERATION_ATTENTION,
    },
    Family {
        name: "mhc",
        split: &[],
        tables: MHC,
    },
    Family {
        name: "mla",
        split: &[],
        tables: MLA,
    },
    Family {
        name: "mla_wideep",
        split: &[],
        tables: MLA_WIDEEP,
    },
    Family {
        name: "moe",
        split: &["moe_dtype"],
        tables: MOE,
    },
    Family {
        name: "moe_wideep",
        split: &[],
        tables: MOE_WIDEEP,
    },
    Family {
        name: "msa",
        split: &[],
        tables: MSA,
    },
    Family {
        name: "quantize",
        split: &[],
        tables: QUANTIZE,
    },
    Family {
        name: "ssm",
        split: &[],
        tables: SSM,
    },
];

const GEMM: &[Spec] = &[Spec {
    keep: |row| {
        !matches!(
            row.text("gemm_dtype").map(|name| &**name),
            Some("awq" | "gptq")
        )
    },
    ..spec(
        "gemm",
        &[("gemm_dtype", Same), ("n", Same), ("k", Same)],
        &[("m", Same)],
    )
}];

// Static FP8 subtracts these from other latencies, so they keep every bit.
const QUANTIZE: &[Spec] = &[
    Spec {
        exact: true,
        ..spec(
            "computescale",
            &[("quant_dtype", Same)],
            &[("m", Same), ("k", Same)],
        )
    },
    Spec {
        exact: true,
        ..spec(
            "scale_matrix",
            &[("quant_dtype", Same)],
            &[("m", Same), ("k", Same)],
        )
    },
];

const LANE: (&str, Part) = ("kernel_source", TextOr("default"));
const CONTEXT_ATTENTION: &[Spec] = &[spec(
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
const GENERATION_ATTENTION: &[Spec] = &[spec(
    "generation_attention",
    &[
        LANE,
        ("kv_cache_dtype", Same),
        KV_HEADS,
        ("head_dim", Same),
        ("window_size", IntOr0),
    ],
    GENERATION,
)];
const ENCODER_ATTENTION: &[Spec] = &[spec(
    "encoder_attention",
    &[("attn_dtype", Same), ("head_dim", Same)],
    CONTEXT,
)];

const COMM: &[Spec] = &[
    spec("custom_allreduce", &[("num_gpus", Same)], MESSAGE),
    spec("nccl", COLLECTIVE, MESSAGE),
    spec("oneccl", COLLECTIVE, MESSAGE),
];
const COLLECTIVE: &[(&str, Part)] = &[("nccl_dtype", Same), ("op_name", Same), ("num_gpus", Same)];

const MLA: &[Spec] = &[
    spec(
        "context_mla",
        &[("mla_dtype", Same), ("kv_cache_dtype", Same)],
        CONTEXT,
    ),
    spec("generation_mla", &[("kv_cache_dtype", Same)], GENERATION),
    spec(
        "mla_context_module",
        &[
            ("mla_dtype", Same),
            ("kv_cache_dtype", Same),
            ("gemm_type", Same),
            MLA_HEADS,
        ],
        CONTEXT,
    ),
    spec(
        "mla_generation_module",
        &[("kv_cache_dtype", Same), ("gemm_type", Same), MLA_HEADS],
        GENERATION,
    ),
    spec(
        "mla_bmm",
        &[("bmm_dtype", Same), ("op_name", Same), ("num_heads", Same)],
        TOKENS,
    ),
];
/// Heads of the model whose module was measured, on one GPU.
const MLA_HEADS: (&str, Part) = (
    "native_heads",
    By(|row| match &**row.text("model")? {
        "deepseek-ai/DeepSeek-V3" => Some(Key::Int(128)),
        "moonshotai/Kimi-K3" => Some(Key::Int(96)),
        _ => None,
    }),
);
const MLA_WIDEEP: &[Spec] = &[
    spec(
        "wideep_context_mla",
        &[
            ("kernel_source", Same),
            ("mla_dtype", Same),
            ("kv_cache_dtype", Same),
        ],
        CONTEXT,
    ),
    spec(
        "wideep_generation_mla",
        &[("kernel_source", Same), ("kv_cache_dtype", Same)],
        GENERATION,
    ),
];

const MOE: &[Spec] = &[spec(
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
        (
            "low_latency",
            By(|row| {
                Some(Key::Int(i64::from(
                    kernel(row) == "moe_torch_flow_min_latency",
                )))
            }),
        ),
    ],
    TOKENS,
)];

fn kernel<'a>(row: Row<'a>) -> &'a str {
    row.text("kernel_source").map_or("", |name| name)
}

/// Two kernels measure under a data type that others share.
fn moe_dtype(row: Row<'_>) -> Option<Key> {
    let dtype = row.text("moe_dtype")?;
    Some(match (&**dtype, kernel(row)) {
        ("w4a8_mxfp4_mxfp8", "sglang_mxfp4_flashinfer_trtllm_moe") => {
            "w4a8_mxfp4_mxfp8_trtllm".into()
        }
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
const MOE_WIDEEP: &[Spec] = &[
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

const A2A: &[Spec] = &[
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
                    row.int("num_nodes")
                        .or_else(|| Some(1.max(row.int("moe_ep_size")? / 4)))
                        .map(Key::Int)
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
            Value {
                phase: Some("dispatch"),
                columns: &["dispatch_avg_t_us"],
            },
            Value {
                phase: Some("combine"),
                columns: &["combine_avg_t_us"],
            },
        ],
        ..spec("wideep_deepep_ll", DEEPEP, &[("num_token", Same)])
    },
    Spec {
        unit: "us",
        values: &[
            Value {
                phase: Some("dispatch"),
                columns: &["dispatch_transmit_us", "dispatch_notify_us"],
            },
            Value {
                phase: Some("combine"),
                columns: &["combine_transmit_us", "combine_notify_us"],
            },
        ],
        ..spec(
            "wideep_deepep_normal",
            DEEPEP,
            &[("dispatch_sms", Same), ("num_token", Same)],
        )
    },
];
const DEEPEP: &[(&str, Part)] = &[
    ("node_num", Same),
    ("hidden_size", Same),
    ("num_topk", Same),
    ("num_experts", Same),
];

const DSA: &[Spec] = &[
    sparse_context("dsa_context_module"),
    sparse_generation("dsa_generation_module", DSA_KEY),
];
const MSA: &[Spec] = &[
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
const MSA_KEY: &[(&str, Part)] = &[
    SKIP_INDEXER,
    ("architecture", Same),
    ("kv_cache_dtype", Same),
    ("gemm_type", Same),
    BUCKET,
];
const SKIP_INDEXER: (&str, Part) = (
    "skip_indexer",
    By(|row| {
        Some(Key::Int(i64::from(
            row.text("op_name")
                .is_some_and(|name| name.contains("skip_indexer")),
        )))
    }),
);
const BUCKET: (&str, Part) = (crate::bucket::COLUMN, By(crate::bucket::of));

const fn sparse_context(name: &'static str) -> Spec {
    let axes = &[
        ("num_heads", Same),
        ("step", Same),
        ("isl", Same),
        ("batch_size", Same),
    ];
    Spec {
        wins: Wins::Last,
        ..spec(name, DSA_KEY, axes)
    }
}

const fn sparse_generation(name: &'static str, key: &'static [(&'static str, Part)]) -> Spec {
    Spec {
        wins: Wins::Last,
        ..spec(name, key, GENERATION)
    }
}

const DSA_CP: &[Spec] = &[
    sparse_lookup("dsv32_mqa_logits_module", &[("num_heads", Same)]),
    sparse_lookup(
        "dsv32_topk_module",
        &[("num_heads", Same), ("score_mode", Same)],
    ),
    sparse_lookup("glm5_mqa_logits_module", &[("num_heads", Same)]),
    sparse_lookup(
        "glm5_topk_module",
        &[("num_heads", Same), ("score_mode", Same)],
    ),
];

const fn sparse_lookup(name: &'static str, key: &'static [(&'static str, Part)]) -> Spec {
    Spec {
        wins: Wins::Last,
        ..spec(
            name,
            key,
            &[("batch_size", Same), ("isl", Same), ("step", Same)],
        )
    }
}

const DSV4: &[Spec] = &[
    spec("dsv4_csa_context_module", DSV4_CONTEXT, STEPPED),
    spec("dsv4_csa_generation_module", DSV4_GENERATION, DECODE),
    Spec {
        keep: |row| row.int("num_heads").is_some(),
        ..spec(
            "dsv4_csa_topk_calib",
            &[("num_heads", Same), ("score_mode", Same)],
            STEPPED,
        )
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
    spec(
        "dsv4_paged_mqa_logits_module",
        &[("num_heads", Same), ("tp_size", Same)],
        STEPPED,
    ),
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
    By(|row| {
        Some(Key::Int(
            row.int("num_heads")?
                .checked_mul(row.int("tp_size")?.max(1))?,
        ))
    }),
);

fn fp8(row: Row<'_>, column: &str) -> Option<Key> {
    let name = row.text(column)?;
    Some(if &**name == "fp8_e4m3" {
        "fp8".into()
    } else {
        Key::Text(name.clone())
    })
}

const MHC: &[Spec] = &[spec(
    "mhc_module",
    &[("op_name", Same), ("hc_mult", Same), ("hidden_size", Same)],
    TOKENS,
)];

// Decoding has no sequence axis, hence a table of its own; that of mamba2 is never read.
const SSM: &[Spec] = &[
    Spec {
        keep: decodes_not,
        ..spec("gdn", DELTA_NET, SEQUENCE)
    },
    Spec {
        file: "gdn",
        keep: decodes,
        ..spec("gdn_generation", DELTA_NET, BATCH)
    },
    Spec {
        keep: decodes_not,
        ..spec("kda", DELTA_NET, SEQUENCE)
    },
    Spec {
        file: "kda",
        keep: decodes,
        ..spec("kda_generation", DELTA_NET, BATCH)
    },
    Spec {
        keep: decodes_not,
        ..spec(
            "mamba2",
            &[
                ("kernel_source", Same),
                ("phase", Same),
                ("d_model", Same),
                ("d_state", Same),
                ("d_conv", Same),
                ("nheads", Same),
                ("head_dim", Same),
                ("n_groups", Same),
                ("chunk_size", Same),
            ],
            SEQUENCE,
        )
    },
];
const SEQUENCE: &[(&str, Part)] = &[("batch_size", Same), ("seq_len", Same)];
const BATCH: &[(&str, Part)] = &[("batch_size", Same)];
const DELTA_NET: &[(&str, Part)] = &[
    (
        "kernel_source",
        By(|row| Some(recurrence(kernel(row)).into())),
    ),
    ("phase", Same),
    ("d_model", Same),
    ("d_conv", Same),
    ("num_k_heads", Same),
    ("head_k_dim", Same),
    ("num_v_heads", Same),
    ("head_v_dim", Same),
];

/// Backends name one recurrent kernel differently.
fn recurrence(kernel: &str) -> &str {
    match kernel {
        "fused_recurrent_gated_delta_rule" | "fused_recurrent_gated_delta_rule_packed_decode" => {
            "fused_sigmoid_gating_delta_rule_update"
        }
        other => other,
    }
}

fn decodes(row: Row<'_>) -> bool {
    row.text("phase")
        .is_some_and(|phase| &**phase == "generation")
}

fn decodes_not(row: Row<'_>) -> bool {
    !decodes(row)
}
