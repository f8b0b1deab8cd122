//! Attention over selected tokens (DeepSeek V3.2, GLM-5): whole blocks over measured grids.

use std::sync::Arc;

use perf_data::Grid;

use super::answer::Answer;
use super::comm::Collective;
use super::sparse::{LABEL, Lookup, Parts, add_gather, add_measured, causal_pairs, slower};
use super::{Binder, Gap, Measure, Roofline, Shape, Timing};
use crate::model::Dsa;
use crate::ops::{self, CommQuant, DsaArch, DsaBlock};
use crate::perf::Part;
use crate::perf::estimate::Estimate;
use crate::perf::grid::{GridTable, Miss};
use crate::perf::util::{Coords, Samples, points};
use crate::quant::{FmhaQuant, Pipe};
use crate::source::DataMode;

/// Which indexer kernels were measured.
pub(super) const TRTLLM: &str = "trtllm";
const FLASHMLA: &str = "flashmla_kv";
const BOTH: &str = "both";

/// Roofline of a block.
#[derive(Clone, Copy, Debug)]
struct Sol {
    hidden: f64,
    dims: Dsa,
    gemm_flops: f64,
    index_flops: f64,
    attention_flops: f64,
    gemm_bytes: f64,
    kv_bytes: f64,
    fmha_bytes: f64,
    bandwidth: f64,
}

impl Sol {
    /// Weight elements and operations of the projections.
    fn projections(&self, heads: f64, tokens: f64) -> (f64, f64) {
        let Dsa { q_lora_rank, kv_lora_rank, qk_nope_head_dim, qk_rope_head_dim, v_head_dim, .. } = self.dims;
        let [ql, kl] = [q_lora_rank, kv_lora_rank].map(f64::from);
        let [nope, rope, value] = [qk_nope_head_dim, qk_rope_head_dim, v_head_dim].map(f64::from);
        let [index_dim, index_heads] = [self.dims.index_head_dim, self.dims.index_n_heads].map(f64::from);
        let weights = self.hidden * (ql + kl + rope + index_dim)
            + ql * heads * (nope + rope)
            + ql * index_heads * index_dim
            + self.hidden * index_heads
            + heads * value * self.hidden;
        (weights, 2.0 * tokens * (weights + heads * nope * kl + heads * kl * value))
    }

    /// Elements of a cached token, and bytes of its indexer key.
    fn cached(&self) -> (f64, f64) {
        let Dsa { kv_lora_rank, qk_rope_head_dim, index_head_dim, .. } = self.dims;
        (
            f64::from(kv_lora_rank + qk_rope_head_dim),
            f64::from(index_head_dim + 4 * index_head_dim.div_ceil(128)),
        )
    }

    fn index_width(&self) -> f64 {
        f64::from(self.dims.index_n_heads) * f64::from(self.dims.index_head_dim)
    }

    fn time(&self, gemm: f64, index: f64, attention: f64, bytes: f64) -> Parts {
        let compute = gemm / self.gemm_flops + index / self.index_flops + attention / self.attention_flops;
        (compute * 1e3, bytes / self.bandwidth * 1e3)
    }

    /// Prefill over (heads, prefix, new tokens, batch).
    fn context(&self, q: &[f64], has_indexer: bool) -> Parts {
        let (heads, prefix, new, batch) = (q[0], q[1], q[2], q[3]);
        let (full, tokens) = (new + prefix, batch * new);
        let topk = f64::from(self.dims.index_topk);
        let (weights, gemm) = self.projections(heads, tokens);
        let (width, key_bytes) = self.cached();
        // Nothing is left out of a short sequence, so nothing is selected.
        let selects = if has_indexer && full > topk { 1.0 } else { 0.0 };
        let index = selects * 2.0 * tokens * self.index_width() * full;
        let pairs = causal_pairs(batch, new, prefix, topk);
        let attention = 2.0 * heads * (width + f64::from(self.dims.kv_lora_rank)) * pairs;
        let query = f64::from(self.dims.qk_nope_head_dim + self.dims.qk_rope_head_dim);
        let bytes = weights * self.gemm_bytes
            + batch * heads * full.min(topk) * width * self.kv_bytes
            + selects * batch * full * key_bytes
            + 2.0 * tokens * heads * query * self.fmha_bytes;
        self.time(gemm, index, attention, bytes)
    }

    /// Decode over (heads, batch, KV length).
    fn generation(&self, q: &[f64]) -> Parts {
        let (heads, batch, length) = (q[0], q[1], q[2]);
        let seen = length.min(f64::from(self.dims.index_topk));
        let (weights, gemm) = self.projections(heads, batch);
        let (width, key_bytes) = self.cached();
        let index = 2.0 * batch * self.index_width() * length;
        let attention = 2.0 * batch * heads * (width + f64::from(self.dims.kv_lora_rank)) * seen;
        let bytes =
            weights * self.gemm_bytes + batch * length * key_bytes + batch * seen * width * self.kv_bytes;
        self.time(gemm, index, attention, bytes)
    }
}

/// Layers with an indexer of their own, and layers that reuse a selection where those were measured.
#[derive(Clone, Debug)]
struct Tables {
    full: Answer<GridTable>,
    reuse: Option<Answer<GridTable>>,
    /// Share of layers with an indexer.
    share: f64,
}

impl Tables {
    /// Mean over the layers; `one` reads a table, told whether it has an indexer.
    fn mean(&self, one: impl Fn(&Answer<GridTable>, bool) -> Result<Timing, Miss>) -> Result<Timing, Miss> {
        let full = one(&self.full, true)?;
        let Some(reuse) = &self.reuse else { return Ok(full) };
        let mut total = full.scaled(self.share);
        total.add(1.0 - self.share, one(reuse, false)?);
        Ok(total)
    }
}

/// What changes when several ranks share a sequence.
#[derive(Clone, Debug)]
struct Split {
    cp: f64,
    scores: Lookup,
    /// Selection at the end of a sequence, and over scores that are all alike.
    select_last: Lookup,
    select_flat: Lookup,
    gather: Collective,
}

/// Prefill.
#[derive(Clone, Debug)]
struct ContextDsa {
    tables: Tables,
    sol: Sol,
    heads: f64,
    split: Option<Split>,
}

impl ContextDsa {
    fn base(
        &self,
        table: &Answer<GridTable>,
        shape: Shape,
        new: f64,
        has_indexer: bool,
    ) -> Result<Timing, Miss> {
        let sol = |q: &[f64]| slower(self.sol.context(q, has_indexer));
        let at = [self.heads, shape.prefix, new, shape.batch];
        table.timing(|table| Ok(table.query(&at, &sol)?.into()), &at, || sol(&at))
    }

    /// A rank's share of the block; scores and selection depend on the whole sequence.
    fn shared(
        &self,
        split: &Split,
        table: &Answer<GridTable>,
        shape: Shape,
        indexer: bool,
    ) -> Result<Timing, Miss> {
        let Shape { batch, seq: new, prefix, .. } = shape;
        let here = (new / split.cp).ceil().max(1.0);
        let mut total = self.base(table, shape, here, indexer)?;
        if indexer {
            let scores = |new| split.scores.nearest(batch, new, prefix);
            add_measured(&mut total, scores(new)? / split.cp - scores(here)?);
            let last = split.select_last.nearest(batch, new, prefix)?;
            add_measured(&mut total, last / split.cp - split.select_flat.nearest(batch, here, prefix)?);
            let keys = f64::from(self.sol.dims.index_head_dim);
            add_gather(&mut total, &split.gather, batch * new * keys)?;
        }
        add_gather(&mut total, &split.gather, batch * new * self.sol.cached().0)?;
        Ok(total)
    }
}

impl Measure for ContextDsa {
    fn latency(&self, shape: Shape, _: f64) -> Result<Timing, Miss> {
        self.tables.mean(|table, indexer| match &self.split {
            None => self.base(table, shape, shape.seq, indexer),
            Some(split) => self.shared(split, table, shape, indexer),
        })
    }

    fn roofline(&self, shape: Shape, _: f64) -> Roofline {
        let cp = self.split.as_ref().map_or(1.0, |split| split.cp);
        let at = [self.heads, shape.prefix, (shape.seq / cp).ceil(), shape.batch];
        let (compute, memory) = self.sol.context(&at, true);
        Roofline::of(compute, memory)
    }
}

/// Decode.
#[derive(Clone, Debug)]
struct GenerationDsa {
    tables: Tables,
    sol: Sol,
    heads: f64,
}

impl Measure for GenerationDsa {
    fn latency(&self, shape: Shape, _: f64) -> Result<Timing, Miss> {
        let sol = |q: &[f64]| slower(self.sol.generation(q));
        let at = [self.heads, shape.batch, shape.seq];
        self.tables
            .mean(|table, _| table.timing(|table| Ok(table.query(&at, &sol)?.into()), &at, || sol(&at)))
    }

    fn roofline(&self, shape: Shape, _: f64) -> Roofline {
        let (compute, memory) = self.sol.generation(&[self.heads, shape.batch, shape.seq]);
        Roofline::of(compute, memory)
    }
}

/// Points at this head count where it was measured, else at all.
fn of_heads(rows: Vec<(Coords, f64)>, heads: f64) -> Vec<(Coords, f64)> {
    let own: Vec<_> = rows.iter().copied().filter(|(coords, _)| coords[0] == heads).collect();
    if own.is_empty() { rows } else { own }
}

impl<'a> Binder<'a> {
    /// The measurements of the wanted indexer kernel, or of another one.
    pub(super) fn bucket(self, table: &str, key: &[Part<'_>], wanted: &'static str) -> Option<&'a Grid> {
        let of = |bucket: &'static str| {
            let key: Vec<Part<'_>> = key.iter().copied().chain([Part::Text(bucket)]).collect();
            self.db().slice(table, &key).map(|slice| &slice.grid)
        };
        [wanted, BOTH, FLASHMLA, TRTLLM].into_iter().find_map(of)
    }

    pub(super) fn dsa(self, block: &DsaBlock) -> Result<Arc<dyn Measure>, Gap> {
        let fmha = block.fmha.unwrap_or(FmhaQuant::Bf16);
        let sol = Sol {
            hidden: f64::from(block.hidden),
            dims: block.dims,
            gemm_flops: self.peak(block.gemm.pipe())?,
            index_flops: self.peak(Pipe::Fp8)?,
            attention_flops: self.peak(fmha.pipe())?,
            gemm_bytes: block.gemm.bytes(),
            kv_bytes: block.kv.bytes(),
            fmha_bytes: fmha.bytes(),
            bandwidth: self.db().system().mem_bw_bytes_per_sec,
        };
        let context = block.fmha.is_some();
        let table = if context { "dsa_context_module" } else { "dsa_generation_module" };
        // Ranks that share a sequence run another indexer.
        let bucket = if block.cp > 1 { FLASHMLA } else { TRTLLM };
        let grid = |reuse: bool| {
            let [arch, fmha, kv, gemm] =
                [block.arch.name(), fmha.name(), block.kv.name(), block.gemm.name()].map(Part::Text);
            self.bucket(table, &[Part::Int(u32::from(reuse)), arch, fmha, kv, gemm], bucket)
        };
        let heads = f64::from(block.heads);
        let answer = |grid: Option<&Grid>, indexer: bool| {
            let table = || Some(GridTable::new(grid?.clone(), None, |_, ms| ms));
            let estimate = || {
                let rows = of_heads(points(grid?).collect(), heads);
                if context {
                    return Estimate::after_prefix(&rows, 4, 1, |q| slower(sol.context(q, indexer)));
                }
                Samples::utilisation(rows.into_iter(), 3, |q| slower(sol.generation(q))).map(Estimate::own)
            };
            self.answer(LABEL, table, estimate)
        };
        // Layers that reuse a selection count as the others where they were not measured.
        let reuse = if block.indexer_share < 1.0 { answer(grid(true), false).ok() } else { None };
        let tables = Tables { full: answer(grid(false), true)?, reuse, share: block.indexer_share };
        if !context {
            return Ok(Arc::new(GenerationDsa { tables, sol, heads }));
        }
        let split = if block.cp > 1 { Some(self.split(block)?) } else { None };
        Ok(Arc::new(ContextDsa { tables, sol, heads, split }))
    }

    fn split(self, block: &DsaBlock) -> Result<Split, Gap> {
        if self.mode() == DataMode::Sol {
            return Err(Gap::NoEstimate(LABEL));
        }
        let missing = Gap::NoData(LABEL);
        let (scores, select) = match block.arch {
            DsaArch::DeepseekV32 => ("dsv32_mqa_logits_module", "dsv32_topk_module"),
            DsaArch::Glm5 => ("glm5_mqa_logits_module", "glm5_topk_module"),
        };
        let heads = Part::Int(block.heads);
        let find = |table: &str, key: &[Part<'_>]| {
            self.db().slice(table, key).and_then(Lookup::by_batch).ok_or(missing)
        };
        let gather = self.nccl(ops::Collective::AllGather, 1.0, block.cp, CommQuant::Half)?;
        Ok(Split {
            cp: f64::from(block.cp),
            scores: find(scores, &[heads])?,
            select_last: find(select, &[heads, Part::Text("top_last")])?,
            select_flat: find(select, &[heads, Part::Text("flat")])?,
            gather: gather.ok_or(missing)?,
        })
    }
}
