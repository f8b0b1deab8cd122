//! The global scope of the worker.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use gloo::events::EventListener;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{AbortController, DedicatedWorkerGlobalScope, MessageChannel, MessageEvent, MessagePort};
use worker::host::{Event, Host, PACK_BUDGET, Resource};
use worker::protocol::{Failure, Reply, Request, SearchId};
use worker::{codec, inside};

use crate::fetch;

thread_local! {
    /// The search that a panic is reported for.
    static CURRENT: Cell<SearchId> = const { Cell::new(0) };
}

/// Everything the worker is.
struct Shell {
    scope: DedicatedWorkerGlobalScope,
    host: RefCell<Host>,
    fetches: RefCell<BTreeMap<Resource, AbortController>>,
    /// Where the next slice is announced. A message, unlike a timer, is not held back by the browser,
    /// and yet lets the page's requests in between.
    turn: MessagePort,
    announced: Cell<bool>,
}

/// Starts listening and says so.
pub(crate) fn start() {
    let Some(scope) = inside::scope() else { return };
    inside::report_panics(crashed);
    let channel = match MessageChannel::new() {
        Ok(channel) => channel,
        Err(error) => wasm_bindgen::throw_val(error),
    };
    let performance = scope.performance();
    let clock = move || performance.as_ref().map_or(0.0, web_sys::Performance::now);
    let shell = Rc::new(Shell {
        scope: scope.clone(),
        host: RefCell::new(Host::new(PACK_BUDGET, clock)),
        fetches: RefCell::new(BTreeMap::new()),
        turn: channel.port2(),
        announced: Cell::new(false),
    });

    let on_turn = {
        let shell = Rc::clone(&shell);
        Closure::<dyn Fn()>::new(move || shell.turn())
    };
    channel.port1().set_onmessage(Some(on_turn.as_ref().unchecked_ref()));
    on_turn.forget();

    let on_message = {
        let shell = Rc::clone(&shell);
        move |event: &web_sys::Event| {
            if let Some(event) = event.dyn_ref::<MessageEvent>() {
                shell.message(&event.data());
            }
        }
    };
    EventListener::new(&scope, "message", on_message).forget();
    inside::post(&scope, &Host::ready());
}

impl Shell {
    fn message(self: &Rc<Self>, data: &JsValue) {
        let request = inside::bytes(data)
            .and_then(|bytes| codec::decode::<Request>(&bytes).map_err(|error| error.to_string()));
        match request {
            Ok(request) => {
                if let Request::Search { id, .. } = request {
                    CURRENT.set(id);
                }
                let events = self.host.borrow_mut().handle(request);
                self.perform(events);
            }
            Err(why) => inside::post(&self.scope, &crashed(why)),
        }
    }

    fn turn(self: &Rc<Self>) {
        self.announced.set(false);
        let events = self.host.borrow_mut().advance();
        self.perform(events);
    }

    fn received(self: &Rc<Self>, resource: &Resource, bytes: u64) {
        let events = self.host.borrow_mut().received(resource, bytes);
        self.perform(events);
    }

    fn perform(self: &Rc<Self>, events: Vec<Event>) {
        for event in events {
            match event {
                Event::Reply(reply) => inside::post(&self.scope, &reply),
                Event::Fetch { resource, fresh } => self.fetch(resource, fresh),
                Event::Abandon(resource) => {
                    if let Some(controller) = self.fetches.borrow_mut().remove(&resource) {
                        controller.abort();
                    }
                }
            }
        }
        if self.host.borrow().is_busy()
            && !self.announced.replace(true)
            && let Err(error) = self.turn.post_message(&JsValue::NULL)
        {
            wasm_bindgen::throw_val(error);
        }
    }

    fn fetch(self: &Rc<Self>, resource: Resource, fresh: bool) {
        let controller = match AbortController::new() {
            Ok(controller) => controller,
            Err(error) => wasm_bindgen::throw_val(error),
        };
        let signal = controller.signal();
        self.fetches.borrow_mut().insert(resource.clone(), controller);
        let shell = Rc::clone(self);
        wasm_bindgen_futures::spawn_local(async move {
            let progress = |bytes| {
                if !signal.aborted() {
                    shell.received(&resource, bytes);
                }
            };
            let result = fetch::fetch(&shell.scope, &resource, fresh, &signal, progress).await;
            // The host has forgotten an abandoned fetch, and may have asked for the same file again.
            if !signal.aborted() {
                shell.fetches.borrow_mut().remove(&resource);
                let events = shell.host.borrow_mut().fetched(&resource, result);
                shell.perform(events);
            }
        });
    }
}

fn crashed(why: String) -> Reply {
    Reply::Failed { id: CURRENT.get(), failure: Failure::Crashed { why } }
}
