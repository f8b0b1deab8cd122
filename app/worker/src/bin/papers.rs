//! The program of the worker that writes, checks and reads manifests: browser events in, messages out.

#[cfg(target_arch = "wasm32")]
fn main() {
    use gloo::events::EventListener;
    use wasm_bindgen::JsCast;
    use web_sys::MessageEvent;
    use worker::papers::{Reply, reply};
    use worker::{BUILD, inside};

    let Some(scope) = inside::scope() else { return };
    inside::report_panics(|why| Reply::Crashed { why });
    let answering = scope.clone();
    let answer = move |event: &web_sys::Event| {
        if let Some(event) = event.dyn_ref::<MessageEvent>() {
            let answer = inside::bytes(&event.data()).and_then(|bytes| reply(&bytes));
            inside::post(&answering, &answer.unwrap_or_else(|why| Reply::Crashed { why }));
        }
    };
    EventListener::new(&scope, "message", answer).forget();
    inside::post(&scope, &Reply::Ready { build: BUILD.to_owned() });
}

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    eprintln!("This program runs in a browser's web worker. On the command line, use `configurator export`.");
    std::process::ExitCode::from(2)
}
