//! What the run came to: in sentences, in figures, decision by decision.

use engine::simulate::{Course, Summary};
use engine::text::{self, planner};
use leptos::prelude::*;

use crate::components::DecisionTable;
use crate::reactive::memo;
use crate::state::use_page;
use crate::view_model::live::log;
use crate::view_model::replay::{Against, FigureRow, figures};

/// The course of the run.
#[component]
pub(super) fn Headline() -> impl IntoView {
    let replay = use_page().replay;
    let over = memo(move || replay.first.with(|going| going.summary));
    let says = memo(move || {
        let summary = over.get()?;
        let (slo, planned) = replay.form.with_untracked(|form| (form.slo, form.planned));
        let course =
            replay.data.with_untracked(|data| Course::of(&data.run.samples, &data.run.decisions, slo));
        let mut lines = text::replay::course(&course, planned);
        lines.push(text::replay::requests(&summary));
        Some((summary.attainment(), lines))
    });
    let share = move || {
        says.get()
            .and_then(|(share, _)| share)
            .map(|share| engine::format::percent(share).trim_start_matches('+').to_owned())
    };
    view! {
        <section class="panel course" aria-label="What happened" aria-live="polite">
            <p class="hero"><b>{move || share().unwrap_or_else(|| "…".to_owned()).into_any()}</b><span>" of requests within both targets"</span></p>
            <ul id="replay-course">
                {move || says.get().map(|(_, lines)| lines.into_iter().map(|line| view! { <li>{line}</li> }).collect_view()).into_any()}
            </ul>
        </section>
    }
}

/// The figures of the run, beside those it is compared with.
#[component]
pub(super) fn Figures() -> impl IntoView {
    let replay = use_page().replay;
    let first = memo(move || replay.first.with(|going| going.summary));
    let second = memo(move || replay.second.with(|going| going.as_ref().and_then(|going| going.summary)));
    let compared = move || replay.second.with(Option::is_some);
    let other_name = move || {
        let kept = replay.form.with(|form| form.against) == Against::Kept;
        if kept { "Kept settings" } else { "Static fleet" }
    };
    let changes = move |other: bool| {
        replay.data.with(|data| {
            if other {
                data.other.as_ref().map_or(0, |run| run.decisions.len())
            } else {
                data.run.decisions.len()
            }
        })
    };
    let rows = move || {
        let figures_of = |summary: Option<Summary>, other| summary.map(|summary| (summary, changes(other)));
        figures(figures_of(first.get(), false), figures_of(second.get(), true))
    };
    view! {
        <section class="panel table figures-of-run" aria-label="Figures">
            <div class="scroll" tabindex="0" role="region" aria-label="Figures of the run">
                <table>
                    <thead><tr>
                        <th><span class="cell">"Whole run"</span></th>
                        <th class="num"><span class="cell">"This run"</span></th>
                        <th class="num" class:hidden=move || !compared()><span class="cell">{move || other_name().into_any()}</span></th>
                    </tr></thead>
                    <tbody>
                        {move || rows().into_iter().map(|FigureRow { name, first, second }| view! {
                            <tr>
                                <td>{name}</td>
                                <td class="num strong">{first}</td>
                                <td class="num" class:hidden=move || !compared()>{second}</td>
                            </tr>
                        }).collect_view().into_any()}
                    </tbody>
                </table>
            </div>
        </section>
    }
}

/// Every decision, newest first, with its reason.
#[component]
pub(super) fn Decisions(
    /// The moment that is read.
    cursor: RwSignal<Option<u64>>,
) -> impl IntoView {
    let replay = use_page().replay;
    let rows = memo(move || replay.data.with(|data| log(&data.run.decisions, data.slo, data.clock)));
    let last = move || {
        replay
            .data
            .with(|data| data.run.decisions.last().map(|decision| planner::decision(decision, data.slo)))
    };
    view! {
        <section class="panel log" aria-label="Decisions">
            <DecisionTable rows=rows cursor=cursor none="Nothing was changed."/>
            <p class="offscreen" aria-live="polite">{move || last().into_any()}</p>
        </section>
    }
}
