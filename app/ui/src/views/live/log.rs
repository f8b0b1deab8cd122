//! Decisions and events, newest first.

use leptos::prelude::*;

use super::Here;
use crate::components::DecisionTable;
use crate::reactive::memo;
use crate::view_model::live::{EventVm, events, log};

/// The log.
#[component]
pub(super) fn Log(
    /// The screen.
    here: Here,
) -> impl IntoView {
    let live = here.live;
    let clock = move || live.data.with_untracked(|data| data.clock);
    let rows = memo(move || {
        here.status(|status| {
            live.data.with_untracked(|data| log(&data.run.decisions, status.slo, data.clock))
        })
        .unwrap_or_default()
    });
    let reported = memo(move || here.status(|status| events(status, clock())).unwrap_or_default());
    let event = |EventVm { time, warning, text }: EventVm| {
        let kind = if warning { "Warning " } else { "" };
        view! { <li class:stale=warning><time>{time}</time>" "<b>{kind}</b>{text}</li> }
    };
    view! {
        <section class="panel log" aria-label="Decisions">
            <DecisionTable rows=rows cursor=here.cursor none="The planner has changed nothing since it was first seen."/>
            <div class:hidden=move || reported.with(Vec::is_empty)>
                <h2>"What the cluster reports"</h2>
                <ul class="events">{move || reported.get().into_iter().map(event).collect_view().into_any()}</ul>
            </div>
        </section>
    }
}
