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
    view! { <ol class="funnel" aria-label="Candidates left after each stage">{stages}</ol> }
}
