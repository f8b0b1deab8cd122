//! GPU memory: weights, activations, KV cache, buffers; what fits and what does not.

use crate::backend::Backend;
use crate::model::Family;
use crate::models::{self, KvCache, Setup};
use crate::ops::{Experts, Op, OpKind};
use crate::parallel::Parallel;
use crate::point::MemoryUse;
use crate::system::SystemSpec;

const MIB: f64 = (1u64 << 20) as f64;
const GIB: f64 = (1u64 << 30) as f64;

/// Memory of one kind of worker, without the part that depends on the batch.
#[derive(Clone, Debug)]
pub struct MemoryModel {
    backend: Backend,
    parallel: Parallel,
    capacity: f64,
    weights: f64,
    comm: f64,
    other: f64,
    /// Activation bytes per token of a step.
    activation_per_token: f64,
    activation_floor: f64,
    draft_tokens: f64,
    kv: KvCache,
}

/// What a step holds in memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Requests.
    pub batch: f64,
    /// Tokens of the largest step.
    pub tokens: f64,
    /// Of these, the tokens that draft tokens come on top of.
    pub drafting: f64,
    /// KV slot length of a request, tokens.
    pub slot: f64,
}

/// Whether a batch fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It fits.
    Yes,
    /// It fits, but the KV cache exceeds its share.
    NoKv,
    /// Weights, activations and buffers exceed the GPU.
    No,
}

/// Which rule sizes the KV cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Aggregated serving.
    Agg,
    /// A prefill or a decode worker.
    Static,
}

/// Bytes of weights that one operator reads, all its repetitions.
fn weight_bytes(op: &Op) -> f64 {
    let all = |ops: &[Op]| ops.iter().map(weight_bytes).sum::<f64>();
    match &op.kind {
        OpKind::Gemm { n, k, quant, .. } => f64::from(*n) * f64::from(*k) * quant.bytes() * op.count,
        OpKind::Embedding { vocab, hidden } => f64::from(*vocab) * f64::from(*hidden) * 2.0 * op.count,
        OpKind::Moe(experts) => expert_bytes(experts) * op.count,
        OpKind::Dsa(block) => block.weight_bytes() * op.count,
        OpKind::Dsv4(block) => block.weight_bytes() * op.count,
        OpKind::StreamMix(mix) => mix.weight_bytes() * op.count,
        OpKind::WideMoe(wide) => expert_bytes(&wide.experts) * op.count,
        OpKind::Overlap { a, b } => all(a) + all(b),
        OpKind::Fallback { primary, otherwise } => match weight_bytes(primary) {
            bytes if bytes > 0.0 => bytes,
            _ => all(otherwise),
        },
        _ => 0.0,
    }
}

/// Weights of the experts on one GPU; rounded down at each split.
fn expert_bytes(shape: &Experts) -> f64 {
    let matrices = if shape.gated { 3.0 } else { 2.0 };
    let all = f64::from(shape.hidden) * f64::from(shape.inter) * f64::from(shape.experts);
    let bytes = all * shape.quant.bytes() * matrices;
    ((bytes / f64::from(shape.moe_ep)).floor() / f64::from(shape.moe_tp)).floor()
}

/// Bytes of weights on one GPU of a worker with these prefill operators.
pub fn weights_per_gpu(context: &[Op], pp: u32) -> f64 {
    context.iter().map(weight_bytes).sum::<f64>() / f64::from(pp)
}

/// Bytes of communication buffers, and of runtime and everything else, on one GPU; none for tensor parallel
/// sizes without known buffer sizes.
pub fn overhead(system: &SystemSpec, backend: Backend, tp: u32) -> Option<(f64, f64)> {
    let share = if backend == Backend::Sglang { 1.2 } else { 1.0 };
    Some((system.nccl_bytes(tp)? as f64, system.other_mem_bytes as f64 * share))
}

/// Activation coefficient of a family at tensor parallel sizes 1, 2, 4, 8.
fn activation_coefficients(family: Family, backend: Backend) -> [f64; 4] {
    use Family::{Deepseek, DeepseekV4, DeepseekV32, Gemma4Mix, KimiK3, KimiK25, Llama, Moe, Step3p7};
    let sglang = backend == Backend::Sglang;
    let experts = match family {
        Moe | Gemma4Mix | Step3p7 | Deepseek | DeepseekV32 | DeepseekV4 | KimiK25 => true,
        KimiK3 => sglang,
        _ => false,
    };
    match (family, experts, sglang) {
        (Llama, _, true) => [14.0, 8.5, 6.5, 6.5],
        (Llama, _, false) => [11.0, 6.5, 5.0, 5.0],
        (_, true, true) => [28.0, 17.0, 13.0, 13.0],
        (_, true, false) => [22.0, 13.0, 10.0, 10.0],
        (_, false, true) => [13.0, 8.0, 6.5, 6.5],
        (_, false, false) => [10.0, 6.0, 5.0, 5.0],
    }
}

/// Bytes per token of the buffers that route tokens to experts, in the families that count them.
fn routing_bytes(setup: &Setup<'_>) -> f64 {
    use Family::{Deepseek, DeepseekV4, DeepseekV32, Gemma4Mix, KimiK25, Step3p7};
    let Setup { model, parallel, backend, .. } = *setup;
    let counted = matches!(model.family, Gemma4Mix | Step3p7 | Deepseek | DeepseekV32 | DeepseekV4 | KimiK25);
    if !counted || !model.is_moe() {
        return 0.0;
    }
    let hidden = backend == Backend::Sglang || matches!(model.family, Gemma4Mix | Step3p7);
    let width = if hidden { model.hidden } else { model.heads * model.head_dim };
    let routed = f64::from(parallel.dp * model.experts * model.topk) / f64::from(parallel.moe_ep);
    f64::from(width) * routed / 128.0 * 4.0
}

impl MemoryModel {
    /// Memory of a worker; none for tensor parallel sizes without known buffer sizes.
    pub fn new(setup: &Setup<'_>, system: &SystemSpec, context: &[Op]) -> Option<Self> {
        let Setup { model, parallel, backend, .. } = *setup;
        let sglang = backend == Backend::Sglang;
        let (comm, other) = overhead(system, backend, parallel.tp)?;
        let size = match parallel.tp.min(8) {
            1 => 0,
            2 => 1,
            4 => 2,
            8 => 3,
            _ => return None,
        };
        let coefficient = activation_coefficients(model.family, backend)[size];
        let width = f64::from(model.heads) * f64::from(model.head_dim);
        Some(Self {
            backend,
            parallel,
            capacity: system.mem_bytes as f64,
            weights: weights_per_gpu(context, parallel.pp),
            comm,
            other,
            activation_per_token: 2.0 * width * coefficient + routing_bytes(setup),
            activation_floor: if sglang { 90.0 } else { 70.0 } * MIB,
            draft_tokens: f64::from(setup.draft_tokens),
            kv: models::kv_cache(setup),
        })
    }

    /// Memory in use under a load.
    pub fn at(&self, load: Load) -> MemoryUse {
        let mut activations = (load.tokens * self.activation_per_token).max(self.activation_floor);
        if self.draft_tokens > 0.0 && load.tokens > 0.0 {
            let drafting = load.drafting.clamp(0.0, load.tokens);
            activations *= (load.tokens + drafting * self.draft_tokens) / load.tokens;
        }
        MemoryUse {
            weights: self.weights,
            kv_cache: load.batch * self.kv.bytes(load.slot),
            activations: if self.backend == Backend::Sglang { activations * 1.15 } else { activations },
            comm: self.comm,
            encoder: 0.0,
            other: self.other,
            capacity: self.capacity,
        }
    }

    /// Whether a batch fits. `fraction` replaces the backend's own share for the KV cache.
    pub fn fit(&self, memory: &MemoryUse, role: Role, version: &str, fraction: Option<f64>) -> Fit {
        let total = memory.total();
        if total >= self.capacity {
            return Fit::No;
        }
        let fixed = total - memory.kv_cache;
        let fraction = fraction.unwrap_or_else(|| self.default_fraction(role, version));
        let budget = match self.backend {
            Backend::Trtllm => (self.capacity - fixed) * fraction * (1.0 - 0.015) * (1.0 - 0.02),
            Backend::Vllm | Backend::Sglang => self.capacity * fraction * (1.0 - 0.02) - fixed,
        };
        if memory.kv_cache > budget { Fit::NoKv } else { Fit::Yes }
    }

    fn default_fraction(&self, role: Role, version: &str) -> f64 {
        match (self.backend, role) {
            (Backend::Trtllm, _) => 0.9,
            (Backend::Vllm, _) if version.starts_with("0.14") || version.starts_with("0.19") => 0.9,
            (Backend::Vllm, _) => 0.92,
            (Backend::Sglang, Role::Agg) => 0.88,
            (Backend::Sglang, Role::Static) => self.sglang_fraction(),
        }
    }

    /// SGLang keeps back room for chunked prefill and captured graphs, by GPU size.
    fn sglang_fraction(&self) -> f64 {
        let mib = self.capacity / MIB;
        let (chunk, graphs) = match self.capacity / GIB {
            gib if gib < 20.0 => (2048.0, [8.0, 8.0]),
            gib if gib < 35.0 => (2048.0, [24.0, 80.0]),
            gib if gib < 60.0 => (4096.0, [32.0, 160.0]),
            gib if gib < 160.0 => (8192.0, [256.0, 512.0]),
            _ => (16384.0, [512.0, 512.0]),
        };
        let Parallel { tp, pp, dp, .. } = self.parallel;
        let graph = graphs[usize::from(tp >= 4)];
        let mut reserve = 512.0 + 1.5 * chunk + f64::from(tp * pp) / 8.0 * 1024.0 + 2.0 * graph;
        if dp > 1 {
            let per_rank = if graph > 300.0 { 4.5 } else { 3.0 };
            reserve += per_rank * graph * f64::from(dp);
        }
        if mib > 60.0 * 1024.0 {
            reserve = reserve.max(10.0 * 1024.0);
        }
        ((mib - reserve) / mib * 1000.0).round_ties_even() / 1000.0
    }
}
