//! A model that is not in the list, from its `config.json`.

use std::sync::Arc;

use engine::checkpoint::MAX_BYTES;
use engine::custom;
use leptos::prelude::*;
use worker::reading::Reading;

use crate::components::{ChooseFiles, DropPanel, MessageBox, TakeFiles, handler};
use crate::reactive::effect;
use crate::services::screen;
use crate::state::use_page;

/// Paste or drop the file, look at what was understood, use it.
#[component]
pub(super) fn OwnModel(
    /// Whether this is shown.
    open: RwSignal<bool>,
) -> impl IntoView {
    let page = use_page();
    let (config, quant) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    effect(move || screen::focus("own-config"));
    effect(move || {
        let of = |signal: RwSignal<String>| Some(signal.get()).filter(|text| !text.trim().is_empty());
        page.engine.read(of(config), of(quant));
    });
    let take: TakeFiles = Arc::new(move |files| {
        for (name, text) in files {
            let place = if name.to_lowercase().contains("quant") { quant } else { config };
            // The panel may have been closed while the file was read.
            place.try_set(text);
        }
    });
    let close = move || {
        open.set(false);
        screen::focus("model");
    };
    let file = move |id: &'static str, label: &'static str, text: RwSignal<String>, rows: u32| {
        view! {
            <textarea
                id=id
                class="field"
                rows=rows
                spellcheck="false"
                autocomplete="off"
                aria-label=label
                placeholder=label
                prop:value=move || text.get()
                on:input=handler(move |event: leptos::ev::Event| text.set(event_target_value(&event)))
            ></textarea>
        }
    };
    view! {
        <DropPanel label="A model of your own" limit=MAX_BYTES take=take.clone() close=move |()| close()>
            <div class="ownfiles">
                <h2>"A model of your own"</h2>
                <p class="note">"Paste or drop its config.json. It is read here and sent nowhere; the link you share carries its sizes and precisions."</p>
                {file("own-config", "config.json", config, 8)}
                {file("own-quant", "hf_quant_config.json, if there is one", quant, 2)}
                <ChooseFiles accept=".json,application/json" limit=MAX_BYTES take=take/>
            </div>
            <Facts open=open close=close/>
        </DropPanel>
    }
}

/// What was understood, its name, and what to do with it.
#[component]
fn Facts(
    /// Whether the panel is shown.
    open: RwSignal<bool>,
    /// Closes it.
    close: impl Fn() + Copy + Send + Sync + 'static,
) -> impl IntoView {
    let page = use_page();
    let reading = page.engine.reading;
    let named = RwSignal::new(None::<String>);
    let name = Signal::derive(move || {
        let own = || reading.with(|reading| reading.as_ref()?.as_ref().ok()?.name.clone());
        named.get().or_else(own).unwrap_or_default()
    });
    let use_it = move |_| {
        if let Some(Ok(Reading { custom, .. })) = reading.get_untracked() {
            page.edit(|scenario| {
                scenario.model = custom::name(&name.get_untracked());
                scenario.custom = Some(custom);
            });
            page.commit();
            open.set(false);
            screen::start_at("answer");
        }
    };
    view! {
        <div class="ownfacts">
            <div aria-live="polite">{move || reading.get().map(outcome).into_any()}</div>
            <div class="control">
                <label for="own-name">"Name, as on the Hub"</label>
                <input
                    id="own-name"
                    class="field"
                    autocomplete="off"
                    spellcheck="false"
                    maxlength=custom::MAX_NAME.to_string()
                    placeholder=custom::UNNAMED
                    prop:value=move || name.get()
                    on:input=handler(move |event: leptos::ev::Event| named.set(Some(event_target_value(&event))))
                />
            </div>
            <div class="buttons">
                <button type="button" class="primary" disabled=move || reading.with(|reading| !matches!(reading, Some(Ok(_)))) on:click=handler(use_it)>"Use this model"</button>
                <button type="button" class="ghost" on:click=handler(move |_| close())>"Close"</button>
            </div>
        </div>
    }
}

/// What was understood, or why nothing was.
fn outcome(reading: Result<Reading, engine::text::Message>) -> AnyView {
    match reading {
        Err(message) => view! { <MessageBox message=message/> }.into_any(),
        Ok(Reading { facts, notes, .. }) => {
            let facts =
                facts.into_iter().map(|(name, value)| view! { <div><dt>{name}</dt><dd>{value}</dd></div> });
            let notes = notes.into_iter().map(|note| view! { <li>{note}</li> });
            view! { <dl>{facts.collect_view()}</dl><ul>{notes.collect_view()}</ul> }.into_any()
        }
    }
}
