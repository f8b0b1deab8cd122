//! Flags of vLLM.

use super::{Case, Engine, of_point};
use crate::manifest::write::pool::Role;
use crate::quant::KvQuant;

/// Hands over a KV cache, as the given side.
pub(in super::super) fn transfer(role: &str) -> String {
    format!("{{\"kv_connector\":\"NixlConnector\",\"kv_role\":\"{role}\"}}")
}

pub(super) fn engine(case: Case<'_>) -> Engine {
    let Case { deployment, pool, limits } = case;
    let scenario = deployment.selection.scenario;
    let (parallel, role) = (pool.parallel, pool.role);
    let mut out = Engine::default();
    out.add(["--model", &deployment.model_path()], "The model of the question.");
    out.add(["--served-model-name", &deployment.selection.model.id], "The name clients ask for.");
    // The tensor parallel size is that of one attention rank.
    out.add(["--tensor-parallel-size", &parallel.tp.to_string()], of_point("TP", parallel.tp));
    out.add(["--pipeline-parallel-size", &parallel.pp.to_string()], of_point("PP", parallel.pp));
    out.add(["--data-parallel-size", &parallel.dp.to_string()], of_point("Attention DP", parallel.dp));
    if parallel.moe_ep > 1 {
        out.tell(
            ["--enable-expert-parallel"],
            format!("EP {}: experts over all GPUs of a worker.", parallel.moe_ep),
        );
    }
    let kv = if deployment.kv() == KvQuant::Fp8 { "fp8" } else { "auto" };
    out.add(["--kv-cache-dtype", kv], case.kv());
    if role == Role::Worker {
        out.add(["--max-model-len", &limits.length.to_string()], case.length());
    }
    out.tell(["--max-num-seqs", &pool.batch.to_string()], case.batch(false));
    out.add(["--max-num-batched-tokens", &limits.tokens.to_string()], case.tokens());
    if limits.chunked {
        out.add(["--enable-chunked-prefill"], "Prompts are longer than a step.");
    }
    if let Some(share) = scenario.engine.free_memory_fraction {
        out.add(["--gpu-memory-utilization", &share.to_string()], "Memory share of the question.");
    }
    if case.drafts() > 0 {
        let config = format!("{{\"method\":\"mtp\",\"num_speculative_tokens\":{}}}", case.drafts());
        out.add(["--speculative-config", &config], "Draft tokens of the question.");
    }
    if deployment.options.extras.trust_remote_code {
        out.add(["--trust-remote-code"], "Code of the model's own is allowed.");
    }
    let encoders = deployment.pool(Role::Encode).is_some();
    let mode = match role {
        Role::Worker => encoders.then_some("pd"),
        Role::Prefill => Some("prefill"),
        Role::Decode => Some("decode"),
        Role::Encode => Some("encode"),
    };
    if let Some(mode) = mode {
        out.add(["--disaggregation-mode", mode], "Workers of the selected point are separate.");
    }
    match role {
        Role::Prefill => {
            out.add(["--kv-transfer-config", &transfer("kv_producer")], "Prefill hands its KV cache over.");
        }
        Role::Decode => {
            out.add(
                ["--kv-transfer-config", &transfer("kv_consumer")],
                "Decode takes the KV cache of prefill.",
            );
        }
        Role::Worker | Role::Encode => {}
    }
    out
}
