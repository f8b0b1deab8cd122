//! Operators made of operators.

use super::{Gap, Kernel, Measure, Roofline, Shape, Timing, sum};
use crate::explain::Bound;
use crate::perf::grid::Miss;
use crate::source::Source;

/// Rooflines of several kernels, one after another.
fn rooflines(kernels: &[Kernel], shape: Shape) -> Roofline {
    let mut total = Roofline { ms: None, bound: Bound::Memory };
    let mut largest = 0.0;
    for kernel in kernels {
        let Roofline { ms: Some(ms), bound } = kernel.roofline(shape) else { continue };
        let ms = ms * kernel.count;
        total.ms = Some(total.ms.unwrap_or(0.0) + ms);
        if ms > largest {
            (largest, total.bound) = (ms, bound);
        }
    }
    total
}

/// Two branches at the same time.
#[derive(Clone, Debug)]
pub(super) struct Overlap {
    pub a: Vec<Kernel>,
    pub b: Vec<Kernel>,
}

impl Overlap {
    /// The slower branch and its time.
    fn slower(&self, shape: Shape) -> Result<(&[Kernel], Timing), Miss> {
        let (a, b) = (sum(&self.a, shape)?, sum(&self.b, shape)?);
        Ok(if a.ms >= b.ms { (&self.a, a) } else { (&self.b, b) })
    }
}

impl Measure for Overlap {
    fn latency(&self, shape: Shape, _: f64) -> Result<Timing, Miss> {
        Ok(self.slower(shape)?.1)
    }

    fn roofline(&self, shape: Shape, _: f64) -> Roofline {
        rooflines(self.slower(shape).map_or(&self.a, |(branch, _)| branch), shape)
    }

    fn parts(&self, shape: Shape) -> Option<&[Kernel]> {
        Some(self.slower(shape).map_or(&self.a, |(branch, _)| branch))
    }

    fn source(&self) -> Source {
        Source::Mixed
    }
}

/// A preferred operator and what stands in where it was not measured.
#[derive(Clone, Debug)]
pub(super) struct Fallback {
    /// Empty where its table does not exist at all.
    pub primary: Vec<Kernel>,
    pub otherwise: Result<Vec<Kernel>, Gap>,
}

impl Fallback {
    fn chosen(&self, shape: Shape) -> Result<(&[Kernel], Timing), Miss> {
        if !self.primary.is_empty()
            && let Ok(timing) = sum(&self.primary, shape)
        {
            return Ok((&self.primary, timing));
        }
        let otherwise = self.otherwise.as_ref().map_err(|_| Miss)?;
        Ok((otherwise, sum(otherwise, shape)?))
    }
}

impl Measure for Fallback {
    fn latency(&self, shape: Shape, _: f64) -> Result<Timing, Miss> {
        Ok(self.chosen(shape)?.1)
    }

    fn roofline(&self, shape: Shape, _: f64) -> Roofline {
        rooflines(self.chosen(shape).map_or(&[], |(kernels, _)| kernels), shape)
    }

    fn parts(&self, shape: Shape) -> Option<&[Kernel]> {
        self.chosen(shape).ok().map(|(kernels, _)| kernels)
    }
}
