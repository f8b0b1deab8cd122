//! Collectives over measured message sizes.

use std::sync::Arc;

use super::{Binder, Gap, Measure, Nothing, Roofline, Shape, Timing};
use crate::explain::Bound;
use crate::ops;
use crate::perf::Part;
use crate::perf::curve::Curve;
use crate::perf::grid::Miss;
use crate::system::SystemSpec;

/// A collective at one fan-out. Messages are counted in elements, not bytes.
#[derive(Clone, Debug)]
pub(super) struct Collective {
    pub curve: Curve,
    pub elements_per_token: f64,
    /// Growth from the largest measured fan-out to the wanted one.
    pub growth: f64,
    /// Roofline, ms per element.
    pub sol_ms_per_element: f64,
}

impl Measure for Collective {
    fn latency(&self, _: Shape, tokens: f64) -> Result<Timing, Miss> {
        let mut reading = self.curve.query(tokens * self.elements_per_token, |x| x)?;
        if self.growth != 1.0 {
            reading.value *= self.growth;
            reading.inside = false;
        }
        Ok(reading.into())
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
}

impl Measure for Hop {
    fn latency(&self, _: Shape, tokens: f64) -> Result<Timing, Miss> {
        Ok(Timing::formula(self.ms_per_token * tokens + self.constant_ms))
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
        let missing = Gap::NoData("all-reduce");
        let fan_out = |slice: &perf_data::Slice| slice.key[0].as_int().map(|gpus| gpus as u32);
        let widest = self.db().slices("custom_allreduce").filter_map(fan_out).max().ok_or(missing)?;
        let curve = self.db().curve("custom_allreduce", &[Part::Int(gpus.min(widest))]).ok_or(missing)?;
        let system = self.db().system();
        let share = f64::from(gpus - 1) / f64::from(gpus);
        Ok(Some(Collective {
            curve,
            elements_per_token: elements,
            growth: growth(system, gpus, widest),
            sol_ms_per_element: 4.0 * share / system.fan_out_bw(gpus) * 1e3,
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
        let missing = Gap::NoData("collective");
        let tables = ["nccl", "oneccl"];
        let kind = [Part::Text(dtype.name()), Part::Text(collective.name())];
        let widest = tables
            .iter()
            .flat_map(|table| self.db().slices(table))
            .filter(|slice| kind[0].is(&slice.key[0]) && kind[1].is(&slice.key[1]))
            .filter_map(|slice| slice.key[2].as_int())
            .max()
            .ok_or(missing)? as u32;
        let key = [kind[0], kind[1], Part::Int(gpus.min(widest))];
        let curve = tables.iter().find_map(|table| self.db().curve(table, &key)).ok_or(missing)?;
        let system = self.db().system();
        let passes = if collective == ops::Collective::AllReduce { 2.0 } else { 1.0 };
        let share = f64::from(gpus - 1) / f64::from(gpus);
        Ok(Some(Collective {
            curve,
            elements_per_token: elements,
            growth: growth(system, gpus, widest),
            sol_ms_per_element: passes * dtype.bytes() * share / system.fan_out_bw(gpus) * 1e3,
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
        })
    }
}
