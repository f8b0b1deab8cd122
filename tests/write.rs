//! Manifests that apply: what is written says what was searched, takes no more GPUs than there are, and has none
//! of the defects that people run into elsewhere.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::OnceLock;

use engine::backend::Backend;
use engine::catalog::Catalog;
use engine::manifest::{
    Check, DgdApi, Dynamo, Extras, Format, MAX_DEPLOYMENT_NAME, Manifest, ModelCache, Options, PlannerUse,
    Selection, Strategy, validate, write,
};
use engine::parallel::Parallel;
use engine::rows::MemoryUse;
use engine::scenario::{EncoderPlace, Goal, Images, Scenario};
use engine::source::Evidence;
use engine::view::{EncoderPool, Layout, Point, Worker, view};
use proptest::prelude::*;
use proptest::strategy::Strategy as PropStrategy;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde::Deserialize;
use serde_json::{Value, json};

const DENSE: &str = "Qwen/Qwen3-32B-FP8";
const EXPERTS: &str = "Qwen/Qwen3-235B-A22B-FP8";

fn worker(parallel: Parallel, batch: u32, count: u32) -> Worker {
    Worker { parallel, batch, count, memory: MemoryUse { capacity: 1.0, ..MemoryUse::default() } }
}

fn experts(tp: u32, dp: u32, moe_tp: u32, moe_ep: u32) -> Parallel {
    Parallel { tp, pp: 1, dp, moe_tp, moe_ep, cp: 1 }
}

fn at(layout: Layout, gpus_used: u32) -> Point {
    Point {
        place: 0,
        layout,
        replicas: 1,
        gpus_used,
        ttft_ms: 340.0,
        itl_ms: 29.5,
        request_latency_ms: 15_060.5,
        tokens_per_sec_per_gpu: 800.0,
        tokens_per_sec_per_user: 33.9,
        requests_per_sec: 51.2,
        concurrency: 700,
        evidence: Evidence::default(),
        meets_ttft: true,
        meets_itl: true,
    }
}

fn agg(parallel: Parallel, batch: u32, count: u32) -> Point {
    let layout = Layout::Agg { worker: worker(parallel, batch, count), ctx_tokens: 4000, encoders: None };
    at(layout, parallel.gpus() * count)
}

/// 2 prefill workers of 2 GPUs and 4 decode workers of one.
fn disagg() -> Point {
    let (prefill, decode) = (Parallel::dense(2, 1, 1), Parallel::dense(1, 1, 1));
    let layout =
        Layout::Disagg { prefill: worker(prefill, 1, 2), decode: worker(decode, 22, 4), encoders: None };
    at(layout, 8)
}

fn question(model: &str, backend: Backend, gpus: u32) -> Scenario {
    Scenario {
        model: model.to_owned(),
        system: "h200_sxm".to_owned(),
        backend,
        goal: Goal::Gpus(gpus),
        ..Scenario::default()
    }
}

fn export(
    format: Format,
    scenario: &Scenario,
    point: &Point,
    options: &Options,
) -> Result<Manifest, Vec<Check>> {
    let catalog = Catalog::embedded();
    let model = catalog.model(&scenario.model).unwrap();
    let system = catalog.system(&scenario.system).unwrap();
    let decode_system = scenario.decode_system.as_ref().map(|decode| catalog.system(decode).unwrap());
    write(format, &Selection { scenario, model, system, decode_system, point }, options)
}

fn documents(text: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(text).map(|document| Value::deserialize(document).unwrap()).collect()
}

/// A component of a deployment in either version of the API.
#[derive(Debug)]
struct Part {
    value: Value,
    main: Value,
    gpus: u64,
    nodes: u64,
}

impl Part {
    fn replicas(&self) -> u64 {
        self.value["replicas"].as_u64().unwrap()
    }

    fn args(&self) -> Vec<&str> {
        self.main["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect()
    }

    /// Value of a flag, as a number.
    fn flag(&self, name: &str) -> Option<u32> {
        let args = self.args();
        let at = args.iter().position(|word| *word == name)?;
        args.get(at + 1)?.parse().ok()
    }

    fn pod(&self) -> &Value {
        if self.value["podTemplate"].is_null() {
            &self.value["extraPodSpec"]
        } else {
            &self.value["podTemplate"]["spec"]
        }
    }
}

/// A deployment, read back.
#[derive(Debug)]
struct Deployment {
    documents: Vec<Value>,
    parts: BTreeMap<String, Part>,
}

impl Deployment {
    fn of(manifest: &Manifest) -> Self {
        let documents = documents(&manifest.files[0].text);
        let spec = &documents.last().unwrap()["spec"];
        let number = |value: &Value| value.as_str().map_or(0, |text| text.parse().unwrap());
        let part = |name: &str, value: &Value, main: &Value, gpus: &Value| {
            let nodes = value["multinode"]["nodeCount"].as_u64().unwrap_or(1);
            (name.to_owned(), Part { value: value.clone(), main: main.clone(), gpus: number(gpus), nodes })
        };
        let parts = match (spec["components"].as_array(), spec["services"].as_object()) {
            (Some(components), _) => components
                .iter()
                .map(|value| {
                    let main = &value["podTemplate"]["spec"]["containers"][0];
                    let gpus = &main["resources"]["limits"]["nvidia.com/gpu"];
                    part(value["name"].as_str().unwrap(), value, main, gpus)
                })
                .collect(),
            (_, Some(services)) => services
                .iter()
                .map(|(name, value)| {
                    let main = &value["extraPodSpec"]["mainContainer"];
                    part(name, value, main, &value["resources"]["limits"]["gpu"])
                })
                .collect(),
            _ => panic!("no components: {spec}"),
        };
        Self { documents, parts }
    }

    fn gpus(&self) -> u64 {
        self.parts.values().map(|part| part.gpus * part.nodes * part.replicas()).sum()
    }

    /// Settings of TensorRT-LLM for a role.
    fn engine(&self, role: &str) -> Value {
        let file = format!("{role}.yaml");
        let text = self.documents.iter().find_map(|document| document["data"][&file].as_str()).unwrap();
        serde_yaml::from_str(text).unwrap()
    }

    fn planner(&self) -> Value {
        let text = self.documents.iter().find_map(|d| d["data"]["planner_config.json"].as_str()).unwrap();
        serde_json::from_str(text).unwrap()
    }
}

fn deployment(scenario: &Scenario, point: &Point, options: &Options) -> Deployment {
    Deployment::of(&export(Format::Dgd, scenario, point, options).unwrap())
}

fn rules(checks: &[Check]) -> Vec<&str> {
    checks.iter().map(|check| check.rule.as_ref()).collect()
}

#[test]
fn defect_1_attention_ranks_are_not_counted_twice() {
    for backend in [Backend::Trtllm, Backend::Sglang, Backend::Vllm] {
        let scenario = question(EXPERTS, backend, 32);
        let found = deployment(&scenario, &agg(experts(1, 4, 1, 4), 24, 8), &Options::default());
        let worker = &found.parts["worker"];
        assert_eq!((worker.gpus, worker.nodes, worker.replicas()), (4, 1, 8), "{backend}");
        assert_eq!(found.gpus(), 32);
    }
    let sglang = deployment(
        &question(EXPERTS, Backend::Sglang, 8),
        &agg(experts(1, 4, 2, 2), 28, 2),
        &Options::default(),
    );
    let worker = &sglang.parts["worker"];
    let sizes = ["--tp", "--dp", "--ep", "--max-running-requests"].map(|flag| worker.flag(flag));
    assert_eq!(sizes, [Some(4), Some(4), Some(2), Some(112)]);
    assert!(worker.args().contains(&"--enable-dp-attention"));
}

#[test]
fn defect_2_no_pod_has_more_gpus_than_a_node() {
    for (system, nodes, gpus) in [("h200_sxm", 2, 8), ("gb200", 4, 4)] {
        let mut scenario = question("deepseek-ai/DeepSeek-V3", Backend::Sglang, 16);
        system.clone_into(&mut scenario.system);
        let found = deployment(&scenario, &agg(experts(1, 16, 1, 16), 32, 1), &Options::default());
        let worker = &found.parts["worker"];
        assert_eq!((worker.nodes, worker.gpus), (nodes, gpus), "{system}");
        // The operator adds what the nodes need to find each other.
        for flag in ["--nnodes", "--node-rank", "--dist-init-addr", "--master-addr"] {
            assert!(!worker.args().contains(&flag));
        }
    }
}

#[test]
fn defect_3_no_compute_domain_unasked() {
    let scenario = question("deepseek-ai/DeepSeek-V3", Backend::Sglang, 16);
    let point = agg(experts(1, 16, 1, 16), 32, 1);
    let manifest = export(Format::Dgd, &scenario, &point, &Options::default()).unwrap();
    assert!(!manifest.files[0].text.contains("ComputeDomain"));
    assert!(!manifest.files[0].text.contains("resourceClaims"));
    assert!(!rules(&manifest.checks).contains(&"compute-domain"));
    let rack = Scenario { system: "gb200".to_owned(), ..scenario };
    let manifest = export(Format::Dgd, &rack, &point, &Options::default()).unwrap();
    assert!(rules(&manifest.checks).contains(&"compute-domain"));
    assert_eq!(documents(&manifest.files[0].text).len(), 1);
}

#[test]
fn defect_4_no_namespace_is_no_namespace() {
    let scenario = question(DENSE, Backend::Vllm, 8);
    let manifest = export(Format::Benchmark, &scenario, &disagg(), &Options::default()).unwrap();
    let job = &documents(&manifest.files[0].text)[0];
    assert!(job["metadata"].get("namespace").is_none());
    assert!(!manifest.files[0].text.contains("None"));
    assert!(manifest.files[0].text.contains("url=http://qwen3-32b-fp8-frontend:8000\n"));
    let options = Options { namespace: Some("prod".to_owned()), ..Options::default() };
    let text = export(Format::Benchmark, &scenario, &disagg(), &options).unwrap().files.remove(0).text;
    assert!(text.contains("url=http://qwen3-32b-fp8-frontend.prod.svc.cluster.local:8000\n"), "{text}");
}

#[test]
fn defect_5_graph_sizes_rise_to_the_batch() {
    for batch in [1, 7, 22, 80, 512] {
        let point = agg(Parallel::dense(4, 1, 1), batch, 2);
        let trtllm = deployment(&question(DENSE, Backend::Trtllm, 8), &point, &Options::default());
        let sizes: Vec<u64> = trtllm.engine("worker")["cuda_graph_config"]["batch_sizes"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_u64)
            .collect();
        assert!(sizes.is_sorted_by(|a, b| a < b) && sizes.last() == Some(&u64::from(batch)), "{sizes:?}");
        let sglang = deployment(&question(DENSE, Backend::Sglang, 8), &point, &Options::default());
        let args = sglang.parts["worker"].args();
        let flag = args.iter().position(|word| *word == "--cuda-graph-bs-decode").unwrap();
        let given: Vec<u64> = args[flag + 1..].iter().map_while(|word| word.parse().ok()).collect();
        assert_eq!(given, sizes);
    }
}

#[test]
fn defect_6_the_batch_is_the_one_that_was_found() {
    let found = deployment(&question(DENSE, Backend::Vllm, 8), &disagg(), &Options::default());
    assert_eq!(found.parts["decode"].flag("--max-num-seqs"), Some(22));
    assert_eq!(found.parts["prefill"].flag("--max-num-seqs"), Some(1));
    let found = deployment(&question(DENSE, Backend::Sglang, 8), &disagg(), &Options::default());
    assert_eq!(found.parts["decode"].flag("--max-running-requests"), Some(22));
    let found = deployment(&question(DENSE, Backend::Trtllm, 8), &disagg(), &Options::default());
    assert_eq!(found.engine("decode")["max_batch_size"], 22);
}

#[test]
fn defect_7_flags_and_images_are_those_of_the_release() {
    for (release, tag, flag) in [
        (Dynamo::V1_6, "1.6.1", "--cuda-graph-bs-decode"),
        (Dynamo::V1_5, "1.5.0", "--cuda-graph-bs"),
        (Dynamo::V1_4, "1.4.0", "--cuda-graph-bs"),
    ] {
        let options = Options { release, ..Options::default() };
        let found = deployment(&question(DENSE, Backend::Sglang, 8), &disagg(), &options);
        assert_eq!(found.documents.last().unwrap()["apiVersion"], "nvidia.com/v1beta1");
        assert!(found.parts["decode"].args().contains(&flag), "{release:?}");
        for part in found.parts.values() {
            assert!(part.main["image"].as_str().unwrap().ends_with(tag), "{}", part.main["image"]);
        }
    }
}

#[test]
fn defect_8_every_attention_rank_counts_at_the_operating_point() {
    let scenario = question(EXPERTS, Backend::Sglang, 8);
    let manifest =
        export(Format::Benchmark, &scenario, &agg(experts(1, 4, 2, 2), 28, 2), &Options::default()).unwrap();
    // 2 workers × 28 requests × 4 ranks.
    assert!(
        manifest.files[0].text.contains("for concurrency in 1 2 8 16 32 64 128 212 224 235; do"),
        "{}",
        manifest.files[0].text
    );
}

#[test]
fn defect_9_names_are_short_and_have_no_dots() {
    let mut scenario = question("meta-llama/Meta-Llama-3.1-70B", Backend::Vllm, 16);
    scenario.system = "h200_sxm".to_owned();
    let manifest = export(Format::Dgd, &scenario, &agg(Parallel::dense(16, 1, 1), 8, 1), &Options::default());
    let manifest = manifest.unwrap();
    assert_eq!(manifest.name, "meta-llama-3-1-70b");
    let longest = Deployment::of(&manifest).parts.keys().map(String::len).max().unwrap();
    assert!(longest <= 16 && manifest.name.len() + 2 * longest + 4 <= 45);
    let named = |name: String| Options { name: Some(name), ..Options::default() };
    for bad in ["a.b", "1a", "A", "", "a_b", &"a".repeat(MAX_DEPLOYMENT_NAME + 1)] {
        for format in [Format::Dgd, Format::Launch, Format::Benchmark, Format::LlmdHelm] {
            let checks = export(format, &scenario, &disagg(), &named(bad.to_owned())).unwrap_err();
            assert_eq!(checks[0].path, "metadata.name", "{bad:?}");
        }
    }
    assert!(export(Format::Dgd, &scenario, &disagg(), &named("a".repeat(MAX_DEPLOYMENT_NAME))).is_ok());
}

#[test]
fn defect_10_llm_d_hands_over_its_cache_and_its_labels_fit() {
    let scenario = question(DENSE, Backend::Vllm, 8);
    let transfer = r#"{"kv_connector":"NixlConnector","kv_role":"kv_both"}"#;
    let helm = export(Format::LlmdHelm, &scenario, &disagg(), &Options::default()).unwrap();
    let values = &documents(&helm.files[0].text)[0];
    for side in ["prefill", "decode"] {
        let args = values[side]["containers"][0]["args"].as_array().unwrap();
        let at = args.iter().position(|word| word == "--kv-transfer-config").unwrap();
        assert_eq!(args[at + 1], transfer);
    }
    let label = values["modelArtifacts"]["labels"]["llm-d.ai/model"].as_str().unwrap();
    assert_eq!(label, "Qwen_Qwen3_32B_FP8");
    let patches = export(Format::LlmdKustomize, &scenario, &disagg(), &Options::default()).unwrap();
    let names: Vec<&str> = patches.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["kustomization.yaml", "patch-prefill.yaml", "patch-decode.yaml"]);
    for (file, port) in patches.files[1..].iter().zip(["--port=8000", "--port=8200"]) {
        let deployment = &documents(&file.text)[0];
        let main = &deployment["spec"]["template"]["spec"]["containers"][0];
        let args: Vec<&str> = main["args"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!(args[0], DENSE);
        assert!(args.contains(&transfer) && args.contains(&port), "{args:?}");
    }
    let single =
        export(Format::LlmdKustomize, &scenario, &agg(Parallel::dense(1, 1, 1), 14, 8), &Options::default());
    assert_eq!(single.unwrap().files[1].name, "patch-vllm.yaml");
    for (format, backend, refused) in [
        (Format::LlmdKustomize, Backend::Trtllm, true),
        (Format::LlmdHelm, Backend::Trtllm, true),
        (Format::LlmdKustomize, Backend::Sglang, true),
        (Format::LlmdHelm, Backend::Sglang, false),
    ] {
        let outcome = export(format, &question(DENSE, backend, 8), &disagg(), &Options::default());
        assert_eq!(outcome.is_err(), refused, "{format:?} {backend}");
    }
}

#[test]
fn defect_11_only_workers_are_pinned() {
    let options = Options { extras: Extras { pin_nodes: true, ..Extras::default() }, ..Options::default() };
    let found = deployment(&question(DENSE, Backend::Vllm, 8), &disagg(), &options);
    for (name, part) in &found.parts {
        let is_pinned = ["prefill", "decode"].contains(&name.as_str());
        assert_eq!(part.pod().get("nodeSelector").is_some(), is_pinned, "{name}");
        assert_eq!(part.pod().get("tolerations").is_some(), is_pinned, "{name}");
    }
    let labels = json!({"nvidia.com/gpu.product": "NVIDIA-H200"});
    assert_eq!(found.parts["decode"].pod()["nodeSelector"], labels);
}

#[test]
fn defect_12_plain_nodes_get_commands_for_every_engine() {
    let options = Options { link: Some("?v=1\nrm -rf /".to_owned()), ..Options::default() };
    for &backend in Backend::ALL {
        for (point, nodes) in
            [(disagg(), 1), (agg(Parallel::dense(4, 1, 1), 8, 4), 2), (agg(experts(1, 16, 1, 16), 8, 2), 4)]
        {
            let model = if nodes == 4 { "deepseek-ai/DeepSeek-V3" } else { DENSE };
            let manifest = export(Format::Launch, &question(model, backend, 32), &point, &options).unwrap();
            let scripts: Vec<_> = manifest.files.iter().filter(|file| file.name.ends_with(".sh")).collect();
            assert_eq!(scripts.len(), nodes, "{backend}");
            for script in &scripts {
                assert!(script.text.contains("# From: ?v=1 rm -rf /\n"), "{}", script.text);
                let outcome = Command::new("bash").args(["-n", "-c", &script.text]).output().unwrap();
                assert!(outcome.status.success(), "{}\n{:?}", script.text, outcome);
            }
            assert!(scripts[0].text.contains("python3 -m dynamo.frontend --http-port 8000 &"));
            let settings = manifest.files.iter().filter(|file| file.name.ends_with(".yaml")).count();
            assert_eq!(settings > 0, backend == Backend::Trtllm);
        }
    }
}

/// Runs the scripts with the programs replaced: what the engine would be given, word for word.
#[test]
fn commands_give_every_word_as_it_is() {
    let scenario = question(DENSE, Backend::Vllm, 8);
    let extras = Extras { env: vec![("X".to_owned(), "a b'$(c)".to_owned())], ..Extras::default() };
    let options = Options { extras, ..Options::default() };
    let manifest = export(Format::Launch, &scenario, &disagg(), &options).unwrap();
    let body = manifest.files[0].text.replace("cd \"$(dirname \"$0\")\"", "");
    let told = r#"python3() { printf '<%s>' "$X" "$CUDA_VISIBLE_DEVICES" "$@"; echo; }; export -f python3; NODE_0=h
"#;
    let body = body
        .replace(" &\n", "\n")
        .replace("wait -n\n", "")
        .replace("kill $(jobs -p) 2>/dev/null || true", "");
    let outcome = Command::new("bash").args(["-c", &format!("CUDA_VISIBLE_DEVICES=\n{told}{body}")]).output();
    let outcome = outcome.unwrap();
    let text = String::from_utf8(outcome.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 7, "{text}\n{}", String::from_utf8_lossy(&outcome.stderr));
    assert!(lines[1].starts_with("<a b'$(c)><0,1><-m><dynamo.vllm>"), "{text}");
    assert!(
        lines[1]
            .contains(r#"<--kv-transfer-config><{"kv_connector":"NixlConnector","kv_role":"kv_producer"}>"#)
    );
    assert!(lines[6].starts_with("<a b'$(c)><7><-m><dynamo.vllm>"), "{text}");
}

#[test]
fn defect_13_idle_gpus_are_said() {
    let scenario = question(DENSE, Backend::Sglang, 10);
    let manifest = export(Format::Dgd, &scenario, &disagg(), &Options::default()).unwrap();
    assert!(manifest.files[0].text.contains("# Of the budget, 2 of 10 GPUs stay idle.\n"));
}

#[test]
fn what_an_engine_cannot_be_asked_for_is_refused_with_the_reason() {
    let refused = |scenario: &Scenario, point: &Point, format: Format| {
        let checks = export(format, scenario, point, &Options::default()).unwrap_err();
        assert!(checks.iter().all(|check| check.is_error() && check.message.len() > 20), "{checks:?}");
        checks[0].rule.to_string()
    };
    let split = agg(Parallel::dense(1, 1, 2), 8, 2);
    assert_eq!(refused(&question(DENSE, Backend::Sglang, 8), &split, Format::Dgd), "context-parallel");
    let both = agg(experts(2, 2, 1, 4), 8, 2);
    assert_eq!(refused(&question(EXPERTS, Backend::Trtllm, 8), &both, Format::Dgd), "attention-dp");
    assert!(export(Format::Dgd, &question(EXPERTS, Backend::Vllm, 8), &both, &Options::default()).is_ok());
    assert_eq!(refused(&question(DENSE, Backend::Vllm, 7), &disagg(), Format::Dgd), "over-budget");
    let single = agg(Parallel::dense(1, 1, 1), 8, 1);
    assert_eq!(refused(&question(DENSE, Backend::Vllm, 8), &single, Format::Planner), "planner-agg");
    let wide = agg(Parallel::dense(16, 1, 1), 8, 1);
    assert_eq!(refused(&question(DENSE, Backend::Vllm, 16), &wide, Format::LlmdHelm), "multinode");
    let arc = Scenario { system: "b60".to_owned(), ..question(DENSE, Backend::Vllm, 8) };
    assert_eq!(refused(&arc, &single, Format::Dgd), "no-nvidia");
}

#[test]
fn encoders_are_workers_of_vllm_alone() {
    let mut point = disagg();
    let Layout::Disagg { encoders, .. } = &mut point.layout else { panic!("disaggregated") };
    *encoders = Some(EncoderPool { tp: 2, batch: 3, count: 1, memory_bytes: 1e9 });
    let model = "Qwen/Qwen3-VL-8B-Instruct";
    let mut scenario = question(model, Backend::Vllm, 10);
    scenario.workload.images = Some(Images::default());
    scenario.engine.encoder = EncoderPlace::Workers;
    let found = deployment(&scenario, &point, &Options::default());
    let encode = &found.parts["encode"];
    assert_eq!((encode.gpus, encode.flag("--max-num-seqs")), (2, Some(3)));
    assert_eq!(encode.value["type"], "worker");
    let args = encode.args();
    let at = args.iter().position(|word| *word == "--disaggregation-mode").unwrap();
    assert_eq!(args[at + 1], "encode");
    for backend in [Backend::Sglang, Backend::Trtllm] {
        let other = Scenario { backend, ..scenario.clone() };
        let checks = export(Format::Dgd, &other, &point, &Options::default()).unwrap_err();
        assert_eq!(rules(&checks), ["encoders"]);
    }
}

#[test]
fn two_gpu_types_find_their_own_nodes() {
    let mut scenario = question(DENSE, Backend::Vllm, 8);
    scenario.system = "h100_sxm".to_owned();
    scenario.decode_system = Some("gb200".to_owned());
    let found = deployment(&scenario, &disagg(), &Options::default());
    let labels = |role: &str| found.parts[role].pod()["nodeSelector"].clone();
    assert_eq!(labels("prefill"), json!({"nvidia.com/gpu.product": "NVIDIA-H100-SXM5-80GB"}));
    let decode = json!({"nvidia.com/gpu.product": "NVIDIA-GB200", "kubernetes.io/arch": "arm64"});
    assert_eq!(labels("decode"), decode);
    assert_eq!(found.planner()["enable_throughput_scaling"], false);
    let manifest = export(Format::Launch, &scenario, &disagg(), &Options::default()).unwrap();
    assert_eq!(manifest.files.len(), 2, "a node of each kind");
}

#[test]
fn the_planner_scales_advises_or_stays_away() {
    let scenario = question(DENSE, Backend::Vllm, 8);
    for (planner, scaled, present) in [
        (PlannerUse::Scales, true, true),
        (PlannerUse::Advises, false, true),
        (PlannerUse::Off, false, false),
    ] {
        for api in [DgdApi::V1Beta1, DgdApi::V1Alpha1] {
            let extras = Extras { planner, api, ..Extras::default() };
            let options = Options { extras, ..Options::default() };
            let found = deployment(&scenario, &disagg(), &options);
            let adapter = &found.parts["decode"].value["scalingAdapter"];
            let wanted = if api == DgdApi::V1Beta1 { json!({}) } else { json!({"enabled": true}) };
            assert_eq!(*adapter, if scaled { wanted } else { Value::Null });
            assert_eq!(found.parts.contains_key("Planner"), present);
            if present {
                let settings = found.planner();
                assert_eq!(settings["advisory"].as_bool().unwrap_or(false), !scaled);
                assert_eq!(settings["max_gpu_budget"], 8);
                assert_eq!(settings["optimization_target"], "sla");
                assert_eq!((&settings["ttft_ms"], &settings["itl_ms"]), (&json!(500), &json!(30)));
                assert_eq!(settings["prefill_engine_num_gpu"], 2);
                let pick = json!({"tp": 2, "pp": 1, "dp": 1, "moe_tp": 1, "moe_ep": 1});
                assert_eq!(settings["aic_interpolation"]["prefill_pick"], pick);
                let alone = export(Format::Planner, &scenario, &disagg(), &options).unwrap();
                assert_eq!(documents(&alone.files[0].text), [settings]);
            }
        }
    }
}

#[test]
fn a_model_on_a_volume_is_mounted_and_loaded() {
    let scenario = question(DENSE, Backend::Vllm, 8);
    let cache = |mount: Option<&str>, path: Option<&str>| {
        let model_cache = Some(ModelCache {
            claim: "models".to_owned(),
            mount: mount.map(str::to_owned),
            path: path.map(str::to_owned),
        });
        Options { extras: Extras { model_cache, ..Extras::default() }, ..Options::default() }
    };
    let loaded = |options: &Options| {
        let found = deployment(&scenario, &disagg(), options);
        for name in ["Frontend", "prefill", "decode"] {
            assert_eq!(found.parts[name].pod()["volumes"][0]["persistentVolumeClaim"]["claimName"], "models");
        }
        let part = &found.parts["decode"];
        let home = part.main["env"].as_array().unwrap().iter().find(|pair| pair["name"] == "HF_HOME");
        let home = home.map(|pair| pair["value"].as_str().unwrap().to_owned());
        (part.args()[1].to_owned(), home)
    };
    let hub = (DENSE.to_owned(), Some("/opt/model-cache".to_owned()));
    assert_eq!(loaded(&cache(None, None)), hub);
    for path in ["qwen/32b", "/qwen/32b", "/m/qwen/32b", "/m/qwen/32b/"] {
        assert_eq!(loaded(&cache(Some("/m/"), Some(path))), ("/m/qwen/32b".to_owned(), None), "{path}");
    }
    for (mount, path) in [(Some("m"), None), (Some("/"), None), (None, Some("../x")), (None, Some("a b"))] {
        assert!(
            export(Format::Dgd, &scenario, &disagg(), &cache(mount, path)).is_err(),
            "{mount:?} {path:?}"
        );
    }
}

#[test]
fn extras_reach_what_can_carry_them() {
    let extras = Extras {
        kv_router: true,
        trust_remote_code: true,
        pin_nodes: true,
        mocker: true,
        strategy: Strategy::Thorough,
        pull_secret: Some("regcred".to_owned()),
        env: vec![("NCCL_DEBUG".to_owned(), "on".to_owned())],
        ..Extras::default()
    };
    let options = Options { extras: extras.clone(), ..Options::default() };
    let request = export(Format::Dgdr, &question(DENSE, Backend::Vllm, 8), &disagg(), &options).unwrap();
    assert_eq!(validate(&request.files[0].text, Dynamo::V1_6), vec![]);
    let spec = &documents(&request.files[0].text)[0]["spec"];
    assert_eq!(spec["searchStrategy"], "thorough");
    assert_eq!(spec["features"]["kvRouter"], json!({"enabled": true}));
    assert_eq!(spec["features"]["mocker"], json!({"enabled": true}));
    assert_eq!(spec["overrides"]["trustRemoteCode"], true);
    let pod = &spec["overrides"]["profilingJob"]["template"]["spec"];
    assert_eq!(pod["imagePullSecrets"], json!([{"name": "regcred"}]));
    // What the release does not know is left out and said.
    let older = Options { release: Dynamo::V1_5, ..options.clone() };
    let request = export(Format::Dgdr, &question(DENSE, Backend::Vllm, 8), &disagg(), &older).unwrap();
    let spec = &documents(&request.files[0].text)[0]["spec"];
    assert!(spec["features"].get("kvRouter").is_none() && spec["overrides"].get("trustRemoteCode").is_none());
    let paths: Vec<&str> = request.checks.iter().map(|check| check.path.as_str()).collect();
    assert!(paths.contains(&"spec.features.kvRouter") && paths.contains(&"spec.overrides.trustRemoteCode"));
    for backend in [Backend::Vllm, Backend::Sglang, Backend::Trtllm] {
        let found = deployment(&question(DENSE, backend, 8), &disagg(), &options);
        let env = |name: &str| found.parts[name].main["env"].as_array().unwrap().clone();
        assert!(env("Frontend").contains(&json!({"name": "DYN_ROUTER_MODE", "value": "kv"})));
        assert!(env("decode").contains(&json!({"name": "NCCL_DEBUG", "value": "on"})));
        for part in found.parts.values() {
            assert_eq!(part.pod()["imagePullSecrets"], json!([{"name": "regcred"}]));
        }
        if backend == Backend::Trtllm {
            assert_eq!(found.engine("decode")["trust_remote_code"], true);
            assert_eq!(found.engine("decode")["kv_cache_config"]["enable_block_reuse"], true);
        } else {
            assert!(found.parts["decode"].args().contains(&"--trust-remote-code"));
        }
    }
    for (name, value) in [("1A", "x"), ("A-B", "x"), ("", "x"), ("A", "x\ny")] {
        let env = vec![(name.to_owned(), value.to_owned())];
        let options = Options { extras: Extras { env, ..extras.clone() }, ..Options::default() };
        assert!(export(Format::Dgd, &question(DENSE, Backend::Vllm, 8), &disagg(), &options).is_err());
    }
}

#[test]
fn drafts_and_memory_shares_are_asked_for() {
    let mut scenario = question("deepseek-ai/DeepSeek-V3", Backend::Vllm, 16);
    scenario.engine.draft_tokens = 2;
    scenario.engine.free_memory_fraction = Some(0.85);
    let point = agg(experts(1, 8, 1, 8), 16, 2);
    let found = deployment(&scenario, &point, &Options::default());
    let args = found.parts["worker"].args();
    assert!(args.contains(&r#"{"method":"mtp","num_speculative_tokens":2}"#));
    assert!(args.windows(2).any(|pair| pair == ["--gpu-memory-utilization", "0.85"]));
    assert!(args.contains(&"--enable-expert-parallel"));
    scenario.backend = Backend::Sglang;
    let found = deployment(&scenario, &point, &Options::default());
    let part = &found.parts["worker"];
    assert_eq!(part.flag("--speculative-num-draft-tokens"), Some(3));
    assert!(part.args().windows(2).any(|pair| pair == ["--mem-fraction-static", "0.85"]));
    scenario.backend = Backend::Trtllm;
    let engine = deployment(&scenario, &point, &Options::default()).engine("worker");
    assert_eq!(engine["speculative_config"], json!({"decoding_type": "MTP", "num_nextn_predict_layers": 2}));
    assert_eq!(engine["kv_cache_config"]["free_gpu_memory_fraction"], 0.85);
    assert_eq!(engine["enable_attention_dp"], true);
    assert_eq!(engine["tensor_parallel_size"], 8);
}

#[test]
fn the_link_is_in_the_comment_and_in_the_annotation() {
    let options =
        Options { link: Some("https://x.example/?v=1&a=b#c: 'd'".to_owned()), ..Options::default() };
    let manifest = export(Format::Dgd, &question(DENSE, Backend::Trtllm, 8), &disagg(), &options).unwrap();
    assert!(manifest.files[0].text.contains("# From: https://x.example/?v=1&a=b#c: 'd'\n"));
    let document = documents(&manifest.files[0].text).pop().unwrap();
    assert_eq!(document["metadata"]["annotations"]["ai-configurator/link"], *options.link.as_ref().unwrap());
    for format in [Format::Dgdr, Format::Planner, Format::Benchmark, Format::Launch] {
        let manifest = export(format, &question(DENSE, Backend::Trtllm, 8), &disagg(), &options).unwrap();
        assert!(manifest.files[0].text.contains("# From: https://x.example/"), "{format:?}");
    }
}

#[test]
fn lines_say_which_choice_made_them() {
    let scenario = question(DENSE, Backend::Trtllm, 8);
    for &format in &[Format::Dgdr, Format::Dgd, Format::Planner, Format::Launch] {
        let manifest = export(format, &scenario, &disagg(), &Options::default()).unwrap();
        let file = &manifest.files[0];
        let lines: Vec<&str> = file.text.lines().collect();
        let reason = |needle: &str| {
            let line = lines.iter().position(|line| line.trim() == needle);
            let line = line.unwrap_or_else(|| panic!("{needle}:\n{}", file.text)) as u32 + 1;
            let said = file.reasons.iter().find(|(at, _)| *at == line);
            said.unwrap_or_else(|| panic!("no reason for {needle}")).1.clone()
        };
        match format {
            Format::Dgdr => assert_eq!(reason("totalGpus: 8"), "The GPU budget."),
            Format::Dgd => {
                assert_eq!(reason("tensor_parallel_size: 2"), "TP 2 of the selected point.");
                assert!(reason("max_batch_size: 22").starts_with("Batch 22 of the selected point"));
                assert_eq!(reason("replicas: 4"), "4 of the selected point.");
                assert_eq!(reason("nvidia.com/gpu: '2'"), "2 GPUs of a worker.");
                assert_eq!(reason("- --extra-engine-args"), reason("- /engine/prefill.yaml"));
                assert!(reason("\"itl_ms\": 30,").contains("target of the question"));
            }
            Format::Planner => assert!(reason("max_gpu_budget: 8").starts_with("The GPU budget")),
            _ => assert!(reason("--disaggregation-mode prefill &").contains("separate")),
        }
    }
}

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
            images.system = "h100_sxm".to_owned();
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
            cp > 1 || (backend == Backend::Trtllm && tp > 1 && dp > 1)
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
        if file.name.ends_with(".yaml") && documents(&file.text).iter().any(|document| !document.is_object())
        {
            return Err(format!("{}:\n{}", file.name, file.text));
        }
    }
    if format == Format::Dgdr {
        let checks = validate(&manifest.files[0].text, options.release);
        return if checks.iter().any(Check::is_error) { Err(format!("{checks:?}")) } else { Ok(true) };
    }
    if format == Format::Dgd {
        same_point(&Deployment::of(&manifest), answer, point, &manifest)?;
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
        let Parallel { tp, pp, dp, moe_tp, moe_ep, .. } = worker.parallel;
        let node = u64::from(catalog.system(system).unwrap().gpus_per_node);
        let whole = u64::from(pp * (tp * dp).max(moe_tp * moe_ep));
        if part.gpus > node || part.gpus * part.nodes != whole || part.replicas() != u64::from(worker.count) {
            return Err(format!("{role}: {} GPUs on each of {} nodes", part.gpus, part.nodes));
        }
        let stage = tp * dp;
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
