//! Kernels of layers with a recurrent state: measured where possible, memory-bound everywhere else.

use std::sync::Arc;

use super::{Binder, Measure, Roofline, Shape, Timing};
use crate::ops::{DeltaKernel, DeltaStep, DeltaWork};
use crate::perf::Part;
use crate::perf::grid::{GridTable, Miss};
use crate::source::{DataMode, Source};

/// Tokens of a chunk, after each of which the state is written.
const CHUNK: f64 = 64.0;

/// The chunked kernel that vLLM may have measured under the name of its implementation.
const CHUNKED: &str = "chunk_gated_delta_rule";
const CHUNKED_VARIANTS: [&str; 3] =
    ["chunk_gated_delta_rule_flashinfer", "chunk_gated_delta_rule_triton", "chunk_gated_delta_rule_cutedsl"];

/// Which of the two kinds of layers a kernel belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    /// Gated delta rule.
    Gated,
    /// Kimi delta attention.
    Kimi,
}

/// Bytes that a kernel moves, the only thing that bounds it.
#[derive(Clone, Copy, Debug)]
struct Traffic {
    layer: Layer,
    kernel: DeltaKernel,
    bandwidth: f64,
}

impl Traffic {
    fn ms(&self, batch: f64, seq: f64) -> f64 {
        let bytes = match self.layer {
            Layer::Gated => self.gated(batch, seq),
            Layer::Kimi => self.kimi(batch, seq),
        };
        bytes / self.bandwidth * 1e3
    }

    fn tokens(&self, batch: f64, seq: f64) -> f64 {
        if self.kernel.step == DeltaStep::Generation { batch } else { batch * seq }
    }

    fn gated(&self, batch: f64, seq: f64) -> f64 {
        let DeltaKernel { work, conv, key_heads, key_size, value_heads, value_size, .. } = self.kernel;
        let tokens = self.tokens(batch, seq);
        let values = f64::from(value_heads * value_size);
        let all = f64::from(2 * key_heads * key_size) + values;
        let state = values * f64::from(key_size);
        match work {
            DeltaWork::Convolution => 2.0 * tokens * all * f64::from(conv + 2),
            DeltaWork::Chunks => {
                let written = (seq / CHUNK).floor() * state * 2.0 * batch;
                2.0 * tokens * (all + values) + 2.0 * (4.0 * state * batch + written)
            }
            DeltaWork::Recurrence | DeltaWork::Verification => {
                2.0 * tokens * (all + values) + 8.0 * state * batch
            }
        }
    }

    fn kimi(&self, batch: f64, seq: f64) -> f64 {
        let DeltaKernel { work, conv, key_size, value_heads, value_size, .. } = self.kernel;
        let tokens = self.tokens(batch, seq);
        let values = f64::from(value_heads * value_size);
        let state = 4.0 * values * f64::from(key_size);
        match work {
            DeltaWork::Convolution => 6.0 * tokens * values * f64::from(conv + 2),
            DeltaWork::Chunks => {
                let written = (seq / CHUNK).floor() * state * batch;
                10.0 * tokens * values + 2.0 * (state * batch + written)
            }
            DeltaWork::Recurrence => 10.0 * tokens * values + 2.0 * state * batch,
            DeltaWork::Verification => 10.0 * tokens * values + state * batch + state * tokens,
        }
    }
}

/// A kernel with what was measured of it.
#[derive(Clone, Debug)]
struct Delta {
    table: Option<GridTable>,
    traffic: Traffic,
    bare: bool,
}

impl Delta {
    /// Sequences and tokens of each.
    fn load(&self, shape: Shape) -> (f64, f64) {
        match self.traffic.kernel.step {
            DeltaStep::Context => (shape.batch, shape.seq),
            DeltaStep::Generation => (shape.batch, 0.0),
            // The rows of a step that verifies are drafted tokens, not requests.
            DeltaStep::Verify(drafted) => {
                let drafted = f64::from(drafted);
                ((shape.batch / drafted).round_ties_even().max(1.0), drafted)
            }
        }
    }
}

impl Measure for Delta {
    fn latency(&self, shape: Shape, _: f64) -> Result<Timing, Miss> {
        let (batch, seq) = self.load(shape);
        let query = [batch, seq];
        let axes = if self.traffic.kernel.step == DeltaStep::Generation { 1 } else { 2 };
        let sol = |q: &[f64]| self.traffic.ms(q[0], q.get(1).copied().unwrap_or(0.0));
        let measured = self.table.as_ref().and_then(|table| table.query(&query[..axes], &sol).ok());
        let formula = || if self.bare { Timing::roofline(sol(&query)) } else { Timing::formula(sol(&query)) };
        Ok(measured.map_or_else(formula, Timing::from))
    }

    fn roofline(&self, shape: Shape, _: f64) -> Roofline {
        let (batch, seq) = self.load(shape);
        Roofline::of(0.0, self.traffic.ms(batch, seq))
    }

    fn source(&self) -> Source {
        if self.table.is_some() { Source::Silicon } else { Source::Sol }
    }
}

impl Binder<'_> {
    /// A kernel of a gated delta rule.
    pub(super) fn gdn(self, kernel: DeltaKernel) -> Arc<dyn Measure> {
        let table = |name| self.delta_table("gdn", DeltaKernel { kernel: name, ..kernel });
        let chunked = (kernel.kernel, kernel.step) == (CHUNKED, DeltaStep::Context);
        let mut variants: Vec<_> =
            CHUNKED_VARIANTS.into_iter().filter(|_| chunked).filter_map(table).collect();
        let table = match variants.len() {
            0 => table(kernel.kernel),
            1 => variants.pop(),
            // Several implementations say nothing about which one runs.
            _ => None,
        };
        self.delta(Layer::Gated, kernel, table)
    }

    /// A kernel of Kimi delta attention; read from the nearest head count where its own was not measured.
    pub(super) fn kda(self, kernel: DeltaKernel) -> Arc<dyn Measure> {
        let table = self.delta_table("kda", kernel).or_else(|| self.nearest_kda(kernel));
        self.delta(Layer::Kimi, kernel, table)
    }

    fn delta(self, layer: Layer, kernel: DeltaKernel, table: Option<GridTable>) -> Arc<dyn Measure> {
        let bandwidth = self.db().system().mem_bw_bytes_per_sec;
        let bare = self.mode() == DataMode::Sol;
        Arc::new(Delta { table, traffic: Traffic { layer, kernel, bandwidth }, bare })
    }

    fn delta_table(self, layer: &str, kernel: DeltaKernel) -> Option<GridTable> {
        let DeltaKernel { hidden, conv, key_heads, key_size, value_heads, value_size, .. } = kernel;
        let key = [
            Part::Text(kernel.kernel),
            Part::Text(kernel.step.name()),
            Part::Int(hidden),
            Part::Int(conv),
            Part::Int(key_heads),
            Part::Int(key_size),
            Part::Int(value_heads),
            Part::Int(value_size),
        ];
        self.db().grid(&table_name(layer, kernel.step), &key, None)
    }

    fn nearest_kda(self, kernel: DeltaKernel) -> Option<GridTable> {
        let key = [Part::Text(kernel.kernel), Part::Text(kernel.step.name()), Part::Int(kernel.hidden)];
        let name = table_name("kda", kernel.step);
        let same = |slice: &&perf_data::Slice| key.iter().zip(&slice.key).all(|(part, have)| part.is(have));
        let heads = |slice: &perf_data::Slice| slice.key[6].as_int().unwrap_or(0);
        let distance =
            |slice: &&perf_data::Slice| (heads(slice).abs_diff(i64::from(kernel.value_heads)), heads(slice));
        let slice = self.db().slices(&name).filter(same).min_by_key(distance)?;
        Some(GridTable::new(slice.grid.clone(), None, |_, ms| ms))
    }
}

/// Decoding has no sequence axis, hence a table of its own.
fn table_name(layer: &str, step: DeltaStep) -> String {
    if step == DeltaStep::Generation { format!("{layer}_generation") } else { layer.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KERNEL: DeltaKernel = DeltaKernel {
        kernel: "any",
        work: DeltaWork::Recurrence,
        step: DeltaStep::Generation,
        hidden: 1024,
        conv: 4,
        key_heads: 2,
        key_size: 8,
        value_heads: 4,
        value_size: 16,
    };

    fn formula(layer: Layer, kernel: DeltaKernel) -> Delta {
        Delta { table: None, traffic: Traffic { layer, kernel, bandwidth: 1e3 }, bare: false }
    }

    fn ms(delta: &Delta, batch: f64, seq: f64) -> f64 {
        delta.latency(Shape { tokens: 0.0, batch, seq, prefix: 0.0 }, 0.0).unwrap().ms
    }

    #[test]
    fn decoding_does_not_depend_on_the_length() {
        let delta = formula(Layer::Gated, KERNEL);
        // Keys, queries and values of a token are 96 elements, its output 64, the state 512.
        assert_eq!(ms(&delta, 3.0, 100.0), 3.0 * (2.0 * (96.0 + 64.0) + 8.0 * 512.0));
        assert_eq!(ms(&delta, 3.0, 100.0), ms(&delta, 3.0, 9000.0));
    }

    #[test]
    fn prefill_writes_the_state_after_every_chunk() {
        let chunks = DeltaKernel { work: DeltaWork::Chunks, step: DeltaStep::Context, ..KERNEL };
        let delta = formula(Layer::Gated, chunks);
        let extra = ms(&delta, 2.0, 128.0) - ms(&delta, 2.0, 127.0);
        // One token of each sequence and one more state of each.
        assert_eq!(extra, 2.0 * (2.0 * (96.0 + 64.0) + 2.0 * 512.0 * 2.0));
    }

    #[test]
    fn rows_of_a_verifying_step_are_drafted_tokens() {
        let verify = DeltaKernel { work: DeltaWork::Verification, step: DeltaStep::Verify(8), ..KERNEL };
        let delta = formula(Layer::Kimi, verify);
        let request = 10.0 * 8.0 * 64.0 + 2048.0 + 2048.0 * 8.0;
        assert_eq!(ms(&delta, 80.0, 5000.0), 10.0 * request);
        // A part of a block is a block.
        assert_eq!(ms(&delta, 1.0, 5000.0), request);
    }
}
