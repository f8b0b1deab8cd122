//! The promise, the last decision, and how the sources fare.

use engine::text::live::Stand;
use leptos::prelude::*;

use super::Here;
use crate::components::{Glossed, MessageBox};
use crate::reactive::memo;
use crate::view_model::live::{LogRow, SourceVm, Tile, deployment, log, sources, tiles};

/// The strip.
#[component]
pub(super) fn Strip(
    /// The screen.
    here: Here,
) -> impl IntoView {
    let live = here.live;
    let now = memo(move || here.status(tiles));
    let about = move || here.status(deployment).unwrap_or_default().join(" · ");
    let last = memo(move || {
        let clock = live.data.with_untracked(|data| data.clock);
        here.status(|status| log(&status.decisions, status.slo, clock).into_iter().next()).flatten()
    });
    let told = memo(move || {
        let now = live.now.get();
        live.snapshot
            .with(|snapshot| snapshot.as_ref().map_or_else(Vec::new, |snapshot| sources(snapshot, now)))
    });
    let troubles = memo(move || {
        told.with(|told| told.iter().filter_map(|source| source.message.clone()).collect::<Vec<_>>())
    });
    view! {
        <section class="panel strip-live" aria-label="Status">
            <p class="about" class:hidden=move || about().is_empty()>{move || about().into_any()}</p>
            <div class="tiles">
                {NAMES.map(|name| tile(name, now)).collect_view()}
                {move || decision(last.get()).into_any()}
            </div>
            <ul class="sources" aria-label="Sources">{move || told.get().into_iter().map(source).collect_view().into_any()}</ul>
            <div class="troubles">
                {move || troubles.get().into_iter().map(|message| view! { <MessageBox message=message/> }).collect_view().into_any()}
            </div>
        </section>
    }
}

/// Names of the tiles; each stands still while its figures change, so that an open explanation stays open.
const NAMES: [&str; 3] = ["SLO attainment", "TTFT", "ITL"];

fn tile(name: &'static str, now: Memo<Option<[Tile; 3]>>) -> impl IntoView {
    let own = memo(move || now.with(|tiles| tiles.as_ref()?.iter().find(|tile| tile.name == name).cloned()));
    let stand = move || own.with(|tile| tile.as_ref().map_or(Stand::Unknown, |tile| tile.stand));
    let words = move || {
        let mark = match stand() {
            Stand::Within => "✓ ",
            Stand::Over => "▲ ",
            Stand::Unknown => "",
        };
        own.with(|tile| tile.as_ref().map(|tile| format!("{mark}{}", tile.words)))
    };
    let term = if name == "SLO attainment" { "SLO" } else { name };
    view! {
        <div class="tile" class:over=move || stand() == Stand::Over class:within=move || stand() == Stand::Within>
            <h3>{name}<Glossed term=term/></h3>
            <p class="value"><b>{move || own.with(|tile| tile.as_ref().map(|tile| tile.value.clone())).into_any()}</b>" "{move || own.with(|tile| tile.as_ref().map(|tile| tile.unit)).into_any()}</p>
            <p>{words}</p>
        </div>
    }
}

fn decision(last: Option<LogRow>) -> impl IntoView {
    let (what, why) = last.map_or_else(
        || ("None yet".to_owned(), "The planner has changed nothing since it was first seen.".to_owned()),
        |row| {
            let ready =
                if row.ready == engine::format::NONE { String::new() } else { format!(", {}", row.ready) };
            (format!("{} at {}", row.what, row.time), format!("{} ({}{ready})", row.why, row.by))
        },
    );
    view! {
        <div class="tile wide">
            <h3>"Last decision"</h3>
            <p class="value"><b>{what}</b></p>
            <p>{why}</p>
        </div>
    }
}

fn source(source: SourceVm) -> impl IntoView {
    let SourceVm { name, fares, live, ages, .. } = source;
    let ages = if ages.is_empty() { String::new() } else { format!(" · {}", ages.join(", ")) };
    view! { <li class:stale=!live><b>{name}</b>" "{fares}{ages}</li> }
}
