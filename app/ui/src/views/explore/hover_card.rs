//! The figures of the point under the pointer, or of the selected one while it is held.

use std::sync::Arc;

use engine::text;
use leptos::prelude::*;

use crate::components::handler;
use crate::reactive::memo;
use crate::state::use_page;
use crate::view_model::best::BestVm;
use crate::view_model::frontier::ChartVm;

/// The card beside a mark; it turns to the side that has room.
#[component]
pub(super) fn HoverCard(
    /// The chart it stands in.
    chart: Memo<Option<Arc<ChartVm>>>,
) -> impl IntoView {
    let page = use_page();
    let held = move || page.held.get() && page.selected.with(Option::is_some) && page.hovered.get().is_none();
    let index = memo(move || page.hovered.get().or_else(|| held().then(|| page.focus.get()).flatten()));
    let place = move || {
        let (index, chart) = (index.get()?, chart.get()?);
        let mark = chart.marks.iter().find(|mark| mark.index == index)?;
        Some((mark.x, mark.y, mark.x > chart.size.0 * 0.55, mark.y > chart.size.1 * 0.5))
    };
    let px = |value: f64| format!("{value:.1}px");
    let content = move || {
        let (index, shown) = (index.get()?, page.shown.get()?);
        let point = shown.view.points.get(index)?;
        let card = BestVm::new(point, &shown.scenario, None, page.price.get());
        let place = shown.place_label(point).map(|place| view! { <p>{place}</p> });
        Some(view! {
            <p class="title">
                <span class=if point.is_disagg() { "mark disagg" } else { "mark agg" }></span>
                <b>{text::layout_short(point)}</b>
            </p>
            {place}
            <p>{card.total.clone()}</p>
            <dl>
                <div><dt>"Throughput"</dt><dd>{card.hero.clone()}" "<i>{card.unit}</i></dd></div>
                {card.facts.iter().map(|fact| view! {
                    <div><dt>{fact.term}</dt><dd>{fact.value.clone()}" "<i>{fact.rest.clone()}</i></dd></div>
                }).collect_view()}
            </dl>
        })
    };
    view! {
        <div
            class="hover-card"
            class:hidden=move || place().is_none()
            class:held=held
            class:left=move || place().is_some_and(|place| place.2)
            class:up=move || place().is_some_and(|place| place.3)
            style:left=move || px(place().map_or(0.0, |place| place.0))
            style:top=move || px(place().map_or(0.0, |place| place.1))
        >
            {move || content().into_any()}
            <div class="buttons" class:hidden=move || !held()>
                <button type="button" class="ghost" on:click=handler(move |_| page.toggle_pin())>
                    {move || if page.is_pinned() { "Unpin" } else { "Pin" }.into_any()}
                </button>
                <button type="button" class="ghost" on:click=handler(move |_| { page.deselect(); page.commit(); })>"Close"</button>
            </div>
        </div>
    }
}
