//! Sparse attention is measured for two indexer back ends; many rows stand for both.

use perf_data::Key;

use crate::frame::Row;
use crate::merge::{Leaf, Merge};

/// Key column that names the back end; the last one of its tables.
pub(crate) const COLUMN: &str = "bucket";
const TRTLLM: &str = "trtllm";
const FLASHMLA: &str = "flashmla_kv";
const BOTH: &str = "both";

/// The back ends a row stands for.
pub(crate) fn of(row: Row<'_>) -> Option<Key> {
    let kernel = row.text("kernel_source").map_or("", |name| name);
    let cache = row.text("kv_cache_dtype")?;
    let name = match kernel {
        _ if &**cache == "bfloat16" => BOTH,
        "sglang_dsa_dense_mha_trtllm_ragged" => BOTH,
        _ if kernel.contains(TRTLLM) => TRTLLM,
        _ => FLASHMLA,
    };
    Some(name.into())
}

/// Adds a row under every back end it stands for.
pub(crate) fn add(merge: &mut Merge, mut key: Vec<Key>, leaf: Leaf) {
    let both = key.pop_if(|last| last.as_text() == Some(BOTH)).is_some();
    if both {
        let other = key.iter().cloned().chain([FLASHMLA.into()]).collect();
        key.push(TRTLLM.into());
        merge.add(other, leaf);
    }
    merge.add(key, leaf);
}

/// Joins what turned out the same for both back ends into one slice named `both`.
pub(crate) fn join(merge: &mut Merge) {
    let mut joined: Vec<(Vec<Key>, Vec<Leaf>)> = Vec::new();
    for (key, leaves) in merge.slices.drain(..) {
        let rest = |key: &[Key]| key.split_last().map(|(_, rest)| rest.to_vec());
        let twin = joined.iter_mut().find(|(other, twin)| {
            rest(other) == rest(&key)
                && twin.iter().map(|leaf| leaf.sequence).eq(leaves.iter().map(|leaf| leaf.sequence))
        });
        match twin {
            Some((other, _)) => {
                other.pop();
                other.push(BOTH.into());
            }
            None => joined.push((key, leaves)),
        }
    }
    merge.slices = joined;
}
