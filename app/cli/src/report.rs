//! What a command has to say.

use engine::problem::ScenarioError;
use engine::text::{self, Message};

use crate::{FOUND, NOTHING};

/// What a command has to say.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// For standard output.
    pub(crate) text: String,
    /// For standard error, a line each.
    pub(crate) notes: Vec<String>,
    /// For standard error.
    pub(crate) error: Option<String>,
    /// Exit code.
    pub(crate) code: u8,
}

impl Report {
    pub(crate) fn new(text: String, notes: Vec<String>, found: bool) -> Self {
        let code = if found { FOUND } else { NOTHING };
        Self { text, notes, error: None, code }
    }
}

impl Report {
    /// Nothing covers what was asked; the message says why.
    pub(crate) fn nothing(why: &Message) -> Self {
        Self { error: Some(why.to_string()), code: NOTHING, ..Self::default() }
    }
}

/// Why a command has nothing to say: a sentence with what to do.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(pub(crate) String);

impl From<Message> for Failure {
    fn from(message: Message) -> Self {
        Self(message.to_string())
    }
}

impl From<ScenarioError> for Failure {
    fn from(error: ScenarioError) -> Self {
        text::scenario_error(&error).into()
    }
}

/// A value as JSON text.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<String, Failure> {
    match serde_json::to_string_pretty(value) {
        Ok(text) => Ok(text + "\n"),
        Err(error) => Err(Failure(format!("The answer cannot be written as JSON: {error}."))),
    }
}
