//! Planning with live traffic, and what was predicted against what is observed.

use leptos::prelude::*;

use super::Here;
use crate::components::handler;
use crate::reactive::memo;
use crate::services::screen;
use crate::state::use_page;
use crate::view_model::fragment::Screen;
use crate::view_model::live::{Compared, Plan, compare, plan};

/// The card.
#[component]
pub(super) fn PlanCard(
    /// The screen.
    here: Here,
) -> impl IntoView {
    let page = use_page();
    let made = memo(move || {
        let (form, before) = (page.scenario.get(), page.today.get());
        here.status(|status| plan(status, &form, before.as_ref())).flatten()
    });
    let compared = memo(move || {
        let point = page.today_point()?;
        here.status(|status| compare(&point, &status.observed))
    });
    let take = move |_| {
        if let Some(Plan { scenario, today, .. }) = made.get_untracked() {
            if today.is_some() {
                page.today.set(today);
            }
            page.edit(|now| *now = scenario);
            page.go(Screen::Explore);
            screen::start_at("answer");
        }
    };
    let row = |Compared { name, predicted, observed, difference }: Compared| {
        view! { <tr><th scope="row">{name}</th><td class="num">{predicted}</td><td class="num">{observed}</td><td>{difference}</td></tr> }
    };
    let line = |line: String| view! { <li>{line}</li> };
    view! {
        <section class="panel card" aria-label="Plan with live traffic">
            <h2>"Plan with live traffic"</h2>
            <p>{move || made.with(|made| made.as_ref().map_or_else(
                || "Traffic is not known yet: request rate, ISL and OSL are needed.".to_owned(),
                |made| made.copied.join(" · "),
            )).into_any()}</p>
            <ul class="note">{move || made.with(|made| made.as_ref().map(|made| made.unknown.clone().into_iter().map(line).collect_view()).into_any())}</ul>
            <button type="button" class="primary" disabled=move || made.with(Option::is_none) on:click=handler(take)>"Plan with live traffic"</button>
            <div class:hidden=move || compared.with(|rows| rows.as_ref().is_none_or(Vec::is_empty))>
                <table>
                    <thead><tr><th>"What runs, ms"</th><th class="num">"Predicted"</th><th class="num">"Observed"</th><th></th></tr></thead>
                    <tbody>{move || compared.get().unwrap_or_default().into_iter().map(row).collect_view().into_any()}</tbody>
                </table>
            </div>
        </section>
    }
}
