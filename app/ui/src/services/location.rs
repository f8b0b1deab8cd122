//! The address bar: where the state of the page lives.

use gloo::events::EventListener;
use wasm_bindgen::JsValue;

/// The query (with `?`) and the fragment (with `#`) of the address.
pub(crate) fn read() -> (String, String) {
    let Some(window) = web_sys::window() else { return (String::new(), String::new()) };
    let location = window.location();
    (location.search().unwrap_or_default(), location.hash().unwrap_or_default())
}

/// Shows another address without leaving a trace.
pub(crate) fn replace(address: &str) {
    if let Some(history) = history() {
        drop(history.replace_state_with_url(&JsValue::NULL, "", Some(address)));
    }
}

/// Shows another address; Back returns to the one before.
pub(crate) fn push(address: &str) {
    if let Some(history) = history() {
        drop(history.push_state_with_url(&JsValue::NULL, "", Some(address)));
    }
}

fn history() -> Option<web_sys::History> {
    web_sys::window()?.history().ok()
}

/// Calls `act` after Back or Forward, for as long as the page lives.
pub(crate) fn on_back(act: impl Fn() + 'static) {
    if let Some(window) = web_sys::window() {
        EventListener::new(&window, "popstate", move |_| act()).forget();
    }
}

/// The whole address for somebody else.
pub(crate) fn absolute(query_and_fragment: &str) -> String {
    let Some(window) = web_sys::window() else { return query_and_fragment.to_owned() };
    let location = window.location();
    let origin = location.origin().unwrap_or_default();
    let path = location.pathname().unwrap_or_default();
    format!("{origin}{path}{query_and_fragment}")
}
