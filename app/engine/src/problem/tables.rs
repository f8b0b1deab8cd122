//! Which pack files a question needs.

use perf_data::{Index, PackEntry, PackFile};

use super::ScenarioError;
use crate::backend::Backend;
use crate::models::{self, Setup};
use crate::source::DataMode;
use crate::system::SystemSpec;

/// Families whose other precisions, or other shapes at them, an estimate can be made from.
const COMPARABLE: [&str; 2] = ["gemm", "moe"];

pub(super) fn no_table(
    system: &SystemSpec,
    backend: Backend,
    file: &PackFile,
    have: &[&PackFile],
) -> ScenarioError {
    ScenarioError::NoTable {
        system: system.id.clone(),
        backend: backend.name().to_owned(),
        table: file.family.clone(),
        precision: file.precision.clone(),
        have: have.iter().map(|file| file.precision.clone()).collect(),
    }
}

/// The version that most systems were measured with, for a system that was not measured.
pub(super) fn common_version(index: &Index, backend: Backend) -> String {
    let packs = || index.packs.iter().filter(|pack| pack.backend == backend.name());
    let systems = |version: &str| packs().filter(|pack| pack.version == version).count();
    let mut versions: Vec<&str> = packs().map(|pack| pack.version.as_str()).collect();
    versions.sort_by_key(|version| (std::cmp::Reverse(systems(version)), *version));
    versions.first().map_or_else(String::new, |version| (*version).to_owned())
}

/// Pack files that hold these tables, or what stands for them, and those that open further layouts.
pub(super) fn files(
    tables: Vec<(&'static str, String)>,
    setup: &Setup<'_>,
    mode: DataMode,
    system: &SystemSpec,
    pack: &PackEntry,
) -> Result<Vec<PackFile>, ScenarioError> {
    if mode == DataMode::Sol {
        // Nothing is read of them but at which precisions latent attention was measured.
        let latent = tables.into_iter().filter(|(family, _)| *family == "mla");
        return Ok(latent.filter_map(|(family, precision)| pack.file(family, &precision).cloned()).collect());
    }
    let estimates = mode != DataMode::Silicon;
    let mut out: Vec<PackFile> = Vec::new();
    let mut add = |file: &PackFile| {
        if !out.contains(file) {
            out.push(file.clone());
        }
    };
    for (family, precision) in tables {
        let of_family: Vec<&PackFile> = pack.files.iter().filter(|file| file.family == family).collect();
        let own = pack.file(family, &precision);
        let stand_ins: Vec<&PackFile> = match family {
            _ if !estimates => Vec::new(),
            _ if COMPARABLE.contains(&family) => of_family.clone(),
            // Blocks of grouped queries are compared with those of latent ones.
            "msa" => pack.files.iter().filter(|file| file.family == "dsa").collect(),
            _ => Vec::new(),
        };
        if own.is_none() && stand_ins.is_empty() && !models::may_lack(setup.backend, family) {
            let wanted = PackFile { family: family.to_owned(), precision, name: String::new(), bytes: 0 };
            return Err(no_table(system, setup.backend, &wanted, &of_family));
        }
        own.into_iter().chain(stand_ins).for_each(&mut add);
    }
    // Nothing is estimated of an all-to-all exchange.
    if mode != DataMode::Empirical {
        models::optional_tables(setup).iter().filter_map(|family| pack.file(family, "")).for_each(&mut add);
    }
    Ok(out)
}
