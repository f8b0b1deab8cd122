//! Operators bound to measured tables: shape in, latency out.
//!
//! Formulas and rooflines are those of the measured tables' publisher (perf tables of
//! aiconfigurator-core, see NOTICE). Latencies are ms; memory sizes decimal bytes.

mod attention;
mod bind;
mod comm;
mod compose;
mod delta;
mod dense;
mod dsa;
mod dsv4;
mod mamba;
mod exchange;
mod mla;
mod mla_wide;
mod moe;
mod prefill;
mod msa;
mod sparse;
mod streams;

pub use bind::Binder;

use std::fmt::Debug;
use std::sync::Arc;

use crate::explain::Bound;
use crate::perf::grid::{Miss, Reading};
use crate::quant::Pipe;
use crate::source::Source;

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

/// Something that takes time, bound to what was measured of it.
trait Measure: Debug + Send + Sync {
    /// Latency; `tokens` are those of this rank, after every split.
    fn latency(&self, shape: Shape, tokens: f64) -> Result<Timing, Miss>;

    /// Roofline of the same work.
    fn roofline(&self, shape: Shape, tokens: f64) -> Roofline;

    /// Where the latency comes from.
    fn source(&self) -> Source {
        Source::Silicon
    }

    /// The kernels that this one is made of and that count at this shape; none when it is not composed.
    fn parts(&self, _shape: Shape) -> Option<&[Kernel]> {
        None
    }
}

/// Nothing to do at these parallel sizes.
#[derive(Clone, Copy, Debug)]
struct Nothing;

impl Measure for Nothing {
    fn latency(&self, _: Shape, _: f64) -> Result<Timing, Miss> {
        Ok(Timing::default())
    }

    fn roofline(&self, _: Shape, _: f64) -> Roofline {
        Roofline { ms: None, bound: Bound::Memory }
    }
}

/// Which part of a step an operator belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepPart {
    /// The attention kernel.
    Attention,
    /// The projection of last tokens onto the vocabulary.
    Logits,
    /// Anything else.
    Rest,
}

/// One operator, bound to its tables.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// Name, such as `qkv_gemm`.
    pub name: Arc<str>,
    /// How often a step runs it.
    pub count: f64,
    /// Which part of a step it belongs to.
    pub part: StepPart,
    /// Whether it takes longer the longer the sequences are.
    pub grows: bool,
    /// What people call its kind.
    label: &'static str,
    token_divisor: f64,
    seq_split: f64,
    run: Arc<dyn Measure>,
}

impl Kernel {
    fn tokens(&self, shape: Shape) -> f64 {
        ((shape.tokens / self.token_divisor).floor() / self.seq_split).ceil()
    }

    /// Latency of one run.
    pub fn latency(&self, shape: Shape) -> Result<Timing, Gap> {
        self.run.latency(shape, self.tokens(shape)).map_err(|Miss| Gap::NoData(self.label))
    }

    /// Roofline of one run.
    pub fn roofline(&self, shape: Shape) -> Roofline {
        self.run.roofline(shape, self.tokens(shape))
    }

    /// Where its latency comes from.
    pub fn source(&self) -> Source {
        self.run.source()
    }

    /// The kernels that count inside a composed one at this shape.
    pub fn parts(&self, shape: Shape) -> Option<&[Self]> {
        self.run.parts(shape)
    }
}

/// Latency of all runs of some kernels.
fn sum(kernels: &[Kernel], shape: Shape) -> Result<Timing, Miss> {
    let mut total = Timing::default();
    for kernel in kernels {
        total.add(kernel.count, kernel.latency(shape).map_err(|_| Miss)?);
    }
    Ok(total)
}
