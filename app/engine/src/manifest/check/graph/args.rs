//! What a container is started with.

use serde_json::Value;

use crate::manifest::yaml::join;

/// Command and arguments of a container, split into words.
pub(in crate::manifest::check) struct Args<'a> {
    words: Vec<Word<'a>>,
    flags: Vec<Flag>,
}

struct Word<'a> {
    text: std::borrow::Cow<'a, str>,
    path: String,
}

/// One flag with its values.
pub(in crate::manifest::check) struct Flag {
    /// Its name with dashes, such as `--max-num-seqs`; the names behind `--trtllm.` keep their underscores.
    pub(super) name: String,
    pub(super) values: Vec<String>,
    /// Where it stands.
    pub(super) path: String,
    value_path: Option<String>,
}

impl Flag {
    /// Where its first value stands; the flag itself without one.
    pub(super) fn value_path(&self) -> &str {
        self.value_path.as_deref().unwrap_or(&self.path)
    }
}

impl<'a> Args<'a> {
    pub(super) fn new(container: Option<&'a Value>, path: &str) -> Self {
        let mut words: Vec<Word<'a>> = Vec::new();
        for key in ["command", "args"] {
            let list = container.and_then(|container| container.get(key)).and_then(Value::as_array);
            for (at, text) in list.into_iter().flatten().enumerate() {
                let Some(text) = text.as_str() else { continue };
                let path = join(&join(path, key), &at.to_string());
                let shell = words.iter().any(|word| is_shell(&word.text))
                    && words
                        .last()
                        .is_some_and(|word| word.text.starts_with('-') && word.text.ends_with('c'));
                if shell {
                    words.extend(
                        split(text).into_iter().map(|text| Word { text: text.into(), path: path.clone() }),
                    );
                } else {
                    words.push(Word { text: text.into(), path });
                }
            }
        }
        let flags = flags(&words);
        Self { words, flags }
    }

    /// Whether there is neither command nor argument.
    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The module that Python runs, such as `dynamo.vllm`.
    pub(super) fn module(&self) -> Option<&str> {
        let after =
            self.words.windows(2).find(|pair| pair[0].text == "-m" && pair[1].text.starts_with("dynamo."));
        after.map(|pair| pair[1].text.as_ref())
    }

    /// The last flag with one of these names, which is the one that counts.
    pub(super) fn flag(&self, names: &[&str]) -> Option<&Flag> {
        self.flags.iter().rev().find(|flag| names.contains(&flag.name.as_str()))
    }

    /// Every flag.
    pub(super) fn flags(&self) -> &[Flag] {
        &self.flags
    }

    pub(super) fn has(&self, names: &[&str]) -> bool {
        self.flag(names).is_some()
    }

    /// First value of a flag.
    pub(super) fn value(&self, names: &[&str]) -> Option<&str> {
        self.flag(names)?.values.first().map(String::as_str)
    }

    /// A whole number; the default when the flag is absent, none when it cannot be read here.
    pub(super) fn size(&self, names: &[&str], default: u64) -> Option<u64> {
        match self.flag(names) {
            None => Some(default),
            Some(flag) => {
                flag.values.first()?.parse().ok().filter(|&size| (1..=u64::from(u32::MAX)).contains(&size))
            }
        }
    }

    /// A whole number that is given and can be read.
    pub(super) fn given(&self, names: &[&str]) -> Option<u64> {
        self.value(names)?.parse().ok()
    }

    /// What part of a request it serves, by its flags.
    pub(super) fn disaggregation(&self) -> Option<&str> {
        match self.value(&["--disaggregation-mode"]) {
            None if self.has(&["--is-prefill-worker"]) => Some("prefill"),
            None if self.has(&["--is-decode-worker"]) => Some("decode"),
            mode => mode,
        }
    }
}

fn is_shell(word: &str) -> bool {
    matches!(word.rsplit('/').next(), Some("sh" | "bash" | "dash" | "ash" | "zsh"))
}

/// Splits a line as a shell does, without expanding anything.
fn split(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut begun) = (Vec::new(), String::new(), None, false);
    let mut letters = line.chars();
    while let Some(c) = letters.next() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('\'' | '"', None) => (quote, begun) = (Some(c), true),
            ('\\', None | Some('"')) => match letters.next() {
                Some('\n') | None => {}
                Some(next) => {
                    word.push(next);
                    begun = true;
                }
            },
            (c, None) if c.is_whitespace() || matches!(c, ';' | '&' | '|') => {
                if begun {
                    words.push(std::mem::take(&mut word));
                    begun = false;
                }
            }
            (c, _) => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    words
}

fn flags(words: &[Word<'_>]) -> Vec<Flag> {
    let mut flags: Vec<Flag> = Vec::new();
    for word in words {
        if is_flag(&word.text) {
            let (name, value) = match word.text.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (word.text.as_ref(), None),
            };
            let name = if name.starts_with("--trtllm.") { name.to_owned() } else { name.replace('_', "-") };
            let values = value.into_iter().collect();
            flags.push(Flag { name, values, path: word.path.clone(), value_path: None });
        } else if let Some(flag) = flags.last_mut() {
            if flag.values.is_empty() {
                flag.value_path = Some(word.path.clone());
            }
            flag.values.push(word.text.clone().into_owned());
        }
    }
    flags
}

/// A dash and a letter: numbers may be negative.
fn is_flag(word: &str) -> bool {
    let name = word.strip_prefix("--").or_else(|| word.strip_prefix('-'));
    name.is_some_and(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn words_become_flags() {
        let container = json!({
            "command": ["python3", "-m", "dynamo.vllm"],
            "args": ["--tp=2", "--max_num_seqs", "8", "--sizes", "1", "2", "-1", "--flag", "--tp", "4", 5],
        });
        let args = Args::new(Some(&container), "c");
        assert_eq!(args.module(), Some("dynamo.vllm"));
        assert_eq!(args.size(&["--tp"], 1), Some(4));
        assert_eq!(args.flag(&["--tp"]).map(|flag| flag.path.as_str()), Some("c.args.8"));
        assert_eq!(args.given(&["--max-num-seqs"]), Some(8));
        assert_eq!(args.flag(&["--sizes"]).map(|flag| flag.values.len()), Some(3));
        assert_eq!((args.size(&["--none"], 7), args.size(&["--flag"], 7)), (Some(7), None));
    }

    #[test]
    fn a_line_for_a_shell_is_split() {
        let line = "cd /x && exec python3 -m dynamo.sglang --tp 2 \\\n  --json '{\"a\": 1}' --name \"b c\"";
        let container = json!({"command": ["/bin/bash", "-c"], "args": [line]});
        let args = Args::new(Some(&container), "c");
        assert_eq!(args.module(), Some("dynamo.sglang"));
        assert_eq!(args.value(&["--tp"]), Some("2"));
        assert_eq!(args.value(&["--json"]), Some("{\"a\": 1}"));
        assert_eq!(args.value(&["--name"]), Some("b c"));
        assert_eq!(args.flag(&["--name"]).map(|flag| flag.path.as_str()), Some("c.args.0"));
    }
}
