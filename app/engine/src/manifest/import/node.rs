//! Walking a document with the lines of its values.

use serde_json::{Map, Value};

use super::settings::{Notes, Said};
use crate::manifest::yaml::Document;
use crate::text::Why;

/// A value of a document.
#[derive(Clone)]
pub(super) struct Node<'a> {
    document: &'a Document,
    value: &'a Value,
    path: String,
    /// Lines of the whole text before the document.
    before: u32,
}

impl<'a> Node<'a> {
    pub(super) fn root(document: &'a Document) -> Self {
        Self::inside(document, 1)
    }

    /// A document inside of a text, in which it begins at this line.
    pub(super) fn inside(document: &'a Document, line: u32) -> Self {
        Self { document, value: &document.value, path: String::new(), before: line.saturating_sub(1) }
    }

    pub(super) fn value(&self) -> &'a Value {
        self.value
    }

    pub(super) fn line(&self) -> u32 {
        self.before + self.document.line(&self.path).unwrap_or(1)
    }

    /// Line of a dotted path below.
    pub(super) fn line_of(&self, below: &str) -> u32 {
        self.before + self.document.line(&join(&self.path, below)).unwrap_or(1)
    }

    /// Line that the text of a value begins in, where it has lines of its own.
    pub(super) fn text_line(&self) -> u32 {
        self.document.block_line(&self.path).map_or_else(|| self.line(), |line| self.before + line)
    }

    /// A value below; none when there is none, or null.
    pub(super) fn get(&self, key: &str) -> Option<Node<'a>> {
        let value = self.value.get(key).filter(|value| !value.is_null())?;
        Some(Node { value, path: join(&self.path, key), ..*self })
    }

    /// A value several keys below.
    pub(super) fn at(&self, keys: &[&str]) -> Option<Node<'a>> {
        keys.iter().try_fold(self.clone(), |node, key| node.get(key))
    }

    /// Values of a list; of anything else none.
    pub(super) fn items(&self) -> Vec<Node<'a>> {
        let items = self.value.as_array().map(Vec::as_slice).unwrap_or_default();
        let node = |(at, value): (usize, &'a Value)| Node {
            value,
            path: join(&self.path, &at.to_string()),
            ..*self
        };
        items.iter().enumerate().map(node).collect()
    }

    /// Keys and values of a group; of anything else none.
    pub(super) fn entries(&self) -> Vec<(&'a str, Node<'a>)> {
        let map: Option<&'a Map<String, Value>> = self.value.as_object();
        let node = |(key, value): (&'a String, &'a Value)| {
            (key.as_str(), Node { value, path: join(&self.path, key), ..*self })
        };
        map.into_iter().flatten().map(node).collect()
    }

    /// What stands there, for a person: `key: value`.
    pub(super) fn shown(&self) -> String {
        let key = self.path.rsplit('.').next().unwrap_or_default();
        match self.value {
            Value::String(text) => format!("{key}: {text}"),
            Value::Object(_) | Value::Array(_) => format!("{key}:"),
            other => format!("{key}: {other}"),
        }
    }

    pub(super) fn unread(&self, notes: &mut Notes, why: &Why<'_>) {
        notes.unread(Some(self.line()), &self.shown(), why);
    }

    /// A text; numbers count as texts, as they do for arguments.
    pub(super) fn text(&self, notes: &mut Notes) -> Option<Said<String>> {
        let value = match self.value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            _ => {
                self.unread(notes, &Why::NotText);
                return None;
            }
        };
        Some(Said { value, line: self.line() })
    }

    /// A whole number of at least 1, also as a text.
    pub(super) fn whole(&self, notes: &mut Notes) -> Option<Said<u32>> {
        let number = match self.value {
            Value::Number(number) => number.as_u64().or_else(|| whole_float(number.as_f64()?)),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let value = number.and_then(|number| u32::try_from(number).ok()).filter(|&number| number > 0);
        if value.is_none() {
            self.unread(notes, &Why::NotWhole);
        }
        Some(Said { value: value?, line: self.line() })
    }

    /// A number above 0, also as a text.
    pub(super) fn number(&self, notes: &mut Notes) -> Option<Said<f64>> {
        let number = match self.value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let value = number.filter(|&number: &f64| number.is_finite() && number > 0.0);
        if value.is_none() {
            self.unread(notes, &Why::NotNumber);
        }
        Some(Said { value: value?, line: self.line() })
    }

    /// Notes every key that is none of these.
    pub(super) fn only(&self, known: &[&str], notes: &mut Notes) {
        for (key, value) in self.entries() {
            if !known.contains(&key) {
                value.unread(notes, &Why::UnknownKey);
            }
        }
    }

    /// A group below; anything else in its place is noted.
    pub(super) fn group(&self, key: &str, notes: &mut Notes) -> Option<Node<'a>> {
        let node = self.get(key)?;
        if node.value.is_object() {
            return Some(node);
        }
        node.unread(notes, &Why::NotMap);
        None
    }
}

fn whole_float(number: f64) -> Option<u64> {
    (number.fract() == 0.0 && (0.0..=1e9).contains(&number)).then_some(number as u64)
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
