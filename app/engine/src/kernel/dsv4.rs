//! Attention over compressed tokens (DeepSeek V4): whole blocks over measured grids.

use std::sync::Arc;

use perf_data::{Grid, Slice};

use super::answer::Answer;
use super::comm::Collective;
use super::sparse::{LABEL, Lookup, Parts, add_gather, add_measured, causal_pairs, compressed_pairs, slower};
use super::{Binder, Gap, Measure, Roofline, Shape, Timing};
use crate::ops::{self, CommQuant, Compression, Dsv4Block};
use crate::perf::Part;
use crate::perf::estimate::Estimate;
use crate::perf::grid::{GridTable, Miss};
use crate::perf::util::points;
use crate::quant::Pipe;
use crate::source::DataMode;

/// Tokens whose scores are computed at a time.
const CHUNK: f64 = 8192.0;

/// Roofline of a block.
#[derive(Clone, Copy, Debug)]
struct Sol {
    block: Dsv4Block,
    gemm_flops: f64,
    half_flops: f64,
    index_flops: f64,
    attention_flops: f64,
    /// Bytes per element of the attention arithmetic.
    fmha_bytes: f64,
    bandwidth: f64,
}

impl Sol {
    /// `length` tokens precede or are new; `pairs` of queries and tokens are computed.
    fn parts(&self, batch: f64, tokens: f64, length: f64, pairs: f64) -> Parts {
        let Dsv4Block { kind, hidden, q_lora, o_lora, o_groups, head_dim, heads, .. } = self.block;
        let [hidden, ql, ol, groups, hd, n] =
            [hidden, q_lora, o_lora, o_groups, head_dim, heads].map(f64::from);
        let [rope, index_heads, index_dim] =
            [self.block.rope_dim, self.block.index_heads, self.block.index_dim].map(f64::from);
        let compressors = f64::from(kind.compressors());
        let dense = hidden * ql + ql * n * hd + hidden * hd + groups * ol * hidden;
        let mut gemm =
            2.0 * tokens * dense + 4.0 * tokens * hidden * compressors * hd + 2.0 * tokens * compressors * hd;
        let mut half = 2.0 * tokens * n * hd * ol;
        let mut index = 0.0;
        let mut gemm_weights = dense + 2.0 * hidden * compressors * hd;
        let mut half_weights = n * hd * ol;
        let mut index_bytes = 0.0;
        if kind == Compression::Sparse {
            let compressed = (length / f64::from(kind.ratio())).floor();
            gemm += 8.0 * tokens * hidden * index_dim + 4.0 * tokens * index_dim;
            half += 2.0 * tokens * hidden * index_heads;
            index = 2.0 * tokens * (ql + compressed) * index_heads * index_dim;
            gemm_weights += ql * index_heads * index_dim;
            half_weights += hidden * index_heads;
            // Indexer keys in 4 bits.
            index_bytes = batch * compressed * index_dim * 0.5;
        }
        let compute = gemm / self.gemm_flops
            + half / self.half_flops
            + index / self.index_flops
            + 4.0 * n * hd * pairs / self.attention_flops;
        let activations = tokens * (hidden + ql + n * hd + hd + groups * ol);
        let bytes = (gemm_weights + activations) * self.block.gemm.bytes()
            + 2.0 * half_weights
            + pairs * hd * self.block.kv.bytes()
            + index_bytes
            + tokens * n * rope * self.fmha_bytes;
        (compute * 1e3, bytes / self.bandwidth * 1e3)
    }

    /// Compressed tokens that a query sees at most, `whole` of them being there.
    fn limit(&self, whole: f64) -> f64 {
        match self.block.kind {
            Compression::Sparse => f64::from(self.block.topk),
            Compression::Heavy => whole,
        }
    }

    /// Prefill over (prefix, new tokens, batch).
    fn context(&self, q: &[f64]) -> Parts {
        let (prefix, new, batch) = (q[0], q[1], q[2]);
        let ratio = f64::from(self.block.kind.ratio());
        let limit = self.limit(((prefix + new) / ratio).floor());
        let pairs = causal_pairs(batch, new, prefix, f64::from(self.block.window))
            + compressed_pairs(batch, new, prefix, ratio, limit);
        self.parts(batch, batch * new, prefix + new, pairs)
    }

    /// Decode over (batch, KV length).
    fn generation(&self, q: &[f64]) -> Parts {
        let (batch, length) = (q[0], (q[1] - 1.0).max(0.0));
        let whole = (length / f64::from(self.block.kind.ratio())).floor();
        let pairs = batch * length.min(f64::from(self.block.window)) + batch * whole.min(self.limit(whole));
        self.parts(batch, batch, length, pairs)
    }
}

/// What changes when several ranks share a sequence.
#[derive(Clone, Debug)]
struct Split {
    cp: f64,
    gather: Collective,
    /// Scores and selection of the sparse kind, both in the sparse kind only.
    indexer: Option<(GridTable, Lookup)>,
}

/// Prefill.
#[derive(Clone, Debug)]
struct ContextDsv4 {
    table: Answer<GridTable>,
    sol: Sol,
    /// What the measured selection, over scores all alike, takes longer than a real one.
    excess: Option<Lookup>,
    split: Option<Split>,
}

impl ContextDsv4 {
    fn base(&self, shape: Shape, new: f64) -> Result<Timing, Miss> {
        let Shape { batch, prefix, .. } = shape;
        let sol = |q: &[f64]| slower(self.sol.context(q));
        let at = [prefix, new, batch];
        let read = |table: &GridTable| {
            let reading = table.query(&at, &sol)?;
            Ok(corrected(reading.into(), self.excess.as_ref(), batch, new, prefix))
        };
        self.table.timing(read, &at, || sol(&at))
    }

    /// Scores of `new` tokens after `cached` ones, a chunk at a time.
    fn scores(table: &GridTable, batch: f64, new: f64, cached: f64) -> Result<f64, Miss> {
        let pairs = |q: &[f64]| q[2] * (q[0] * q[1] + q[1] * q[1] / 2.0);
        let (mut total, mut at) = (0.0, 0.0);
        while at < new {
            total += table.query(&[cached + at, CHUNK.min(new - at), batch], &pairs)?.value;
            at += CHUNK;
        }
        Ok(total)
    }

    /// A rank's share of the block; scores and selection depend on the whole sequence.
    fn shared(&self, split: &Split, shape: Shape) -> Result<Timing, Miss> {
        let Shape { batch, seq: new, prefix, .. } = shape;
        let here = (new / split.cp).ceil().max(1.0);
        let mut total = self.base(shape, here)?;
        let Dsv4Block { kind, head_dim, index_dim, window, .. } = self.sol.block;
        let head = f64::from(head_dim);
        if let Some((scores, select)) = &split.indexer {
            let scores = |new| Self::scores(scores, batch, new, prefix);
            add_measured(&mut total, scores(new)? / split.cp - scores(here)?);
            let select = |new| select.nearest(batch, new, prefix);
            add_measured(&mut total, select(new)? / split.cp - select(here)?);
            add_gather(&mut total, &split.gather, batch * new * f64::from(index_dim))?;
        } else {
            let window = if window > 0 { new.min(f64::from(window)) } else { new };
            add_gather(&mut total, &split.gather, batch * window * head)?;
        }
        let compressed = (new / f64::from(kind.ratio())).floor();
        add_gather(&mut total, &split.gather, batch * compressed * head)?;
        Ok(total)
    }
}

/// Takes the excess of the measured selection off.
fn corrected(timing: Timing, excess: Option<&Lookup>, batch: f64, new: f64, cached: f64) -> Timing {
    let Some(excess) = excess.filter(|_| timing.ms > 0.0) else { return timing };
    let ms = (timing.ms - excess.linear(batch, new, cached)).max(0.0);
    timing.scaled(ms / timing.ms)
}

impl Measure for ContextDsv4 {
    fn latency(&self, shape: Shape, _: f64) -> Result<Timing, Miss> {
        match &self.split {
            None => self.base(shape, shape.seq),
            Some(split) => self.shared(split, shape),
        }
    }

    fn roofline(&self, shape: Shape, _: f64) -> Roofline {
        let cp = self.split.as_ref().map_or(1.0, |split| split.cp);
        let (compute, memory) = self.sol.context(&[shape.prefix, (shape.seq / cp).ceil(), shape.batch]);
        Roofline::of(compute, memory)
    }
}

/// Decode.
#[derive(Clone, Debug)]
struct GenerationDsv4 {
    table: Answer<GridTable>,
    sol: Sol,
    excess: Option<Lookup>,
}

impl Measure for GenerationDsv4 {
    fn latency(&self, shape: Shape, _: f64) -> Result<Timing, Miss> {
        let Shape { batch, seq: length, .. } = shape;
        let at = [batch, length];
        let sol = |q: &[f64]| slower(self.sol.generation(q));
        let read = |table: &GridTable| {
            let reading = table.query(&at, &sol)?;
            Ok(corrected(reading.into(), self.excess.as_ref(), batch, 1.0, (length - 1.0).max(0.0)))
        };
        self.table.timing(read, &at, || sol(&at))
    }

    fn roofline(&self, shape: Shape, _: f64) -> Roofline {
        let (compute, memory) = self.sol.generation(&[shape.batch, shape.seq]);
        Roofline::of(compute, memory)
    }
}

/// The measured head count that stands for the wanted one: the nearest one that is not larger.
fn stands_for(measured: impl Iterator<Item = i64> + Clone, wanted: u32) -> Option<i64> {
    let fits = measured.clone().filter(|&heads| heads <= i64::from(wanted)).max();
    fits.or_else(|| measured.min())
}

impl<'a> Binder<'a> {
    /// The measurements for the nearest head counts, of the whole model and then of a rank.
    fn heads(self, table: &str, key: &[Part<'_>], block: &Dsv4Block) -> Option<&'a Grid> {
        let at = key.len();
        let slices: Vec<&Slice> = self
            .db()
            .slices(table)
            .filter(|slice| {
                slice.key.len() == at + 2 && key.iter().zip(&slice.key).all(|(part, key)| part.is(key))
            })
            .collect();
        let native =
            stands_for(slices.iter().filter_map(|slice| slice.key[at].as_int()), block.native_heads)?;
        let of_native = slices.iter().filter(|slice| slice.key[at].as_int() == Some(native));
        let local = of_native.clone().filter_map(|slice| slice.key[at + 1].as_int());
        let local = stands_for(local, block.heads)?;
        let slice = of_native.into_iter().find(|slice| slice.key[at + 1].as_int() == Some(local))?;
        Some(&slice.grid)
    }

    fn calibration(self, block: &Dsv4Block, mode: &str) -> Option<&'a Slice> {
        let (heads, mode) = (Part::Int(block.native_heads), Part::Text(mode));
        let mut slices = self.db().slices("dsv4_csa_topk_calib");
        slices.find(|slice| heads.is(&slice.key[0]) && mode.is(&slice.key[1]))
    }

    pub(super) fn dsv4(self, block: &Dsv4Block) -> Result<Arc<dyn Measure>, Gap> {
        let decode = self.decode_peak(block.kv)?;
        let half_flops = self.peak(Pipe::Bf16)?;
        let (attention_flops, fmha_bytes) = match block.fmha {
            Some(fmha) => (self.peak(fmha.pipe())?, fmha.bytes()),
            // Decode runs in the precision of its peak.
            None => (decode, if decode > half_flops { 1.0 } else { 2.0 }),
        };
        let sol = Sol {
            block: *block,
            gemm_flops: self.peak(block.gemm.pipe())?,
            half_flops,
            index_flops: self.peak(Pipe::Fp8)?,
            attention_flops,
            fmha_bytes,
            bandwidth: self.db().system().mem_bw_bytes_per_sec,
        };
        let [kv, gemm] = [block.kv.name(), block.gemm.name()].map(Part::Text);
        let sparse = block.kind == Compression::Sparse;
        let excess = |flat: &str, last: &str| {
            let (flat, last) = (self.calibration(block, flat)?, self.calibration(block, last)?);
            Lookup::excess(flat, last)
        };
        let Some(fmha) = block.fmha else {
            let table = if sparse { "dsv4_csa_generation_module" } else { "dsv4_hca_generation_module" };
            let grid = self.heads(table, &[kv, gemm], block);
            let table = self.grid_answer(LABEL, grid, None, |q| slower(sol.generation(q)))?;
            let excess = if sparse { excess("v2_flat", "v2_top_last") } else { None };
            return Ok(Arc::new(GenerationDsv4 { table, sol, excess }));
        };
        let table = if sparse { "dsv4_csa_context_module" } else { "dsv4_hca_context_module" };
        let grid = self.heads(table, &[Part::Text(fmha.name()), kv, gemm], block);
        let table = || Some(GridTable::new(grid?.clone(), None, |_, ms| ms));
        let estimate = || {
            let rows: Vec<_> = points(grid?).collect();
            Estimate::after_prefix(&rows, 3, 0, |q| slower(sol.context(q)))
        };
        let table = self.answer(LABEL, table, estimate)?;
        let excess = if sparse { excess("v1_flat", "v1_top_last") } else { None };
        let split = if block.cp > 1 { Some(self.compressed_split(block)?) } else { None };
        Ok(Arc::new(ContextDsv4 { table, sol, excess, split }))
    }

    fn compressed_split(self, block: &Dsv4Block) -> Result<Split, Gap> {
        if self.mode() == DataMode::Sol {
            return Err(Gap::NoEstimate(LABEL));
        }
        let missing = Gap::NoData(LABEL);
        let gather = self.nccl(ops::Collective::AllGather, 1.0, block.cp, CommQuant::Half)?.ok_or(missing)?;
        let scores = |tp| {
            let key = [Part::Int(block.native_heads), Part::Int(tp)];
            self.db().grid("dsv4_paged_mqa_logits_module", &key, None)
        };
        let indexer = if block.kind == Compression::Sparse {
            // Scores do not depend on TP; most were measured without it.
            let scores = scores(block.tp).or_else(|| scores(1)).ok_or(missing)?;
            let select = self.calibration(block, "v1_top_last").and_then(Lookup::by_cached);
            Some((scores, select.ok_or(missing)?))
        } else {
            None
        };
        Ok(Split { cp: f64::from(block.cp), gather, indexer })
    }
}
