//! State-space kernels.

use super::axes::kernel;
use crate::frame::Row;
use crate::spec::Part::{self, By, Same};
use crate::spec::{Spec, spec};

// Decoding has no sequence axis, hence a table of its own; that of mamba2 is never read.
pub(crate) const SSM: &[Spec] = &[
    Spec { keep: decodes_not, ..spec("gdn", DELTA_NET, SEQUENCE) },
    Spec { file: "gdn", keep: decodes, ..spec("gdn_generation", DELTA_NET, BATCH) },
    Spec { keep: decodes_not, ..spec("kda", DELTA_NET, SEQUENCE) },
    Spec { file: "kda", keep: decodes, ..spec("kda_generation", DELTA_NET, BATCH) },
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
    ("kernel_source", By(|row| Some(recurrence(kernel(row)).into()))),
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
    row.text("phase").is_some_and(|phase| &**phase == "generation")
}

fn decodes_not(row: Row<'_>) -> bool {
    !decodes(row)
}
