//! The glossary, where a term stands.

use std::sync::atomic::{AtomicU32, Ordering};

use engine::text::glossary;
use leptos::prelude::*;

use super::handler;
use crate::state::use_page;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A small button that explains the term beside it; nothing for terms that the glossary does not know.
#[component]
pub(crate) fn Glossed(
    /// The term.
    term: &'static str,
) -> impl IntoView {
    let page = use_page();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    glossary().iter().find(|entry| entry.term == term).map(|entry| {
        let open = move || page.open_term.get() == Some(number);
        let id = format!("term-{number}");
        let controls = id.clone();
        let toggle = move |_| {
            let now = page.open_term.get_untracked() == Some(number);
            page.open_term.set((!now).then_some(number));
        };
        view! {
            <span class="glossed">
                <button
                    type="button"
                    class="ask"
                    aria-label=format!("What is {}?", entry.term)
                    aria-expanded=move || open().to_string()
                    aria-controls=controls
                    on:click=handler(toggle)
                >
                    "?"
                </button>
                <span class="explanation" id=id role="note" class:hidden=move || !open()>
                    <b>{entry.term}</b>
                    " · "
                    {entry.long}
                    <span>{entry.meaning}</span>
                    {(!entry.formula.is_empty()).then(|| view! { <code>{entry.formula}</code> })}
                </span>
            </span>
        }
    })
}
