//! Latent attention of SGLang under expert parallelism by all-to-all, projections included.

use std::sync::Arc;

use super::answer::Answer;
use super::prefill::{self, Bounds};
use super::sparse::slower;
use super::{Binder, Gap, Measure, Roofline, Shape, Timing};
use crate::ops::OpKind;
use crate::perf::Part;
use crate::perf::grid::{GridTable, Miss};
use crate::quant::{FmhaQuant, KvQuant, Pipe};

/// Attention kernels, the preferred one first; Blackwell was measured with its own.
const KERNELS: [&str; 2] = ["flashinfer", "trtllm_mla"];
/// Decode attention runs in FP8 from this compute capability on.
const FP8_SM: u32 = 89;

/// Roofline of the block.
#[derive(Clone, Copy, Debug)]
struct Sol {
    flops: f64,
    /// Peak of the attention itself, which stays in 16 bits.
    attention_flops: f64,
    bandwidth: f64,
    bytes: f64,
}

/// Heads per rank when 128 of them are split evenly.
fn even(heads: f64) -> f64 {
    let ranks = (128.0 / heads).floor().max(1.0);
    (128.0 / ranks).floor()
}

impl Sol {
    fn context(&self, q: &[f64]) -> (f64, f64) {
        let (heads, seq, batch) = (even(q[0]), q[1], q[2]);
        let tokens = batch * seq;
        let projections = tokens * heads * 2.0 * (1536.0 * 192.0 + 512.0 * 256.0 + 128.0 * 7168.0);
        let attention = (heads * 320.0 * tokens * seq).floor();
        let elements = tokens * (1536.0 + 512.0 + 2.0 * 7168.0)
            + heads * (1536.0 * 192.0 + 512.0 * 256.0 + 128.0 * 7168.0)
            + tokens * heads * (2.0 * 192.0 + 2.0 * 256.0 + 4.0 * 192.0 + 4.0 * 128.0 + 128.0);
        self.parts(projections, attention, elements)
    }

    fn generation(&self, q: &[f64]) -> (f64, f64) {
        let (heads, batch, seq) = (even(q[0]), q[1], q[2]);
        let weights = heads * (1536.0 * 192.0 + 2.0 * 128.0 * 512.0 + 128.0 * 7168.0);
        let projections = 2.0 * batch * weights;
        let attention = 2.0 * batch * seq * heads * 1088.0;
        let elements = weights
            + batch * (1536.0 + 2.0 * 7168.0 + 2.0 * seq * 576.0)
            + batch
                * heads
                * (2.0 * 192.0
                    + 128.0
                    + 2.0 * 512.0
                    + 2.0 * 576.0
                    + 2.0 * 512.0
                    + 512.0
                    + 2.0 * 128.0
                    + 128.0);
        self.parts(projections, attention, elements)
    }

    fn parts(&self, projections: f64, attention: f64, elements: f64) -> (f64, f64) {
        let compute = (projections / self.flops + attention / self.attention_flops) * 1e3;
        (compute, elements * self.bytes / self.bandwidth * 1e3)
    }
}

/// The block in prefill.
#[derive(Clone, Debug)]
struct Context {
    table: Answer<GridTable>,
    sol: Sol,
    heads: f64,
    cp: f64,
}

impl Measure for Context {
    fn latency(&self, shape: Shape, _: f64) -> Result<Timing, Miss> {
        let table = |q: &[f64]| slower(self.sol.context(q));
        // Only measurements answer, so that no other bound is asked for.
        let bounds = Bounds { table, work: |_| 0.0 };
        prefill::latency(&self.table, self.heads, self.cp, shape, &bounds)
    }

    fn roofline(&self, shape: Shape, _: f64) -> Roofline {
        prefill::roofline(self.heads, self.cp, shape, |q| self.sol.context(q))
    }
}

/// The block in decode.
#[derive(Clone, Debug)]
struct Generation {
    table: GridTable,
    sol: Sol,
    heads: f64,
}

impl Measure for Generation {
    fn latency(&self, shape: Shape, _: f64) -> Result<Timing, Miss> {
        let sol = |q: &[f64]| {
            let (compute, memory) = self.sol.generation(q);
            compute.max(memory)
        };
        Ok(self.table.query(&[self.heads, shape.batch, shape.seq], &sol)?.into())
    }

    fn roofline(&self, shape: Shape, _: f64) -> Roofline {
        let (compute, memory) = self.sol.generation(&[self.heads, shape.batch, shape.seq]);
        Roofline::of(compute, memory)
    }
}

impl Binder<'_> {
    pub(super) fn wide_mla(self, kind: &OpKind) -> Option<Result<Arc<dyn Measure>, Gap>> {
        let OpKind::WideMla { heads, fmha, kv, cp } = *kind else { return None };
        if let Err(gap) = self.needs_tables(kind.label()) {
            return Some(Err(gap));
        }
        let system = self.db().system();
        let heads = f64::from(heads);
        let kv_key = Part::Text(kv.name());
        let sol = |fmha: FmhaQuant| {
            let (flops, attention_flops) = (self.peak(fmha.pipe())?, self.peak(Pipe::Bf16)?);
            let bandwidth = system.mem_bw_bytes_per_sec;
            Ok(Sol { flops, attention_flops, bandwidth, bytes: fmha.bytes() })
        };
        let table = |name: &str, rest: &[Part<'_>], sqrt_axis| {
            KERNELS.iter().find_map(|kernel| {
                let key: Vec<Part<'_>> =
                    [Part::Text(kernel)].into_iter().chain(rest.iter().copied()).collect();
                self.db().grid(name, &key, sqrt_axis)
            })
        };
        if let Some(fmha) = fmha {
            let table = table("wideep_context_mla", &[Part::Text(fmha.name()), kv_key], Some(1))?;
            let (table, cp) = (Answer::Table(table), f64::from(cp));
            return Some(
                sol(fmha).map(|sol| Arc::new(Context { table, sol, heads, cp }) as Arc<dyn Measure>),
            );
        }
        let table = table("wideep_generation_mla", &[kv_key], None)?;
        let fp8 = kv == KvQuant::Fp8 && system.sm_version.is_some_and(|sm| sm >= FP8_SM);
        let sol = sol(if fp8 { FmhaQuant::Fp8 } else { FmhaQuant::Bf16 });
        Some(sol.map(|sol| Arc::new(Generation { table, sol, heads }) as Arc<dyn Measure>))
    }
}
