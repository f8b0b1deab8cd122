//! Every sentence a user reads: page and command line say the same.

mod checkpoint;
mod coverage;
mod failure;
mod gap;
mod glossary;
mod import;
mod layout;
mod insight;
mod nothing;
mod places;
pub mod planner;
pub mod live;
pub mod replay;

pub use checkpoint::{checkpoint_error, checkpoint_facts, checkpoint_note, unusable_model};
pub use coverage::{covered, inferred, nearest, nothing_measured, systems_measured, why};
pub use failure::{
    crashed, different_data, network_failure, notice, other_build, pack_failure, scenario_error, unsupported,
};
pub use gap::{edit, gap};
pub use glossary::{Term, glossary};
pub use import::{Assumed, Why, assumed, cut, nothing_to_import, price_error, too_long, why_unread};
pub use insight::{
    announcement, data_mode, evidence, evidence_detail, funnel_stages, limited_by, next_best, verdict,
};
pub use layout::{gpus_decomposed, gpus_idle, layout_encoders, layout_short, layout_total, serving};
pub use nothing::{Suggestion, nothing_fits, suggestions};
pub use places::{ANY_SYSTEM, across, asked_backend, lost_reason, not_searched, place, skip_reason};

use serde::{Deserialize, Serialize};

use crate::scenario::Images;

/// Something to tell the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// What is the matter, in a few words.
    pub title: String,
    /// The values it is about.
    pub detail: String,
    /// What to do; empty when nothing needs doing.
    pub action: String,
}

impl Message {
    fn new(title: impl Into<String>, detail: impl Into<String>, action: impl Into<String>) -> Self {
        Self { title: title.into(), detail: detail.into(), action: action.into() }
    }
}

/// One line, for a terminal or a log.
impl std::fmt::Display for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [&self.title, &self.detail, &self.action].into_iter().filter(|part| !part.is_empty());
        for (at, part) in parts.enumerate() {
            let space = if at > 0 { " " } else { "" };
            let stop = if part.ends_with(['.', '?', ':']) { "" } else { "." };
            write!(f, "{space}{part}{stop}")?;
        }
        Ok(())
    }
}

/// `a`, `a or b`, `a, b or c`; at most eight, the rest counted.
fn alternatives<S: AsRef<str>>(items: &[S]) -> String {
    const SHOWN: usize = 8;
    let mut shown: Vec<String> = items.iter().take(SHOWN).map(|item| item.as_ref().to_owned()).collect();
    if items.len() > SHOWN {
        shown.push(format!("{} more", items.len() - SHOWN));
    }
    let last = shown.pop().unwrap_or_default();
    if shown.is_empty() { last } else { format!("{} or {last}", shown.join(", ")) }
}

/// A foreign text, short enough for a sentence and on one line.
pub(crate) fn excerpt(text: &str) -> String {
    const SHOWN: usize = 60;
    let mut out: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect();
    if text.chars().nth(SHOWN).is_some() {
        out.push('…');
    }
    out
}

/// With a capital first letter.
fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// `2 images of 1,024 × 768 px`.
pub fn images(images: &Images) -> String {
    let side = |pixels: u32| crate::format::count(u64::from(pixels));
    format!("{} of {} × {} px", number_of(images.count, "image"), side(images.width), side(images.height))
}

/// `1 GPU`, `2 GPUs`.
fn number_of(count: u32, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", crate::format::count(u64::from(count)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_read_as_one_line() {
        let message = Message::new("No data", "Nothing for L4.", "Pick H100");
        assert_eq!(message.to_string(), "No data. Nothing for L4. Pick H100.");
        assert_eq!(Message::new("Stopped", "", "").to_string(), "Stopped.");
    }

    #[test]
    fn lists() {
        assert_eq!(alternatives::<&str>(&[]), "");
        assert_eq!(alternatives(&["a"]), "a");
        assert_eq!(alternatives(&["a", "b", "c"]), "a, b or c");
        let many: Vec<String> = (1..=11).map(|n| n.to_string()).collect();
        assert_eq!(alternatives(&many), "1, 2, 3, 4, 5, 6, 7, 8 or 3 more");
    }

    #[test]
    fn foreign_text_is_cut_and_kept_on_one_line() {
        assert_eq!(excerpt("a\nb"), "a b");
        assert_eq!(excerpt(&"é".repeat(61)).chars().count(), 61);
    }
}
