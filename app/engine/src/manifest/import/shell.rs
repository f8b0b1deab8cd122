//! Commands as people paste them: words with their lines, files written in passing, variables filled in.
//!
//! Not a shell. It knows quotes, continuations, comments, separators, redirections, here-documents and plain
//! assignments; what it cannot fill in stays as it is and is marked.

use std::collections::BTreeMap;

/// A word of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// Without its quotes, variables filled in.
    pub text: String,
    /// Line that it begins in, counted from 1.
    pub line: u32,
    /// A variable that no assignment of the text sets.
    pub unset: Option<String>,
}

/// Words up to a line break or a separator.
pub(super) type Command = Vec<Word>;

/// A file whose content stands in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    /// Path as it was written.
    pub path: String,
    /// What is in it.
    pub text: String,
    /// Line of the whole text that it begins in.
    pub line: u32,
}

/// Everything of a text.
#[derive(Debug, Default)]
pub(super) struct Script {
    /// Commands, in order; none is empty.
    pub commands: Vec<Command>,
    /// Files that here-documents write.
    pub files: Vec<File>,
    /// Line of a quote that never ends; nothing behind it was read.
    pub open_quote: Option<u32>,
}

/// Variables and their values.
pub(super) type Variables = BTreeMap<String, String>;

/// Reads a text whose first line has this number; `known` variables are filled in.
pub(super) fn read(text: &str, first_line: u32, known: &Variables) -> Script {
    let mut reader = Reader {
        text,
        at: 0,
        line: first_line,
        command: Vec::new(),
        heredocs: Vec::new(),
        redirect: None,
        target: None,
        script: Script::default(),
        variables: known.clone(),
    };
    while reader.step() {}
    reader.end_command();
    reader.script
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    command: Command,
    /// Ends of here-documents that begin on the next line.
    heredocs: Vec<Heredoc>,
    /// What the next word is to a redirection.
    redirect: Option<Redirect>,
    /// File that the command writes to.
    target: Option<String>,
    script: Script,
    variables: Variables,
}

#[derive(Clone, Copy, PartialEq)]
enum Redirect {
    Into,
    Other,
    Heredoc { tabs: bool },
}

struct Heredoc {
    end: String,
    /// Whether leading tabs do not count.
    tabs: bool,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Reads one more word, separator or line; false at the end.
    fn step(&mut self) -> bool {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return false };
        let taken = match first {
            '\n' => {
                self.at += 1;
                self.line += 1;
                self.end_line();
                return true;
            }
            ' ' | '\t' | '\r' => 1,
            '\\' if rest[1..].starts_with('\n') || rest[1..].starts_with("\r\n") => {
                self.line += 1;
                if rest[1..].starts_with('\n') { 2 } else { 3 }
            }
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '&' if rest.starts_with("&>") => 1,
            ';' | '|' | '(' | ')' | '&' => {
                self.at += 1;
                self.end_command();
                return true;
            }
            '<' | '>' => self.redirection(),
            _ => return self.word(),
        };
        self.at += taken;
        true
    }

    /// Length of a redirection; what follows is no word of the command.
    fn redirection(&mut self) -> usize {
        let rest = self.rest();
        let found = [
            ("<<<", Redirect::Other),
            ("<<-", Redirect::Heredoc { tabs: true }),
            ("<<", Redirect::Heredoc { tabs: false }),
            (">>", Redirect::Into),
            (">&", Redirect::Other),
            ("<", Redirect::Other),
            (">", Redirect::Into),
        ];
        let found = found.into_iter().find(|(sign, _)| rest.starts_with(sign));
        let (sign, redirect) = found.unwrap_or((">", Redirect::Other));
        self.redirect = Some(redirect);
        sign.len()
    }

    /// Reads a word; false when a quote of it never ends.
    fn word(&mut self) -> bool {
        let (start, line) = (self.at, self.line);
        let rest = self.rest();
        let (mut quote, mut escaped, mut opened) = (None, false, line);
        let (mut breaks, mut expands, mut end) = (0, false, rest.len());
        // Whether `$(` is open: blanks inside of it belong to the word.
        let (mut inside, mut last) = (false, ' ');
        for (at, c) in rest.char_indices() {
            let skipped = std::mem::take(&mut escaped);
            let before = std::mem::replace(&mut last, c);
            breaks += u32::from(c == '\n');
            match (quote, c) {
                _ if skipped => {}
                (Some('\''), '\'') | (Some('"'), '"') => quote = None,
                (Some('\''), _) => {}
                (_, '\\') => escaped = true,
                (None, '\'' | '"') => (quote, opened) = (Some(c), line + breaks),
                (_, '$') => expands = true,
                (None, '(') if before == '$' => inside = true,
                (None, ')') if inside => inside = false,
                (None, ' ' | '\t' | '\r' | ';' | '|' | '&' | '(' | '<' | '>') if inside => {}
                (None, ' ' | '\t' | '\r' | '\n' | ';' | '|' | '&' | '(' | ')' | '<' | '>') => {
                    breaks -= u32::from(c == '\n');
                    end = at;
                    break;
                }
                _ => {}
            }
        }
        self.at = start + end;
        self.line += breaks;
        let raw = &self.text[start..self.at];
        if quote.is_some() {
            self.script.open_quote = Some(opened);
            self.at = self.text.len();
            return false;
        }
        // A number right before a redirection names a stream.
        if raw.bytes().all(|b| b.is_ascii_digit()) && self.rest().starts_with(['<', '>']) {
            return true;
        }
        let plain = !raw.contains(['\'', '"', '\\']);
        let text = if plain { raw.to_owned() } else { unquote(raw) };
        let (text, unset) = if expands { fill(&text, &self.variables) } else { (text, None) };
        match self.redirect.take() {
            None => self.command.push(Word { text, line, unset }),
            Some(Redirect::Into) => self.target = Some(text),
            Some(Redirect::Other) => {}
            Some(Redirect::Heredoc { tabs }) => self.heredocs.push(Heredoc { end: text, tabs }),
        }
        true
    }

    fn end_line(&mut self) {
        // `tee` names its file as a word.
        let tee = self.command.first().is_some_and(|word| word.text == "tee");
        let named = tee.then(|| self.command.iter().skip(1).find(|word| !word.text.starts_with('-')));
        let path = named.flatten().map(|word| word.text.clone()).or_else(|| self.target.clone());
        for heredoc in std::mem::take(&mut self.heredocs) {
            let (first, mut body) = (self.line, String::new());
            loop {
                let rest = self.rest();
                if rest.is_empty() {
                    break;
                }
                let whole = rest.split_inclusive('\n').next().unwrap_or_default();
                let (length, mut line) = (whole.len(), whole.trim_end_matches(['\n', '\r']));
                if heredoc.tabs {
                    line = line.trim_start_matches('\t');
                }
                let done = line == heredoc.end;
                if !done {
                    body.push_str(line);
                    body.push('\n');
                }
                self.line += u32::from(whole.ends_with('\n'));
                self.at += length;
                if done {
                    break;
                }
            }
            if let Some(path) = path.clone() {
                self.script.files.push(File { path, text: body, line: first });
            }
        }
        self.end_command();
    }

    fn end_command(&mut self) {
        self.redirect = None;
        self.target = None;
        let mut command = std::mem::take(&mut self.command);
        // Prompts are copied along with commands.
        if command.first().is_some_and(|word| matches!(word.text.as_str(), "$" | "%" | "{" | "}")) {
            command.remove(0);
        }
        let sets =
            command.iter().skip(usize::from(command.first().is_some_and(|word| word.text == "export")));
        if sets.clone().all(|word| assignment(&word.text).is_some()) {
            for (name, value) in sets.filter_map(|word| assignment(&word.text)) {
                self.variables.insert(name.to_owned(), value.to_owned());
            }
        } else {
            self.script.commands.push(command);
        }
    }
}

fn unquote(raw: &str) -> String {
    // Quotes are closed here, so this is one word.
    shlex::split(raw).map_or_else(|| raw.to_owned(), |words| words.concat())
}

/// Name and value of `NAME=value`.
pub(super) fn assignment(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    (is_name && !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())).then_some((name, value))
}

/// Fills in `$NAME`, `${NAME}`, `${NAME:-default}` and `$(NAME)`; also the first variable that is not set.
pub(super) fn fill(text: &str, variables: &Variables) -> (String, Option<String>) {
    let (mut out, mut unset, mut rest) = (String::with_capacity(text.len()), None, text);
    while let Some(mark) = rest.find('$') {
        out.push_str(&rest[..mark]);
        let after = &rest[mark + 1..];
        let bracket = [("{", '}'), ("(", ')')].into_iter().find(|(open, _)| after.starts_with(open));
        let (inside, behind) = if let Some((_, close)) = bracket {
            after.find(close).map_or((&after[1..], ""), |end| (&after[1..end], &after[end + 1..]))
        } else {
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            after.split_at(after.find(|c| !is_name(c)).unwrap_or(after.len()))
        };
        // Only braces can hold a default.
        let split = inside.split_once(":-").or_else(|| inside.split_once('-'));
        let split = split.filter(|_| bracket.is_some_and(|(open, _)| open == "{"));
        let (name, default) = split.map_or((inside, None), |(name, default)| (name, Some(default)));
        let written = &rest[mark..rest.len() - behind.len()];
        if let Some(value) = variables.get(name).map(String::as_str).or(default) {
            out.push_str(value);
        } else {
            out.push_str(written);
            if !name.is_empty() {
                unset.get_or_insert_with(|| written.to_owned());
            }
        }
        rest = behind;
    }
    out.push_str(rest);
    (out, unset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Vec<(String, u32)>> {
        let script = read(text, 1, &Variables::new());
        let plain = |command: Command| command.into_iter().map(|word| (word.text, word.line)).collect();
        script.commands.into_iter().map(plain).collect()
    }

    #[test]
    fn words_keep_their_lines() {
        let text = "# serve\nvllm serve m \\\n  --tp 2 \\\n\n  next # not this\na && b;c | d & e";
        let found = words(text);
        let want = |words: &[(&str, u32)]| {
            words.iter().map(|&(text, line)| (text.to_owned(), line)).collect::<Vec<_>>()
        };
        assert_eq!(found[0], want(&[("vllm", 2), ("serve", 2), ("m", 2), ("--tp", 3), ("2", 3)]));
        assert_eq!(found[1], want(&[("next", 5)]));
        assert_eq!(found.len(), 7);
    }

    #[test]
    fn quotes_and_escapes() {
        let found = words("a 'b \"c\"\nd' \"e \\\" f\" g\\ h --x='{\"y\": 1}'\nz");
        let texts: Vec<_> = found[0].iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(texts, ["a", "b \"c\"\nd", "e \" f", "g h", "--x={\"y\": 1}"]);
        assert_eq!(found[1], [("z".to_owned(), 3)]);
        assert_eq!(read("a\nb 'c\nd\n", 1, &Variables::new()).open_quote, Some(2));
    }

    #[test]
    fn variables_are_filled_in_where_they_are_set() {
        let text =
            "export TP=4 M='a b'\nX=1\nrun --tp $TP ${M} ${N:-7} $(TP) '$TP' $NO \"a${X}b\" $(nproc --all)";
        let script = read(text, 1, &Variables::new());
        let [command] = script.commands.as_slice() else { panic!("{script:?}") };
        let texts: Vec<_> = command.iter().map(|word| word.text.as_str()).collect();
        assert_eq!(texts, ["run", "--tp", "4", "a b", "7", "4", "$TP", "$NO", "a1b", "$(nproc --all)"]);
        let unset: Vec<_> = command.iter().filter_map(|word| word.unset.as_deref()).collect();
        assert_eq!(unset, ["$NO", "$(nproc --all)"]);
    }

    #[test]
    fn files_written_in_passing_are_kept() {
        let text = "cat > /tmp/e.yaml <<'EOF'\na: 1\nb: $x\nEOF\ntee f.yaml <<-END >/dev/null\n\tc: 2\n\tEND\nrun 2>&1 >log x";
        let script = read(text, 1, &Variables::new());
        let file = |path: &str, text: &str, line| File { path: path.into(), text: text.into(), line };
        assert_eq!(script.files[0], file("/tmp/e.yaml", "a: 1\nb: $x\n", 2));
        assert_eq!((script.files[1].text.as_str(), script.files[1].line), ("c: 2\n", 6));
        let last: Vec<_> =
            script.commands.last().unwrap().iter().map(|word| (word.text.as_str(), word.line)).collect();
        assert_eq!(last, [("run", 8), ("x", 8)]);
    }

    #[test]
    fn long_texts_take_linear_time() {
        for piece in ["'", "\\\n", "$(", "${", "<<A\n", "#\n", ";", "a\\\n"] {
            read(&piece.repeat(1 << 18), 1, &Variables::new());
        }
    }
}
