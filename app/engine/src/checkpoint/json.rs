//! From text to a JSON object, as Python's reader would have it.

use serde_json::{Map, Value};

use super::error::{CheckpointError, File};

/// Longest text that is read, bytes; the longest known description, which lists every expert, has 3 MB.
pub const MAX_BYTES: usize = 1 << 22;

/// The object that a file holds.
pub(super) fn object(text: &str, file: File) -> Result<Map<String, Value>, CheckpointError> {
    if text.len() > MAX_BYTES {
        return Err(CheckpointError::TooLarge { file, bytes: text.len() });
    }
    let text = plain(text.trim_start_matches('\u{feff}'));
    let value: Value = serde_json::from_str(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let why = error.to_string();
        let why = why.split(" at line ").next().unwrap_or_default().to_owned();
        CheckpointError::Syntax { file, line, column, why }
    })?;
    match value {
        Value::Object(map) => Ok(map),
        other => Err(CheckpointError::NotObject { file, found: kind(&other) }),
    }
}

/// What a value is, for people.
pub(super) const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The text with `NaN` and `Infinity`, which Python writes and JSON does not know, replaced by `null`.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_string = false;
    while let Some(c) = rest.chars().next() {
        let mut taken = c.len_utf8();
        if in_string {
            match c {
                '\\' => taken += rest[taken..].chars().next().map_or(0, char::len_utf8),
                '"' => in_string = false,
                _ => {}
            }
        } else if c == '"' {
            in_string = true;
        } else if let Some(word) =
            ["NaN", "-Infinity", "Infinity"].iter().find(|word| rest.starts_with(**word))
        {
            out.push_str("null");
            rest = &rest[word.len()..];
            continue;
        }
        out.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_none_become_null() {
        assert_eq!(
            plain(r#"{"a":[0.0,Infinity],"b":-Infinity,"c":NaN}"#),
            r#"{"a":[0.0,null],"b":null,"c":null}"#
        );
        let kept = r#"{"NaN":"Infinity \" NaN \\"}"#;
        assert_eq!(plain(kept), kept);
        assert_eq!(plain("\"\\"), "\"\\");
    }
}
