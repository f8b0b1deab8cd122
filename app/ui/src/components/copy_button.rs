//! A button that copies, and says whether it did.

use gloo::timers::callback::Timeout;
use leptos::prelude::*;

use super::handler;
use crate::services::clipboard;

/// Copies what `text` gives at the moment of the click.
#[component]
pub(crate) fn CopyButton(
    /// What the button says.
    label: &'static str,
    /// What is copied.
    text: impl Fn() -> String + Copy + Send + Sync + 'static,
    /// Whether it may be pressed.
    #[prop(into, optional)]
    disabled: Signal<bool>,
    /// Style of the button.
    #[prop(default = "ghost")]
    class: &'static str,
) -> impl IntoView {
    button(label, Box::new(text), disabled, class)
}

/// The button itself: not generic, so that the page carries it once.
fn button(
    label: &'static str,
    text: Box<dyn Fn() -> String + Send + Sync>,
    disabled: Signal<bool>,
    class: &'static str,
) -> AnyView {
    let outcome = RwSignal::new(None::<bool>);
    let press = move |_| {
        let text = text();
        leptos::task::spawn_local(async move {
            outcome.set(Some(clipboard::copy(text).await));
            Timeout::new(2_000, move || {
                outcome.try_set(None);
            })
            .forget();
        });
    };
    let says = move || match outcome.get() {
        None => label,
        Some(true) => "Copied",
        Some(false) => "Not allowed here",
    };
    view! {
        <button type="button" class=class class:done=move || outcome.get() == Some(true) on:click=handler(press) disabled=move || disabled.get()>
            <span aria-live="polite">{move || says().into_any()}</span>
        </button>
    }
    .into_any()
}
