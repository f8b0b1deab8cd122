//! Which published files make up one table, and in which order they are merged.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use anyhow::{Context, Result};
use pep440_rs::Version;
use serde::Deserialize;

use crate::wheel::Wheel;

/// Tables of the family `comm` borrow from earlier versions of their own backend only.
const COMM: [&str; 5] =
    ["custom_allreduce", "moe_a2a", "trtllm_alltoall", "wideep_deepep_ll", "wideep_deepep_normal"];
/// Tables that never borrow.
const ALONE: [&str; 1] = ["dsv4_megamoe_module"];

/// One file to merge.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: String,
    /// The version's own table, not a borrowed one.
    pub(crate) primary: bool,
    /// Only rows of these kernels count.
    pub(crate) kernels: Option<BTreeSet<String>>,
}

#[derive(Deserialize)]
struct Manifest {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    op_file: String,
    kernel_source: Option<String>,
    tier: Option<String>,
    frameworks: Vec<String>,
}

#[derive(Deserialize)]
struct Reuse {
    reuse: Option<Vec<Donor>>,
}

#[derive(Deserialize)]
struct Donor {
    table: String,
    from_version: String,
}

/// The tables of one (system, backend, version).
pub(crate) struct Resolver {
    root: String,
    backend: String,
    version: String,
    families: Vec<String>,
    groups: Vec<Group>,
    /// Declared donors of this version: table and version, in order.
    donors: Vec<(String, String)>,
}

impl Resolver {
    pub(crate) fn new(wheel: &mut Wheel, root: &str, backend: &str, version: &str) -> Result<Self> {
        let manifest: Manifest = serde_yaml::from_slice(&wheel.read("perf_data_reuse_manifest.yaml")?)
            .context("reading perf_data_reuse_manifest.yaml")?;
        let families = wheel.folders(root);
        let mut donors = Vec::new();
        for family in &families {
            let path = format!("{root}/{family}/{backend}/{version}/reuse.yaml");
            if wheel.has(&path) {
                let reuse: Reuse =
                    serde_yaml::from_slice(&wheel.read(&path)?).with_context(|| format!("reading {path}"))?;
                donors
                    .extend(reuse.reuse.into_iter().flatten().map(|donor| (donor.table, donor.from_version)));
            }
        }
        Ok(Self {
            root: root.into(),
            backend: backend.into(),
            version: version.into(),
            families,
            groups: manifest.groups,
            donors,
        })
    }

    /// Whether this version has any folder of its own.
    pub(crate) fn has_data(&self, wheel: &Wheel) -> bool {
        !self.versions(wheel, &self.backend).is_empty()
    }

    /// The files of table `name`, in merging order.
    pub(crate) fn sources(&self, wheel: &Wheel, name: &str) -> Vec<Source> {
        let own = |path, primary| Source { path, primary, kernels: None };
        let mut sources: Vec<_> = self
            .find(wheel, &self.backend, &self.version, name)
            .map(|path| own(path, true))
            .into_iter()
            .collect();
        if ALONE.contains(&name) {
            return sources;
        }
        let comm = COMM.contains(&name);
        let mut seen = vec![self.version.as_str()];
        if !comm {
            let file = format!("{name}_perf");
            for (_, version) in self.donors.iter().filter(|(table, _)| *table == file) {
                if seen.contains(&version.as_str()) {
                    continue;
                }
                if let Some(path) = self.find(wheel, &self.backend, version, name) {
                    sources.push(own(path, false));
                    seen.push(version);
                }
            }
        }
        let versions = self.versions(wheel, &self.backend);
        if let Ok(current) = Version::from_str(&self.version) {
            let mut earlier: Vec<_> = versions
                .iter()
                .filter(|name| !seen.contains(&name.as_str()))
                .filter_map(|name| Some((Version::from_str(name).ok()?, name)))
                .filter(|(version, _)| *version < current)
                .collect();
            earlier.sort_by(|a, b| b.cmp(a));
            let paths =
                earlier.iter().filter_map(|(_, version)| self.find(wheel, &self.backend, version, name));
            sources.extend(paths.map(|path| own(path, false)));
        }
        if !comm {
            sources.extend(self.other_backends(wheel, name));
        }
        sources
    }

    /// The table of a communication library, which is picked by the library's own version.
    pub(crate) fn library(&self, wheel: &Wheel, library: &str, version: &str) -> Vec<Source> {
        let path = format!("{}/comm/{library}/{version}/{library}_perf.parquet", self.root);
        let found = wheel.has(&path).then_some(Source { path, primary: true, kernels: None });
        found.into_iter().collect()
    }

    /// Rows of other backends that run the same kernels.
    fn other_backends(&self, wheel: &Wheel, name: &str) -> Vec<Source> {
        let file = format!("{name}_perf.parquet");
        let mut kernels: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for group in &self.groups {
            let shared = matches!(group.tier.as_deref(), Some("shared" | "shared_fallback"));
            let backends: Vec<_> = group.frameworks.iter().map(|name| name.to_lowercase()).collect();
            if !shared
                || group.op_file.replace(".txt", ".parquet") != file
                || !backends.contains(&self.backend)
            {
                continue;
            }
            let Some(kernel) = group.kernel_source.as_ref().filter(|kernel| !kernel.is_empty()) else {
                continue;
            };
            for backend in backends {
                kernels.entry(backend).or_default().insert(kernel.clone());
            }
        }
        kernels.remove(&self.backend);
        let mut sources = Vec::new();
        for (backend, kernels) in kernels {
            let mut versions: Vec<_> = self.versions(wheel, &backend).into_iter().collect();
            versions.sort_by_cached_key(|name| Reverse((Version::from_str(name).ok(), name.clone())));
            let paths = versions.iter().filter_map(|version| self.find(wheel, &backend, version, name));
            sources.extend(paths.map(|path| Source { path, primary: false, kernels: Some(kernels.clone()) }));
        }
        sources
    }

    fn find(&self, wheel: &Wheel, backend: &str, version: &str, name: &str) -> Option<String> {
        let path = |family| format!("{}/{family}/{backend}/{version}/{name}_perf.parquet", self.root);
        self.families.iter().map(path).find(|path| wheel.has(path))
    }

    fn versions(&self, wheel: &Wheel, backend: &str) -> BTreeSet<String> {
        let folders = |family| wheel.folders(&format!("{}/{family}/{backend}", self.root));
        self.families.iter().flat_map(folders).filter(|name| !name.starts_with(['.', '_'])).collect()
    }
}
