//! Attention over measured grids.

use std::sync::Arc;

use super::{MemoryOp, Roofline, Timing};
use crate::perf::grid::{GridTable, Miss};

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

    fn ms(&self, q: &[f64]) -> f64 {
        let (compute, memory) = self.parts(q);
        compute.max(memory)
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

    fn table_part(&self, batch: f64, new: f64, prefix: f64) -> Result<Timing, Miss> {
        let full = new + prefix;
        let reading = self.table.query(&[self.heads, full, batch], &|q| self.sol.ms(q))?;
        Ok(Timing::from(reading).scaled((full * full - prefix * prefix) / (full * full)))
    }

    pub(super) fn latency(&self, batch: f64, new: f64, prefix: f64) -> Result<Timing, Miss> {
        let mut timing = if self.cp > 1.0 {
            // Zigzag: a rank holds one early and one late chunk of the sequence.
            let chunk = (new / (2.0 * self.cp)).ceil().max(1.0);
            let mut both = self.table_part(batch, chunk, prefix)?;
            both.add(1.0, self.table_part(batch, chunk, prefix + new - chunk)?);
            both
        } else {
            self.table_part(batch, new, prefix)?
        };
        timing.add(1.0, Timing::formula(self.extra_ms));
        Ok(timing)
    }

    pub(super) fn roofline(&self, batch: f64, new: f64, prefix: f64) -> Roofline {
        let full = new + prefix;
        let (compute, memory) = self.sol.parts(&[self.heads, full, batch]);
        let share = (full * full - prefix * prefix) / (full * full) / self.cp;
        Roofline::of(compute * share, memory * share)
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

impl GenerationAttention {
    pub(super) fn latency(&self, batch: f64, length: f64) -> Result<Timing, Miss> {
        let lo = (length * 0.9).trunc().max(1.0);
        let hi = (length * 1.1).trunc().max(lo);
        let mut mean = Timing::default();
        for i in 0..5 {
            let at = lo + ((hi - lo) * f64::from(i) / 4.0).floor();
            mean.add(0.2, self.table.query(&[self.heads, batch, at], &|q| self.sol.ms(q))?.into());
        }
        Ok(mean)
    }

    pub(super) fn roofline(&self, batch: f64, length: f64) -> Roofline {
        let (compute, memory) = self.sol.parts(&[self.heads, batch, length]);
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

    pub(super) fn latency(&self, batch: f64, seq: f64) -> Result<Timing, Miss> {
        let sol = |q: &[f64]| {
            let (compute, memory) = self.parts(q);
            compute.max(memory)
        };
        Ok(self.table.query(&[self.heads, seq, batch], &sol)?.into())
    }

    pub(super) fn roofline(&self, batch: f64, seq: f64) -> Roofline {
        let (compute, memory) = self.parts(&[self.heads, seq, batch]);
        Roofline::of(compute, memory)
    }
}
