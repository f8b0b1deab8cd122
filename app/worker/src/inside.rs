//! The worker's side of the browser: what both programs need of their global scope.

use js_sys::{Array, ArrayBuffer, Uint8Array};
use serde::Serialize;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::DedicatedWorkerGlobalScope;

use crate::codec;

/// The global scope; none outside a worker, which is said in the console.
pub fn scope() -> Option<DedicatedWorkerGlobalScope> {
    let scope = js_sys::global().dyn_into::<DedicatedWorkerGlobalScope>().ok();
    if scope.is_none() {
        web_sys::console::error_1(&"This program runs in a web worker only.".into());
    }
    scope
}

/// The bytes that the page sent.
pub fn bytes(data: &JsValue) -> Result<Vec<u8>, String> {
    match data.dyn_ref::<ArrayBuffer>() {
        Some(buffer) => Ok(Uint8Array::new(buffer).to_vec()),
        None => Err("the page sent something that is not bytes".to_owned()),
    }
}

/// Posts a reply without a second copy of its bytes.
pub fn post<T: Serialize>(scope: &DedicatedWorkerGlobalScope, reply: &T) {
    match codec::encode(reply) {
        Ok(bytes) => {
            let buffer = Uint8Array::from(bytes.as_slice()).buffer();
            if let Err(error) = scope.post_message_with_transfer(&buffer, &Array::of1(&buffer)) {
                wasm_bindgen::throw_val(error);
            }
        }
        Err(error) => wasm_bindgen::throw_str(&error.to_string()),
    }
}

/// A panic becomes a message to the page, then a line in the console.
pub fn report_panics<T: Serialize + 'static>(crashed: fn(String) -> T) {
    std::panic::set_hook(Box::new(move |info| {
        let why = info.to_string();
        web_sys::console::error_1(&why.as_str().into());
        if let Some(scope) = scope() {
            post(&scope, &crashed(why));
        }
    }));
}
