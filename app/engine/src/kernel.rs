//! Operators bound to measured tables: shape in, latency out.
//!
//! Formulas and rooflines are those of the measured tables' publisher (perf tables of
//! aiconfigurator-core, see NOTICE). Latencies are ms; memory sizes decimal bytes.

mod attention;
mod bind;
mod comm;

pub use bind::Binder;

use std::sync::Arc;

use crate::explain::Bound;
use crate::perf::gemm::{GemmShape, GemmTable};
use crate::perf::grid::{GridTable, Miss, Reading};
use crate::quant::Pipe;
use crate::source::Source;
use crate::system::SystemSpec;
use attention::{ContextAttention, EncoderAttention, GenerationAttention};
use comm::Collective;

/// Why an operator has no latency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// Nothing was measured for the shape of this operator.
    NoData(&'static str),
    /// The GPU has no such tensor cores.
    NoPeak(Pipe),
}

/// What an operator is run on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// Tokens on this rank.
    pub tokens: f64,
    /// Requests.
    pub batch: f64,
    /// New tokens per request in prefill, KV length in decode.
    pub seq: f64,
    /// Cached tokens per request.
    pub prefix: f64,
}

/// Latency by provenance, ms.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timing {
    /// Everything.
    pub ms: f64,
    /// The part read inside measured tables.
    pub measured: f64,
    /// The part extrapolated beyond measured tables.
    pub held: f64,
}

impl Timing {
    /// A formula's result.
    pub fn formula(ms: f64) -> Self {
        Self { ms, measured: 0.0, held: 0.0 }
    }

    /// Adds `count` times `other`.
    pub fn add(&mut self, count: f64, other: Self) {
        self.ms += count * other.ms;
        self.measured += count * other.measured;
        self.held += count * other.held;
    }

    fn scaled(self, factor: f64) -> Self {
        Self { ms: self.ms * factor, measured: self.measured * factor, held: self.held * factor }
    }
}

impl From<Reading> for Timing {
    fn from(reading: Reading) -> Self {
        let ms = reading.value;
        if reading.inside {
            Self { ms, measured: ms, held: 0.0 }
        } else {
            Self { ms, measured: 0.0, held: ms }
        }
    }
}

/// Roofline of one operator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Roofline {
    /// The bound, ms; none where there is no roofline.
    pub ms: Option<f64>,
    /// What it is bound by.
    pub bound: Bound,
}

impl Roofline {
    fn of(compute_ms: f64, memory_ms: f64) -> Self {
        let bound = if compute_ms >= memory_ms { Bound::Compute } else { Bound::Memory };
        Self { ms: Some(compute_ms.max(memory_ms)), bound }
    }
}

/// Memory-bound work: `bytes/(bandwidth · scale) + constant`.
#[derive(Clone, Copy, Debug)]
struct MemoryOp {
    ms_per_byte: f64,
    constant_ms: f64,
    peak_ms_per_byte: f64,
}

impl MemoryOp {
    fn new(system: &SystemSpec) -> Self {
        Self {
            ms_per_byte: 1e3 / (system.mem_bw_bytes_per_sec * system.mem_bw_scale),
            constant_ms: system.mem_latency_s * 1e3,
            peak_ms_per_byte: 1e3 / system.mem_bw_bytes_per_sec,
        }
    }

    fn ms(&self, bytes: f64) -> f64 {
        bytes * self.ms_per_byte + self.constant_ms
    }
}

/// Quantisation kernels that a static FP8 product does without.
#[derive(Clone, Debug)]
struct ScaleTable {
    table: Arc<GridTable>,
    m: (f64, f64),
    k: (f64, f64),
    sol_per_element: f64,
    /// Whether the latency keeps growing with the tensor outside the table.
    grows: bool,
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
struct Gemm {
    table: Arc<GemmTable>,
    shape: GemmShape,
    n: f64,
    k: f64,
    /// Static FP8: what to take off the dynamic product.
    without: Vec<ScaleTable>,
    is_static: bool,
}

impl Gemm {
    fn latency(&self, m: f64) -> Result<Timing, Miss> {
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

#[derive(Clone, Debug)]
enum Run {
    /// Nothing to do at these parallel sizes.
    Nothing,
    Memory {
        op: MemoryOp,
        bytes_per_token: f64,
    },
    Gemm(Box<Gemm>),
    ContextAttention(Box<ContextAttention>),
    GenerationAttention(Box<GenerationAttention>),
    EncoderAttention(Box<EncoderAttention>),
    Collective(Box<Collective>),
    P2p {
        ms_per_token: f64,
        constant_ms: f64,
    },
}

/// One operator, bound to its tables.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// Name, such as `qkv_gemm`.
    pub name: &'static str,
    /// How often a step runs it.
    pub count: f64,
    seq_split: f64,
    run: Run,
}

impl Kernel {
    /// Latency of one run.
    pub fn latency(&self, shape: Shape) -> Result<Timing, Gap> {
        let tokens = (shape.tokens / self.seq_split).ceil();
        let timing = match &self.run {
            Run::Nothing => Ok(Timing::default()),
            Run::Memory { op, bytes_per_token } => Ok(Timing::formula(op.ms(bytes_per_token * tokens))),
            Run::Gemm(gemm) => gemm.latency(tokens),
            Run::ContextAttention(attention) => attention.latency(shape.batch, shape.seq, shape.prefix),
            Run::GenerationAttention(attention) => attention.latency(shape.batch, shape.seq),
            Run::EncoderAttention(attention) => attention.latency(shape.batch, shape.seq),
            Run::Collective(collective) => collective.latency(tokens),
            Run::P2p { ms_per_token, constant_ms } => {
                Ok(Timing::formula(ms_per_token * tokens + constant_ms))
            }
        };
        timing.map_err(|Miss| Gap::NoData(self.name))
    }

    /// Roofline of one run.
    pub fn roofline(&self, shape: Shape) -> Roofline {
        let tokens = (shape.tokens / self.seq_split).ceil();
        match &self.run {
            Run::Nothing => Roofline { ms: None, bound: Bound::Memory },
            Run::Memory { op, bytes_per_token } => {
                Roofline::of(0.0, bytes_per_token * tokens * op.peak_ms_per_byte)
            }
            Run::Gemm(gemm) => {
                let (compute, memory) = gemm.table.sol.parts(tokens, gemm.n, gemm.k);
                Roofline::of(compute, memory)
            }
            Run::ContextAttention(attention) => attention.roofline(shape.batch, shape.seq, shape.prefix),
            Run::GenerationAttention(attention) => attention.roofline(shape.batch, shape.seq),
            Run::EncoderAttention(attention) => attention.roofline(shape.batch, shape.seq),
            Run::Collective(collective) => {
                Roofline { ms: Some(collective.sol_ms(tokens)), bound: Bound::Network }
            }
            Run::P2p { ms_per_token, .. } => {
                Roofline { ms: Some(ms_per_token * tokens), bound: Bound::Network }
            }
        }
    }

    /// Where its latency comes from.
    pub fn source(&self) -> Source {
        match &self.run {
            Run::Memory { .. } => Source::Empirical,
            Run::Gemm(gemm) if gemm.is_static => Source::Estimated,
            Run::ContextAttention(_) => Source::Mixed,
            _ => Source::Silicon,
        }
    }
}
