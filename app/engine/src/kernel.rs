//! Operators bound to measured tables: shape in, latency out.
//!
//! Formulas and rooflines are those of the measured tables' publisher (perf tables of
//! aiconfigurator-core, see NOTICE). Latencies are ms; memory sizes decimal bytes.

mod answer;
mod attention;
mod attention_estimate;
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
mod moe_estimate;
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
    /// Nothing like this operator was measured either, so that it cannot be estimated.
    NoEstimate(&'static str),
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
    /// The part that is the roofline at the utilisation of measured neighbours.
    pub empirical: f64,
    /// The part that is the roofline itself.
    pub sol: f64,
}

impl Timing {
    /// A formula's result.
    pub fn formula(ms: f64) -> Self {
        Self { ms, ..Self::default() }
    }

    /// A roofline.
    pub fn roofline(ms: f64) -> Self {
        Self { ms, sol: ms, ..Self::default() }
    }

    /// A roofline at the utilisation of measured neighbours.
    pub fn estimate(ms: f64) -> Self {
        Self { ms, empirical: ms, ..Self::default() }
    }

    /// A measurement.
    pub fn measurement(ms: f64) -> Self {
        Self { ms, measured: ms, ..Self::default() }
    }

    /// Adds `count` times `other`.
    pub fn add(&mut self, count: f64, other: Self) {
        self.ms += count * other.ms;
        self.measured += count * other.measured;
        self.held += count * other.held;
        self.empirical += count * other.empirical;
        self.sol += count * other.sol;
    }

    /// So many ms of the same provenance; `held` when part of them lies beyond measured tables.
    fn as_much(self, ms: f64, held: bool) -> Self {
        let measured = self.measured + self.held > 0.0;
        if !measured {
            return if self.sol > 0.0 { Self::roofline(ms) } else { Self::estimate(ms) };
        }
        if held { Self { ms, held: ms, ..Self::default() } } else { Self::measurement(ms) }
    }

    fn scaled(self, factor: f64) -> Self {
        Self {
            ms: self.ms * factor,
            measured: self.measured * factor,
            held: self.held * factor,
            empirical: self.empirical * factor,
            sol: self.sol * factor,
        }
    }
}

impl From<Reading> for Timing {
    fn from(reading: Reading) -> Self {
        let ms = reading.value;
        if reading.inside { Self::measurement(ms) } else { Self { ms, held: ms, ..Self::default() } }
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

    /// Where a latency of it comes from.
    pub fn source(&self, timing: Timing) -> Source {
        if timing.empirical + timing.sol <= 0.0 {
            self.run.source()
        } else if timing.empirical >= timing.ms {
            Source::Empirical
        } else if timing.sol >= timing.ms {
            Source::Sol
        } else {
            Source::Mixed
        }
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
