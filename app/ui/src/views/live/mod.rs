//! Is it keeping the promise right now? Status, linked timelines, workers, decisions.

mod absent;
mod fleet;
mod log;
mod plan;
mod strip;

use engine::cluster::ClusterStatus;
use engine::text::live::simulated;
use leptos::prelude::*;

use crate::components::{Segments, Timeline, When, handler};
use crate::services::live::{Line, Live as Feed};
use crate::view_model::live::Span;
use absent::Absent;
use fleet::Fleet;
use log::Log;
use plan::PlanCard;
use strip::Strip;

/// What the parts of the screen share.
#[derive(Clone, Copy)]
struct Here {
    live: Feed,
    cursor: RwSignal<Option<u64>>,
}

impl Here {
    /// Something about the status on screen, once there is one.
    fn status<T>(self, read: impl FnOnce(&ClusterStatus) -> T) -> Option<T> {
        self.live.snapshot.with(|snapshot| Some(read(snapshot.as_ref()?.status.as_ref()?)))
    }
}

/// The screen.
#[component]
pub(crate) fn Live() -> impl IntoView {
    let live = Feed::start();
    let here = Here { live, cursor: RwSignal::new(None) };
    let aged = move || live.line.with(|line| !matches!(line, Line::Open | Line::Connecting));
    let story = move || here.status(|status| status.simulated.as_ref().map(simulated)).flatten();
    view! {
        <h1 class="offscreen">"Live status"</h1>
        <Absent here=here/>
        <p class="story-line" class:hidden=move || story().is_none()>
            <span class="badge weak">"simulated"</span>
            {move || story().into_any()}
        </p>
        <When holds=move || live.snapshot.with(Option::is_some)>
            <div class="live" class:aged=aged>
                <Strip here=here/>
                <When holds=move || here.status(|_| ()).is_some()>
                    <section class="panel lanes" aria-label="Timelines">
                        <Heading here=here/>
                        <Timeline data=live.data cursor=here.cursor label="Moment on the timelines"/>
                    </section>
                    <aside class="fleet" aria-label="Workers">
                        <Fleet here=here/>
                        <PlanCard here=here/>
                    </aside>
                    <Log here=here/>
                </When>
            </div>
        </When>
        <p class="offscreen" aria-live="polite" id="live-said">{move || live.said.get().into_any()}</p>
    }
}

/// How much of the past, and whether the screen stands.
#[component]
fn Heading(
    /// The screen.
    here: Here,
) -> impl IntoView {
    let Here { live, cursor } = here;
    let paused = move || live.paused.get();
    let state = move || {
        let news = live.news.get();
        match (paused(), news) {
            (false, _) => String::new(),
            (true, 0) => "Paused".to_owned(),
            (true, news) => format!("Paused · {} new", engine::format::count(u64::from(news))),
        }
    };
    view! {
        <div class="plothead">
            <h2>"Timelines"</h2>
            <span class="note" id="live-news">{move || state().into_any()}</span>
            <button type="button" class="ghost small" class:hidden=move || cursor.get().is_none() on:click=handler(move |_| cursor.set(None))>
                "Follow the end"
            </button>
            <Segments
                label="Time shown"
                options=Signal::derive(|| Span::ALL.to_vec())
                value=live.span
                set=move |span| live.look_back(span)
            />
            <button type="button" class="ghost" aria-pressed=move || paused().to_string() on:click=handler(move |_| live.pause(!live.paused.get_untracked()))>
                {move || if paused() { "Resume" } else { "Pause" }.into_any()}
            </button>
        </div>
    }
}
