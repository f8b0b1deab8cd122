//! Collectives over measured message sizes.

use std::sync::Arc;

use super::answer::Answer;
use super::{Binder, Gap, Measure, Nothing, Roofline, Shape, Timing};
use crate::explain::Bound;
use crate::ops;
use crate::perf::Part;
use crate::perf::curve::Curve;
use crate::perf::grid::Miss;
use crate::source::DataMode;
use crate::system::SystemSpec;

/// A collective at one fan-out. Messages are counted in elements, not bytes.
#[derive(Clone, Debug)]
pub(super) struct Collective {
    pub table: Answer<Curve>,
    pub elements_per_token: f64,
    /// Growth from the largest measured fan-out to the wanted one.
    pub growth: f64,
    /// Roofline, ms per element.
    pub sol_ms_per_element: f64,
}

impl Measure for Collective {
    fn latency(&self, _: Shape, tokens: f64) -> Result<Timing, Miss> {
        let elements = tokens * self.elements_per_token;
        let read = |curve: &Curve| {
            let mut reading = curve.query(elements, |x| x)?;
            if self.growth != 1.0 {
                reading.value *= self.growth;
                reading.inside = false;
            }
            Ok(reading.into())
        };
        self.table.timing(read, &[elements], || elements * self.sol_ms_per_element)
    }

    fn roofline(&self, _: Shape, tokens: f64) -> Roofline {
        let ms = tokens * self.elements_per_token * self.sol_ms_per_element;
        Roofline { ms: Some(ms), bound: Bound::Network }
    }
}

/// Several collectives, one after another.
#[derive(Clone, Debug)]
pub(super) struct Sequence(pub Vec<Collective>);

impl Measure for Sequence {
    fn latency(&self, shape: Shape, tokens: f64) -> Result<Timing, Miss> {
        let mut total = Timing::default();
        for collective in &self.0 {
            total.add(1.0, collective.latency(shape, tokens)?);
        }
        Ok(total)
    }

    fn roofline(&self, shape: Shape, tokens: f64) -> Roofline {
        let ms = self.0.iter().filter_map(|collective| collective.roofline(shape, tokens).ms).sum();
        Roofline { ms: Some(ms), bound: Bound::Network }
    }
}

/// A hop between pipeline stages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hop {
    pub ms_per_token: f64,
    pub constant_ms: f64,
    /// Whether only the bandwidth counts.
    pub bare: bool,
}

impl Measure for Hop {
    fn latency(&self, _: Shape, tokens: f64) -> Result<Timing, Miss> {
        let ms = self.ms_per_token * tokens;
        Ok(if self.bare { Timing::roofline(ms) } else { Timing::formula(ms + self.constant_ms) })
    }

    fn roofline(&self, _: Shape, tokens: f64) -> Roofline {
        Roofline { ms: Some(self.ms_per_token * tokens), bound: Bound::Network }
    }
}

/// How much longer a collective takes over `gpus` than over the `measured` fan-out it was measured at.
pub(super) fn growth(system: &SystemSpec, gpus: u32, measured: u32) -> f64 {
    if gpus <= measured {
        return 1.0;
    }
    let (wide, narrow) = (f64::from(gpus), f64::from(measured));
    (wide - 1.0) / wide * narrow / (narrow - 1.0).max(1.0) * system.fan_out_bw(measured)
        / system.fan_out_bw(gpus)
}

/// A collective that may have nothing to do.
pub(super) fn one(collective: Option<Collective>) -> Arc<dyn Measure> {
    match collective {
        Some(collective) => Arc::new(collective),
        None => Arc::new(Nothing),
    }
}

impl Binder<'_> {
    /// The engine's own all-reduce of 16-bit elements; none on a single GPU.
    pub(super) fn all_reduce(self, elements: f64, gpus: u32) -> Result<Option<Collective>, Gap> {
        if gpus <= 1 {
            return Ok(None);
        }
        let fan_out = |slice: &perf_data::Slice| slice.key[0].as_int().map(|gpus| gpus as u32);
        let widest = self.db().slices("custom_allreduce").filter_map(fan_out).max();
        let system = self.db().system();
        let sol = |gpus: u32| {
            let share = f64::from(gpus - 1) / f64::from(gpus);
            4.0 * share / system.fan_out_bw(gpus) * 1e3
        };
        let measured = widest.map_or(gpus, |widest| gpus.min(widest));
        let key = [Part::Int(measured)];
        let slice = self.db().slice("custom_allreduce", &key);
        let per_element = sol(measured.max(2));
        Ok(Some(Collective {
            table: self.curve_answer("all-reduce", slice, |elements| elements * per_element)?,
            elements_per_token: elements,
            growth: growth(system, gpus, measured),
            sol_ms_per_element: sol(gpus),
        }))
    }

    /// A collective through NCCL (or oneCCL); none on a single GPU.
    pub(super) fn nccl(
        self,
        collective: ops::Collective,
        elements: f64,
        gpus: u32,
        dtype: ops::CommQuant,
    ) -> Result<Option<Collective>, Gap> {
        if gpus <= 1 {
            return Ok(None);
        }
        let tables = ["nccl", "oneccl"];
        let kind = [Part::Text(dtype.name()), Part::Text(collective.name())];
        let widest = tables
            .iter()
            .flat_map(|table| self.db().slices(table))
            .filter(|slice| kind[0].is(&slice.key[0]) && kind[1].is(&slice.key[1]))
            .filter_map(|slice| slice.key[2].as_int())
            .max();
        let measured = widest.map_or(gpus, |widest| gpus.min(widest as u32));
        let key = [kind[0], kind[1], Part::Int(measured)];
        let slice = tables.iter().find_map(|table| self.db().slice(table, &key));
        let system = self.db().system();
        let passes = if collective == ops::Collective::AllReduce { 2.0 } else { 1.0 };
        let sol = |gpus: u32| {
            let share = f64::from(gpus - 1) / f64::from(gpus);
            passes * dtype.bytes() * share / system.fan_out_bw(gpus) * 1e3
        };
        let per_element = sol(measured.max(2));
        Ok(Some(Collective {
            table: self.curve_answer("collective", slice, |elements| elements * per_element)?,
            elements_per_token: elements,
            growth: growth(system, gpus, measured),
            sol_ms_per_element: sol(gpus),
        }))
    }

    /// A pipeline hop always crosses nodes in the publisher's model.
    pub(super) fn p2p(self, hidden: u32, pp: u32) -> Arc<dyn Measure> {
        if pp <= 1 {
            return Arc::new(Nothing);
        }
        let system = self.db().system();
        Arc::new(Hop {
            ms_per_token: 2.0 * f64::from(hidden) / system.inter_node_bw * 1e3,
            constant_ms: system.p2p_latency_s * 1e3,
            bare: self.mode() == DataMode::Sol,
        })
    }
}
