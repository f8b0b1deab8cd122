//! The lists beside the packs: what was measured, for the choices of the form, and what answers where.

use engine::coverage::Atlas;
use perf_data::Index;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::Response;

/// Fetches the list of measured data; none when it cannot be had, which the search will report with its reason.
pub(crate) async fn fetch_index() -> Option<Index> {
    Index::from_json(&fetch("packs/index.json").await?).ok()
}

/// Fetches what answers where; none when it cannot be had or was made from other data.
pub(crate) async fn fetch_coverage(index: &Index) -> Option<Atlas> {
    let atlas = Atlas::from_json(&fetch("packs/coverage.json").await?)?;
    (atlas.data == index.identity()).then_some(atlas)
}

async fn fetch(url: &str) -> Option<String> {
    let window = web_sys::window()?;
    let response: Response = JsFuture::from(window.fetch_with_str(url)).await.ok()?.dyn_into().ok()?;
    if !response.ok() {
        return None;
    }
    JsFuture::from(response.text().ok()?).await.ok()?.as_string()
}
