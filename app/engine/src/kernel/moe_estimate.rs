//! Utilisation of routed experts at a shape or precision that may not have been measured: the own rows, else
//! the nearest shape at the same precision, else one of a precision with the same sizes and arithmetic, else
//! one of the most similar precision, aligned by how much of the roofline each kind of precision reaches.

use perf_data::Slice;

use super::Binder;
use super::moe::MoeRows;
use crate::ops::Experts;
use crate::perf::estimate::Estimate;
use crate::perf::util::{Coords, Samples, nearest_candidate, points};
use crate::quant::Quant;

/// How much of the roofline experts reach, by bytes per element and speed of the arithmetic (levels of the
/// publisher, see NOTICE).
fn level(quant: Quant) -> f64 {
    match (quant.bytes(), quant.pipe().speed()) {
        (2.0, 1.0) => 0.53,
        (1.0, 1.0) => 0.45,
        (1.0, 2.0) => 0.40,
        (0.5, 2.0) => 0.15,
        (1.0, 4.0) => 0.30,
        (_, 4.0) => 0.23,
        (0.5 | 0.5625, 1.0) => 0.07,
        _ => 0.30,
    }
}

fn distance(a: Quant, b: Quant) -> f64 {
    (a.bytes() - b.bytes()).abs() + (a.pipe().speed() - b.pipe().speed()).abs()
}

impl<'a> Binder<'a> {
    /// The estimate; none where nothing comparable was measured.
    pub(super) fn moe_estimate(self, shape: Experts) -> Option<Estimate> {
        let own = || self.samples(self.moe_slice(shape, MoeRows::All)?, shape);
        if let Some(samples) = own() {
            return Some(Estimate::own(samples));
        }
        let mut candidates = self.candidates(shape, shape.quant);
        let others: Vec<Quant> =
            self.db().precisions("moe").into_iter().filter(|&q| q != shape.quant).collect();
        let (alike, mut others): (Vec<Quant>, Vec<Quant>) =
            others.into_iter().partition(|&other| alike(other, shape.quant));
        if candidates.is_empty() {
            let measured = |quant: Quant| self.candidates(Experts { quant, ..shape }, shape.quant);
            candidates = alike.into_iter().flat_map(measured).collect();
        }
        if let Some(samples) = self.nearest(shape, &candidates) {
            return Some(Estimate::own(samples));
        }
        others.sort_by(|&a, &b| distance(shape.quant, a).total_cmp(&distance(shape.quant, b)));
        others.into_iter().find_map(|quant| {
            let samples = self.nearest(shape, &self.candidates(Experts { quant, ..shape }, quant))?;
            Some(Estimate::scaled(samples, level(shape.quant) / level(quant)))
        })
    }

    /// Measured shapes at the precision of `shape`, split like it, under the roofline of a precision.
    fn candidates(self, shape: Experts, roofline: Quant) -> Vec<(Experts, &'a Slice)> {
        let (_, slices) = self.moe_rows(shape, MoeRows::All);
        let shape_of = |slice: &Slice| {
            let size = |at: usize| slice.key[at].as_int().and_then(|size| u32::try_from(size).ok());
            let split = (size(6)?, size(7)?) == (shape.moe_tp, shape.moe_ep);
            let (topk, experts, hidden, inter) = (size(2)?, size(3)?, size(4)?, size(5)?);
            split.then_some(Experts { topk, experts, hidden, inter, quant: roofline, ..shape })
        };
        slices.filter_map(|slice| Some((shape_of(slice)?, slice))).collect()
    }

    /// Utilisations of the candidate nearest to a shape.
    fn nearest(self, shape: Experts, candidates: &[(Experts, &Slice)]) -> Option<Samples> {
        let features = |shape: &Experts| -> Coords {
            [shape.topk, shape.experts, shape.hidden, shape.inter].map(f64::from)
        };
        let places: Vec<Coords> = candidates.iter().map(|(shape, _)| features(shape)).collect();
        let (reference, slice) = candidates.get(nearest_candidate(features(&shape), &places)?)?;
        self.samples(slice, *reference)
    }

    fn samples(self, slice: &Slice, shape: Experts) -> Option<Samples> {
        let sol = self.moe_sol(shape).ok()?;
        Samples::utilisation(points(&slice.grid), 1, |q| sol.ms(q[0]))
    }
}

/// Whether two precisions have the same sizes and arithmetic.
fn alike(a: Quant, b: Quant) -> bool {
    distance(a, b) == 0.0
}
