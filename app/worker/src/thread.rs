//! A web worker seen from the page: bytes in, bytes out.
//!
//! Compiles on every target, so that whatever uses it does too; outside a browser nothing starts.

use std::rc::Rc;

use gloo::events::EventListener;
use js_sys::{Array, ArrayBuffer, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{ErrorEvent, MessageEvent, Worker};

/// What a worker did.
pub(crate) enum Signal {
    /// It sent this.
    Bytes(Vec<u8>),
    /// It sent something that is no message, or broke down, for this reason.
    Broke(String),
}

/// A started worker and what listens to it; dropping it stops both.
pub(crate) struct Thread {
    worker: Worker,
    _listeners: [EventListener; 3],
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.worker.terminate();
    }
}

impl Thread {
    /// Starts the classic worker script at `url`.
    pub(crate) fn start(url: &str, hear: impl Fn(Signal) + 'static) -> Result<Self, String> {
        Self::listen(url, &(Rc::new(hear) as Rc<dyn Fn(Signal)>))
    }

    /// The same for every kind of listener: what is generic about it weighs.
    fn listen(url: &str, hear: &Rc<dyn Fn(Signal)>) -> Result<Self, String> {
        let worker = Worker::new(url).map_err(|error| describe(&error))?;
        let listener = |kind: &'static str, read: fn(&web_sys::Event) -> Signal| {
            let hear = Rc::clone(hear);
            EventListener::new(&worker, kind, move |event| hear(read(event)))
        };
        let listeners = [
            listener("message", |event| match event.dyn_ref::<MessageEvent>() {
                Some(event) => bytes(&event.data()),
                None => Signal::Broke(FOREIGN.to_owned()),
            }),
            listener("messageerror", |_| Signal::Broke(FOREIGN.to_owned())),
            listener("error", |event| {
                let why = event.dyn_ref::<ErrorEvent>().map(ErrorEvent::message);
                let why = why.filter(|why| !why.is_empty());
                Signal::Broke(why.unwrap_or_else(|| "its script did not load".to_owned()))
            }),
        ];
        Ok(Self { worker, _listeners: listeners })
    }

    /// Posts bytes without a second copy of them.
    pub(crate) fn post(&self, bytes: &[u8]) -> Result<(), String> {
        let buffer = Uint8Array::from(bytes).buffer();
        let sent = self.worker.post_message_with_transfer(&buffer, &Array::of1(&buffer));
        sent.map_err(|error| describe(&error))
    }
}

const FOREIGN: &str = "not a message of this build";

fn bytes(data: &JsValue) -> Signal {
    match data.dyn_ref::<ArrayBuffer>() {
        Some(buffer) => Signal::Bytes(Uint8Array::new(buffer).to_vec()),
        None => Signal::Broke(FOREIGN.to_owned()),
    }
}

fn describe(error: &JsValue) -> String {
    match error.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => "the browser gave no reason".to_owned(),
    }
}
