//! The published schema of a request: types, limits and unknown fields.
//!
//! `schema/dgdr.v1beta1.json` is the structural schema of the custom resource definition as of Dynamo 1.5,
//! reduced to what is checked; `schema/dgdr.v1beta1.since-1.6.json` is merged over it for 1.6.

use serde_json::{Map, Value};

use crate::manifest::names::semver_core;
use crate::manifest::yaml::join;
use crate::manifest::{Check, Dynamo};

const SCHEMA: &str = include_str!("../../../schema/dgdr.v1beta1.json");
const SINCE_1_6: &str = include_str!("../../../schema/dgdr.v1beta1.since-1.6.json");

const SEMVER: &str = r"^(0|[1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,3})$";
const QUANTITY: &str = r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$";

/// Checks a document against the schema of a release.
pub(super) fn check(document: &Value, release: Dynamo) -> Vec<Check> {
    let mut checks = Vec::new();
    walk(document, &schema(release), "", &mut checks);
    checks
}

fn schema(release: Dynamo) -> Value {
    // Both files are part of the program; a test reads them.
    let mut schema: Value = serde_json::from_str(SCHEMA).unwrap_or_default();
    if release >= Dynamo::V1_6 {
        let newer: Value = serde_json::from_str(SINCE_1_6).unwrap_or_default();
        merge(&mut schema, newer);
    }
    schema
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

fn flag(schema: &Value, key: &str) -> bool {
    schema.get(key).and_then(Value::as_bool).unwrap_or(false)
}

fn walk(value: &Value, schema: &Value, path: &str, out: &mut Vec<Check>) {
    if value.is_null() {
        // The API server drops null where a field may not be null, so it counts as absent.
        return;
    }
    if flag(schema, "x-kubernetes-int-or-string") {
        match value {
            Value::String(text) => pattern(text, schema, path, out),
            Value::Number(number) if number.is_u64() || number.is_i64() => {}
            _ => out.push(Check::error(
                path,
                "type",
                format!("{} must be a whole number or a text.", name(path)),
            )),
        }
        return;
    }
    if let Some(wanted) = schema.get("type").and_then(Value::as_str)
        && !has_type(value, wanted)
    {
        let message = format!("{} must be {}, not {}.", name(path), type_name(wanted), shown(value));
        out.push(Check::error(path, "type", message));
        return;
    }
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
        && !allowed.contains(value)
    {
        let allowed: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
        let message =
            format!("{} is {}; it must be one of {}.", name(path), shown(value), allowed.join(", "));
        out.push(Check::error(path, "enum", message));
    }
    match value {
        Value::String(text) => string(text, schema, path, out),
        Value::Number(_) => range(value, schema, path, out),
        Value::Array(items) => {
            if let Some(item) = schema.get("items") {
                for (at, value) in items.iter().enumerate() {
                    walk(value, item, &join(path, &at.to_string()), out);
                }
            }
        }
        Value::Object(map) => object(map, schema, path, out),
        Value::Null | Value::Bool(_) => {}
    }
}

fn object(map: &Map<String, Value>, schema: &Value, path: &str, out: &mut Vec<Check>) {
    for key in
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    {
        if map.get(key).is_none_or(Value::is_null) {
            out.push(Check::error(join(path, key), "required", format!("{key} is missing; it is required.")));
        }
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    let others = schema.get("additionalProperties");
    let open = flag(schema, "x-kubernetes-preserve-unknown-fields")
        || flag(schema, "x-kubernetes-embedded-resource")
        || others == Some(&Value::Bool(true));
    for (key, value) in map {
        let below = join(path, key);
        if let Some(property) = properties.and_then(|properties| properties.get(key)) {
            walk(value, property, &below, out);
        } else if let Some(other) = others.filter(|other| other.is_object()) {
            walk(value, other, &below, out);
        } else if !open {
            let message = format!(
                "{below} is not a field of this version; the cluster would drop it without a word. Remove it or check its spelling."
            );
            out.push(Check::error(below, "unknown-field", message));
        }
    }
}

fn string(text: &str, schema: &Value, path: &str, out: &mut Vec<Check>) {
    let length = text.chars().count() as u64;
    if schema.get("minLength").and_then(Value::as_u64).is_some_and(|least| length < least) {
        out.push(Check::error(path, "length", format!("{} must not be empty.", name(path))));
    }
    if let Some(most) = schema.get("maxLength").and_then(Value::as_u64).filter(|&most| length > most) {
        let message = format!("{} has {length} characters; at most {most} are allowed.", name(path));
        out.push(Check::error(path, "length", message));
    }
    pattern(text, schema, path, out);
}

fn pattern(text: &str, schema: &Value, path: &str, out: &mut Vec<Check>) {
    let (fits, wanted) = match schema.get("pattern").and_then(Value::as_str) {
        Some(SEMVER) => (semver_core(text).is_some(), "a version such as 1.6.1, without leading zeros"),
        Some(QUANTITY) => (is_quantity(text), "a quantity such as 8, 500m or 64Gi"),
        // The schema has no other pattern; a test holds it to that.
        _ => return,
    };
    if !fits {
        let message = format!("{} is {text:?}; it must be {wanted}.", name(path));
        out.push(Check::error(path, "pattern", message));
    }
}

fn range(value: &Value, schema: &Value, path: &str, out: &mut Vec<Check>) {
    let number = value.as_f64().unwrap_or_default();
    let limit = |key: &str| schema.get(key).and_then(Value::as_f64);
    let (least, most) = match schema.get("format").and_then(Value::as_str) {
        Some("int32") => (Some(f64::from(i32::MIN)), Some(f64::from(i32::MAX))),
        _ => (None, None),
    };
    let least = limit("minimum").or(least);
    let most = limit("maximum").or(most);
    if least.is_some_and(|least| number < least) || most.is_some_and(|most| number > most) {
        out.push(Check::error(path, "range", format!("{} is {value}, which is out of range.", name(path))));
    }
}

/// A sign, a decimal number, then a suffix or an exponent.
fn is_quantity(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    is_decimal(number)
        && (matches!(
            suffix,
            "" | "n"
                | "u"
                | "m"
                | "k"
                | "M"
                | "G"
                | "T"
                | "P"
                | "E"
                | "Ki"
                | "Mi"
                | "Gi"
                | "Ti"
                | "Pi"
                | "Ei"
        ) || suffix
            .strip_prefix(['e', 'E'])
            .is_some_and(|exponent| is_decimal(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))))
}

fn is_decimal(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && text.bytes().filter(|&byte| byte == b'.').count() <= 1
}

fn has_type(value: &Value, wanted: &str) -> bool {
    match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => true,
    }
}

fn type_name(wanted: &str) -> &str {
    match wanted {
        "object" => "a mapping",
        "array" => "a list",
        "string" => "a text",
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        other => other,
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Object(_) => "a mapping".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::String(text) => format!("{:?}", text.chars().take(60).collect::<String>()),
        other => other.to_string(),
    }
}

fn name(path: &str) -> &str {
    if path.is_empty() { "The document" } else { path }
}

#[cfg(test)]
mod tests {
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
        let schema = schema(Dynamo::V1_6);
        let mut found = Vec::new();
        patterns(&schema, &mut found);
        assert!(found.contains(&SEMVER) && found.contains(&QUANTITY));
        assert!(found.iter().all(|pattern| [SEMVER, QUANTITY].contains(pattern)), "{found:?}");
    }

    fn rules(spec: &Value) -> Vec<(String, std::borrow::Cow<'static, str>)> {
        let document = json!({"apiVersion": "a", "kind": "k", "metadata": {"anything": 1}, "spec": spec});
        check(&document, Dynamo::V1_6).into_iter().map(|check| (check.path, check.rule)).collect()
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
        assert_eq!(
            rules(&container(json!({"limit": {}}))),
            [(format!("{at}.limit"), "unknown-field".into())]
        );
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
        assert_eq!(check(&json!({}), Dynamo::V1_5).len(), 4);
    }

    #[test]
    fn quantities() {
        for good in ["8", "500m", "64Gi", "1.5", ".5", "5.", "-1", "+2", "1e3", "1E-3", "2e+.5"] {
            assert!(is_quantity(good), "{good}");
        }
        for bad in ["", "Gi", "1 Gi", "1GB", "1.2.3", "1e", "e3", "--1", ".", "64gi"] {
            assert!(!is_quantity(bad), "{bad}");
        }
    }
}
