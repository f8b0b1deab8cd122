use super::*;
use serde_json::json;

fn patterns<'a>(schema: &'a Value, out: &mut Vec<&'a str>) {
    match schema {
        Value::Object(map) => {
            out.extend(map.get("pattern").and_then(Value::as_str));
            map.values().for_each(|value| patterns(value, out));
        }
        Value::Array(items) => items.iter().for_each(|item| patterns(item, out)),
        _ => {}
    }
}

#[test]
fn every_pattern_of_the_schema_is_checked() {
    let schemas = Schemas::new(Dynamo::V1_6);
    let mut found = Vec::new();
    patterns(&schemas.all, &mut found);
    let distinct: BTreeSet<&str> = found.iter().copied().collect();
    assert_eq!(distinct.len(), 6, "{distinct:?}");
    for pattern in found {
        assert!(pattern::is_known(pattern), "{pattern}");
    }
}

fn found(document: &Value) -> Vec<Check> {
    let mut out = Vec::new();
    Schemas::new(Dynamo::V1_6).check(document, "DynamoGraphDeploymentRequest/v1beta1", &mut out);
    out
}

fn rules(spec: &Value) -> Vec<(String, std::borrow::Cow<'static, str>)> {
    let document = json!({"apiVersion": "a", "kind": "k", "metadata": {"anything": 1}, "spec": spec});
    found(&document).into_iter().map(|check| (check.path, check.rule)).collect()
}

#[test]
fn the_whole_job_template_is_typed() {
    let container = |resources: Value| {
        json!({"model": "m", "overrides": {"profilingJob": {"template": {"spec": {"containers": [
            {"name": "profiler", "resources": resources}]}}}}})
    };
    assert_eq!(rules(&container(json!({"limits": {"memory": "64Gi", "cpu": 2}}))), vec![]);
    let at = "spec.overrides.profilingJob.template.spec.containers.0.resources";
    assert_eq!(
        rules(&container(json!({"limits": {"memory": "64GB"}}))),
        [(format!("{at}.limits.memory"), "pattern".into())]
    );
    assert_eq!(
        rules(&container(json!({"limits": {"cpu": 1.5}}))),
        [(format!("{at}.limits.cpu"), "type".into())]
    );
    assert_eq!(rules(&container(json!({"limit": {}}))), [(format!("{at}.limit"), "unknown-field".into())]);
}

#[test]
fn types_ranges_and_required_fields() {
    let hardware = |value: Value| json!({"model": "m", "hardware": {"totalGpus": value}});
    assert_eq!(rules(&hardware(json!(32))), vec![]);
    for value in [json!("32"), json!(32.5), json!([]), json!(true)] {
        assert_eq!(rules(&hardware(value)), [("spec.hardware.totalGpus".to_owned(), "type".into())]);
    }
    assert_eq!(
        rules(&hardware(json!(3_000_000_000_u64))),
        [("spec.hardware.totalGpus".to_owned(), "range".into())]
    );
    assert_eq!(rules(&json!({})), [("spec.model".to_owned(), "required".into())]);
    assert_eq!(found(&json!({"spec": {"model": "m"}})), []);
}

#[test]
fn every_part_that_is_written_elsewhere_exists() {
    fn refs<'a>(schema: &'a Value, out: &mut Vec<&'a str>) {
        match schema {
            Value::Object(map) => {
                out.extend(map.get("$ref").and_then(Value::as_str));
                map.values().for_each(|value| refs(value, out));
            }
            Value::Array(items) => items.iter().for_each(|item| refs(item, out)),
            _ => {}
        }
    }
    let schemas = Schemas::new(Dynamo::V1_6);
    let mut found = Vec::new();
    refs(&schemas.all, &mut found);
    assert!(found.len() > 100);
    for name in found {
        assert!(schemas.all["definitions"].get(name).is_some(), "{name}");
    }
    for kind in
        ["DynamoGraphDeployment", "DynamoGraphDeploymentRequest", "DynamoGraphDeploymentScalingAdapter"]
    {
        for version in ["v1alpha1", "v1beta1"] {
            assert!(schemas.all["kinds"].get(format!("{kind}/{version}")).is_some(), "{kind} {version}");
        }
    }
}

#[test]
fn lists_that_are_merged_by_name_have_no_name_twice() {
    let ports = json!([{"containerPort": 1}, {"containerPort": 1, "protocol": "UDP"}, {"containerPort": 1, "protocol": "TCP"}]);
    let spec = json!({"model": "m", "overrides": {"profilingJob": {"template": {"spec": {"containers": [
        {"name": "a", "ports": ports}, {"name": "a"}, 1]}}}}});
    let at = "spec.overrides.profilingJob.template.spec.containers";
    let expected: Vec<(String, std::borrow::Cow<'_, str>)> =
        [("0.ports.2", "duplicate"), ("2", "type"), ("1", "duplicate")]
            .into_iter()
            .map(|(path, rule)| (format!("{at}.{path}"), rule.into()))
            .collect();
    assert_eq!(rules(&spec), expected);
}

#[test]
fn a_near_miss_is_named() {
    let names = ["replicas", "scalingAdapter", "tp"];
    for (word, near) in [
        ("replica", Some("replicas")),
        ("scaling_adapter", Some("scalingAdapter")),
        ("scalingadaptr", Some("scalingAdapter")),
        ("tp2", None),
        ("gpus", None),
        ("", None),
    ] {
        assert_eq!(nearest(word, names.iter().copied()), near, "{word}");
    }
}
