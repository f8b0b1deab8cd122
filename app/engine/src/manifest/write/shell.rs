//! Words of a shell.

use std::borrow::Cow;

/// A word in a command line: text, or an expression the shell resolves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// It means itself.
    Text(String),
    /// The shell resolves it; already quoted.
    Expression(String),
}

impl Word {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// As it stands in a script.
    pub(super) fn written(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => quote(text),
            Self::Expression(expression) => Cow::Borrowed(expression),
        }
    }
}

/// A text that the shell takes as one word, whatever is in it.
pub(super) fn quote(text: &str) -> Cow<'_, str> {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(is_safe) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("'{}'", text.replace('\'', "'\\''")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_needs_it_is_quoted() {
        for (text, written) in [
            ("Qwen/Qwen3-8B", "Qwen/Qwen3-8B"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's", "'it'\\''s'"),
            ("{\"a\":1}", "'{\"a\":1}'"),
            ("$(rm)", "'$(rm)'"),
            ("~", "'~'"),
        ] {
            assert_eq!(quote(text), written);
        }
    }
}
