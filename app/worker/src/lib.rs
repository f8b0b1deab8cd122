//! The search in a web worker: both ends of the boundary and the vocabulary between them.

pub mod protocol;
