//! `configurator link`.

use engine::catalog::Catalog;
use engine::link;
use engine::places::Plans;
use engine::scenario::Scenario;
use engine::text;
use serde::Serialize;

use crate::args;
use crate::data::Data;
use crate::question::{Asked, ask};
use crate::report::{Failure, Report, json};

#[derive(Serialize)]
struct Json<'a> {
    scenario: &'a Scenario,
    data: Option<&'a str>,
    link: &'a str,
}

pub(super) fn run(args: &args::Link) -> Result<Report, Failure> {
    let Asked { scenario, data: linked, mut notes } = ask(&args.question, &args.space)?;
    let data = Data::open(args.output.data.as_deref())?;
    // A link can carry a question that has no answer; it only says less then.
    let data = match Plans::resolve(&scenario, Catalog::embedded(), &data.index) {
        Ok(plans) => Some(plans.data_id()),
        Err(error) => {
            notes.push(text::scenario_error(&error).to_string());
            None
        }
    };
    if let (Some(have), Some(linked)) = (&data, &linked)
        && have != linked
    {
        notes.push(text::different_data(have, linked).to_string());
    }
    let link = format!("{}?{}", args.base, link::write(&scenario, data.as_deref()));
    let text = if args.output.json {
        json(&Json { scenario: &scenario, data: data.as_deref(), link: &link })?
    } else {
        link + "\n"
    };
    Ok(Report::new(text, notes, true))
}
