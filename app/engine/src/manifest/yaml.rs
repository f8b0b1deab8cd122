//! YAML in: one document as JSON, or what is wrong with it.

use serde_json::{Map, Number, Value};
use serde_yaml::Value as Yaml;

use super::Check;

/// Longer than any request; an object in a cluster may not be larger either.
const MAX_BYTES: usize = 1 << 20;

/// Reads one document whose root is a mapping.
pub(super) fn read(text: &str) -> Result<Value, Check> {
    if text.len() > MAX_BYTES {
        return Err(Check::error(
            "",
            "yaml",
            "The text is longer than 1 MiB, the most that a cluster stores.",
        ));
    }
    let mut document: Yaml = serde_yaml::from_str(text).map_err(|error| {
        Check::error("", "yaml", format!("This is not one valid YAML document: {error}."))
    })?;
    document
        .apply_merge()
        .map_err(|error| Check::error("", "yaml", format!("A merge key cannot be applied: {error}.")))?;
    let value = json(document, "")?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(Check::error("", "yaml", "The document is empty or no mapping; paste a whole manifest."))
    }
}

fn json(value: Yaml, path: &str) -> Result<Value, Check> {
    Ok(match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(flag) => Value::Bool(flag),
        Yaml::String(text) => Value::String(text),
        Yaml::Number(number) => Value::Number(json_number(&number).ok_or_else(|| {
            Check::error(path, "yaml", format!("{number} cannot be stored; write a finite number."))
        })?),
        Yaml::Sequence(items) => Value::Array(
            items
                .into_iter()
                .enumerate()
                .map(|(at, item)| json(item, &join(path, &at.to_string())))
                .collect::<Result<_, _>>()?,
        ),
        Yaml::Mapping(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                let Yaml::String(key) = key else {
                    return Err(Check::error(path, "yaml", "A key here is not a text; put it in quotes."));
                };
                let value = json(value, &join(path, &key))?;
                map.insert(key, value);
            }
            Value::Object(map)
        }
        Yaml::Tagged(tagged) => {
            let message = format!("The tag {} is not understood by a cluster; remove it.", tagged.tag);
            return Err(Check::error(path, "yaml", message));
        }
    })
}

fn json_number(number: &serde_yaml::Number) -> Option<Number> {
    if let Some(value) = number.as_u64() {
        Some(value.into())
    } else if let Some(value) = number.as_i64() {
        Some(value.into())
    } else {
        Number::from_f64(number.as_f64()?)
    }
}

/// One step further down.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_manifest_is_refused_with_a_reason() {
        let deep = format!("a: {}1{}", "[".repeat(5000), "]".repeat(5000));
        let long = format!("a: {}", "x".repeat(MAX_BYTES));
        let levels =
            (1..12).map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", ")));
        let bomb = format!("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{}", levels.collect::<String>());
        let cases = [
            "",
            "~",
            "- 1",
            "just text",
            "a: 1\na: 2",
            "a: 1\n---\nb: 2",
            "a: [",
            "\ta: 1",
            "a: .nan",
            "1: a",
            "a: !x 1",
            "a: *missing",
            "a: \"\u{0}\"",
            "<<: 3",
            &deep,
            &long,
            &bomb,
        ];
        for text in cases {
            let check = read(text).err();
            let check =
                check.unwrap_or_else(|| panic!("accepted: {}", text.chars().take(60).collect::<String>()));
            assert!(check.is_error() && check.rule == "yaml" && check.message.len() > 10);
        }
    }

    #[test]
    fn one_document_is_read() {
        let value = read("# c\n---\na: {b: [1, 2.5, yes, null, -3, '4']}\n").unwrap();
        assert_eq!(value, serde_json::json!({"a": {"b": [1, 2.5, "yes", null, -3, "4"]}}));
    }
}
