//! Latent attention (DeepSeek V3, Kimi K2) over measured grids.

use std::sync::Arc;

use perf_data::Slice;

use super::answer::Answer;
use super::prefill::{self, Bounds, Chunk};
use super::sparse::slower;
use super::{Binder, Gap, Measure, Roofline, Shape, Timing};
use crate::perf::Part;
use crate::perf::curve::Curve;
use crate::perf::grid::{GridTable, Miss};
use crate::quant::{FmhaQuant, KvQuant, Quant};

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

impl ContextSol {
    fn ms(&self, q: &[f64]) -> f64 {
        slower(self.parts(q))
    }

    /// Bound of a rank's share of a sequence, the cached prefix seen but not computed.
    fn cached(&self, heads: f64, Chunk { new, prefix, batch }: Chunk) -> f64 {
        let full = new + prefix;
        let compute = 320.0 * batch * heads * (full * full - prefix * prefix) / self.flops * 1e3;
        let memory = batch * heads * 320.0 * (self.kv_bytes * full + 2.0 * new) / self.bandwidth * 1e3;
        compute.max(memory)
    }
}

/// Latent prefill attention, the kernel alone or the whole block.
#[derive(Clone, Debug)]
struct ContextMla {
    table: Answer<GridTable>,
    sol: ContextSol,
    heads: f64,
    cp: f64,
}

impl Measure for ContextMla {
    fn latency(&self, shape: Shape, _: f64) -> Result<Timing, Miss> {
        let bounds =
            Bounds { table: |q: &[f64]| self.sol.ms(q), work: |chunk| self.sol.cached(self.heads, chunk) };
        prefill::latency(&self.table, self.heads, self.cp, shape, &bounds)
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
    table: Answer<GridTable>,
    sol: GenerationSol,
    heads: f64,
}

impl Measure for GenerationMla {
    fn latency(&self, shape: Shape, _: f64) -> Result<Timing, Miss> {
        let at = [self.heads, shape.batch, shape.seq];
        let sol = |q: &[f64]| slower(self.sol.parts(q));
        self.table.timing(|table| Ok(table.query(&at, &sol)?.into()), &at, || sol(&at))
    }

    fn roofline(&self, shape: Shape, _: f64) -> Roofline {
        let (compute, memory) = self.sol.parts(&[self.heads, shape.batch, shape.seq]);
        Roofline::of(compute, memory)
    }
}

/// Batched products around latent decode attention; measured over the batch, not over tokens.
#[derive(Clone, Debug)]
struct MlaBmm {
    table: Answer<Curve>,
    /// From the measured head count to the wanted one.
    scale: f64,
    sol: BmmSol,
}

/// Roofline of the products over the batch.
#[derive(Clone, Copy, Debug)]
struct BmmSol {
    heads: f64,
    flops: f64,
    bytes: f64,
    bandwidth: f64,
}

impl BmmSol {
    fn parts(&self, batch: f64) -> (f64, f64) {
        let compute = 2.0 * batch * self.heads * 65536.0 / self.flops * 1e3;
        let memory = self.heads * (batch * 640.0 + 65536.0) * self.bytes / self.bandwidth * 1e3;
        (compute, memory)
    }
}

impl Measure for MlaBmm {
    fn latency(&self, shape: Shape, _: f64) -> Result<Timing, Miss> {
        let sol = |batch: f64| slower(self.sol.parts(batch));
        let read = |curve: &Curve| Ok(curve.query(shape.batch, sol)?.into());
        Ok(self.table.timing(read, &[shape.batch], || sol(shape.batch))?.scaled(self.scale))
    }

    fn roofline(&self, shape: Shape, _: f64) -> Roofline {
        let (compute, memory) = self.sol.parts(shape.batch);
        Roofline::of(compute * self.scale, memory * self.scale)
    }
}

/// A bound operator, or why there is none.
type Bound = Result<Arc<dyn Measure>, Gap>;

impl Binder<'_> {
    /// The attention kernel.
    pub(super) fn mla(self, heads: u32, fmha: Option<FmhaQuant>, kv: KvQuant, cp: u32) -> Bound {
        let precision = Part::Text(kv.name());
        if let Some(fmha) = fmha {
            let key = [Part::Text(fmha.name()), precision];
            let slice = self.db().slice("context_mla", &key);
            return self.latent_prefill("latent attention", slice, (heads, cp), (fmha, kv));
        }
        let key = [precision];
        let slice = self.db().slice("generation_mla", &key);
        self.latent_decode("latent attention", slice, heads, kv, None)
    }

    /// The whole block.
    pub(super) fn mla_module(self, heads: u32, fmha: Option<FmhaQuant>, kv: KvQuant, gemm: Quant) -> Bound {
        const LABEL: &str = "latent attention block";
        let precision = [Part::Text(kv.name()), Part::Text(gemm.name())];
        // Every measured block belongs to a model of this many heads.
        let native = Part::Int(128);
        if let Some(fmha) = fmha {
            let key = [Part::Text(fmha.name()), precision[0], precision[1], native];
            let slice = self.db().slice("mla_context_module", &key);
            return self.latent_prefill(LABEL, slice, (heads, 1), (fmha, kv));
        }
        let key = [precision[0], precision[1], native];
        let slice = self.db().slice("mla_generation_module", &key);
        self.latent_decode(LABEL, slice, heads, kv, Some(gemm))
    }

    fn latent_prefill(
        self,
        label: &'static str,
        slice: Option<&Slice>,
        (heads, cp): (u32, u32),
        (fmha, kv): (FmhaQuant, KvQuant),
    ) -> Bound {
        let bandwidth = self.db().system().mem_bw_bytes_per_sec;
        let sol = ContextSol { flops: self.peak(fmha.pipe())?, bandwidth, kv_bytes: kv.bytes() };
        let table = self.grid_answer(label, slice.map(|slice| &slice.grid), Some(1), |q| sol.ms(q))?;
        Ok(Arc::new(ContextMla { table, sol, heads: f64::from(heads), cp: f64::from(cp) }))
    }

    fn latent_decode(
        self,
        label: &'static str,
        slice: Option<&Slice>,
        heads: u32,
        kv: KvQuant,
        gemm: Option<Quant>,
    ) -> Bound {
        let projections = |gemm: Quant| Ok((self.peak(gemm.pipe())?, gemm.bytes()));
        let sol = GenerationSol {
            flops: self.decode_peak(kv)?,
            bandwidth: self.db().system().mem_bw_bytes_per_sec,
            kv_bytes: kv.bytes(),
            gemm: gemm.map(projections).transpose()?,
        };
        let table =
            self.grid_answer(label, slice.map(|slice| &slice.grid), None, |q| slower(sol.parts(q)))?;
        Ok(Arc::new(GenerationMla { table, sol, heads: f64::from(heads) }))
    }

    /// The batched products; a precision without rows is read from the 16-bit ones.
    pub(super) fn mla_bmm(self, heads: u32, quant: Quant, pre: bool) -> Bound {
        let flops = self.peak(quant.pipe())?;
        let op = Part::Text(if pre { "mla_gen_pre" } else { "mla_gen_post" });
        let any = |quant: Quant| {
            self.db().slices("mla_bmm").any(|slice| Part::Text(quant.name()).is(&slice.key[0]))
        };
        let dtype = Part::Text(if any(quant) { quant.name() } else { Quant::Bf16.name() });
        let slice_at = |heads: u32| self.db().slice("mla_bmm", &[dtype, op, Part::Int(heads)]);
        let (slice, measured) = match slice_at(heads) {
            Some(slice) => (Some(slice), heads),
            None => (slice_at(heads.next_power_of_two()), heads.next_power_of_two()),
        };
        let bandwidth = self.db().system().mem_bw_bytes_per_sec;
        let sol = BmmSol { heads: f64::from(measured), flops, bytes: quant.bytes(), bandwidth };
        let bound = |batch: f64| slower(sol.parts(batch));
        Ok(Arc::new(MlaBmm {
            table: self.curve_answer("latent attention projection", slice, bound)?,
            scale: f64::from(heads) / f64::from(measured),
            sol,
        }))
    }
}
