//! Which models answer where: a grid to walk through, the reason beside it.

use std::sync::Arc;

use leptos::prelude::*;

use crate::components::handler;
use crate::reactive::memo;
use crate::services::screen;
use crate::state::use_page;
use crate::view_model::coverage::{At, Sheet, answering, cell_at, cell_id, detail, sheet, step};
use crate::view_model::fragment::Screen;

/// Id of the button that leads on from a cell.
const ON: &str = "coverage-on";

/// The screen.
#[component]
pub(crate) fn Coverage() -> impl IntoView {
    let page = use_page();
    let filter = RwSignal::new(String::new());
    let (chosen, passing) = (RwSignal::new(None::<At>), RwSignal::new(None::<At>));
    let sheet = memo(move || {
        let atlas = page.coverage.get();
        Arc::new(atlas.map_or_else(Sheet::default, |atlas| filter.with(|filter| sheet(&atlas, filter))))
    });
    let shown = memo(move || {
        let (atlas, at) = (page.coverage.get()?, passing.get().or(chosen.get())?);
        page.scenario.with(|scenario| detail(&atlas, &sheet.get(), at, scenario))
    });
    let open = move |at: At| {
        chosen.set(Some(at));
        passing.set(None);
        match shown.get_untracked().and_then(|shown| shown.open) {
            Some(scenario) => {
                page.set(scenario);
                page.go(Screen::Explore);
            }
            None => screen::focus(ON),
        }
    };
    let target = |event: &web_sys::Event| screen::closest_id(event, "td").as_deref().and_then(cell_at);
    let on_key = move |event: leptos::ev::KeyboardEvent| {
        let Some(at) = target(&event) else { return };
        if let Some(next) = step(&event.key(), at, &sheet.get_untracked()) {
            screen::focus(&cell_id(next));
        } else if event.key() == "Enter" {
            open(at);
        } else {
            return;
        }
        event.prevent_default();
    };
    let count = move || {
        page.coverage.get().map(|atlas| {
            let (some, all) = answering(&atlas);
            format!("{some} of {all} models answer from measurements somewhere.")
        })
    };
    let empty = move || page.coverage.with(Option::is_some) && sheet.with(|sheet| sheet.rows.is_empty());
    view! {
        <div class="coverage">
            <section class="panel" aria-label="Coverage">
                <div class="sheethead">
                    <h1>"Coverage"</h1>
                    <input class="field" type="search" id="coverage-filter" aria-label="Find a model" placeholder="Find a model or family"
                        on:input=handler(move |event: leptos::ev::Event| { chosen.set(None); filter.set(event_target_value(&event)); })/>
                    <p>{move || count().into_any()}" ● measured · ◐ one serving mode · ○ estimated · – no answer"</p>
                </div>
                <div class="scroll">
                    <table
                        role="grid"
                        aria-label="Models by GPU and engine"
                        on:keydown=handler(on_key)
                        on:click=handler(move |event: leptos::ev::MouseEvent| if let Some(at) = target(&event) { open(at); })
                        on:focusin=handler(move |event: leptos::ev::FocusEvent| if let Some(at) = target(&event) { chosen.set(Some(at)); })
                        on:pointerover=handler(move |event: leptos::ev::PointerEvent| passing.set(target(&event)))
                        on:pointerleave=handler(move |_| passing.set(None))
                    >
                        <thead inner_html=move || sheet.with(|sheet| sheet.head.clone())></thead>
                        <tbody inner_html=move || sheet.with(|sheet| sheet.body.clone())></tbody>
                    </table>
                    <p class="empty" class:hidden=move || !empty()>"No model has these words."</p>
                    <p class="empty" class:hidden=move || !page.coverage_failed.get()>"The list of coverage did not arrive. Reload the page to try again."</p>
                </div>
            </section>
            <aside class="panel side" aria-live="polite" aria-label="The chosen cell">
                {move || match shown.get() {
                    None => view! { <p class="note">"Choose a cell: arrow keys walk, Enter opens. Cells without an answer say why, and what has one."</p> }.into_any(),
                    Some(shown) => {
                        let on = shown.open.clone().map(|scenario| ("Open in Explore".to_owned(), scenario)).or(shown.nearest.clone());
                        let other = shown.open.and(shown.nearest);
                        let (first, more) = if on.is_some() { (on, shown.inferred) } else { (shown.inferred, None) };
                        let button = move |(name, scenario), id: Option<&'static str>| view! {
                            <button type="button" class="ghost wrap" id=id
                                on:click=handler(move |_| { page.set(Clone::clone(&scenario)); page.go(Screen::Explore); })>{name}</button>
                        };
                        view! {
                            <h2>{shown.model}</h2>
                            <p>{shown.place}": "<b>{shown.covered}</b></p>
                            {shown.why.map(|why| view! { <p class="note">{why.detail}</p> })}
                            {first.map(|first| button(first, Some(ON)))}
                            {other.into_iter().chain(more).map(|way| button(way, None)).collect_view()}
                        }.into_any()
                    }
                }}
            </aside>
        </div>
    }
}
