//! A model of the user's own, read for the page: the reader is here so that the page need not carry it.

use engine::checkpoint;
use engine::custom::Custom;
use engine::text::{self, Message};
use serde::{Deserialize, Serialize};

/// The files of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Texts {
    /// `config.json`.
    pub config: String,
    /// `hf_quant_config.json`, when there is one.
    pub quant: Option<String>,
}

/// What the files of a checkpoint say, ready to be shown and used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Facts for the scenario.
    pub custom: Custom,
    /// Name that the file gives itself, when that can be one on the Hub.
    pub name: Option<String>,
    /// Facts for people: names and values.
    pub facts: Vec<(String, String)>,
    /// What was assumed or left out.
    pub notes: Vec<String>,
}

/// Reads the files.
pub fn read(texts: &Texts) -> Result<Reading, Message> {
    let read = checkpoint::read(&texts.config, texts.quant.as_deref())
        .map_err(|error| text::checkpoint_error(&error))?;
    let custom = Custom::of(&read.spec).map_err(|error| text::unusable_model(&error))?;
    let facts = text::checkpoint_facts(&read.spec);
    Ok(Reading {
        custom,
        name: read.name,
        facts: facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        notes: read.notes.iter().map(text::checkpoint_note).collect(),
    })
}
