//! Attention over measured grids.

use std::sync::Arc;

use super::dense::MemoryOp;
use super::{Binder, Gap, Measure, Roofline, Shape, Timing, prefill};
use crate::ops::OpKind;
use crate::perf::Part;
use crate::perf::grid::{GridTable, Miss};
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
}

/// Prefill attention with its fused rotary embedding, cache write and norms.
#[derive(Clone, Debug)]
pub(super) struct ContextAttention {
    pub table: Arc<GridTable>,
    pub sol: ContextSol,
    pub heads: f64,
    pub cp: f64,
    /// Fused memory work, ms; it does not grow with the tokens.
    pub extra_ms: f64,
}

impl ContextAttention {
    /// Fused memory work of one call: rotary embedding, KV write and, where the model has them, norms of
    /// queries and keys. The publisher sizes it per token without the token count; so do we.
    pub(super) fn extra_ms(op: &MemoryOp, query: f64, kv: f64, fmha_bytes: f64, qk_norm: bool) -> f64 {
        let mut ms = 2.0 * op.ms(2.0 * query + 2.0 * kv) + 2.0 * op.ms(kv * fmha_bytes);
        if qk_norm {
            ms += 2.0 * (2.0 * op.ms(2.0 * query) + 2.0 * op.ms(2.0 * kv));
        }
        1.1 * ms
    }
}

impl Measure for ContextAttention {
    fn latency(&self, shape: Shape, _: f64) -> Result<Timing, Miss> {
        let parts = |q: &[f64]| self.sol.parts(q);
        let mut timing = prefill::latency(&self.table, self.heads, self.cp, shape, parts)?;
        timing.add(1.0, Timing::formula(self.extra_ms));
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
    pub table: Arc<GridTable>,
    pub sol: GenerationSol,
    pub heads: f64,
}

impl Measure for GenerationAttention {
    fn latency(&self, shape: Shape, _: f64) -> Result<Timing, Miss> {
        let Shape { batch, seq: length, .. } = shape;
        let lo = (length * 0.9).trunc().max(1.0);
        let hi = (length * 1.1).trunc().max(lo);
        let mut mean = Timing::default();
        for i in 0..5 {
            let at = lo + ((hi - lo) * f64::from(i) / 4.0).floor();
            mean.add(0.2, self.table.query(&[self.heads, batch, at], &|q| self.sol.ms(q))?.into());
        }
        Ok(mean)
    }

    fn roofline(&self, shape: Shape, _: f64) -> Roofline {
        let (compute, memory) = self.sol.parts(&[self.heads, shape.batch, shape.seq]);
        Roofline::of(compute, memory)
    }
}

/// Bidirectional attention of a vision encoder.
#[derive(Clone, Debug)]
pub(super) struct EncoderAttention {
    pub table: Arc<GridTable>,
    pub heads: f64,
    pub head_dim: f64,
    pub flops: f64,
    pub bandwidth: f64,
}

impl EncoderAttention {
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
        let sol = |q: &[f64]| {
            let (compute, memory) = self.parts(q);
            compute.max(memory)
        };
        Ok(self.table.query(&[self.heads, seq, batch], &sol)?.into())
    }

    fn roofline(&self, shape: Shape, _: f64) -> Roofline {
        let (compute, memory) = self.parts(&[self.heads, shape.seq, shape.batch]);
        Roofline::of(compute, memory)
    }
}

impl Binder<'_> {
    pub(super) fn context_attention(self, kind: &OpKind) -> Result<Arc<dyn Measure>, Gap> {
        let missing = Gap::NoData(kind.label());
        let OpKind::ContextAttention { heads, kv_heads, head_dim, window, fmha, kv, qk_norm, cp } = *kind
        else {
            return Err(missing);
        };
        let shared = if kv_heads == heads { 0 } else { kv_heads };
        let key = [
            Part::Text(fmha.name()),
            Part::Text(kv.name()),
            Part::Int(shared),
            Part::Int(head_dim),
            Part::Int(window),
        ];
        let flops = self.peak(fmha.pipe())?;
        let slice = self.db().lane_slice("context_attention", &key).ok_or(missing)?;
        let system = self.db().system();
        let (query, kv_width) = (f64::from(heads * head_dim), f64::from(kv_heads * head_dim));
        let memory = MemoryOp::new(system);
        Ok(Arc::new(ContextAttention {
            table: Arc::new(GridTable::new(slice.grid.clone(), Some(1), |_, ms| ms)),
            sol: ContextSol {
                flops,
                bandwidth: system.mem_bw_bytes_per_sec,
                kv_heads: f64::from(shared),
                head_dim: f64::from(head_dim),
                window: f64::from(window),
                kv_bytes: kv.bytes(),
            },
            heads: f64::from(heads),
            cp: f64::from(cp),
            extra_ms: ContextAttention::extra_ms(&memory, query, kv_width, fmha.bytes(), qk_norm),
        }))
    }

    pub(super) fn generation_attention(self, kind: &OpKind) -> Result<Arc<dyn Measure>, Gap> {
        let missing = Gap::NoData(kind.label());
        let OpKind::GenerationAttention { heads, kv_heads, head_dim, window, kv } = *kind else {
            return Err(missing);
        };
        let shared = if kv_heads == heads { 0 } else { kv_heads };
        let key = [Part::Text(kv.name()), Part::Int(shared), Part::Int(head_dim), Part::Int(window)];
        let flops = self.decode_peak(kv)?;
        let slice = self.db().lane_slice("generation_attention", &key).ok_or(missing)?;
        let sol = GenerationSol {
            flops,
            bandwidth: self.db().system().mem_bw_bytes_per_sec,
            kv_heads: f64::from(shared),
            head_dim: f64::from(head_dim),
            window: f64::from(window),
            kv_bytes: kv.bytes(),
        };
        let table = Arc::new(GridTable::new(slice.grid.clone(), None, |q, ms| ms.max(sol.ms(q))));
        Ok(Arc::new(GenerationAttention { table, sol, heads: f64::from(heads) }))
    }

    pub(super) fn encoder_attention(self, kind: &OpKind) -> Result<Arc<dyn Measure>, Gap> {
        let missing = Gap::NoData(kind.label());
        let OpKind::EncoderAttention { heads, head_dim, fmha } = *kind else { return Err(missing) };
        let flops = self.peak(fmha.pipe())?;
        let key = [Part::Text(fmha.name()), Part::Int(head_dim)];
        let table = self.db().grid("encoder_attention", &key, Some(1)).ok_or(missing)?;
        Ok(Arc::new(EncoderAttention {
            table: Arc::new(table),
            heads: f64::from(heads),
            head_dim: f64::from(head_dim),
            flops,
            bandwidth: self.db().system().mem_bw_bytes_per_sec,
        }))
    }
}
