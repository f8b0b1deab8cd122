//! YAML in: every document of a text as the JSON that a cluster would store, with the line of each value; or what
//! is wrong with it.
//!
//! Values are those that `kubectl` reads. It follows YAML 1.1, where `yes` is true and `0777` is 511; whoever meant
//! something else is warned.

mod build;
mod lines;
mod scalar;

use saphyr_parser::{Event, Parser, Span};
use serde_json::Value;

use self::build::Builder;
use self::lines::Lines;
use super::Check;

/// Longer than any manifest: a cluster stores objects of about 1 MiB.
const MAX_BYTES: usize = 2 << 20;
/// Most values of a text, aliases written out.
pub(super) const MAX_VALUES: usize = 100_000;
/// Deeper than any manifest.
const MAX_DEPTH: usize = 100;

/// One document of a text; its root is a mapping.
#[derive(Clone, Debug)]
pub(super) struct Document {
    /// What it says, as JSON.
    pub(super) value: Value,
    /// What somebody may have meant otherwise.
    pub(super) notes: Vec<Check>,
    lines: Lines,
}

impl Document {
    /// Line of the whole text, counted from 1, of a dotted path whose list items are numbered from 0; where the path
    /// leads nowhere, that of the nearest parent.
    pub(super) fn line(&self, path: &str) -> Option<u32> {
        let line = self.lines.nearest(path).line;
        (line > 0).then_some(line)
    }

    /// Line of the first line of a text that stands in a block of its own (`|`) at this path.
    pub(super) fn block_line(&self, path: &str) -> Option<u32> {
        self.lines.exact(path)?.block
    }
}

/// The documents of a text; empty ones are left out, and a text without any is an error.
pub(super) fn documents(text: &str) -> Result<Vec<Document>, Check> {
    documents_within(text, &mut { MAX_VALUES })
}

/// The same for one of several texts, which share how many values they may have; what was read is taken off, even
/// from a text that turns out to be none.
pub(super) fn documents_within(text: &str, left: &mut usize) -> Result<Vec<Document>, Check> {
    let last = text.lines().count().max(1) as u32;
    let mut builder = Builder::new(last, *left);
    let read = read(text, &mut builder);
    *left = left.saturating_sub(builder.values());
    // What is missing at the end of a text may be one line past it.
    read.map_err(|check| Check { line: check.line.map(|line| line.clamp(1, last)), ..check })
}

/// The text of a file; none but UTF-8 is read. An error carries the line of the first byte that is not.
pub fn decode(bytes: &[u8]) -> Result<&str, Check> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(error("The file is UTF-16; save it as UTF-8.").at_line(1));
    }
    std::str::from_utf8(bytes).map_err(|at| {
        let line = bytes[..at.valid_up_to()].split(|&byte| byte == b'\n').count();
        error("The file is not UTF-8 here; save it as UTF-8.").at_line(line as u32)
    })
}

fn read(text: &str, builder: &mut Builder) -> Result<Vec<Document>, Check> {
    if text.len() > MAX_BYTES {
        let message = "The text is longer than 2 MiB; a cluster stores about 1 MiB per object. Split it.";
        return Err(error(message).at_line(1));
    }
    printable(text)?;
    let mut parser = Parser::new_from_str(text);
    let mut documents = Vec::new();
    while let Some(next) = parser.next_event() {
        let (event, span) = next.map_err(|error| syntax(text, &error))?;
        match event {
            Event::DocumentEnd => documents.extend(document(builder)?),
            Event::StreamEnd => break,
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) => {}
            event => builder.event(event, line_of(span))?,
        }
    }
    if documents.is_empty() {
        return Err(error("The text holds no document; paste a whole manifest.").at_line(1));
    }
    Ok(documents)
}

fn line_of(span: Span) -> u32 {
    span.start.line() as u32
}

fn document(builder: &mut Builder) -> Result<Option<Document>, Check> {
    let (Some((value, lines)), notes) = builder.finish() else {
        return Ok(None);
    };
    match value {
        Value::Null => Ok(None),
        Value::Object(_) => Ok(Some(Document { value, notes, lines })),
        _ => {
            let message = "The document is no mapping of keys to values; paste a whole manifest.";
            Err(error(message).at_line(lines.line))
        }
    }
}

/// What the parser said, with what usually causes it.
fn syntax(text: &str, found: &saphyr_parser::ScanError) -> Check {
    let line = found.marker().line();
    let indented_by_tab = text
        .lines()
        .nth(line.saturating_sub(1))
        .is_some_and(|line| line[..line.len() - line.trim_start().len()].contains('\t'));
    let hint = if indented_by_tab { " The line is indented by a tab; YAML wants spaces." } else { "" };
    error(format!("This is not valid YAML: {}.{hint}", found.info())).at_line(line as u32)
}

/// Refuses what YAML excludes from every text.
fn printable(text: &str) -> Result<(), Check> {
    let mut line = 1;
    for c in text.chars() {
        match c {
            '\n' => line += 1,
            '\t' | '\r' | '\u{85}' => {}
            c if c.is_control() => {
                let message =
                    format!("The character U+{:04X} is not allowed in YAML; remove it.", u32::from(c));
                return Err(error(message).at_line(line));
            }
            _ => {}
        }
    }
    Ok(())
}

/// A word short enough for a sentence.
fn short(word: &str) -> String {
    let mut short: String = word.chars().take(60).collect();
    if short.len() < word.len() {
        short.push('…');
    }
    short
}

fn error(message: impl Into<String>) -> Check {
    Check::error("", "yaml", message)
}

/// One step further down.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

#[cfg(test)]
mod tests;
