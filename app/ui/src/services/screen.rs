//! Small questions to the window and the document.

use gloo::events::EventListener;
use gloo::timers::callback::Timeout;
use leptos::prelude::StoredValue;
use leptos::prelude::UpdateValue;
use leptos::prelude::on_cleanup;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, KeyboardEvent, PointerEvent};

/// Position of a pointer within an element.
pub(crate) fn within(element: &Element, event: &PointerEvent) -> (f64, f64) {
    let bounds = element.get_bounding_client_rect();
    (f64::from(event.client_x()) - bounds.left(), f64::from(event.client_y()) - bounds.top())
}

/// Keeps the pointer's events on the element until it is released, wherever it goes.
pub(crate) fn capture(element: &Element, event: &PointerEvent) {
    drop(element.set_pointer_capture(event.pointer_id()));
}

/// Moves the focus to the element with this id.
pub(crate) fn focus(id: &str) {
    if let Some(element) = by_id(id) {
        drop(element.focus());
    }
}

/// Goes to the top of the page and the element with this id, once what was just closed is gone.
pub(crate) fn start_at(id: &'static str) {
    Timeout::new(0, move || {
        focus(id);
        if let Some(window) = web_sys::window() {
            window.scroll_to_with_x_and_y(0.0, 0.0);
        }
    })
    .forget();
}

/// Brings the element with this id into view.
pub(crate) fn reveal(id: &str) {
    if let Some(element) = by_id(id) {
        let options = web_sys::ScrollIntoViewOptions::new();
        options.set_block(web_sys::ScrollLogicalPosition::Nearest);
        element.scroll_into_view_with_scroll_into_view_options(&options);
    }
}

fn by_id(id: &str) -> Option<HtmlElement> {
    web_sys::window()?.document()?.get_element_by_id(id)?.dyn_into().ok()
}

/// What is inside the element with this id.
pub(crate) fn take_markup(id: &str) -> Option<String> {
    Some(by_id(id)?.inner_html())
}

/// Removes what stood in the page before the application did.
pub(crate) fn remove(id: &str) {
    if let Some(element) = by_id(id) {
        element.remove();
    }
}

/// Whether an event comes from something that is typed into.
pub(crate) fn is_typing(event: &KeyboardEvent) -> bool {
    let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    target.is_some_and(|target| matches!(target.tag_name().as_str(), "INPUT" | "SELECT" | "TEXTAREA"))
}

/// Whether an event comes from inside the element with this class.
pub(crate) fn is_inside(event: &web_sys::Event, selector: &str) -> bool {
    let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    target.is_some_and(|target| target.closest(selector).is_ok_and(|found| found.is_some()))
}

/// Id of the nearest element with this selector around what an event comes from.
pub(crate) fn closest_id(event: &web_sys::Event, selector: &str) -> Option<String> {
    let target = event.target()?.dyn_into::<Element>().ok()?;
    Some(target.closest(selector).ok()??.id())
}

/// Calls `act` for every key pressed anywhere, until the owner is gone.
pub(crate) fn on_key(act: impl Fn(&KeyboardEvent) + 'static) {
    on_window("keydown", move |event| {
        if let Some(event) = event.dyn_ref::<KeyboardEvent>() {
            act(event);
        }
    });
}

/// Calls `act` for every press of a pointer anywhere, until the owner is gone.
pub(crate) fn on_press(act: impl Fn(&web_sys::Event) + 'static) {
    on_window("pointerdown", act);
}

fn on_window(kind: &'static str, act: impl Fn(&web_sys::Event) + 'static) {
    if let Some(window) = web_sys::window() {
        let listener =
            StoredValue::new_local(Some(EventListener::new(&window, kind, move |event| act(event))));
        on_cleanup(move || drop(listener.try_update_value(Option::take)));
    }
}
