//! Dense products and memory-bound work.

use std::sync::Arc;

use super::{Binder, Gap, Measure, Roofline, Shape, Timing};
use crate::ops::OpKind;
use crate::perf::Part;
use crate::perf::gemm::{GemmShape, GemmTable};
use crate::perf::grid::{GridTable, Miss, Reading};
use crate::quant::Quant;
use crate::source::Source;
use crate::system::SystemSpec;

/// Memory-bound work: `bytes/(bandwidth · scale) + constant`.
#[derive(Clone, Copy, Debug)]
pub(super) struct MemoryOp {
    ms_per_byte: f64,
    constant_ms: f64,
    peak_ms_per_byte: f64,
}

impl MemoryOp {
    pub(super) fn new(system: &SystemSpec) -> Self {
        Self {
            ms_per_byte: 1e3 / (system.mem_bw_bytes_per_sec * system.mem_bw_scale),
            constant_ms: system.mem_latency_s * 1e3,
            peak_ms_per_byte: 1e3 / system.mem_bw_bytes_per_sec,
        }
    }

    pub(super) fn ms(&self, bytes: f64) -> f64 {
        bytes * self.ms_per_byte + self.constant_ms
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
        Ok(Timing::formula(self.op.ms(self.bytes * tokens)))
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
    pub table: Arc<GridTable>,
    pub m: (f64, f64),
    pub k: (f64, f64),
    pub sol_per_element: f64,
    /// Whether the latency keeps growing with the tensor outside the table.
    pub grows: bool,
}

impl ScaleTable {
    fn latency(&self, m: f64, k: f64) -> Result<Reading, Miss> {
        let at = [m.clamp(self.m.0, self.m.1), k.clamp(self.k.0, self.k.1)];
        let mut reading = self.table.query(&at, &|q| self.sol_per_element * q[0] * q[1])?;
        if at != [m, k] {
            reading.inside = false;
            if self.grows {
                reading.value *= (m * k) / (at[0] * at[1]);
            }
        }
        Ok(reading)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Gemm {
    pub table: Arc<GemmTable>,
    pub shape: GemmShape,
    pub n: f64,
    pub k: f64,
    /// Static FP8: what to take off the dynamic product.
    pub without: Vec<ScaleTable>,
    pub is_static: bool,
    /// Outside the measured shapes the roofline answers.
    pub roofline_below: bool,
}

impl Gemm {
    fn measured(&self, m: f64) -> Result<Timing, Miss> {
        let mut reading = self.table.latency(&self.shape, m)?;
        for scale in &self.without {
            let saved = scale.latency(m, self.k)?;
            reading.value -= saved.value;
            reading.inside &= saved.inside;
        }
        if self.is_static {
            reading.value = reading.value.max(self.table.sol.ms(m, self.n, self.k));
        }
        reading.value = reading.value.max(0.0);
        Ok(reading.into())
    }
}

impl Measure for Gemm {
    fn latency(&self, _: Shape, tokens: f64) -> Result<Timing, Miss> {
        match self.measured(tokens) {
            Err(Miss) if self.roofline_below => {
                Ok(Timing::formula(self.table.sol.ms(tokens, self.n, self.k)))
            }
            found => found,
        }
    }

    fn roofline(&self, _: Shape, tokens: f64) -> Roofline {
        let (compute, memory) = self.table.sol.parts(tokens, self.n, self.k);
        Roofline::of(compute, memory)
    }

    fn source(&self) -> Source {
        if self.is_static { Source::Estimated } else { Source::Silicon }
    }
}

impl Binder<'_> {
    pub(super) fn per_token(self, bytes: f64) -> Arc<dyn Measure> {
        Arc::new(PerToken { op: MemoryOp::new(self.db().system()), bytes })
    }

    pub(super) fn gemm(self, kind: &OpKind) -> Result<Arc<dyn Measure>, Gap> {
        let missing = Gap::NoData(kind.label());
        let OpKind::Gemm { n, k, quant, low_precision_input, roofline_below } = *kind else {
            return Err(missing);
        };
        let is_static = quant == Quant::Fp8Static;
        let quant = if is_static { Quant::Fp8 } else { quant };
        self.peak(quant.pipe())?;
        let table = self.db().gemm(quant).ok_or(missing)?;
        let mut without = Vec::new();
        if is_static {
            without.push(self.scale_table("computescale", 2.0, false).ok_or(missing)?);
            if low_precision_input {
                without.push(self.scale_table("scale_matrix", 3.0, true).ok_or(missing)?);
            }
        }
        let shape = table.shape(n, k);
        let (n, k) = (f64::from(n), f64::from(k));
        Ok(Arc::new(Gemm { table, shape, n, k, without, is_static, roofline_below }))
    }

    fn scale_table(self, table: &str, bytes: f64, grows: bool) -> Option<ScaleTable> {
        let grid = self.db().grid(table, &[Part::Text("fp8")], None)?;
        let (m, k) = (grid.envelope(0)?, grid.envelope(1)?);
        let range = |(lo, hi): (u32, u32)| (f64::from(lo), f64::from(hi));
        let sol_per_element = bytes / self.db().system().mem_bw_bytes_per_sec * 1e3;
        Some(ScaleTable { table: Arc::new(grid), m: range(m), k: range(k), sol_per_element, grows })
    }
}
