//! What a text says of one worker, and what of the text does not count.

use serde::{Deserialize, Serialize};

use super::shell::Word;
use crate::parallel::WorkerRole;
use crate::text::{self, Assumed, Why};

/// Most lines that are listed one by one.
const MOST_LINES: usize = 500;

/// A value and the line that says it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Said<T> {
    pub value: T,
    pub line: u32,
}

/// Part of a text that does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// Line of the text, counted from 1, where there is one.
    pub line: Option<u32>,
    /// What stands there, shortened.
    pub text: String,
    /// Why it does not count.
    pub why: String,
}

/// An input that the text fixes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fixed {
    /// Which input: the key of a link, such as `isl`, or one of a worker, such as `decode.tp`.
    pub input: String,
    /// Its value.
    pub value: String,
    /// Line of the text, counted from 1.
    pub line: u32,
}

/// What comes of reading, beside the question itself.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub fixed: Vec<Fixed>,
    pub assumed: Vec<String>,
    unread: Vec<Unread>,
    more: usize,
}

impl Notes {
    pub(super) fn unread(&mut self, line: Option<u32>, text: &str, why: &Why<'_>) {
        if self.unread.len() >= MOST_LINES {
            self.more += 1;
            return;
        }
        let text = text::excerpt(text);
        let entry = Unread { line, text, why: text::why_unread(why) };
        if !self.unread.contains(&entry) {
            self.unread.push(entry);
        }
    }

    pub(super) fn fix(&mut self, input: impl Into<String>, value: impl std::fmt::Display, line: u32) {
        let entry = Fixed { input: input.into(), value: value.to_string(), line };
        if !self.fixed.contains(&entry) {
            self.fixed.push(entry);
        }
    }

    pub(super) fn assume(&mut self, what: &Assumed<'_>) {
        let sentence = text::assumed(what);
        if !self.assumed.contains(&sentence) {
            self.assumed.push(sentence);
        }
    }

    /// Everything that does not count, by line.
    pub(super) fn into_unread(mut self) -> Vec<Unread> {
        self.unread.sort_by_key(|entry| entry.line.unwrap_or(u32::MAX));
        if self.more > 0 {
            self.unread.push(Unread {
                line: None,
                text: String::new(),
                why: text::why_unread(&Why::More(self.more)),
            });
        }
        self.unread
    }
}

/// What a worker does, as far as it is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Worker(WorkerRole),
    /// Encodes, routes or only stores.
    Other,
}

/// What a text says of one worker; sizes are those of the arguments, in the engine's own meaning.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Settings {
    pub model: Option<Said<String>>,
    pub served: Option<Said<String>>,
    pub role: Option<Said<Role>>,
    pub tp: Option<Said<u32>>,
    pub pp: Option<Said<u32>>,
    pub dp: Option<Said<u32>>,
    pub cp: Option<Said<u32>>,
    pub moe_tp: Option<Said<u32>>,
    pub moe_ep: Option<Said<u32>>,
    /// vLLM: experts over all ranks. SGLang: an exchange that implies it.
    pub expert_parallel: Option<Said<bool>>,
    pub dp_attention: Option<Said<bool>>,
    /// Requests at once, in the engine's own meaning.
    pub batch: Option<Said<u32>>,
    /// Tokens of a step, or of a chunk of prefill.
    pub tokens: Option<Said<u32>>,
    /// SGLang: prompts of a prefill step, where chunks are off.
    pub prefill_tokens: Option<Said<u32>>,
    pub length: Option<Said<u32>>,
    pub memory: Option<Said<f64>>,
    pub kv: Option<Said<String>>,
    pub weights: Option<Said<String>>,
    pub drafts: Drafts,
    /// Which node of a worker of several; all but the first repeat it.
    pub rank: Option<Said<u32>>,
    /// Files with more settings.
    pub files: Vec<Said<String>>,
}

/// What is said of speculative decoding, in parts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Drafts {
    /// Method, lower case.
    pub method: Option<Said<String>>,
    pub tokens: Option<Said<u32>>,
    /// Branches of the draft; only one is predicted.
    pub branches: Option<Said<u32>>,
    /// A draft model beside the model.
    pub model: Option<Said<String>>,
}

/// Takes a value; the last one counts, as for the engines themselves.
pub(super) fn put<T>(slot: &mut Option<Said<T>>, value: T, line: u32) {
    *slot = Some(Said { value, line });
}

/// A whole number of at least 1; vLLM's short forms are read too: `32k` is 32,000 and `32K` is 32,768.
pub(super) fn whole(text: &str) -> Option<u32> {
    let text = text.trim();
    let (digits, unit) = match text.char_indices().next_back()? {
        (at, 'k') => (&text[..at], 1000),
        (at, 'K') => (&text[..at], 1024),
        (at, 'm') => (&text[..at], 1_000_000),
        (at, 'M') => (&text[..at], 1 << 20),
        _ => (text, 1),
    };
    let number: u32 = digits.parse().ok()?;
    number.checked_mul(unit).filter(|&number| number > 0)
}

/// A share above 0 and at most 1.
pub(super) fn share(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|&share: &f64| share > 0.0 && share <= 1.0)
}

/// A truth.
pub(super) fn flag(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Some(true),
        "false" | "0" | "no" => Some(false),
        _ => None,
    }
}

/// Words as they stood, for a person.
pub(super) fn joined(words: &[Word]) -> String {
    words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
}
