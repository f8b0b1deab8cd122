//! One search on its way: what it waits for and what it has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::problem::Plan;
use engine::scenario::Scenario;
use perf_data::Pack;

use crate::protocol::SearchId;

pub(crate) struct Job {
    pub(crate) id: SearchId,
    pub(crate) scenario: Scenario,
    pub(crate) stage: Stage,
    /// Files that were fetched once more, past every cache.
    pub(crate) again: BTreeSet<String>,
    /// The index was read while this job was under way, so a missing file is not its age.
    pub(crate) index_is_new: bool,
}

/// What a search is doing.
pub(crate) enum Stage {
    /// Waits for the list of packs.
    Index,
    /// Waits for pack files.
    Files(Box<Files>),
    /// Searches.
    Run {
        /// Time spent so far, ms.
        elapsed_ms: f64,
    },
}

/// Pack files of one search.
pub(crate) struct Files {
    pub(crate) plan: Plan,
    pub(crate) here: BTreeMap<String, Arc<Pack>>,
    pub(crate) missing: BTreeMap<String, Transfer>,
    /// Bytes of files that arrived during this job.
    pub(crate) arrived: u64,
}

/// How far the download of a file is.
#[derive(Clone, Copy)]
pub(crate) struct Transfer {
    pub(crate) received: u64,
    pub(crate) total: u64,
}

impl Files {
    /// Bytes received and bytes in all.
    pub(crate) fn progress(&self) -> (u64, u64) {
        self.missing.values().fold((self.arrived, self.arrived), |(received, total), transfer| {
            (received + transfer.received.min(transfer.total), total + transfer.total)
        })
    }
}
