//! Flags of SGLang.

use super::{Arg, Case, Engine, of_point};
use crate::manifest::write::limits::graph_sizes;
use crate::manifest::write::pool::Role;
use crate::quant::KvQuant;

/// Where a decode worker asks a prefill worker for its KV cache.
pub(in super::super) const BOOTSTRAP_PORT: u32 = 12_345;
/// Where a worker says which prefixes it holds.
pub(in super::super) const EVENT_PORT: u32 = 5_557;

pub(super) fn engine(case: Case<'_>) -> Engine {
    let Case { deployment, pool, .. } = case;
    let scenario = deployment.selection.scenario;
    let extras = &deployment.options.extras;
    let (parallel, role) = (pool.parallel, pool.role);
    let is_moe = deployment.selection.model.has_expert_layout();
    let mut out = Engine::default();
    out.add(["--model-path", &deployment.model_path()], "The model of the question.");
    out.add(["--served-model-name", &deployment.selection.model.id], "The name clients ask for.");
    let stage = pool.stage();
    let why = match (parallel.dp, parallel.cp) {
        (1, 1) => of_point("TP", parallel.tp),
        (dp, 1) => {
            format!("All {stage} GPUs of a stage: TP {} on each of {dp} attention ranks.", parallel.tp)
        }
        (_, cp) => {
            format!("All {stage} GPUs of a stage: TP {} on each of {cp} parts of a prompt.", parallel.tp)
        }
    };
    out.add(["--tp", &stage.to_string()], why);
    out.add(["--pipeline-parallel-size", &parallel.pp.to_string()], of_point("PP", parallel.pp));
    if parallel.dp > 1 {
        out.add(["--dp", &parallel.dp.to_string()], of_point("Attention DP", parallel.dp));
        out.add(["--enable-dp-attention"], "Attention ranks share the experts.");
    }
    if parallel.cp > 1 {
        out.add(["--attn-cp-size", &parallel.cp.to_string()], of_point("CP", parallel.cp));
        let words = deployment.options.release.facts().sglang_prompt_split;
        let words = words.iter().map(|&word| word.to_owned()).collect();
        let why = "Each rank takes a part of the start and of the end of a prompt, as predicted.".to_owned();
        out.args.push(Arg { words, why, is_told: false });
    }
    if is_moe {
        out.add(["--ep", &parallel.moe_ep.to_string()], of_point("EP", parallel.moe_ep));
    }
    if parallel.moe_ep > pool.system.gpus_per_node {
        out.add(["--moe-a2a-backend", "deepep"], "Experts are reached across nodes.");
    }
    let kv = if deployment.kv() == KvQuant::Fp8 { "fp8_e4m3" } else { "auto" };
    out.add(["--kv-cache-dtype", kv], case.kv());
    out.tell(["--max-running-requests", &pool.requests().to_string()], case.batch(true));
    prompts(case, &mut out);
    if role == Role::Worker {
        out.add(["--enable-mixed-chunk"], "Prefill and decode share steps, as predicted.");
    }
    if let Some(share) = scenario.engine.free_memory_fraction {
        out.add(["--mem-fraction-static", &share.to_string()], "Memory share of the question.");
    }
    if matches!(role, Role::Worker | Role::Decode) {
        let sizes = graph_sizes(pool.batch);
        let mut words = vec![deployment.options.release.facts().sglang_graph_sizes.to_owned()];
        words.extend(sizes.iter().map(ToString::to_string));
        let why = "Captured graphs up to the largest batch.".to_owned();
        out.args.push(Arg { words, why, is_told: false });
    }
    if case.drafts() > 0 {
        let (steps, tokens) = (case.drafts().to_string(), (case.drafts() + 1).to_string());
        let why = "Draft tokens of the question.";
        out.add(["--speculative-algorithm", "NEXTN"], why);
        out.add(["--speculative-num-steps", &steps], why);
        out.add(["--speculative-eagle-topk", "1"], why);
        out.add(["--speculative-num-draft-tokens", &tokens], why);
    }
    if extras.kv_router {
        let events = format!(
            "{{\"publisher\":\"zmq\",\"topic\":\"kv-events\",\"endpoint\":\"tcp://*:{EVENT_PORT}\"}}"
        );
        out.add(["--kv-events-config", &events], "The router follows what is cached.");
    }
    if extras.trust_remote_code {
        out.add(["--trust-remote-code"], "Code of the model's own is allowed.");
    }
    if matches!(role, Role::Prefill | Role::Decode) {
        out.add(["--host", "0.0.0.0"], "Other pods reach this one.");
        out.add(["--disaggregation-mode", role.name()], "Workers of the selected point are separate.");
        out.add(["--disaggregation-transfer-backend", "nixl"], "Decode takes the KV cache of prefill.");
        let port = BOOTSTRAP_PORT.to_string();
        out.add(["--disaggregation-bootstrap-port", &port], "Where decode asks for a KV cache.");
    }
    out
}

/// How much of the prompts a step takes.
fn prompts(case: Case<'_>, out: &mut Engine) {
    let Case { pool, limits, deployment } = case;
    if pool.role != Role::Decode {
        // One number for all attention ranks, which divide it.
        let chunk = limits.prompt_tokens.saturating_mul(pool.parallel.dp);
        out.add(["--chunked-prefill-size", &chunk.to_string()], case.tokens());
    }
    let room = limits.prompt_tokens.max(limits.isl.saturating_add(1500));
    out.add(["--max-prefill-tokens", &room.to_string()], case.tokens());
    if let Some(length) = deployment.selection.scenario.engine.max_seq_len {
        out.add(["--context-length", &length.to_string()], "Longest sequence of the question.");
    }
}
