//! What should I run? Chart, card, funnel, table.

mod best;
mod chart;
mod funnel;
mod handle;
mod hover_card;
mod look;
mod notices;
mod table;
mod today;
mod ttft_strip;

use leptos::prelude::*;

use crate::components::When;
use crate::services::engine::Phase;
use crate::state::use_page;
use best::BestCard;
use chart::Chart;
use funnel::Funnel;
use notices::Notices;
use table::Table;
use today::TodayStrip;
use ttft_strip::TtftStrip;

/// The screen.
#[component]
pub(crate) fn Explore() -> impl IntoView {
    let page = use_page();
    let failed = move || page.engine.phase.with(|phase| matches!(phase, Phase::Failed { .. }));
    // A failed or unfinished search leaves the old answer on screen, marked.
    let stale = move || page.shown.get().is_some_and(|shown| shown.stale || failed());
    // Nothing was ever answered, and nothing will be: the message stands alone.
    let bare = move || failed() && page.shown.get().is_none();
    // The answer that came with the document stands until the search has its own: nothing jumps.
    let first =
        move || page.shown.get().is_none() && !failed() && page.first_paint.with_value(Option::is_some);
    view! {
        <h1 class="offscreen">"Explore deployments"</h1>
        <Notices/>
        <TodayStrip/>
        <When holds=move || first()><div inner_html=move || page.first_paint.get_value().unwrap_or_default()></div></When>
        <div class="explore" class:stale=stale class:hidden=move || bare() || first()>
            <section class="panel plot" aria-label="Frontier">
                <Chart/>
                <TtftStrip/>
                <Funnel/>
            </section>
            <BestCard/>
            <Table/>
        </div>
    }
}
