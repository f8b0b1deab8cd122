//! Which files make up which pack.

use serde::{Deserialize, Serialize};

/// `packs/index.json`: every pack and its files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Format of this index.
    pub format: u16,
    /// Name and version of the published data.
    pub source: String,
    /// Packs, sorted by system, then backend.
    pub packs: Vec<PackEntry>,
}

/// One (system, backend) at its data version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackEntry {
    /// System id, such as `h100_sxm`.
    pub system: String,
    /// `trtllm`, `sglang` or `vllm`.
    pub backend: String,
    /// Data version (the backend's release).
    pub version: String,
    /// Identity of the data: eight hex digits over the hashes of all files.
    pub id: String,
    /// Files, sorted by family, then precision.
    pub files: Vec<PackFile>,
}

/// One downloadable file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackFile {
    /// Operator family, such as `gemm` or `context_attention`.
    pub family: String,
    /// Precision the file is restricted to, such as `fp8_block`; empty when it holds all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub precision: String,
    /// File name; it contains a hash of the content.
    pub name: String,
    /// Size in bytes.
    pub bytes: u64,
}
