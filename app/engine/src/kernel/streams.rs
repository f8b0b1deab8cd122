//! Mixing of residual streams (DeepSeek V4) over measured token counts.

use std::sync::Arc;

use super::answer::Answer;
use super::{Binder, Gap, Measure, Roofline, Shape, Timing};
use crate::ops::StreamMix;
use crate::perf::Part;
use crate::perf::curve::Curve;
use crate::perf::grid::Miss;
use crate::quant::Pipe;

/// Mixing before or after a layer, 16-bit.
#[derive(Clone, Debug)]
struct Mix {
    table: Answer<Curve>,
    sol: Sol,
}

/// Roofline over tokens.
#[derive(Clone, Copy, Debug)]
struct Sol {
    shape: StreamMix,
    flops: f64,
    bandwidth: f64,
}

impl Sol {
    fn ms(&self, tokens: f64) -> f64 {
        let (compute, memory) = self.parts(tokens);
        compute.max(memory)
    }

    fn parts(&self, tokens: f64) -> (f64, f64) {
        let [streams, hidden, sinkhorn] =
            [self.shape.streams, self.shape.hidden, self.shape.sinkhorn].map(f64::from);
        let (wide, mix) = (streams * hidden, (2.0 + streams) * streams);
        let mut bytes = 4.0 * (mix * wide + mix + 3.0) + 8.0 * tokens * wide;
        let operations = if self.shape.pre {
            bytes += 8.0 * tokens * (2.0 * streams + streams * streams);
            let balance = tokens * (streams * streams + 2.0 * streams) * sinkhorn;
            2.0 * (2.0 * tokens * wide * mix + 3.0 * tokens * wide + balance + 2.0 * tokens * wide)
        } else {
            2.0 * (2.0 * tokens * streams * wide + 2.0 * tokens * wide)
        };
        (operations / self.flops * 1e3, bytes / self.bandwidth * 1e3)
    }
}

impl Measure for Mix {
    fn latency(&self, _: Shape, tokens: f64) -> Result<Timing, Miss> {
        let read = |curve: &Curve| Ok(curve.query(tokens, |tokens| self.sol.ms(tokens))?.into());
        self.table.timing(read, &[tokens], || self.sol.ms(tokens))
    }

    fn roofline(&self, _: Shape, tokens: f64) -> Roofline {
        let (compute, memory) = self.sol.parts(tokens);
        Roofline::of(compute, memory)
    }
}

impl Binder<'_> {
    pub(super) fn stream_mix(self, mix: &StreamMix) -> Result<Arc<dyn Measure>, Gap> {
        let phase = Part::Text(if mix.pre { "pre" } else { "post" });
        let key = [phase, Part::Int(mix.streams), Part::Int(mix.hidden)];
        let bandwidth = self.db().system().mem_bw_bytes_per_sec;
        let sol = Sol { shape: *mix, flops: self.peak(Pipe::Bf16)?, bandwidth };
        let slice = self.db().slice("mhc_module", &key);
        let table = self.curve_answer("residual stream mixing", slice, |tokens| sol.ms(tokens))?;
        Ok(Arc::new(Mix { table, sol }))
    }
}
