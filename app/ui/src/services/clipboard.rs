//! Copying and saving text.

use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, BlobPropertyBag, HtmlAnchorElement, HtmlTextAreaElement, Url};

/// Copies `text`; false when the browser does not allow it.
pub(crate) async fn copy(text: String) -> bool {
    let Some(window) = web_sys::window() else { return false };
    let clipboard = window.navigator().clipboard();
    // The clipboard is missing where the page did not come over a secure connection.
    let modern = !AsRef::<JsValue>::as_ref(&clipboard).is_undefined()
        && JsFuture::from(clipboard.write_text(&text)).await.is_ok();
    modern || copy_by_selection(&text).is_some_and(|copied| copied)
}

fn copy_by_selection(text: &str) -> Option<bool> {
    let document = web_sys::window()?.document()?;
    let area: HtmlTextAreaElement = document.create_element("textarea").ok()?.dyn_into().ok()?;
    area.set_value(text);
    area.set_class_name("offscreen");
    document.body()?.append_child(&area).ok()?;
    area.select();
    let html: &web_sys::HtmlDocument = document.dyn_ref()?;
    let copied = html.exec_command("copy").unwrap_or(false);
    area.remove();
    Some(copied)
}

/// Saves `text` as a file of the user.
pub(crate) fn save(name: &str, mime: &str, text: &str) -> bool {
    save_part(name, mime, &JsValue::from_str(text)).is_some()
}

/// Saves `bytes` as a file of the user.
pub(crate) fn save_bytes(name: &str, mime: &str, bytes: &[u8]) -> bool {
    save_part(name, mime, &js_sys::Uint8Array::from(bytes)).is_some()
}

fn save_part(name: &str, mime: &str, part: &JsValue) -> Option<()> {
    let options = BlobPropertyBag::new();
    options.set_type(mime);
    let parts = js_sys::Array::of1(part);
    save_blob(name, &Blob::new_with_blob_sequence_and_options(&parts, &options).ok()?)
}

/// Saves what the browser made.
pub(crate) fn save_blob(name: &str, blob: &Blob) -> Option<()> {
    let document = web_sys::window()?.document()?;
    let url = Url::create_object_url_with_blob(blob).ok()?;
    let anchor: HtmlAnchorElement = document.create_element("a").ok()?.dyn_into().ok()?;
    anchor.set_href(&url);
    anchor.set_download(name);
    document.body()?.append_child(&anchor).ok()?;
    anchor.click();
    anchor.remove();
    // The download has its own hold on the blob by the time this runs.
    gloo::timers::callback::Timeout::new(10_000, move || drop(Url::revoke_object_url(&url))).forget();
    Some(())
}
