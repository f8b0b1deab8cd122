//! Attention and feed-forward layers of decode on different nodes (attention–FFN disaggregation).
//!
//! Attention workers keep the KV cache; all FFN nodes together are one pool that serves every attention worker.
//! A batch is cut into microbatches that travel between the two, layer by layer. Composition as in the
//! performance model of aiconfigurator 0.12.0 (see NOTICE).

mod split;

use crate::kernel::{Binder, Gap, Kernel, Shape, Timing};
use crate::memory::{Fit, Load, MemoryModel, Role, weights_per_gpu};
use crate::model::ModelSpec;
use crate::models;
use crate::ops::{Collective, CommQuant, Op, OpKind};
use crate::parallel::Parallel;
use crate::point::MemoryUse;
use crate::problem::{Problem, Side};
use crate::quant::Quant;
use crate::search;
use crate::step;

/// Decode steps are sampled every so many tokens.
const STRIDE: u32 = 32;
/// Bytes of an exchanged element.
const ELEMENT_BYTES: f64 = 2.0;

/// How transfers and computation overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pipeline {
    /// Transfers run beside computation, where enough microbatches are in flight.
    Optimistic,
    /// A node waits for what it sends.
    Conservative,
}

/// How a model is spread over attention and FFN nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AfdShape {
    /// Nodes that run attention.
    pub attention_nodes: u32,
    /// Nodes that run feed-forward layers or experts.
    pub ffn_nodes: u32,
    /// Tensor parallel size of one attention worker.
    pub attention_tp: u32,
    /// Expert parallel size of the FFN nodes; 1 for dense models.
    pub ffn_ep: u32,
    /// Parts of a batch that are in flight at a time.
    pub microbatches: u32,
    /// How transfers and computation overlap.
    pub pipeline: Pipeline,
}

/// Why a shape cannot be priced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AfdError {
    /// Sizes that make no sense.
    Shape(&'static str),
    /// An operator has no data.
    Gap(Gap),
}

impl From<Gap> for AfdError {
    fn from(gap: Gap) -> Self {
        Self::Gap(gap)
    }
}

/// One side of the split.
#[derive(Clone, Debug)]
struct Pool {
    kernels: Vec<Kernel>,
    memory: MemoryModel,
    weights: f64,
}

/// Attention and FFN nodes, bound to tables.
#[derive(Clone, Debug)]
pub struct Afd<'a> {
    problem: &'a Problem,
    shape: AfdShape,
    gpus_per_node: u32,
    attention: Pool,
    ffn: Pool,
    transfer: Kernel,
    gather: Kernel,
    scatter: Kernel,
    combine: Kernel,
}

/// What the decode nodes do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decode {
    /// One token of every request in flight, ms.
    pub itl_ms: f64,
    /// Requests in flight.
    pub concurrency: u32,
    /// Memory of an attention GPU, and whether it fits.
    pub attention: (MemoryUse, Fit),
    /// Memory of an FFN GPU, and whether it fits.
    pub ffn: (MemoryUse, Fit),
    /// What the latency rests on.
    pub timing: Timing,
}

impl AfdShape {
    /// Attention workers.
    pub fn attention_workers(self, gpus_per_node: u32) -> u32 {
        self.attention_nodes * gpus_per_node / self.attention_tp
    }

    /// GPUs of all nodes.
    pub fn gpus(self, gpus_per_node: u32) -> u32 {
        (self.attention_nodes + self.ffn_nodes) * gpus_per_node
    }

    /// Layouts of an attention worker and of the FFN pool.
    fn layouts(self, model: &ModelSpec, gpus_per_node: u32) -> [Parallel; 2] {
        let (tp, ffn_tp) = (self.attention_tp, self.ffn_nodes * gpus_per_node);
        let of = |tp: u32, ep: u32| {
            let (moe_tp, moe_ep) = if model.is_moe() { (tp / ep, ep) } else { (1, 1) };
            Parallel { moe_tp, moe_ep, ..Parallel::dense(tp, 1, 1) }
        };
        [of(tp, 1), of(ffn_tp, self.ffn_ep)]
    }

    fn check(self, problem: &Problem, gpus_per_node: u32) -> Result<(), AfdError> {
        let Self { attention_nodes, ffn_nodes, attention_tp, ffn_ep, microbatches, .. } = self;
        let model = &problem.model;
        let nodes = 1..=crate::problem::MAX_GPUS / gpus_per_node.max(1);
        if !nodes.contains(&attention_nodes) || !nodes.contains(&ffn_nodes) {
            return Err(AfdError::Shape("there must be at least one attention node and one FFN node"));
        }
        if attention_tp == 0 || !gpus_per_node.is_multiple_of(attention_tp) {
            return Err(AfdError::Shape("the GPUs of a node do not divide by the TP of attention workers"));
        }
        if ffn_ep == 0
            || !(ffn_nodes * gpus_per_node).is_multiple_of(ffn_ep)
            || (ffn_ep > 1 && !model.is_moe())
        {
            return Err(AfdError::Shape(
                "the GPUs of the FFN nodes do not divide by EP, or the model has no experts",
            ));
        }
        if !(1..=16).contains(&microbatches) {
            return Err(AfdError::Shape("the microbatches must be from 1 to 16"));
        }
        if problem.scenario.engine.draft_tokens > 0 {
            return Err(AfdError::Shape("speculative decoding is not known between attention and FFN nodes"));
        }
        let blocks = problem.prefill.precision.moe == Quant::Fp8Block;
        let legal = |parallel: Parallel| models::is_legal(model, parallel, blocks);
        if self.layouts(model, gpus_per_node).into_iter().all(legal) {
            Ok(())
        } else {
            Err(AfdError::Shape(
                "the heads, experts or quantised blocks of the model do not divide over these nodes",
            ))
        }
    }
}

impl<'a> Afd<'a> {
    /// Binds both kinds of nodes of the decode system.
    pub fn bind(problem: &'a Problem, shape: AfdShape) -> Result<Self, AfdError> {
        let side = problem.decode_side();
        let gpus_per_node = side.system.gpus_per_node;
        shape.check(problem, gpus_per_node)?;
        let [attention, ffn] = shape.layouts(&problem.model, gpus_per_node);
        let binder = Binder::new(&side.db);
        let bind = |name: &str, kind: OpKind| {
            binder.bind(&Op { name: name.to_owned(), count: 1.0, seq_split: 1, token_divisor: 1, kind })
        };
        let collective = |name, collective| {
            let kind =
                OpKind::Nccl { collective, elements: 1.0, gpus: gpus_per_node, dtype: CommQuant::Half };
            bind(name, kind)
        };
        Ok(Self {
            problem,
            shape,
            gpus_per_node,
            attention: pool(problem, side, attention, true)?,
            ffn: pool(problem, side, ffn, false)?,
            transfer: bind("transfer", OpKind::P2p { hidden: 1, pp: 2 })?,
            gather: collective("all_gather", Collective::AllGather)?,
            scatter: collective("reduce_scatter", Collective::ReduceScatter)?,
            combine: bind("combine", OpKind::Elementwise { bytes_per_token: ELEMENT_BYTES })?,
        })
    }

    /// Decode of `batch` requests on every attention worker.
    pub fn decode(&self, batch: u32) -> Result<Decode, Gap> {
        let AfdShape { microbatches, .. } = self.shape;
        let workers = self.shape.attention_workers(self.gpus_per_node);
        let micro = batch.div_ceil(microbatches);
        let isl = self.problem.requests.isl;
        let steps = self.problem.requests.osl.saturating_sub(1).max(1);
        let layers = f64::from(self.problem.model.layers);
        let exchange = self.exchange(micro)?;
        let (mut total, mut all, mut at) = (0.0, Timing::default(), 0);
        while at < steps {
            let length = isl + at + 1;
            let attention = sum(&self.attention.kernels, micro, length)?;
            let ffn = sum(&self.ffn.kernels, micro * workers, length)?;
            let step = self.step(
                attention.ms / layers + exchange.on_attention,
                ffn.ms / layers + exchange.on_ffn,
                &exchange,
            );
            let runs = f64::from(STRIDE.min(steps - at));
            total += step * runs;
            all.add(runs, attention);
            all.add(runs, ffn);
            at += STRIDE;
        }
        Ok(Decode {
            itl_ms: total / f64::from(steps),
            concurrency: workers * batch,
            attention: self.held(&self.attention, micro, Some(microbatches)),
            ffn: self.held(&self.ffn, micro * workers, None),
            timing: all,
        })
    }

    /// A step of the whole batch from the time of one layer on either side: fill the pipeline, then one cycle
    /// for every further microbatch and layer.
    fn step(&self, attention: f64, ffn: f64, exchange: &Exchange) -> f64 {
        let there_and_back = 2.0 * exchange.transfer;
        let cycle = match self.shape.pipeline {
            Pipeline::Optimistic if self.hides(attention.max(ffn), there_and_back) => {
                attention.max(ffn).max(there_and_back)
            }
            _ => (attention + exchange.transfer).max(ffn + exchange.transfer),
        };
        let runs = f64::from(self.shape.microbatches) * f64::from(self.problem.model.layers);
        attention + ffn + there_and_back + cycle * (runs - 1.0)
    }

    /// Whether enough microbatches are in flight to transfer beside the computation.
    fn hides(&self, compute: f64, transfer: f64) -> bool {
        f64::from(self.shape.microbatches) >= 2.0 + transfer / compute.max(1e-9)
    }

    /// What one layer exchanges for a microbatch of `micro` requests on every attention worker.
    fn exchange(&self, micro: u32) -> Result<Exchange, Gap> {
        let AfdShape { ffn_nodes, attention_tp, ffn_ep, .. } = self.shape;
        let ModelSpec { hidden, experts, topk, .. } = *self.problem.model;
        let width = f64::from(hidden);
        let share = send_share(experts, topk, ffn_nodes);
        let run = |kernel: &Kernel, elements: f64| -> Result<f64, Gap> {
            if elements <= 0.0 {
                return Ok(0.0);
            }
            let shape = Shape { tokens: elements, batch: 1.0, seq: 1.0, prefix: 0.0 };
            Ok(kernel.latency(shape)?.ms)
        };
        let halves = |bytes: f64| (bytes.floor() / ELEMENT_BYTES).ceil();
        let sent = halves(share * f64::from(micro) * width * ELEMENT_BYTES);
        let workers = self.shape.attention_workers(self.gpus_per_node);
        let arriving = share * f64::from(micro * workers);
        let per_gpu = (arriving * width / f64::from(self.gpus_per_node)).floor();
        let partial = f64::from(ffn_ep + 1) * f64::from(micro.div_ceil(attention_tp)) * width * ELEMENT_BYTES;
        let (gathers, combines) = (self.gpus_per_node > 1, ffn_ep > 1);
        Ok(Exchange {
            transfer: run(&self.transfer, sent)?,
            on_ffn: if gathers { run(&self.gather, per_gpu)? + run(&self.scatter, per_gpu)? } else { 0.0 },
            on_attention: if combines { run(&self.combine, halves(partial))? } else { 0.0 },
        })
    }

    /// Memory of a GPU that sees `batch` requests at a time; attention keeps the KV cache of every microbatch.
    fn held(&self, pool: &Pool, batch: u32, caches: Option<u32>) -> (MemoryUse, Fit) {
        let requests = f64::from(batch);
        let slot = f64::from(self.problem.requests.isl + self.problem.requests.osl);
        let load = Load { batch: requests, tokens: requests, drafting: requests, slot };
        let whole = pool.memory.at(load);
        let kv_cache = whole.kv_cache * caches.map_or(0.0, f64::from);
        let memory = MemoryUse { weights: pool.weights, kv_cache, ..whole };
        if caches.is_none() {
            return (memory, if memory.total() >= memory.capacity { Fit::No } else { Fit::Yes });
        }
        let fraction = self.problem.scenario.engine.free_memory_fraction;
        (memory, pool.memory.fit(&memory, Role::Agg, &self.problem.decode_side().version, fraction))
    }
}

/// Time of one layer's exchanges, ms.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Exchange {
    /// One way between an attention and an FFN GPU.
    transfer: f64,
    /// Adding up what the expert groups return.
    on_attention: f64,
    /// Spreading tokens over the GPUs of an FFN node, and collecting the results.
    on_ffn: f64,
}

/// Share of tokens that a given FFN node needs: those with an expert there, or an equal part.
fn send_share(experts: u32, topk: u32, nodes: u32) -> f64 {
    let there = experts / nodes.max(1);
    if nodes <= 1 || topk == 0 || there == 0 {
        return 1.0 / f64::from(nodes.max(1));
    }
    let elsewhere = experts - there;
    if topk > elsewhere {
        return 1.0;
    }
    // Chance that none of a token's distinct experts is there.
    1.0 - (0..topk).fold(1.0, |none, drawn| none * f64::from(elsewhere - drawn) / f64::from(experts - drawn))
}

fn pool(problem: &Problem, side: &Side, parallel: Parallel, attends: bool) -> Result<Pool, AfdError> {
    let setup = search::setup(problem, side.precision, parallel, None);
    let lists = models::op_lists(&setup);
    let apart = split::split(lists.generation);
    let (attention, ffn) =
        apart.ok_or(AfdError::Shape("this model has layers that are neither attention nor feed-forward"))?;
    let ops = if attends { attention } else { ffn };
    let missing = Gap::NoData("this model at these parallel sizes");
    Ok(Pool {
        kernels: Binder::new(&side.db).bind_all(&ops)?,
        memory: MemoryModel::new(&setup, &side.system, &lists.context).ok_or(missing)?,
        weights: weights_per_gpu(&ops, 1),
    })
}

fn sum(kernels: &[Kernel], batch: u32, length: u32) -> Result<Timing, Gap> {
    let requests = f64::from(batch);
    let shape = Shape { tokens: requests, batch: requests, seq: f64::from(length), prefix: 0.0 };
    step::sum(kernels.iter().map(|kernel| (kernel, shape)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_go_where_their_experts_are() {
        assert_eq!(send_share(0, 0, 4), 0.25);
        assert_eq!(send_share(128, 8, 1), 1.0);
        // One of two experts: half of the tokens, whichever node.
        assert_eq!(send_share(2, 1, 2), 0.5);
        assert_eq!(send_share(4, 3, 2), 1.0);
        assert!((send_share(8, 2, 2) - (1.0 - 4.0 / 8.0 * 3.0 / 7.0)).abs() < 1e-12);
    }
}
