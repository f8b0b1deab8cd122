//! The search, and manifests, in web workers: both ends of the boundary and the vocabulary between them.
//!
//! * [`reading`]: a model of the user's own, read beside the searches.
//! * [`protocol`] and [`codec`]: what crosses the boundary, and its bytes.
//! * [`host`]: the worker's end as a pure state machine; it asks for files and never fetches.
//! * [`session`]: the page's end as a pure state machine: latest wins, restart after a crash.
//! * [`client`]: the page's end in the browser.
//! * [`inside`]: the worker's side of the browser.
//! * [`papers`]: manifests, in a worker of their own.
//! * [`replay`]: simulated runs and traces, in another.

pub mod reading;
pub mod protocol;
pub mod codec;
mod packs;
mod event;
mod job;
pub mod host;
pub mod session;
mod thread;
pub mod client;
pub mod papers;
pub mod replay;
pub mod inside;

/// Identity of the code on both ends: the same sources give the same text.
pub const BUILD: &str = env!("WORKER_BUILD");
