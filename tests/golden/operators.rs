//! Single operators, within 1e-6, misses included.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::backend::Backend;
use engine::catalog::Catalog;
use engine::kernel::{Binder, Shape};
use engine::ops::{Collective, CommQuant, Experts, Op, OpKind};
use engine::perf::PerfDb;
use engine::quant::{FmhaQuant, KvQuant, Quant};
use engine::source::DataMode;
use serde_json::Value;

use crate::report::Report;
use crate::{load, number, text, whole};

const RELATIVE: f64 = 1e-6;

/// Operators that this build has; any other in the file is listed, not compared.
const BUILT: &[&str] = &[
    "gemm",
    "context attention",
    "generation attention",
    "encoder attention",
    "custom allreduce",
    "nccl",
    "p2p+elementwise+embedding",
    "moe",
    "MLA context",
    "MLA generation",
    "MLA context module",
    "MLA generation module",
    "MLA bmm",
];

#[test]
fn operators() {
    suite("operators");
}

#[test]
fn operators_without_their_tables() {
    suite("operators-modes");
}

fn suite(name: &'static str) {
    let Some(golden) = load(&format!("{name}.json")) else {
        return Report::skipped(name);
    };
    let mut report = Report::new(name);
    let mut databases: BTreeMap<(String, String, DataMode), PerfDb> = BTreeMap::new();
    for case in golden["cases"].as_array().expect("cases") {
        let op = text(case, "op");
        if !BUILT.contains(&op) {
            report.not_built(op);
            continue;
        }
        let (system, backend) = (text(case, "system"), text(case, "backend"));
        let mode = case["mode"].as_str().and_then(DataMode::from_name).unwrap_or_default();
        let db = databases
            .entry((system.to_owned(), backend.to_owned(), mode))
            .or_insert_with(|| database(system, backend, mode));
        let got = latency(db, op, &case["args"]);
        report.case(op);
        let what = format!("{system}/{backend} {mode} {op} {}", case["args"]);
        match (got, case["latency_ms"].as_f64()) {
            (Some(got), Some(want)) => report.compare(op, &what, got, want, RELATIVE, 0.0),
            (None, None) => {}
            (got, want) => report.fail(format!("{what}: got {got:?}, want {want:?}")),
        }
    }
    report.finish();
}

/// Every table of one system and backend.
fn database(system: &str, backend: &str, mode: DataMode) -> PerfDb {
    let spec = Catalog::embedded().system(system).expect("a known system");
    let backend = Backend::from_name(backend).expect("a known backend");
    let entry = tests::index().pack(system, backend.name()).expect("a pack");
    let packs = entry.files.iter().map(|file| tests::pack(&file.name).expect("a shipped file")).collect();
    PerfDb::new(Arc::new(spec.clone()), packs, mode)
}

/// Latency of one operator; none when there is no data. A precision without a name in the engine has none.
fn latency(db: &PerfDb, op: &str, args: &Value) -> Option<f64> {
    let fmha = || FmhaQuant::from_name(text(args, "fmha_quant"));
    let kv = || KvQuant::from_name(text(args, "kv_quant"));
    let mut shape = Shape { tokens: 0.0, batch: 0.0, seq: 0.0, prefix: 0.0 };
    let mut count = 1.0;
    let kind = match op {
        "gemm" => {
            shape.tokens = number(args, "m");
            OpKind::Gemm {
                n: whole(args, "n"),
                k: whole(args, "k"),
                quant: Quant::from_name(text(args, "quant"))?,
                low_precision_input: args["low_precision_input"].as_bool().unwrap_or(false),
                roofline_below: false,
            }
        }
        "context attention" => {
            (shape.batch, shape.seq) = (number(args, "batch"), number(args, "new_tokens"));
            shape.prefix = number(args, "prefix");
            OpKind::ContextAttention {
                heads: whole(args, "num_heads"),
                kv_heads: whole(args, "num_kv_heads"),
                head_dim: whole(args, "head_dim"),
                window: whole(args, "window"),
                fmha: fmha()?,
                kv: kv()?,
                qk_norm: args["qk_norm"].as_bool().unwrap_or(false),
                cp: 1,
            }
        }
        "generation attention" => {
            (shape.batch, shape.seq) = (number(args, "batch"), number(args, "kv_len"));
            OpKind::GenerationAttention {
                heads: whole(args, "num_heads"),
                kv_heads: whole(args, "num_kv_heads"),
                head_dim: whole(args, "head_dim"),
                window: whole(args, "window"),
                kv: kv()?,
            }
        }
        "encoder attention" => {
            (shape.batch, shape.seq) = (number(args, "batch"), number(args, "tokens"));
            // The golden file has the two names the wrong way round: head sizes of 64, 72 and 80 were measured.
            OpKind::EncoderAttention {
                heads: whole(args, "head_dim"),
                head_dim: whole(args, "num_heads"),
                fmha: fmha()?,
            }
        }
        "custom allreduce" => {
            shape.tokens = number(args, "tokens");
            OpKind::AllReduce { hidden: whole(args, "hidden"), gpus: whole(args, "tp") }
        }
        "nccl" => {
            shape.tokens = number(args, "tokens");
            OpKind::Nccl {
                collective: Collective::from_name(text(args, "collective"))?,
                elements: number(args, "hidden"),
                gpus: whole(args, "num_gpus"),
                dtype: CommQuant::from_name(text(args, "dtype"))?,
            }
        }
        "moe" => {
            shape.tokens = number(args, "tokens");
            let sizes: Vec<u32> = args["topk_experts_hidden_inter_tp_ep"]
                .as_array()?
                .iter()
                .map(|size| size.as_f64().unwrap_or(0.0) as u32)
                .collect();
            let &[topk, experts, hidden, inter, moe_tp, moe_ep] = sizes.as_slice() else { return None };
            OpKind::Moe(Experts {
                hidden,
                inter,
                topk,
                experts,
                moe_tp,
                moe_ep,
                dp: 1,
                quant: Quant::from_name(text(args, "quant"))?,
                distribution: text(args, "distribution").to_owned().leak(),
                gated: args["gated"].as_bool().unwrap_or(true),
            })
        }
        "MLA context" | "MLA context module" => {
            (shape.batch, shape.seq) = (number(args, "batch"), number(args, "new_tokens"));
            shape.prefix = number(args, "prefix");
            let fmha = Some(FmhaQuant::from_name(args["key"][0].as_str()?)?);
            let kv = KvQuant::from_name(args["key"][1].as_str()?)?;
            latent(whole(args, "num_heads"), fmha, kv, args["key"][2].as_str())?
        }
        "MLA generation" | "MLA generation module" => {
            (shape.batch, shape.seq) = (number(args, "batch"), number(args, "kv_len"));
            let kv = KvQuant::from_name(args["key"][0].as_str()?)?;
            latent(whole(args, "num_heads"), None, kv, args["key"][1].as_str())?
        }
        "MLA bmm" => {
            // The table is over the batch, which the golden calls tokens.
            shape.batch = number(args, "tokens");
            OpKind::MlaBmm {
                heads: whole(args, "num_heads"),
                quant: Quant::from_name(text(args, "quant"))?,
                pre: args["pre"].as_bool().unwrap_or(false),
            }
        }
        _ => {
            shape.tokens = number(args, "tokens");
            let hidden = whole(args, "hidden");
            match args["op_or_pp"].as_str() {
                Some("elt") => OpKind::Elementwise { bytes_per_token: 2.0 * f64::from(hidden + 2 * hidden) },
                Some("emb") => OpKind::Embedding { vocab: 1, hidden },
                _ => {
                    let pp = whole(args, "op_or_pp");
                    // A hop between stages; the golden prices one.
                    count = if pp > 1 { 1.0 } else { 0.0 };
                    OpKind::P2p { hidden, pp }
                }
            }
        }
    };
    let op = Op { name: "golden".to_owned(), count: 1.0, seq_split: 1, token_divisor: 1, kind };
    let kernel = Binder::new(db).bind(&op).ok()?;
    kernel.latency(shape).ok().map(|timing| timing.ms * count)
}

/// Latent attention: the kernel, or the whole block where a precision of its projections is given.
fn latent(heads: u32, fmha: Option<FmhaQuant>, kv: KvQuant, gemm: Option<&str>) -> Option<OpKind> {
    Some(match gemm {
        Some(gemm) => OpKind::MlaModule { heads, fmha, kv, gemm: Quant::from_name(gemm)? },
        None => OpKind::Mla { heads, fmha, kv, cp: 1 },
    })
}
