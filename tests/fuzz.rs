//! Ten thousand random questions, half of them absurd: no panic, no figure that is no number, and a reason
//! for every refusal.

use std::sync::Arc;
use std::thread;

use engine::backend::Backend;
use engine::catalog::Catalog;
use engine::link;
use engine::places::Plans;
use engine::problem::{Problem, ScenarioError};
use engine::quant::{FmhaQuant, KvQuant, Quant};
use engine::scenario::{
    EncoderPlace, EngineOptions, Goal, Images, Policy, QuantChoice, Reach, Scenario, Serving, Sla, Workload,
};
use engine::searches::Searches;
use engine::source::DataMode;
use engine::text;
use engine::view::{Point, View, view_all};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use ui::view_model::best::BestVm;
use ui::view_model::frontier::{ChartInput, ChartVm, YAxis};
use ui::view_model::shown::Shown;
use ui::view_model::strip::StripVm;
use ui::view_model::table::{Column, Context};

/// Cases of one thread; four threads make ten thousand.
const CASES: u32 = 2_500;
/// Layouts that are searched before the figures are looked at.
const SOME_LAYOUTS: u32 = 12;
/// One question of so many is searched to its end.
const WHOLE: u32 = 40;
/// Points whose cells are written out.
const CELLS: usize = 40;

/// Mostly a value that makes sense, sometimes one that does not.
fn mostly<T: std::fmt::Debug + Clone + 'static>(
    sane: impl Strategy<Value = T> + 'static,
    wild: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<T> {
    prop_oneof![30 => sane, 1 => wild].boxed()
}

fn wild_whole() -> impl Strategy<Value = u32> {
    prop_oneof![select(vec![0, 1, 10_000_000, 10_000_001, u32::MAX]), any::<u32>()]
}

fn wild_number() -> impl Strategy<Value = f64> {
    let edges = vec![0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e-300, 1e-9, 1e9, 1e300];
    prop_oneof![select(edges), any::<f64>()]
}

fn tokens() -> BoxedStrategy<u32> {
    mostly(prop_oneof![1..64_u32, 1..20_000_u32, Just(131_072)], wild_whole())
}

fn ms() -> BoxedStrategy<f64> {
    mostly(prop_oneof![0.5..50.0_f64, 1.0..5_000.0_f64], wild_number())
}

fn text_of(names: Vec<String>) -> BoxedStrategy<String> {
    mostly(select(names), ".{0,12}")
}

fn goal() -> BoxedStrategy<Goal> {
    prop_oneof![
        4 => mostly(1..200_u32, wild_whole()).prop_map(Goal::Gpus),
        1 => mostly(0.01..500.0_f64, wild_number()).prop_map(Goal::RequestRate),
        1 => mostly(1..5_000_u32, wild_whole()).prop_map(Goal::Concurrency),
    ]
    .boxed()
}

fn quant() -> impl Strategy<Value = QuantChoice> {
    let gemm = proptest::option::weighted(0.1, select(Quant::ALL.to_vec()));
    let kv = proptest::option::weighted(0.1, select(vec![KvQuant::Bf16, KvQuant::Fp8]));
    let fmha = proptest::option::weighted(0.1, select(vec![FmhaQuant::Bf16, FmhaQuant::Fp8]));
    (gemm, kv, fmha).prop_map(|(gemm, kv, fmha)| QuantChoice { gemm, kv, fmha })
}

fn engine_options() -> impl Strategy<Value = EngineOptions> {
    let fraction = proptest::option::weighted(0.2, mostly(0.1..1.0_f64, wild_number()));
    let length = proptest::option::weighted(0.1, tokens());
    let drafts =
        prop_oneof![4 => Just((0, 0.0)), 1 => (1..4_u32, 0.0..1.0_f64), 1 => (wild_whole(), wild_number())];
    let encoder = select(vec![EncoderPlace::Images, EncoderPlace::Weights, EncoderPlace::Workers]);
    (any::<bool>(), fraction, length, any::<bool>(), drafts, encoder).prop_map(
        |(chunked_prefill, free_memory_fraction, max_seq_len, pipeline, drafts, encoder)| EngineOptions {
            chunked_prefill,
            free_memory_fraction,
            max_seq_len,
            pipeline,
            draft_tokens: drafts.0,
            draft_accepted: drafts.1,
            encoder,
        },
    )
}

fn images() -> impl Strategy<Value = Option<Images>> {
    let pixels = || mostly(64..4_000_u32, wild_whole());
    let images = (mostly(1..8_u32, wild_whole()), pixels(), pixels())
        .prop_map(|(count, width, height)| Images { count, width, height });
    proptest::option::weighted(0.08, images)
}

fn sla() -> impl Strategy<Value = Sla> {
    let latency = proptest::option::weighted(0.15, mostly(10.0..60_000.0_f64, wild_number()));
    (ms(), ms(), latency, any::<bool>()).prop_map(|(ttft_ms, itl_ms, request_latency_ms, strict)| Sla {
        ttft_ms,
        itl_ms,
        request_latency_ms,
        strict,
    })
}

fn scenarios() -> impl Strategy<Value = Scenario> {
    let catalog = Catalog::embedded();
    let models = catalog.models.iter().map(|model| model.id.clone()).collect();
    let systems: Vec<_> = catalog.systems.iter().map(|system| system.id.clone()).collect();
    let names = (
        text_of(models),
        text_of(systems.clone()),
        proptest::option::weighted(0.15, text_of(systems)),
        select(vec![Backend::Trtllm, Backend::Sglang, Backend::Vllm]),
        proptest::option::weighted(0.05, ".{0,8}"),
    );
    let prefix = mostly(prop_oneof![3 => Just(0), 1 => 0..8_000_u32], wild_whole());
    let workload = (tokens(), tokens(), prefix, images()).prop_map(|(isl, osl, prefix, images)| Workload {
        isl,
        osl,
        prefix,
        images,
    });
    let reach = (proptest::bool::weighted(0.05), proptest::bool::weighted(0.02))
        .prop_map(|(every_backend, every_system)| Reach { every_backend, every_system });
    let serving = select(vec![Serving::Both, Serving::Agg, Serving::Disagg]);
    let mode = prop_oneof![
        6 => Just(DataMode::Silicon),
        1 => select(vec![DataMode::Hybrid, DataMode::Empirical, DataMode::Sol]),
    ];
    (names, (reach, mode), workload, sla(), goal(), serving, quant(), engine_options()).prop_map(
        |(names, (reach, mode), workload, sla, goal, serving, quant, engine)| {
            let (model, system, decode_system, backend, version) = names;
            Scenario {
                model,
                custom: None,
                system,
                decode_system,
                backend,
                reach,
                version,
                mode,
                workload,
                sla,
                goal,
                serving,
                quant,
                engine,
                policy: Policy::Exhaustive,
            }
        },
    )
}

/// Whether a text shows a number that is none.
fn shows_no_number(text: &str) -> bool {
    text.split(|letter: char| !letter.is_alphanumeric())
        .any(|word| matches!(word, "NaN" | "inf" | "infinity"))
        || text.contains('∞')
}

fn readable(text: &str) -> Result<(), TestCaseError> {
    prop_assert!(!text.trim().is_empty());
    prop_assert!(!shows_no_number(text), "{text}");
    Ok(())
}

fn figures(point: &Point) -> [f64; 7] {
    [
        point.ttft_ms,
        point.itl_ms,
        point.request_latency_ms,
        point.tokens_per_sec_per_gpu,
        point.tokens_per_sec_per_user,
        point.requests_per_sec,
        point.evidence.measured + point.evidence.held + point.evidence.empirical + point.evidence.sol,
    ]
}

fn check_points(shown: &Shown) -> Result<(), TestCaseError> {
    let Shown { view, scenario, .. } = shown;
    let context = Context { shown, price: Some(2.5) };
    for point in &view.points {
        let figures = figures(point);
        prop_assert!(figures.iter().all(|value| value.is_finite() && *value >= 0.0), "{point:?}");
        prop_assert!(point.gpus_used > 0 && point.replicas > 0, "{point:?}");
        prop_assert!(!matches!(scenario.goal, Goal::Gpus(gpus) if point.gpus_used > gpus), "{point:?}");
    }
    for (rank, point) in view.points.iter().take(CELLS).enumerate() {
        for column in Column::ALL {
            readable(&column.cell(point, rank + 1, context))?;
        }
        readable(&text::layout_total(point))?;
        readable(&text::gpus_decomposed(point))?;
    }
    Ok(())
}

/// What the page draws and writes of an answer.
fn check_screen(view: &View, scenario: &Scenario) -> Result<(), TestCaseError> {
    let funnel = &view.funnel;
    let stages = text::funnel_stages(funnel, scenario).map(|(_, left)| left);
    prop_assert!(stages.is_sorted_by(|a, b| a >= b), "{funnel:?}");
    readable(&text::announcement(funnel, view.best()))?;
    if let Some(best) = view.best() {
        readable(&format!("{:?}", BestVm::new(best, scenario, None, Some(2.5))))?;
        readable(&text::verdict(best))?;
    } else {
        let nearest = view.nearest.unwrap_or_default();
        readable(&text::nothing_fits(&nearest, scenario).to_string())?;
    }
    for y in YAxis::offered(Some(2.5)) {
        let size = (900.0, 420.0);
        let input = ChartInput {
            view,
            scenario,
            y,
            price: Some(2.5),
            x_domain: None,
            close_up: false,
            size,
            today: None,
            focus: (!view.points.is_empty()).then_some(0),
        };
        let chart = ChartVm::new(&input);
        prop_assert!(chart.marks.iter().all(|mark| mark.x.is_finite() && mark.y.is_finite()));
        let labels = chart.x_ticks.iter().chain(&chart.y_ticks);
        for (at, label) in labels {
            prop_assert!(at.is_finite());
            readable(label)?;
        }
    }
    let strip = StripVm::new(view, scenario, (900.0, 60.0), (58.0, 880.0));
    prop_assert!(strip.target_x.is_finite());
    prop_assert!(
        strip.bars.iter().all(|bar| bar.x.is_finite() && bar.all.is_finite() && bar.kept.is_finite())
    );
    Ok(())
}

fn check(scenario: &Scenario, whole: bool) -> Result<(), TestCaseError> {
    let written = link::write(scenario, None);
    let again = link::parse(&written);
    // A number that is none cannot be read again; everything else can.
    if !shows_no_number(&written) {
        prop_assert!(again.notices.is_empty(), "{written}: {:?}", again.notices);
        prop_assert_eq!(&link::write(&again.scenario, None), &written);
    }
    let refused = |refusal: &ScenarioError| !text::scenario_error(refusal).to_string().trim().is_empty();
    let plans = match Plans::resolve(scenario, Catalog::embedded(), tests::index()) {
        Ok(plans) => plans.plans,
        Err(refusal) => {
            prop_assert!(refused(&refusal));
            return Ok(());
        }
    };
    let mut problems = Vec::new();
    for plan in plans {
        match Problem::new(plan, tests::pack) {
            Ok(problem) => problems.push(problem),
            Err(refusal) => prop_assert!(refused(&refusal)),
        }
    }
    let mut search = Searches::new(scenario.clone(), problems);
    search.advance(if whole { u32::MAX } else { SOME_LAYOUTS });
    let shown = Shown {
        view: view_all(&search.rows(), scenario),
        scenario: scenario.clone(),
        places: Arc::new(search.places()),
        left: None,
        stale: false,
        data: String::new(),
    };
    let seen = &shown.view;
    check_points(&shown)?;
    check_screen(seen, scenario)?;
    if let Some(best) = seen.best()
        && let Some(explanation) = search.explain(&best.candidate())
        && let Some(limit) = text::limited_by(&explanation, best)
    {
        readable(&limit)?;
    }
    Ok(())
}

fn run(seed: u8) {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let cases = (scenarios(), 0..WHOLE);
    let outcome =
        TestRunner::new_with_rng(config, rng).run(&cases, |(scenario, turn)| check(&scenario, turn == 0));
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn no_question_breaks_the_engine_or_the_page() {
    thread::scope(|scope| {
        for seed in 0..4 {
            scope.spawn(move || run(seed));
        }
    });
}

#[test]
fn texts_that_show_no_number_are_seen() {
    assert!(shows_no_number("ITL NaN ms") && shows_no_number("inf tokens/s") && shows_no_number("∞"));
    assert!(!shows_no_number("information in flight"));
}
