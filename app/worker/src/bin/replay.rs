//! The program of the worker that replays traffic: browser events in, messages out.

#[cfg(target_arch = "wasm32")]
fn main() {
    program::start();
}

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    eprintln!("This program runs in a browser's web worker.");
    std::process::ExitCode::from(2)
}

#[cfg(target_arch = "wasm32")]
mod program {
    use std::cell::{Cell, RefCell};
    use std::rc::Rc;

    use gloo::events::EventListener;
    use wasm_bindgen::prelude::Closure;
    use wasm_bindgen::{JsCast, JsValue};
    use web_sys::{DedicatedWorkerGlobalScope, MessageChannel, MessageEvent, MessagePort};
    use worker::replay::{Ask, Host, Reply};
    use worker::{BUILD, codec, inside};

    struct Shell {
        scope: DedicatedWorkerGlobalScope,
        host: RefCell<Host>,
        /// Where the next slice is announced: what the page says comes in between.
        turn: MessagePort,
        announced: Cell<bool>,
    }

    pub(crate) fn start() {
        let Some(scope) = inside::scope() else { return };
        inside::report_panics(|why| Reply::Crashed { why });
        let channel = match MessageChannel::new() {
            Ok(channel) => channel,
            Err(error) => wasm_bindgen::throw_val(error),
        };
        let shell = Rc::new(Shell {
            scope: scope.clone(),
            host: RefCell::new(Host::new()),
            turn: channel.port2(),
            announced: Cell::new(false),
        });
        let turning = Rc::clone(&shell);
        let on_turn = Closure::<dyn Fn()>::new(move || turning.turn());
        channel.port1().set_onmessage(Some(on_turn.as_ref().unchecked_ref()));
        on_turn.forget();
        let on_message = move |event: &web_sys::Event| {
            if let Some(event) = event.dyn_ref::<MessageEvent>() {
                shell.message(&event.data());
            }
        };
        EventListener::new(&scope, "message", on_message).forget();
        inside::post(&scope, &Reply::Ready { build: BUILD.to_owned() });
    }

    impl Shell {
        fn message(&self, data: &JsValue) {
            let ask = inside::bytes(data)
                .and_then(|bytes| codec::decode::<Ask>(&bytes).map_err(|error| error.to_string()));
            let reply = match ask {
                Ok(ask) => self.host.borrow_mut().handle(ask),
                Err(why) => Some(Reply::Crashed { why }),
            };
            if let Some(reply) = reply {
                inside::post(&self.scope, &reply);
            }
            self.announce();
        }

        fn turn(&self) {
            self.announced.set(false);
            let replies = self.host.borrow_mut().advance();
            for reply in &replies {
                inside::post(&self.scope, reply);
            }
            self.announce();
        }

        fn announce(&self) {
            if self.host.borrow().is_busy()
                && !self.announced.replace(true)
                && let Err(error) = self.turn.post_message(&JsValue::NULL)
            {
                wasm_bindgen::throw_val(error);
            }
        }
    }
}
