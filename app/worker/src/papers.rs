//! Manifests are written, checked and read in a worker of their own: neither the page nor the search carries
//! schemas, YAML or the facts of models for it. The worker starts when it is first needed.

pub mod client;

use std::io::{Cursor, Write as _};

use engine::catalog::Catalog;
use engine::manifest::{
    Check, Dynamo, Format, Imported, Kind, Manifest, Options, Selection, import, validate, write,
};
use engine::point::Point;
use engine::scenario::Scenario;
use serde::{Deserialize, Serialize};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// What the page asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Ask {
    /// Write a point.
    Write {
        /// As what.
        format: Format,
        /// The question, at the place of the point.
        scenario: Box<Scenario>,
        /// The point.
        point: Box<Point>,
        /// What else was decided.
        options: Box<Options>,
    },
    /// Check a text.
    Check {
        /// The text.
        text: String,
        /// The release that is to take it.
        release: Dynamo,
    },
    /// Read what runs today.
    Import {
        /// A manifest or launch commands.
        text: String,
        /// The question on the form, for what the text leaves open.
        form: Box<Scenario>,
        /// The release that a manifest is checked for.
        release: Dynamo,
    },
    /// Put files into one archive.
    Zip {
        /// Names and texts.
        files: Vec<(String, String)>,
    },
}

/// What it is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// Files, or what keeps them back.
    Written(Result<Manifest, Vec<Check>>),
    /// Findings.
    Checked(Vec<Check>),
    /// What was understood, or why nothing was; and what the checks of a manifest found.
    Imported(Result<Box<Imported>, Vec<Check>>, Vec<Check>),
    /// The bytes of an archive; empty when the files do not fit into one.
    Zip(Vec<u8>),
}

/// From the page: a question with a number that comes back.
pub(crate) type Letter = (u32, Ask);

/// From the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// The worker listens. Stays the first variant, so that builds can always tell each other apart.
    Ready {
        /// Its build.
        build: String,
    },
    /// An answer.
    Answer {
        /// Number of the question.
        id: u32,
        /// The answer.
        answer: Answer,
    },
    /// The worker stopped working.
    Crashed {
        /// What it said last.
        why: String,
    },
}

/// Answers the bytes of a question with the bytes of a reply.
pub fn reply(bytes: &[u8]) -> Result<Reply, String> {
    let (id, ask) = crate::codec::decode::<Letter>(bytes).map_err(|error| error.to_string())?;
    Ok(Reply::Answer { id, answer: answer(&ask) })
}

/// Answers a question.
pub fn answer(ask: &Ask) -> Answer {
    match ask {
        Ask::Write { format, scenario, point, options } => {
            Answer::Written(written(*format, scenario, point, options))
        }
        Ask::Check { text, release } => Answer::Checked(validate(text, *release)),
        Ask::Import { text, form, release } => {
            let imported = import(text, form, None, Catalog::embedded());
            let is_manifest = |kind| matches!(kind, Kind::Request | Kind::Deployment | Kind::Planner);
            let checked = imported.as_ref().is_ok_and(|imported| is_manifest(imported.kind));
            let checks = if checked { validate(text, *release) } else { Vec::new() };
            Answer::Imported(imported.map(Box::new), checks)
        }
        Ask::Zip { files } => Answer::Zip(archive(files).unwrap_or_default()),
    }
}

fn written(
    format: Format,
    scenario: &Scenario,
    point: &Point,
    options: &Options,
) -> Result<Manifest, Vec<Check>> {
    let catalog = Catalog::embedded();
    let unknown = |path: &str, what: &str| vec![Check::unknown(path, what)];
    let model = scenario.spec(catalog).ok_or_else(|| unknown("spec.model", &scenario.model))?;
    let gpu = |id: &str| catalog.system(id).ok_or_else(|| unknown("spec.hardware", id));
    let system = gpu(&scenario.system)?;
    let decode_system = scenario.decode_system.as_deref().map(gpu).transpose()?;
    write(format, &Selection { scenario, model: &model, system, decode_system, point }, options)
}

fn archive(files: &[(String, String)]) -> zip::result::ZipResult<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in files {
        zip.start_file(
            name.as_str(),
            SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored),
        )?;
        zip.write_all(text.as_bytes())?;
    }
    Ok(zip.finish()?.into_inner())
}
