//! From the parser's events to one value, within bounds.

use std::borrow::Cow;
use std::collections::BTreeMap;

use saphyr_parser::{Event, ScalarStyle, Tag};
use serde_json::{Map, Value};

use super::lines::{Below, Lines};
use super::scalar::{Meaning, meaning};
use super::{MAX_DEPTH, error, join, short};
use crate::manifest::Check;

/// Most bytes of the words of a text, once aliases are expanded.
const MAX_TEXT: usize = 8 << 20;
/// Most bytes of a key.
const MAX_KEY: usize = 1024;
/// More warnings about words help nobody.
const MAX_NOTES: usize = 20;

/// A value with its lines and what it takes.
#[derive(Clone, Debug)]
struct Node {
    value: Value,
    lines: Lines,
    size: Size,
}

/// Values and bytes of text.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    values: usize,
    text: usize,
}

impl Size {
    fn add(&mut self, other: Self) {
        self.values += other.values;
        self.text += other.text;
    }
}

/// A collection that is not complete.
struct Open {
    anchor: usize,
    line: u32,
    size: Size,
    kind: Kind,
}

enum Kind {
    List {
        items: Vec<Value>,
        lines: Vec<Lines>,
    },
    Map {
        map: Map<String, Value>,
        lines: BTreeMap<String, Lines>,
        key: Option<(Key, u32)>,
        merged: Vec<(Node, u32)>,
    },
}

enum Key {
    Name(String),
    /// `<<`: the entries of other mappings, unless they are written here.
    Merge,
}

/// Builds one document after the other.
pub(super) struct Builder {
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    root: Option<Node>,
    /// What was made of the text so far, copies included.
    made: Size,
    /// How many values it may have.
    most: usize,
    notes: Vec<Check>,
    last: u32,
}

impl Builder {
    /// For a text with so many lines, beyond which none is named, that may have so many values.
    pub(super) fn new(last: u32, most: usize) -> Self {
        let (made, root) = (Size::default(), None);
        Self { open: Vec::new(), anchors: BTreeMap::new(), root, made, most, notes: Vec::new(), last }
    }

    /// The value of the document that ends here with its lines, and notes about it; then the next one may begin.
    pub(super) fn finish(&mut self) -> (Option<(Value, Lines)>, Vec<Check>) {
        self.open.clear();
        self.anchors.clear();
        let root = self.root.take().map(|node| (node.value, node.lines));
        (root, std::mem::take(&mut self.notes))
    }

    /// How many values the text has so far.
    pub(super) fn values(&self) -> usize {
        self.made.values
    }

    /// Takes the next event.
    pub(super) fn event(&mut self, event: Event<'_>, line: u32) -> Result<(), Check> {
        let line = line.clamp(1, self.last);
        match event {
            Event::SequenceStart(anchor, tag) => {
                collection_tag(tag.as_deref(), "seq", line)?;
                self.begin(anchor, line, Kind::List { items: Vec::new(), lines: Vec::new() })
            }
            Event::MappingStart(anchor, tag) => {
                collection_tag(tag.as_deref(), "map", line)?;
                let (map, lines, merged) = (Map::new(), BTreeMap::new(), Vec::new());
                self.begin(anchor, line, Kind::Map { map, lines, key: None, merged })
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(line),
            Event::Scalar(text, style, anchor, tag) => {
                if self.expects_key() {
                    return self.key(&text, style, anchor, tag.as_deref(), line);
                }
                let value = self.scalar(text, style, tag.as_deref(), line)?;
                let text = value.as_str().map_or(0, str::len);
                // With properties before it, a block's mark is theirs.
                let bare = style == ScalarStyle::Literal && anchor == 0 && tag.is_none();
                let block = bare.then(|| {
                    // The mark of a block is its first line with a word in it.
                    let empty =
                        value.as_str().map_or(0, |text| text.len() - text.trim_start_matches('\n').len());
                    line.saturating_sub(empty as u32).max(1)
                });
                let lines = Lines { line, block, below: Below::Nothing };
                let size = Size { values: 1, text };
                self.count(size, line)?;
                self.place(Node { value, lines, size }, anchor, line)
            }
            Event::Alias(anchor) => {
                if self.expects_key() {
                    return Err(error("A key must be written out; an alias cannot be one.").at_line(line));
                }
                let Some(size) = self.anchors.get(&anchor).map(|node| node.size) else {
                    return Err(error("An alias stands inside of what it refers to.").at_line(line));
                };
                self.count(size, line)?;
                let Some(node) = self.anchors.get(&anchor).cloned() else { return Ok(()) };
                self.place(node, 0, line)
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, anchor: usize, line: u32, kind: Kind) -> Result<(), Check> {
        if self.expects_key() {
            return Err(error("A key here is a list or a mapping; write a text.").at_line(line));
        }
        if self.open.len() >= MAX_DEPTH {
            let message = format!("More than {MAX_DEPTH} levels are nested here; no manifest is that deep.");
            return Err(error(message).at_line(line));
        }
        let size = Size { values: 1, text: 0 };
        self.count(size, line)?;
        self.open.push(Open { anchor, line, size, kind });
        Ok(())
    }

    fn end(&mut self, line: u32) -> Result<(), Check> {
        let Some(Open { anchor, line: start, size, kind }) = self.open.pop() else {
            return Ok(());
        };
        let (value, below) = match kind {
            Kind::List { items, lines } => (Value::Array(items), Below::Items(lines)),
            Kind::Map { mut map, mut lines, merged, .. } => {
                for (node, line) in merged {
                    merge(node, &mut map, &mut lines, line)?;
                }
                (Value::Object(map), Below::Entries(lines))
            }
        };
        let lines = Lines { line: start, block: None, below };
        self.place(Node { value, lines, size }, anchor, line)
    }

    /// Puts a complete value where it belongs.
    fn place(&mut self, mut node: Node, anchor: usize, line: u32) -> Result<(), Check> {
        if anchor != 0 {
            self.count(node.size, line)?;
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        open.size.add(node.size);
        match &mut open.kind {
            Kind::List { items, lines } => {
                items.push(node.value);
                lines.push(node.lines);
            }
            Kind::Map { map, lines, key, merged } => match key.take() {
                Some((Key::Name(name), line)) => {
                    node.lines.line = line;
                    lines.insert(name.clone(), node.lines);
                    map.insert(name, node.value);
                }
                Some((Key::Merge, line)) => merged.push((node, line)),
                None => {}
            },
        }
        Ok(())
    }

    fn count(&mut self, size: Size, line: u32) -> Result<(), Check> {
        self.made.add(size);
        if self.made.values > self.most || self.made.text > MAX_TEXT {
            let message =
                "Here is more than any manifest holds; aliases may multiply it. Remove what is too much.";
            return Err(error(message).at_line(line));
        }
        Ok(())
    }

    fn expects_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { kind: Kind::Map { key: None, .. }, .. }))
    }

    fn key(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        line: u32,
    ) -> Result<(), Check> {
        if text.len() > MAX_KEY {
            let message = format!("The key {} is longer than {MAX_KEY} characters.", short(text));
            return Err(error(message).at_line(line));
        }
        let plain = style == ScalarStyle::Plain && tag.is_none();
        let is_text = match meaning(text) {
            Meaning::Plain(value) => value.is_string(),
            Meaning::Surprising(_) | Meaning::NoNumber => false,
        };
        if (plain && !is_text) || tag.is_some_and(|tag| core_tag(tag) != Some("str")) {
            let message = format!("The key {text:?} is not a text; put it in quotes.");
            return Err(error(message).at_line(line));
        }
        if anchor != 0 {
            let (value, text) = (Value::String(text.to_owned()), text.len());
            let lines = Lines { line, ..Lines::default() };
            self.count(Size { values: 1, text }, line)?;
            self.anchors.insert(anchor, Node { value, lines, size: Size { values: 1, text } });
        }
        self.count(Size { values: 0, text: 2 * text.len() }, line)?;
        let Some(Open { kind: Kind::Map { lines, key, .. }, size, .. }) = self.open.last_mut() else {
            return Ok(());
        };
        size.text += 2 * text.len();
        if let Some(first) = lines.get(text) {
            let message =
                format!("The key {text} stands here a second time; the first is in line {}.", first.line);
            return Err(error(message).at_line(line));
        }
        let name = if plain && text == "<<" { Key::Merge } else { Key::Name(text.to_owned()) };
        *key = Some((name, line));
        Ok(())
    }

    fn scalar(
        &mut self,
        text: Cow<'_, str>,
        style: ScalarStyle,
        tag: Option<&Tag>,
        line: u32,
    ) -> Result<Value, Check> {
        let wanted = match tag {
            None if style == ScalarStyle::Plain => None,
            None => Some("str"),
            Some(tag) => Some(core_tag(tag).ok_or_else(|| unknown_tag(tag, line))?),
        };
        if wanted == Some("str") {
            return Ok(Value::String(text.into_owned()));
        }
        let value = match meaning(&text) {
            Meaning::Plain(value) => value,
            Meaning::Surprising(value) => {
                self.note(&text, &value, line);
                value
            }
            Meaning::NoNumber => {
                let message = format!("{} cannot be stored; write a finite number.", short(&text));
                return Err(Check::error(self.path(), "yaml", message).at_line(line));
            }
        };
        let fits = match wanted {
            Some("null") => value.is_null(),
            Some("bool") => value.is_boolean(),
            Some("int") => value.is_i64() || value.is_u64(),
            Some("float") => value.is_number(),
            Some(_) => false,
            None => true,
        };
        if fits {
            Ok(value)
        } else {
            let message = format!("{} is not of the kind that its tag says; remove the tag.", short(&text));
            Err(Check::error(self.path(), "yaml", message).at_line(line))
        }
    }

    fn note(&mut self, text: &str, value: &Value, line: u32) {
        if self.notes.len() < MAX_NOTES {
            let message = format!(
                "The cluster reads {} as {value}; write {value}, or put it in quotes if it is a text.",
                short(text)
            );
            self.notes.push(Check::warning(self.path(), "yaml-1.1", message).at_line(line));
        }
    }

    /// Path of the value that comes next.
    fn path(&self) -> String {
        self.open.iter().fold(String::new(), |path, open| match &open.kind {
            Kind::List { items, .. } => join(&path, &items.len().to_string()),
            Kind::Map { key: Some((Key::Name(name), _)), .. } => join(&path, name),
            Kind::Map { .. } => path,
        })
    }
}

/// Adds the entries of a mapping, or of a list of mappings, that are not there yet.
fn merge(
    node: Node,
    map: &mut Map<String, Value>,
    lines: &mut BTreeMap<String, Lines>,
    line: u32,
) -> Result<(), Check> {
    let parts = match (node.value, node.lines.below) {
        (Value::Array(items), Below::Items(below)) => {
            items.into_iter().zip(below.into_iter().map(|lines| lines.below)).collect()
        }
        part => vec![part],
    };
    for part in parts {
        let (Value::Object(entries), Below::Entries(mut below)) = part else {
            return Err(error("<< merges mappings, and here it is given something else.").at_line(line));
        };
        for (key, value) in entries {
            if !map.contains_key(&key) {
                lines.insert(key.clone(), below.remove(&key).unwrap_or_default());
                map.insert(key, value);
            }
        }
    }
    Ok(())
}

/// Name of a tag that every reader knows.
fn core_tag(tag: &Tag) -> Option<&str> {
    let name = if tag.is_yaml_core_schema() {
        tag.suffix.as_str()
    } else {
        tag.handle.strip_prefix("tag:yaml.org,2002:").filter(|_| tag.suffix.is_empty())?
    };
    ["str", "int", "float", "bool", "null", "map", "seq"].into_iter().find(|known| *known == name)
}

fn collection_tag(tag: Option<&Tag>, wanted: &str, line: u32) -> Result<(), Check> {
    match tag {
        Some(tag) if core_tag(tag) != Some(wanted) => Err(unknown_tag(tag, line)),
        _ => Ok(()),
    }
}

fn unknown_tag(tag: &Tag, line: u32) -> Check {
    let name = format!("{}{}", tag.handle, tag.suffix);
    let message = format!("The tag {} is not understood by a cluster; remove it.", short(&name));
    error(message).at_line(line)
}
