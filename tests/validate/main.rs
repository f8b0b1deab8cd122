//! The checks of manifests: every reference passes, every known mistake is found where it is, nothing makes them fail.
//!
//! Reads `manifests` in `tests/golden`, or in the folder in `GOLDEN_DIR`.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![allow(clippy::format_collect, reason = "long texts are put together once")]

mod any;
mod golden;
mod hostile;
mod kinds;
mod mistakes;

use serde_json::Value;

const EXAMPLES: [(&str, &str); 6] = [
    ("dgdr-airline-v1beta1.yaml", include_str!("../fixtures/manifests/dgdr-airline-v1beta1.yaml")),
    (
        "dgd-vllm-disagg-planner-v1beta1.yaml",
        include_str!("../fixtures/manifests/dgd-vllm-disagg-planner-v1beta1.yaml"),
    ),
    ("dgd-vllm-disagg-v1alpha1.yaml", include_str!("../fixtures/manifests/dgd-vllm-disagg-v1alpha1.yaml")),
    (
        "dgd-sglang-disagg-planner-v1beta1.yaml",
        include_str!("../fixtures/manifests/dgd-sglang-disagg-planner-v1beta1.yaml"),
    ),
    (
        "dgd-sglang-moe-multinode-agg-v1beta1.yaml",
        include_str!("../fixtures/manifests/dgd-sglang-moe-multinode-agg-v1beta1.yaml"),
    ),
    (
        "dgd-trtllm-disagg-planner-v1beta1.yaml",
        include_str!("../fixtures/manifests/dgd-trtllm-disagg-planner-v1beta1.yaml"),
    ),
];

fn example(name: &str) -> &'static str {
    EXAMPLES.iter().find(|(file, _)| *file == name).unwrap().1
}

fn documents(text: &str) -> Vec<Value> {
    text.split("\n---\n").map(|document| serde_yaml::from_str(document).unwrap()).collect()
}

fn joined(documents: &[Value]) -> String {
    documents
        .iter()
        .map(|document| serde_yaml::to_string(document).unwrap())
        .collect::<Vec<_>>()
        .join("---\n")
}
