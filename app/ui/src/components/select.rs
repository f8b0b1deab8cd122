//! A list to choose from.

use leptos::prelude::*;

use super::handler;
use crate::reactive::memo;
use crate::view_model::form::Choice;

/// The browser's own list, with a caption.
#[component]
pub(crate) fn Select(
    /// Id of the list.
    id: &'static str,
    /// Caption.
    label: &'static str,
    /// Name read aloud, where the caption says nothing.
    #[prop(optional)]
    name: Option<&'static str>,
    /// What can be chosen.
    #[prop(into)]
    choices: Signal<Vec<Choice>>,
    /// What is chosen.
    #[prop(into)]
    value: Signal<String>,
    /// What the search says is wrong with it.
    #[prop(into, optional)]
    refused: Signal<Option<String>>,
    /// Chooses.
    set: impl Fn(String) + Copy + Send + Sync + 'static,
) -> impl IntoView {
    list(Names { id, label, name }, choices, value, refused, Box::new(set))
}

/// What a list is called.
#[derive(Clone, Copy)]
struct Names {
    id: &'static str,
    label: &'static str,
    name: Option<&'static str>,
}

/// The list itself: not generic, so that the page carries it once and not once for each list.
fn list(
    names: Names,
    choices: Signal<Vec<Choice>>,
    value: Signal<String>,
    refused: Signal<Option<String>>,
    set: Box<dyn Fn(String) + Send + Sync>,
) -> AnyView {
    let Names { id, label, name } = names;
    // Most changes of a form leave a list as it is.
    let value = memo(move || value.get());
    let has_error = move || refused.with(Option::is_some);
    let error_id = format!("{id}-error");
    let described_by = error_id.clone();
    view! {
        <div class="control" class:bad=has_error>
            <label for=id>{label}</label>
            <select
                id=id
                class="field"
                aria-label=name
                aria-invalid=move || has_error().to_string()
                aria-describedby=move || has_error().then(|| described_by.clone())
                on:change=handler(move |event: leptos::ev::Event| set(event_target_value(&event)))
            >
                {move || {
                    let now = value.get();
                    choices.get().into_iter().map(|choice| {
                        let on = choice.value == now;
                        view! { <option value=choice.value prop:selected=on>{choice.label}</option> }
                    }).collect_view().into_any()
                }}
            </select>
            <p class="field-error" id=error_id class:hidden=move || !has_error()>{move || refused.get().into_any()}</p>
        </div>
    }
    .into_any()
}
