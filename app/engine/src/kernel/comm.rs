//! Collectives over measured message sizes.

use super::Timing;
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

impl Collective {
    pub(super) fn latency(&self, tokens: f64) -> Result<Timing, Miss> {
        let mut reading = self.curve.query(tokens * self.elements_per_token, |x| x)?;
        if self.growth != 1.0 {
            reading.value *= self.growth;
            reading.inside = false;
        }
        Ok(reading.into())
    }

    pub(super) fn sol_ms(&self, tokens: f64) -> f64 {
        tokens * self.elements_per_token * self.sol_ms_per_element
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
