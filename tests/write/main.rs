//! Manifests that apply: what is written says what was searched, takes no more GPUs than there are, and has none
//! of the defects that people run into elsewhere.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod choices;
mod defects;
mod deployment;
mod property;
