//! Comments and quotes for YAML that serde wrote: block mappings of scalars, two spaces a level.

use crate::manifest::yaml::join;

/// Why a line has its value, by path.
pub(super) type Comments = Vec<(&'static str, String)>;

/// Puts `header` above everything, a comment above each named line, and quotes where older parsers retype a text.
pub(super) fn annotate(yaml: &str, header: &[String], comments: &Comments) -> String {
    let mut out = String::with_capacity(yaml.len() * 2);
    for line in header {
        comment(&mut out, "", line);
    }
    let mut parents: Vec<&str> = Vec::new();
    for line in yaml.lines() {
        let indent = line.len() - line.trim_start_matches(' ').len();
        let (key, value) = line[indent..].split_once(':').unwrap_or((&line[indent..], ""));
        parents.truncate(indent / 2);
        parents.push(key);
        let path = parents.iter().fold(String::new(), |path, key| join(&path, key));
        for (_, text) in comments.iter().filter(|(at, _)| *at == path) {
            comment(&mut out, &line[..indent], text);
        }
        let value = value.trim_start();
        if TEXTS.contains(&path.as_str()) && is_plain(value) && is_retyped(value) {
            out.push_str(&line[..indent]);
            out.push_str(key);
            out.push_str(": '");
            out.push_str(&value.replace('\'', "''"));
            out.push_str("'\n");
        } else {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// Fields whose text the user chooses; all others are words of the format itself.
const TEXTS: &[&str] =
    &["metadata.name", "metadata.namespace", "spec.model", "spec.image", "spec.runtimeVersionOverride"];

fn comment(out: &mut String, indent: &str, text: &str) {
    out.push_str(indent);
    out.push_str("# ");
    // A line break would end the comment.
    out.extend(text.chars().map(|c| if c.is_control() || is_line_break(c) { ' ' } else { c }));
    out.push('\n');
}

/// Line breaks of YAML 1.1 that are no control characters.
fn is_line_break(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}')
}

fn is_plain(value: &str) -> bool {
    !value.starts_with(['"', '\'', '|', '>'])
}

/// Whether YAML 1.1 may read a plain text as a boolean, a number, a date, null or a merge key.
fn is_retyped(value: &str) -> bool {
    const WORDS: &[&str] = &["", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", "=", "<<"];
    value.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'))
        || WORDS.contains(&value.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_stand_above_their_line() {
        let yaml = "spec:\n  model: m\n  sla:\n    itl: 30\n  workload:\n    isl: 1\n";
        let comments = vec![("spec.sla.itl", "why\nnot".to_owned()), ("spec.workload", "load".to_owned())];
        assert_eq!(
            annotate(yaml, &["head".to_owned()], &comments),
            "# head\nspec:\n  model: m\n  sla:\n    # why not\n    itl: 30\n  # load\n  workload:\n    isl: 1\n"
        );
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
            let text = annotate(&format!("metadata:\n  namespace: {value}\n"), &[], &Comments::new());
            assert_eq!(text.contains(&format!("'{value}'")), quoted, "{value}");
        }
        assert_eq!(annotate("metadata:\n  name: 'on'\n", &[], &Comments::new()), "metadata:\n  name: 'on'\n");
    }
}
