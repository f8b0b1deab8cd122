//! The keys of an object, each read as what it must be. A key whose value is `null` counts as absent.

use serde_json::{Map, Value};

use super::error::CheckpointError;
use super::json::kind;

/// Longest excerpt of a value in an error, characters.
const EXCERPT: usize = 40;

/// An object of a file and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Keys<'a> {
    map: &'a Map<String, Value>,
    path: String,
}

impl<'a> Keys<'a> {
    pub(super) fn new(map: &'a Map<String, Value>, path: impl Into<String>) -> Self {
        Self { map, path: path.into() }
    }

    /// A key with the objects it stands in.
    pub(super) fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.map.iter()
    }

    pub(super) fn missing(&self, key: &str) -> CheckpointError {
        CheckpointError::Missing { key: self.name(key) }
    }

    fn kind(&self, key: &str, value: &Value, must: &'static str) -> CheckpointError {
        CheckpointError::Kind { key: self.name(key), found: kind(value), must }
    }

    pub(super) fn value(&self, key: &str, value: &Value, must: impl Into<String>) -> CheckpointError {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        CheckpointError::Value { key: self.name(key), value: excerpt(&text), must: must.into() }
    }

    /// A whole number.
    pub(super) fn whole(&self, key: &str) -> Result<Option<u32>, CheckpointError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        self.as_whole(key, value).map(Some)
    }

    /// One number of a list, or the value of a key, as a whole number.
    pub(super) fn as_whole(&self, key: &str, value: &Value) -> Result<u32, CheckpointError> {
        match value {
            Value::Number(number) => number
                .as_u64()
                .and_then(|number| u32::try_from(number).ok())
                .ok_or_else(|| self.value(key, value, "a whole number from 0 to 4,294,967,295")),
            other => Err(self.kind(key, other, "a whole number")),
        }
    }

    pub(super) fn need(&self, key: &str) -> Result<u32, CheckpointError> {
        self.whole(key)?.ok_or_else(|| self.missing(key))
    }

    pub(super) fn or_zero(&self, key: &str) -> Result<u32, CheckpointError> {
        Ok(self.whole(key)?.unwrap_or(0))
    }

    /// The first of these that is given and not zero; else zero.
    pub(super) fn first_of(&self, keys: &[&str]) -> Result<u32, CheckpointError> {
        for key in keys {
            match self.or_zero(key)? {
                0 => {}
                found => return Ok(found),
            }
        }
        Ok(0)
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, CheckpointError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.kind(key, other, "text")),
        }
    }

    /// Yes or no; absent means no.
    pub(super) fn flag(&self, key: &str) -> Result<bool, CheckpointError> {
        match self.get(key) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(self.kind(key, other, "true or false")),
        }
    }

    pub(super) fn list(&self, key: &str) -> Result<Option<&'a [Value]>, CheckpointError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(other) => Err(self.kind(key, other, "a list")),
        }
    }

    /// A list with one entry per layer.
    pub(super) fn per_layer(&self, key: &str, layers: u32) -> Result<&'a [Value], CheckpointError> {
        let items = self.list(key)?.ok_or_else(|| self.missing(key))?;
        if items.len() == layers as usize { Ok(items) } else { Err(self.length(key, items.len(), layers)) }
    }

    pub(super) fn length(&self, key: &str, have: usize, layers: u32) -> CheckpointError {
        let (key, value) = (self.name(key), format!("a list of {have}"));
        CheckpointError::Value {
            key,
            value,
            must: format!("a list with an entry for each of the {layers} layers"),
        }
    }

    /// Entries of a list of texts; other entries are refused.
    pub(super) fn words(&self, key: &str) -> Result<Vec<&'a str>, CheckpointError> {
        let items = self.list(key)?.unwrap_or_default();
        items
            .iter()
            .map(|item| item.as_str().ok_or_else(|| self.kind(key, item, "a list of texts")))
            .collect()
    }

    pub(super) fn object(&self, key: &str) -> Result<Option<Keys<'a>>, CheckpointError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Keys::new(map, self.name(key)))),
            Some(other) => Err(self.kind(key, other, "an object")),
        }
    }
}

/// A foreign text, cut.
pub(super) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
