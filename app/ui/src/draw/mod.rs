//! Charts, drawn by plotters on any backend: a canvas in the page, SVG for everything else.

pub mod palette;
mod pen;
pub mod frontier;
pub mod sheet;
pub mod strip;
pub mod timeline;

pub use pen::{DrawError, UNITS};
