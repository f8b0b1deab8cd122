//! `configurator import`.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use engine::catalog::Catalog;
use engine::format::{count, gib, ms, rate};
use engine::gap::{Change, Gap, gap};
use engine::link::{layout_name, place_suffix};
use engine::manifest::{self, Fixed, Imported, Kind, Unread};
use engine::problem::Plan;
use engine::scenario::{Goal, Scenario};
use engine::search::{Priced, price_limits};
use engine::text;
use engine::view::{Layout, Point, View};
use serde::Serialize;

use super::search::question;
use crate::answer::{Answer, answer};
use crate::args;
use crate::data::Data;
use crate::question::{Asked, ask};
use crate::report::{Failure, Report, json};
use crate::table::{Align, table};

/// Longest file that is read: one byte more than what is refused as too long.
const MAX_BYTES: u64 = (2 << 20) + 1;

/// The answer for programs.
#[derive(Serialize)]
struct Json<'a> {
    kind: Kind,
    scenario: &'a Scenario,
    link: String,
    /// Name of the layout, as in the link.
    layout: Option<String>,
    point: Option<&'a Point>,
    best: Option<&'a Point>,
    gap: Option<Far<'a>>,
    fixed: &'a [Fixed],
    assumed: &'a [String],
    unread: &'a [Unread],
    notes: &'a [String],
}

#[derive(Serialize)]
struct Far<'a> {
    meets: bool,
    /// More tokens/s/GPU of the best within the SLO, as a share.
    best_more: Option<f64>,
    /// The same of the best that is as fast for each user.
    as_fast_more: Option<f64>,
    gpus_for_load: Option<u32>,
    /// Point that the smallest change leads to, and the share of the gap that it closes.
    change: Option<&'a Point>,
    closes: Option<f64>,
    sentences: Vec<String>,
}

/// A text, its question and, where it fixes a layout, its point.
struct Here {
    imported: Imported,
    answer: Answer,
    priced: Option<Priced>,
    notes: Vec<String>,
}

pub(super) fn run(args: &args::Import) -> Result<Report, Failure> {
    let text = open(&args.file)?;
    let data = Data::open(args.output.data.as_deref())?;
    let asked = ask(&args.question, &args.space)?;
    let imported = manifest::import(&text, &asked.scenario, goal(&args.question), Catalog::embedded());
    let imported = imported.map_err(|checks| refusal(&checks))?;
    let (priced, mut notes) = match &imported.layout {
        None => (None, Vec::new()),
        Some(layout) => price(layout, &imported, &data)?,
    };
    notes.splice(0..0, asked.notes);
    let asked = Asked { scenario: imported.scenario.clone(), data: imported.data.clone(), notes };
    let mut answer = answer(asked, &data)?;
    let notes = std::mem::take(&mut answer.notes);
    let here = Here { imported, answer, priced, notes };
    let found = here.priced.as_ref().map_or(here.answer.view.best().is_some(), |priced| priced.point.meets());
    let text = if args.output.json { json(&for_programs(&here))? } else { for_people(&here) };
    Ok(Report::new(text, here.notes, found))
}

/// The goal of the flags, where there is one.
fn goal(flags: &args::Question) -> Option<Goal> {
    flags
        .gpus
        .map(Goal::Gpus)
        .or(flags.rate.map(Goal::RequestRate))
        .or(flags.concurrency.map(Goal::Concurrency))
}

fn open(path: &Path) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().take(MAX_BYTES).read_to_end(&mut bytes)
    } else {
        fs::File::open(path).and_then(|file| file.take(MAX_BYTES).read_to_end(&mut bytes))
    };
    let file = path.display();
    read.map_err(|error| Failure(format!("{file} cannot be read ({error}). Check the name.")))?;
    if bytes.len() as u64 >= MAX_BYTES {
        return Err(Failure(format!("{file}: {}", text::too_long(MAX_BYTES as usize))));
    }
    let text = manifest::decode(&bytes).map_err(|check| refusal(&[check]))?;
    Ok(text.to_owned())
}

/// Prices the layout at its own backend and system.
fn price(
    layout: &Layout,
    imported: &Imported,
    data: &Data,
) -> Result<(Option<Priced>, Vec<String>), Failure> {
    let scenario = imported.scenario.at(&imported.scenario.home());
    let plan = Plan::resolve(&scenario, Catalog::embedded(), &data.index)?;
    Ok(match price_limits(&data.load(plan)?, layout) {
        Ok(priced) => {
            let notes = priced.cut.iter().map(text::cut).collect();
            (Some(priced), notes)
        }
        Err(error) => (None, vec![text::price_error(&error).to_string()]),
    })
}

impl Here {
    /// The point, counted in the places that were searched.
    fn point(&self) -> Option<Point> {
        let home = self.imported.scenario.home();
        let place = self.answer.places.iter().position(|place| *place == home)?;
        Some(Point { place: place as u32, ..self.priced.as_ref()?.point })
    }

    /// The share link, with the point where there is one.
    fn link(&self) -> String {
        match self.name() {
            Some(name) => format!("{}#explore:{name}", self.answer.link()),
            None => self.answer.link(),
        }
    }

    fn name(&self) -> Option<String> {
        let priced = self.priced.as_ref()?;
        let scenario = &self.imported.scenario;
        let suffix = if scenario.reach.is_wide() { place_suffix(&scenario.home()) } else { String::new() };
        Some(layout_name(&priced.point.layout) + &suffix)
    }

    fn gap(&self, point: &Point) -> Gap {
        gap(&self.answer.rows(), &self.answer.view, point, &self.answer.scenario)
    }

    fn sentences(&self, gap: &Gap, point: &Point) -> Vec<String> {
        text::gap(gap, &self.answer.view, point, &self.answer.scenario, &self.answer.places)
    }
}

fn for_programs(here: &Here) -> Json<'_> {
    let view: &View = &here.answer.view;
    let point = here.point();
    let gap = point.as_ref().map(|point| {
        let gap = here.gap(point);
        let change = gap.change.as_ref();
        Far {
            meets: gap.meets,
            best_more: gap.best.map(|ahead| ahead.more),
            as_fast_more: gap.as_fast.map(|ahead| ahead.more),
            gpus_for_load: gap.gpus_for_load,
            change: change.and_then(|change: &Change| view.points.get(change.to)),
            closes: change.and_then(|change| change.closes),
            sentences: here.sentences(&gap, point),
        }
    });
    Json {
        kind: here.imported.kind,
        scenario: &here.imported.scenario,
        link: here.link(),
        layout: here.name(),
        point: here.priced.as_ref().map(|priced| &priced.point),
        best: view.best(),
        gap,
        fixed: &here.imported.fixed,
        assumed: &here.imported.assumed,
        unread: &here.imported.unread,
        notes: &here.notes,
    }
}

fn for_people(here: &Here) -> String {
    let Imported { kind, scenario, fixed, assumed, unread, .. } = &here.imported;
    let mut out = vec![format!("{}.", kind.label()), question(scenario), String::new()];
    if !fixed.is_empty() {
        let rows: Vec<_> = fixed
            .iter()
            .map(|one| vec![one.line.to_string(), one.input.clone(), one.value.clone()])
            .collect();
        out.push(table(&[("line", Align::Right), ("input", Align::Left), ("value", Align::Left)], &rows));
    }
    if !assumed.is_empty() {
        out.push("Assumed:".to_owned());
        out.extend(assumed.iter().map(|sentence| format!("  {sentence}")));
        out.push(String::new());
    }
    if !unread.is_empty() {
        out.push("Not counted:".to_owned());
        out.extend(unread.iter().map(|one| format!("  {}", line(one))));
        out.push(String::new());
    }
    if let Some(point) = here.point() {
        out.push(figures(&point));
        out.extend(here.sentences(&here.gap(&point), &point));
    } else if let Some(best) = here.answer.view.best() {
        out.push(text::verdict(best));
    } else {
        let nearest = here.answer.view.nearest.unwrap_or_default();
        out.push(text::nothing_fits(&nearest, scenario).to_string());
    }
    out.extend(here.answer.not_searched());
    out.push(String::new());
    out.push(format!("Data {}. Link: {}\n", here.answer.data, here.link()));
    out.join("\n")
}

fn line(one: &Unread) -> String {
    let line = one.line.map_or_else(String::new, |line| format!("line {line}: "));
    let text = if one.text.is_empty() { String::new() } else { format!("{} — ", one.text) };
    format!("{line}{text}{}", one.why)
}

fn figures(point: &Point) -> String {
    let (first, second) = match &point.layout {
        Layout::Agg { worker, .. } => (("GiB/GPU", worker), None),
        Layout::Disagg { prefill, decode, .. } => {
            (("prefill GiB/GPU", prefill), Some(("decode GiB/GPU", decode)))
        }
    };
    let mut rows = vec![
        ("layout", format!("{} {}", text::serving(point), text::layout_short(point))),
        ("GPUs", text::gpus_decomposed(point)),
        ("tok/s/GPU", rate(point.tokens_per_sec_per_gpu)),
        ("tok/s/user", rate(point.tokens_per_sec_per_user)),
        ("TTFT ms", ms(point.ttft_ms)),
        ("ITL ms", ms(point.itl_ms)),
        ("req/s", rate(point.requests_per_sec)),
        ("in flight", count(u64::from(point.concurrency))),
    ];
    for (name, worker) in std::iter::once(first).chain(second) {
        let memory = worker.memory;
        rows.push((name, format!("{} of {}", gib(memory.total()), gib(memory.capacity))));
    }
    rows.push(("evidence", text::evidence(point.evidence)));
    let rows: Vec<_> = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    table(&[("where you are", Align::Left), ("value", Align::Left)], &rows)
}

fn refusal(checks: &[manifest::Check]) -> Failure {
    let line = |check: &manifest::Check| match check.line {
        Some(line) => format!("line {line}: {}", check.message),
        None => check.message.clone(),
    };
    let lines: Vec<_> = checks.iter().map(line).collect();
    Failure(format!("This cannot be imported.\n  {}", lines.join("\n  ")))
}
