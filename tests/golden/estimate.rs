//! Single-point estimates, within 0.1 % (the goldens are rounded to three decimals).

use engine::afd::{AfdShape, Pipeline};
use engine::backend::Backend;
use engine::catalog::Catalog;
use engine::estimate::{Deployment, Estimate, Phase, Pool, estimate};
use engine::memory::Fit;
use engine::parallel::Parallel;
use engine::quant::{KvQuant, Quant};
use engine::scenario::{EncoderPlace, EngineOptions, Images, Policy, QuantChoice, Scenario, Workload};
use engine::source::DataMode;
use serde_json::Value;

use crate::report::Report;
use crate::{load, model_id, number, optional, text, whole};

const TOLERANCE: f64 = 1e-3;
const GIB: f64 = (1u64 << 30) as f64;

#[test]
fn estimates() {
    suite("estimate");
}

#[test]
fn estimates_of_mixed_layers() {
    suite("estimate-mixed");
}

#[test]
fn estimates_with_images() {
    suite("estimate-vision");
}

#[test]
fn estimates_of_attention_and_ffn_nodes() {
    suite("estimate-afd");
}

#[test]
fn estimates_with_encoder_workers() {
    suite("estimate-epd");
}

#[test]
fn estimates_without_their_tables() {
    suite("estimate-modes");
}

fn suite(name: &'static str) {
    let Some(golden) = load(&format!("{name}.json")) else {
        return Report::skipped(name);
    };
    let mut report = Report::new(name);
    for case in golden["cases"].as_array().expect("cases") {
        let kwargs = &case["kwargs"];
        let model = Catalog::embedded().model(model_id(text(kwargs, "model_path")));
        if model.is_none() {
            report.not_built("models outside the catalogue");
            continue;
        }
        let mode = text(kwargs, "mode");
        report.case(mode);
        let id = text(case, "id");
        match (run(kwargs, mode), case.get("result")) {
            (Some(got), Some(want)) => compare(id, mode, &got, want, &mut report),
            (None, None) => {}
            (got, _) => report.fail(format!("{id}: got {got:?}, want {:?}", case.get("error"))),
        }
    }
    report.finish();
}

/// Images of a request; the reference ignores them without a size.
fn images(kwargs: &Value) -> Option<Images> {
    let (width, height) = (optional(kwargs, "image_width")?, optional(kwargs, "image_height")?);
    Some(Images { count: optional(kwargs, "num_images").unwrap_or(1), width, height })
}

fn encoder(kwargs: &Value) -> EncoderPlace {
    match (&kwargs["enable_epd"], &kwargs["enable_encoder_dp"]) {
        (Value::Bool(true), _) => EncoderPlace::Workers,
        (_, Value::Bool(false)) => EncoderPlace::Weights,
        _ => EncoderPlace::Images,
    }
}

/// Our estimate; none when it is refused.
fn run(kwargs: &Value, mode: &str) -> Option<Estimate> {
    let isl = whole(kwargs, "isl");
    let scenario = Scenario {
        model: model_id(text(kwargs, "model_path")).to_owned(),
        system: text(kwargs, "system_name").to_owned(),
        backend: Backend::from_name(text(kwargs, "backend_name")).expect("backend"),
        workload: Workload {
            isl,
            osl: whole(kwargs, "osl"),
            prefix: optional(kwargs, "prefix").unwrap_or(0),
            images: images(kwargs),
        },
        engine: EngineOptions {
            draft_tokens: optional(kwargs, "nextn").unwrap_or(0),
            draft_accepted: kwargs["nextn_accepted"].as_f64().unwrap_or(0.0),
            encoder: encoder(kwargs),
            ..EngineOptions::default()
        },
        policy: Policy::Reference,
        quant: QuantChoice {
            gemm: precision(kwargs, "gemm_quant_mode", Quant::from_name),
            kv: precision(kwargs, "kvcache_quant_mode", KvQuant::from_name),
            fmha: None,
        },
        mode: kwargs["database_mode"]
            .as_str()
            .and_then(|mode| DataMode::from_name(&mode.to_lowercase()))
            .unwrap_or_default(),
        ..Scenario::default()
    };
    let size = |prefix: &str, key: &str| {
        optional(kwargs, &format!("{prefix}{key}")).or_else(|| optional(kwargs, key)).unwrap_or(1)
    };
    let parallel = |prefix: &str| Parallel {
        dp: size(prefix, "attention_dp_size"),
        moe_tp: size(prefix, "moe_tp_size"),
        moe_ep: size(prefix, "moe_ep_size"),
        ..Parallel::dense(size(prefix, "tp_size"), size(prefix, "pp_size"), size(prefix, "cp_size"))
    };
    let pool = |prefix: &str| Pool {
        parallel: parallel(prefix),
        batch: whole(kwargs, &format!("{prefix}batch_size")),
        count: whole(kwargs, &format!("{prefix}num_workers")),
    };
    let batch = || whole(kwargs, "batch_size");
    let encoders = optional(kwargs, "encoder_tp").map(|tp| Pool {
        parallel: Parallel::dense(tp, 1, 1),
        batch: whole(kwargs, "encoder_batch_size"),
        count: whole(kwargs, "encoder_num_workers"),
    });
    let fixed = |phase| Deployment::Static { parallel: parallel(""), batch: batch(), phase };
    let deployment = match mode {
        "agg" => {
            let ctx_tokens = optional(kwargs, "ctx_tokens").unwrap_or(isl);
            Deployment::Agg { parallel: parallel(""), batch: batch(), ctx_tokens, encoders }
        }
        "afd" => {
            let pipeline = if kwargs["pipeline_model"] == "conservative" {
                Pipeline::Conservative
            } else {
                Pipeline::Optimistic
            };
            let shape = AfdShape {
                attention_nodes: whole(kwargs, "n_a_nodes"),
                ffn_nodes: whole(kwargs, "n_f_nodes"),
                attention_tp: whole(kwargs, "a_tp_size"),
                ffn_ep: optional(kwargs, "f_moe_ep_size").unwrap_or(1),
                microbatches: optional(kwargs, "num_microbatches").unwrap_or(3),
                pipeline,
            };
            Deployment::Afd { shape, batch: whole(kwargs, "a_batch_size") }
        }
        "static" => fixed(Phase::Both),
        "static_ctx" => fixed(Phase::Prefill),
        "static_gen" => fixed(Phase::Decode),
        "disagg" => Deployment::Disagg { prefill: pool("prefill_"), decode: pool("decode_"), encoders },
        other => panic!("unknown mode {other}"),
    };
    estimate(&tests::problem(&scenario).ok()?, &deployment).ok()
}

/// A precision that the case sets; none keeps the checkpoint's.
fn precision<T>(kwargs: &Value, key: &str, from_name: fn(&str) -> Option<T>) -> Option<T> {
    kwargs[key].as_str().map(|name| from_name(name).expect("a known precision"))
}

fn compare(id: &str, mode: &str, got: &Estimate, want: &Value, report: &mut Report) {
    let raw = &want["raw"];
    let mut check = |name: &str, got: f64, want: f64| {
        report.compare(mode, &format!("{id} {name}"), got, want, TOLERANCE, TOLERANCE);
    };
    check("ttft", got.ttft_ms, number(raw, "ttft"));
    check("tpot", got.itl_ms, number(raw, "tpot"));
    check("request_latency", got.request_latency_ms, number(raw, "request_latency"));
    check("seq/s", got.requests_per_sec, number(raw, "seq/s"));
    check("tokens/s", got.tokens_per_sec, number(raw, "tokens/s"));
    check("tokens/s/gpu", got.tokens_per_sec_per_gpu, number(raw, "tokens/s/gpu"));
    check("tokens/s/user", got.tokens_per_sec_per_user, number(raw, "tokens/s/user"));
    check("concurrency", f64::from(got.concurrency), number(raw, "concurrency"));
    check("num_total_gpus", f64::from(got.gpus), number(raw, "num_total_gpus"));
    let keys: &[&str] = match mode {
        "disagg" => &["(p)memory", "(d)memory"],
        "afd" => &["(a)memory", "(f)memory"],
        _ => &["memory"],
    };
    for (held, key) in got.memory.iter().zip(keys) {
        check(key, held.memory.total() / GIB, number(raw, key));
    }
    // The reference leaves runtime and buffers out of what it shows of encoder workers.
    if let (Some(held), Some(want)) = (got.memory.get(keys.len()), raw["(e)memory"].as_f64()) {
        check("(e)memory", held.memory.encoder / GIB, want);
    }
    let warned = !want["kv_cache_warning"].is_null();
    let overflows = got.memory.iter().any(|held| held.fit != Fit::Yes);
    if mode == "agg" && warned != overflows {
        report.fail(format!("{id}: KV cache warning {overflows}, want {warned}"));
    }
}
