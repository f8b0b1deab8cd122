//! Attention over measured grids.

use std::sync::Arc;

use perf_data::Grid;

use super::answer::Answer;
use super::attention_estimate::HeadSlices;
use super::dense::MemoryOp;
use super::prefill::{self, Bounds, Chunk};
use super::{Binder, Gap, Measure, Roofline, Shape, Timing};
use crate::ops::OpKind;
use crate::perf::Part;
use crate::perf::grid::{GridTable, Miss};
use crate::perf::util::{Samples, points};
use crate::source::Source;

/// Roofline of prefill attention without a prefix, over (heads, sequence, batch).
#[derive(Clone, Copy, Debug)]
pub(super) struct ContextSol {
    pub flops: f64,
    pub bandwidth: f64,
    /// 0 when every query head has its own KV head.
    pub kv_heads: f64,
    pub head_dim: f64,
    pub window: f64,
    pub kv_bytes: f64,
}

impl ContextSol {
    fn parts(&self, q: &[f64]) -> (f64, f64) {
        let (heads, seq, batch) = (q[0], q[1], q[2]);
        let kv_heads = if self.kv_heads > 0.0 { self.kv_heads } else { heads };
        let operations = if self.window > 0.0 && seq > self.window {
            4.0 * batch * seq * self.window * heads * self.head_dim
        } else {
            2.0 * batch * seq * seq * heads * self.head_dim
        };
        let bytes = 4.0 * batch * heads * seq * self.head_dim
            + self.kv_bytes * batch * 2.0 * kv_heads * seq * self.head_dim;
        (operations / self.flops * 1e3, bytes / self.bandwidth * 1e3)
    }

    pub(super) fn ms(&self, q: &[f64]) -> f64 {
        let (compute, memory) = self.parts(q);
        compute.max(memory)
    }

    /// Bound of a rank's share of a sequence, the cached prefix seen but not computed.
    fn cached(&self, heads: f64, Chunk { new, prefix, batch }: Chunk) -> f64 {
        let full = new + prefix;
        let kv_heads = if self.kv_heads > 0.0 { self.kv_heads } else { heads };
        let operations = if self.window > 0.0 && full > self.window {
            4.0 * batch * new * self.window * heads * self.head_dim
        } else {
            2.0 * batch * (full * full - prefix * prefix) * heads * self.head_dim
        };
        let bytes = 4.0 * batch * heads * new * self.head_dim
            + self.kv_bytes * batch * 2.0 * kv_heads * full * self.head_dim;
        (operations / self.flops * 1e3).max(bytes / self.bandwidth * 1e3)
    }
}

/// Prefill attention with its fused rotary embedding, cache write and norms.
#[derive(Clone, Debug)]
pub(super) struct ContextAttention {
    pub table: Answer<GridTable>,
    pub sol: ContextSol,
    pub heads: f64,
    pub cp: f64,
    /// Fused memory work; it does not grow with the tokens.
    pub extra: Timing,
}

impl ContextAttention {
    /// Fused memory work of one call: rotary embedding, KV write and, where the model has them, norms of
    /// queries and keys. The publisher sizes it per token without the token count; so do we.
    pub(super) fn extra(op: &MemoryOp, query: f64, kv: f64, fmha_bytes: f64, qk_norm: bool) -> Timing {
        let mut extra = Timing::default();
        extra.add(2.0, op.timing(2.0 * query + 2.0 * kv));
        extra.add(2.0, op.timing(kv * fmha_bytes));
        if qk_norm {
            let mut norms = Timing::default();
            norms.add(2.0, op.timing(2.0 * query));
            norms.add(2.0, op.timing(2.0 * kv));
            extra.add(2.0, norms);
        }
        extra.scaled(1.1)
    }
}

impl Measure for ContextAttention {
    fn latency(&self, shape: Shape, _: f64) -> Result<Timing, Miss> {
        let bounds =
            Bounds { table: |q: &[f64]| self.sol.ms(q), work: |chunk| self.sol.cached(self.heads, chunk) };
        let mut timing = prefill::latency(&self.table, self.heads, self.cp, shape, &bounds)?;
        timing.add(1.0, self.extra);
        Ok(timing)
    }

    fn source(&self) -> Source {
        Source::Mixed
    }

    fn roofline(&self, shape: Shape, _: f64) -> Roofline {
        prefill::roofline(self.heads, self.cp, shape, |q| self.sol.parts(q))
    }
}

/// Roofline of decode attention over (heads, batch, KV length).
#[derive(Clone, Copy, Debug)]
pub(super) struct GenerationSol {
    pub flops: f64,
    pub bandwidth: f64,
    /// 0 when every query head has its own KV head.
    pub kv_heads: f64,
    pub head_dim: f64,
    pub window: f64,
    pub kv_bytes: f64,
}

impl GenerationSol {
    fn parts(&self, q: &[f64]) -> (f64, f64) {
        let (heads, batch, length) = (q[0], q[1], q[2]);
        let kv_heads = if self.kv_heads > 0.0 { self.kv_heads } else { heads };
        let past = if self.window > 0.0 { (length - 1.0).min(self.window) } else { length - 1.0 };
        let operations = 4.0 * batch * heads * self.head_dim * past;
        let bytes =
            batch * (4.0 * heads * self.head_dim + 2.0 * kv_heads * past * self.head_dim * self.kv_bytes);
        (operations / self.flops * 1e3, bytes / self.bandwidth * 1e3)
    }

    pub(super) fn ms(&self, q: &[f64]) -> f64 {
        let (compute, memory) = self.parts(q);
        compute.max(memory)
    }
}

/// Decode attention; smoothed over five KV lengths around the wanted one.
#[derive(Clone, Debug)]
pub(super) struct GenerationAttention {
    pub table: Answer<GridTable>,
    pub sol: GenerationSol,
    pub heads: f64,
}

impl Measure for GenerationAttention {
    fn latency(&self, shape: Shape, _: f64) -> Result<Timing, Miss> {
        let Shape { batch, seq: length, .. } = shape;
        let read = |table: &GridTable| {
            let lo = (length * 0.9).trunc().max(1.0);
            let hi = (length * 1.1).trunc().max(lo);
            let mut mean = Timing::default();
            for i in 0..5 {
                let at = lo + ((hi - lo) * f64::from(i) / 4.0).floor();
                mean.add(0.2, table.query(&[self.heads, batch, at], &|q| self.sol.ms(q))?.into());
            }
            Ok(mean)
        };
        let at = [self.heads, batch, length];
        self.table.timing(read, &at, || self.sol.ms(&at))
    }

    fn roofline(&self, shape: Shape, _: f64) -> Roofline {
        let (compute, memory) = self.sol.parts(&[self.heads, shape.batch, shape.seq]);
        Roofline::of(compute, memory)
    }
}

/// Bidirectional attention of a vision encoder.
#[derive(Clone, Debug)]
pub(super) struct EncoderAttention {
    pub table: Answer<GridTable>,
    pub sol: EncoderSol,
    pub heads: f64,
}

/// Roofline of encoder attention over (heads, sequence, batch).
#[derive(Clone, Copy, Debug)]
pub(super) struct EncoderSol {
    pub head_dim: f64,
    pub flops: f64,
    pub bandwidth: f64,
}

impl EncoderSol {
    fn ms(&self, q: &[f64]) -> f64 {
        let (compute, memory) = self.parts(q);
        compute.max(memory)
    }

    fn parts(&self, q: &[f64]) -> (f64, f64) {
        let (heads, seq, batch) = (q[0], q[1], q[2]);
        let compute = 4.0 * batch * seq * seq * heads * self.head_dim / self.flops * 1e3;
        let memory = 8.0 * batch * heads * seq * self.head_dim / self.bandwidth * 1e3;
        (compute, memory)
    }
}

impl Measure for EncoderAttention {
    fn latency(&self, shape: Shape, _: f64) -> Result<Timing, Miss> {
        let Shape { batch, seq, .. } = shape;
        let at = [self.heads, seq, batch];
        let read = |table: &GridTable| Ok(table.query(&at, &|q| self.sol.ms(q))?.into());
        self.table.timing(read, &at, || self.sol.ms(&at))
    }

    fn roofline(&self, shape: Shape, _: f64) -> Roofline {
        let (compute, memory) = self.sol.parts(&[self.heads, shape.seq, shape.batch]);
        Roofline::of(compute, memory)
    }
}

impl Binder<'_> {
    pub(super) fn context_attention(self, kind: &OpKind) -> Result<Arc<dyn Measure>, Gap> {
        let OpKind::ContextAttention { heads, kv_heads, head_dim, window, fmha, kv, qk_norm, cp } = *kind
        else {
            return Err(Gap::NoData(kind.label()));
        };
        let shared = if kv_heads == heads { 0 } else { kv_heads };
        let precision = [Part::Text(fmha.name()), Part::Text(kv.name())];
        let flops = self.peak(fmha.pipe())?;
        let bandwidth = self.db().system().mem_bw_bytes_per_sec;
        let sol = move |head_dim: u32, window: u32| ContextSol {
            flops,
            bandwidth,
            kv_heads: f64::from(shared),
            head_dim: f64::from(head_dim),
            window: f64::from(window),
            kv_bytes: kv.bytes(),
        };
        let heads_of = HeadSlices { table: "context_attention", precision: &precision, shared };
        let table = || {
            let slice = heads_of.slice(self.db(), head_dim, window)?;
            Some(GridTable::new(slice.grid.clone(), Some(1), |_, ms| ms))
        };
        let estimate = || {
            let samples = |grid: &Grid, head_dim, window| {
                let sol = sol(head_dim, window);
                Samples::utilisation(points(grid), 3, |q| sol.ms(q))
            };
            heads_of.estimate(self.db(), head_dim, window, samples, self.size_gain())
        };
        let table = self.answer(kind.label(), table, estimate)?;
        let (query, kv_width) = (f64::from(heads * head_dim), f64::from(kv_heads * head_dim));
        Ok(Arc::new(ContextAttention {
            table,
            sol: sol(head_dim, window),
            heads: f64::from(heads),
            cp: f64::from(cp),
            extra: ContextAttention::extra(&self.memory_op(), query, kv_width, fmha.bytes(), qk_norm),
        }))
    }

    pub(super) fn generation_attention(self, kind: &OpKind) -> Result<Arc<dyn Measure>, Gap> {
        let OpKind::GenerationAttention { heads, kv_heads, head_dim, window, kv } = *kind else {
            return Err(Gap::NoData(kind.label()));
        };
        let shared = if kv_heads == heads { 0 } else { kv_heads };
        let precision = [Part::Text(kv.name())];
        let flops = self.decode_peak(kv)?;
        let bandwidth = self.db().system().mem_bw_bytes_per_sec;
        let sol = move |head_dim: u32, window: u32| GenerationSol {
            flops,
            bandwidth,
            kv_heads: f64::from(shared),
            head_dim: f64::from(head_dim),
            window: f64::from(window),
            kv_bytes: kv.bytes(),
        };
        let heads_of = HeadSlices { table: "generation_attention", precision: &precision, shared };
        let own = sol(head_dim, window);
        // Measurements faster than the hardware allows are raised to the roofline.
        let table = || {
            let slice = heads_of.slice(self.db(), head_dim, window)?;
            Some(GridTable::new(slice.grid.clone(), None, |q, ms| ms.max(own.ms(q))))
        };
        let estimate = || {
            let samples = |grid: &Grid, head_dim, window| {
                let sol = sol(head_dim, window);
                let raised = points(grid).map(|(at, ms)| (at, ms.max(sol.ms(&at))));
                Samples::utilisation(raised, 3, |q| sol.ms(q))
            };
            // Decode moves the cache, whatever the size of its heads.
            heads_of.estimate(self.db(), head_dim, window, samples, |_| 1.0)
        };
        let table = self.answer(kind.label(), table, estimate)?;
        Ok(Arc::new(GenerationAttention { table, sol: own, heads: f64::from(heads) }))
    }

    pub(super) fn encoder_attention(self, kind: &OpKind) -> Result<Arc<dyn Measure>, Gap> {
        let label = kind.label();
        let OpKind::EncoderAttention { heads, head_dim, fmha } = *kind else {
            return Err(Gap::NoData(label));
        };
        let (flops, bandwidth) = (self.peak(fmha.pipe())?, self.db().system().mem_bw_bytes_per_sec);
        let sol = EncoderSol { head_dim: f64::from(head_dim), flops, bandwidth };
        let key = [Part::Text(fmha.name()), Part::Int(head_dim)];
        let grid = self.db().slice("encoder_attention", &key).map(|slice| &slice.grid);
        let table = self.grid_answer(label, grid, Some(1), |q| sol.ms(q))?;
        Ok(Arc::new(EncoderAttention { table, sol, heads: f64::from(heads) }))
    }
}
