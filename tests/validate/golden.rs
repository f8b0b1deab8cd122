//! Known cases: mutated manifests, references, names.

use std::fs;
use std::path::PathBuf;

use engine::manifest::{Check, Dynamo, Severity, grove_names, validate};
use serde_json::{Value, json};

use super::{EXAMPLES, documents, example, joined};

fn golden(name: &str) -> Value {
    let folder =
        std::env::var_os("GOLDEN_DIR").map_or_else(|| tests::root().join("tests/golden"), PathBuf::from);
    let path = folder.join("manifests").join(name);
    serde_json::from_str(
        &fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
    )
    .unwrap()
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
