//! The atlas of coverage as a sheet: models down, GPU systems and engines across.

use engine::order;
use std::fmt::Write as _;

use engine::backend::Backend;
use engine::coverage::{Atlas, Row, Verdict, ask};
use engine::scenario::{Place, Scenario};
use engine::text::{self, Message};

use super::catalog;
use super::form::{Choice, ModelOption, family_label, short_model, system_name};

/// A cell: row and column of the sheet.
pub type At = (usize, usize);

/// The rows that a filter leaves, by family, as markup.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sheet {
    /// Two lines of headers.
    pub head: String,
    /// Rows.
    pub body: String,
    /// Rows of the atlas, in the order of the sheet.
    pub rows: Vec<usize>,
    /// Columns.
    pub columns: usize,
}

/// What is to say about one cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Detail {
    /// Model id.
    pub model: String,
    /// GPU system and engine.
    pub place: String,
    /// What it is called.
    pub covered: &'static str,
    /// Why there is no answer, or only one for one serving mode.
    pub why: Option<Message>,
    /// The question, where it has an answer.
    pub open: Option<Scenario>,
    /// The nearest cell that answers: its name and its question.
    pub nearest: Option<(String, Scenario)>,
    /// The question in the data mode that answers where measurements do not.
    pub inferred: Option<(String, Scenario)>,
}

/// Text that may stand in markup.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// Class and glyph of a cell: the shape says as much as the colour.
fn mark(cell: [&Verdict; 2]) -> (&'static str, char) {
    match cell.map(Verdict::is_measured) {
        [true, true] => ("full", '●'),
        [false, false] if cell.iter().any(|verdict| verdict.mode().is_some()) => ("guess", '○'),
        [false, false] => ("none", '–'),
        _ => ("half", '◐'),
    }
}

/// A short name of an engine, for a narrow column.
const fn initials(backend: Backend) -> &'static str {
    match backend {
        Backend::Trtllm => "TRT",
        Backend::Sglang => "SGL",
        Backend::Vllm => "vLLM",
    }
}

/// Lays out the models whose id or family has every word of `filter`.
pub fn sheet(atlas: &Atlas, filter: &str) -> Sheet {
    let filter = filter.to_lowercase();
    let family = |row: &Row| catalog::model(&row.model).map_or("", |model| model.family);
    let wanted = |&at: &usize| {
        let text =
            format!("{} {}", atlas.rows[at].model, family_label(family(&atlas.rows[at]))).to_lowercase();
        filter.split_whitespace().all(|word| text.contains(word))
    };
    let mut rows: Vec<usize> = (0..atlas.rows.len()).filter(wanted).collect();
    order::sort_by(&mut rows, |&a, &b| family(&atlas.rows[a]).cmp(family(&atlas.rows[b])));
    let columns = atlas.places.len();
    let mut body = String::new();
    let mut last = "";
    for (line, &at) in rows.iter().enumerate() {
        let row = &atlas.rows[at];
        if family(row) != last {
            last = family(row);
            push(
                &mut body,
                format_args!(
                    "<tr class=family><th colspan={}><span>{}</span></th></tr>",
                    columns + 1,
                    family_label(last)
                ),
            );
        }
        let (id, name) = (escaped(&row.model), escaped(short_model(&row.model)));
        push(&mut body, format_args!("<tr><th scope=row title=\"{id}\">{name}</th>"));
        for column in 0..columns {
            if let Some(cell) = atlas.cell(row, column) {
                let (class, glyph) = mark(cell);
                let first = if (line, column) == (0, 0) { 0 } else { -1 };
                let (id, label) = (cell_id((line, column)), text::covered(cell));
                push(
                    &mut body,
                    format_args!(
                        "<td id={id} tabindex={first} class={class} aria-label=\"{label}\">{glyph}</td>"
                    ),
                );
            }
        }
        body.push_str("</tr>");
    }
    Sheet { head: head(atlas), body, rows, columns }
}

fn push(out: &mut String, part: std::fmt::Arguments<'_>) {
    // A String takes everything.
    let _ = out.write_fmt(part);
}

fn head(atlas: &Atlas) -> String {
    let (mut systems, mut engines) = (String::new(), String::new());
    for group in atlas.places.chunk_by(|a, b| a.system == b.system) {
        let name = escaped(system_name(&group[0].system));
        push(&mut systems, format_args!("<th scope=colgroup colspan={}>{name}</th>", group.len()));
        for place in group {
            let (label, short) = (place.backend.label(), initials(place.backend));
            push(&mut engines, format_args!("<th scope=col><abbr title=\"{label}\">{short}</abbr></th>"));
        }
    }
    format!("<tr><th rowspan=2>Model</th>{systems}</tr><tr>{engines}</tr>")
}

/// Id of a cell in the document.
pub fn cell_id((row, column): At) -> String {
    format!("cell-{row}-{column}")
}

/// The cell with this id.
pub fn cell_at(id: &str) -> Option<At> {
    let (row, column) = id.strip_prefix("cell-")?.split_once('-')?;
    Some((row.parse().ok()?, column.parse().ok()?))
}

/// Where a key leads from a cell; none for other keys.
pub fn step(key: &str, (row, column): At, sheet: &Sheet) -> Option<At> {
    let (last_row, last_column) = (sheet.rows.len().checked_sub(1)?, sheet.columns.checked_sub(1)?);
    Some(match key {
        "ArrowUp" => (row.saturating_sub(1), column),
        "ArrowDown" => ((row + 1).min(last_row), column),
        "ArrowLeft" => (row, column.saturating_sub(1)),
        "ArrowRight" => (row, (column + 1).min(last_column)),
        "PageUp" => (row.saturating_sub(10), column),
        "PageDown" => ((row + 10).min(last_row), column),
        "Home" => (row, 0),
        "End" => (row, last_column),
        _ => return None,
    })
}

/// What is to say about a cell of a sheet, for somebody who asks `scenario`.
pub fn detail(atlas: &Atlas, sheet: &Sheet, (row, column): At, scenario: &Scenario) -> Option<Detail> {
    let row = atlas.rows.get(*sheet.rows.get(row)?)?;
    let place = atlas.places.get(column)?;
    let cell = atlas.cell(row, column)?;
    let unanswered = cell.iter().position(|verdict| !verdict.is_measured());
    let nearest = unanswered.and_then(|mode| atlas.nearest(row, column, mode));
    let measured = cell.iter().any(|verdict| verdict.is_measured());
    let mode = unanswered.and_then(|mode| cell[mode].mode());
    Some(Detail {
        model: row.model.clone(),
        place: format!("{} · {}", system_name(&place.system), place.backend.label()),
        covered: text::covered(cell),
        why: unanswered.and_then(|mode| cell[mode].why()).map(text::why),
        open: measured.then(|| ask(scenario, &row.model, place)),
        nearest: nearest.map(|nearest| (text::nearest(&nearest), nearest.apply(scenario))),
        inferred: mode.map(|mode| {
            (text::inferred(mode).to_owned(), Scenario { mode, ..ask(scenario, &row.model, place) })
        }),
    })
}

/// Models to choose from, each with the number of GPU systems that answer for it.
pub fn counted(mut options: Vec<ModelOption>, atlas: Option<&Atlas>) -> Vec<ModelOption> {
    for option in &mut options {
        if let Some((atlas, row)) = atlas.and_then(|atlas| Some((atlas, atlas.row(&option.id)?))) {
            option.detail = format!("{} · {}", option.detail, text::systems_measured(atlas.systems(row)));
        }
    }
    options
}

/// GPU systems or engines to choose from, with a word at those where a model has no answer.
pub fn noted(
    mut choices: Vec<Choice>,
    atlas: Option<&Atlas>,
    model: &str,
    at: impl Fn(&str) -> Option<Place>,
) -> Vec<Choice> {
    let Some((atlas, row)) = atlas.and_then(|atlas| Some((atlas, atlas.row(model)?))) else { return choices };
    for choice in &mut choices {
        let place = at(&choice.value).filter(|place| atlas.places.contains(place));
        if place.is_some_and(|place| !atlas.measured(row).any(|measured| *measured == place)) {
            choice.label += " (no answer)";
        }
    }
    choices
}

/// Models that answer somewhere, of all.
pub fn answering(atlas: &Atlas) -> (usize, usize) {
    (atlas.rows.iter().filter(|row| atlas.systems(row) > 0).count(), atlas.rows.len())
}

#[cfg(test)]
mod tests {
    use engine::source::DataMode;

    use super::*;

    fn atlas() -> Atlas {
        Atlas::from_bytes(include_bytes!("../../../../perf-data/packs/coverage.bin")).expect("an atlas")
    }

    #[test]
    fn a_filter_leaves_the_models_with_its_words() {
        let atlas = atlas();
        let all = sheet(&atlas, "");
        assert_eq!((all.rows.len(), all.columns), (catalog::models().len(), atlas.places.len()));
        assert_eq!(all.body.matches("<td ").count(), all.rows.len() * all.columns);
        assert_eq!(all.body.matches("tabindex=0").count(), 1);
        let some = sheet(&atlas, "qwen3 32b FP8");
        let names: Vec<_> = some.rows.iter().map(|&at| atlas.rows[at].model.as_str()).collect();
        assert_eq!(names, ["Qwen/Qwen3-32B-FP8", "Qwen/Qwen3-32B-FP8-Static-PerTensor"]);
        assert!(sheet(&atlas, "no such model").rows.is_empty());
    }

    #[test]
    fn keys_walk_and_stay_inside() {
        let sheet = Sheet { rows: vec![4, 5, 6], columns: 2, ..Sheet::default() };
        assert_eq!(step("ArrowDown", (2, 0), &sheet), Some((2, 0)));
        assert_eq!(step("ArrowRight", (1, 0), &sheet), Some((1, 1)));
        assert_eq!(step("End", (1, 0), &sheet), Some((1, 1)));
        assert_eq!(step("x", (1, 0), &sheet), None);
        assert_eq!(step("ArrowUp", (0, 0), &Sheet::default()), None);
        assert_eq!(cell_at(&cell_id((12, 7))), Some((12, 7)));
        assert_eq!(cell_at("other"), None);
    }

    #[test]
    fn a_cell_without_an_answer_leads_to_one_with() {
        let atlas = atlas();
        let sheet = sheet(&atlas, "Qwen3-32B-FP8");
        let scenario = Scenario::default();
        let of = |system: &str| {
            let column = atlas.places.iter().position(|place| place.system == system).expect("a column");
            detail(&atlas, &sheet, (0, column), &scenario).expect("a detail")
        };
        let refused = of("a100_sxm");
        assert!(refused.why.expect("a reason").detail.contains("fp8") && refused.open.is_none());
        let (name, there) = refused.nearest.expect("a sibling");
        assert!(name.contains("Qwen/Qwen3-32B") && there.model == "Qwen/Qwen3-32B", "{name}");
        let estimated =
            detail(&atlas, &super::sheet(&atlas, "Step-3.7-Flash-FP8"), (0, sheet.columns - 1), &scenario);
        let (name, there) = estimated.and_then(|shown| shown.inferred).expect("an estimate");
        assert!(name.starts_with("Open with") && there.mode != DataMode::Silicon, "{name}");
        let measured = of("h100_sxm");
        assert_eq!((measured.why, measured.nearest), (None, None));
        let open = measured.open.expect("a question");
        assert_eq!((open.system.as_str(), open.workload), ("h100_sxm", scenario.workload));
    }

    #[test]
    fn choices_say_where_a_model_has_no_answer() {
        let atlas = atlas();
        let choice = |value: &str| Choice { value: value.to_owned(), label: value.to_owned() };
        let systems = ["a100_sxm", "h100_sxm", "elsewhere"].map(choice).to_vec();
        let at = |system: &str| Some(Place { system: system.to_owned(), backend: Backend::Trtllm });
        let noted = noted(systems, Some(&atlas), "Qwen/Qwen3-32B-FP8", at);
        let labels: Vec<_> = noted.iter().map(|choice| choice.label.as_str()).collect();
        assert_eq!(labels, ["a100_sxm (no answer)", "h100_sxm", "elsewhere"]);
        let models = super::super::form::models("qwen3 32b fp8");
        assert!(counted(models, Some(&atlas))[0].detail.ends_with("· measured on 8 GPUs"));
    }

    #[test]
    fn markup_is_escaped() {
        assert_eq!(escaped("a<b>&\"c\""), "a&lt;b>&amp;&quot;c&quot;");
    }
}
