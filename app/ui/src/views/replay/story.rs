//! Which traffic: a story, or a trace from a file.

use engine::simulate::story::Kind;
use engine::text::replay::{story_name, story_sentence, trace};
use leptos::prelude::*;

use crate::components::{MessageBox, handler};
use crate::services::files;
use crate::services::replay::Trace;
use crate::state::use_page;

/// Stories as buttons, and a file.
#[component]
pub(super) fn StoryPicker() -> impl IntoView {
    let page = use_page();
    let replay = page.replay;
    let form = replay.form;
    let over = RwSignal::new(false);
    let stories = Kind::ALL.map(|kind| {
        let on = move || form.with(|form| !form.traced && form.outline.kind == kind);
        view! {
            <button
                type="button"
                class="story"
                aria-pressed=move || on().to_string()
                on:click=handler(move |_| {
                    form.update(|form| (form.traced, form.outline.kind) = (false, kind));
                    page.commit();
                })
            >
                {story_name(kind)}
            </button>
        }
    });
    let traced = move || form.with(|form| form.traced);
    let read = move |list| {
        form.update(|form| form.traced = true);
        replay.read(list);
    };
    let says = move || {
        if traced() {
            return replay.trace.with(|state| match state {
                Trace::None => "Choose a trace, or drop it here. It stays in this browser.".to_owned(),
                Trace::Reading { requests } => {
                    format!("Reading: {} requests.", engine::format::count(*requests))
                }
                Trace::Read(facts) => trace(facts),
                Trace::Unread(_) => String::new(),
            });
        }
        story_sentence(form.with(|form| form.outline.kind)).to_owned()
    };
    let unread = move || {
        replay.trace.with(|state| match state {
            Trace::Unread(message) if traced() => Some(message.clone()),
            _ => None,
        })
    };
    view! {
        <div
            class="traffic"
            class:over=move || over.get()
            on:dragover=handler(move |event: leptos::ev::DragEvent| { event.prevent_default(); over.set(true); })
            on:dragleave=handler(move |_| over.set(false))
            on:drop=handler(move |event: leptos::ev::DragEvent| {
                over.set(false);
                if let Some(list) = files::dropped(&event) {
                    event.prevent_default();
                    read(Some(list));
                }
            })
        >
            <h2>"Traffic"</h2>
            <div class="stories" role="group" aria-label="Stories">
                {stories.collect_view()}
                <label class="story file" class:on=traced>
                    "Trace file…"
                    <input
                        id="trace-file"
                        type="file"
                        multiple
                        accept=".jsonl,.json,.csv,.gz"
                        aria-label="Trace file: Mooncake JSONL, Dynamo request trace, BurstGPT CSV"
                        on:change=handler(move |event: leptos::ev::Event| read(files::list(&event)))
                    />
                </label>
            </div>
            <p class="note" id="replay-story" aria-live="polite">{move || says().into_any()}</p>
            {move || unread().map(|message| view! { <MessageBox message=message urgent=true/> }).into_any()}
        </div>
    }
}
