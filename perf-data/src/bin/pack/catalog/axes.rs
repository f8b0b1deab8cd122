//! Axes and cells that several tables share.

use perf_data::Key;

use crate::frame::Row;
use crate::spec::Part::{self, By, Same};

pub(crate) const CONTEXT: &[(&str, Part)] = &[("num_heads", Same), ("isl", Same), ("batch_size", Same)];
pub(crate) const GENERATION: &[(&str, Part)] = &[("num_heads", Same), ("batch_size", Same), KV_LEN];
pub(crate) const STEPPED: &[(&str, Part)] = &[("step", Same), ("isl", Same), ("batch_size", Same)];
pub(crate) const TOKENS: &[(&str, Part)] = &[("num_tokens", Same)];
/// Length of the KV cache.
pub(crate) const KV_LEN: (&str, Part) = ("kv_len", By(|row| sum(row.int("isl"), row.int("step"))));

fn sum(a: Option<i64>, b: Option<i64>) -> Option<Key> {
    Some(Key::Int(a?.checked_add(b?)?))
}

/// The kernel that was measured, or nothing.
pub(crate) fn kernel(row: Row<'_>) -> &str {
    row.text("kernel_source").map_or("", |name| name)
}
