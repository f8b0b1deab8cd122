//! Which files make up which pack.

use serde::{Deserialize, Serialize};

use crate::{FORMAT_VERSION, content_hash};

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

impl Index {
    /// Reads `index.json`.
    pub fn from_json(text: &str) -> Result<Self, IndexError> {
        /// The only field that every format has.
        #[derive(Deserialize)]
        struct Format {
            format: u16,
        }
        let json = |error: serde_json::Error| IndexError::Json(error.to_string());
        let Format { format: got } = serde_json::from_str(text).map_err(json)?;
        if got != FORMAT_VERSION {
            return Err(IndexError::Version { got, want: FORMAT_VERSION });
        }
        let index: Self = serde_json::from_str(text).map_err(json)?;
        let mut names = index.packs.iter().flat_map(|pack| &pack.files).map(|file| &file.name);
        match names.find(|name| !is_file_name(name)) {
            Some(name) => Err(IndexError::Name(name.clone())),
            None => Ok(index),
        }
    }

    /// Identity of all data: it changes when any pack changes.
    pub fn identity(&self) -> String {
        let ids: Vec<_> = self.packs.iter().map(|pack| pack.id.as_str()).collect();
        identity(&ids)
    }

    /// The pack of `system` and `backend`.
    pub fn pack(&self, system: &str, backend: &str) -> Option<&PackEntry> {
        self.packs.iter().find(|pack| pack.system == system && pack.backend == backend)
    }
}

impl PackEntry {
    /// The file of `family`, restricted to `precision` (empty: the file of the whole family).
    pub fn file(&self, family: &str, precision: &str) -> Option<&PackFile> {
        self.files.iter().find(|file| file.family == family && file.precision == precision)
    }

    /// All files of `family`.
    pub fn family<'a>(&'a self, family: &'a str) -> impl Iterator<Item = &'a PackFile> {
        self.files.iter().filter(move |file| file.family == family)
    }

    /// The identity of a pack that consists of `files`: it changes when any of them changes.
    pub fn identity(files: &[PackFile]) -> String {
        let names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
        identity(&names)
    }
}

/// Eight hex digits over some names.
fn identity(names: &[&str]) -> String {
    let mut hash = content_hash(names.join("\n").as_bytes());
    hash.truncate(8);
    hash
}

/// A plain name: it will be joined to a folder or an address.
fn is_file_name(name: &str) -> bool {
    name.strip_suffix(".pack").is_some_and(|stem| {
        !stem.starts_with('.')
            && stem.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    })
}

/// Why an index is not usable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// Not the expected JSON.
    #[error("index.json is not readable: {0}; rebuild the packs")]
    Json(String),
    /// Written by another release.
    #[error(
        "index.json has format {got}, this program reads format {want}; use packs and program of the same release"
    )]
    Version {
        /// Format of the file.
        got: u16,
        /// Format this program reads.
        want: u16,
    },
    /// A name that is not a plain file name.
    #[error("index.json names the file {0:?}, which is not a plain pack name; rebuild the packs")]
    Name(String),
}
