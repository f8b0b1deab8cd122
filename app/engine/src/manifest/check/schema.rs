//! The published schemas: types, limits and unknown fields.
//!
//! `schema/dynamo.json` holds the structural schemas of the custom resource definitions as of Dynamo 1.5, reduced to
//! what is checked, each part that occurs twice written once; `schema/since-1.6.json` is merged over it for 1.6.

mod pattern;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::manifest::yaml::join;
use crate::manifest::{Check, Dynamo};

const SCHEMAS: &str = include_str!("../../../schema/dynamo.json");
const SINCE_1_6: &str = include_str!("../../../schema/since-1.6.json");

/// Whoever has so many mistakes has made one of another kind.
const MAX_FINDINGS: usize = 2000;

/// The schemas of a release.
pub(super) struct Schemas {
    all: Value,
}

impl Schemas {
    /// Those of this release.
    pub(super) fn new(release: Dynamo) -> Self {
        // Both files are part of the program; a test reads them.
        let mut all: Value = serde_json::from_str(SCHEMAS).unwrap_or_default();
        if release >= Dynamo::V1_6 {
            merge(&mut all, serde_json::from_str(SINCE_1_6).unwrap_or_default());
        }
        Self { all }
    }

    /// Checks a document of a kind, such as `DynamoGraphDeployment/v1beta1`.
    pub(super) fn check(&self, document: &Value, kind: &str, out: &mut Vec<Check>) {
        if let Some(schema) = self.all.get("kinds").and_then(|kinds| kinds.get(kind)) {
            Walk { schemas: self, partial: false, out }.value(document, schema, "");
        }
    }

    /// Checks a document that is merged into another one: nothing is required, and `$patch` may say how to merge.
    pub(super) fn check_partial(&self, document: &Value, kind: &str, path: &str, out: &mut Vec<Check>) {
        if let Some(schema) = self.all.get("kinds").and_then(|kinds| kinds.get(kind)) {
            Walk { schemas: self, partial: true, out }.value(document, schema, path);
        }
    }

    /// The part that is written elsewhere.
    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let name = schema.get("$ref").and_then(Value::as_str);
        name.and_then(|name| self.all.get("definitions")?.get(name)).unwrap_or(schema)
    }
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

fn count(schema: &Value, key: &str) -> Option<u64> {
    schema.get(key).and_then(Value::as_u64)
}

struct Walk<'a> {
    schemas: &'a Schemas,
    partial: bool,
    out: &'a mut Vec<Check>,
}

impl Walk<'_> {
    fn error(&mut self, path: impl Into<String>, rule: &'static str, message: impl Into<String>) {
        self.out.push(Check::error(path, rule, message));
    }

    fn value(&mut self, value: &Value, schema: &Value, path: &str) {
        let schemas = self.schemas;
        let schema = schemas.resolved(schema);
        if value.is_null() || self.out.len() > MAX_FINDINGS {
            // The API server drops null where a field may not be null, so it counts as absent.
            return;
        }
        if flag(schema, "x-kubernetes-int-or-string") {
            match value {
                Value::String(text) => self.pattern(text, schema, path),
                Value::Number(number) if number.is_u64() || number.is_i64() => {}
                _ => {
                    let message =
                        format!("{} must be a whole number or a text, not {}.", name(path), shown(value));
                    self.error(path, "type", message);
                }
            }
            return;
        }
        if let Some(wanted) = schema.get("type").and_then(Value::as_str)
            && !has_type(value, wanted)
        {
            let hint = if wanted == "string" && !value.is_object() && !value.is_array() {
                format!(" Write \"{value}\".")
            } else {
                String::new()
            };
            let message =
                format!("{} must be {}, not {}.{hint}", name(path), type_name(wanted), shown(value));
            self.error(path, "type", message);
            return;
        }
        if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
            && !allowed.contains(value)
        {
            let allowed: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
            let message =
                format!("{} is {}; it must be one of {}.", name(path), shown(value), allowed.join(", "));
            self.error(path, "enum", message);
        }
        match value {
            Value::String(text) => self.string(text, schema, path),
            Value::Number(_) => self.range(value, schema, path),
            Value::Array(items) => self.list(items, schema, path),
            Value::Object(map) => self.object(map, schema, path),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn object(&mut self, map: &Map<String, Value>, schema: &Value, path: &str) {
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        for key in required.filter_map(Value::as_str).filter(|_| !self.partial) {
            if map.get(key).is_none_or(Value::is_null) {
                self.out.push(Check::error(
                    join(path, key),
                    "required",
                    format!("{key} is missing; it is required."),
                ));
            }
        }
        let most = count(schema, "maxProperties").filter(|&most| map.len() as u64 > most);
        if let Some(most) = most {
            let message = format!("{} has {} entries; at most {most} are allowed.", name(path), map.len());
            self.error(path, "length", message);
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties");
        let open = flag(schema, "x-kubernetes-preserve-unknown-fields")
            || flag(schema, "x-kubernetes-embedded-resource")
            || others == Some(&Value::Bool(true));
        for (key, value) in map {
            if self.out.len() > MAX_FINDINGS {
                return;
            }
            let below = join(path, key);
            if let Some(property) = properties.and_then(|properties| properties.get(key)) {
                self.value(value, property, &below);
            } else if let Some(other) = others.filter(|other| other.is_object()) {
                self.value(value, other, &below);
            } else if !(open || self.partial && key == "$patch") {
                let near = properties.and_then(|properties| nearest(key, properties.keys()));
                let hint = near.map_or_else(
                    || "Remove it or check its spelling.".to_owned(),
                    |near| format!("Is {near} meant?"),
                );
                let message = format!(
                    "{below} is not a field of this version; the cluster would drop it without a word. {hint}"
                );
                self.error(below, "unknown-field", message);
            }
        }
    }

    fn list(&mut self, items: &[Value], schema: &Value, path: &str) {
        if let Some(most) = count(schema, "maxItems").filter(|&most| items.len() as u64 > most) {
            let message = format!("{} has {} entries; at most {most} are allowed.", name(path), items.len());
            self.error(path, "length", message);
        }
        if let Some(item) = schema.get("items") {
            for (at, value) in items.iter().enumerate() {
                self.value(value, item, &join(path, &at.to_string()));
            }
        }
        let keys: Option<Vec<&str>> = match schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array)
        {
            Some(keys) => Some(keys.iter().filter_map(Value::as_str).collect()),
            None if schema.get("x-kubernetes-list-type").is_some() => Some(Vec::new()),
            None => None,
        };
        if let Some(keys) = keys {
            self.unique(items, &keys, path);
        }
    }

    /// Items of a list that is merged by keys must differ in them; those of a set, in themselves.
    fn unique(&mut self, items: &[Value], keys: &[&str], path: &str) {
        let mut seen = BTreeSet::new();
        for (at, item) in items.iter().enumerate() {
            let identity = if keys.is_empty() {
                item.to_string()
            } else if item.is_object() {
                // The only key with a default.
                let of = |key: &&str| match item.get(key) {
                    None if *key == "protocol" => "\"TCP\"".to_owned(),
                    found => found.map(Value::to_string).unwrap_or_default(),
                };
                keys.iter().map(of).collect::<Vec<_>>().join(", ")
            } else {
                continue;
            };
            if !seen.insert(identity.clone()) {
                let message = if keys.is_empty() {
                    format!("{identity} stands in {} twice; remove one.", name(path))
                } else {
                    format!("Two entries of {} have {} {identity}; rename one.", name(path), keys.join(", "))
                };
                self.error(join(path, &at.to_string()), "duplicate", message);
            }
        }
    }

    fn string(&mut self, text: &str, schema: &Value, path: &str) {
        let length = text.chars().count() as u64;
        if count(schema, "minLength").is_some_and(|least| length < least) {
            self.error(path, "length", format!("{} must not be empty.", name(path)));
            return;
        }
        if let Some(most) = count(schema, "maxLength").filter(|&most| length > most) {
            let message = format!("{} has {length} characters; at most {most} are allowed.", name(path));
            self.error(path, "length", message);
        }
        self.pattern(text, schema, path);
    }

    fn pattern(&mut self, text: &str, schema: &Value, path: &str) {
        let pattern = schema.get("pattern").and_then(Value::as_str);
        if let Some(wanted) = pattern.and_then(|pattern| pattern::misfit(text, pattern)) {
            let message = format!("{} is {}; it must be {wanted}.", name(path), quoted(text));
            self.error(path, "pattern", message);
        }
    }

    fn range(&mut self, value: &Value, schema: &Value, path: &str) {
        let number = value.as_f64().unwrap_or_default();
        let limit = |key: &str| schema.get(key).and_then(Value::as_f64);
        let (least, most) = match schema.get("format").and_then(Value::as_str) {
            Some("int32") => (Some(f64::from(i32::MIN)), Some(f64::from(i32::MAX))),
            _ => (None, None),
        };
        let (least, most) = (limit("minimum").or(least), limit("maximum").or(most));
        let bound = match (least.filter(|&least| number < least), most.filter(|&most| number > most)) {
            (Some(least), _) => format!("at least {}", crate::format::plain(least)),
            (_, Some(most)) => format!("at most {}", crate::format::plain(most)),
            _ => return,
        };
        self.error(path, "range", format!("{} is {value}; it must be {bound}.", name(path)));
    }
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

/// A value short enough for a sentence.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Object(_) => "a mapping".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::String(text) => quoted(text),
        other => other.to_string(),
    }
}

/// A text short enough for a sentence.
pub(super) fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

fn name(path: &str) -> &str {
    if path.is_empty() { "The document" } else { path }
}

/// A known name that differs by case, punctuation or a letter or two.
pub(super) fn nearest<'a, S: AsRef<str> + ?Sized + 'a>(
    word: &str,
    known: impl Iterator<Item = &'a S>,
) -> Option<&'a str> {
    let plain = |word: &str| {
        word.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
    };
    let wanted = plain(word);
    if !(3..=60).contains(&wanted.len()) {
        return None;
    }
    let near =
        known.map(|name| (distance(wanted.as_bytes(), plain(name.as_ref()).as_bytes()), name.as_ref()));
    near.filter(|(distance, name)| name.len() > 2 && *distance <= 1 + wanted.len() / 8)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Letters to insert, remove or replace.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut corner = i;
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        for (j, y) in b.iter().enumerate() {
            let replaced = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(corner + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
