//! `configurator search`.

use std::fmt::Write as _;

use engine::format::{count, rate, typed};
use engine::scenario::{Goal, Place, Reach, Scenario};
use engine::text;
use engine::view::{Funnel, Nearest, Point};
use serde::Serialize;

use crate::answer::{Answer, answer, place_name};
use crate::args;
use crate::data::{Data, Left};
use crate::question::ask;
use crate::report::{Failure, Report, json};
use crate::table::{Align, table};

const COLUMNS: &[(&str, Align)] = &[
    ("#", Align::Right),
    ("serving", Align::Left),
    ("replica", Align::Left),
    ("replicas", Align::Right),
    ("GPUs", Align::Right),
    ("tok/s/GPU", Align::Right),
    ("tok/s/user", Align::Right),
    ("TTFT ms", Align::Right),
    ("ITL ms", Align::Right),
    ("req/s", Align::Right),
    ("in flight", Align::Right),
    ("evidence", Align::Left),
];

/// The answer for programs.
#[derive(Serialize)]
struct Json<'a> {
    scenario: &'a Scenario,
    data: &'a str,
    link: String,
    /// What was searched; `place` of a pick counts in this list.
    places: &'a [Place],
    not_searched: &'a [Left],
    funnel: &'a Funnel,
    picks: Vec<Pick<'a>>,
    limited_by: Option<String>,
    nearest: Option<Nearest>,
}

#[derive(Serialize)]
struct Pick<'a> {
    rank: usize,
    system: String,
    backend: &'static str,
    serving: &'static str,
    replica: String,
    gpus: String,
    #[serde(flatten)]
    point: &'a Point,
}

pub(super) fn run(args: &args::Search) -> Result<Report, Failure> {
    let data = Data::open(args.output.data.as_deref())?;
    let answer = answer(ask(&args.question, &args.space)?, &data)?;
    let top = args.top as usize;
    let text = if args.output.json { json(&for_programs(&answer, top))? } else { for_people(&answer, top) };
    let found = answer.view.best().is_some();
    Ok(Report::new(text, answer.notes, found))
}

fn for_programs(answer: &Answer, top: usize) -> Json<'_> {
    let picks = answer.picks().take(top).zip(1..).map(|(point, rank)| {
        let Place { system, backend } = answer.place(point);
        Pick {
            rank,
            system,
            backend: backend.name(),
            serving: text::serving(point),
            replica: text::layout_short(point),
            gpus: text::gpus_decomposed(point),
            point,
        }
    });
    Json {
        scenario: &answer.scenario,
        data: &answer.data,
        link: answer.link(),
        places: &answer.places,
        not_searched: &answer.left,
        funnel: &answer.view.funnel,
        picks: picks.collect(),
        limited_by: limit(answer),
        nearest: answer.view.nearest,
    }
}

fn for_people(answer: &Answer, top: usize) -> String {
    let scenario = &answer.scenario;
    let mut lines = vec![question(scenario), String::new()];
    if let Some(best) = answer.view.best() {
        if scenario.reach.is_wide() {
            lines.push(format!("{}.", place_name(&answer.place(best))));
        }
        lines.push(text::verdict(best));
        lines.push(format!("{}.", text::gpus_decomposed(best)));
        lines.extend(text::gpus_idle(best, scenario).map(|idle| format!("{idle}.")));
        lines.extend(limit(answer).map(|limit| format!("Limited by {limit}.")));
        lines.extend(answer.picks().nth(1).map(|next| text::next_best(best, next)));
        lines.push(String::new());
        lines.push(picks(answer, top));
        lines.extend(text::across(&answer.places, scenario.goal));
    } else {
        let nearest = answer.view.nearest.unwrap_or_default();
        lines.push(text::nothing_fits(&nearest, scenario).to_string());
        lines.push(String::new());
    }
    let stages = text::funnel_stages(&answer.view.funnel, scenario);
    let stages: Vec<_> = stages.iter().map(|&(name, left)| format!("{} {name}", count(left))).collect();
    lines.push(stages.join(" → "));
    lines.extend(answer.not_searched());
    let mut out = lines.join("\n");
    // A String takes everything.
    let _ = writeln!(out, "\nData {}. Link: {}", answer.data, answer.link());
    out
}

fn limit(answer: &Answer) -> Option<String> {
    let best = answer.view.best()?;
    text::limited_by(&answer.explain(best)?, best)
}

/// The best picks as a table that names backend and system where several were asked for.
fn picks(answer: &Answer, top: usize) -> String {
    let reach = answer.scenario.reach;
    let mut columns = COLUMNS.to_vec();
    named(&mut columns, reach, ("backend", Align::Left), ("system", Align::Left));
    let rows = answer.picks().take(top).zip(1..).map(|(point, rank)| {
        let Place { system, backend } = answer.place(point);
        let mut cells = row(rank, point);
        named(&mut cells, reach, backend.name().to_owned(), system);
        cells
    });
    table(&columns, &rows.collect::<Vec<_>>())
}

/// Puts backend and system behind the rank, where several were asked for.
fn named<T>(line: &mut Vec<T>, reach: Reach, backend: T, system: T) {
    if reach.every_system {
        line.insert(1, system);
    }
    if reach.every_backend {
        line.insert(1, backend);
    }
}

fn row(rank: usize, point: &Point) -> Vec<String> {
    vec![
        rank.to_string(),
        text::serving(point).to_owned(),
        text::layout_short(point),
        count(u64::from(point.replicas)),
        count(u64::from(point.gpus_used)),
        rate(point.tokens_per_sec_per_gpu),
        rate(point.tokens_per_sec_per_user),
        engine::format::ms(point.ttft_ms),
        engine::format::ms(point.itl_ms),
        rate(point.requests_per_sec),
        count(u64::from(point.concurrency)),
        text::evidence(point.evidence),
    ]
}

/// What was asked, in two lines.
pub(super) fn question(scenario: &Scenario) -> String {
    let Scenario { model, decode_system, workload, sla, goal, .. } = scenario;
    let system = scenario.one_system().unwrap_or(text::ANY_SYSTEM);
    let goal = match goal {
        Goal::Gpus(gpus) => format!("{} × {system}", count(u64::from(*gpus))),
        Goal::RequestRate(rate) => format!("{system} for {} requests/s", typed(*rate)),
        Goal::Concurrency(requests) => {
            format!("{system} for {} requests in flight", count(u64::from(*requests)))
        }
    };
    let decode = decode_system.as_ref().map_or(String::new(), |system| format!(", decode on {system}"));
    let images = workload.images.map_or(String::new(), |images| format!(", {}", text::images(&images)));
    let second = match sla.request_latency_ms {
        Some(latency) => format!("request latency {} ms", typed(latency)),
        None => format!("ITL {} ms", typed(sla.itl_ms)),
    };
    format!(
        "{model} on {goal}{decode}, {}\nISL {}, OSL {}, prefix {}{images}; TTFT {} ms, {second}",
        text::asked_backend(scenario),
        count(u64::from(workload.isl)),
        count(u64::from(workload.osl)),
        count(u64::from(workload.prefix)),
        typed(sla.ttft_ms),
    )
}
