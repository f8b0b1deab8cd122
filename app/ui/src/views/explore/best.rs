//! The answer: one number, what it consists of, what limits it, what comes next.

use engine::text;
use leptos::prelude::*;

use super::notices::suggestions;
use crate::components::{Glossed, MessageBox, handler};
use crate::reactive::memo;
use crate::state::{Page, use_page};
use crate::view_model::best::{BestVm, Fact, ShapeRow};
use crate::view_model::fragment::Screen;
use crate::view_model::remedy::openings;

/// The card of the best point, or of the selected one.
#[component]
pub(super) fn BestCard() -> impl IntoView {
    let page = use_page();
    let card = memo(move || {
        let (shown, index) = (page.shown.get()?, page.focus.get()?);
        shown
            .view
            .points
            .get(index)
            .map(|point| BestVm::new(point, &shown.scenario, shown.place_label(point), page.price.get()))
    });
    let selected = move || {
        page.shown
            .get()
            .zip(page.focus.get())
            .is_some_and(|(shown, focus)| shown.view.picks.first() != Some(&focus))
    };
    let heading = move || if selected() { "Selected configuration" } else { "Best within your SLO" };
    let content = move || match card.get() {
        Some(card) => Answer(AnswerProps { card }).into_any(),
        None if page.shown.get().is_some() => Nothing().into_any(),
        None => {
            view! { <div class="skeleton" aria-hidden="true"><i></i><i></i><i></i><i></i></div> }.into_any()
        }
    };
    view! {
        <aside class="panel best" aria-label=move || heading().to_owned()>
            <div class="eyebrow">
                <h2>{move || heading().into_any()}</h2>
                <button type="button" class="ghost small" class:hidden=move || !selected() on:click=handler(move |_| { page.deselect(); page.commit(); })>
                    "Show best"
                </button>
            </div>
            {move || content()}
        </aside>
    }
}

#[component]
fn Answer(
    /// What to show.
    card: BestVm,
) -> impl IntoView {
    let page = use_page();
    let BestVm { hero, unit, mode, total, shape, shape_text, facts, evidence, solid } = card;
    view! {
        <p class="hero"><b>{hero}</b><span>{unit}</span></p>
        <p class="what">{mode}", "<b>{total}</b></p>
        <div class="shape" role="img" aria-label=shape_text>{shape.iter().map(shape_row).collect_view()}</div>
        <dl>
            {facts.into_iter().map(fact).collect_view()}
            <div>
                <dt>"Evidence"<Glossed term="silicon"/></dt>
                <dd><span class="badge" class:weak=!solid title=move || evidence_title(page)>{evidence}</span></dd>
            </div>
        </dl>
        <p class="why">{move || why(page).into_any()}</p>
        <div class="act">
            <button type="button" class="primary" on:click=handler(move |_| page.go(Screen::Export))>"Export manifest"</button>
            <button type="button" class="ghost" aria-pressed=move || page.is_pinned().to_string() on:click=handler(move |_| page.toggle_pin())>
                {move || if page.is_pinned() { "Pinned" } else { "Pin" }.into_any()}
            </button>
        </div>
    }
}

fn fact(fact: Fact) -> impl IntoView {
    let term = match fact.term {
        "In flight" => "concurrency",
        term => term,
    };
    view! { <div><dt>{fact.term}<Glossed term=term/></dt><dd>{fact.value}" "<i>{fact.rest}</i></dd></div> }
}

fn shape_row(row: &ShapeRow) -> impl IntoView + use<> {
    let size = row.class();
    let ShapeRow { role, drawn, hidden, decode, .. } = *row;
    view! {
        <div>
            <span>{role}</span>
            {(0..drawn).map(|_| view! { <i class=size class:decode=decode></i> }).collect_view()}
            {(hidden > 0).then(|| view! { <em>{format!("+{hidden}")}</em> })}
        </div>
    }
}

fn evidence_title(page: Page) -> String {
    page.shown
        .get()
        .zip(page.focus.get())
        .and_then(|(shown, index)| {
            shown.view.points.get(index).map(|point| text::evidence_detail(point.evidence))
        })
        .unwrap_or_default()
}

/// What limits the point, and what it wins against.
fn why(page: Page) -> Option<impl IntoView + use<>> {
    let (shown, index) = page.shown.get().zip(page.focus.get())?;
    let point = shown.view.points.get(index)?;
    let limit = page.engine.explained.with(|explained| {
        let (candidate, explanation) = explained.as_ref()?;
        (*candidate == point.candidate()).then(|| text::limited_by(explanation, point)).flatten()
    });
    let next = shown
        .view
        .picks
        .iter()
        .find(|&&other| other != index)
        .and_then(|&other| shown.view.points.get(other));
    let next = next.map(|next| text::next_best(point, next));
    Some(view! {
        {limit.map(|limit| view! { <b>"Limited by "</b>{limit}". " })}
        {next}
    })
}

/// Nothing meets the SLO: what would.
#[component]
fn Nothing() -> impl IntoView {
    let page = use_page();
    let content = move || {
        let shown = page.shown.get()?;
        let nearest = shown.view.nearest.unwrap_or_default();
        let buttons = suggestions(page, openings(&shown.view, &shown.scenario));
        Some(
            view! { <MessageBox message=text::nothing_fits(&nearest, &shown.scenario)>{buttons}</MessageBox> },
        )
    };
    view! { <div class="nothing">{move || content().into_any()}</div> }
}
