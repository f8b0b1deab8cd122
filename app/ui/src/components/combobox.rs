//! A text field that finds a model while one types.

use leptos::prelude::*;

use super::handler;
use crate::reactive::memo;
use crate::services::screen;
use crate::view_model::form::{ModelOption, short_model};

/// Type to find, arrows to move, Enter to take.
#[component]
pub(crate) fn Combobox(
    /// Id of the input.
    id: &'static str,
    /// Caption.
    label: &'static str,
    /// What is set.
    #[prop(into)]
    value: Signal<String>,
    /// What is wrong with it.
    #[prop(into)]
    error: Signal<Option<String>>,
    /// Options for what was typed.
    find: impl Fn(&str) -> Vec<ModelOption> + Copy + Send + Sync + 'static,
    /// What stands below the options.
    other: &'static str,
    /// Called when that is taken.
    take_other: impl Fn() + Copy + Send + Sync + 'static,
    /// Takes an option.
    take: impl Fn(String) + Copy + Send + Sync + 'static,
) -> impl IntoView {
    let query = RwSignal::new(None::<String>);
    let active = RwSignal::new(0usize);
    let open = move || query.with(Option::is_some);
    let options =
        memo(move || query.with(|query| query.as_ref().map(|query| find(query)).unwrap_or_default()));
    let list = format!("{id}-list");
    let option_id = move |at: usize| format!("{id}-option-{at}");
    let close = move || query.set(None);
    let choose = move |at: usize| {
        let option = options.with_untracked(|options| options.get(at).cloned());
        close();
        match option {
            Some(option) => take(option.id),
            None => take_other(),
        }
    };
    let go = move |forward: bool| {
        let count = options.with_untracked(Vec::len) + 1;
        active.update(|at| *at = (*at + if forward { 1 } else { count - 1 }) % count);
        screen::reveal(&option_id(active.get_untracked()));
    };
    let on_key = move |event: leptos::ev::KeyboardEvent| {
        match event.key().as_str() {
            "ArrowDown" if !untrack(open) => query.set(Some(String::new())),
            "ArrowDown" => go(true),
            "ArrowUp" => go(false),
            "Enter" if untrack(open) => choose(active.get_untracked()),
            "Escape" if untrack(open) => close(),
            _ => return,
        }
        event.prevent_default();
        event.stop_propagation();
    };
    let row = move |at: usize, current: bool, title: String, detail: String| {
        view! {
            <li
                id=option_id(at)
                role="option"
                aria-selected=move || (active.get() == at).to_string()
                class:active=move || active.get() == at
                class:current=current
                on:pointerdown=handler(move |event: leptos::ev::PointerEvent| { event.prevent_default(); choose(at); })
            >
                <b>{title}</b>
                <span>{detail}</span>
            </li>
        }
    };
    let none = move || {
        options
            .with(Vec::is_empty)
            .then(|| view! { <li class="none" role="presentation">"No model has these words."</li> })
    };
    view! {
        <div class="control combobox" class:bad=move || error.with(Option::is_some)>
            <label for=id>{label}</label>
            <input
                id=id
                class="field"
                role="combobox"
                autocomplete="off"
                spellcheck="false"
                aria-autocomplete="list"
                aria-expanded=move || open().to_string()
                aria-controls=list.clone()
                aria-activedescendant=move || open().then(|| option_id(active.get()))
                aria-invalid=move || error.with(Option::is_some).to_string()
                title=move || value.get()
                prop:value=move || query.get().unwrap_or_else(|| value.with(|value| short_model(value).to_owned()))
                on:focus=handler(move |event: leptos::ev::FocusEvent| {
                    active.set(0);
                    query.set(Some(String::new()));
                    event_target::<web_sys::HtmlInputElement>(&event).select();
                })
                on:click=handler(move |_| query.update(|query| { query.get_or_insert_default(); }))
                on:blur=handler(move |_| close())
                on:input=handler(move |event: leptos::ev::Event| { active.set(0); query.set(Some(event_target_value(&event))); })
                on:keydown=handler(on_key)
                placeholder=move || value.get()
            />
            <ul class="options" id=list role="listbox" aria-label=label class:hidden=move || !open()>
                {move || {
                    let options = options.get();
                    let last = row(options.len(), false, other.to_owned(), String::new());
                    let rows = options.into_iter().enumerate().map(|(at, option)| {
                        let current = value.with_untracked(|value| *value == option.id);
                        row(at, current, option.id, option.detail)
                    });
                    (rows.collect_view(), none(), last).into_any()
                }}
            </ul>
            <p class="field-error" class:hidden=move || error.with(Option::is_none)>{move || error.get().into_any()}</p>
        </div>
    }
}
