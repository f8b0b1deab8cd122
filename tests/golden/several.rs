//! Searches over every backend: the merged picks and frontiers that people are shown.

use engine::point::{Layout, Point};
use engine::scenario::{Place, Scenario};
use engine::view::{View, view_all};
use serde_json::Value;

use crate::report::Report;
use crate::{number, text};

const TOLERANCE: f64 = 1e-3;

pub(crate) fn case_of(case: &Value, scenario: &Scenario, report: &mut Report) {
    let id = text(case, "id");
    let searches = match tests::searches(scenario) {
        Ok(searches) => searches,
        Err(error) => return report.fail(format!("{id}: {error}")),
    };
    let places = searches.places();
    let view = view_all(&searches.rows(), scenario);
    for (mode, disagg) in [("agg", false), ("disagg", true)] {
        for (at, place) in places.iter().enumerate() {
            let mut runs = case["runs"].as_array().expect("runs").iter();
            let run = runs.find(|run| run["serving_mode"] == mode && run["backend"] == place.backend.name());
            let want = run.map_or(0.0, |run| number(run, "num_results"));
            let here = |point: &&Point| point.place as usize == at && point.is_disagg() == disagg;
            let got = view.points.iter().filter(here).count();
            if got as f64 != want {
                report.fail(format!("{id} {mode} {}: {got} rows, want {want}", place.backend));
            }
        }
        let picks = view.picks.iter().map(|&pick| &view.points[pick]);
        let picks: Vec<&Point> = picks.filter(|point| point.is_disagg() == disagg).collect();
        compare_top(id, mode, &picks, &case["top"][mode], &places, report);
        compare_frontier(id, mode, &view, &case["pareto"][mode], report);
        let want = number(&case["best_throughput"], mode);
        let best = picks.first().map_or(0.0, |best| best.tokens_per_sec_per_gpu);
        report.compare(id, &format!("{id} {mode} best"), best, want, TOLERANCE, 0.0);
    }
    let chosen = view.best().map(|best| if best.is_disagg() { "disagg" } else { "agg" });
    if chosen != case["chosen"].as_str() {
        report.fail(format!("{id}: chooses {chosen:?}, want {}", case["chosen"]));
    }
}

/// Whether a golden row is the same configuration.
fn same(point: &Point, want: &Value) -> bool {
    let is = |key: &str, value: u32| want[key].as_f64() == Some(f64::from(value));
    match &point.layout {
        Layout::Agg { worker, ctx_tokens, .. } => is("bs", worker.batch) && is("ctx_tokens", *ctx_tokens),
        Layout::Disagg { prefill, decode, .. } => {
            want["(p)parallel"] == prefill.parallel.group_label().as_str()
                && is("(p)bs", prefill.batch)
                && is("(d)bs", decode.batch)
                && is("(p)workers", prefill.count / point.replicas)
                && is("(d)workers", decode.count / point.replicas)
        }
    }
}

fn label(point: &Point) -> String {
    match &point.layout {
        Layout::Agg { worker, .. } => worker.parallel.group_label(),
        Layout::Disagg { decode, .. } => decode.parallel.group_label(),
    }
}

fn compare_top(id: &str, mode: &str, got: &[&Point], want: &Value, places: &[Place], report: &mut Report) {
    let group = if mode == "agg" { "parallel" } else { "(d)parallel" };
    let want = want.as_array().expect("rows");
    if got.len() != want.len() {
        return report.fail(format!("{id} {mode}: {} picks, want {}", got.len(), want.len()));
    }
    for (at, (point, golden)) in got.iter().zip(want).enumerate() {
        let what = format!("{id} {mode} #{}", at + 1);
        let score = number(golden, "tokens/s/gpu_cluster");
        let tied = (point.tokens_per_sec_per_gpu - score).abs() <= 1e-6 * score;
        let backend = places[point.place as usize].backend.name();
        let alike = label(point) == text(golden, group) && golden["backend"] == backend;
        if !alike && !tied {
            report.fail(format!("{what}: {backend} {}, want {golden}", label(point)));
            continue;
        }
        let mut check = |name: &str, got: f64| {
            report.compare(id, &format!("{what} {name}"), got, number(golden, name), TOLERANCE, TOLERANCE);
        };
        check("tokens/s/gpu_cluster", point.tokens_per_sec_per_gpu);
        if alike && same(point, golden) {
            let replicas = f64::from(point.replicas);
            check("tokens/s/user", point.tokens_per_sec_per_user);
            check("seq/s", point.requests_per_sec / replicas);
            check("ttft", point.ttft_ms);
            check("tpot", point.itl_ms);
            check("request_latency", point.request_latency_ms);
            check("concurrency", f64::from(point.concurrency) / replicas);
            check("num_total_gpus", f64::from(point.gpus_per_replica()));
        } else if !tied || !point.meets() {
            report.fail(format!("{what}: another configuration than {golden}, and no tie within the SLO"));
        }
    }
}

fn compare_frontier(id: &str, mode: &str, view: &View, want: &Value, report: &mut Report) {
    let golden = |row: &Value| (number(row, "tokens/s/user"), number(row, "tokens/s/gpu_cluster"));
    let mut want: Vec<(f64, f64)> = want.as_array().expect("rows").iter().map(golden).collect();
    want.sort_by(|a, b| a.0.total_cmp(&b.0));
    let got = if mode == "agg" { &view.frontier_agg } else { &view.frontier_disagg };
    if got.len() != want.len() {
        return report.fail(format!("{id} {mode} frontier: {} points, want {}", got.len(), want.len()));
    }
    for (&at, (x, y)) in got.iter().zip(want) {
        let point = &view.points[at];
        let mut check = |axis: &str, got: f64, want: f64| {
            report.compare(id, &format!("{id} {mode} frontier {axis}"), got, want, TOLERANCE, TOLERANCE);
        };
        check("x", point.tokens_per_sec_per_user, x);
        check("y", point.tokens_per_sec_per_gpu, y);
    }
}
