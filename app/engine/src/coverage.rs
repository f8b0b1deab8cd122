//! Which models have an answer on which systems and engines, and why the others have none.
//!
//! A cell is one model on one system with one engine in one serving mode. Whether it answers is asked of
//! the search itself: the same plan, layouts, tables and memory, stopped at the first layout that answers.

mod atlas;
mod cell;
mod nearest;

pub use atlas::{Atlas, MODES, Row, ask, places};
pub use cell::{Reason, Verdict, WORKLOAD, column, judge};
pub use nearest::{Nearest, Step};
