//! A target as a handle: dragged, nudged by keys, or typed in its field.

use leptos::html::Div;
use leptos::prelude::*;

use crate::components::handler;
use crate::services::screen;
use crate::view_model::slo;

/// The handle of one target, on the element whose horizontal positions it speaks.
#[component]
pub(super) fn Handle(
    /// Where it stands, CSS pixels from the left of the plot's element; nowhere without a target.
    #[prop(into)]
    x: Signal<Option<f64>>,
    /// Upper and lower end of its line.
    #[prop(into)]
    span: Signal<(f64, f64)>,
    /// Short text beside it.
    #[prop(into)]
    text: Signal<String>,
    /// What it is called.
    label: &'static str,
    /// Smallest, largest and present value; they grow to the right.
    #[prop(into)]
    values: Signal<(f64, f64, f64)>,
    /// The present value in words.
    #[prop(into)]
    value_text: Signal<String>,
    /// Whether a step to the right is a tighter target.
    right_is_tighter: bool,
    /// The element whose left edge is zero.
    frame: NodeRef<Div>,
    /// Told when a drag begins and ends.
    dragging: RwSignal<bool>,
    /// Moves to a position.
    #[prop(into)]
    drag: Callback<f64>,
    /// Moves by steps: positive is looser.
    #[prop(into)]
    nudge: Callback<i32>,
    /// The move is over.
    #[prop(into)]
    commit: Callback<()>,
) -> impl IntoView {
    let px = |value: f64| format!("{value:.1}px");
    let shown = move || x.get().is_some();
    let down = move |event: leptos::ev::PointerEvent| {
        event.stop_propagation();
        if event.button() == 0 {
            screen::capture(&event_target::<web_sys::Element>(&event), &event);
            dragging.set(true);
        }
    };
    let moved = move |event: leptos::ev::PointerEvent| {
        if let (true, Some(frame)) = (dragging.get_untracked(), frame.get_untracked()) {
            event.stop_propagation();
            drag.run(screen::within(&frame, &event).0);
        }
    };
    let up = move |event: leptos::ev::PointerEvent| {
        if dragging.get_untracked() {
            event.stop_propagation();
            dragging.set(false);
            commit.run(());
        }
    };
    let key = move |event: leptos::ev::KeyboardEvent| {
        if let Some(steps) = slo::key_steps(&event.key(), event.shift_key(), right_is_tighter) {
            event.prevent_default();
            event.stop_propagation();
            nudge.run(steps);
        }
    };
    // Beyond this the text stands on the other side.
    let flips = move || {
        let width = frame.get().map_or(0.0, |frame| f64::from(frame.client_width()));
        x.get().is_some_and(|x| x > width - 120.0)
    };
    view! {
        <div
            class="target"
            class:hidden=move || !shown()
            class:dragging=move || dragging.get()
            class:flips=flips
            style:left=move || px(x.get().unwrap_or_default())
            style:top=move || px(span.get().0)
            style:height=move || px((span.get().1 - span.get().0).max(0.0))
        >
            <div
                class="grip"
                role="slider"
                tabindex="0"
                aria-label=label
                aria-orientation="horizontal"
                aria-valuemin=move || values.get().0.to_string()
                aria-valuemax=move || values.get().1.to_string()
                aria-valuenow=move || values.get().2.to_string()
                aria-valuetext=move || value_text.get()
                on:pointerdown=handler(down)
                on:pointermove=handler(moved)
                on:pointerup=handler(up)
                on:pointercancel=handler(up)
                on:click=handler(move |event: leptos::ev::MouseEvent| event.stop_propagation())
                on:dblclick=handler(move |event: leptos::ev::MouseEvent| event.stop_propagation())
                on:keydown=handler(key)
                on:keyup=handler(move |event: leptos::ev::KeyboardEvent| if event.key().starts_with("Arrow") || event.key().starts_with("Page") { commit.run(()) })
            >
                <svg viewBox="-13 -13 26 26" width="26" height="26" aria-hidden="true">
                    <path d="M-3,-5 L-7,0 L-3,5 M3,-5 L7,0 L3,5"></path>
                </svg>
            </div>
            <span class="target-text">{move || text.get().into_any()}</span>
        </div>
    }
}
