//! Measured tables of one system and backend, bound to operator shapes.
//!
//! Binding looks a table slice up once; evaluating a bound operator is arithmetic and table lookups only.

pub mod grid;
pub mod curve;
pub mod estimate;
pub mod exchange;
pub mod gemm;
pub mod util;
mod ladder;
mod primary;

use std::collections::BTreeMap;
use std::sync::Arc;

use perf_data::{Key, Pack, Slice, Table};

use crate::backend::Backend;
use crate::quant::Quant;
use crate::source::DataMode;
use crate::system::SystemSpec;
use curve::Curve;
use gemm::{GemmSol, GemmTable, Site};
use grid::GridTable;
use ladder::GemmEstimates;

/// Decoded pack files of one system and backend.
#[derive(Clone, Debug)]
pub struct PerfDb {
    system: Arc<SystemSpec>,
    packs: Vec<Arc<Pack>>,
    mode: DataMode,
    gemms: BTreeMap<Quant, Arc<GemmTable>>,
    estimates: GemmEstimates,
}

/// One key column of a wanted slice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Part<'a> {
    /// A name.
    Text(&'a str),
    /// A number.
    Int(u32),
}

impl Part<'_> {
    pub(crate) fn is(self, key: &Key) -> bool {
        match self {
            Self::Text(text) => key.as_text() == Some(text),
            Self::Int(value) => key.as_int() == Some(i64::from(value)),
        }
    }
}

impl PerfDb {
    /// Tables of `system` in these pack files; `mode` is how they are used.
    pub fn new(system: Arc<SystemSpec>, packs: Vec<Arc<Pack>>, mode: DataMode) -> Self {
        // What a table borrows from another version does not calibrate an estimate.
        let packs = match mode {
            DataMode::Silicon | DataMode::Hybrid => packs,
            DataMode::Empirical | DataMode::Sol => packs.into_iter().map(primary::only).collect(),
        };
        let estimates = GemmEstimates::default();
        let mut db = Self { system, packs, mode, gemms: BTreeMap::new(), estimates };
        let tables = Quant::ALL.iter().filter_map(|&quant| Some((quant, Arc::new(db.gemm_table(quant)?))));
        db.gemms = tables.collect();
        db
    }

    /// Dense products at this precision; none without measurements or without such tensor cores.
    pub fn gemm(&self, quant: Quant) -> Option<Arc<GemmTable>> {
        self.gemms.get(&quant).map(Arc::clone)
    }

    fn gemm_table(&self, quant: Quant) -> Option<GemmTable> {
        let flops = self.system.peak(quant.pipe())?;
        let sol = GemmSol { flops, bytes: quant.bytes(), bandwidth: self.system.mem_bw_bytes_per_sec };
        let dtype = Part::Text(quant.name());
        let mut sites = Vec::new();
        for slice in self.slices("gemm").filter(|slice| dtype.is(&slice.key[0])) {
            let (n, k) = (slice.key[1].as_int()? as u32, slice.key[2].as_int()? as u32);
            let keys = slice.grid.levels.first()?.keys.clone();
            // Measurements faster than the hardware allows are raised to the roofline.
            let raise = |(&m, &ms): (&u32, &f64)| ms.max(sol.ms(f64::from(m), f64::from(n), f64::from(k)));
            let values = keys.iter().zip(&slice.grid.values).map(raise).collect();
            sites.push(Site { n, k, curve: Curve::new(keys, values)? });
        }
        (!sites.is_empty()).then_some(GemmTable { sites, sol })
    }

    /// How the tables are used.
    pub fn mode(&self) -> DataMode {
        self.mode
    }

    /// The GPU system.
    pub fn system(&self) -> &SystemSpec {
        &self.system
    }

    fn tables<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Table> + use<'a> {
        let found: Vec<&Table> = self.packs.iter().filter_map(|pack| pack.table(name)).collect();
        found.into_iter()
    }

    /// All slices of a table over its files, first measured first.
    pub fn slices<'a>(&'a self, table: &str) -> impl Iterator<Item = &'a Slice> + use<'a> {
        self.tables(table).flat_map(|table| &table.slices)
    }

    /// The slice with exactly this key.
    pub fn slice(&self, table: &str, key: &[Part<'_>]) -> Option<&Slice> {
        self.slices(table).find(|slice| matches(&slice.key, key))
    }

    /// The slice of an attention table in the first kernel lane that has it.
    pub fn lane_slice(&self, table: &str, key: &[Part<'_>]) -> Option<&Slice> {
        self.tables(table).find_map(|table| {
            let found: Vec<_> = table.slices.iter().filter(|slice| matches(&slice.key[1..], key)).collect();
            let rank = |slice: &Slice| {
                let lane = slice.key[0].as_text();
                table.info.lanes.iter().position(|name| Some(name.as_str()) == lane).unwrap_or(usize::MAX)
            };
            found.into_iter().min_by_key(|slice| rank(slice))
        })
    }

    /// The slices of an attention table by kernel lane, in the order lanes are consulted.
    pub fn lanes(&self, table: &str) -> Vec<Vec<&Slice>> {
        let named = self.tables(table).flat_map(|table| &table.info.lanes).map(String::as_str);
        let seen = self.slices(table).filter_map(|slice| slice.key[0].as_text());
        let mut names: Vec<&str> = Vec::new();
        for name in named.chain(seen) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let lane =
            |name: &str| self.slices(table).filter(|slice| Part::Text(name).is(&slice.key[0])).collect();
        names.into_iter().map(lane).collect()
    }

    /// Engine that the tables were measured with; none without tables.
    pub fn backend(&self) -> Option<Backend> {
        self.packs.first().and_then(|pack| Backend::from_name(&pack.info.backend))
    }

    /// A one-axis slice as a curve.
    pub fn curve(&self, table: &str, key: &[Part<'_>]) -> Option<Curve> {
        let grid = &self.slice(table, key)?.grid;
        Curve::new(grid.levels.first()?.keys.clone(), grid.values.clone())
    }

    /// A slice as it was measured.
    pub fn grid(&self, table: &str, key: &[Part<'_>], sqrt_axis: Option<usize>) -> Option<GridTable> {
        Some(GridTable::new(self.slice(table, key)?.grid.clone(), sqrt_axis, |_, latency| latency))
    }
}

/// Whether a key has exactly these parts.
pub(crate) fn matches(have: &[Key], want: &[Part<'_>]) -> bool {
    have.len() == want.len() && want.iter().zip(have).all(|(part, key)| part.is(key))
}
