//! The list of measured data, for the choices of the form.

use perf_data::Index;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::Response;

const URL: &str = "packs/index.json";

/// Fetches the list; none when it cannot be had, which the search will report with its reason.
pub(crate) async fn fetch_index() -> Option<Index> {
    let window = web_sys::window()?;
    let response: Response = JsFuture::from(window.fetch_with_str(URL)).await.ok()?.dyn_into().ok()?;
    if !response.ok() {
        return None;
    }
    let text = JsFuture::from(response.text().ok()?).await.ok()?.as_string()?;
    Index::from_json(&text).ok()
}
