//! A switch between a few values.

use leptos::prelude::*;

/// One of a few; arrow keys move, as for radio buttons.
#[component]
pub(crate) fn Segments<T>(
    /// Name of the group, also what is read aloud.
    label: &'static str,
    /// Values and their names.
    #[prop(into)]
    options: Signal<Vec<(T, &'static str)>>,
    /// What is set.
    #[prop(into)]
    value: Signal<T>,
    /// Sets it.
    set: impl Fn(T) + Copy + Send + Sync + 'static,
) -> impl IntoView
where
    T: Copy + PartialEq + Send + Sync + 'static,
{
    let name = label.replace(' ', "-").to_lowercase();
    view! {
        <fieldset class="segments">
            <legend class="offscreen">{label}</legend>
            {move || {
                let name = name.clone();
                options.get().into_iter().map(move |(option, text)| view! {
                    <label class:on=move || value.get() == option>
                        <input type="radio" name=name.clone() prop:checked=move || value.get() == option on:change=move |_| set(option)/>
                        <span>{text}</span>
                    </label>
                }).collect_view()
            }}
        </fieldset>
    }
}
