//! Measured GPU tables: the pack format.
//!
//! A *pack* is everything measured for one (system, backend) at one data version. It is a set of *pack
//! files*, one per operator family and, where that keeps downloads small, per precision. A file holds
//! *tables*; a table is an ordered list of *slices*; a slice is a categorical key and a ragged tree of
//! sorted integer axes that ends in latencies. The order of slices is the semantic row order of the
//! source tables (first measured first), which decides ties.
//!
//! This crate knows bytes and tables, not models. It does no I/O: callers hand it bytes.

mod bytes;
mod check;
mod codec;
mod grid;
mod index;
mod pack;
mod section;

pub use codec::content_hash;
pub use grid::{Grid, Level};
pub use index::{Index, IndexError, PackEntry, PackFile};
pub use pack::{FORMAT_VERSION, FileInfo, Key, Pack, PackError, Slice, Table, TableInfo};
