//! One mistake at a time in a reference.

use engine::manifest::{Dynamo, validate};

use super::example;

/// A mistake: the example, a text in it, what stands there instead, then where it is found and by which rule.
type Mistake = (&'static str, &'static str, &'static str, &'static str, &'static str);

const VLLM: &str = "dgd-vllm-disagg-planner-v1beta1.yaml";
const SGLANG: &str = "dgd-sglang-disagg-planner-v1beta1.yaml";
pub(crate) const MOE: &str = "dgd-sglang-moe-multinode-agg-v1beta1.yaml";
const TRTLLM: &str = "dgd-trtllm-disagg-planner-v1beta1.yaml";
pub(crate) const ALPHA: &str = "dgd-vllm-disagg-v1alpha1.yaml";
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
        if found.is_none() {
            wrong.push(format!("{file}: {from:?} → {to:?}: {path} {rule}: {checks:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
