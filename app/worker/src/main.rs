//! The worker's program: browser events in, [`worker::host::Host`] in the middle, messages and fetches out.

#[cfg(target_arch = "wasm32")]
mod fetch;
#[cfg(target_arch = "wasm32")]
mod scope;

#[cfg(target_arch = "wasm32")]
fn main() {
    scope::start();
}

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    eprintln!("This program runs in a browser's web worker. On the command line, use `configurator`.");
    std::process::ExitCode::from(2)
}
