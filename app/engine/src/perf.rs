//! Measured tables of one system and backend, bound to operator shapes.
//!
//! Binding looks a table slice up once; evaluating a bound operator is arithmetic and table lookups only.

pub mod grid;
pub mod curve;
pub mod exchange;
pub mod gemm;

use std::collections::BTreeMap;
use std::sync::Arc;

use perf_data::{Key, Pack, Slice, Table};

use crate::quant::Quant;
use crate::system::SystemSpec;
use curve::Curve;
use gemm::{GemmSol, GemmTable, Site};
use grid::GridTable;

/// Decoded pack files of one system and backend.
#[derive(Clone, Debug)]
pub struct PerfDb {
    system: Arc<SystemSpec>,
    packs: Vec<Arc<Pack>>,
    gemms: BTreeMap<Quant, Arc<GemmTable>>,
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
    /// Tables of `system` in these pack files.
    pub fn new(system: Arc<SystemSpec>, packs: Vec<Arc<Pack>>) -> Self {
        let mut db = Self { system, packs, gemms: BTreeMap::new() };
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

    /// The GPU system.
    pub fn system(&self) -> &SystemSpec {
        &self.system
    }

    fn tables<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Table> {
        self.packs.iter().filter_map(move |pack| pack.table(name))
    }

    /// All slices of a table over its files, first measured first.
    pub fn slices<'a>(&'a self, table: &'a str) -> impl Iterator<Item = &'a Slice> {
        self.tables(table).flat_map(|table| &table.slices)
    }

    /// The slice with exactly this key.
    pub fn slice<'a>(&'a self, table: &'a str, key: &'a [Part<'a>]) -> Option<&'a Slice> {
        self.slices(table).find(|slice| matches(&slice.key, key))
    }

    /// The slice of an attention table in the first kernel lane that has it.
    pub fn lane_slice<'a>(&'a self, table: &'a str, key: &'a [Part<'a>]) -> Option<&'a Slice> {
        self.tables(table).find_map(|table| {
            let found: Vec<_> = table.slices.iter().filter(|slice| matches(&slice.key[1..], key)).collect();
            let rank = |slice: &Slice| {
                let lane = slice.key[0].as_text();
                table.info.lanes.iter().position(|name| Some(name.as_str()) == lane).unwrap_or(usize::MAX)
            };
            found.into_iter().min_by_key(|slice| rank(slice))
        })
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
