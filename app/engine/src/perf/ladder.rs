//! Utilisation of dense products at a precision that may not have been measured: its own measurements, else
//! those of a precision with the same sizes and arithmetic, else those of the most similar precision,
//! aligned by how much of the roofline each kind of precision reaches.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::estimate::Estimate;
use super::gemm::GemmSol;
use super::util::{Coords, Samples};
use super::{Part, PerfDb};
use crate::quant::Quant;

/// Estimates by precision, made when first asked for.
#[derive(Clone, Debug)]
pub(super) struct GemmEstimates(BTreeMap<Quant, OnceLock<Option<Estimate>>>);

impl Default for GemmEstimates {
    fn default() -> Self {
        Self(Quant::ALL.iter().map(|&quant| (quant, OnceLock::new())).collect())
    }
}

/// How much of the roofline dense products reach, by bytes per element and speed of the arithmetic
/// (levels of the publisher, see NOTICE).
fn level(quant: Quant) -> f64 {
    match (quant.bytes(), quant.pipe().speed()) {
        (2.0, 1.0) => 0.70,
        (1.0, 1.0) => 0.55,
        (0.5, 2.0) => 0.35,
        (_, 4.0) => 0.30,
        _ => 0.45,
    }
}

/// How far a precision is from another: arithmetic first, then size.
fn distance(a: Quant, b: Quant) -> (f64, f64) {
    ((a.pipe().speed() - b.pipe().speed()).abs(), (a.bytes() - b.bytes()).abs())
}

impl PerfDb {
    /// Utilisation of dense products at this precision; none where no precision was measured.
    pub fn gemm_estimate(&self, quant: Quant) -> Option<Estimate> {
        self.estimates.0.get(&quant)?.get_or_init(|| self.borrow_gemm(quant)).clone()
    }

    /// Precisions of a table, the one measured first before the others.
    pub fn precisions(&self, table: &str) -> Vec<Quant> {
        let has = |quant: &Quant| self.slices(table).any(|slice| Part::Text(quant.name()).is(&slice.key[0]));
        let named = self.tables(table).flat_map(|table| &table.info.lanes).map(String::as_str);
        let seen = self.slices(table).filter_map(|slice| slice.key[0].as_text());
        let mut out = Vec::new();
        for quant in named.chain(seen).filter_map(Quant::from_name) {
            if !out.contains(&quant) && has(&quant) {
                out.push(quant);
            }
        }
        out
    }

    fn borrow_gemm(&self, quant: Quant) -> Option<Estimate> {
        if let Some(samples) = self.gemm_samples(quant, quant) {
            return Some(Estimate::own(samples));
        }
        let (alike, mut others): (Vec<Quant>, Vec<Quant>) = self
            .precisions("gemm")
            .into_iter()
            .filter(|&other| other != quant)
            .partition(|&other| distance(quant, other) == (0.0, 0.0));
        if let Some(samples) = alike.first().and_then(|&other| self.gemm_samples(other, quant)) {
            return Some(Estimate::own(samples));
        }
        others.sort_by(|&a, &b| {
            let (a, b) = (distance(quant, a), distance(quant, b));
            a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
        });
        others.into_iter().find_map(|other| {
            let samples = self.gemm_samples(other, other)?;
            Some(Estimate::scaled(samples, level(quant) / level(other)))
        })
    }

    /// Utilisations at (m, n, k), measured at one precision, under the roofline of another.
    fn gemm_samples(&self, measured: Quant, roofline: Quant) -> Option<Samples> {
        let bandwidth = self.system.mem_bw_bytes_per_sec;
        let sol = |quant: Quant| {
            let flops = self.system.peak(quant.pipe())?;
            Some(GemmSol { flops, bytes: quant.bytes(), bandwidth })
        };
        let (own, sol) = (sol(measured), sol(roofline)?);
        let dtype = Part::Text(measured.name());
        let mut rows: Vec<(Coords, f64)> = Vec::new();
        for slice in self.slices("gemm").filter(|slice| dtype.is(&slice.key[0])) {
            let size = |at: usize| slice.key[at].as_int().map(|size| size as f64);
            let (n, k) = (size(1)?, size(2)?);
            let keys = &slice.grid.levels.first()?.keys;
            for (&m, &ms) in keys.iter().zip(&slice.grid.values) {
                let m = f64::from(m);
                // As in the table: nothing is faster than the hardware allows.
                let ms = own.map_or(ms, |own| ms.max(own.ms(m, n, k)));
                rows.push(([m, n, k, 0.0], ms));
            }
        }
        Samples::utilisation(rows.into_iter(), 3, |q| sol.ms(q[0], q[1], q[2]))
    }
}
