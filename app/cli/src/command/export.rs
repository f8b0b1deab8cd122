//! `configurator export`.

use engine::catalog::Catalog;
use engine::manifest::{Check, Format, Manifest, Options, Selection, write};
use engine::text;
use serde::Serialize;

use crate::answer::answer;
use crate::args;
use crate::data::Data;
use crate::question::ask;
use crate::report::{Failure, Report, json};

#[derive(Serialize)]
struct Json<'a> {
    #[serde(flatten)]
    manifest: &'a Manifest,
    link: &'a str,
    data: &'a str,
}

pub(super) fn run(args: &args::Export) -> Result<Report, Failure> {
    let data = Data::open(args.output.data.as_deref())?;
    let mut answer = answer(ask(&args.question, &args.space)?, &data)?;
    let scenario = &answer.scenario;
    let pick = args.pick as usize;
    let Some(point) = answer.picks().nth(pick - 1) else {
        return match answer.picks().count() {
            0 => {
                let nearest = answer.view.nearest.unwrap_or_default();
                let why = text::nothing_fits(&nearest, scenario).to_string();
                Ok(Report { error: Some(why), ..Report::new(String::new(), answer.notes, false) })
            }
            picks => Err(Failure(format!("There is no pick {pick}. Choose one from 1 to {picks}."))),
        };
    };
    // The deployment of a pick has the pick's own backend and system.
    let asked = scenario.at(&answer.place(point));
    let known = Catalog::embedded();
    let (Some(model), Some(system)) = (asked.spec(known), known.system(&asked.system)) else {
        return Err(Failure(
            "The model or system is not in the catalogue. See `configurator models`.".to_owned(),
        ));
    };
    let link = answer.link();
    let options = Options {
        name: args.name.clone(),
        namespace: args.namespace.clone(),
        release: args.dynamo,
        image: args.image.clone(),
        auto_apply: args.auto_apply,
        link: Some(link.clone()),
        ..Options::default()
    };
    let selection = Selection { scenario: &asked, model: &model, system, decode_system: None, point };
    let manifest = write(Format::Dgdr, &selection, &options).map_err(|checks| refusal(&checks))?;
    if args.output.json {
        let whole = Json { manifest: &manifest, link: &link, data: &answer.data };
        return Ok(Report::new(json(&whole)?, answer.notes, true));
    }
    answer.notes.extend(manifest.checks.iter().map(line));
    let text = manifest.files.into_iter().map(|file| file.text).collect();
    Ok(Report::new(text, answer.notes, true))
}

fn line(check: &Check) -> String {
    if check.path.is_empty() { check.message.clone() } else { format!("{}: {}", check.path, check.message) }
}

fn refusal(checks: &[Check]) -> Failure {
    let errors: Vec<_> = checks.iter().filter(|check| check.is_error()).map(line).collect();
    Failure(format!("This cannot be exported.\n  {}", errors.join("\n  ")))
}
