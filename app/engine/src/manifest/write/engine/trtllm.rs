//! Settings of TensorRT-LLM: most of them in a file.

use serde::Serialize;

use super::{Case, Engine, of_point};
use crate::format::count;
use crate::manifest::Check;
use crate::manifest::write::annotate::{Note, annotate};
use crate::manifest::write::limits::graph_sizes;
use crate::manifest::write::pool::{Pool, Role};
use crate::quant::KvQuant;

/// Share of free memory for the KV cache, and the one that leaves the least.
const FREE_MEMORY: [f64; 2] = [0.8, 0.9];
/// Share of a KV cache that an engine does not fill.
const SLACK: f64 = 0.035;

#[derive(Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "switches of the engine")]
struct File {
    backend: &'static str,
    tensor_parallel_size: u32,
    pipeline_parallel_size: u32,
    enable_attention_dp: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    moe_expert_parallel_size: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    moe_tensor_parallel_size: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    moe_config: Option<MoeConfig>,
    enable_chunked_prefill: bool,
    max_batch_size: u32,
    max_num_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_seq_len: Option<u32>,
    kv_cache_config: KvCache,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_transceiver_config: Option<Transceiver>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cuda_graph_config: Option<Graphs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speculative_config: Option<Drafts>,
    disable_overlap_scheduler: bool,
    print_iter_log: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    trust_remote_code: Option<bool>,
}

#[derive(Serialize)]
struct MoeConfig {
    backend: &'static str,
}

#[derive(Serialize)]
struct KvCache {
    free_gpu_memory_fraction: f64,
    dtype: &'static str,
    tokens_per_block: u32,
    enable_block_reuse: bool,
}

#[derive(Serialize)]
struct Transceiver {
    backend: &'static str,
    max_tokens_in_buffer: u32,
}

#[derive(Serialize)]
struct Graphs {
    enable_padding: bool,
    batch_sizes: Vec<u32>,
}

#[derive(Serialize)]
struct Drafts {
    decoding_type: &'static str,
    num_nextn_predict_layers: u32,
}

pub(super) fn engine(case: Case<'_>, file: &str) -> Result<Engine, Vec<Check>> {
    let Case { deployment, pool, .. } = case;
    let extras = &deployment.options.extras;
    let mut out = Engine::default();
    out.add(["--model-path", &deployment.model_path()], "The model of the question.");
    out.add(["--served-model-name", &deployment.selection.model.id], "The name clients ask for.");
    out.add(["--extra-engine-args", file], "Parallel sizes and limits of the selected point.");
    if matches!(pool.role, Role::Prefill | Role::Decode) {
        out.add(["--disaggregation-mode", pool.role.name()], "Workers of the selected point are separate.");
    }
    if extras.kv_router {
        out.add(["--publish-kv-events"], "The router follows what is cached.");
    }
    let yaml = serde_yaml::to_string(&settings(case)).map_err(|error| {
        vec![Check::error("", "yaml", format!("The engine settings cannot be written: {error}."))]
    })?;
    let notes = notes(case);
    out.file = Some((annotate(&yaml, &[], &notes), notes));
    Ok(out)
}

fn settings(case: Case<'_>) -> File {
    let Case { deployment, pool, limits } = case;
    let scenario = deployment.selection.scenario;
    let extras = &deployment.options.extras;
    let Pool { role, parallel, batch, .. } = *pool;
    let is_moe = deployment.selection.model.has_expert_layout();
    let separate = role != Role::Worker;
    File {
        backend: "pytorch",
        tensor_parallel_size: pool.stage(),
        pipeline_parallel_size: parallel.pp,
        enable_attention_dp: parallel.dp > 1,
        moe_expert_parallel_size: is_moe.then_some(parallel.moe_ep),
        moe_tensor_parallel_size: is_moe.then_some(parallel.moe_tp),
        moe_config: moe_kernels(pool).filter(|_| is_moe).map(|backend| MoeConfig { backend }),
        enable_chunked_prefill: limits.chunked || (scenario.engine.chunked_prefill && role != Role::Decode),
        max_batch_size: batch,
        max_num_tokens: limits.tokens,
        max_seq_len: scenario.engine.max_seq_len.filter(|_| !separate),
        kv_cache_config: KvCache {
            free_gpu_memory_fraction: scenario
                .engine
                .free_memory_fraction
                .unwrap_or_else(|| free_memory(pool)),
            dtype: if deployment.kv() == KvQuant::Fp8 { "fp8" } else { "auto" },
            tokens_per_block: 32,
            enable_block_reuse: reuses_blocks(case),
        },
        cache_transceiver_config: separate
            .then_some(Transceiver { backend: "DEFAULT", max_tokens_in_buffer: limits.buffer }),
        cuda_graph_config: (role != Role::Prefill)
            .then(|| Graphs { enable_padding: true, batch_sizes: graph_sizes(batch) }),
        speculative_config: (case.drafts() > 0)
            .then(|| Drafts { decoding_type: "MTP", num_nextn_predict_layers: case.drafts() }),
        disable_overlap_scheduler: role == Role::Prefill,
        print_iter_log: false,
        trust_remote_code: extras.trust_remote_code.then_some(true),
    }
}

/// Whether cached prefixes are used again: when the question has some, or the router looks for them.
fn reuses_blocks(case: Case<'_>) -> bool {
    case.deployment.selection.scenario.workload.prefix > 0 || case.deployment.options.extras.kv_router
}

/// Kernels of the experts; none leaves the engine's own choice.
fn moe_kernels(pool: &Pool<'_>) -> Option<&'static str> {
    let blackwell = pool.system.sm_version.is_some_and(|sm| sm >= 100);
    match (blackwell, pool.parallel.moe_ep > pool.system.gpus_per_node) {
        (false, _) => Some("CUTLASS"),
        (true, true) => Some("WIDEEP"),
        (true, false) => None,
    }
}

/// The smaller share unless the KV cache of the batch needs more.
fn free_memory(pool: &Pool<'_>) -> f64 {
    let memory = &pool.memory;
    let free = memory.capacity - (memory.total() - memory.kv_cache);
    let [usual, most] = FREE_MEMORY;
    if memory.kv_cache <= free * usual * (1.0 - SLACK) || free <= 0.0 { usual } else { most }
}

fn notes(case: Case<'_>) -> Vec<Note> {
    let Case { deployment, pool, limits } = case;
    let Pool { role, parallel, .. } = *pool;
    let stage = pool.stage();
    let tp = match parallel.dp {
        1 => of_point("TP", parallel.tp),
        dp => format!("All {stage} GPUs of a stage, attention DP {dp} of the selected point."),
    };
    let memory = if deployment.selection.scenario.engine.free_memory_fraction.is_some() {
        "Memory share of the question."
    } else {
        "Room for the KV cache of the batch."
    };
    let reuse = if reuses_blocks(case) {
        "Cached prefixes are used again."
    } else {
        "The question has no cached prefix."
    };
    let overlap = if role == Role::Prefill {
        "Prefill hands each step over."
    } else {
        "The next step is prepared meanwhile."
    };
    vec![
        Note::reason("tensor_parallel_size", tp),
        Note::reason("pipeline_parallel_size", of_point("PP", parallel.pp)),
        Note::reason("enable_attention_dp", of_point("Attention DP", parallel.dp)),
        Note::reason("moe_expert_parallel_size", of_point("EP", parallel.moe_ep)),
        Note::reason("moe_tensor_parallel_size", of_point("Expert TP", parallel.moe_tp)),
        Note::reason("moe_config.backend", format!("Expert kernels for {}.", pool.system.name)),
        Note::reason(
            "enable_chunked_prefill",
            if limits.chunked { "Prompts are longer than a step." } else { "As in the question." },
        ),
        Note::comment("max_batch_size", case.batch(false)),
        Note::reason("max_num_tokens", case.tokens()),
        Note::reason("max_seq_len", "Longest sequence of the question."),
        Note::reason("kv_cache_config.free_gpu_memory_fraction", memory),
        Note::reason("kv_cache_config.dtype", case.kv()),
        Note::reason("kv_cache_config.enable_block_reuse", reuse),
        Note::reason(
            "cache_transceiver_config.max_tokens_in_buffer",
            format!("A whole request: {} tokens.", count(limits.buffer.into())),
        ),
        Note::reason("cuda_graph_config.batch_sizes", "Captured graphs up to the largest batch."),
        Note::reason("speculative_config.num_nextn_predict_layers", "Draft tokens of the question."),
        Note::reason("disable_overlap_scheduler", overlap),
    ]
}
