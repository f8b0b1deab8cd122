//! Files from the server, with progress.

use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AbortSignal, DedicatedWorkerGlobalScope, ReadableStreamDefaultReader, ReadableStreamReadResult,
    RequestCache, RequestInit, Response,
};
use worker::host::{Lost, Resource};

/// Nothing answered, or the connection broke.
const SILENCE: Lost = Lost { status: None };

/// The bytes of a file; `progress` hears how many are here so far.
pub(crate) async fn fetch(
    scope: &DedicatedWorkerGlobalScope,
    resource: &Resource,
    fresh: bool,
    signal: &AbortSignal,
    progress: impl Fn(u64),
) -> Result<Vec<u8>, Lost> {
    let init = RequestInit::new();
    init.set_signal(Some(signal));
    init.set_cache(match resource {
        _ if fresh => RequestCache::Reload,
        Resource::Index => RequestCache::NoCache,
        Resource::Pack(_) => RequestCache::Default,
    });
    let answer = JsFuture::from(scope.fetch_with_str_and_init(&resource.url(), &init)).await;
    let response: Response = answer.and_then(JsCast::dyn_into).map_err(|_| SILENCE)?;
    if !response.ok() {
        return Err(Lost { status: Some(response.status()) });
    }
    read(&response, progress).await.map_err(|_| SILENCE)
}

async fn read(response: &Response, progress: impl Fn(u64)) -> Result<Vec<u8>, JsValue> {
    let mut bytes = Vec::new();
    let Some(body) = response.body() else {
        return Ok(bytes);
    };
    let reader = ReadableStreamDefaultReader::new(&body)?;
    loop {
        let part: ReadableStreamReadResult = JsFuture::from(reader.read()).await?.unchecked_into();
        let Ok(part) = part.get_value().dyn_into::<Uint8Array>() else {
            return Ok(bytes);
        };
        let start = bytes.len();
        bytes.resize(start + part.length() as usize, 0);
        part.copy_to(&mut bytes[start..]);
        progress(bytes.len() as u64);
    }
}
