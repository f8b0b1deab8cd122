//! The checks of manifests: every reference passes, every known mistake is found where it is, nothing makes them fail.
//!
//! Reads `manifests` in `tests/golden`, or in the folder in `GOLDEN_DIR`.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use engine::manifest::{Check, Dynamo, Severity, decode, grove_names, validate};
use proptest::prelude::*;
use serde_json::{Value, json};

const EXAMPLES: [(&str, &str); 6] = [
    ("dgdr-airline-v1beta1.yaml", include_str!("fixtures/manifests/dgdr-airline-v1beta1.yaml")),
    (
        "dgd-vllm-disagg-planner-v1beta1.yaml",
        include_str!("fixtures/manifests/dgd-vllm-disagg-planner-v1beta1.yaml"),
    ),
    ("dgd-vllm-disagg-v1alpha1.yaml", include_str!("fixtures/manifests/dgd-vllm-disagg-v1alpha1.yaml")),
    (
        "dgd-sglang-disagg-planner-v1beta1.yaml",
        include_str!("fixtures/manifests/dgd-sglang-disagg-planner-v1beta1.yaml"),
    ),
    (
        "dgd-sglang-moe-multinode-agg-v1beta1.yaml",
        include_str!("fixtures/manifests/dgd-sglang-moe-multinode-agg-v1beta1.yaml"),
    ),
    (
        "dgd-trtllm-disagg-planner-v1beta1.yaml",
        include_str!("fixtures/manifests/dgd-trtllm-disagg-planner-v1beta1.yaml"),
    ),
];

fn example(name: &str) -> &'static str {
    EXAMPLES.iter().find(|(file, _)| *file == name).unwrap().1
}

fn golden(name: &str) -> Value {
    let folder =
        std::env::var_os("GOLDEN_DIR").map_or_else(|| tests::root().join("tests/golden"), PathBuf::from);
    let path = folder.join("manifests").join(name);
    serde_json::from_str(
        &fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
    )
    .unwrap()
}

fn documents(text: &str) -> Vec<Value> {
    text.split("\n---\n").map(|document| serde_yaml::from_str(document).unwrap()).collect()
}

fn joined(documents: &[Value]) -> String {
    documents
        .iter()
        .map(|document| serde_yaml::to_string(document).unwrap())
        .collect::<Vec<_>>()
        .join("---\n")
}

/// Index of the document that a case changes: the last one.
fn changed(documents: &[Value]) -> usize {
    documents.len() - 1
}

fn step<'a>(at: &'a mut Value, key: &str) -> &'a mut Value {
    match at {
        Value::Array(items) => &mut items[key.parse::<usize>().unwrap()],
        Value::Object(map) => map.entry(key).or_insert_with(|| json!({})),
        other => panic!("{key} in {other}"),
    }
}

fn mutate(document: &mut Value, path: &str, value: Option<&Value>) {
    let (parent, key) = path.rsplit_once('.').map_or((None, path), |(parent, key)| (Some(parent), key));
    let at = parent.into_iter().flat_map(|parent| parent.split('.')).fold(document, step);
    match value {
        Some(value) => *step(at, key) = value.clone(),
        None => drop(at.as_object_mut().unwrap().remove(key)),
    }
}

fn verdict(checks: &[Check]) -> &'static str {
    match checks.first().map(|check| check.severity) {
        None => "ok",
        Some(Severity::Error) => "error",
        Some(Severity::Warning) => "warning",
    }
}

#[test]
fn mutated_manifests_get_their_verdict() {
    let golden = golden("validation-cases.json");
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() >= 45);
    let mut wrong = Vec::new();
    for case in cases {
        // Bases are named by the file that they come from.
        let base = golden["bases"][case["base"].as_str().unwrap()].as_str().unwrap();
        let file = base.split(' ').next().unwrap().rsplit('/').next().unwrap();
        let mut documents = documents(example(file));
        let target = changed(&documents);
        for (path, value) in case["set"].as_object().unwrap() {
            mutate(&mut documents[target], path, Some(value));
        }
        for path in case["delete"].as_array().unwrap() {
            mutate(&mut documents[target], path.as_str().unwrap(), None);
        }
        // The cases are judged against the definitions of 1.5; the images bring engines and planner of 1.6.
        let mut texts = vec![joined(&documents)];
        // A document alone says the same as in its file.
        texts.push(joined(&documents[target..]));
        for text in texts {
            let checks = validate(&text, Dynamo::V1_5);
            let expected = match case["verdict"].as_str().unwrap() {
                "ok-with-warnings" => "warning",
                verdict => verdict,
            };
            let at_field = case["field"].as_str().is_none_or(|field| {
                checks.iter().any(|check| check.path == field || check.path.starts_with(&format!("{field}.")))
            });
            let lined = checks.iter().all(|check| check.line.is_some());
            if verdict(&checks) != expected || !at_field || !lined {
                wrong.push(format!("{}: {checks:#?}", case["id"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn references_pass() {
    for (name, text) in EXAMPLES {
        assert_eq!(validate(text, Dynamo::V1_6), vec![], "{name}");
    }
    // Those of one release on another: its own flags are what matters, by the version of the images.
    for &release in Dynamo::ALL {
        for (name, text) in EXAMPLES {
            let errors: Vec<Check> = validate(text, release).into_iter().filter(Check::is_error).collect();
            assert_eq!(errors, vec![], "{name} {release:?}");
        }
    }
}

#[test]
fn grove_names_are_shortened_and_judged() {
    for case in golden("name-budget.json")["cases"].as_array().unwrap() {
        let components: Vec<(&str, u32)> = case["components"]
            .as_array()
            .unwrap()
            .iter()
            .map(|component| {
                (component["name"].as_str().unwrap(), component["nodeCount"].as_u64().unwrap() as u32)
            })
            .collect();
        let names = grove_names(case["dgd"].as_str().unwrap(), &components);
        assert_eq!(names.name, case["pcsName"].as_str().unwrap(), "{case}");
        assert_eq!(names.fit(), case["accepted"].as_bool().unwrap(), "{case}");
        let offending: serde_json::Map<String, Value> = names
            .components
            .iter()
            .filter(|component| !component.fits())
            .map(|component| (component.component.clone(), component.total.into()))
            .collect();
        assert_eq!(Value::Object(offending), case["offending"], "{case}");
    }
}

/// A mistake: the example, a text in it, what stands there instead, then where it is found and by which rule.
type Mistake = (&'static str, &'static str, &'static str, &'static str, &'static str);

const VLLM: &str = "dgd-vllm-disagg-planner-v1beta1.yaml";
const SGLANG: &str = "dgd-sglang-disagg-planner-v1beta1.yaml";
const MOE: &str = "dgd-sglang-moe-multinode-agg-v1beta1.yaml";
const TRTLLM: &str = "dgd-trtllm-disagg-planner-v1beta1.yaml";
const ALPHA: &str = "dgd-vllm-disagg-v1alpha1.yaml";
const REQUEST: &str = "dgdr-airline-v1beta1.yaml";

const MISTAKES: &[Mistake] = &[
    (VLLM, "name: qwen3-32b-fp8\n", "name: Qwen3\n", "metadata.name", "name"),
    (VLLM, "name: qwen3-32b-fp8\n", "name: qwen3.32b\n", "metadata.name", "name-dot"),
    (VLLM, "namespace: airline", "namespace: Air_line", "metadata.namespace", "name"),
    (VLLM, "  namespace: airline", "  labels: {a b: c}", "metadata.labels.a b", "label"),
    (VLLM, "  namespace: airline", "  labels: {a: 1}", "metadata.labels.a", "type"),
    (
        VLLM,
        "name: prefill",
        "name: a-prefill-worker-with-a-very-long-name-indeed",
        "spec.components.1.name",
        "grove-name",
    ),
    (
        VLLM,
        "  - name: decode\n    type: decode",
        "  - name: decode\n    type: prefill",
        "spec.components.2",
        "mode",
    ),
    (VLLM, "type: prefill", "type: worker", "data.planner_config.json.mode", "planner-mode"),
    (VLLM, "    scalingAdapter: {}\n", "", "spec.components.1.scalingAdapter", "scaling-adapter"),
    (
        VLLM,
        "\"max_gpu_budget\":8",
        "\"max_gpu_budget\":7",
        "data.planner_config.json.max_gpu_budget",
        "planner-budget",
    ),
    (
        VLLM,
        "\"backend\":\"vllm\",\"mode\"",
        "\"backend\":\"sglang\",\"mode\"",
        "data.planner_config.json.backend",
        "planner-backend",
    ),
    (VLLM, "\"ttft_ms\"", "\"ttft_msec\"", "data.planner_config.json.ttft_msec", "planner-unknown"),
    (
        VLLM,
        "\"prefill_engine_num_gpu\":2",
        "\"prefill_engine_num_gpu\":4",
        "data.planner_config.json.prefill_engine_num_gpu",
        "planner-gpus",
    ),
    (
        VLLM,
        "\"prefill_pick\":{\"tp\":2",
        "\"prefill_pick\":{\"tp\":2,\"ep\":1",
        "data.planner_config.json.aic_interpolation.prefill_pick.ep",
        "planner-unknown",
    ),
    (
        VLLM,
        "\"moe_tp\":1,\"moe_ep\":1},\"decode",
        "\"moe_tp\":1,\"moe_ep\":4},\"decode",
        "data.planner_config.json.aic_interpolation.prefill_pick",
        "planner-pick",
    ),
    (
        VLLM,
        "planner_config.json]",
        "planner.json]",
        "spec.components.3.podTemplate.spec.containers.0.args.1",
        "planner-config",
    ),
    (
        VLLM,
        "          configMap:\n            name: planner-config-a1b2",
        "          configMap:\n            name: other",
        "spec.components.3.podTemplate.spec.volumes.0.configMap.name",
        "config-map",
    ),
    (
        VLLM,
        "          - name: planner-config-a1b2\n            mountPath",
        "          - name: other\n            mountPath",
        "spec.components.3.podTemplate.spec.containers.0.volumeMounts.0.name",
        "volume",
    ),
    (
        VLLM,
        "dynamo-planner:1.6.1",
        "vllm-runtime:1.6.1",
        "spec.components.3.podTemplate.spec.containers.0.image",
        "planner-image",
    ),
    (
        VLLM,
        "- --disaggregation-mode\n          - prefill",
        "- --is-prefill-worker",
        "spec.components.1.podTemplate.spec.containers.0.args",
        "flag-release",
    ),
    (
        VLLM,
        "kv_producer",
        "kv_consumer",
        "spec.components.1.podTemplate.spec.containers.0.args",
        "kv-transfer",
    ),
    (
        VLLM,
        "'{\"kv_connector\":\"NixlConnector\",\"kv_role\":\"kv_producer\"}'",
        "nixl",
        "spec.components.1.podTemplate.spec.containers.0.args",
        "kv-transfer",
    ),
    (VLLM, "- \"5500\"", "- \"0\"", "spec.components.1.podTemplate.spec.containers.0.args", "batch-tokens"),
    (
        VLLM,
        "- --max-num-seqs\n          - \"1\"",
        "- --max-model-len\n          - \"4200\"",
        "spec.components.1.podTemplate.spec.containers.0.args",
        "length",
    ),
    (
        VLLM,
        "- --max-num-seqs\n          - \"1\"",
        "- --gpu-memory-utilization\n          - \"1.5\"",
        "spec.components.1.podTemplate.spec.containers.0.args",
        "share",
    ),
    (
        VLLM,
        "- name: DYN_BENCHMARK_MODE",
        "- name: DYN-BENCHMARK",
        "spec.components.1.podTemplate.spec.containers.0.env.0.name",
        "env-name",
    ),
    (
        VLLM,
        "            requests:\n              nvidia.com/gpu: \"2\"",
        "            requests:\n              nvidia.com/gpu: \"4\"",
        "spec.components.1.podTemplate.spec.containers.0.resources.requests.nvidia.com/gpu",
        "gpus-differ",
    ),
    (
        VLLM,
        "          resources:\n            limits:\n              nvidia.com/gpu: \"2\"\n            requests:\n              nvidia.com/gpu: \"2\"\n",
        "",
        "spec.components.1.podTemplate.spec.containers.0.resources.limits.nvidia.com/gpu",
        "gpus-missing",
    ),
    (
        VLLM,
        "            limits:\n              nvidia.com/gpu: \"2\"",
        "            limits:\n              nvidia.com/gpu: two",
        "spec.components.1.podTemplate.spec.containers.0.resources.limits.nvidia.com/gpu",
        "gpus",
    ),
    (
        VLLM,
        "          command: [python3]\n          args: [-m, dynamo.frontend, --http-port, \"8000\"]",
        "          args: [--http-port, \"8000\"]",
        "spec.components.0.podTemplate.spec.containers.0.args",
        "frontend-args",
    ),
    (VLLM, "    type: frontend", "    type: epp", "spec.components.0", "no-such-rule"),
    (
        VLLM,
        "    replicas: 2\n",
        "    replicas: 2\n    minAvailable: 3\n",
        "spec.components.1.minAvailable",
        "min-available",
    ),
    (
        VLLM,
        "    replicas: 2\n",
        "    replicas: 2\n    eppConfig: {config: {}}\n",
        "spec.components.1.eppConfig",
        "epp",
    ),
    (VLLM, "    replicas: 2\n", "    replicas: yes\n", "spec.components.1.replicas", "yaml-1.1"),
    (VLLM, "kind: ConfigMap", "kind: ConfigMapp", "kind", "unknown-kind"),
    (VLLM, "kind: ConfigMap", "kind: DynamoComponentDeployment", "kind", "unknown-kind"),
    (VLLM, "kind: DynamoGraphDeployment", "kind: DynamoGraphDeploymnt", "kind", "unknown-kind"),
    (VLLM, "apiVersion: nvidia.com/v1beta1", "apiVersion: nvidia.com/v1", "apiVersion", "identity"),
    (
        SGLANG,
        "--cuda-graph-bs-decode\n          - \"1\"\n          - --host",
        "--cuda-graph-bs\n          - \"1\"\n          - --host",
        "spec.components.1.podTemplate.spec.containers.0.args",
        "flag-release",
    ),
    (
        SGLANG,
        "          - \"16\"\n          - \"32\"",
        "          - \"32\"\n          - \"32\"",
        "spec.components.2.podTemplate.spec.containers.0.args",
        "graph-sizes",
    ),
    (
        SGLANG,
        "\"optimization_target\":\"sla\"",
        "\"optimization_target\":\"slo\"",
        "spec.components.3.podTemplate.spec.containers.0.args.1.optimization_target",
        "planner-value",
    ),
    (
        SGLANG,
        "'{\"environment\"",
        "'{environment\"",
        "spec.components.3.podTemplate.spec.containers.0.args.1",
        "planner-config",
    ),
    (MOE, "nodeCount: 2", "nodeCount: 3", "spec.components.1", "gpus-idle"),
    (
        MOE,
        "nvidia.com/gpu: \"8\"",
        "nvidia.com/gpu: \"4\"",
        "spec.components.1.podTemplate.spec.containers.0.resources.limits.nvidia.com/gpu",
        "gpus-used",
    ),
    (
        MOE,
        "- --ep\n          - \"16\"",
        "- --ep\n          - \"5\"",
        "spec.components.1.podTemplate.spec.containers.0.args",
        "expert-parallel",
    ),
    (
        MOE,
        "- --dp\n          - \"16\"",
        "- --dp\n          - \"7\"",
        "spec.components.1.podTemplate.spec.containers.0.args",
        "attention-dp",
    ),
    (
        MOE,
        "- --max-running-requests\n          - \"512\"",
        "- --max-running-requests\n          - \"8\"",
        "spec.components.1.podTemplate.spec.containers.0.args",
        "batch",
    ),
    (
        MOE,
        "- --trust-remote-code",
        "- --node-rank=0",
        "spec.components.1.podTemplate.spec.containers.0.args",
        "flag-operator",
    ),
    (
        TRTLLM,
        "tensor_parallel_size: 2",
        "tensor_parallel_size: 4",
        "spec.components.1.podTemplate.spec.containers.0.resources.limits.nvidia.com/gpu",
        "gpus-used",
    ),
    (
        TRTLLM,
        "    max_batch_size: 1\n",
        "    max_batch_size: 0\n",
        "data.prefill.yaml.max_batch_size",
        "engine-value",
    ),
    (
        TRTLLM,
        "      tokens_per_block: 32\n",
        "      token_per_block: 32\n",
        "data.prefill.yaml.kv_cache_config.token_per_block",
        "engine-unknown",
    ),
    (
        TRTLLM,
        "    max_batch_size: 1\n",
        "    kv_cache_dtype: fp8\n",
        "data.prefill.yaml.kv_cache_dtype",
        "engine-retired",
    ),
    (
        TRTLLM,
        "    cache_transceiver_config:\n      backend: DEFAULT\n      max_tokens_in_buffer: 5024\n",
        "",
        "data.prefill.yaml",
        "kv-transfer",
    ),
    (
        TRTLLM,
        "max_num_tokens: 128\n",
        "max_num_tokens: 64\n",
        "data.decode.yaml.max_num_tokens",
        "batch-tokens",
    ),
    (
        TRTLLM,
        "112, 120, 128]",
        "112, 120, 256]",
        "data.decode.yaml.cuda_graph_config.batch_sizes",
        "graph-sizes",
    ),
    (
        TRTLLM,
        "    enable_attention_dp: false\n    enable_chunked",
        "    moe_expert_parallel_size: 4\n    enable_chunked",
        "data.prefill.yaml.moe_expert_parallel_size",
        "expert-parallel",
    ),
    (
        TRTLLM,
        "/engine/prefill.yaml",
        "/engine/prefil.yaml",
        "spec.components.1.podTemplate.spec.containers.0.args.5",
        "engine-args",
    ),
    (TRTLLM, "    backend: pytorch\n", "    backend: [pytorch\n", "data.prefill.yaml", "yaml"),
    (
        ALPHA,
        "        enabled: true\n      extraPodSpec",
        "        enabled: true\n      minAvailable: 9\n      extraPodSpec",
        "spec.services.prefill.minAvailable",
        "min-available",
    ),
    (
        ALPHA,
        "        size: 16Gi",
        "        size: \"0\"",
        "spec.services.prefill.sharedMemory",
        "shared-memory",
    ),
    (
        ALPHA,
        "          gpu: \"2\"",
        "          gpu: \"1\"",
        "spec.services.prefill.resources.limits.gpu",
        "gpus-used",
    ),
    (
        ALPHA,
        "vllm-runtime:1.6.1\n          workingDir",
        "vllm-runtime\n          workingDir",
        "spec.services.prefill.runtimeVersionOverride",
        "image-version",
    ),
    (
        ALPHA,
        "    prefill:\n      componentType",
        "    pre_fill:\n      componentType",
        "spec.services.pre_fill",
        "name",
    ),
    (REQUEST, "metadata:", "metadata: &m", "metadata", "no-such-rule"),
    (
        REQUEST,
        "  autoApply: false",
        "  autoApply: false\n  overrides: {dgd: {apiVersion: nvidia.com/v1beta1, kind: DynamoGraphDeployment, spec: {componnts: []}}}",
        "spec.overrides.dgd.spec.componnts",
        "unknown-field",
    ),
    (
        REQUEST,
        "  autoApply: false",
        "  overrides: {dgd: {apiVersion: nvidia.com/v1beta1, kind: DynamoGraphDeployment, spec: {components: [{name: decode, podTemplate: {spec: {containers: [{name: main, args: [--max-model-len, '4400'], $patch: {args: append}}]}}}]}}}",
        "spec.overrides.dgd.spec.components.0.podTemplate.spec.containers.0.args.1",
        "length",
    ),
];

#[test]
fn known_mistakes_are_found_where_they_are() {
    let mut wrong = Vec::new();
    for (file, from, to, path, rule) in MISTAKES {
        let text = example(file);
        assert!(text.contains(from), "{file} lacks {from}");
        let mistaken = text.replacen(from, to, 1);
        let checks = validate(&mistaken, Dynamo::V1_6);
        let found = checks.iter().find(|check| {
            check.rule == *rule && (check.path == *path || check.path.starts_with(&format!("{path}.")))
        });
        if found.is_some() == (*rule == "no-such-rule") {
            wrong.push(format!("{file}: {from:?} → {to:?}: {path} {rule}: {checks:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The first lines of a bomb, which are allowed by themselves.
fn short_bomb(bomb: &str, indent: &str) -> String {
    bomb.lines().take(5).map(|line| format!("{indent}{line}\n")).collect()
}

fn time(text: &str) -> Duration {
    let begun = Instant::now();
    validate(text, Dynamo::V1_6);
    begun.elapsed()
}

/// Texts that are no manifests, each with the line that is named.
#[test]
fn hostile_texts_are_refused_within_a_second() {
    const LONG: usize = 5_000_000;
    let bomb: String = std::iter::once("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned())
        .chain((1..40).map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", "))))
        .collect();
    let many = |text: &str, size: usize| text.repeat(size / text.len());
    let mib = 2_000_000;
    let texts = [
        ("long", many("a: 1\n", LONG)),
        ("long word", format!("a: {}", "x".repeat(LONG))),
        ("long comment", many("# nothing at all\n", LONG)),
        ("bomb", bomb.clone()),
        ("nested lists", format!("a: {}", "[".repeat(mib))),
        ("nested closed lists", format!("a: {}{}", "[".repeat(mib / 2), "]".repeat(mib / 2))),
        ("nested mappings", format!("a: {}", "{a: ".repeat(mib / 4))),
        ("nested dashes", many("- ", mib)),
        ("nested keys", many("? ", mib)),
        ("many values", format!("a: [{}]", many("1, ", mib))),
        ("many documents", many("---\n- a\n", mib)),
        ("many empty documents", many("---\n", mib)),
        ("many keys", (0..mib / 10).map(|n| format!("k{n}: 1\n")).collect()),
        ("many anchors", (0..mib / 20).map(|n| format!("k{n}: &a{n} 1\n")).collect()),
        ("tags", format!("a: {}", "!".repeat(mib))),
        ("quotes", format!("a: {}", "\"".repeat(mib))),
        ("backslashes", format!("a: \"{}", "\\".repeat(mib))),
        ("tabs", many("\t", mib)),
        ("blank lines", format!("a: |\n{}", "\n".repeat(mib))),
        ("colons", many(": ", mib)),
        ("percents", many("%", mib)),
        ("controls", format!("a: 1\nb: {}", "\u{1}".repeat(mib))),
        ("one key", format!("{}: 1", "k".repeat(mib))),
        (
            "unknown fields",
            format!(
                "apiVersion: nvidia.com/v1beta1\nkind: DynamoGraphDeployment\nmetadata: {{name: a}}\nspec:\n{}",
                (0..50_000).map(|n| format!("  k{n}: 1\n")).collect::<String>()
            ),
        ),
        (
            "many components",
            format!(
                "apiVersion: nvidia.com/v1beta1\nkind: DynamoGraphDeployment\nmetadata: {{name: a}}\nspec:\n  components:\n{}",
                (0..20_000).map(|n| format!("  - {{name: c{n}, type: worker}}\n")).collect::<String>()
            ),
        ),
        (
            "many equal names",
            format!(
                "apiVersion: nvidia.com/v1beta1\nkind: DynamoGraphDeployment\nmetadata: {{name: a}}\nspec:\n  components:\n{}",
                "  - {name: c, type: prefill}\n".repeat(20_000)
            ),
        ),
        ("many bombs", many(&format!("{}---\n", short_bomb(&bomb, "")), mib)),
        (
            "bombs in bombs",
            format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n  a.yaml: &a |\n{}{}",
                short_bomb(&bomb, "    "),
                (0..10_000).map(|n| format!("  b{n}.yaml: *a\n")).collect::<String>()
            ),
        ),
        (
            "many config maps",
            many(
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a.yaml: \"a: [\"}\n---\n",
                mib,
            ),
        ),
    ];
    for (name, text) in &texts {
        let checks = validate(text, Dynamo::V1_6);
        let lines = text.lines().count().max(1) as u32;
        assert!(!checks.is_empty(), "{name}");
        assert!(checks.len() <= 500, "{name}");
        for check in &checks {
            assert!(check.line.is_some_and(|line| (1..=lines).contains(&line)), "{name}: {check:?}");
            assert!(check.message.chars().count() < 1000, "{name}: {}", check.message.len());
        }
        // Other tests run at the same time, so a slow run is given another chance.
        let took = (0..3).map(|_| time(text)).find(|took| *took < Duration::from_secs(1));
        assert!(took.is_some(), "{name} took longer than a second, three times");
    }
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    for (bytes, line) in
        [(&b"a: 1\nb: \xff\xfe\n"[..], 2), (b"\xff\xfea\0:\0", 1), (b"\xfe\xff\0a", 1), (b"\x80", 1)]
    {
        let check = decode(bytes).unwrap_err();
        assert_eq!((check.is_error(), check.line), (true, Some(line)), "{bytes:?}");
    }
    assert_eq!(decode("é".as_bytes()).unwrap(), "é");
}

#[test]
fn findings_are_written_as_json() {
    let text = example(ALPHA).replacen("gpu: \"2\"", "gpu: 2", 1);
    let checks = serde_json::to_value(validate(&text, Dynamo::V1_6)).unwrap();
    let expected = json!([
        {
            "path": "spec.services.prefill.resources.limits.gpu",
            "line": 24,
            "rule": "type",
            "severity": "error",
            "message": "spec.services.prefill.resources.limits.gpu must be a text, not 2. Write \"2\".",
        },
    ]);
    assert_eq!(checks, expected);
    let back: Vec<Check> = serde_json::from_value(checks).unwrap();
    assert_eq!(back, validate(&text, Dynamo::V1_6));
}

#[test]
fn settings_without_a_kind_are_recognised() {
    let rules = |text: &str| {
        let checks = validate(text, Dynamo::V1_6);
        checks.into_iter().map(|check| (check.path, check.rule.into_owned())).collect::<Vec<_>>()
    };
    let found = |path: &str, rule: &str| vec![(path.to_owned(), rule.to_owned())];
    let planner = r#"{"backend": "vllm", "optimization_target": "sla", "ttft_ms": 500, "itl_ms": 30}"#;
    assert_eq!(rules(planner), vec![]);
    assert_eq!(rules(&planner.replace("500", "0")), found("ttft_ms", "planner-value"));
    let retired = "backend: vllm\nmode: disagg\naic_perf_model: {}\n";
    assert_eq!(rules(retired), found("aic_perf_model", "planner-retired"));
    assert_eq!(validate(retired, Dynamo::V1_5), vec![]);
    assert_eq!(rules("tensor_parallel_size: 2\nmax_batch_size: 8\n"), vec![]);
    assert_eq!(
        rules("tensor_parallel_size: 2\nmax_batchsize: 8\n"),
        found("max_batchsize", "engine-unknown")
    );
    let values = |args: &str| {
        format!(
            "modelArtifacts: {{labels: {{llm-d.ai/model: a}}}}\nprefill:\n  containers: [{{image: 'a:1', args: [{args}]}}]\ndecode:\n  containers: [{{image: 'a:1', args: [--kv-transfer-config, x]}}]\n"
        )
    };
    assert_eq!(rules(&values("--kv-transfer-config, x")), vec![]);
    assert_eq!(rules(&values("")), found("prefill.containers.0.args", "kv-transfer"));
    assert_eq!(rules("a: 1\n").len(), 2);
}

#[test]
fn ordinary_objects_have_their_names_checked() {
    let rules = |text: &str| {
        let checks = validate(text, Dynamo::V1_6);
        checks.into_iter().map(|check| (check.path, check.rule.into_owned())).collect::<Vec<_>>()
    };
    let found = |path: &str, rule: &str| vec![(path.to_owned(), rule.to_owned())];
    let object =
        |kind: &str, rest: &str| format!("apiVersion: v1\nkind: {kind}\nmetadata: {{name: a}}\n{rest}");
    let job = |policy: &str, env: &str| {
        object(
            "Job",
            &format!(
                "spec: {{template: {{spec: {{restartPolicy: {policy}, containers: [{{name: b, env: [{{name: {env}, value: '1'}}]}}]}}}}}}\n"
            ),
        )
    };
    assert_eq!(rules(&job("Never", "A_B")), vec![]);
    assert_eq!(rules(&job("Always", "A_B")), found("spec.template.spec.restartPolicy", "job"));
    assert_eq!(rules(&job("Never", "A-B")), found("spec.template.spec.containers.0.env.0.name", "env-name"));
    let claim = |size: &str| {
        object(
            "PersistentVolumeClaim",
            &format!(
                "spec: {{accessModes: [ReadWriteMany], resources: {{requests: {{storage: {size}}}}}}}\n"
            ),
        )
    };
    assert_eq!(rules(&claim("200Gi")), vec![]);
    assert_eq!(rules(&claim("200GB")), found("spec.resources.requests.storage", "pattern"));
    for kind in ["Namespace", "Service", "Secret", "ConfigMap", "ServiceAccount"] {
        assert_eq!(rules(&object(kind, "")), vec![], "{kind}");
        assert_eq!(
            rules(&object(kind, "").replace("name: a", "name: A")),
            found("metadata.name", "name"),
            "{kind}"
        );
        assert_eq!(
            rules(&object(kind, "").replace("name: a", "labels: {}")),
            found("metadata.name", "name"),
            "{kind}"
        );
    }
    assert_eq!(rules(&object("ConfigMap", "data: {a: 1}\n")), found("data.a", "type"));
    assert_eq!(rules(&format!("{0}---\n{0}", object("Secret", ""))), found("metadata.name", "twice"));
    let adapter = object(
        "DynamoGraphDeploymentScalingAdapter",
        "spec: {replicas: 0, dgdRef: {name: a, componentName: b}}\n",
    )
    .replace("apiVersion: v1", "apiVersion: nvidia.com/v1beta1");
    assert_eq!(rules(&adapter), found("kind", "operator-made"));
    assert_eq!(rules(&adapter.replace("componentName", "serviceName")).len(), 3);
}

#[test]
fn requests_of_the_old_version_are_checked() {
    let text = "apiVersion: nvidia.com/v1alpha1\nkind: DynamoGraphDeploymentRequest\nmetadata: {name: a}\nspec:\n  model: m\n  backend: vllm\n  profilingConfig:\n    profilerImage: a/b:1.6.1\n    config:\n      sla: {isl: 4000, osl: 500, ttft: 500, itl: 30}\n";
    let paths = |text: &str| {
        let checks = validate(text, Dynamo::V1_6);
        checks.into_iter().map(|check| (check.path, check.line)).collect::<Vec<_>>()
    };
    let deprecated = ("apiVersion".to_owned(), Some(1));
    assert_eq!(paths(text), [deprecated.clone()]);
    let config = "spec.profilingConfig.config.sla.itl".to_owned();
    assert_eq!(paths(&text.replace("itl: 30", "itl: 0")), [(config, Some(10)), deprecated.clone()]);
    let version = "spec.runtimeVersionOverride".to_owned();
    assert_eq!(paths(&text.replace(":1.6.1", ":latest")), [(version, Some(4)), deprecated]);
}

#[test]
fn without_grove_names_may_be_longer() {
    let long = example(MOE).replace("name: worker", "name: a-worker-of-many-nodes");
    assert!(validate(&long, Dynamo::V1_6).iter().any(|check| check.rule == "grove-name"));
    let off = long.replace(
        "  name: dsv3-agg\n",
        "  name: dsv3-agg\n  annotations: {nvidia.com/enable-grove: \"false\"}\n",
    );
    assert_eq!(validate(&off, Dynamo::V1_6), vec![]);
}

/// Replaces the n-th value of a document.
fn replace(value: &mut Value, left: &mut usize, with: &Value) -> bool {
    let children: Vec<&mut Value> = match value {
        Value::Object(map) => map.values_mut().collect(),
        Value::Array(items) => items.iter_mut().collect(),
        _ => Vec::new(),
    };
    for child in children {
        if *left == 0 {
            *child = with.clone();
            return true;
        }
        *left -= 1;
        if replace(child, left, with) {
            return true;
        }
    }
    false
}

fn judged(text: &str, release: Dynamo) -> Result<Vec<Check>, TestCaseError> {
    let checks = validate(text, release);
    let lines = text.lines().count().max(1) as u32;
    for check in &checks {
        prop_assert!(check.line.is_some_and(|line| (1..=lines).contains(&line)), "{check:?}");
        prop_assert!(!check.message.is_empty() && !check.rule.is_empty());
    }
    prop_assert!(
        checks.windows(2).all(|pair| (pair[0].severity, pair[0].line) <= (pair[1].severity, pair[1].line))
    );
    Ok(checks)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn no_text_makes_the_checks_fail(
        example in 0..EXAMPLES.len(),
        at in 0.0..1.0_f64,
        cut in 0..60_usize,
        insert in "[ -~\\n\\t\u{1}é\u{2028}&*!|>%@`:{}\\[\\]]{0,16}",
    ) {
        let text = EXAMPLES[example].1;
        let from = (at * text.len() as f64) as usize;
        let until = (from + cut).min(text.len());
        // Every example is ASCII.
        let changed = format!("{}{insert}{}", &text[..from], &text[until..]);
        for &release in Dynamo::ALL {
            judged(&changed, release)?;
        }
        judged(&text[..from], Dynamo::V1_6)?;
        judged(&insert, Dynamo::V1_6)?;
    }

    #[test]
    fn lines_in_any_order_get_a_verdict(example in 0..EXAMPLES.len(), moved in 0..200_usize, to in 0..200_usize) {
        let mut lines: Vec<&str> = EXAMPLES[example].1.lines().collect();
        let line = lines.remove(moved % lines.len());
        lines.insert(to % (lines.len() + 1), line);
        judged(&lines.join("\n"), Dynamo::V1_6)?;
    }

    #[test]
    fn any_value_anywhere_gets_a_verdict(example in 0..EXAMPLES.len(), at in 0..160_usize, kind in 0..12_usize) {
        let mut documents = documents(EXAMPLES[example].1);
        let values = [
            json!(null), json!(-1), json!(1e300), json!(u64::MAX), json!("x"), json!(""), json!("é\n"), json!([1]),
            json!([]), json!({"a": {}}), json!({}), json!(true),
        ];
        let mut left = at;
        for document in &mut documents {
            if replace(document, &mut left, &values[kind]) {
                break;
            }
        }
        judged(&joined(&documents), Dynamo::V1_6)?;
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        match decode(&bytes) {
            Ok(text) => drop(judged(text, Dynamo::V1_6)?),
            Err(check) => prop_assert!(check.is_error() && check.line.is_some()),
        }
    }
}
