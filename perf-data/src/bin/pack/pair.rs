//! One pack: all files of one (system, backend).

use anyhow::{Context, Result};
use perf_data::{FileInfo, Key, Pack, PackEntry, PackFile, Table, TableInfo, content_hash};
use serde_yaml::Value;

use crate::catalog::{FAMILIES, Family};
use crate::merge::{self, Merge};
use crate::sources::Resolver;
use crate::spec::Spec;
use crate::wheel::Wheel;
use crate::{lanes, table};

/// How many values of each table are written down for the tests.
const SPOTS: usize = 10;

/// What is built: one system, one backend, one version.
pub(crate) struct Pair<'a> {
    pub(crate) system: &'a str,
    pub(crate) description: &'a Value,
    pub(crate) backend: &'a str,
    pub(crate) version: &'a str,
    /// Name and version of the published data.
    pub(crate) source: &'a str,
}

/// A pack in memory, and what the tests hold it against.
pub(crate) struct Built {
    pub(crate) entry: PackEntry,
    /// Content of each file of the entry.
    pub(crate) contents: Vec<Vec<u8>>,
    /// Table and number of rows.
    pub(crate) rows: Vec<(&'static str, usize)>,
    /// Table, key, place, value.
    pub(crate) spots: Vec<(&'static str, String, String, f64)>,
}

impl Pair<'_> {
    /// Builds the pack, or nothing if no table of this backend was published for the system.
    pub(crate) fn build(&self, wheel: &mut Wheel) -> Result<Option<Built>> {
        let root = self.description.get("data_dir").and_then(Value::as_str).context("no data_dir")?;
        let resolver = Resolver::new(wheel, root, self.backend, self.version)?;
        if !resolver.has_data(wheel) {
            return Ok(None);
        }
        let entry = PackEntry {
            system: self.system.into(),
            backend: self.backend.into(),
            version: self.version.into(),
            id: String::new(),
            files: Vec::new(),
        };
        let mut built = Built { entry, contents: Vec::new(), rows: Vec::new(), spots: Vec::new() };
        for family in FAMILIES {
            let mut tables = Vec::new();
            for spec in family.tables {
                let merge =
                    self.read(wheel, &resolver, spec).with_context(|| format!("table {}", spec.name))?;
                if !merge.slices.is_empty() {
                    built.note(spec, &merge);
                    tables.push((spec, self.order(wheel, family, &merge)?, merge));
                }
            }
            for (precision, tables) in split(family, tables) {
                self.write(&mut built, family.name, precision, tables)?;
            }
        }
        built.entry.id = PackEntry::identity(&built.entry.files);
        Ok(Some(built))
    }

    fn read(&self, wheel: &mut Wheel, resolver: &Resolver, spec: &Spec) -> Result<Merge> {
        let sources = match spec.name {
            "nccl" | "oneccl" => {
                let version =
                    self.description.get("misc").and_then(|misc| misc.get(format!("{}_version", spec.name)));
                version
                    .and_then(Value::as_str)
                    .map_or_else(Vec::new, |version| resolver.library(wheel, spec.name, version))
            }
            _ => resolver.sources(wheel, spec.file),
        };
        // B60 was measured without graphs only.
        let eager = spec.name != "custom_allreduce" || self.system == "b60";
        table::read(wheel, spec, &sources, eager)
    }

    /// What a single file cannot show: the order of lanes, or of the precisions of all files.
    fn order(&self, wheel: &mut Wheel, family: &Family, merge: &Merge) -> Result<Vec<String>> {
        if family.name.ends_with("_attention") && family.name != "encoder_attention" {
            let sm =
                self.description.get("gpu").and_then(|gpu| gpu.get("sm_version")).and_then(Value::as_u64);
            let default = lanes::default_lane(wheel, self.backend, self.version, sm)?;
            return Ok(lanes::order(merge, default.as_deref()));
        }
        let mut order = Vec::new();
        if !family.split.is_empty() {
            for name in merge.slices.iter().filter_map(|(key, _)| key.first()?.as_text()) {
                if order.iter().all(|other| other != name) {
                    order.push(name.to_owned());
                }
            }
        }
        Ok(order)
    }

    fn write(&self, built: &mut Built, family: &str, precision: String, tables: Vec<Table>) -> Result<()> {
        let info = FileInfo {
            system: self.system.into(),
            backend: self.backend.into(),
            version: self.version.into(),
            family: family.into(),
            precision: precision.clone(),
            source: self.source.into(),
            tables: Vec::new(),
        };
        let bytes = Pack { info, tables }.to_bytes()?;
        let dash = if precision.is_empty() { "" } else { "-" };
        let name = format!(
            "{}.{}.{family}{dash}{precision}.{}.pack",
            self.system,
            self.backend,
            content_hash(&bytes)
        );
        built.entry.files.push(PackFile {
            family: family.into(),
            precision,
            name,
            bytes: bytes.len() as u64,
        });
        built.contents.push(bytes);
        Ok(())
    }
}

impl Built {
    fn note(&mut self, spec: &Spec, merge: &Merge) {
        let leaves =
            || merge.slices.iter().flat_map(|(key, leaves)| leaves.iter().map(move |leaf| (key, leaf)));
        let rows = leaves().count();
        self.rows.push((spec.name, rows));
        for (key, leaf) in leaves().step_by(rows.div_ceil(SPOTS)) {
            let place =
                leaf.place[..spec.axes.len()].iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
            self.spots.push((spec.name, text(key), place, leaf.value));
        }
    }
}

/// A key on one line.
fn text(key: &[Key]) -> String {
    let parts = key.iter().map(|part| match part {
        Key::Int(value) => value.to_string(),
        Key::Text(text) => text.to_string(),
    });
    parts.collect::<Vec<_>>().join("|")
}

/// The tables of each file, sorted by precision.
fn split(family: &Family, tables: Vec<(&Spec, Vec<String>, Merge)>) -> Vec<(String, Vec<Table>)> {
    let mut files: std::collections::BTreeMap<String, Vec<Table>> = std::collections::BTreeMap::new();
    for (spec, lanes, merge) in tables {
        let columns: Vec<_> = family
            .split
            .iter()
            .filter_map(|name| spec.key.iter().position(|(column, _)| column == name))
            .collect();
        for (key, leaves) in merge.slices {
            let precision =
                columns.iter().filter_map(|column| key[*column].as_text()).collect::<Vec<_>>().join("-");
            let tables = files.entry(precision).or_default();
            if tables.last().is_none_or(|table| table.info.name != spec.name) {
                tables.push(Table { info: info(spec, lanes.clone()), slices: Vec::new() });
            }
            if let Some(table) = tables.last_mut() {
                table.info.rows += leaves.len() as u64;
                table.slices.push(merge::slice(key, &leaves, spec.axes.len()));
            }
        }
    }
    files.into_iter().collect()
}

fn info(spec: &Spec, lanes: Vec<String>) -> TableInfo {
    TableInfo {
        name: spec.name.into(),
        key: spec.key_names(),
        axes: spec.axes.iter().map(|(name, _)| (*name).into()).collect(),
        unit: spec.unit.into(),
        exact: spec.exact,
        lanes,
        rows: 0,
    }
}
