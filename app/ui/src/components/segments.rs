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
    let names =
        Signal::derive(move || options.with(|options| options.iter().map(|option| option.1).collect()));
    let on = Signal::derive(move || {
        let value = value.get();
        options.with(|options| options.iter().position(|option| option.0 == value))
    });
    let choose = Callback::new(move |at: usize| {
        if let Some((value, _)) = options.with_untracked(|options| options.get(at).copied()) {
            set(value);
        }
    });
    view! { <Choices label=label names=names on=on choose=choose/> }
}

/// The switch by position, built once for values of every type.
#[component]
fn Choices(
    label: &'static str,
    names: Signal<Vec<&'static str>>,
    on: Signal<Option<usize>>,
    choose: Callback<usize>,
) -> impl IntoView {
    let name = label.replace(' ', "-").to_lowercase();
    view! {
        <fieldset class="segments">
            <legend class="offscreen">{label}</legend>
            {move || {
                let name = name.clone();
                names.get().into_iter().enumerate().map(move |(at, text)| {
                    let is_on = Signal::derive(move || on.get() == Some(at));
                    view! {
                        <label class:on=is_on>
                            <input type="radio" name=name.clone() prop:checked=is_on on:change=move |_| choose.run(at)/>
                            <span>{text}</span>
                        </label>
                    }
                }).collect_view()
            }}
        </fieldset>
    }
}
