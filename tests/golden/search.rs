//! Whole searches under the `Reference` policy: rows, picks and frontier, within 0.1 %.
//!
//! Exact ties are common and the reference breaks them at random, so another configuration with the same
//! score is accepted when it meets the SLO.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use engine::backend::Backend;
use engine::catalog::Catalog;
use engine::reference::{self, Cluster, Placed, Shape};
use engine::scenario::{EncoderPlace, Goal, Images, Policy, Scenario, Serving};
use engine::search::Search;
use serde_json::Value;

use crate::report::Report;
use crate::several;
use crate::{folder, load, model_id, number, text};

const TOLERANCE: f64 = 1e-3;

#[test]
fn searches() {
    let Ok(files) = fs::read_dir(folder().join("search")) else {
        return Report::skipped("search");
    };
    let mut names: Vec<String> = files
        .filter_map(|file| file.ok()?.file_name().into_string().ok())
        .filter(|name| Path::new(name).extension().is_some_and(|kind| kind == "json"))
        .collect();
    names.sort();
    let mut report = Report::new("search");
    for name in names {
        let case = load(&format!("search/{name}")).expect("listed above");
        case_of(&case, &mut report);
    }
    report.finish();
}

/// The scenario behind a command line of the reference system; none when this build cannot say it.
fn scenario(argv: &Value) -> Option<Scenario> {
    let mut words = argv.as_array()?.iter().filter_map(Value::as_str).skip(1).peekable();
    let mut flags: BTreeMap<&str, &str> = BTreeMap::new();
    while let Some(flag) = words.next() {
        let value = words.next_if(|next| !next.starts_with("--")).unwrap_or("");
        flags.insert(flag, value);
    }
    let mut out = Scenario { policy: Policy::Reference, ..Scenario::default() };
    (out.workload.isl, out.workload.osl) = (4000, 1000);
    (out.sla.ttft_ms, out.sla.itl_ms) = (2000.0, 30.0);
    let number = |value: &str| value.parse::<f64>().ok();
    for (flag, value) in flags {
        match flag {
            "--model-path" | "--model" => model_id(value).clone_into(&mut out.model),
            "--system" => value.clone_into(&mut out.system),
            "--decode-system" => out.decode_system = Some(value.to_owned()),
            "--backend" if value == "auto" => out.set_backend(None),
            "--backend" => out.backend = Backend::from_name(value)?,
            "--total-gpus" => out.goal = Goal::Gpus(value.parse().ok()?),
            "--target-request-rate" => out.goal = Goal::RequestRate(number(value)?),
            "--target-concurrency" => out.goal = Goal::Concurrency(value.parse().ok()?),
            "--isl" => out.workload.isl = value.parse().ok()?,
            "--osl" => out.workload.osl = value.parse().ok()?,
            "--prefix" => out.workload.prefix = value.parse().ok()?,
            "--ttft" => out.sla.ttft_ms = number(value)?,
            "--tpot" => out.sla.itl_ms = number(value)?,
            "--request-latency" => out.sla.request_latency_ms = number(value),
            "--strict-sla" => out.sla.strict = true,
            "--enable-chunked-prefill" => out.engine.chunked_prefill = true,
            "--free-gpu-memory-fraction" => out.engine.free_memory_fraction = number(value),
            "--max-seq-len" => out.engine.max_seq_len = value.parse().ok(),
            "--nextn" => out.engine.draft_tokens = value.parse().ok()?,
            "--nextn-accepted" => out.engine.draft_accepted = number(value)?,
            "--image-height" => images(&mut out).height = value.parse().ok()?,
            "--image-width" => images(&mut out).width = value.parse().ok()?,
            "--num-images" => images(&mut out).count = value.parse().ok()?,
            "--enable-epd" => out.engine.encoder = EncoderPlace::Workers,
            "--disable-encoder-dp" => out.engine.encoder = EncoderPlace::Weights,
            "--serving-mode" if value == "agg" => out.serving = Serving::Agg,
            "--serving-mode" if value == "disagg" => out.serving = Serving::Disagg,
            "--serving-mode" if value == "auto" => {}
            _ => return None,
        }
    }
    Some(out)
}

fn images(scenario: &mut Scenario) -> &mut Images {
    scenario.workload.images.get_or_insert_default()
}

fn case_of(case: &Value, report: &mut Report) {
    let id = text(case, "id");
    let Some(scenario) = scenario(&case["argv"]) else {
        return report.not_built("modes of later releases");
    };
    let model = Catalog::embedded().model(&scenario.model);
    if model.is_none() {
        return report.not_built("models outside the catalogue");
    }
    report.case(id);
    if scenario.reach.is_wide() {
        return several::case_of(case, &scenario, report);
    }
    let mut search = match tests::problem(&scenario) {
        Ok(problem) => Search::new(problem),
        Err(error) => return report.fail(format!("{id}: {error}")),
    };
    while !search.advance(u32::MAX).is_done() {}
    let found = search.reference();
    let picked = reference::pick(&found, &scenario);
    for (mode, rows, cluster) in [("agg", &found.agg, &picked.agg), ("disagg", &found.disagg, &picked.disagg)]
    {
        let runs = case["runs"].as_array().expect("runs");
        let want_rows = runs
            .iter()
            .rev()
            .find(|run| run["serving_mode"] == mode)
            .map_or(0.0, |r| number(r, "num_results"));
        if rows.len() as f64 != want_rows {
            report.fail(format!("{id} {mode}: {} rows, want {want_rows}", rows.len()));
        }
        match (cluster, case["top"].get(mode)) {
            (Some(cluster), Some(top)) => {
                compare_top(id, mode, cluster, top, &scenario, report);
                compare_frontier(id, mode, cluster, &case["pareto"][mode], &scenario, report);
                let is_load = !matches!(scenario.goal, Goal::Gpus(_));
                let best = &cluster.top[0];
                let score = if is_load { 1.0 / f64::from(best.gpus()) } else { best.score };
                let want = number(&case["best_throughput"], mode);
                report.compare(
                    id,
                    &format!("{id} {mode} best"),
                    score,
                    want,
                    TOLERANCE,
                    TOLERANCE * want.min(1.0),
                );
            }
            (None, None) => {}
            (got, want) => {
                report.fail(format!("{id} {mode}: picks {}, want {}", got.is_some(), want.is_some()));
            }
        }
    }
}

fn label(placed: &Placed) -> String {
    placed.row.group().group_label()
}

/// Whether a golden row is the same configuration.
fn same(placed: &Placed, want: &Value) -> bool {
    let is = |key: &str, value: u32| want[key].as_f64() == Some(f64::from(value));
    let encoders = placed.row.encoders.as_ref().is_none_or(|encoders| {
        is("(e)tp", encoders.parallel.tp) && is("(e)bs", encoders.batch) && is("(e)workers", encoders.count)
    });
    let others = match &placed.row.shape {
        Shape::Agg { worker, ctx_tokens } => {
            let workers = placed.row.encoders.is_none() || is("(a)workers", worker.count);
            is("bs", worker.batch) && is("ctx_tokens", *ctx_tokens) && workers
        }
        Shape::Disagg { prefill, decode } => {
            want["(p)parallel"] == prefill.parallel.group_label().as_str()
                && is("(p)bs", prefill.batch)
                && is("(d)bs", decode.batch)
                && is("(p)workers", prefill.count)
                && is("(d)workers", decode.count)
        }
    };
    encoders && others
}

fn compare_top(id: &str, mode: &str, got: &Cluster, want: &Value, scenario: &Scenario, report: &mut Report) {
    let group = if mode == "agg" { "parallel" } else { "(d)parallel" };
    let want = want.as_array().expect("rows");
    if got.top.len() != want.len() {
        report.fail(format!("{id} {mode}: {} picks, want {}", got.top.len(), want.len()));
    }
    for (at, (row, golden)) in got.top.iter().zip(want).enumerate() {
        let what = format!("{id} {mode} #{}", at + 1);
        let golden_score = number(golden, "tokens/s/gpu_cluster");
        let tied = (row.score - golden_score).abs() <= 1e-6 * golden_score.max(1.0);
        if label(row) != text(golden, group) && !tied {
            report.fail(format!(
                "{what}: {} {}, want {} {golden_score}",
                label(row),
                row.score,
                text(golden, group)
            ));
            continue;
        }
        let mut check = |name: &str, got: f64| {
            report.compare(id, &format!("{what} {name}"), got, number(golden, name), TOLERANCE, TOLERANCE);
        };
        check("tokens/s/gpu_cluster", row.score);
        if same(row, golden) {
            check("tokens/s/gpu", row.row.tokens_per_sec_per_gpu);
            check("tokens/s/user", row.row.tokens_per_sec_per_user);
            check("tokens/s", row.row.tokens_per_sec);
            check("seq/s", row.row.requests_per_sec);
            check("ttft", row.row.ttft_ms);
            check("tpot", row.row.itl_ms);
            check("request_latency", row.row.request_latency_ms);
            check("concurrency", f64::from(row.row.concurrency));
            check("num_total_gpus", f64::from(row.row.gpus));
            let gib = |memory: engine::point::MemoryUse| memory.total() / f64::from(1 << 30);
            match &row.row.shape {
                Shape::Agg { worker, .. } => check("memory", gib(worker.memory)),
                Shape::Disagg { prefill, decode } => {
                    check("(p)memory", gib(prefill.memory));
                    check("(d)memory", gib(decode.memory));
                    check("(p)seq/s/worker", prefill.requests_per_sec);
                    check("(d)seq/s/worker", decode.requests_per_sec);
                }
            }
            if let Some(encoders) = &row.row.encoders {
                check("(e)memory", encoders.memory.encoder / f64::from(1 << 30));
            }
            if golden.get("total_gpus_needed").is_some() {
                check("replicas_needed", f64::from(row.replicas));
                check("total_gpus_needed", f64::from(row.gpus()));
            }
        } else if !tied {
            report.fail(format!("{what}: another configuration than {golden}, and no tie: {row:?}"));
        } else if !got.exceeded {
            let meets = match scenario.sla.request_latency_ms {
                Some(limit) => row.row.request_latency_ms <= limit,
                None => row.row.itl_ms <= scenario.sla.itl_ms,
            };
            if !meets {
                report.fail(format!("{what}: a tie that misses the SLO"));
            }
        }
    }
}

fn compare_frontier(
    id: &str,
    mode: &str,
    got: &Cluster,
    want: &Value,
    scenario: &Scenario,
    report: &mut Report,
) {
    let by_latency = scenario.sla.request_latency_ms.is_some();
    let golden = |row: &Value| {
        let x = number(row, if by_latency { "request_latency" } else { "tokens/s/user" });
        (if by_latency { -x } else { x }, number(row, "tokens/s/gpu_cluster"))
    };
    let mut want: Vec<(f64, f64)> = want.as_array().expect("rows").iter().map(golden).collect();
    want.sort_by(|a, b| a.0.total_cmp(&b.0));
    if got.frontier.len() != want.len() {
        return report.fail(format!(
            "{id} {mode} frontier: {} points, want {}",
            got.frontier.len(),
            want.len()
        ));
    }
    for (placed, (x, y)) in got.frontier.iter().zip(want) {
        let row = &placed.row;
        let have = if by_latency { -row.request_latency_ms } else { row.tokens_per_sec_per_user };
        report.compare(id, &format!("{id} {mode} frontier x"), have, x, TOLERANCE, TOLERANCE);
        report.compare(id, &format!("{id} {mode} frontier y"), placed.score, y, TOLERANCE, TOLERANCE);
    }
}
