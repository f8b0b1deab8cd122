//! What answers for a piece of work: measurements, an estimate from its neighbours, or the roofline.

use perf_data::{Grid, Slice};

use super::{Binder, Gap, Timing};
use crate::perf::curve::Curve;
use crate::perf::estimate::Estimate;
use crate::perf::grid::{GridTable, Miss};
use crate::source::DataMode;

/// A table of one kind, or what stands for it.
#[derive(Clone, Debug)]
pub(super) enum Answer<T> {
    /// Measurements alone.
    Table(T),
    /// Measurements, and where they have nothing the estimate.
    Either(T, Estimate),
    /// The estimate alone.
    Estimate(Estimate),
    /// The roofline.
    Roofline,
}

impl<T> Answer<T> {
    /// Latency: `read` asks the table, an estimate takes the roofline `bound` and the utilisation `at`.
    pub(super) fn timing(
        &self,
        read: impl FnOnce(&T) -> Result<Timing, Miss>,
        at: &[f64],
        bound: impl FnOnce() -> f64,
    ) -> Result<Timing, Miss> {
        match self {
            Self::Table(table) => read(table),
            Self::Either(table, estimate) => read(table).or_else(|Miss| estimated(estimate, at, bound())),
            Self::Estimate(estimate) => estimated(estimate, at, bound()),
            Self::Roofline => Ok(Timing::roofline(bound())),
        }
    }
}

fn estimated(estimate: &Estimate, at: &[f64], bound: f64) -> Result<Timing, Miss> {
    // Nothing to do takes no time, however little is known of it.
    if bound <= 0.0 { Ok(Timing::default()) } else { Ok(Timing::estimate(estimate.ms(at, bound)?)) }
}

impl Binder<'_> {
    /// What answers in the mode of the tables; `label` names the work that nothing answers for.
    pub(super) fn answer<T>(
        self,
        label: &'static str,
        table: impl FnOnce() -> Option<T>,
        estimate: impl FnOnce() -> Option<Estimate>,
    ) -> Result<Answer<T>, Gap> {
        match self.mode() {
            DataMode::Silicon => table().map(Answer::Table).ok_or(Gap::NoData(label)),
            DataMode::Hybrid => match (table(), estimate()) {
                (Some(table), Some(estimate)) => Ok(Answer::Either(table, estimate)),
                (Some(table), None) => Ok(Answer::Table(table)),
                (None, Some(estimate)) => Ok(Answer::Estimate(estimate)),
                (None, None) => Err(Gap::NoEstimate(label)),
            },
            DataMode::Empirical => estimate().map(Answer::Estimate).ok_or(Gap::NoEstimate(label)),
            DataMode::Sol => Ok(Answer::Roofline),
        }
    }

    /// A slice, estimated from itself; `sol` is the roofline at its points.
    pub(super) fn grid_answer(
        self,
        label: &'static str,
        grid: Option<&Grid>,
        sqrt_axis: Option<usize>,
        sol: impl Fn(&[f64]) -> f64,
    ) -> Result<Answer<GridTable>, Gap> {
        let table = || Some(GridTable::new(grid?.clone(), sqrt_axis, |_, ms| ms));
        self.answer(label, table, || Estimate::of(grid?, sol))
    }

    /// The same over one axis.
    pub(super) fn curve_answer(
        self,
        label: &'static str,
        slice: Option<&Slice>,
        sol: impl Fn(f64) -> f64,
    ) -> Result<Answer<Curve>, Gap> {
        let table = || {
            let grid = &slice?.grid;
            Curve::new(grid.levels.first()?.keys.clone(), grid.values.clone())
        };
        self.answer(label, table, || Estimate::of(&slice?.grid, |q| sol(q[0])))
    }

    /// For work that only measurements answer for.
    pub(super) fn needs_tables(self, label: &'static str) -> Result<(), Gap> {
        match self.mode() {
            DataMode::Silicon | DataMode::Hybrid => Ok(()),
            DataMode::Empirical | DataMode::Sol => Err(Gap::NoEstimate(label)),
        }
    }
}
