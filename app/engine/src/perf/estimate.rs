//! Latency of work that was not measured: its roofline at the utilisation of measured neighbours.

use std::sync::Arc;

use perf_data::Grid;

use super::grid::Miss;
use super::util::{Coords, Samples, points};

/// What is known of the neighbours of some work.
#[derive(Clone, Debug)]
pub struct Estimate(Kind);

#[derive(Clone, Debug)]
enum Kind {
    /// Utilisations, and what the work reaches of them.
    Utilisation(Arc<Samples>, f64),
    /// Latencies over rooflines, of which the nearest one counts.
    Share(Arc<Samples>),
    /// Utilisations of prefill after cached tokens.
    AfterPrefix(Arc<AfterPrefix>),
}

/// Prefill over axes of which one is the cached prefix and the next one the new tokens.
#[derive(Debug)]
struct AfterPrefix {
    /// Which axis the prefix is.
    axis: usize,
    /// Smallest and largest prefix, where several were measured.
    range: Option<(f64, f64)>,
    all: Samples,
    /// Whole sequences, that is without the axis of the prefix.
    whole: Option<Samples>,
}

impl AfterPrefix {
    fn utilisation(&self, query: &[f64]) -> f64 {
        let prefix = query[self.axis];
        let bracketed = self.range.is_some_and(|(first, last)| (first..=last).contains(&prefix));
        match &self.whole {
            // Beyond measured prefixes the roofline carries what they change, at the same full length.
            Some(whole) if !bracketed => {
                let mut at = without(query, self.axis);
                at[self.axis] += prefix;
                whole.blend(&at)
            }
            _ => self.all.blend(query),
        }
    }
}

/// Coordinates without one axis.
fn without(coords: &[f64], axis: usize) -> Coords {
    let mut out = Coords::default();
    let others = coords.iter().enumerate().filter(|&(at, _)| at != axis);
    for (out, (_, &x)) in out.iter_mut().zip(others) {
        *out = x;
    }
    out
}

impl Estimate {
    /// From utilisations of the same work.
    pub fn own(samples: Samples) -> Self {
        Self::scaled(samples, 1.0)
    }

    /// From utilisations of other work, `scale` being what this work reaches of them.
    pub fn scaled(samples: Samples, scale: f64) -> Self {
        Self(Kind::Utilisation(Arc::new(samples), scale))
    }

    /// From a slice; `sol` is the roofline of its points.
    pub fn of(grid: &Grid, sol: impl Fn(&[f64]) -> f64) -> Option<Self> {
        Samples::utilisation(points(grid), grid.levels.len(), sol).map(Self::own)
    }

    /// From a slice of savings, which may be nothing: the nearest point's share of its roofline.
    pub fn of_savings(grid: &Grid, sol: impl Fn(&[f64]) -> f64) -> Option<Self> {
        let axes = grid.levels.len();
        let share = |(coords, ms): (Coords, f64)| {
            let bound = sol(&coords[..axes]);
            (bound > 0.0).then(|| (coords, ms / bound))
        };
        let samples = Samples::new(points(grid).filter_map(share).collect(), axes)?;
        Some(Self(Kind::Share(Arc::new(samples))))
    }

    /// From points of prefill over so many axes, of which `axis` is the cached prefix.
    pub fn after_prefix(
        rows: &[(Coords, f64)],
        axes: usize,
        axis: usize,
        sol: impl Fn(&[f64]) -> f64,
    ) -> Option<Self> {
        let all = Samples::utilisation(rows.iter().copied(), axes, &sol)?;
        let prefixes = rows.iter().map(|(coords, _)| coords[axis]);
        let first = prefixes.clone().fold(f64::INFINITY, f64::min);
        let last = prefixes.fold(f64::NEG_INFINITY, f64::max);
        let whole = rows.iter().filter(|(coords, _)| coords[axis] == 0.0).filter_map(|(coords, ms)| {
            let bound = sol(&coords[..axes]);
            (*ms > 0.0 && bound > 0.0).then(|| (without(&coords[..axes], axis), bound / ms))
        });
        let whole = Samples::new(whole.collect(), axes - 1);
        let range = (first < last).then_some((first, last));
        Some(Self(Kind::AfterPrefix(Arc::new(AfterPrefix { axis, range, all, whole }))))
    }

    /// Latency of work with this roofline.
    pub fn ms(&self, query: &[f64], bound: f64) -> Result<f64, Miss> {
        let util = match &self.0 {
            Kind::Share(samples) => return Ok(bound * samples.at_nearest(query)),
            Kind::Utilisation(samples, scale) => samples.blend(query) * scale,
            Kind::AfterPrefix(samples) => samples.utilisation(query),
        };
        if util > 0.0 { Ok(bound / util) } else { Err(Miss) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_is_the_roofline_at_that_utilisation() {
        let samples = Samples::new(vec![([1.0, 0.0, 0.0, 0.0], 0.5)], 1).unwrap();
        assert_eq!(Estimate::scaled(samples, 2.0).ms(&[7.0], 3.0), Ok(3.0));
    }

    #[test]
    fn unmeasured_prefixes_are_read_at_the_full_length() {
        // Over (prefix, new): only whole sequences, of 4 and 16 tokens, at utilisations 1/2 and 1/8.
        let rows = [([0.0, 4.0, 0.0, 0.0], 2.0), ([0.0, 16.0, 0.0, 0.0], 8.0)];
        let estimate = Estimate::after_prefix(&rows, 2, 0, |_| 1.0).unwrap();
        assert_eq!(estimate.ms(&[12.0, 4.0], 1.0), Ok(8.0));
        assert_eq!(estimate.ms(&[0.0, 4.0], 1.0), Ok(2.0));
    }
}
