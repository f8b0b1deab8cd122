//! What would the planner do with this traffic? A story or a trace, the workers, the planner's settings; the run as it is
//! computed, and what it came to.

mod fields;
mod outcome;
mod story;

use engine::point::Candidate;
use engine::simulate::Fleets;
use engine::text::Message;
use leptos::prelude::*;

use crate::components::{MessageBox, Segments, Timeline, handler};
use crate::reactive::{effect, memo};
use crate::services::engine::Phase;
use crate::state::{Page, use_page};
use crate::view_model::replay::{Against, Form, Group};
use fields::{Choices, Fields};
use outcome::{Decisions, Figures, Headline};
use story::StoryPicker;

/// The workers of the point shown on Explore.
#[derive(Clone, Debug, PartialEq)]
enum Own {
    /// The search has not finished.
    Waiting,
    /// Their step times.
    Known(Fleets),
    /// There are none.
    Refused(Message),
}

fn candidate(page: Page) -> Option<Candidate> {
    let shown = page.shown.get()?;
    shown.view.points.get(page.focus.get()?).map(engine::point::Point::candidate)
}

/// Asks for the step times of the point, and replays whatever changes.
fn follow(page: Page) -> Memo<Own> {
    let replay = page.replay;
    let wants = memo(move || replay.form.with(|form| form.own));
    let point = memo(move || {
        let done = page.engine.phase.with(|phase| *phase == Phase::Done);
        (wants.get() && done).then(|| candidate(page)).flatten()
    });
    effect(move || {
        if let Some(candidate) = point.get() {
            page.engine.ask_speeds(candidate);
        }
    });
    let own = memo(move || {
        let asked = point.get();
        page.engine.speeds.with(|speeds| match (asked, speeds) {
            (Some(asked), Some((told, outcome))) if asked == *told => match outcome {
                Ok(fleets) => Own::Known(fleets.clone()),
                Err(message) => Own::Refused(message.clone()),
            },
            _ => Own::Waiting,
        })
    });
    effect(move || {
        replay.form.track();
        replay.trace.track();
        match (wants.get(), own.get()) {
            (false, _) => replay.replay(None),
            (true, Own::Known(fleets)) => replay.replay(Some(fleets)),
            (true, _) => {}
        }
    });
    own
}

/// The screen.
#[component]
pub(crate) fn Replay() -> impl IntoView {
    let page = use_page();
    let replay = page.replay;
    let own = follow(page);
    let cursor = RwSignal::new(None);
    let refusal = move || {
        let first = replay.first.with(|going| going.refused.clone());
        let waits = match own.get() {
            Own::Refused(message) if replay.form.with(|form| form.own) => Some(message),
            _ => None,
        };
        replay.failure.get().or(waits).or(first)
    };
    let share = move || {
        if replay.waits.get() {
            return 0.0;
        }
        let second = replay.second.with(|going| going.as_ref().map_or(1.0, |going| going.share));
        f64::midpoint(replay.first.with(|going| going.share), second)
    };
    let busy = move || share() < 1.0;
    view! {
        <h1 class="offscreen">"Replay"</h1>
        <div class="replay">
            <form class="panel setup" aria-label="What is replayed" on:submit=handler(|event: leptos::ev::SubmitEvent| event.prevent_default())>
                <StoryPicker/>
                <Fields group=Group::Traffic/>
                <h2>"Workers"</h2>
                <Workers own=own/>
                <Fields group=Group::Workers/>
                <h2>"Planner"</h2>
                <Choices/>
                <Fields group=Group::Planner/>
            </form>
            <div class="run">
                {move || refusal().map(|message| view! { <MessageBox message=message urgent=true/> }).into_any()}
                <Headline/>
                <section class="panel lanes" aria-label="Timelines" class:going=busy>
                    <div class="plothead">
                        <h2>"Timelines"</h2>
                        <span class="note" id="replay-share">{move || if busy() { format!("{} done", engine::format::percent(share()).trim_start_matches('+')) } else { String::new() }.into_any()}</span>
                        <button type="button" class="ghost small" class:hidden=move || cursor.get().is_none() on:click=handler(move |_| cursor.set(None))>"Read the end"</button>
                        <Comparing/>
                    </div>
                    <Timeline data=replay.data cursor=cursor label="Moment of the run"/>
                </section>
                <Figures/>
                <Decisions cursor=cursor/>
            </div>
        </div>
    }
}

/// What the run is compared with.
#[component]
fn Comparing() -> impl IntoView {
    let replay = use_page().replay;
    let options = Signal::derive(move || {
        let mut options = vec![(Against::Static, "static fleet"), (Against::Nothing, "nothing")];
        if replay.kept.with(Option::is_some) {
            options.insert(1, (Against::Kept, "kept settings"));
        }
        options
    });
    let keep = move |_| {
        replay.kept.set(Some(replay.form.get_untracked()));
        replay.form.update(|form| form.against = Against::Kept);
    };
    view! {
        <div class="comparing">
            <span class="note">"Dashed beside it:"</span>
            <Segments
                label="Compare with"
                options=options
                value=Signal::derive(move || replay.form.with(|form| form.against))
                set=move |against| replay.form.update(|form| form.against = against)
            />
            <button type="button" class="ghost small" on:click=handler(keep) title="Keeps these settings; what you change then is compared with them">"Keep to compare"</button>
        </div>
    }
}

/// Whose workers.
#[component]
fn Workers(
    /// Those of the point.
    own: Memo<Own>,
) -> impl IntoView {
    let page = use_page();
    let replay = page.replay;
    let is_own = Signal::derive(move || replay.form.with(|form| form.own));
    let set = move |own: bool| {
        let shown = page.shown.get_untracked();
        let point = shown.as_ref().and_then(|shown| {
            shown.view.points.get(page.focus.get_untracked()?).map(|point| (shown.scenario.clone(), *point))
        });
        replay.form.update(|form| match (own, point) {
            (true, Some((scenario, point))) => form.take_point(&scenario, &point),
            (true, None) => form.own = true,
            (false, _) => {
                let storm = Form::storm();
                (form.own, form.count, form.slo) = (false, storm.count, storm.slo);
                form.planner.max_gpu_budget = storm.planner.max_gpu_budget;
                let kind = form.outline.kind;
                form.outline = storm.outline;
                form.outline.kind = kind;
            }
        });
        page.commit();
    };
    let says = move || {
        if !is_own.get() {
            return "Qwen3-32B-FP8 on H100 SXM, TensorRT-LLM, one GPU each.".to_owned();
        }
        match own.get() {
            Own::Waiting => "The search on Explore is still under way.".to_owned(),
            Own::Refused(_) => "This point cannot be replayed.".to_owned(),
            Own::Known(_) => page
                .shown
                .get()
                .and_then(|shown| {
                    let point = shown.view.points.get(page.focus.get()?)?;
                    Some(engine::text::layout_short(point))
                })
                .unwrap_or_default(),
        }
    };
    view! {
        <Segments
            label="Whose workers"
            options=vec![(false, "the storm's"), (true, "of the point on Explore")]
            value=is_own
            set=set
        />
        <p class="note" id="replay-workers">{move || says().into_any()}</p>
    }
}
