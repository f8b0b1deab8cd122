//! Why candidates were rejected.

use engine::{format, text};
use leptos::prelude::*;

use crate::state::use_page;

/// What is left after each stage.
#[component]
pub(super) fn Funnel() -> impl IntoView {
    let page = use_page();
    let stages = move || {
        page.shown.get().map(|shown| {
            text::funnel_stages(&shown.view.funnel, &shown.scenario)
                .into_iter()
                .map(|(name, left)| view! { <li><b>{format::count(left)}</b>" "{name}</li> })
                .collect_view()
        })
    };
    // Where several places were asked for: which were not searched, and how unlike GPUs compare.
    let reach = move || {
        let shown = page.shown.get()?;
        let notes = [text::across(&shown.places, shown.scenario.goal), shown.left.clone()];
        let notes: Vec<String> = notes.into_iter().flatten().collect();
        (!notes.is_empty()).then(|| view! { <p class="reach">{notes.join(" ")}</p> })
    };
    view! { <ol class="funnel" aria-label="Candidates left after each stage">{move || stages().into_any()}</ol>{move || reach().into_any()} }
}
