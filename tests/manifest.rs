//! Manifests: what is exported passes its checks, and what a cluster would reject is found first.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use engine::backend::Backend;
use engine::catalog::Catalog;
use engine::manifest::{
    Check, Dynamo, Format, MAX_REQUEST_NAME, Manifest, Options, Selection, gpu_sku, validate, write,
};
use engine::parallel::Parallel;
use engine::rows::MemoryUse;
use engine::scenario::{Goal, Images, Scenario};
use engine::source::Evidence;
use engine::view::{EncoderPool, Layout, Point, Worker};
use proptest::prelude::*;
use serde_json::{Value, json};

const AIRLINE: &str = include_str!("fixtures/dgdr/airline.yaml");
const CASES: &str = include_str!("fixtures/dgdr/cases.json");

fn worker(tp: u32, count: u32) -> Worker {
    let memory = MemoryUse { capacity: 1.0, ..MemoryUse::default() };
    Worker { parallel: Parallel::dense(tp, 1, 1), batch: 8, count, memory }
}

fn point(disagg: bool) -> Point {
    let layout = if disagg {
        Layout::Disagg { prefill: worker(2, 10), decode: worker(1, 12), encoders: None }
    } else {
        Layout::Agg { worker: worker(4, 8), ctx_tokens: 4096, encoders: None }
    };
    Point {
        place: 0,
        layout,
        replicas: 2,
        gpus_used: 32,
        ttft_ms: 340.0,
        itl_ms: 29.5,
        request_latency_ms: 15_060.5,
        tokens_per_sec_per_gpu: 800.0,
        tokens_per_sec_per_user: 33.9,
        requests_per_sec: 51.2,
        concurrency: 700,
        evidence: Evidence { measured: 0.93, held: 0.05, ..Evidence::default() },
        meets_ttft: true,
        meets_itl: true,
    }
}

fn export(scenario: &Scenario, point: &Point, options: &Options) -> Result<Manifest, Vec<Check>> {
    let catalog = Catalog::embedded();
    let model = catalog.model("Qwen/Qwen3-32B-FP8").unwrap();
    let system = catalog.system(&scenario.system).unwrap();
    write(Format::Dgdr, &Selection { scenario, model, system, decode_system: None, point }, options)
}

fn parsed(manifest: &Manifest) -> Value {
    serde_yaml::from_str(&manifest.files[0].text).unwrap()
}

fn rules(checks: &[Check]) -> Vec<(&str, &str)> {
    checks.iter().map(|check| (check.path.as_str(), check.rule.as_ref())).collect()
}

/// Sets or deletes a dotted path.
fn mutate(document: &mut Value, path: &str, value: Option<Value>) {
    let (parent, key) = path.rsplit_once('.').unwrap();
    let mut at = document;
    for step in parent.split('.') {
        at = at.as_object_mut().unwrap().entry(step).or_insert_with(|| json!({}));
    }
    let parent = at.as_object_mut().unwrap();
    match value {
        Some(value) => drop(parent.insert(key.to_owned(), value)),
        None => drop(parent.remove(key)),
    }
}

#[test]
fn mutated_requests_get_their_verdict() {
    let cases: Vec<Value> = serde_json::from_str(CASES).unwrap();
    assert_eq!(cases.len(), 27);
    let mut wrong = Vec::new();
    for case in &cases {
        let mut document: Value = serde_yaml::from_str(AIRLINE).unwrap();
        for (path, value) in case["set"].as_object().unwrap() {
            mutate(&mut document, path, Some(value.clone()));
        }
        for path in case["delete"].as_array().unwrap() {
            mutate(&mut document, path.as_str().unwrap(), None);
        }
        // The cases are judged against the definitions of 1.5; the image brings the planner of 1.6.
        let checks = validate(&serde_yaml::to_string(&document).unwrap(), Dynamo::V1_5);
        let verdict = match checks.first() {
            None => "ok",
            Some(check) if check.is_error() => "error",
            Some(_) => "warning",
        };
        let at_field = case.get("field").is_none_or(|field| checks.iter().any(|check| check.path == *field));
        if verdict != case["verdict"] || !at_field {
            wrong.push(format!("{}: {checks:?}", case["id"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_published_example_passes_every_release() {
    for &release in Dynamo::ALL {
        assert_eq!(validate(AIRLINE, release), vec![], "{release:?}");
    }
}

#[test]
fn the_opening_point_becomes_the_request_it_was_searched_for() {
    let options = Options { namespace: Some("airline".to_owned()), ..Options::default() };
    let manifest = export(&Scenario::default(), &point(true), &options).unwrap();
    assert_eq!(manifest.checks, vec![]);
    let expected = json!({
        "apiVersion": "nvidia.com/v1beta1",
        "kind": "DynamoGraphDeploymentRequest",
        "metadata": {"name": "qwen3-32b-fp8", "namespace": "airline"},
        "spec": {
            "model": "Qwen/Qwen3-32B-FP8",
            "backend": "trtllm",
            "image": "nvcr.io/nvidia/ai-dynamo/dynamo-planner:1.6.1",
            "searchStrategy": "rapid",
            "autoApply": false,
            "hardware": {"gpuSku": "h100_sxm", "vramMb": 81559, "numGpusPerNode": 8, "totalGpus": 32},
            "workload": {"isl": 4000, "osl": 500},
            "sla": {"ttft": 500, "itl": 30},
            "features": {"planner": {
                "backend": "trtllm",
                "mode": "disagg",
                "optimization_target": "sla",
                "pre_deployment_sweeping_mode": "rapid",
                "enable_throughput_scaling": true,
                "enable_load_scaling": true,
                "throughput_adjustment_interval_seconds": 60,
                "load_adjustment_interval_seconds": 5,
                "max_gpu_budget": 32,
                "min_endpoint": 1
            }}
        }
    });
    assert_eq!(parsed(&manifest), expected);
    assert_eq!(manifest.files[0].name, "qwen3-32b-fp8.yaml");
    assert_eq!(manifest.commands[0].text, "kubectl apply -f qwen3-32b-fp8.yaml");
    for line in
        ["It is no deployment", "5P (tp2) : 6D (tp1), 2 replicas × 16 GPUs = 32", "      # As totalGpus"]
    {
        assert!(manifest.files[0].text.contains(line), "{line}:\n{}", manifest.files[0].text);
    }
    assert_eq!(manifest, export(&Scenario::default(), &point(true), &options).unwrap());
}

#[test]
fn every_system_is_exported_or_refused_with_a_reason() {
    let mut exported = Vec::new();
    for system in &Catalog::embedded().systems {
        for &release in Dynamo::ALL {
            for backend in Backend::ALL {
                let scenario =
                    Scenario { system: system.id.clone(), backend: *backend, ..Scenario::default() };
                let options = Options { release, ..Options::default() };
                match export(&scenario, &point(true), &options) {
                    Ok(manifest) => {
                        let text = parsed(&manifest);
                        assert!(gpu_sku(&system.id, release).is_some());
                        assert_eq!(validate(&manifest.files[0].text, release), vec![], "{}", system.id);
                        assert!(
                            text["spec"]["hardware"]["vramMb"].as_u64().unwrap() <= system.mem_bytes >> 20
                        );
                        exported.push((system.id.as_str(), release.tag()));
                    }
                    Err(checks) => {
                        assert_eq!(gpu_sku(&system.id, release), None);
                        assert_eq!(rules(&checks), [("spec.hardware.gpuSku", "no-sku")], "{}", system.id);
                        assert!(checks[0].message.contains(&system.name), "{}", checks[0].message);
                    }
                }
            }
        }
    }
    exported.dedup();
    for known in [
        "h100_sxm",
        "h200_sxm",
        "b200_sxm",
        "gb200",
        "a100_sxm",
        "l40s",
        "l4",
        "a30",
        "h100_pcie",
        "a100_pcie",
    ] {
        assert_eq!(exported.iter().filter(|(system, _)| *system == known).count(), 3, "{known}");
    }
    assert!(exported.contains(&("b300_sxm", "1.6.1")) && !exported.contains(&("b300_sxm", "1.5.0")));
}

#[test]
fn only_disaggregated_points_bring_the_planner() {
    let manifest = export(&Scenario::default(), &point(false), &Options::default()).unwrap();
    assert!(parsed(&manifest)["spec"].get("features").is_none());
    assert_eq!(rules(&manifest.checks), [("spec", "mode")]);
}

#[test]
fn two_gpu_types_are_refused() {
    let scenario = Scenario { decode_system: Some("h200_sxm".to_owned()), ..Scenario::default() };
    let checks = export(&scenario, &point(true), &Options::default()).unwrap_err();
    assert_eq!(rules(&checks), [("spec.hardware.gpuSku", "mixed-gpus")]);
    assert!(checks[0].message.contains("h100_sxm") && checks[0].message.contains("h200_sxm"));
    let same = Scenario { decode_system: Some("h100_sxm".to_owned()), ..Scenario::default() };
    assert!(export(&same, &point(true), &Options::default()).is_ok());
}

#[test]
fn loads_and_request_latency_are_carried() {
    let mut scenario = Scenario { goal: Goal::RequestRate(12.5), ..Scenario::default() };
    scenario.sla.request_latency_ms = Some(15_000.0);
    let manifest = export(&scenario, &point(true), &Options::default()).unwrap();
    let spec = &parsed(&manifest)["spec"];
    assert_eq!(spec["workload"], json!({"isl": 4000, "osl": 500, "requestRate": 12.5}));
    assert_eq!(spec["sla"], json!({"e2eLatency": 15000}));
    assert_eq!(spec["features"]["planner"]["ttft_ms"], json!(340));
    assert_eq!(spec["features"]["planner"]["itl_ms"], json!(29.5));
    assert_eq!(rules(&manifest.checks), [("spec.sla.e2eLatency", "left-out")]);
    scenario.goal = Goal::Concurrency(64);
    let manifest = export(&scenario, &point(true), &Options::default()).unwrap();
    assert_eq!(parsed(&manifest)["spec"]["workload"]["concurrency"], json!(64));
}

#[test]
fn what_a_request_cannot_carry_is_said() {
    let mut scenario = Scenario::default();
    scenario.workload.prefix = 1000;
    scenario.engine.chunked_prefill = true;
    scenario.quant.kv = Some(engine::quant::KvQuant::Bf16);
    let missed = Point { meets_itl: false, ..point(true) };
    let manifest = export(&scenario, &missed, &Options::default()).unwrap();
    let expected = [
        ("spec.sla", "misses-slo"),
        ("spec.workload.isl", "left-out"),
        ("spec.model", "left-out"),
        ("spec", "left-out"),
    ];
    assert_eq!(rules(&manifest.checks), expected);
}

#[test]
fn images_and_encoder_workers_stay_behind() {
    let mut scenario = Scenario::default();
    scenario.workload.images = Some(Images::default());
    let mut point = point(true);
    let Layout::Disagg { encoders, .. } = &mut point.layout else { panic!("disaggregated") };
    *encoders = Some(EncoderPool { tp: 2, batch: 1, count: 10, memory_bytes: 1e9 });
    let manifest = export(&scenario, &point, &Options::default()).unwrap();
    assert_eq!(rules(&manifest.checks), [("spec.workload.isl", "left-out"), ("spec", "left-out")]);
    let said: Vec<&str> = manifest.checks.iter().map(|check| check.message.as_str()).collect();
    assert!(said[0].contains("1 image of 1,024 × 768 px"), "{said:?}");
    assert!(said[1].contains("10 encoder workers of 2 GPUs"), "{said:?}");
}

#[test]
fn senseless_numbers_do_not_leave() {
    let mut scenario = Scenario::default();
    scenario.workload.osl = 0;
    scenario.sla.itl_ms = -1.0;
    scenario.goal = Goal::Gpus(0);
    let checks = export(&scenario, &point(true), &Options::default()).unwrap_err();
    let paths: Vec<&str> =
        checks.iter().filter(|check| check.is_error()).map(|check| check.path.as_str()).collect();
    assert_eq!(paths, ["spec.hardware.totalGpus", "spec.workload.osl", "spec.sla.itl"]);
    scenario.sla.itl_ms = f64::NAN;
    assert!(export(&scenario, &point(true), &Options::default()).is_err());
}

#[test]
fn names_are_checked_and_quoted() {
    let named = |name: &str| Options { name: Some(name.to_owned()), ..Options::default() };
    for bad in
        ["", "A", "1a", "a.b", "a_b", "-a", "a-", "a\nspec: {}", "a b", &"a".repeat(MAX_REQUEST_NAME + 1)]
    {
        let checks = export(&Scenario::default(), &point(true), &named(bad)).unwrap_err();
        assert_eq!(checks[0].path, "metadata.name", "{bad:?}");
    }
    for good in ["on", "null", "y", "true", &"a".repeat(MAX_REQUEST_NAME)] {
        let manifest = export(&Scenario::default(), &point(true), &named(good)).unwrap();
        assert_eq!(parsed(&manifest)["metadata"]["name"], good);
    }
    let options = Options { namespace: Some("1e3".to_owned()), ..named("yes") };
    let text = export(&Scenario::default(), &point(true), &options).unwrap().files.remove(0).text;
    assert!(text.contains("name: 'yes'\n") && text.contains("namespace: '1e3'\n"), "{text}");
}

#[test]
fn images_without_a_version_say_which_one_they_hold() {
    let image = |image: &str| Options { image: Some(image.to_owned()), ..Options::default() };
    let manifest =
        export(&Scenario::default(), &point(true), &image("registry.example.org/planner:latest")).unwrap();
    assert_eq!(parsed(&manifest)["spec"]["runtimeVersionOverride"], "1.6.1");
    let manifest = export(&Scenario::default(), &point(true), &image("planner:v1.6.1-cuda13")).unwrap();
    assert!(parsed(&manifest)["spec"].get("runtimeVersionOverride").is_none());
    let checks = export(&Scenario::default(), &point(true), &image("a b\nc: d")).unwrap_err();
    assert_eq!(rules(&checks), [("spec.image", "one-word")]);
}

#[test]
fn a_link_cannot_break_out_of_its_comment() {
    let options =
        Options { link: Some("?v=1\nkind: Secret\u{2028}x: y\u{85}z: y".to_owned()), ..Options::default() };
    let manifest = export(&Scenario::default(), &point(true), &options).unwrap();
    assert_eq!(parsed(&manifest)["kind"], "DynamoGraphDeploymentRequest");
    assert_eq!(parsed(&manifest).as_object().unwrap().len(), 4);
}

#[test]
fn newer_fields_are_known_where_they_exist() {
    let mut document: Value = serde_yaml::from_str(AIRLINE).unwrap();
    mutate(&mut document, "spec.features.kvRouter", Some(json!({"enabled": true})));
    mutate(&mut document, "spec.overrides", Some(json!({"trustRemoteCode": true})));
    let text = serde_yaml::to_string(&document).unwrap();
    assert_eq!(validate(&text, Dynamo::V1_6), vec![]);
    let paths =
        [("spec.features.kvRouter", "unknown-field"), ("spec.overrides.trustRemoteCode", "unknown-field")];
    assert_eq!(rules(&validate(&text, Dynamo::V1_5)), paths);
}

#[test]
fn other_kinds_are_named() {
    let other = AIRLINE.replace("v1beta1", "v1");
    assert_eq!(rules(&validate(&other, Dynamo::V1_6)), [("apiVersion", "identity")]);
    assert_eq!(rules(&validate("kind: Pod", Dynamo::V1_6)), [("apiVersion", "identity")]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_text_makes_the_checks_fail(cut in 0..AIRLINE.len(), insert in "[ -~\\n\\t\u{1}é]{0,12}") {
        if AIRLINE.is_char_boundary(cut) {
            let text = format!("{}{insert}{}", &AIRLINE[..cut], &AIRLINE[cut..]);
            for check in validate(&text, Dynamo::V1_6).into_iter().chain(validate(&insert, Dynamo::V1_5)) {
                prop_assert!(!check.message.is_empty());
            }
        }
    }

    #[test]
    fn any_value_anywhere_gets_a_verdict(at in 0..40_usize, kind in 0..6_usize) {
        let mut document: Value = serde_yaml::from_str(AIRLINE).unwrap();
        let values = [json!(null), json!(-1), json!(1e300), json!("x"), json!([1]), json!({"a": {}})];
        let mut left = at;
        replace(&mut document, &mut left, &values[kind]);
        let text = serde_yaml::to_string(&document).unwrap();
        validate(&text, Dynamo::V1_6);
    }
}

/// Replaces the n-th value below the root.
fn replace(value: &mut Value, left: &mut usize, with: &Value) {
    for child in value.as_object_mut().into_iter().flat_map(|map| map.values_mut()) {
        if *left == 0 {
            *left = usize::MAX;
            *child = with.clone();
            return;
        }
        *left -= 1;
        replace(child, left, with);
    }
}
