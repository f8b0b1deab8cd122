//! A number that is typed: kept as typed, flagged when it makes no sense.

use std::sync::Arc;

use leptos::prelude::*;

use super::{Glossed, handler};
use crate::reactive::effect;
use crate::services::screen;

/// A field for one number.
#[component]
pub(crate) fn NumberField(
    /// Id of the input.
    id: &'static str,
    /// Caption.
    label: &'static str,
    /// Glossary term behind the caption.
    #[prop(optional)]
    term: Option<&'static str>,
    /// The value as text.
    #[prop(into)]
    value: Signal<String>,
    /// Takes what was typed, or says what is wrong with it.
    apply: impl Fn(&str) -> Result<(), String> + Copy + Send + Sync + 'static,
    /// Called when the typing is over.
    commit: impl Fn() + Copy + Send + Sync + 'static,
    /// What the search says is wrong with the value.
    #[prop(into)]
    refused: Signal<Option<String>>,
    /// Unit inside the field.
    #[prop(optional)]
    unit: &'static str,
    /// Shown while empty.
    #[prop(optional)]
    placeholder: &'static str,
    /// Style of the input.
    #[prop(optional)]
    class: &'static str,
) -> impl IntoView {
    let look = Look { id, label, term, unit, placeholder, class };
    field(look, value, refused, Box::new(apply), Arc::new(commit))
}

/// What does not change about a field.
#[derive(Clone, Copy)]
struct Look {
    id: &'static str,
    label: &'static str,
    term: Option<&'static str>,
    unit: &'static str,
    placeholder: &'static str,
    class: &'static str,
}

/// Takes what was typed.
type Apply = Box<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// The field itself: not generic, so that the page carries it once and not once for each number.
fn field(
    look: Look,
    value: Signal<String>,
    refused: Signal<Option<String>>,
    apply: Apply,
    commit: Arc<dyn Fn() + Send + Sync>,
) -> AnyView {
    let Look { id, label, term, unit, placeholder, class } = look;
    let text = RwSignal::new(value.get_untracked());
    // What the value looked like after the last keystroke: anything else came from elsewhere and replaces the text.
    let mine = StoredValue::new(value.get_untracked());
    let wrong = RwSignal::new(None::<String>);
    effect(move || {
        let now = value.get();
        if mine.get_value() != now {
            mine.set_value(now.clone());
            wrong.set(None);
            text.set(now);
        }
    });
    let on_input = move |event| {
        let typed = event_target_value(&event);
        wrong.set(apply(&typed).err());
        mine.set_value(value.get_untracked());
        text.set(typed);
    };
    let finish = move || {
        if wrong.with_untracked(Option::is_none) {
            text.set(value.get_untracked());
        }
        commit();
    };
    let finish_by_key = finish.clone();
    let on_key = move |event: leptos::ev::KeyboardEvent| {
        if event.key() == "Enter" {
            finish_by_key();
        } else if event.key() == "Escape" && wrong.with_untracked(Option::is_some) {
            wrong.set(None);
            text.set(value.get_untracked());
            screen::focus(id);
        }
    };
    let has_error = move || wrong.with(Option::is_some) || refused.with(Option::is_some);
    let error_id = format!("{id}-error");
    let described_by = error_id.clone();
    view! {
        <div class="control" class:bad=has_error>
            <span class="caption"><label for=id>{label}</label>{term.map(|term| view! { <Glossed term=term/> })}</span>
            <span class="unit" class:with=!unit.is_empty()>
                <input
                    id=id
                    class=format!("field number {class}")
                    inputmode="decimal"
                    autocomplete="off"
                    placeholder=placeholder
                    prop:value=move || text.get()
                    aria-invalid=move || has_error().to_string()
                    aria-describedby=move || has_error().then(|| described_by.clone())
                    on:input=handler(on_input)
                    on:blur=handler(move |_| finish())
                    on:keydown=handler(on_key)
                />
                {(!unit.is_empty()).then(|| view! { <i>{unit}</i> })}
            </span>
            <p class="field-error" id=error_id class:hidden=move || !has_error()>{move || wrong.get().or_else(|| refused.get()).into_any()}</p>
        </div>
    }
    .into_any()
}
