//! Whatever point of a real search is written: it is that point, and fits the budget.

use std::sync::OnceLock;

use engine::backend::Backend;
use engine::catalog::Catalog;
use engine::link::{self, layout_name};
use engine::manifest::{
    Check, DgdApi, Dynamo, Extras, Format, Manifest, ModelCache, Options, PlannerUse, Strategy, import,
    validate,
};
use engine::parallel::Parallel;
use engine::scenario::{EncoderPlace, Goal, Images, Scenario};
use engine::view::{Layout, Point, view};
use proptest::prelude::*;
use proptest::strategy::Strategy as PropStrategy;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::json;

use crate::deployment::{DENSE, Deployment, EXPERTS, documents, export, is_kind, question};
/// A question and the points that answer it.
struct Answer {
    scenario: Scenario,
    points: Vec<Point>,
}

/// Answers of real searches: dense models and mixtures, every engine, one node and several, several systems.
fn answers() -> &'static [Answer] {
    static ANSWERS: OnceLock<Vec<Answer>> = OnceLock::new();
    ANSWERS.get_or_init(|| {
        let mut scenarios = Vec::new();
        for &backend in Backend::ALL {
            scenarios.push(question(DENSE, backend, 32));
            let mut few = question("Qwen/Qwen3-8B", backend, 5);
            few.engine.pipeline = true;
            few.workload.prefix = 1000;
            scenarios.push(Scenario { system: "h100_sxm".to_owned(), ..few });
            let mut slow = question(EXPERTS, backend, 24);
            (slow.sla.ttft_ms, slow.sla.itl_ms) = (3000.0, 60.0);
            slow.engine.chunked_prefill = true;
            scenarios.push(slow);
            let mut wide = question("deepseek-ai/DeepSeek-V3", backend, 64);
            (wide.sla.ttft_ms, wide.sla.itl_ms) = (5000.0, 80.0);
            wide.engine.draft_tokens = 1;
            wide.engine.draft_accepted = 0.8;
            scenarios.push(wide);
            let mut old = question("meta-llama/Meta-Llama-3.1-8B", backend, 8);
            (old.sla.ttft_ms, old.sla.itl_ms) = (2000.0, 60.0);
            old.goal = Goal::RequestRate(20.0);
            scenarios.push(Scenario { system: "a100_sxm".to_owned(), ..old });
        }
        let mut mixed = question(DENSE, Backend::Trtllm, 16);
        mixed.decode_system = Some("h100_sxm".to_owned());
        scenarios.push(mixed);
        for encoder in [EncoderPlace::Images, EncoderPlace::Workers] {
            let mut images = question("Qwen/Qwen3-VL-8B-Instruct", Backend::Vllm, 8);
            "h100_sxm".clone_into(&mut images.system);
            images.sla.ttft_ms = 2000.0;
            images.workload.images = Some(Images::default());
            images.engine.encoder = encoder;
            scenarios.push(images);
        }
        let found = scenarios.into_iter().filter_map(|scenario| {
            let search = tests::search(&scenario).ok()?;
            let points: Vec<Point> =
                view(search.rows(), &scenario).points.into_iter().filter(Point::meets).collect();
            (!points.is_empty()).then_some(Answer { scenario, points })
        });
        found.collect()
    })
}

fn any_options() -> impl PropStrategy<Value = Options> {
    let word = |text: &str| Just(Some(text.to_owned()));
    let cache = prop_oneof![
        Just(None),
        Just(Some(ModelCache { claim: "models".to_owned(), mount: None, path: None })),
        Just(Some(ModelCache {
            claim: "models".to_owned(),
            mount: Some("/m".to_owned()),
            path: Some("a/b".to_owned())
        })),
    ];
    let planner = proptest::sample::select(vec![PlannerUse::Scales, PlannerUse::Advises, PlannerUse::Off]);
    let api = proptest::sample::select(vec![DgdApi::V1Beta1, DgdApi::V1Alpha1]);
    let release = proptest::sample::select(Dynamo::ALL);
    let strategy = proptest::sample::select(vec![Strategy::Rapid, Strategy::Thorough]);
    let flags = proptest::array::uniform5(any::<bool>());
    let namespace = prop_oneof![Just(None), word("prod"), word("1e3")];
    let secret = prop_oneof![Just(None), word("regcred")];
    let link = prop_oneof![Just(None), "[ -~\\n]{0,30}".prop_map(Some)];
    (planner, api, release, strategy, flags, namespace, secret, link, cache).prop_map(
        |(planner, api, release, strategy, flags, namespace, pull_secret, link, model_cache)| {
            let [kv_router, mocker, trust_remote_code, pin_nodes, auto_apply] = flags;
            let extras = Extras {
                planner,
                kv_router,
                mocker,
                strategy,
                api,
                trust_remote_code,
                pin_nodes,
                pull_secret,
                model_cache,
                env: Vec::new(),
            };
            Options { namespace, release, auto_apply, link, extras, ..Options::default() }
        },
    )
}

/// Whether a layout is one that no engine setting asks for.
fn is_inexpressible(point: &Point, backend: Backend) -> bool {
    let workers = match &point.layout {
        Layout::Agg { worker, .. } => vec![worker],
        Layout::Disagg { prefill, decode, .. } => vec![prefill, decode],
    };
    let encoders = point.layout.encoders().is_some() && backend != Backend::Vllm;
    encoders
        || workers.iter().any(|worker| {
            let Parallel { tp, dp, cp, .. } = worker.parallel;
            (cp > 1 && backend != Backend::Sglang) || (backend == Backend::Trtllm && tp > 1 && dp > 1)
        })
}

/// What must hold for every file.
fn sound(format: Format, answer: &Answer, point: &Point, options: &Options) -> Result<bool, String> {
    let scenario = &answer.scenario;
    let outcome = export(format, scenario, point, options);
    if export(format, scenario, point, options) != outcome {
        return Err("two runs differ".to_owned());
    }
    let manifest = match outcome {
        Ok(manifest) => manifest,
        Err(checks) => {
            let known = [
                "context-parallel",
                "attention-dp",
                "encoders",
                "backend",
                "multinode",
                "mixed-gpus",
                "planner-agg",
                "no-sku",
                "rank-over-nodes",
            ];
            let other: Vec<_> = checks.iter().filter(|check| !known.contains(&check.rule.as_ref())).collect();
            let must = format == Format::Dgd && !is_inexpressible(point, scenario.backend);
            return if other.is_empty() && !must { Ok(false) } else { Err(format!("refused: {checks:?}")) };
        }
    };
    if manifest.checks.iter().any(Check::is_error) {
        return Err(format!("{:?}", manifest.checks));
    }
    for file in &manifest.files {
        let lines = file.text.lines().count() as u32;
        if !file.reasons.iter().all(|(line, why)| (1..=lines).contains(line) && !why.is_empty())
            || !file.reasons.is_sorted_by(|a, b| a.0 < b.0)
        {
            return Err(format!("{}: reasons {:?}", file.name, file.reasons));
        }
        if is_kind(file, "yaml") && documents(&file.text).iter().any(|document| !document.is_object()) {
            return Err(format!("{}:\n{}", file.name, file.text));
        }
    }
    if format == Format::Dgdr {
        let checks = validate(&manifest.files[0].text, options.release);
        return if checks.iter().any(Check::is_error) { Err(format!("{checks:?}")) } else { Ok(true) };
    }
    if format == Format::Dgd {
        same_point(&Deployment::of(&manifest), answer, point, &manifest)?;
        comes_back(answer, point, options)?;
    }
    Ok(true)
}

/// The deployment, read back, is the point.
fn same_point(found: &Deployment, answer: &Answer, point: &Point, manifest: &Manifest) -> Result<(), String> {
    let scenario = &answer.scenario;
    let catalog = Catalog::embedded();
    let budget = match scenario.goal {
        Goal::Gpus(budget) => budget,
        _ => point.gpus_used,
    };
    if found.gpus() > u64::from(budget) || found.gpus() != u64::from(point.gpus_used) {
        return Err(format!("{} GPUs of {budget}, the point has {}", found.gpus(), point.gpus_used));
    }
    let decode_system = scenario.decode_system.as_ref().unwrap_or(&scenario.system);
    let workers = match &point.layout {
        Layout::Agg { worker, .. } => vec![("worker", worker, &scenario.system)],
        Layout::Disagg { prefill, decode, .. } => {
            vec![("prefill", prefill, &scenario.system), ("decode", decode, decode_system)]
        }
    };
    for (role, worker, system) in workers {
        let part = &found.parts[role];
        let Parallel { tp, pp, dp, moe_tp, moe_ep, cp } = worker.parallel;
        let node = u64::from(catalog.system(system).unwrap().gpus_per_node);
        let whole = u64::from(pp * (tp * dp * cp).max(moe_tp * moe_ep));
        if part.gpus > node || part.gpus * part.nodes != whole || part.replicas() != u64::from(worker.count) {
            return Err(format!("{role}: {} GPUs on each of {} nodes", part.gpus, part.nodes));
        }
        let stage = tp * dp * cp;
        if part.flag("--attn-cp-size").unwrap_or(1) != cp {
            return Err(format!("{role}: prompts are not split over {cp}"));
        }
        let (got, want) = match scenario.backend {
            Backend::Vllm => (
                [
                    "--tensor-parallel-size",
                    "--pipeline-parallel-size",
                    "--data-parallel-size",
                    "--max-num-seqs",
                ]
                .map(|flag| part.flag(flag).unwrap_or(1)),
                [tp, pp, dp, worker.batch],
            ),
            Backend::Sglang => (
                ["--tp", "--pipeline-parallel-size", "--dp", "--max-running-requests"]
                    .map(|flag| part.flag(flag).unwrap_or(1)),
                [stage, pp, dp, worker.batch * dp],
            ),
            Backend::Trtllm => {
                let engine = found.engine(role);
                let dp_is_on = engine["enable_attention_dp"] == json!(true);
                let size = |key: &str| engine[key].as_u64().unwrap() as u32;
                let [stage_got, pp_got, batch] =
                    ["tensor_parallel_size", "pipeline_parallel_size", "max_batch_size"].map(size);
                if size("max_num_tokens") < batch {
                    return Err(format!("{role}: fewer tokens than requests"));
                }
                (
                    [stage_got, pp_got, if dp_is_on { stage_got } else { 1 }, batch],
                    [stage, pp, dp, worker.batch],
                )
            }
        };
        if got != want {
            return Err(format!("{role}: {got:?}, want {want:?}"));
        }
        let budgeted = part.flag("--max-num-batched-tokens").is_none_or(|tokens| tokens >= worker.batch);
        let cost = if part.nodes > 1 { 2 * role.len() + 4 } else { role.len() };
        if !budgeted || manifest.name.len() + cost > 45 {
            return Err(format!("{role}: {} of {}", manifest.name, manifest.name.len()));
        }
    }
    Ok(())
}

/// Read back from its text with the link that belongs to it, the deployment is the same question and layout.
fn comes_back(answer: &Answer, point: &Point, options: &Options) -> Result<(), String> {
    let (scenario, name) = (&answer.scenario, layout_name(&point.layout));
    let link = format!("https://a.b/?{}#explore:{name}", link::write(scenario, None));
    let options = Options { link: Some(link), ..options.clone() };
    let manifest = export(Format::Dgd, scenario, point, &options).map_err(|checks| format!("{checks:?}"))?;
    let text = &manifest.files[0].text;
    let found = import(text, &Scenario::default(), None, Catalog::embedded());
    let found = found.map_err(|checks| format!("does not come back: {checks:?}\n{text}"))?;
    let layout = found.layout.as_ref().map(layout_name);
    // The file spells out what the question leaves to the engine.
    let mut again = found.scenario.clone();
    (again.quant.kv, again.engine.free_memory_fraction) =
        (scenario.quant.kv, scenario.engine.free_memory_fraction);
    if !point.is_disagg() {
        // Workers that do both have one kind of GPU.
        again.decode_system.clone_from(&scenario.decode_system);
    }
    if layout.as_deref() != Some(name.as_str()) || again != *scenario {
        return Err(format!("comes back as {layout:?} of {:?}: {:?}\n{text}", found.scenario, found.unread));
    }
    Ok(())
}

#[test]
fn whatever_is_written_is_the_point_and_fits_the_budget() {
    const CASES: u32 = 2000;
    let answers = answers();
    assert!(answers.len() >= 14, "{} questions have an answer", answers.len());
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let written = std::cell::Cell::new([0_u32; 7]);
    let choice = (0..answers.len(), any::<proptest::sample::Index>(), any_options(), 0..Format::ALL.len());
    let outcome = runner.run(&choice, |(answer, point, options, other)| {
        let answer = &answers[answer];
        let point = point.get(&answer.points);
        // The deployment of every point, and another format in turn.
        for (at, &format) in Format::ALL.iter().enumerate() {
            if format != Format::Dgd && at != other {
                continue;
            }
            match sound(format, answer, point, &options) {
                Ok(is_written) => {
                    let mut counts = written.get();
                    counts[at] += u32::from(is_written);
                    written.set(counts);
                }
                Err(why) => {
                    let about = format!("{format:?}: {why}\n{:?}\n{point:?}", answer.scenario);
                    return Err(TestCaseError::fail(about));
                }
            }
        }
        Ok(())
    });
    outcome.expect("the property holds");
    // Each format was written, and often.
    assert!(written.get().iter().all(|&count| count > CASES / 100), "{:?}", written.get());
}
