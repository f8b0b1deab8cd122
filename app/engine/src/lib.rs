//! The performance model of LLM serving and the search over deployments.
//!
//! Pure: no I/O, no clock, no threads; the same input gives the same bytes on every target. Modules are
//! declared in dependency order, and a module imports only from modules above it.

pub mod order;
pub mod quant;
pub mod backend;
pub mod source;
pub mod model;
pub mod custom;
pub mod checkpoint;
pub mod system;
pub mod catalog;
pub mod parallel;
pub mod scenario;
pub mod point;
pub mod rows;
pub mod explain;
pub mod cluster;
pub mod planner;
pub mod simulate;
pub mod ops;
pub mod perf;
pub mod kernel;
pub mod models;
pub mod memory;
pub mod step;
pub mod encoder;
pub mod serving;
pub mod wide;
pub mod space;
pub mod problem;
pub mod places;
pub mod view;
pub mod reference;
pub mod search;
pub mod searches;
pub mod gap;
pub mod afd;
pub mod coverage;
pub mod estimate;
pub mod format;
pub mod link;
pub mod text;
pub mod manifest;
