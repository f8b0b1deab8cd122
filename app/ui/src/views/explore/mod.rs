//! What should I run? Chart, card, funnel, table.

mod best;
mod chart;
mod funnel;
mod handle;
mod hover_card;
mod notices;
mod table;
mod ttft_strip;

use leptos::prelude::*;

use crate::state::use_page;
use best::BestCard;
use chart::Chart;
use funnel::Funnel;
use notices::Notices;
use table::Table;
use ttft_strip::TtftStrip;

/// The screen.
#[component]
pub(crate) fn Explore() -> impl IntoView {
    let page = use_page();
    // A failed or unfinished search leaves the old answer on screen, marked.
    let stale = move || {
        page.shown.get().is_some_and(|shown| shown.stale)
            || page.engine.phase.with(|phase| matches!(phase, crate::services::engine::Phase::Failed { .. }))
    };
    view! {
        <h1 class="offscreen">"Explore deployments"</h1>
        <Notices/>
        <div class="explore" class:stale=stale>
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
