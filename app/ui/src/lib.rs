//! The page: one question, one answer, and everything that explains it.
//!
//! `view_model` computes what is shown, `draw` draws charts on any plotters backend, `services` talk to the
//! browser, `components` are small controls, `views` are the screens.

#![allow(
    clippy::large_types_passed_by_value,
    reason = "the state is a bundle of signal handles, copied into closures like each of them"
)]
#![allow(unreachable_pub, reason = "the component macro writes `pub` whatever the component's visibility")]

pub mod view_model;
pub mod draw;
#[cfg(not(target_arch = "wasm32"))]
pub mod prerender;
mod reactive;
mod services;
mod state;
mod components;
mod views;
mod app;

pub use app::App;
