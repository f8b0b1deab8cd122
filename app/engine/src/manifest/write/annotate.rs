//! Comments, reasons and quotes for YAML that serde wrote: two spaces a level, lists as deep as their key.

use crate::manifest::yaml::join;

/// Why a line is what it is, by path.
///
/// List items are numbered from 0, or called by their `name`; a flag in a list is called by itself, and so is its
/// value. Lines inside a block of text have the paths they have in there, below the key of the block.
#[derive(Clone, Debug)]
pub(super) struct Note {
    path: String,
    text: String,
    is_comment: bool,
}

impl Note {
    /// A comment above the line, which is its reason as well.
    pub(super) fn comment(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into(), is_comment: true }
    }

    /// A reason that is not in the text.
    pub(super) fn reason(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into(), is_comment: false }
    }

    /// The same note one step further down.
    pub(super) fn below(&self, path: &str) -> Self {
        Self { path: join(path, &self.path), ..self.clone() }
    }

    /// The same as a reason alone, where the comment already is in the text.
    pub(super) fn silent(self) -> Self {
        Self { is_comment: false, ..self }
    }
}

/// A text and the reasons of its lines, counted from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Annotated {
    pub(super) text: String,
    pub(super) reasons: Vec<(u32, String)>,
    lines: u32,
}

impl Annotated {
    /// Adds another document below.
    pub(super) fn append(&mut self, other: Self) {
        if self.lines > 0 {
            self.line("---");
        }
        self.join(other);
    }

    /// Adds lines below.
    pub(super) fn join(&mut self, other: Self) {
        let above = self.lines;
        self.text.push_str(&other.text);
        self.lines += other.lines;
        self.reasons.extend(other.reasons.into_iter().map(|(line, reason)| (line + above, reason)));
    }

    /// Adds a line.
    pub(super) fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
        self.lines += 1;
    }

    /// Adds a reason to the last line.
    pub(super) fn because(&mut self, reason: impl Into<String>) {
        self.reasons.push((self.lines, reason.into()));
    }

    /// Adds a comment, which is one line whatever is in it.
    pub(super) fn comment(&mut self, indent: &str, text: &str) {
        // A line break would end the comment.
        let text: String =
            text.chars().map(|c| if c.is_control() || is_line_break(c) { ' ' } else { c }).collect();
        self.line(&format!("{indent}# {text}"));
    }
}

/// Puts `header` above everything, comments above the lines they are about, and quotes where older parsers retype
/// a text.
pub(super) fn annotate(yaml: &str, header: &[String], notes: &[Note]) -> Annotated {
    let mut out = Annotated::default();
    for line in header {
        out.comment("", line);
    }
    let mut paths = Paths::default();
    for line in yaml.lines() {
        let indent = line.len() - line.trim_start_matches(' ').len();
        let (path, repeats) = paths.step(line, indent);
        let here = || notes.iter().filter(|note| note.path == path);
        if !paths.is_block() && !repeats {
            for note in here().filter(|note| note.is_comment) {
                out.comment(&line[..indent], &note.text);
            }
        }
        if paths.is_block() {
            out.line(line);
        } else {
            out.line(&quoted(line, &path));
        }
        let reasons: Vec<&str> = here().map(|note| note.text.as_str()).collect();
        if !reasons.is_empty() {
            out.because(reasons.join(" "));
        }
    }
    out
}

/// Where a line stands, from the lines above it.
#[derive(Default)]
struct Paths {
    /// Indent, name, and whether it is an item of a list.
    parents: Vec<(usize, String, bool)>,
    /// Items seen so far of the lists that are open, by indent.
    items: Vec<(usize, usize)>,
    /// The last flag of the list at this indent.
    flag: Option<(usize, String)>,
    /// Indent of the key of the block of text around this line.
    block: Option<usize>,
    /// Whether this line is inside that block.
    inside: bool,
}

impl Paths {
    /// Path of the next line, and whether it is the value of a flag in the line above.
    fn step(&mut self, line: &str, indent: usize) -> (String, bool) {
        let content = line.trim_start_matches(' ');
        self.inside = self.block.is_some_and(|block| content.is_empty() || indent > block);
        if !self.inside {
            self.block = None;
        }
        let repeats = self.enter(content, indent);
        if !self.inside && starts_block(content) {
            self.block = Some(indent);
        }
        let names = self.parents.iter().map(|(_, name, _)| name).filter(|name| !name.is_empty());
        let path = names.fold(String::new(), |path, name| join(&path, name));
        (path, repeats)
    }

    fn is_block(&self) -> bool {
        self.inside
    }

    fn enter(&mut self, content: &str, indent: usize) -> bool {
        let Some(item) = content.strip_prefix("- ") else {
            self.parents.retain(|(at, ..)| *at < indent);
            self.items.retain(|(at, _)| *at < indent);
            // A bracket of its own is no step down.
            let bare = content.trim_matches(['{', '}', '[', ']', ',']);
            self.parents.push((indent, key(content).unwrap_or(bare).to_owned(), false));
            return false;
        };
        // Items stand as deep as the key of their list.
        self.parents.retain(|(at, _, is_item)| *at < indent || (*at == indent && !is_item));
        self.items.retain(|(at, _)| *at <= indent);
        match self.items.last_mut().filter(|(at, _)| *at == indent) {
            Some((_, count)) => *count += 1,
            None => self.items.push((indent, 0)),
        }
        let number = self.items.last().map_or(0, |(_, count)| *count);
        if number == 0 {
            self.flag = None;
        }
        let value = unquoted(item);
        let mut repeats = false;
        let name = match (key(item), &self.flag) {
            (Some("name"), _) => {
                unquoted(item.split_once(':').map_or("", |(_, name)| name.trim())).to_owned()
            }
            (None, _) if value.starts_with("--") => {
                let flag = value.split('=').next().unwrap_or(value).to_owned();
                self.flag = Some((indent, flag.clone()));
                flag
            }
            (None, Some((at, flag))) if *at == indent => {
                repeats = true;
                flag.clone()
            }
            _ => number.to_string(),
        };
        self.parents.push((indent, name, true));
        repeats
    }
}

/// The key of a line, if it has one.
fn key(content: &str) -> Option<&str> {
    let (key, rest) = if let Some(quoted) = content.strip_prefix('"') {
        quoted.split_once("\":")?
    } else {
        content.split_once(':')?
    };
    let is_key = (rest.is_empty() || rest.starts_with(' ')) && !key.contains(['{', ' ', '\'', '"']);
    is_key.then_some(key)
}

fn unquoted(value: &str) -> &str {
    value.trim_matches(['\'', '"'])
}

/// Whether the lines below are one text.
fn starts_block(content: &str) -> bool {
    let value =
        content.rsplit_once(": ").map_or_else(|| content.trim_start_matches("- "), |(_, value)| value);
    matches!(value, "|" | "|-" | "|+" | ">" | ">-" | ">+")
}

/// Fields whose text the user chooses, whatever serde makes of them.
const TEXTS: &[&str] =
    &["metadata.name", "metadata.namespace", "spec.model", "spec.image", "spec.runtimeVersionOverride"];

/// The line with its value in quotes where an older parser would not read a text.
fn quoted(line: &str, path: &str) -> String {
    let content = line.trim_start_matches(' ');
    let start = match (content.strip_prefix("- "), content.split_once(": ")) {
        (_, Some((_, value))) if key(content.trim_start_matches("- ")).is_some() => line.len() - value.len(),
        (Some(item), _) => line.len() - item.len(),
        _ => return line.to_owned(),
    };
    let value = line[start..].trim();
    let is_text =
        || TEXTS.contains(&path) || matches!(serde_yaml::from_str(value), Ok(serde_yaml::Value::String(_)));
    if is_plain(value) && is_retyped(value) && is_text() {
        format!("{}'{}'", &line[..start], value.replace('\'', "''"))
    } else {
        line.to_owned()
    }
}

/// Line breaks of YAML 1.1 that are no control characters.
fn is_line_break(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}')
}

fn is_plain(value: &str) -> bool {
    !value.starts_with(['"', '\'', '|', '>', '[', '{'])
}

/// Whether YAML 1.1 may read a plain text as a boolean, a number, a date, null or a merge key.
fn is_retyped(value: &str) -> bool {
    const WORDS: &[&str] = &["", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", "=", "<<"];
    let digits = value.strip_prefix(['+', '-']).unwrap_or(value);
    let is_number = |c: char| c.is_ascii_hexdigit() || "xXoO_:.+-tTzZ".contains(c);
    digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') && digits.chars().all(is_number)
        || WORDS.contains(&value.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_stand_above_their_line() {
        let yaml = "spec:\n  model: m\n  sla:\n    itl: 30\n  workload:\n    isl: 1\n";
        let notes = [Note::comment("spec.sla.itl", "why\nnot"), Note::comment("spec.workload", "load")];
        let out = annotate(yaml, &["head".to_owned()], &notes);
        assert_eq!(
            out.text,
            "# head\nspec:\n  model: m\n  sla:\n    # why not\n    itl: 30\n  # load\n  workload:\n    isl: 1\n"
        );
        assert_eq!(out.reasons, [(6, "why\nnot".to_owned()), (8, "load".to_owned())]);
    }

    #[test]
    fn items_are_called_by_name_number_and_flag() {
        let yaml = "a:\n- name: x\n  b:\n  - --tp\n  - '2'\n  - -m\n  c:\n  - k: 1\n  - k: 2\n- name: w\n  b:\n  - one\nz: 1\n";
        let notes = [
            Note::reason("a.x.b.--tp", "two"),
            Note::reason("a.x.c.1", "second"),
            Note::comment("a.w", "named"),
            Note::reason("a.w.b.0", "first"),
            Note::reason("z", "end"),
        ];
        let out = annotate(yaml, &[], &notes);
        let said: Vec<(u32, &str)> = out.reasons.iter().map(|(line, why)| (*line, why.as_str())).collect();
        let expected =
            [(4, "two"), (5, "two"), (6, "two"), (9, "second"), (11, "named"), (13, "first"), (14, "end")];
        assert_eq!(said, expected);
        assert!(out.text.contains("\n# named\n- name: w\n"), "{}", out.text);
    }

    #[test]
    fn blocks_of_text_stay_as_they_are() {
        let yaml =
            "data:\n  e.yaml: |\n    n: on\n    m: 2\n  p.json: |-\n    {\n      \"itl\": 3\n    }\nb: on\n";
        let notes = [Note::comment("data.e.yaml.m", "two"), Note::reason("data.p.json.itl", "three")];
        let out = annotate(yaml, &[], &notes);
        assert_eq!(out.text, yaml.replace("b: on", "b: 'on'"));
        assert_eq!(out.reasons, [(4, "two".to_owned()), (7, "three".to_owned())]);
    }

    #[test]
    fn documents_are_counted_together() {
        let mut out = annotate("a: 1\n", &["h".to_owned()], &[]);
        out.append(annotate("b: 1\n", &[], &[Note::reason("b", "why")]));
        assert_eq!(out.text, "# h\na: 1\n---\nb: 1\n");
        assert_eq!(out.reasons, [(4, "why".to_owned())]);
    }

    #[test]
    fn texts_that_older_parsers_retype_are_quoted() {
        for (value, quoted) in [
            ("on", true),
            ("No", true),
            ("1e3", true),
            ("0x1f", true),
            ("1.6.1", true),
            ("12:30", true),
            ("onward", false),
        ] {
            let text = annotate(&format!("metadata:\n  namespace: {value}\n"), &[], &[]).text;
            assert_eq!(text.contains(&format!("'{value}'")), quoted, "{value}");
        }
        assert_eq!(annotate("metadata:\n  name: 'on'\n", &[], &[]).text, "metadata:\n  name: 'on'\n");
        assert_eq!(annotate("a:\n- off\n- 3\n- --tp\n", &[], &[]).text, "a:\n- 'off'\n- 3\n- --tp\n");
        assert_eq!(annotate("b: true\nc: 12\nd: null\n", &[], &[]).text, "b: true\nc: 12\nd: null\n");
    }
}
