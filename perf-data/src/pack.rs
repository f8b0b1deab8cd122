//! What a pack file holds.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Grid, codec};

/// Version of the container and of the index. Files of any other version are refused.
pub const FORMAT_VERSION: u16 = 1;

/// One categorical value of a slice key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A number, such as a head count.
    Int(i64),
    /// A name, such as a data type.
    Text(Arc<str>),
}

impl Key {
    /// The number, if this is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            Self::Text(_) => None,
        }
    }

    /// The name, if this is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Int(_) => None,
            Self::Text(text) => Some(text),
        }
    }
}

impl From<i64> for Key {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

/// One categorical key and everything measured under it.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    /// Key columns, in the order of [`TableInfo::key`].
    pub key: Vec<Key>,
    /// The measurements, along [`TableInfo::axes`].
    pub grid: Grid,
}

/// What a table is about.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TableInfo {
    /// Name, such as `gemm` or `context_attention`.
    pub name: String,
    /// Names of the key columns.
    pub key: Vec<String>,
    /// Names of the axes, outermost first.
    pub axes: Vec<String>,
    /// Unit of the values: `ms` or `us`.
    pub unit: String,
    /// Values are kept as f64 instead of f32.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exact: bool,
    /// An order over the whole table that one file cannot show. Attention tables: in which order kernel
    /// lanes are consulted. Other tables that are split by precision: all precisions, first measured first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lanes: Vec<String>,
    /// Number of values in all slices.
    pub rows: u64,
}

/// A list of slices, first measured first.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Names and units.
    pub info: TableInfo,
    /// The slices; no two have the same key.
    pub slices: Vec<Slice>,
}

/// Where a pack file belongs and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FileInfo {
    /// System id, such as `h100_sxm`.
    pub system: String,
    /// `trtllm`, `sglang` or `vllm`.
    pub backend: String,
    /// Data version (the backend's release).
    pub version: String,
    /// Operator family.
    pub family: String,
    /// Precision the file is restricted to; empty when it holds all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub precision: String,
    /// Name and version of the published data.
    pub source: String,
    /// The tables inside.
    pub tables: Vec<TableInfo>,
}

/// A pack file, decoded and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Pack {
    /// Description of the file.
    pub info: FileInfo,
    /// Its tables, in the order of [`FileInfo::tables`].
    pub tables: Vec<Table>,
}

impl Pack {
    /// Decodes and checks a whole file, so that no later step can fail on its data.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PackError> {
        codec::decode(bytes)
    }

    /// Encodes the pack. The same pack always gives the same bytes. Table descriptions are taken from
    /// [`Pack::tables`]; values of tables that are not exact are rounded to f32.
    pub fn to_bytes(&self) -> Result<Vec<u8>, PackError> {
        codec::encode(self)
    }

    /// The table called `name`.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.info.name == name)
    }

    /// All tables, without copying them.
    pub fn into_tables(self) -> Vec<Table> {
        self.tables
    }
}

/// Why a file is not usable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// The first bytes are not those of a pack.
    #[error("this is not a pack file (it does not start with \"PERF\"); fetch it again")]
    NotAPack,
    /// Written by another release.
    #[error(
        "the pack has format {got}, this program reads format {want}; use packs and program of the same release"
    )]
    Version {
        /// Format of the file.
        got: u16,
        /// Format this program reads.
        want: u16,
    },
    /// The content is damaged.
    #[error("the pack is damaged (its checksum does not match its content); fetch it again")]
    Checksum,
    /// The file ends early.
    #[error("the pack is cut short; fetch it again")]
    Truncated,
    /// The description of the file is not usable.
    #[error("the header of the pack is wrong: {0}; rebuild the packs")]
    Header(String),
    /// The content of a table is not usable.
    #[error("table {name} of the pack is wrong: {why}; rebuild the packs")]
    Table {
        /// Name of the table.
        name: String,
        /// What is wrong with it.
        why: String,
    },
}
