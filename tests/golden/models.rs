//! Operator lists, memory and steps of whole models.

use engine::catalog::Catalog;
use engine::memory::{Load, MemoryModel, weights_per_gpu};
use engine::model::ModelSpec;
use engine::models::{self, Setup};
use engine::ops::{Compression, DeltaKernel, DeltaStep, Op, OpKind};
use engine::parallel::Parallel;
use engine::quant::{FmhaQuant, KvQuant, Precision, Quant};
use engine::scenario::{EngineOptions, Policy, QuantChoice, Scenario, Workload};
use engine::search;
use engine::space::WorkerRole;
use engine::{backend::Backend, problem::Problem};
use serde_json::{Value, json};

use crate::report::Report;
use crate::{load, number, optional, text, whole};

const RELATIVE: f64 = 1e-5;
const GIB: f64 = (1u64 << 30) as f64;

#[test]
fn models() {
    let Some(golden) = load("models.json") else {
        return Report::skipped("models");
    };
    let mut report = Report::new("models");
    for case in golden["oplists"].as_array().expect("oplists") {
        if let Some(model) = built(case, &mut report) {
            report.case("operator lists");
            oplists(model, case, &mut report);
        }
    }
    for case in golden["steps"].as_array().expect("steps") {
        if built(case, &mut report).is_some() {
            report.case("steps");
            steps(case, &mut report);
        }
    }
    report.finish();
}

fn built(case: &Value, report: &mut Report) -> Option<&'static ModelSpec> {
    let model = Catalog::embedded().model(text(case, "model"));
    if model.is_none() {
        report.not_built("models outside the catalogue");
    }
    model
}

fn parallel(case: &Value) -> Parallel {
    let sizes = &case["parallel"];
    let size = |key| optional(sizes, key).unwrap_or(1);
    Parallel {
        tp: size("tp"),
        pp: size("pp"),
        dp: size("dp"),
        moe_tp: size("mtp"),
        moe_ep: size("ep"),
        cp: size("cp"),
    }
}

fn precision(case: &Value) -> Precision {
    let modes = &case["modes"];
    Precision {
        gemm: Quant::from_name(text(modes, "gemm")).expect("gemm"),
        moe: Quant::from_name(text(modes, "moe")).expect("moe"),
        fmha: FmhaQuant::from_name(text(modes, "fmha")).expect("fmha"),
        kv: KvQuant::from_name(text(modes, "kv")).expect("kv"),
    }
}

fn setup<'a>(model: &'a ModelSpec, case: &Value) -> Setup<'a> {
    let draft_tokens = optional(&case["parallel"], "nextn").unwrap_or(0);
    let backend = Backend::from_name(text(case, "backend")).expect("backend");
    let (parallel, precision) = (parallel(case), precision(case));
    Setup { model, parallel, precision, backend, gemm_chosen: false, draft_tokens, wide: None }
}

fn oplists(model: &ModelSpec, case: &Value, report: &mut Report) {
    let parallel = parallel(case);
    let setup = setup(model, case);
    let lists = models::op_lists(&setup);
    for (phase, ops) in [("context", &lists.context), ("generation", &lists.generation)] {
        let want = case[phase].as_array().expect("a list");
        let got: Vec<Value> = ops.iter().map(|op| describe(phase, op)).collect();
        if got.len() != want.len() {
            report.fail(format!("{} {phase}: {} operators, want {}", model.id, got.len(), want.len()));
        }
        for (got, want) in got.iter().zip(want) {
            if !contains(want, got) {
                report.fail(format!("{} {phase}: got {got}, want {want}", model.id));
            }
        }
    }
    let what = format!("{} {}", model.id, parallel.group_label());
    let weights = weights_per_gpu(&lists.context, parallel.pp);
    let mut check = |name: &str, got: f64, want: f64| {
        report.compare("memory", &format!("{what} {name}"), got, want, RELATIVE, 0.0);
    };
    check("weights", weights, number(case, "weights_bytes_per_gpu"));
    for (tokens, want) in case["kv_bytes"].as_object().expect("kv_bytes") {
        let tokens: f64 = tokens.parse().expect("tokens");
        let got = models::kv_cache(&setup).bytes(tokens);
        check("KV bytes", got, want.as_f64().expect("bytes"));
    }
    let system = Catalog::embedded().system("b200_sxm").expect("b200_sxm");
    let memory = MemoryModel::new(&setup, system, &lists.context).expect("sizes");
    let got = memory.at(Load { batch: 16.0, tokens: 16.0 * 2000.0, drafting: 0.0, slot: 3500.0 });
    let want = &case["memory_gib_b200_static_b16_isl3000_osl500_prefix1000"];
    check("activations", got.activations / GIB, number(want, "activations"));
    check("KV cache", got.kv_cache / GIB, number(want, "kvcache"));
    check("buffers", got.comm / GIB, number(want, "nccl"));
    check("other", got.other / GIB, number(want, "others"));
    check("total", got.total() / GIB, number(want, "total"));
}

/// An operator in the golden file's words.
fn describe(phase: &str, op: &Op) -> Value {
    let all = |ops: &[Op]| ops.iter().map(|op| describe(phase, op)).collect::<Vec<_>>();
    let context = phase == "context";
    // The golden repeats the prefill precision in decode, where it means nothing.
    let (kind, mut fields) = match op.kind.clone() {
        OpKind::Embedding { vocab, hidden } => {
            ("Embedding", json!({ "vocab_size": vocab, "hidden_size": hidden }))
        }
        OpKind::Elementwise { bytes_per_token } => {
            ("Elementwise", json!({ "bytes_per_token": bytes_per_token }))
        }
        OpKind::Gemm { n, k, quant, low_precision_input, roofline_below } => (
            "Gemm",
            json!({ "n": n, "k": k, "quant_mode": quant.name(), "low_precision_input": low_precision_input,
                    "below_grid_sol": roofline_below, "scale_num_tokens": op.token_divisor, "seq_split": op.seq_split }),
        ),
        OpKind::ContextAttention { heads, kv_heads, head_dim, window, fmha, kv, qk_norm, cp } => (
            "ContextAttention",
            json!({ "n": heads, "n_kv": kv_heads, "head_size": head_dim, "window_size": window, "use_qk_norm": qk_norm,
                    "kv_cache_dtype": kv.name(), "fmha_quant_mode": fmha.name(), "cp_size": cp }),
        ),
        OpKind::GenerationAttention { heads, kv_heads, head_dim, window, kv } => (
            "GenerationAttention",
            json!({ "n": heads, "n_kv": kv_heads, "head_size": head_dim, "window_size": window,
                    "kv_cache_dtype": kv.name() }),
        ),
        OpKind::AllReduce { hidden, gpus } => {
            ("CustomAllReduce", json!({ "hidden_size": hidden, "tp_size": gpus }))
        }
        OpKind::Nccl { collective, elements, gpus, dtype } => (
            "Nccl",
            json!({ "hidden_size": elements, "num_gpus": gpus, "dtype": dtype.name(), "operation": collective.name() }),
        ),
        OpKind::P2p { hidden, pp } => ("P2P", json!({ "hidden_size": hidden, "pp_size": pp })),
        OpKind::EncoderAttention { heads, .. } => ("EncoderAttention", json!({ "n": heads })),
        OpKind::Moe(shape) => (
            "Moe",
            json!({ "hidden_size": shape.hidden, "inter_size": shape.inter, "topk": shape.topk,
                    "num_experts": shape.experts, "moe_tp_size": shape.moe_tp, "moe_ep_size": shape.moe_ep,
                    "attention_dp_size": shape.dp, "quant_mode": shape.quant.name(),
                    "workload_distribution": shape.distribution, "is_gated": shape.gated }),
        ),
        OpKind::MoeDispatch(shape) => (
            "MoeDispatch",
            json!({ "hidden_size": shape.hidden, "topk": shape.topk, "num_experts": shape.experts,
                    "moe_tp_size": shape.moe_tp, "moe_ep_size": shape.moe_ep, "attention_dp_size": shape.dp,
                    "pre_dispatch": shape.pre, "attn_ar_modeled": shape.attention_reduced,
                    "backend": shape.backend.name(), "moe_quant": shape.quant.name(),
                    "attn_cp_size": shape.cp }),
        ),
        OpKind::Mla { heads, kv, .. } => (
            if context { "ContextMla" } else { "GenerationMla" },
            json!({ "num_heads": heads, "kv_cache_dtype": kv.name() }),
        ),
        OpKind::MlaModule { heads, kv, gemm, .. } => (
            if context { "MlaModuleContext" } else { "MlaModuleGeneration" },
            json!({ "num_heads": heads, "kv_cache_dtype": kv.name(), "gemm_quant_mode": gemm.name() }),
        ),
        OpKind::MlaBmm { heads, quant, pre } => {
            ("MlaBmm", json!({ "num_heads": heads, "quant_mode": quant.name(), "is_pre": pre }))
        }
        OpKind::Mamba2(shape) => (
            "Mamba2",
            json!({ "kernel_source": shape.kernel_name(), "phase": phase, "d_model": shape.hidden,
                    "d_state": shape.state, "d_conv": shape.conv, "nheads": shape.heads,
                    "head_dim": shape.head_dim, "n_groups": shape.groups, "chunk_size": shape.chunk }),
        ),
        OpKind::Gdn(kernel) => ("Gdn", delta_kernel(&kernel)),
        OpKind::Kda(kernel) => ("Kda", delta_kernel(&kernel)),
        OpKind::Dsa(block) => (
            if context { "DsaContext" } else { "DsaGeneration" },
            json!({ "num_heads": block.heads, "kv_cache_dtype": block.kv.name(),
                    "fmha_quant_mode": block.fmha.unwrap_or(FmhaQuant::Bf16).name(),
                    "gemm_quant_mode": block.gemm.name(), "architecture": block.arch.name(),
                    "index_topk": block.dims.index_topk, "cp_size": block.cp, "full_frac": block.indexer_share,
                    "attn_projection_quant_modes": {
                        "q": block.projections.query.name(), "kv": block.projections.kv.name(),
                        "o": block.projections.out.name(), "indexer": block.projections.indexer.name() } }),
        ),
        OpKind::Msa(block) => (
            if context { "MsaContext" } else { "MsaGeneration" },
            json!({ "num_heads": block.heads, "num_kv_heads": block.kv_heads, "hidden_size": block.hidden,
                    "head_dim": block.head_dim, "kv_cache_dtype": block.kv.name(),
                    "gemm_quant_mode": block.gemm.name() }),
        ),
        OpKind::Dsv4(block) => (
            if context { "Dsv4Context" } else { "Dsv4Generation" },
            json!({ "num_heads": block.heads, "native_heads": block.native_heads, "tp_size": block.tp,
                    "attn_kind": if block.kind == Compression::Sparse { "Csa" } else { "Hca" },
                    "kv_cache_dtype": block.kv.name(), "gemm_quant_mode": block.gemm.name(),
                    "cp_size": block.cp, "window_size": block.window, "hidden_size": block.hidden,
                    "q_lora_rank": block.q_lora, "o_lora_rank": block.o_lora, "head_dim": block.head_dim,
                    "rope_head_dim": block.rope_dim, "index_n_heads": block.index_heads,
                    "index_head_dim": block.index_dim, "index_topk": block.topk, "o_groups": block.o_groups }),
        ),
        OpKind::StreamMix(mix) => (
            "Mhc",
            json!({ "op": if mix.pre { "pre" } else { "post" }, "hc_mult": mix.streams,
                    "hidden_size": mix.hidden, "sinkhorn_iters": mix.sinkhorn, "seq_split": op.seq_split }),
        ),
        OpKind::Exchange(shape) => (
            "MoeAllToAll",
            json!({ "phase": shape.leg.name(), "comm_backend": shape.transport.name(), "comm_dtype": shape.dtype,
                    "hidden_size": shape.hidden, "topk": shape.topk, "num_experts": shape.experts,
                    "moe_ep_size": shape.ep, "node_num": shape.nodes, "sms": shape.transport.sms(),
                    "attention_tp_size": op.token_divisor }),
        ),
        OpKind::WideMoe(wide) => (
            "MoeExpertCompute",
            json!({ "hidden_size": wide.experts.hidden, "inter_size": wide.experts.inter,
                    "topk": wide.experts.topk, "num_experts": wide.experts.experts,
                    "moe_ep_size": wide.experts.moe_ep, "quant_mode": wide.experts.quant.name(),
                    "workload_distribution": wide.experts.distribution,
                    "attention_dp_size": wide.experts.dp, "inference_phase": phase }),
        ),
        OpKind::WideMla { heads, kv, .. } => (
            if context { "WideEpContextMla" } else { "WideEpGenerationMla" },
            json!({ "num_heads": heads, "kv_cache_dtype": kv.name() }),
        ),
        OpKind::Overlap { a, b } => ("Overlap", json!({ "group_a": all(&a), "group_b": all(&b) })),
        OpKind::Fallback { primary, otherwise } => {
            ("Fallback", json!({ "primary": describe(phase, &primary), "fallback": all(&otherwise) }))
        }
    };
    // Operators of a draft model are named after it, not after the phase.
    let draft = op.name.starts_with("draft_");
    fields["name"] = if draft { json!(op.name) } else { json!(format!("{phase}_{}", op.name)) };
    // A composed operator runs once and has no count of its own.
    if !matches!(op.kind, OpKind::Overlap { .. } | OpKind::Fallback { .. }) {
        fields["scale_factor"] = json!(op.count);
    }
    json!({ kind: fields })
}

fn delta_kernel(kernel: &DeltaKernel) -> Value {
    let mut fields = json!({
        "kernel_source": kernel.kernel, "phase": kernel.step.name(), "d_model": kernel.hidden,
        "d_conv": kernel.conv, "num_k_heads": kernel.key_heads, "head_k_dim": kernel.key_size,
        "num_v_heads": kernel.value_heads, "head_v_dim": kernel.value_size,
    });
    if let DeltaStep::Verify(tokens) = kernel.step {
        fields["draft_tokens"] = json!(tokens);
    }
    fields
}

/// Whether every field of `part` stands in `whole` with the same value.
fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, value)| whole.get(key).is_some_and(|have| contains(have, value)))
        }
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(have, value)| contains(have, value))
        }
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => whole == part,
    }
}

fn steps(case: &Value, report: &mut Report) {
    let precision = precision(case);
    let (batch, ctx_tokens, osl) = (whole(case, "b"), whole(case, "ctx_tokens"), whole(case, "osl"));
    let scenario = Scenario {
        model: text(case, "model").to_owned(),
        system: text(case, "system").to_owned(),
        backend: Backend::from_name(text(case, "backend")).expect("backend"),
        workload: Workload { isl: whole(case, "isl"), osl, prefix: whole(case, "prefix"), images: None },
        engine: EngineOptions {
            draft_tokens: optional(&case["parallel"], "nextn").unwrap_or(0),
            ..EngineOptions::default()
        },
        quant: QuantChoice { gemm: Some(precision.gemm), kv: Some(precision.kv), fmha: Some(precision.fmha) },
        policy: Policy::Reference,
        ..Scenario::default()
    };
    let what = format!("{} {} {} {}", scenario.model, scenario.system, scenario.backend, parallel(case));
    let worker = |problem: &Problem| {
        let named = Precision { moe: precision.moe, ..problem.prefill.precision };
        search::worker_at(problem, WorkerRole::Agg, parallel(case), None, named).ok()
    };
    let worker = tests::problem(&scenario).ok().as_ref().and_then(worker);
    let mut worker = match (worker, case.get("error")) {
        (Some(worker), None) => worker,
        (None, Some(_)) => return,
        (got, want) => {
            return report.fail(format!("{what}: answers {}, want error {want:?}", got.is_some()));
        }
    };
    let agg = worker.agg(batch, ctx_tokens).expect("measured");
    let (memory, _) = worker.agg_memory(batch, ctx_tokens);
    let mut check = |name: &str, got: f64, want: &Value| {
        let want = want.as_f64().expect("a number");
        report.compare("steps", &format!("{what} {name}"), got, want, RELATIVE, 0.0);
    };
    check("context", worker.prefill(batch).expect("measured").ms, &case["context_ms"]);
    check("generation", worker.decode(batch).expect("measured").ms, &case["generation_ms"]);
    check("mixed", agg.mixed_ms, &case["mixed_ms"]);
    check("decode only", agg.decode_ms, &case["decode_only_ms"]);
    check("TTFT", agg.ttft_ms, &case["agg_ttft_ms"]);
    check("TPOT", agg.itl_ms, &case["agg_tpot_ms"]);
    let gpus = f64::from(parallel(case).gpus());
    check("tokens/s/GPU", agg.requests_per_sec * f64::from(osl - 1) / gpus, &case["agg_tokens_s_gpu"]);
    let gib = &case["agg_memory_gib"];
    check("weights", memory.weights / GIB, &gib["weights"]);
    check("activations", memory.activations / GIB, &gib["activations"]);
    check("KV cache", memory.kv_cache / GIB, &gib["kvcache"]);
    check("total", memory.total() / GIB, &gib["total"]);
}
