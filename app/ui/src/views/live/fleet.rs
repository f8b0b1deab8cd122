//! Workers by role, the GPU budget, and why nothing happens.

use engine::text::planner::{Says, planner_says};
use leptos::prelude::*;

use super::Here;
use crate::reactive::memo;
use crate::view_model::live::{BudgetVm, COUNTS, PoolVm, WorkerVm, budget, pools};

/// The cards beside the timelines.
#[component]
pub(super) fn Fleet(
    /// The screen.
    here: Here,
) -> impl IntoView {
    let says = memo(move || here.status(planner_says).unwrap_or_default());
    let roles = memo(move || here.status(pools).unwrap_or_default());
    let gpus = memo(move || here.status(budget));
    let line = |Says { who, says }: Says| view! { <li><b>{who}</b><span>{says}</span></li> };
    view! {
        <section class="panel card" aria-label="What the planner says">
            <h2>"Why it scales, or does not"</h2>
            <ul class="says">{move || says.get().into_iter().map(line).collect_view().into_any()}</ul>
            <p class="note" class:hidden=move || says.with(|says| !says.is_empty())>
                "No source tells what the planner thinks."
            </p>
        </section>
        <section class="panel card" aria-label="Workers by role">
            <h2>"Workers"</h2>
            <table>
                <thead><tr><th></th>{move || roles.get().into_iter().map(head).collect_view().into_any()}</tr></thead>
                <tbody>{move || states(&roles.get()).into_any()}</tbody>
            </table>
            {move || gpus.get().map(bar).into_any()}
            {move || roles.get().into_iter().map(workers).collect_view().into_any()}
        </section>
    }
}

fn head(pool: PoolVm) -> impl IntoView {
    view! { <th class="num" scope="col" title=pool.name>{pool.role}</th> }
}

/// A line for each state, a column for each role.
fn states(roles: &[PoolVm]) -> impl IntoView + use<> {
    let line = |(at, name): (usize, &'static str)| {
        let cell = |pool: &PoolVm| view! { <td class="num">{pool.counts.get(at).cloned()}</td> };
        view! { <tr><th scope="row">{name}</th>{roles.iter().map(cell).collect_view()}</tr> }
    };
    COUNTS.into_iter().enumerate().map(line).collect_view()
}

fn bar(budget: BudgetVm) -> impl IntoView {
    let width = |share: f64| format!("{:.1}%", share * 100.0);
    view! {
        <div class="budget">
            <div aria-hidden="true"><i style:width=width(budget.used)></i><i class="pale" style:width=width(budget.starting)></i></div>
            <p>{budget.words}</p>
        </div>
    }
}

fn workers(pool: PoolVm) -> impl IntoView {
    let (serve, other): (Vec<WorkerVm>, Vec<WorkerVm>) =
        pool.workers.into_iter().partition(|worker| worker.serves);
    let line = |WorkerVm { name, state, note, serves }: WorkerVm| {
        let note = if note.is_empty() { note } else { format!(": {note}") };
        view! { <li class:stale=!serves><b>{name}</b>" "{state}{note}</li> }
    };
    let (none, ready) = (serve.is_empty(), format!("{} ready", serve.len()));
    view! {
        <div class="workers">
            <h3>{pool.role}" "<span>{pool.facts.join(" · ")}</span></h3>
            <ul>{other.into_iter().map(line).collect_view()}</ul>
            <details class:hidden=none>
                <summary>{ready}</summary>
                <ul>{serve.into_iter().map(line).collect_view()}</ul>
            </details>
        </div>
    }
}
