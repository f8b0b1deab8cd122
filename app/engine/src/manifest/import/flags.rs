//! Arguments of the engines: what they set, and which of them the prediction knows nothing of.

use super::beside::{
    COMMON_BARE, COMMON_ONE, SGLANG_BARE, SGLANG_MANY, SGLANG_ONE, SGLANG_UNMODELLED, SGLANG_UNMODELLED_ONE,
    TRTLLM_BARE, TRTLLM_FIELDS, TRTLLM_MANY, TRTLLM_ONE, TRTLLM_UNMODELLED, TRTLLM_UNMODELLED_FIELDS,
    TRTLLM_UNMODELLED_ONE, VLLM_BARE, VLLM_MANY, VLLM_ONE, VLLM_UNMODELLED, VLLM_UNMODELLED_ONE,
};
use crate::backend::Backend;

/// How many words an argument takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    None,
    One,
    /// One or more, up to the next argument.
    Many,
}

/// What an argument or a field of an engine's file sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sets {
    Model,
    Served,
    Tp,
    Pp,
    Dp,
    Cp,
    MoeTp,
    MoeEp,
    /// Experts over all ranks, or not.
    ExpertParallel(bool),
    DpAttention,
    Batch,
    Tokens,
    /// SGLang: -1 turns chunks off.
    Chunk,
    PrefillTokens,
    Length,
    Memory,
    Kv,
    Weights,
    Role,
    /// A flag of its own for each role.
    IsPrefill,
    IsDecode,
    /// JSON with the side of the KV transfer.
    KvTransfer,
    /// JSON with method and tokens.
    Drafts,
    DraftMethod,
    DraftTokens,
    DraftBranches,
    DraftModel,
    /// SGLang: an exchange that spreads the experts over the whole worker.
    Exchange,
    Rank,
    /// A node that only follows.
    Follows,
    /// A file with more settings.
    File,
    /// JSON with fields of TensorRT-LLM's file.
    Override,
    /// Changes nothing that is predicted.
    Nothing,
    /// Changes what is predicted in a way that is not.
    NotModelled,
    /// Not modelled unless it is 1.
    OnlyOne,
}

/// What an argument means to an engine, by its name without leading dashes and with dashes inside.
pub(super) fn find(backend: Backend, name: &str) -> Option<(Takes, Sets)> {
    let read = match backend {
        Backend::Vllm => vllm(name),
        Backend::Sglang => sglang(name),
        Backend::Trtllm => trtllm(name),
    };
    let (bare, one, many, unmodelled, unmodelled_one) = match backend {
        Backend::Vllm => (VLLM_BARE, VLLM_ONE, VLLM_MANY, VLLM_UNMODELLED, VLLM_UNMODELLED_ONE),
        Backend::Sglang => (SGLANG_BARE, SGLANG_ONE, SGLANG_MANY, SGLANG_UNMODELLED, SGLANG_UNMODELLED_ONE),
        Backend::Trtllm => (TRTLLM_BARE, TRTLLM_ONE, TRTLLM_MANY, TRTLLM_UNMODELLED, TRTLLM_UNMODELLED_ONE),
    };
    let any = |lists: [&[&str]; 2]| lists.iter().any(|list| list.contains(&name));
    read.or_else(|| any([bare, COMMON_BARE]).then_some((Takes::None, Sets::Nothing)))
        .or_else(|| any([one, COMMON_ONE]).then_some((Takes::One, Sets::Nothing)))
        .or_else(|| any([many, &[]]).then_some((Takes::Many, Sets::Nothing)))
        .or_else(|| any([unmodelled, &[]]).then_some((Takes::None, Sets::NotModelled)))
        .or_else(|| any([unmodelled_one, &[]]).then_some((Takes::One, Sets::NotModelled)))
}

fn vllm(name: &str) -> Option<(Takes, Sets)> {
    Some(match name {
        "model" => (Takes::One, Sets::Model),
        "served-model-name" => (Takes::Many, Sets::Served),
        "tensor-parallel-size" | "tp" => (Takes::One, Sets::Tp),
        "pipeline-parallel-size" | "pp" => (Takes::One, Sets::Pp),
        "data-parallel-size" | "dp" => (Takes::One, Sets::Dp),
        "enable-expert-parallel" | "ep" => (Takes::None, Sets::ExpertParallel(true)),
        "no-enable-expert-parallel" => (Takes::None, Sets::ExpertParallel(false)),
        "max-num-seqs" => (Takes::One, Sets::Batch),
        "max-num-batched-tokens" => (Takes::One, Sets::Tokens),
        "max-model-len" => (Takes::One, Sets::Length),
        "gpu-memory-utilization" => (Takes::One, Sets::Memory),
        "kv-cache-dtype" => (Takes::One, Sets::Kv),
        "quantization" | "q" => (Takes::One, Sets::Weights),
        "speculative-config" | "sc" => (Takes::One, Sets::Drafts),
        "speculative-config.method" => (Takes::One, Sets::DraftMethod),
        "speculative-config.num-speculative-tokens" => (Takes::One, Sets::DraftTokens),
        "speculative-config.model" => (Takes::One, Sets::DraftModel),
        "disaggregation-mode" => (Takes::One, Sets::Role),
        "is-prefill-worker" => (Takes::None, Sets::IsPrefill),
        "is-decode-worker" => (Takes::None, Sets::IsDecode),
        "kv-transfer-config" => (Takes::One, Sets::KvTransfer),
        "node-rank" | "data-parallel-rank" | "dpn" | "data-parallel-start-rank" | "dpr" => {
            (Takes::One, Sets::Rank)
        }
        "headless" => (Takes::None, Sets::Follows),
        "config" => (Takes::One, Sets::File),
        "prefill-context-parallel-size" | "pcp" | "decode-context-parallel-size" | "dcp" => {
            (Takes::One, Sets::OnlyOne)
        }
        _ => return None,
    })
}

fn sglang(name: &str) -> Option<(Takes, Sets)> {
    Some(match name {
        "model-path" | "model" => (Takes::One, Sets::Model),
        "served-model-name" => (Takes::One, Sets::Served),
        "tensor-parallel-size" | "tp-size" | "tp" => (Takes::One, Sets::Tp),
        "pipeline-parallel-size" | "pp-size" | "pp" => (Takes::One, Sets::Pp),
        "data-parallel-size" | "dp-size" | "dp" => (Takes::One, Sets::Dp),
        "attention-context-parallel-size" | "attn-cp-size" => (Takes::One, Sets::Cp),
        "enable-prefill-cp"
        | "enable-prefill-context-parallel"
        | "enable-nsa-prefill-context-parallel"
        | "enable-dsa-prefill-context-parallel" => (Takes::None, Sets::Nothing),
        "cp-strategy" | "prefill-cp-mode" | "nsa-prefill-cp-mode" | "dsa-prefill-cp-mode" => {
            (Takes::One, Sets::Nothing)
        }
        "expert-parallel-size" | "ep-size" | "ep" => (Takes::One, Sets::MoeEp),
        "moe-data-parallel-size" | "moe-dp-size" => (Takes::One, Sets::OnlyOne),
        "enable-ep-moe" | "enable-deepep-moe" => (Takes::None, Sets::ExpertParallel(true)),
        "enable-dp-attention" => (Takes::None, Sets::DpAttention),
        "moe-a2a-backend" => (Takes::One, Sets::Exchange),
        "max-running-requests" => (Takes::One, Sets::Batch),
        "chunked-prefill-size" => (Takes::One, Sets::Chunk),
        "max-prefill-tokens" => (Takes::One, Sets::PrefillTokens),
        "context-length" => (Takes::One, Sets::Length),
        "mem-fraction-static" => (Takes::One, Sets::Memory),
        "kv-cache-dtype" => (Takes::One, Sets::Kv),
        "quantization" => (Takes::One, Sets::Weights),
        "speculative-algorithm" | "speculative-algo" => (Takes::One, Sets::DraftMethod),
        "speculative-num-steps" => (Takes::One, Sets::DraftTokens),
        "speculative-eagle-topk" => (Takes::One, Sets::DraftBranches),
        "speculative-num-draft-tokens" => (Takes::One, Sets::Nothing),
        "speculative-draft-model-path" | "speculative-draft-model" => (Takes::One, Sets::DraftModel),
        "disaggregation-mode" => (Takes::One, Sets::Role),
        "node-rank" => (Takes::One, Sets::Rank),
        "config" => (Takes::One, Sets::File),
        _ => return None,
    })
}

fn trtllm(name: &str) -> Option<(Takes, Sets)> {
    Some(match name {
        "model" | "model-path" => (Takes::One, Sets::Model),
        "served-model-name" => (Takes::One, Sets::Served),
        "tensor-parallel-size" | "tp-size" | "tp" => (Takes::One, Sets::Tp),
        "pipeline-parallel-size" | "pp-size" | "pp" => (Takes::One, Sets::Pp),
        "expert-parallel-size" | "moe-expert-parallel-size" | "ep-size" | "ep" => (Takes::One, Sets::MoeEp),
        "moe-tensor-parallel-size" => (Takes::One, Sets::MoeTp),
        "context-parallel-size" | "cp-size" | "moe-cluster-parallel-size" | "cluster-size" => {
            (Takes::One, Sets::OnlyOne)
        }
        "enable-attention-dp" => (Takes::None, Sets::DpAttention),
        "max-batch-size" => (Takes::One, Sets::Batch),
        "max-num-tokens" => (Takes::One, Sets::Tokens),
        "max-seq-len" => (Takes::One, Sets::Length),
        "free-gpu-memory-fraction"
        | "kv-cache-free-gpu-memory-fraction"
        | "kv-cache-free-gpu-mem-fraction" => (Takes::One, Sets::Memory),
        "kv-cache-dtype" => (Takes::One, Sets::Kv),
        "disaggregation-mode" | "server-role" => (Takes::One, Sets::Role),
        "extra-engine-args" | "extra-llm-api-options" | "config" => (Takes::One, Sets::File),
        "override-engine-args" => (Takes::One, Sets::Override),
        _ => return None,
    })
}

/// What a field of TensorRT-LLM's file sets, by its dotted path; none when it is not known.
pub(super) fn field(path: &str) -> Option<Sets> {
    let path = path.strip_prefix("build_config.").unwrap_or(path);
    let known = match path {
        "model" => Sets::Model,
        "tensor_parallel_size" | "tp_size" => Sets::Tp,
        "pipeline_parallel_size" | "pp_size" => Sets::Pp,
        "context_parallel_size" | "moe_cluster_parallel_size" | "max_beam_width" => Sets::OnlyOne,
        "moe_expert_parallel_size" | "ep_size" => Sets::MoeEp,
        "moe_tensor_parallel_size" => Sets::MoeTp,
        "enable_attention_dp" => Sets::DpAttention,
        "max_batch_size" => Sets::Batch,
        "max_num_tokens" => Sets::Tokens,
        "max_seq_len" => Sets::Length,
        "kv_cache_config.free_gpu_memory_fraction" => Sets::Memory,
        "kv_cache_config.dtype" => Sets::Kv,
        "speculative_config.decoding_type" => Sets::DraftMethod,
        "speculative_config.num_nextn_predict_layers" | "speculative_config.max_draft_len" => {
            Sets::DraftTokens
        }
        "speculative_config.speculative_model_dir" | "speculative_config.speculative_model" => {
            Sets::DraftModel
        }
        _ => {
            let first = path.split('.').next().unwrap_or(path);
            let known = TRTLLM_FIELDS.contains(&first) || TRTLLM_FIELDS.contains(&path);
            let unmodelled = TRTLLM_UNMODELLED_FIELDS.contains(&first);
            return known.then_some(Sets::Nothing).or(unmodelled.then_some(Sets::NotModelled));
        }
    };
    Some(known)
}
