//! The tray of configurations set aside.

use engine::{format, text};
use leptos::prelude::*;

use crate::components::{When, handler};
use crate::state::{Pin, use_page};
use crate::view_model::form;

/// The tray at the foot of the page; it is not there while it is empty.
#[component]
pub(crate) fn PinTray() -> impl IntoView {
    let page = use_page();
    let pins = move || {
        page.pins.get().into_iter().enumerate().map(|(at, pin)| {
            let drop_label = format!("Remove pin {}", at + 1);
            view! {
                <li class="pin">
                    <button type="button" class="recall" on:click=handler(move |_| page.recall(at))>
                        <b>{at + 1}</b>
                        <span class=mark(&pin)></span>
                        {name(&pin)}
                        <i>{format::rate(pin.point.tokens_per_sec_per_gpu)}</i>
                    </button>
                    <button type="button" class="drop" aria-label=drop_label on:click=handler(move |_| { page.pins.update(|pins| { pins.remove(at); }); })>
                        "×"
                    </button>
                </li>
            }
        }).collect_view()
    };
    view! {
        <When holds=move || !page.pins.with(Vec::is_empty)>
            <footer class="tray">
                <ol aria-label="Pins">{move || pins().into_any()}</ol>
                <span class="hint">"1–6 recall a pin · P pins · Esc drops the selection"</span>
            </footer>
        </When>
    }
}

fn mark(pin: &Pin) -> &'static str {
    if pin.point.is_disagg() { "mark disagg" } else { "mark agg" }
}

fn name(pin: &Pin) -> String {
    let system = form::system_name(&pin.scenario.system).to_owned();
    let place = pin.place.as_ref().map_or(system, form::place_name);
    format!("{} · {} × {place}", text::layout_short(&pin.point), pin.point.gpus_used)
}
