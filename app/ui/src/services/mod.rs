//! Everything that touches the browser. Views see signals and plain functions.

pub(crate) mod clipboard;
pub(crate) mod engine;
pub(crate) mod files;
mod fine;
pub(crate) mod live;
pub(crate) mod location;
pub(crate) mod packs;
pub(crate) mod papers;
pub(crate) mod replay;
pub(crate) mod screen;
pub(crate) mod surface;
pub(crate) mod theme;
