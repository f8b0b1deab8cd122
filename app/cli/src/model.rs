//! The model of a question: one of the list, or one of the user's own.

use std::fs;
use std::io::Read;
use std::path::Path;

use engine::catalog::Catalog;
use engine::checkpoint::{self, File, MAX_BYTES};
use engine::custom::{self, Custom};
use engine::text;

use crate::args;
use crate::question::Asked;
use crate::report::Failure;

/// Sets the model of a question and notes what was understood of it.
pub(crate) fn model(flags: &args::Question, asked: &mut Asked) -> Result<(), Failure> {
    let Some(config) = &flags.config else {
        if let Some(name) = &flags.model {
            rename(name, asked);
        }
        return Ok(());
    };
    let quant = flags.quant_config.as_deref().map(|path| open(path, File::Quant)).transpose()?;
    let read = checkpoint::read(&open(config, File::Config)?, quant.as_deref());
    let read = read.map_err(|error| Failure::from(text::checkpoint_error(&error)))?;
    let own = Custom::of(&read.spec).map_err(|error| Failure::from(text::unusable_model(&error)))?;
    let name = flags.model.clone().or(read.name);
    asked.scenario.model = name.unwrap_or_else(|| custom::UNNAMED.to_owned());
    asked.scenario.custom = Some(own);
    let facts = text::checkpoint_facts(&read.spec);
    let facts: Vec<_> = facts.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    asked.notes.push(format!("Read {}. {}.", config.display(), facts.join(". ")));
    asked.notes.extend(read.notes.iter().map(text::checkpoint_note));
    Ok(())
}

/// A model of the list by its id; any other name is a new one for the model of the link.
fn rename(name: &str, asked: &mut Asked) {
    if Catalog::embedded().model(name).is_some() {
        asked.scenario.choose(name);
    } else {
        name.clone_into(&mut asked.scenario.model);
    }
}

fn open(path: &Path, file: File) -> Result<String, Failure> {
    let mut text = String::new();
    // One byte more than is read, so that a longer file is refused and not cut.
    let read =
        fs::File::open(path).and_then(|from| from.take(MAX_BYTES as u64 + 1).read_to_string(&mut text));
    match read {
        Ok(_) => Ok(text),
        Err(error) => Err(Failure(format!(
            "The {file} {} cannot be read ({error}). Check the name and that it is text.",
            path.display()
        ))),
    }
}
