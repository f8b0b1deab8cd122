//! Latent attention (DeepSeek V3, Kimi K2) over measured grids.

use std::sync::Arc;

use super::{Binder, Gap, Measure, Roofline, Shape, Timing, prefill};
use crate::ops::OpKind;
use crate::perf::Part;
use crate::perf::curve::Curve;
use crate::perf::grid::{GridTable, Miss};
use crate::quant::{Pipe, Quant};

/// Roofline of latent prefill attention over (heads, sequence, batch).
#[derive(Clone, Copy, Debug)]
struct ContextSol {
    flops: f64,
    bandwidth: f64,
    kv_bytes: f64,
}

impl ContextSol {
    fn parts(&self, q: &[f64]) -> (f64, f64) {
        let (heads, seq, batch) = (q[0], q[1], q[2]);
        let compute = 320.0 * batch * heads * seq * seq / self.flops * 1e3;
        let memory = batch * heads * seq * 320.0 * (self.kv_bytes + 2.0) / self.bandwidth * 1e3;
        (compute, memory)
    }
}

/// Latent prefill attention, the kernel alone or the whole block.
#[derive(Clone, Debug)]
struct ContextMla {
    table: GridTable,
    sol: ContextSol,
    heads: f64,
    cp: f64,
}

impl Measure for ContextMla {
    fn latency(&self, shape: Shape, _: f64) -> Result<Timing, Miss> {
        prefill::latency(&self.table, self.heads, self.cp, shape, |q| self.sol.parts(q))
    }

    fn roofline(&self, shape: Shape, _: f64) -> Roofline {
        prefill::roofline(self.heads, self.cp, shape, |q| self.sol.parts(q))
    }
}

/// Roofline of latent decode attention over (heads, batch, KV length).
#[derive(Clone, Copy, Debug)]
struct GenerationSol {
    flops: f64,
    bandwidth: f64,
    kv_bytes: f64,
    /// Peak and bytes of the projections, where the whole block was measured.
    gemm: Option<(f64, f64)>,
}

impl GenerationSol {
    fn parts(&self, q: &[f64]) -> (f64, f64) {
        let (heads, batch, length) = (q[0], q[1], q[2]);
        let mut compute = 2.0 * batch * heads * 1088.0 * length / self.flops;
        let mut memory = batch * (heads * 2176.0 + (length - 1.0) * 576.0 * self.kv_bytes) / self.bandwidth;
        if let Some((flops, bytes)) = self.gemm {
            compute += 4.0 * batch * heads * 65536.0 / flops;
            memory += 2.0 * heads * (batch * 640.0 + 65536.0) * bytes / self.bandwidth;
        }
        (compute * 1e3, memory * 1e3)
    }
}

/// Latent decode attention, the kernel alone or the whole block.
#[derive(Clone, Debug)]
struct GenerationMla {
    table: GridTable,
    sol: GenerationSol,
    heads: f64,
}

impl Measure for GenerationMla {
    fn latency(&self, shape: Shape, _: f64) -> Result<Timing, Miss> {
        let sol = |q: &[f64]| {
            let (compute, memory) = self.sol.parts(q);
            compute.max(memory)
        };
        Ok(self.table.query(&[self.heads, shape.batch, shape.seq], &sol)?.into())
    }

    fn roofline(&self, shape: Shape, _: f64) -> Roofline {
        let (compute, memory) = self.sol.parts(&[self.heads, shape.batch, shape.seq]);
        Roofline::of(compute, memory)
    }
}

/// Batched products around latent decode attention; measured over the batch, not over tokens.
#[derive(Clone, Debug)]
struct MlaBmm {
    curve: Curve,
    /// From the measured head count to the wanted one.
    scale: f64,
    heads: f64,
    flops: f64,
    bytes: f64,
    bandwidth: f64,
}

impl MlaBmm {
    fn parts(&self, batch: f64) -> (f64, f64) {
        let compute = 2.0 * batch * self.heads * 65536.0 / self.flops * 1e3;
        let memory = self.heads * (batch * 640.0 + 65536.0) * self.bytes / self.bandwidth * 1e3;
        (compute, memory)
    }
}

impl Measure for MlaBmm {
    fn latency(&self, shape: Shape, _: f64) -> Result<Timing, Miss> {
        let sol = |batch: f64| {
            let (compute, memory) = self.parts(batch);
            compute.max(memory)
        };
        Ok(Timing::from(self.curve.query(shape.batch, sol)?).scaled(self.scale))
    }

    fn roofline(&self, shape: Shape, _: f64) -> Roofline {
        let (compute, memory) = self.parts(shape.batch);
        Roofline::of(compute * self.scale, memory * self.scale)
    }
}

/// A bound operator, or why there is none.
type Bound = Result<Arc<dyn Measure>, Gap>;

impl Binder<'_> {
    fn context_sol(self, pipe: Pipe, kv_bytes: f64) -> Result<ContextSol, Gap> {
        let bandwidth = self.db().system().mem_bw_bytes_per_sec;
        Ok(ContextSol { flops: self.peak(pipe)?, bandwidth, kv_bytes })
    }

    /// The attention kernel; none when nothing was measured for it.
    pub(super) fn mla(self, kind: &OpKind) -> Option<Bound> {
        let OpKind::Mla { heads, fmha, kv, cp } = *kind else { return None };
        let heads = f64::from(heads);
        if let Some(fmha) = fmha {
            let key = [Part::Text(fmha.name()), Part::Text(kv.name())];
            let table = self.db().grid("context_mla", &key, Some(1))?;
            let cp = f64::from(cp);
            let sol = self.context_sol(fmha.pipe(), kv.bytes());
            return Some(sol.map(|sol| Arc::new(ContextMla { table, sol, heads, cp }) as Arc<dyn Measure>));
        }
        let table = self.db().grid("generation_mla", &[Part::Text(kv.name())], None)?;
        let bandwidth = self.db().system().mem_bw_bytes_per_sec;
        let sol = self.decode_peak(kv);
        Some(sol.map(|flops| {
            let sol = GenerationSol { flops, bandwidth, kv_bytes: kv.bytes(), gemm: None };
            Arc::new(GenerationMla { table, sol, heads }) as Arc<dyn Measure>
        }))
    }

    /// The whole block; none when nothing was measured for it.
    pub(super) fn mla_module(self, kind: &OpKind) -> Option<Bound> {
        let OpKind::MlaModule { heads, fmha, kv, gemm } = *kind else { return None };
        // Every measured block belongs to a model of this many heads.
        let native = Part::Int(128);
        let heads = f64::from(heads);
        if let Some(fmha) = fmha {
            let key = [Part::Text(fmha.name()), Part::Text(kv.name()), Part::Text(gemm.name()), native];
            let table = self.db().grid("mla_context_module", &key, Some(1))?;
            let sol = self.context_sol(fmha.pipe(), kv.bytes());
            return Some(
                sol.map(|sol| Arc::new(ContextMla { table, sol, heads, cp: 1.0 }) as Arc<dyn Measure>),
            );
        }
        let key = [Part::Text(kv.name()), Part::Text(gemm.name()), native];
        let table = self.db().grid("mla_generation_module", &key, None)?;
        let bandwidth = self.db().system().mem_bw_bytes_per_sec;
        let peaks = self.decode_peak(kv).and_then(|flops| Ok((flops, self.peak(gemm.pipe())?)));
        Some(peaks.map(|(flops, peak)| {
            let gemm = Some((peak, gemm.bytes()));
            let sol = GenerationSol { flops, bandwidth, kv_bytes: kv.bytes(), gemm };
            Arc::new(GenerationMla { table, sol, heads }) as Arc<dyn Measure>
        }))
    }

    /// The batched products; a precision without rows is read from the 16-bit ones.
    pub(super) fn mla_bmm(self, heads: u32, quant: Quant, pre: bool) -> Bound {
        let missing = Gap::NoData("latent attention projection");
        let flops = self.peak(quant.pipe())?;
        let op = Part::Text(if pre { "mla_gen_pre" } else { "mla_gen_post" });
        let any = |quant: Quant| {
            self.db().slices("mla_bmm").any(|slice| Part::Text(quant.name()).is(&slice.key[0]))
        };
        let dtype = Part::Text(if any(quant) { quant.name() } else { Quant::Bf16.name() });
        let curve = |heads: u32| self.db().curve("mla_bmm", &[dtype, op, Part::Int(heads)]);
        let measured = heads.next_power_of_two();
        let (curve, measured) = match curve(heads) {
            Some(curve) => (curve, heads),
            None => (curve(measured).ok_or(missing)?, measured),
        };
        Ok(Arc::new(MlaBmm {
            curve,
            scale: f64::from(heads) / f64::from(measured),
            heads: f64::from(measured),
            flops,
            bytes: quant.bytes(),
            bandwidth: self.db().system().mem_bw_bytes_per_sec,
        }))
    }
}
