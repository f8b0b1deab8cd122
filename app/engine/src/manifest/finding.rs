//! What a check found.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The cluster would reject the manifest or do something else than it says.
    Error,
    /// It works, but somebody should know.
    Warning,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Where, such as `spec.sla.itl`; list items are numbered from 0; empty for the whole document.
    pub path: String,
    /// Line of the text, counted from 1, where it is known.
    pub line: Option<u32>,
    /// Short name of the rule, stable across versions.
    pub rule: Cow<'static, str>,
    /// How grave it is.
    pub severity: Severity,
    /// What is wrong and what to do.
    pub message: String,
}

impl Check {
    /// A name that the catalogue does not have.
    pub fn unknown(path: &str, name: &str) -> Self {
        Self::error(path, "unknown", format!("{name} is not in the catalogue. Choose one that is listed."))
    }

    pub(super) fn error(path: impl Into<String>, rule: &'static str, message: impl Into<String>) -> Self {
        Self::new(path.into(), rule, Severity::Error, message.into())
    }

    pub(super) fn warning(path: impl Into<String>, rule: &'static str, message: impl Into<String>) -> Self {
        Self::new(path.into(), rule, Severity::Warning, message.into())
    }

    fn new(path: String, rule: &'static str, severity: Severity, message: String) -> Self {
        Self { path, line: None, rule: Cow::Borrowed(rule), severity, message }
    }

    /// The same, found in this line.
    pub(super) fn at_line(self, line: u32) -> Self {
        Self { line: Some(line), ..self }
    }

    /// Whether it keeps the manifest back.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
