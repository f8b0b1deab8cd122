//! Kinds of documents, and the form of what is found.

use engine::manifest::{Check, Dynamo, validate};
use serde_json::json;

use super::example;
use super::mistakes::{ALPHA, MOE};

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
    assert_eq!(paths(text), std::slice::from_ref(&deprecated));
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
