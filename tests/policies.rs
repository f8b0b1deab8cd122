//! The exhaustive policy against the reference's: never worse on the same question, and honest in its counts.

#![allow(clippy::print_stdout, reason = "figures worth reading beside the verdict")]

use engine::backend::Backend;
use engine::catalog::Catalog;
use engine::explain::StepKind;
use engine::reference::{self, Placed, Shape};
use engine::rows::Rows;
use engine::scenario::{EncoderPlace, Goal, Images, Policy, Scenario, Sla, Workload};
use engine::search::Search;
use engine::serving::disagg;
use engine::view::{Point, View, view};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Slack for the different order of a few multiplications.
const EPSILON: f64 = 1e-9;

fn run(scenario: &Scenario, policy: Policy) -> Option<Search> {
    tests::search(&Scenario { policy, ..scenario.clone() }).ok()
}

/// What the goal maximises.
fn gain(point: &Point, goal: Goal) -> f64 {
    engine::view::coordinates(point, goal).1
}

fn meets(scenario: &Scenario, ttft_ms: f64, itl_ms: f64) -> bool {
    let later = f64::from(scenario.workload.osl.saturating_sub(1));
    let rest = match scenario.sla.request_latency_ms {
        Some(limit) => ttft_ms + itl_ms * later <= limit,
        None => itl_ms <= scenario.sla.itl_ms,
    };
    ttft_ms <= scenario.sla.ttft_ms && rest
}

/// Gain of a reference pick without rounding, every output token counted; none when it misses the SLO.
fn unrounded(placed: &Placed, rows: &Rows, scenario: &Scenario) -> Option<f64> {
    let (mut ttft_ms, itl_ms, mut rate, mut gpus, in_flight) = match &placed.row.shape {
        Shape::Agg { worker, ctx_tokens } => {
            let row = rows.agg.iter().find(|row| {
                (row.parallel, row.batch, row.ctx_tokens) == (worker.parallel, worker.batch, *ctx_tokens)
            })?;
            let many = worker.count;
            let rate = row.requests_per_sec * f64::from(many);
            (row.ttft_ms, row.itl_ms, rate, row.parallel.gpus() * many, row.concurrency * many)
        }
        Shape::Disagg { prefill, decode } => {
            let p =
                rows.prefill.iter().find(|r| (r.parallel, r.batch) == (prefill.parallel, prefill.batch))?;
            let d = rows.decode.iter().find(|r| (r.parallel, r.batch) == (decode.parallel, decode.batch))?;
            let rate = (p.requests_per_sec * disagg::PREFILL_RATE * f64::from(prefill.count))
                .min(d.requests_per_sec * disagg::DECODE_RATE * f64::from(decode.count));
            let gpus = p.parallel.gpus() * prefill.count + d.parallel.gpus() * decode.count;
            (p.ttft_ms, d.itl_ms, rate, gpus, d.concurrency * decode.count)
        }
    };
    if let Some(encoders) = &placed.row.encoders {
        let share = if matches!(placed.row.shape, Shape::Agg { .. }) { 1.0 } else { disagg::TTFT };
        ttft_ms += f64::from(encoders.batch) * 1000.0 / encoders.requests_per_sec * share;
        rate = rate.min(encoders.requests_per_sec * disagg::ENCODER_RATE * f64::from(encoders.count));
        gpus += encoders.parallel.gpus() * encoders.count;
    }
    if !meets(scenario, ttft_ms, itl_ms) {
        return None;
    }
    Some(match scenario.goal {
        Goal::Gpus(budget) => {
            rate * f64::from(budget / gpus) * f64::from(scenario.workload.osl) / f64::from(budget)
        }
        Goal::RequestRate(load) => -(load / rate - EPSILON).ceil().max(1.0) * f64::from(gpus),
        Goal::Concurrency(load) => -f64::from(load.div_ceil(in_flight) * gpus),
    })
}

/// The best gain of the reference, and ours; none where the reference has nothing within the SLO.
fn gains(scenario: &Scenario) -> (Option<f64>, Option<f64>) {
    let exhaustive = run(scenario, Policy::Exhaustive).expect("resolves");
    let mut reference = run(scenario, Policy::Reference).expect("resolves");
    let found = reference.reference();
    let picked = reference::pick(&found, scenario);
    let theirs = [picked.agg, picked.disagg]
        .into_iter()
        .flatten()
        .flat_map(|cluster| cluster.top)
        .filter_map(|placed| unrounded(&placed, exhaustive.rows(), scenario))
        .max_by(f64::total_cmp);
    let ours = view(exhaustive.rows(), scenario).best().map(|best| gain(best, scenario.goal));
    (theirs, ours)
}

fn never_worse(scenario: &Scenario) -> Result<(), String> {
    let (theirs, ours) = gains(scenario);
    match (theirs, ours) {
        (Some(theirs), Some(ours)) if ours >= theirs - EPSILON * theirs.abs() => Ok(()),
        (None, _) => Ok(()),
        _ => Err(format!("exhaustive {ours:?}, reference {theirs:?} for {scenario:?}")),
    }
}

fn base(model: &str, system: &str, backend: Backend, gpus: u32) -> Scenario {
    Scenario {
        model: model.to_owned(),
        system: system.to_owned(),
        backend,
        goal: Goal::Gpus(gpus),
        ..Scenario::default()
    }
}

fn asked(mut scenario: Scenario, isl: u32, osl: u32, ttft_ms: f64, itl_ms: f64) -> Scenario {
    scenario.workload = Workload { isl, osl, prefix: 0, images: None };
    scenario.sla = Sla { ttft_ms, itl_ms, request_latency_ms: None, strict: false };
    scenario
}

/// The dense questions of the golden searches.
fn golden_questions() -> Vec<Scenario> {
    const Q32: &str = "Qwen/Qwen3-32B-FP8";
    const Q8: &str = "Qwen/Qwen3-8B";
    const L70: &str = "meta-llama/Meta-Llama-3.1-70B";
    use Backend::{Sglang, Trtllm, Vllm};
    let q32 = |backend, gpus| base(Q32, "h200_sxm", backend, gpus);
    let mut prefix = asked(q32(Trtllm, 16), 8000, 500, 1000.0, 30.0);
    prefix.workload.prefix = 6000;
    let mut latency = asked(q32(Trtllm, 16), 4000, 500, 2000.0, 30.0);
    latency.sla.request_latency_ms = Some(8000.0);
    let mut hetero = asked(base(Q32, "h100_sxm", Trtllm, 16), 4000, 500, 1000.0, 30.0);
    hetero.decode_system = Some("h200_sxm".to_owned());
    let mut rate = asked(q32(Trtllm, 8), 4000, 500, 1000.0, 30.0);
    rate.goal = Goal::RequestRate(40.0);
    vec![
        asked(q32(Trtllm, 32), 4000, 500, 500.0, 30.0),
        asked(q32(Vllm, 32), 4000, 500, 500.0, 30.0),
        asked(q32(Sglang, 32), 4000, 500, 500.0, 30.0),
        asked(base(Q8, "h100_sxm", Trtllm, 8), 1024, 1024, 1000.0, 20.0),
        asked(base(Q8, "a100_sxm", Trtllm, 8), 2048, 256, 1500.0, 40.0),
        asked(base(Q8, "b200_sxm", Vllm, 1), 4000, 1000, 2000.0, 30.0),
        asked(base(L70, "h200_sxm", Vllm, 16), 4000, 1000, 2000.0, 40.0),
        asked(base("nvidia/Llama-3.1-70B-Instruct-FP8", "b200_sxm", Trtllm, 16), 4000, 2000, 1000.0, 15.0),
        prefix,
        latency,
        hetero,
        asked(q32(Trtllm, 16), 4000, 500, 50.0, 5.0),
        asked(q32(Trtllm, 16), 4000, 500, 1000.0, 2.0),
        odd(),
        rate,
        asked(base(L70, "l40s", Trtllm, 1), 2000, 500, 2000.0, 40.0),
        asked(base(Q8, "h100_sxm", Trtllm, 8), 8000, 2, 2000.0, 30.0),
    ]
}

/// Thirteen GPUs: the reference leaves five of them idle.
fn odd() -> Scenario {
    asked(base("Qwen/Qwen3-32B-FP8", "h200_sxm", Backend::Trtllm, 13), 3333, 777, 900.0, 25.0)
}

#[test]
fn never_worse_on_golden_questions() {
    for scenario in golden_questions() {
        never_worse(&scenario).unwrap();
    }
}

/// Requests with images, encoded before prefill or on workers of their own.
#[test]
fn never_worse_with_images() {
    for (gpus, encoder) in [(8, EncoderPlace::Images), (8, EncoderPlace::Workers), (7, EncoderPlace::Workers)]
    {
        let model = "Qwen/Qwen3-VL-8B-Instruct";
        let mut scenario = asked(base(model, "h100_sxm", Backend::Vllm, gpus), 1000, 300, 1500.0, 30.0);
        scenario.workload.images = Some(Images { count: 2, ..Images::default() });
        scenario.engine.encoder = encoder;
        let search = run(&scenario, Policy::Exhaustive).expect("resolves");
        let best = *view(search.rows(), &scenario).best().expect("found");
        let first = &search.explain(&best.layout).expect("found").steps[0];
        assert!(first.kind == StepKind::Encode && first.total_ms > 0.0, "{encoder:?}");
        let (theirs, ours) = gains(&scenario);
        let (theirs, ours) = (theirs.unwrap(), ours.unwrap());
        assert!(ours >= theirs * (1.0 - EPSILON), "{encoder:?} on {gpus}: {ours}, reference {theirs}");
    }
}

#[test]
fn strictly_better_on_thirteen_gpus() {
    let (theirs, ours) = gains(&odd());
    let (theirs, ours) = (theirs.unwrap(), ours.unwrap());
    println!("13 GPUs: reference {theirs:.1}, exhaustive {ours:.1} tokens/s/GPU");
    assert!(ours > 1.1 * theirs, "{ours} against {theirs}");
}

#[test]
fn leftover_gpus_are_put_to_work() {
    for gpus in [6, 10, 12, 13, 20, 28, 36] {
        let question =
            asked(base("Qwen/Qwen3-32B-FP8", "h200_sxm", Backend::Trtllm, gpus), 4000, 500, 1000.0, 30.0);
        let (theirs, ours) = gains(&question);
        let (theirs, ours) = (theirs.unwrap(), ours.unwrap());
        println!(
            "{gpus} GPUs: reference {theirs:.1}, exhaustive {ours:.1}, {:+.1} %",
            (ours / theirs - 1.0) * 100.0
        );
        assert!(ours > theirs);
    }
}

/// Scenarios over every dense model and measured system, most of them sensible.
fn any_scenario() -> impl Strategy<Value = Scenario> {
    let models: Vec<String> = Catalog::embedded().models.iter().map(|model| model.id.clone()).collect();
    let packs: Vec<(String, Backend)> = tests::index()
        .packs
        .iter()
        .map(|pack| (pack.system.clone(), Backend::from_name(&pack.backend).expect("a backend")))
        .collect();
    let goal = prop_oneof![
        6 => (1u32..200).prop_map(Goal::Gpus),
        1 => (0.1f64..200.0).prop_map(Goal::RequestRate),
    ];
    let shape = (1u32..20_000, 1u32..3_000, 0u32..100);
    let sla = (
        50.0f64..5_000.0,
        3.0f64..150.0,
        prop_oneof![4 => Just(None), 1 => (500.0f64..60_000.0).prop_map(Some)],
    );
    let choice = (proptest::sample::select(models), proptest::sample::select(packs));
    (choice, goal, shape, sla, any::<bool>()).prop_map(
        |((model, (system, backend)), goal, shape, sla, chunked)| {
            let (isl, osl, percent) = shape;
            let mut scenario = Scenario { model, system, backend, goal, ..Scenario::default() };
            scenario.workload = Workload { isl, osl, prefix: (isl - 1) * percent / 100, images: None };
            scenario.sla = Sla { ttft_ms: sla.0, itl_ms: sla.1, request_latency_ms: sla.2, strict: false };
            scenario.engine.chunked_prefill = chunked;
            scenario
        },
    )
}

fn check(cases: u32, property: impl Fn(&Scenario) -> Result<(), String>) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    // The same scenarios in every run: a failure can be looked at again.
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let answered = std::cell::Cell::new(0u32);
    let outcome = runner.run(&any_scenario(), |scenario| {
        // Combinations without data are refused, which is an answer too, but not one to compare.
        if tests::problem(&scenario).is_err() {
            return Err(TestCaseError::reject("no data"));
        }
        answered.set(answered.get() + 1);
        property(&scenario).map_err(TestCaseError::fail)
    });
    outcome.expect("the property holds");
    assert!(answered.get() >= cases);
}

#[test]
fn never_worse_on_random_questions() {
    check(200, never_worse);
}

fn dominated(view: &View, goal: Goal) -> Option<(Point, Point)> {
    let at = |index: usize| engine::view::coordinates(&view.points[index], goal);
    for &kept in &view.frontier {
        for (index, point) in view.points.iter().enumerate().filter(|(_, point)| point.meets_ttft) {
            let ((x, y), (kx, ky)) = (at(index), at(kept));
            if x >= kx && y >= ky && (x > kx || y > ky) {
                return Some((view.points[kept], *point));
            }
        }
    }
    None
}

/// What must hold for every answer.
fn sound(scenario: &Scenario) -> Result<(), String> {
    let search = run(scenario, Policy::Exhaustive).expect("resolves");
    let seen = view(search.rows(), scenario);
    if let Some((kept, better)) = dominated(&seen, scenario.goal) {
        return Err(format!("{kept:?} is on the frontier, but {better:?} is better"));
    }
    let f = seen.funnel;
    let counts = [f.tried, f.fit_memory, f.fit_kv, f.measured, f.meet_ttft, f.meet_itl, f.frontier];
    if counts.is_sorted_by(|a, b| a >= b) && (f.frontier > 0) == seen.best().is_some() {
    } else {
        return Err(format!("{f:?}, best {:?}", seen.best()));
    }
    for point in &seen.points {
        let finite =
            [point.ttft_ms, point.itl_ms, point.tokens_per_sec_per_gpu, point.tokens_per_sec_per_user];
        if finite.iter().any(|value| !value.is_finite() || *value < 0.0) {
            return Err(format!("{point:?}"));
        }
        if let Goal::Gpus(budget) = scenario.goal
            && point.gpus_used > budget
        {
            return Err(format!("{} GPUs of {budget}: {point:?}", point.gpus_used));
        }
    }
    // A search moved to another SLO gives what a fresh one gives.
    let mut moved = scenario.clone();
    moved.sla.itl_ms *= 1.37;
    moved.goal = Goal::Gpus(24);
    let mut kept = search;
    assert!(kept.accepts(&moved));
    kept.retarget(&moved);
    while !kept.advance(1).is_done() {}
    if *kept.rows() != *run(&moved, Policy::Exhaustive).expect("resolves").rows() {
        return Err("a moved search differs from a fresh one".to_owned());
    }
    Ok(())
}

#[test]
fn frontier_dominates_and_funnel_narrows() {
    check(60, sound);
}
