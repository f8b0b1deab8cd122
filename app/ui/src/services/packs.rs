//! The lists beside the packs: what was measured, for the choices of the form, and what answers where.

use engine::coverage::Atlas;
use js_sys::Uint8Array;
use perf_data::Index;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::Response;

/// Fetches the list of measured data; none when it cannot be had, which the search will report with its reason.
pub(crate) async fn fetch_index() -> Option<Index> {
    let response = fetch("packs/index.json").await?;
    let text = JsFuture::from(response.text().ok()?).await.ok()?.as_string()?;
    Index::from_json(&text).ok()
}

/// Fetches what answers where; none when it cannot be had or was made from other data.
pub(crate) async fn fetch_coverage(index: &Index) -> Option<Atlas> {
    let response = fetch("packs/coverage.bin").await?;
    let buffer = JsFuture::from(response.array_buffer().ok()?).await.ok()?;
    let atlas = Atlas::from_bytes(&Uint8Array::new(&buffer).to_vec())?;
    (atlas.data == index.identity()).then_some(atlas)
}

async fn fetch(url: &str) -> Option<Response> {
    let window = web_sys::window()?;
    let response: Response = JsFuture::from(window.fetch_with_str(url)).await.ok()?.dyn_into().ok()?;
    response.ok().then_some(response)
}
