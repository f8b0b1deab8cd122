//! The published wheel: a zip whose `systems` folder holds descriptions and Parquet tables.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{Cursor, Read};
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_yaml::Value;
use sha2::{Digest, Sha256};
use zip::ZipArchive;

const ROOT: &str = "aiconfigurator_core/systems/";

/// All files below the `systems` folder, by path relative to it.
pub(crate) struct Wheel {
    archive: ZipArchive<Cursor<Vec<u8>>>,
    files: BTreeSet<String>,
}

impl Wheel {
    /// Opens `path` if its SHA-256 is `sha256`.
    pub(crate) fn open(path: &Path, sha256: &str) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        let mut found = String::new();
        for byte in Sha256::digest(&bytes) {
            write!(found, "{byte:02x}")?;
        }
        if found != sha256 {
            bail!(
                "{} has SHA-256 {found}, SOURCES.toml pins {sha256}; download the pinned wheel",
                path.display()
            );
        }
        let archive =
            ZipArchive::new(Cursor::new(bytes)).with_context(|| format!("opening {}", path.display()))?;
        let mut files = BTreeSet::new();
        for name in archive.file_names() {
            files.extend(name?.strip_prefix(ROOT).map(String::from));
        }
        Ok(Self { archive, files })
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.files.contains(path)
    }

    pub(crate) fn read(&mut self, path: &str) -> Result<Vec<u8>> {
        let mut file =
            self.archive.by_name(&format!("{ROOT}{path}")).with_context(|| format!("finding {path}"))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).with_context(|| format!("reading {path}"))?;
        Ok(bytes)
    }

    pub(crate) fn yaml(&mut self, path: &str) -> Result<Value> {
        serde_yaml::from_slice(&self.read(path)?).with_context(|| format!("reading {path}"))
    }

    /// Names of the folders directly below `folder`, sorted.
    pub(crate) fn folders(&self, folder: &str) -> Vec<String> {
        let prefix = format!("{folder}/");
        let below = self.files.range(prefix.clone()..).take_while(|path| path.starts_with(&prefix));
        let mut names: Vec<_> = below
            .filter_map(|path| path[prefix.len()..].split_once('/'))
            .map(|(name, _)| name.to_owned())
            .collect();
        names.dedup();
        names
    }

    /// Ids of all described systems, with their descriptions.
    pub(crate) fn systems(&mut self) -> Result<BTreeMap<String, Value>> {
        let ids: Vec<_> = self
            .files
            .iter()
            .filter_map(|path| path.strip_suffix(".yaml"))
            .filter(|id| !id.contains('/'))
            .map(String::from)
            .collect();
        let mut systems = BTreeMap::new();
        for id in ids {
            let description = self.yaml(&format!("{id}.yaml"))?;
            if description.get("gpu").is_some() {
                systems.insert(id, description);
            }
        }
        Ok(systems)
    }
}
