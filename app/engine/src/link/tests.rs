//! Tests of the link format.

use super::*;
use crate::scenario::{EngineOptions, QuantChoice, Reach, Sla, Workload};
use proptest::prelude::*;

const AIRLINE: &str = "v=1&model=Qwen/Qwen3-32B-FP8&system=h100_sxm&gpus=32&backend=trtllm&isl=4000&osl=500&prefix=0&ttft=500&itl=30&data=1a2b3c4d";

fn problems(link: &str) -> Vec<(String, Problem)> {
    parse(link).notices.into_iter().map(|notice| (notice.key, notice.problem)).collect()
}

#[test]
fn the_opening_link_is_short_and_readable() {
    let link = write(&Scenario::default(), Some("1a2b3c4d"));
    assert_eq!(link, AIRLINE);
    assert!(link.len() <= 160);
    for form in
        [link.clone(), format!("?{link}"), format!("https://example.org/a/?{link}#top"), format!("/x?{link}")]
    {
        let parsed = parse(&form);
        assert_eq!(parsed.scenario, Scenario::default(), "{form}");
        assert_eq!(parsed.data.as_deref(), Some("1a2b3c4d"));
        assert!(parsed.notices.is_empty(), "{form}");
    }
}

#[test]
fn nothing_is_the_opening_question() {
    for link in ["", "?", "https://example.org", "https://example.org/", "/", "&&", "  "] {
        let parsed = parse(link);
        assert_eq!(
            (parsed.scenario, parsed.data, parsed.notices),
            (Scenario::default(), None, vec![]),
            "{link}"
        );
    }
}

#[test]
fn every_advanced_input_has_a_key() {
    let link = "v=1&model=m&system=s&rate=2.5&backend=vllm&isl=1&osl=2&prefix=1&images=2&image=640x480&ttft=0.5&itl=1&latency=9000&strict=1\
                &decode=b200_sxm&version=1.2.0&serving=disagg&gemm=fp8_block&kv=fp8&fmha=fp8&chunked=1&mem=0.8\
                &maxseq=8192&pp=1,2,4&encoder=weights&policy=reference";
    let parsed = parse(link);
    assert_eq!(parsed.notices, vec![]);
    assert_eq!(write(&parsed.scenario, None), link);
    let s = parsed.scenario;
    assert_eq!(s.goal, Goal::RequestRate(2.5));
    assert_eq!(s.decode_system.as_deref(), Some("b200_sxm"));
    assert_eq!(s.workload.images, Some(Images { count: 2, width: 640, height: 480 }));
    assert!(s.sla.strict && s.engine.pipeline && s.engine.chunked_prefill);
}

#[test]
fn every_backend_and_any_system_have_names() {
    let link = "v=1&model=m&system=any&gpus=8&backend=auto&isl=1&osl=2&prefix=0&ttft=1&itl=1";
    let parsed = parse(link);
    assert_eq!(parsed.notices, vec![]);
    assert_eq!(parsed.scenario.reach, Reach { every_backend: true, every_system: true });
    assert_eq!(write(&parsed.scenario, None), link);
}

#[test]
fn what_is_not_understood_keeps_its_default() {
    let link = "v=2&gpus=many&isl=-1&itl=NaN&backend=tensorrt&gemm=fp7&strict=yes&pp=8&utm_source=x&model=a&model=b&rate=3&concurrency=4&%FF=1";
    let parsed = parse(link);
    let mut expected = Scenario { model: "a".to_owned(), ..Scenario::default() };
    expected.goal = Goal::RequestRate(3.0);
    assert_eq!(parsed.scenario, expected);
    let expected = [
        ("v", Problem::OtherVersion),
        ("gpus", Problem::NotWhole),
        ("isl", Problem::NotWhole),
        ("itl", Problem::NotNumber),
        ("backend", Problem::NotOneOf(BACKENDS.0)),
        ("gemm", Problem::NotPrecision),
        ("strict", Problem::NotOneOf(FLAGS.0)),
        ("pp", Problem::NotOneOf(PIPELINES.0)),
        ("utm_source", Problem::UnknownKey),
        ("model", Problem::Repeated),
        ("concurrency", Problem::SecondGoal),
        ("%FF", Problem::NotText),
    ];
    assert_eq!(problems(link), expected.map(|(key, problem)| (key.to_owned(), problem)));
}

#[test]
fn a_model_of_ones_own_travels_in_the_link() {
    let mut lengths = Vec::new();
    for model in &crate::catalog::Catalog::embedded().models {
        let scenario = Scenario { custom: Custom::of(model).ok(), ..Scenario::default() };
        let link = write(&scenario, Some("1a2b3c4d"));
        let parsed = parse(&link);
        assert_eq!((parsed.scenario, parsed.notices), (scenario, vec![]), "{link}");
        assert!(!link.contains('%') && link.ends_with("&data=1a2b3c4d"), "{link}");
        lengths.push(link.len());
        let cut = link.replacen("),", ",", 1).replacen("))", ")", 1);
        let damaged = parse(&cut);
        assert_eq!(damaged.scenario, Scenario::default(), "{cut}");
        assert_eq!(
            damaged.notices.iter().map(|notice| notice.problem).collect::<Vec<_>>(),
            [Problem::NotModel]
        );
    }
    lengths.sort_unstable();
    assert!(lengths[lengths.len() / 2] < 600, "{lengths:?}");
}

#[test]
fn senseless_numbers_are_kept() {
    let parsed = parse("gpus=0&isl=0&ttft=-5&mem=7");
    assert_eq!(parsed.scenario.goal, Goal::Gpus(0));
    assert_eq!(parsed.scenario.workload.isl, 0);
    assert_eq!(parsed.scenario.sla.ttft_ms, -5.0);
    assert_eq!(parsed.scenario.engine.free_memory_fraction, Some(7.0));
    assert!(parsed.notices.is_empty());
}

#[test]
fn escapes_are_undone() {
    assert_eq!(parse("model=a%2Fb%20c+d%e2%82%ac%zz%").scenario.model, "a/b c d€%zz%");
    assert_eq!(parse("model=a://b?c").scenario.model, "a://b?c");
}

fn finite() -> impl Strategy<Value = f64> {
    any::<f64>().prop_filter("finite", |value| value.is_finite())
}

prop_compose! {
    fn options()(chunked_prefill in any::<bool>(), free_memory_fraction in proptest::option::of(finite()),
                 max_seq_len in any::<Option<u32>>(), pipeline in any::<bool>(),
                 draft_tokens in any::<u32>(), draft_accepted in finite(),
                 encoder in proptest::sample::select(ENCODERS.1),
                 gemm in proptest::option::of(proptest::sample::select(Quant::ALL)),
                 kv in proptest::option::of(proptest::sample::select(KvQuant::ALL)),
                 fmha in proptest::option::of(proptest::sample::select(FmhaQuant::ALL)))
                 -> (EngineOptions, QuantChoice) {
        let quant = QuantChoice { gemm, kv, fmha };
        let engine = EngineOptions { chunked_prefill, free_memory_fraction, max_seq_len, pipeline, draft_tokens, draft_accepted, encoder };
        (engine, quant)
    }
}

fn custom() -> impl Strategy<Value = Option<Custom>> {
    let models = &crate::catalog::Catalog::embedded().models;
    let own = (proptest::sample::select(models.as_slice()), 1u32..512, 1u32..64);
    let own = own.prop_filter_map("a model that makes sense", |(model, vocab, hidden)| {
        let spec = crate::model::ModelSpec { vocab: vocab * 1000, hidden: hidden * 256, ..model };
        Custom::of(&spec).ok()
    });
    proptest::option::of(own)
}

prop_compose! {
    fn scenarios()(model in any::<String>(), system in "[a-z0-9_&=#?%+]{0,12}", decode_system in any::<Option<String>>(),
                   version in any::<Option<String>>(), backend in proptest::sample::select(Backend::ALL),
                   isl in any::<u32>(), osl in any::<u32>(), prefix in any::<u32>(), ttft_ms in finite(), itl_ms in finite(),
                   request_latency_ms in proptest::option::of(finite()), strict in any::<bool>(),
                   goal in prop_oneof![any::<u32>().prop_map(Goal::Gpus), finite().prop_map(Goal::RequestRate),
                                       any::<u32>().prop_map(Goal::Concurrency)])
                  (serving in proptest::sample::select(vec![Serving::Both, Serving::Agg, Serving::Disagg]),
                   policy in proptest::sample::select(vec![Policy::Exhaustive, Policy::Reference]),
                   mode in proptest::sample::select(DataMode::ALL),
                   (engine, quant) in options(), every_backend in any::<bool>(), every_system in any::<bool>(), custom in custom(),
                   images in proptest::option::of((any::<u32>(), any::<u32>(), any::<u32>())
                       .prop_map(|(count, width, height)| Images { count, width, height })),
                   base in Just(Scenario { model, system, decode_system, backend, version,
                       workload: Workload { isl, osl, prefix, images: None },
                       sla: Sla { ttft_ms, itl_ms, request_latency_ms, strict }, goal, ..Scenario::default() }))
                  -> Scenario {
        let mut scenario = Scenario { custom, serving, quant, engine, policy, mode, workload: Workload { images, ..base.workload }, ..base };
        if every_backend {
            scenario.set_backend(None);
        }
        if every_system {
            scenario.set_system(None);
        }
        scenario
    }
}

proptest! {
    #[test]
    fn a_link_brings_every_scenario_back(scenario in scenarios(), data in any::<Option<String>>()) {
        let link = write(&scenario, data.as_deref());
        prop_assert!(link.is_ascii());
        let parsed = parse(&link);
        prop_assert_eq!(&parsed.scenario, &scenario);
        prop_assert_eq!(&parsed.data, &data);
        prop_assert!(parsed.notices.is_empty());
        prop_assert_eq!(write(&parsed.scenario, parsed.data.as_deref()), link);
    }

    #[test]
    fn any_text_can_be_read(link in "\\PC{0,80}", tail in "[a-z]{0,6}=[0-9a-z%+&=?#.]{0,40}") {
        for link in [link.clone(), tail.clone(), format!("v=1&{tail}{link}")] {
            let parsed = parse(&link);
            let written = write(&parsed.scenario, parsed.data.as_deref());
            prop_assert_eq!(parse(&written).scenario, parsed.scenario);
        }
    }
}
