//! `configurator support`.

use engine::catalog::Catalog;
use engine::coverage::{Atlas, MODES, Row, Verdict, ask};
use engine::format::count;
use engine::link;
use engine::problem::{model, no_pack, system};
use engine::scenario::{Place, Scenario};
use engine::text;
use serde::Serialize;

use crate::args;
use crate::data::Data;
use crate::report::{Failure, Report, json};
use crate::table::{Align, table};

const COLUMNS: &[(&str, Align)] = &[
    ("model", Align::Left),
    ("system", Align::Left),
    ("backend", Align::Left),
    ("answer", Align::Left),
    ("nearest that answers", Align::Left),
];

/// One model in one place.
#[derive(Serialize)]
struct Cell<'a> {
    model: &'a str,
    #[serde(flatten)]
    place: &'a Place,
    agg: &'a Verdict,
    disagg: &'a Verdict,
    /// Why, where a serving mode has no answer.
    why: Option<String>,
    /// What has an answer instead.
    nearest: Option<Alternative>,
    /// The same question in the data mode that answers where measurements do not.
    inferred: Option<Alternative>,
}

#[derive(Serialize)]
struct Alternative {
    text: String,
    link: String,
}

pub(super) fn run(args: &args::Support) -> Result<Report, Failure> {
    let data = Data::open(args.output.data.as_deref())?;
    let catalog = Catalog::embedded();
    let wanted = args.model.as_deref().map(|id| model(catalog, id)).transpose()?.map(|model| &model.id);
    let place = args.system.as_deref().map(|id| system(catalog, id)).transpose()?.map(|system| &system.id);
    let backend = args.backend.and_then(|choice| choice.0);
    let atlas = data.coverage()?;
    let covers = |at: &usize| {
        let Place { system, backend: here } = &atlas.places[*at];
        place.is_none_or(|id| id == system) && backend.is_none_or(|wanted| wanted == *here)
    };
    let places: Vec<usize> = (0..atlas.places.len()).filter(covers).collect();
    if let (true, Some(system)) = (places.is_empty(), place) {
        let why = match backend {
            Some(backend) => text::scenario_error(&no_pack(&data.index, system, backend)),
            None => text::nothing_measured(system),
        };
        return Ok(Report::nothing(&why));
    }
    let rows: Vec<&Row> = atlas.rows.iter().filter(|row| wanted.is_none_or(|id| *id == row.model)).collect();
    let pairs = || rows.iter().flat_map(|&row| places.iter().map(move |&at| (row, at)));
    let cells: Vec<_> = pairs().filter_map(|(row, at)| cell(&atlas, row, at)).collect();
    let found = cells.iter().any(|cell| cell.agg.is_measured() || cell.disagg.is_measured());
    let text = if args.output.json {
        json(&cells)?
    } else if wanted.is_none() && place.is_none() {
        overview(&atlas, &rows, &places)
    } else {
        for_people(&cells)
    };
    Ok(Report::new(text, Vec::new(), found))
}

fn cell<'a>(atlas: &'a Atlas, row: &'a Row, at: usize) -> Option<Cell<'a>> {
    let [agg, disagg] = atlas.cell(row, at)?;
    let why = agg.why().or(disagg.why()).map(|why| text::why(why).to_string());
    let nearest = (0..MODES.len()).find_map(|mode| atlas.nearest(row, at, mode));
    let place = atlas.places.get(at)?;
    let inferred = [agg, disagg].iter().find_map(|verdict| verdict.mode()).map(|mode| {
        let scenario = Scenario { mode, ..ask(&Scenario::default(), &row.model, place) };
        alternative(text::inferred(mode).to_owned(), &scenario)
    });
    Some(Cell {
        model: &row.model,
        place,
        agg,
        disagg,
        why,
        nearest: nearest.map(|to| alternative(text::nearest(&to), &to.apply(&Scenario::default()))),
        inferred,
    })
}

fn alternative(text: String, scenario: &Scenario) -> Alternative {
    Alternative { text, link: format!("?{}", link::write(scenario, None)) }
}

/// Cell by cell, with reasons.
fn for_people(cells: &[Cell<'_>]) -> String {
    let row = |cell: &Cell<'_>| {
        let why = cell.agg.why().or(cell.disagg.why()).map(|why| text::why(why).detail);
        let covered = text::covered([cell.agg, cell.disagg]).to_owned();
        let answer = why.map_or(covered.clone(), |why| format!("{covered}: {why}"));
        vec![
            cell.model.to_owned(),
            cell.place.system.clone(),
            cell.place.backend.name().to_owned(),
            answer,
            cell.nearest.as_ref().map_or_else(String::new, |nearest| nearest.text.clone()),
        ]
    };
    table(COLUMNS, &cells.iter().map(row).collect::<Vec<_>>())
}

/// A line for each model: in each system, the engines that answer.
fn overview(atlas: &Atlas, rows: &[&Row], places: &[usize]) -> String {
    let mut systems: Vec<&str> = places.iter().map(|&at| atlas.places[at].system.as_str()).collect();
    systems.dedup();
    let mut columns = vec![("model", Align::Left)];
    columns.extend(systems.iter().map(|&system| (system, Align::Left)));
    let mark = |row: &Row, at: usize| {
        let measured =
            atlas.cell(row, at).is_some_and(|cell| cell.iter().any(|verdict| verdict.is_measured()));
        atlas.places[at].backend.name().chars().next().filter(|_| measured).unwrap_or('·')
    };
    let of = |row: &Row, system: &str| {
        let there = places.iter().filter(|&&at| atlas.places[at].system == system);
        there.map(|&at| mark(row, at)).collect::<String>()
    };
    let line = |row: &&Row| {
        let cells = systems.iter().map(|system| of(row, system));
        std::iter::once(row.model.clone()).chain(cells).collect()
    };
    let mut lines: Vec<Vec<String>> = rows.iter().map(line).collect();
    let answers = |system: &&str| count(atlas.models(system) as u64);
    lines.push(std::iter::once("models that answer".to_owned()).chain(systems.iter().map(answers)).collect());
    table(&columns, &lines)
        + "s SGLang, t TensorRT-LLM, v vLLM: measured; · no answer. --model or --system says why.\n"
}
