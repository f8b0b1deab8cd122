//! Named layouts priced as the search prices them, and how far they are from the best.

use std::cell::Cell;

use engine::backend::Backend;
use engine::gap::{Touches, gap};
use engine::link::{layout_name, parse_layout};
use engine::parallel::Parallel;
use engine::point::{EncoderPool, Layout, MemoryUse, Point, Worker};
use engine::scenario::{EncoderPlace, EngineOptions, Goal, Images, Scenario, Serving, Sla, Workload};
use engine::search::{PriceError, price, price_limits};
use engine::view::view;
use proptest::prelude::*;
use proptest::sample::select;

use crate::runner;

const PLACES: &[(&str, &str, Backend)] = &[
    ("Qwen/Qwen3-32B-FP8", "h100_sxm", Backend::Trtllm),
    ("Qwen/Qwen3-32B-FP8", "h200_sxm", Backend::Vllm),
    ("Qwen/Qwen3-235B-A22B-FP8", "h200_sxm", Backend::Sglang),
    ("Qwen/Qwen3-235B-A22B-FP8", "h200_sxm", Backend::Trtllm),
    ("deepseek-ai/DeepSeek-V3", "h200_sxm", Backend::Sglang),
    ("deepseek-ai/DeepSeek-V3", "gb200", Backend::Trtllm),
    ("meta-llama/Meta-Llama-3.1-8B", "a100_sxm", Backend::Vllm),
    ("Qwen/Qwen3-VL-32B-Instruct", "h200_sxm", Backend::Vllm),
];

fn scenarios() -> impl Strategy<Value = Scenario> {
    let goal = prop_oneof![
        3 => (1..72_u32).prop_map(Goal::Gpus),
        1 => (0.1..60.0_f64).prop_map(Goal::RequestRate),
        1 => (1..900_u32).prop_map(Goal::Concurrency),
    ];
    let tokens = (1..9_000_u32, prop_oneof![1 => Just(1_u32), 9 => 2..1_500_u32], 0..400_u32);
    let sla = (50.0..3_000.0_f64, 5.0..80.0_f64, proptest::option::weighted(0.3, 500.0..60_000.0_f64));
    let drafts = prop_oneof![4 => Just((0, 0.0)), 1 => (1..3_u32, 0.0..1.0_f64)];
    let images = proptest::option::of((1..3_u32, any::<bool>()));
    let options = (any::<bool>(), any::<bool>(), proptest::option::weighted(0.3, 0.3..0.95_f64));
    (select(PLACES), goal, tokens, sla, drafts, images, options).prop_map(
        |(
            (model, system, backend),
            goal,
            (isl, osl, prefix),
            (ttft_ms, itl_ms, latency),
            drafts,
            images,
            options,
        )| {
            let images = images.filter(|_| model.contains("-VL-"));
            let (chunked_prefill, pipeline, free_memory_fraction) = options;
            let apart = images.is_some_and(|(_, apart)| apart);
            Scenario {
                model: model.to_owned(),
                system: system.to_owned(),
                backend,
                goal,
                workload: Workload {
                    isl,
                    osl,
                    prefix: prefix.min(isl - 1),
                    images: images.map(|(count, _)| Images { count, ..Images::default() }),
                },
                sla: Sla { ttft_ms, itl_ms, request_latency_ms: latency, strict: false },
                engine: EngineOptions {
                    chunked_prefill,
                    pipeline,
                    free_memory_fraction,
                    draft_tokens: if model.contains("DeepSeek") { drafts.0 } else { 0 },
                    draft_accepted: if model.contains("DeepSeek") { drafts.1 } else { 0.0 },
                    encoder: if apart { EncoderPlace::Workers } else { EncoderPlace::Images },
                    ..EngineOptions::default()
                },
                ..Scenario::default()
            }
        },
    )
}

/// Every figure of a point, bit for bit.
fn bits(point: &Point) -> String {
    // Floats print so that they read back to the same bits.
    serde_json::to_string(point).expect("finite")
}

#[test]
fn every_point_of_a_search_prices_to_itself() {
    let compared = Cell::new(0);
    let outcome = runner(14).run(&scenarios(), |scenario| {
        let Ok(search) = tests::search(&scenario) else { return Ok(()) };
        let view = view(search.rows(), &scenario);
        for point in view.points.iter().step_by(1 + view.points.len() / 40) {
            // By name, so that memory and figures can only come from the pricing.
            let name = layout_name(&point.layout);
            let named = parse_layout(&name).expect("a name reads back").layout;
            let priced = price(search.problem(), &named);
            let priced = priced.map_err(|error| TestCaseError::fail(format!("{name}: {error:?}")))?;
            prop_assert_eq!(bits(&priced), bits(point), "{} {:?}", name, scenario);
            let limits = price_limits(search.problem(), &named).expect("what fits needs no cut");
            prop_assert!(limits.cut.is_empty() && bits(&limits.point) == bits(point), "{}", name);
            compared.set(compared.get() + 1);
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    println!("{} points priced", compared.get());
    assert!(compared.get() > 250, "{}", compared.get());
}

fn sizes() -> impl Strategy<Value = u32> {
    prop_oneof![12 => select(vec![1_u32, 2, 4, 8]), 3 => 1..40_u32, 1 => select(vec![0, 16_384, u32::MAX])]
}

fn workers() -> impl Strategy<Value = Worker> {
    let counts = prop_oneof![8 => 1..9_u32, 1 => select(vec![0, u32::MAX])];
    let batch = prop_oneof![8 => 1..700_u32, 1 => select(vec![0, 100_000, 1_000_000, u32::MAX])];
    (counts, batch, parallels()).prop_map(|(count, batch, parallel)| Worker {
        parallel,
        batch,
        count,
        memory: MemoryUse::default(),
    })
}

/// Dense layouts, layouts of experts, and anything.
fn parallels() -> impl Strategy<Value = Parallel> {
    let size = || select(vec![1_u32, 2, 4, 8]);
    let experts = (size(), size(), size(), 0..4_u32).prop_map(|(tp, pp, dp, share)| {
        let moe_tp = (tp * dp) >> share;
        let moe_tp = moe_tp.max(1);
        Parallel { tp, pp, dp, moe_tp, moe_ep: tp * dp / moe_tp, cp: 1 }
    });
    let wild = (sizes(), sizes(), sizes(), sizes(), sizes(), sizes())
        .prop_map(|(tp, pp, dp, moe_tp, moe_ep, cp)| Parallel { tp, pp, dp, moe_tp, moe_ep, cp });
    prop_oneof![size().prop_map(|tp| Parallel::dense(tp, 1, 1)), experts, wild]
}

#[test]
fn no_named_layout_is_too_odd_to_price() {
    let pools = (sizes(), sizes(), sizes());
    let pools = pools.prop_map(|(tp, batch, count)| EncoderPool { tp, batch, count, memory_bytes: 0.0 });
    let tokens = prop_oneof![8 => 1..20_000_u32, 1 => select(vec![0, u32::MAX])];
    let parts = (any::<bool>(), workers(), workers(), tokens, proptest::option::weighted(0.2, pools));
    let problems: Vec<_> = PLACES
        .iter()
        .map(|&(model, system, backend)| {
            let (model, system) = (model.to_owned(), system.to_owned());
            tests::problem(&Scenario { model, system, backend, ..Scenario::default() }).expect("resolves")
        })
        .collect();
    let priced = Cell::new(0);
    let outcome =
        runner(1_500).run(&(0..problems.len(), parts), |(at, (agg, first, decode, ctx_tokens, encoders))| {
            let layout = if agg {
                Layout::Agg { worker: first, ctx_tokens, encoders }
            } else {
                Layout::Disagg { prefill: first, decode, encoders }
            };
            if let Ok(found) = price_limits(&problems[at], &layout) {
                let point = found.point;
                prop_assert!(point.itl_ms.is_finite() && point.requests_per_sec.is_finite(), "{:?}", point);
                priced.set(priced.get() + 1);
            }
            Ok(())
        });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    println!("{} odd layouts priced", priced.get());
    assert!(priced.get() > 20, "{}", priced.get());
}

fn dense(tp: u32, batch: u32, count: u32) -> Worker {
    Worker { parallel: Parallel::dense(tp, 1, 1), batch, count, memory: MemoryUse::default() }
}

#[test]
fn layouts_that_no_search_tries_are_priced_and_limits_are_cut_to_what_fits() {
    let problem = tests::problem(&Scenario::default()).expect("resolves");
    let layout = Layout::Disagg { prefill: dense(2, 3, 5), decode: dense(1, 37, 7), encoders: None };
    let point = price(&problem, &layout).expect("has data");
    assert_eq!((point.gpus_used, point.replicas, point.concurrency), (17, 1, 37 * 7));
    let limits = Layout::Disagg { prefill: dense(2, 3, 5), decode: dense(1, 2048, 7), encoders: None };
    assert!(matches!(price(&problem, &limits), Err(PriceError::Worker { .. })));
    let priced = price_limits(&problem, &limits).expect("cut");
    let [cut] = priced.cut.as_slice() else { panic!("{:?}", priced.cut) };
    assert!(cut.limit == 2048 && cut.batch >= 37, "{cut:?}");
    // One request more would not have fitted.
    let more = Layout::Disagg { prefill: dense(2, 3, 5), decode: dense(1, cut.batch + 1, 7), encoders: None };
    assert!(matches!(price(&problem, &more), Err(PriceError::Worker { .. })));
    for layout in [
        Layout::Disagg { prefill: dense(3, 1, 1), decode: dense(1, 8, 1), encoders: None },
        Layout::Disagg { prefill: dense(1, 0, 1), decode: dense(1, 8, 1), encoders: None },
        Layout::Agg { worker: dense(2, 2, 1), ctx_tokens: 8000, encoders: None },
    ] {
        assert!(matches!(price(&problem, &layout), Err(PriceError::Shape(_))), "{layout:?}");
    }
}

#[test]
fn a_real_deployment_is_told_what_to_change() {
    for serving in [Serving::Agg, Serving::Both] {
        let scenario = Scenario { serving, goal: Goal::Gpus(16), ..Scenario::default() };
        let search = tests::search(&scenario).expect("resolves");
        let view = view(search.rows(), &scenario);
        let best = view.best().expect("feasible");
        for (layout, meets) in [
            (Layout::Agg { worker: dense(4, 2, 4), ctx_tokens: 4000, encoders: None }, true),
            (Layout::Agg { worker: dense(4, 400, 4), ctx_tokens: 4000, encoders: None }, false),
        ] {
            let point = price_limits(search.problem(), &layout).expect("priced").point;
            assert_eq!(point.meets(), meets);
            let found = gap(&[search.rows()], &view, &point, &scenario);
            let change = found.change.expect("something better");
            assert!(view.points[change.to].meets());
            assert!(change.touches >= Touches::Limits && !change.edits.is_empty());
            if meets {
                let ahead = found.best.expect("ahead");
                assert_eq!(&view.points[ahead.at], best);
                assert!(
                    (ahead.more - (best.tokens_per_sec_per_gpu / point.tokens_per_sec_per_gpu - 1.0)).abs()
                        < 1e-12
                );
                assert!(change.closes.expect("a share") >= 0.8);
                assert!(found.gpus_for_load.expect("enough") < point.gpus_used);
            }
            let text = engine::text::gap(
                &engine::gap::gap(&[search.rows()], &view, &point, &scenario),
                &view,
                &point,
                &scenario,
                &[],
            );
            println!("{}", text.join("\n"));
        }
        let own = gap(&[search.rows()], &view, best, &scenario);
        assert_eq!((own.best, own.change), (None, None));
    }
}
