//! Dense products and memory-bound work.

use std::sync::Arc;

use super::answer::Answer;
use super::{Binder, Gap, Measure, Roofline, Shape, Timing};
use crate::ops::OpKind;
use crate::perf::Part;
use crate::perf::estimate::Estimate;
use crate::perf::gemm::{GemmShape, GemmSol, GemmTable};
use crate::perf::grid::{GridTable, Miss};
use crate::quant::Quant;
use crate::source::{DataMode, Source};
use crate::system::SystemSpec;

/// Memory-bound work: `bytes/(bandwidth · scale) + constant`.
#[derive(Clone, Copy, Debug)]
pub(super) struct MemoryOp {
    ms_per_byte: f64,
    constant_ms: f64,
    peak_ms_per_byte: f64,
    /// Whether only the bandwidth counts.
    bare: bool,
}

impl MemoryOp {
    pub(super) fn new(system: &SystemSpec, mode: DataMode) -> Self {
        Self {
            bare: mode == DataMode::Sol,
            ms_per_byte: 1e3 / (system.mem_bw_bytes_per_sec * system.mem_bw_scale),
            constant_ms: system.mem_latency_s * 1e3,
            peak_ms_per_byte: 1e3 / system.mem_bw_bytes_per_sec,
        }
    }

    pub(super) fn timing(&self, bytes: f64) -> Timing {
        if self.bare {
            Timing::roofline(bytes * self.peak_ms_per_byte)
        } else {
            Timing::formula(bytes * self.ms_per_byte + self.constant_ms)
        }
    }
}

/// Memory-bound work on every token.
#[derive(Clone, Copy, Debug)]
pub(super) struct PerToken {
    pub op: MemoryOp,
    pub bytes: f64,
}

impl Measure for PerToken {
    fn latency(&self, _: Shape, tokens: f64) -> Result<Timing, Miss> {
        Ok(self.op.timing(self.bytes * tokens))
    }

    fn roofline(&self, _: Shape, tokens: f64) -> Roofline {
        Roofline::of(0.0, self.bytes * tokens * self.op.peak_ms_per_byte)
    }

    fn source(&self) -> Source {
        Source::Empirical
    }
}

/// Quantisation kernels that a static FP8 product does without.
#[derive(Clone, Debug)]
pub(super) struct ScaleTable {
    /// Tensor sizes, and the range of them that was measured.
    pub table: Answer<(GridTable, [(f64, f64); 2])>,
    pub sol_per_element: f64,
    /// Whether the latency keeps growing with the tensor outside the table.
    pub grows: bool,
}

impl ScaleTable {
    fn timing(&self, m: f64, k: f64) -> Result<Timing, Miss> {
        let read = |(table, [rows, columns]): &(GridTable, [(f64, f64); 2])| {
            let at = [m.clamp(rows.0, rows.1), k.clamp(columns.0, columns.1)];
            let mut reading = table.query(&at, &|q| self.sol_per_element * q[0] * q[1])?;
            if at != [m, k] {
                reading.inside = false;
                if self.grows {
                    reading.value *= (m * k) / (at[0] * at[1]);
                }
            }
            Ok(reading.into())
        };
        self.table.timing(read, &[m, k], || self.sol_per_element * m * k)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Gemm {
    pub table: Answer<(Arc<GemmTable>, GemmShape)>,
    pub sol: GemmSol,
    pub n: f64,
    pub k: f64,
    /// Static FP8: what to take off the dynamic product.
    pub without: Vec<ScaleTable>,
    pub is_static: bool,
    /// Outside the measured shapes the roofline answers.
    pub roofline_below: bool,
}

impl Gemm {
    fn bound(&self, m: f64) -> f64 {
        self.sol.ms(m, self.n, self.k)
    }

    fn dynamic(&self, m: f64) -> Result<Timing, Miss> {
        let read = |(table, shape): &(Arc<GemmTable>, GemmShape)| Ok(table.latency(shape, m)?.into());
        self.table.timing(read, &[m, self.n, self.k], || self.bound(m))
    }

    fn measured(&self, m: f64) -> Result<Timing, Miss> {
        let whole = self.dynamic(m)?;
        if !self.is_static {
            return Ok(whole);
        }
        let mut ms = whole.ms;
        let mut held = whole.held > 0.0;
        for scale in &self.without {
            let saved = scale.timing(m, self.k)?;
            ms -= saved.ms;
            held |= saved.held > 0.0;
        }
        let ms = ms.max(self.bound(m)).max(0.0);
        Ok(whole.as_much(ms, held))
    }
}

impl Measure for Gemm {
    fn latency(&self, _: Shape, tokens: f64) -> Result<Timing, Miss> {
        match self.measured(tokens) {
            Err(Miss) if self.roofline_below => Ok(Timing::formula(self.bound(tokens))),
            found => found,
        }
    }

    fn roofline(&self, _: Shape, tokens: f64) -> Roofline {
        let (compute, memory) = self.sol.parts(tokens, self.n, self.k);
        Roofline::of(compute, memory)
    }

    fn source(&self) -> Source {
        if self.is_static { Source::Estimated } else { Source::Silicon }
    }
}

impl Binder<'_> {
    pub(super) fn per_token(self, bytes: f64) -> Arc<dyn Measure> {
        Arc::new(PerToken { op: self.memory_op(), bytes })
    }

    pub(super) fn memory_op(self) -> MemoryOp {
        MemoryOp::new(self.db().system(), self.mode())
    }

    pub(super) fn gemm(self, kind: &OpKind) -> Result<Arc<dyn Measure>, Gap> {
        let OpKind::Gemm { n, k, quant, low_precision_input, roofline_below } = *kind else {
            return Err(Gap::NoData(kind.label()));
        };
        let is_static = quant == Quant::Fp8Static;
        let quant = if is_static { Quant::Fp8 } else { quant };
        let flops = self.peak(quant.pipe())?;
        let sol = GemmSol { flops, bytes: quant.bytes(), bandwidth: self.db().system().mem_bw_bytes_per_sec };
        let table = || {
            let table = self.db().gemm(quant)?;
            let shape = table.shape(n, k);
            Some((table, shape))
        };
        let table = self.answer(kind.label(), table, || self.db().gemm_estimate(quant))?;
        let mut without = Vec::new();
        if is_static {
            without.push(self.scale_table("computescale", 2.0, false)?);
            if low_precision_input {
                without.push(self.scale_table("scale_matrix", 3.0, true)?);
            }
        }
        // The estimate reaches further than the measured shapes.
        let roofline_below = roofline_below && self.mode() == DataMode::Silicon;
        let (n, k) = (f64::from(n), f64::from(k));
        Ok(Arc::new(Gemm { table, sol, n, k, without, is_static, roofline_below }))
    }

    fn scale_table(self, name: &str, bytes: f64, grows: bool) -> Result<ScaleTable, Gap> {
        let sol_per_element = bytes / self.db().system().mem_bw_bytes_per_sec * 1e3;
        let key = [Part::Text("fp8")];
        let slice = self.db().slice(name, &key);
        let table = || {
            let grid = GridTable::new(slice?.grid.clone(), None, |_, ms| ms);
            let range = |(lo, hi): (u32, u32)| (f64::from(lo), f64::from(hi));
            let sizes = [range(grid.envelope(0)?), range(grid.envelope(1)?)];
            Some((grid, sizes))
        };
        let sol = |q: &[f64]| sol_per_element * q[0] * q[1];
        let estimate = || {
            let grid = &slice?.grid;
            // A saving of nothing is a measurement as well.
            if grows { Estimate::of(grid, sol) } else { Estimate::of_savings(grid, sol) }
        };
        Ok(ScaleTable { table: self.answer("gemm", table, estimate)?, sol_per_element, grows })
    }
}
