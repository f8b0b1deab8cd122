//! The fixtures are what a cluster would accept: specifications by the checks of manifests, statuses by the published
//! schemas.

use engine::manifest::{Dynamo, Severity, validate};
use serde_json::{Map, Value};

use super::fixture;

const ALL: [&str; 4] = ["airline", "alpha", "grove", "unschedulable"];

fn ours(name: &str) -> Vec<Value> {
    let all = fixture(name).into_iter();
    all.filter(|one| one["apiVersion"].as_str().unwrap().starts_with("nvidia.com/")).collect()
}

#[test]
fn specifications_pass_the_checks_of_manifests() {
    for name in ALL {
        for mut object in ours(name) {
            object.as_object_mut().unwrap().remove("status");
            let metadata = object["metadata"].as_object_mut().unwrap();
            metadata.retain(|key, _| matches!(key.as_str(), "name" | "namespace" | "labels"));
            let findings = validate(&object.to_string(), Dynamo::V1_6);
            let errors: Vec<_> = findings.iter().filter(|one| one.severity == Severity::Error).collect();
            assert!(errors.is_empty(), "{name} {}: {errors:?}", object["metadata"]["name"]);
        }
    }
}

#[test]
fn statuses_fit_the_published_schemas() {
    let path = tests::root().join("tests/fixtures/kubernetes/status-schemas.json");
    let mut schemas: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let newer = schemas["component_since_1_6"].as_object().unwrap().clone();
    let component =
        "/kinds/DynamoGraphDeployment~1v1beta1/properties/components/additionalProperties/properties";
    schemas.pointer_mut(component).unwrap().as_object_mut().unwrap().extend(newer);
    let mut seen = 0;
    for name in ALL {
        for object in ours(name) {
            let text = |key: &str| object[key].as_str().unwrap().to_owned();
            let kind = format!("{}/{}", text("kind"), text("apiVersion").rsplit('/').next().unwrap());
            let mut wrong = Vec::new();
            check(&object["status"], &schemas["kinds"][&kind], "status", &mut wrong);
            assert!(wrong.is_empty(), "{name} {kind}: {wrong:?}");
            seen += 1;
        }
    }
    assert!(seen >= 10, "{seen}");
    // The check itself sees what is wrong.
    let mut wrong = Vec::new();
    let odd = serde_json::json!({"state": "happy", "components": {"x": {"replicas": "2"}}, "more": 1});
    check(&odd, &schemas["kinds"]["DynamoGraphDeployment/v1beta1"], "status", &mut wrong);
    assert_eq!(wrong.len(), 5, "{wrong:?}");
}

fn check(value: &Value, schema: &Value, path: &str, wrong: &mut Vec<String>) {
    let fits = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        _ => !schema.is_null(),
    };
    if !fits {
        wrong.push(format!("{path} has the wrong type"));
        return;
    }
    if schema["enum"].as_array().is_some_and(|allowed| !allowed.contains(value)) {
        wrong.push(format!("{path} is {value}"));
    }
    for (at, item) in value.as_array().into_iter().flatten().enumerate() {
        check(item, &schema["items"], &format!("{path}[{at}]"), wrong);
    }
    let Some(map) = value.as_object() else { return };
    for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !map.contains_key(key) {
            wrong.push(format!("{path}.{key} is missing"));
        }
    }
    let none = Map::new();
    let known = schema["properties"].as_object().unwrap_or(&none);
    for (key, value) in map {
        let path = format!("{path}.{key}");
        match known.get(key).or_else(|| schema.get("additionalProperties")) {
            Some(schema) => check(value, schema, &path, wrong),
            None if schema["x-kubernetes-preserve-unknown-fields"] == true => {}
            None => wrong.push(format!("{path} is not known")),
        }
    }
}
