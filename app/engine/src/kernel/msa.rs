//! Attention over selected blocks (MiniMax-M3): whole blocks over measured grids.

use std::sync::Arc;

use perf_data::Grid;

use super::dsa::TRTLLM;
use super::sparse::{LABEL, Parts, causal_pairs, slower};
use super::{Binder, Gap, Measure, Roofline, Shape, Timing};
use crate::model::Dsa;
use crate::ops::{DsaArch, DsaBlock, MsaBlock, Projections};
use crate::perf::Part;
use crate::perf::grid::{GridTable, Miss};
use crate::quant::{FmhaQuant, Pipe};
use crate::source::DataMode;

/// Architecture of the measured blocks.
const ARCH: &str = "MiniMaxM3ForCausalLM";
/// Value width of a head.
const VALUE: f64 = 128.0;
/// Indexer heads and their width.
const INDEX_HEADS: f64 = 4.0;
const INDEX_DIM: f64 = 128.0;
/// Tokens the indexer selects, block by block.
const TOPK: f64 = 2048.0;
const BLOCK: f64 = 128.0;

/// Roofline of a block.
#[derive(Clone, Copy, Debug)]
struct Sol {
    hidden: f64,
    kv_heads: f64,
    head_dim: f64,
    gemm_flops: f64,
    index_flops: f64,
    attention_flops: f64,
    gemm_bytes: f64,
    kv_bytes: f64,
    fmha_bytes: f64,
    bandwidth: f64,
}

impl Sol {
    /// `length` tokens are cached or new; `pairs` of queries and tokens are computed.
    fn parts(&self, heads: f64, batch: f64, tokens: f64, length: f64, pairs: f64) -> Parts {
        let weights = self.hidden * heads * self.head_dim
            + 2.0 * self.hidden * self.kv_heads * self.head_dim
            + heads * VALUE * self.hidden
            + self.hidden * INDEX_HEADS * INDEX_DIM;
        let blocks = if length > TOPK { (length / BLOCK).ceil() } else { 0.0 };
        let index = INDEX_HEADS * INDEX_DIM * blocks;
        let compute = 2.0 * tokens * weights / self.gemm_flops
            + 2.0 * tokens * index / self.index_flops
            + 2.0 * heads * (self.head_dim + VALUE) * pairs / self.attention_flops;
        let bytes = weights * self.gemm_bytes
            + batch * self.kv_heads * length.min(TOPK) * (self.head_dim + VALUE) * self.kv_bytes
            + batch * index
            + 2.0 * tokens * heads * self.head_dim * self.fmha_bytes;
        (compute * 1e3, bytes / self.bandwidth * 1e3)
    }

    /// Prefill over (heads, prefix, new tokens, batch).
    fn context(&self, q: &[f64]) -> Parts {
        let (heads, prefix, new, batch) = (q[0], q[1], q[2], q[3]);
        self.parts(heads, batch, batch * new, new + prefix, causal_pairs(batch, new, prefix, TOPK))
    }

    /// Decode over (heads, batch, KV length).
    fn generation(&self, q: &[f64]) -> Parts {
        let (heads, batch, length) = (q[0], q[1], (q[2] - 1.0).max(0.0));
        self.parts(heads, batch, batch, length, batch * length.min(TOPK))
    }
}

/// What answers for a block.
#[derive(Clone, Debug)]
enum Answer {
    /// Measurements, and where they have nothing the utilisation of attention over selected tokens.
    Table { own: Option<GridTable>, alike: Option<Arc<dyn Measure>> },
    /// The roofline.
    Roofline,
}

/// A block, prefill or decode.
#[derive(Clone, Debug)]
struct Msa {
    table: Answer,
    sol: Sol,
    heads: f64,
    context: bool,
}

impl Msa {
    fn parts(&self, q: &[f64]) -> Parts {
        if self.context { self.sol.context(q) } else { self.sol.generation(q) }
    }

    /// Runs `on` with the coordinates of a shape.
    fn at<T>(&self, shape: Shape, on: impl Fn(&[f64]) -> T) -> T {
        if self.context {
            on(&[self.heads, shape.prefix, shape.seq, shape.batch])
        } else {
            on(&[self.heads, shape.batch, shape.seq])
        }
    }
}

impl Measure for Msa {
    fn latency(&self, shape: Shape, _: f64) -> Result<Timing, Miss> {
        let bound = || self.at(shape, |q| slower(self.parts(q)));
        let Answer::Table { own, alike } = &self.table else { return Ok(Timing::roofline(bound())) };
        let read = |table: &GridTable| {
            self.at(shape, |q| table.query(q, &|q: &[f64]| slower(self.parts(q)))).map(Timing::from)
        };
        own.as_ref().ok_or(Miss).and_then(read).or_else(|Miss| {
            let alike = alike.as_ref().ok_or(Miss)?;
            let (latency, roofline) = (alike.latency(shape, 0.0)?.ms, alike.roofline(shape, 0.0).ms);
            let util = roofline.filter(|&ms| ms > 0.0 && latency > 0.0).ok_or(Miss)? / latency;
            Ok(Timing::estimate(bound() / util))
        })
    }

    fn roofline(&self, shape: Shape, _: f64) -> Roofline {
        let (compute, memory) = self.at(shape, |q| self.parts(q));
        Roofline::of(compute, memory)
    }
}

impl Binder<'_> {
    pub(super) fn msa(self, block: &MsaBlock) -> Result<Arc<dyn Measure>, Gap> {
        let context = block.fmha.is_some();
        let fmha = block.fmha.unwrap_or(FmhaQuant::Bf16);
        let [kv, gemm] = [block.kv.name(), block.gemm.name()].map(Part::Text);
        let (skip, arch) = (Part::Int(0), Part::Text(ARCH));
        let table = if context {
            self.bucket("msa_context_module", &[skip, arch, Part::Text(fmha.name()), kv, gemm], TRTLLM)
        } else {
            self.bucket("msa_generation_module", &[skip, arch, kv, gemm], TRTLLM)
        };
        let sol = Sol {
            hidden: f64::from(block.hidden),
            kv_heads: f64::from(block.kv_heads),
            head_dim: f64::from(block.head_dim),
            gemm_flops: self.peak(block.gemm.pipe())?,
            index_flops: self.peak(Pipe::Fp8)?,
            attention_flops: self.peak(fmha.pipe())?,
            gemm_bytes: block.gemm.bytes(),
            kv_bytes: block.kv.bytes(),
            fmha_bytes: fmha.bytes(),
            bandwidth: self.db().system().mem_bw_bytes_per_sec,
        };
        let table = self.msa_answer(block, table)?;
        Ok(Arc::new(Msa { table, sol, heads: f64::from(block.heads), context }))
    }

    fn msa_answer(self, block: &MsaBlock, grid: Option<&Grid>) -> Result<Answer, Gap> {
        let own = || grid.map(|grid| GridTable::new(grid.clone(), None, |_, ms| ms));
        match self.mode() {
            DataMode::Sol => Ok(Answer::Roofline),
            DataMode::Silicon => {
                let own = Some(own().ok_or(Gap::NoData(LABEL))?);
                Ok(Answer::Table { own, alike: None })
            }
            DataMode::Hybrid | DataMode::Empirical => {
                let (own, alike) = (own(), self.measured_only().dsa(&selected(block)).ok());
                let known = own.is_some() || alike.is_some();
                known.then_some(Answer::Table { own, alike }).ok_or(Gap::NoEstimate(LABEL))
            }
        }
    }
}

/// Attention over selected tokens, as GLM-5 has it, at the heads and precisions of a block.
fn selected(block: &MsaBlock) -> DsaBlock {
    let dims = Dsa {
        q_lora_rank: 2048,
        kv_lora_rank: 512,
        qk_nope_head_dim: 192,
        qk_rope_head_dim: 64,
        v_head_dim: 256,
        index_head_dim: 128,
        index_n_heads: 32,
        index_topk: 2048,
        full_layers: 0,
    };
    let MsaBlock { heads, fmha, kv, gemm, .. } = *block;
    let projections = Projections { query: gemm, kv: gemm, out: gemm, indexer: gemm };
    let (arch, hidden, indexer_share) = (DsaArch::Glm5, 6144, 1.0);
    DsaBlock { arch, hidden, dims, heads, fmha, kv, gemm, projections, indexer_share, cp: 1 }
}
