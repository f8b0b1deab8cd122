//! Text files that the user chooses or drops.

use leptos::prelude::event_target;
use wasm_bindgen_futures::JsFuture;
use web_sys::{DragEvent, Event, FileList, HtmlInputElement};

/// Files of an input, which then forgets them: the same one can be chosen again.
pub(crate) async fn chosen(event: Event, limit: usize) -> Vec<(String, String)> {
    let input = event_target::<HtmlInputElement>(&event);
    let texts = texts(input.files(), limit).await;
    input.set_value("");
    texts
}

/// Files of a drop; none when something else was dropped.
pub(crate) fn dropped(event: &DragEvent) -> Option<FileList> {
    event.data_transfer().and_then(|data| data.files()).filter(|files| files.length() > 0)
}

/// Name and text of each file. A longer file is cut one byte beyond `limit`, so that its reader can refuse it.
pub(crate) async fn texts(files: Option<FileList>, limit: usize) -> Vec<(String, String)> {
    let Some(files) = files else { return Vec::new() };
    let mut out = Vec::new();
    for file in (0..files.length()).filter_map(|at| files.get(at)) {
        let Ok(head) = file.slice_with_f64_and_f64(0.0, limit as f64 + 1.0) else { continue };
        let text = JsFuture::from(head.text()).await.ok().and_then(|text| text.as_string());
        out.extend(text.map(|text| (file.name(), text)));
    }
    out
}
