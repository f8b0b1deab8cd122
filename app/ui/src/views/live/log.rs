//! Decisions and events, newest first.

use leptos::prelude::*;

use super::Here;
use crate::components::handler;
use crate::view_model::live::{EventVm, LogRow, events, log};

/// The log.
#[component]
pub(super) fn Log(
    /// The screen.
    here: Here,
) -> impl IntoView {
    let live = here.live;
    let clock = move || live.data.with_untracked(|data| data.clock);
    let rows = Memo::new(move |_| {
        here.status(|status| {
            live.data.with_untracked(|data| log(&data.run.decisions, status.slo, data.clock))
        })
        .unwrap_or_default()
    });
    let reported = Memo::new(move |_| here.status(|status| events(status, clock())).unwrap_or_default());
    let row = move |LogRow { at_ms, time, what, by, why, ready }: LogRow| {
        let label = format!("{time}, show it on the timelines");
        view! {
            <tr>
                <td><button type="button" class="ghost small" aria-label=label on:click=handler(move |_| here.cursor.set(Some(at_ms)))>{time}</button></td>
                <td class="strong">{what}</td>
                <td>{by}</td>
                <td class="why">{why}</td>
                <td>{ready}</td>
            </tr>
        }
    };
    let event = |EventVm { time, warning, text }: EventVm| {
        let kind = if warning { "Warning " } else { "" };
        view! { <li class:stale=warning><time>{time}</time>" "<b>{kind}</b>{text}</li> }
    };
    view! {
        <section class="panel log" aria-label="Decisions">
            <h2>"Decisions"</h2>
            <div class="scroll" tabindex="0" role="region" aria-label="Decision log">
                <table>
                    <thead><tr><th>"Time"</th><th>"Change"</th><th>"Asked by"</th><th>"Why"</th><th>"New workers"</th></tr></thead>
                    <tbody>{move || rows.get().into_iter().map(row).collect_view().into_any()}</tbody>
                </table>
            </div>
            <p class="note" class:hidden=move || rows.with(|rows| !rows.is_empty())>"The planner has changed nothing since it was first seen."</p>
            <div class:hidden=move || reported.with(Vec::is_empty)>
                <h2>"What the cluster reports"</h2>
                <ul class="events">{move || reported.get().into_iter().map(event).collect_view().into_any()}</ul>
            </div>
        </section>
    }
}
