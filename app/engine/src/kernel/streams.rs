//! Mixing of residual streams (DeepSeek V4) over measured token counts.

use std::sync::Arc;

use super::{Binder, Gap, Measure, Roofline, Shape, Timing};
use crate::ops::StreamMix;
use crate::perf::Part;
use crate::perf::curve::Curve;
use crate::perf::grid::Miss;
use crate::quant::Pipe;

/// Mixing before or after a layer, 16-bit.
#[derive(Clone, Debug)]
struct Mix {
    curve: Curve,
    shape: StreamMix,
    flops: f64,
    bandwidth: f64,
}

impl Mix {
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
        let sol = |tokens: f64| {
            let (compute, memory) = self.parts(tokens);
            compute.max(memory)
        };
        Ok(self.curve.query(tokens, sol)?.into())
    }

    fn roofline(&self, _: Shape, tokens: f64) -> Roofline {
        let (compute, memory) = self.parts(tokens);
        Roofline::of(compute, memory)
    }
}

impl Binder<'_> {
    pub(super) fn stream_mix(self, mix: &StreamMix) -> Result<Arc<dyn Measure>, Gap> {
        let phase = Part::Text(if mix.pre { "pre" } else { "post" });
        let key = [phase, Part::Int(mix.streams), Part::Int(mix.hidden)];
        let curve = self.db().curve("mhc_module", &key).ok_or(Gap::NoData("residual stream mixing"))?;
        let bandwidth = self.db().system().mem_bw_bytes_per_sec;
        Ok(Arc::new(Mix { curve, shape: *mix, flops: self.peak(Pipe::Bf16)?, bandwidth }))
    }
}
