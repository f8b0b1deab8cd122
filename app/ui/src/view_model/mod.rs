//! What the page shows, computed without a browser: pure functions from engine values to plain data.

pub mod scale;
pub mod key;
pub mod catalog;
pub mod form;
pub mod coverage;
pub mod preset;
pub mod slo;
mod axis;
mod marks;
pub mod frontier;
pub mod remedy;
pub mod strip;
pub mod best;
pub mod table;
pub mod fragment;
pub mod replay;
pub mod shown;
pub mod today;
pub mod export;
pub mod figures;
pub mod timeline;
pub mod live;

#[cfg(test)]
pub(crate) mod fixture;
