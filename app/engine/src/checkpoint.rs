//! A checkpoint's own description, `config.json` of the Hub, read as the facts of a model.
//!
//! The reading follows AI Configurator 0.12.0: the same keys, the same defaults, the same precisions. Whatever
//! it cannot follow is refused with the key it is about; what is accepted has passed [`ModelSpec::check`].

mod architecture;
mod error;
mod json;
mod keys;
mod layers;
mod note;
mod quantization;
mod sizes;

pub use architecture::{ARCHITECTURES, Architecture};
pub use error::{CheckpointError, File};
pub use json::MAX_BYTES;
pub use note::Note;

use serde_json::Value;

use crate::model::ModelSpec;
use keys::Keys;
use quantization::Declared;

/// What the files of a checkpoint say.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Facts of the model; the id is empty.
    pub spec: ModelSpec,
    /// Hub id that the file gives itself, when it is one.
    pub name: Option<String>,
    /// What was assumed or left out.
    pub notes: Vec<Note>,
}

/// Reads the texts of `config.json` and, when there is one, `hf_quant_config.json`.
pub fn read(config: &str, quant: Option<&str>) -> Result<Checkpoint, CheckpointError> {
    let top = json::object(config, File::Config)?;
    let quant = quant.map(|text| json::object(text, File::Quant)).transpose()?;
    let top = Keys::new(&top, "");
    let mut notes = Vec::new();
    let architecture = architecture::of(&top, &mut notes)?;
    let nested = if architecture.nested { top.object("text_config")? } else { None };
    let text = nested.as_ref().unwrap_or(&top);
    let declared = Declared::read(&top, text, quant.as_ref())?;

    let mut spec = sizes::read(text, architecture, &mut notes)?;
    declared.precisions(&mut spec, &top, &mut notes)?;
    layers::read(&mut spec, text, &top, &declared)?;
    spec.check().map_err(CheckpointError::from)?;
    note::observe(&spec, text, &top, &mut notes);
    let name = top.get("_name_or_path").and_then(Value::as_str).and_then(hub_id);
    Ok(Checkpoint { spec, name, notes })
}

/// The text as the id of a model on the Hub: a name, or an organisation and a name.
fn hub_id(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split('/').collect();
    let is_word = |part: &&str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    (parts.len() <= 2 && parts.iter().all(is_word) && text.len() <= crate::custom::MAX_NAME)
        .then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
