//! `configurator export`.

use std::fs;
use std::path::Path;

use engine::catalog::Catalog;
use engine::manifest::{
    Check, DgdApi, Extras, File, Manifest, ModelCache, Options, PlannerUse, Selection, Strategy, write,
};
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
    let decode_system = asked.decode_system.as_ref().and_then(|decode| known.system(decode));
    let link = answer.link_to(point);
    let options = Options {
        name: args.name.clone(),
        namespace: args.namespace.clone(),
        release: args.dynamo,
        registry: args.registry.clone(),
        image: args.image.clone(),
        auto_apply: args.auto_apply,
        link: Some(link.clone()),
        extras: extras(&args.extras),
    };
    let selection = Selection { scenario: &asked, model: &model, system, decode_system, point };
    let manifest = write(args.format, &selection, &options).map_err(|checks| refusal(&checks))?;
    if let Some(folder) = &args.out {
        save(folder, &manifest.files)?;
    }
    if args.output.json {
        let whole = Json { manifest: &manifest, link: &link, data: &answer.data };
        return Ok(Report::new(json(&whole)?, answer.notes, true));
    }
    answer.notes.extend(manifest.checks.iter().map(line));
    let text = match &args.out {
        Some(folder) => summary(folder, &manifest),
        None => printed(&manifest.files),
    };
    Ok(Report::new(text, answer.notes, true))
}

fn extras(args: &args::Extras) -> Extras {
    Extras {
        planner: match args.planner {
            args::PlannerUse::Scales => PlannerUse::Scales,
            args::PlannerUse::Advises => PlannerUse::Advises,
            args::PlannerUse::Off => PlannerUse::Off,
        },
        kv_router: args.kv_router,
        mocker: args.mocker,
        strategy: match args.strategy {
            args::Strategy::Rapid => Strategy::Rapid,
            args::Strategy::Thorough => Strategy::Thorough,
        },
        api: match args.api {
            args::Api::V1beta1 => DgdApi::V1Beta1,
            args::Api::V1alpha1 => DgdApi::V1Alpha1,
        },
        trust_remote_code: args.trust_remote_code,
        pin_nodes: args.pin_nodes,
        pull_secret: args.pull_secret.clone(),
        model_cache: args.model_cache.as_deref().map(model_cache),
        env: args.env.clone(),
    }
}

/// `CLAIM[:MOUNT[:FOLDER]]`
fn model_cache(text: &str) -> ModelCache {
    let mut parts = text.splitn(3, ':').map(str::to_owned);
    let claim = parts.next().unwrap_or_default();
    ModelCache { claim, mount: parts.next(), path: parts.next() }
}

/// One file as it is, several under their names.
fn printed(files: &[File]) -> String {
    match files {
        [file] => file.text.clone(),
        _ => files.iter().flat_map(|file| ["# file: ", &file.name, "\n", &file.text, "\n"]).collect(),
    }
}

fn save(folder: &Path, files: &[File]) -> Result<(), Failure> {
    let failed = |path: &Path, error: &std::io::Error| {
        Failure(format!("{} cannot be written: {error}.", path.display()))
    };
    fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    for file in files {
        let path = folder.join(&file.name);
        fs::write(&path, &file.text).map_err(|error| failed(&path, &error))?;
    }
    Ok(())
}

/// What was written and what to do with it.
fn summary(folder: &Path, manifest: &Manifest) -> String {
    let files = manifest.files.iter().map(|file| format!("{}\n", folder.join(&file.name).display()));
    let commands =
        manifest.commands.iter().map(|command| format!("{}:\n  {}\n", command.label, command.text));
    files.chain(["\n".to_owned()]).chain(commands).collect()
}

fn line(check: &Check) -> String {
    if check.path.is_empty() { check.message.clone() } else { format!("{}: {}", check.path, check.message) }
}

fn refusal(checks: &[Check]) -> Failure {
    let errors: Vec<_> = checks.iter().filter(|check| check.is_error()).map(line).collect();
    Failure(format!("This cannot be exported.\n  {}", errors.join("\n  ")))
}
