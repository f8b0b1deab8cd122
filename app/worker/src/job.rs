//! One search on its way: what it waits for and what it has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::places::Plans;
use engine::problem::{Plan, Problem, Skipped};
use engine::scenario::Scenario;
use perf_data::Pack;

use crate::protocol::{Failure, Left, SearchId};

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
    pub(crate) plans: Plans,
    pub(crate) here: BTreeMap<String, Arc<Pack>>,
    pub(crate) missing: BTreeMap<String, Transfer>,
    /// Files that will not come, and why.
    pub(crate) lost: BTreeMap<String, Failure>,
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
    /// Plans with their tables, and what is left out: without data, without a file, or without a table in them.
    pub(crate) fn load(self) -> (Vec<Problem>, Vec<Left>) {
        let Self { plans: Plans { plans, skipped }, here, lost, .. } = self;
        let without_data = |Skipped { place, why }| Left { place, why: Failure::Scenario(why) };
        let mut left: Vec<_> = skipped.into_iter().map(without_data).collect();
        let mut problems = Vec::new();
        for plan in plans {
            let place = plan.scenario().home();
            match problem(plan, &here, &lost) {
                Ok(problem) => problems.push(problem),
                Err(why) => left.push(Left { place, why }),
            }
        }
        (problems, left)
    }

    /// Bytes received and bytes in all.
    pub(crate) fn progress(&self) -> (u64, u64) {
        self.missing.values().fold((self.arrived, self.arrived), |(received, total), transfer| {
            (received + transfer.received.min(transfer.total), total + transfer.total)
        })
    }
}

fn problem(
    plan: Plan,
    here: &BTreeMap<String, Arc<Pack>>,
    lost: &BTreeMap<String, Failure>,
) -> Result<Problem, Failure> {
    match plan.files().into_iter().find_map(|file| lost.get(&file.name)) {
        Some(failure) => Err(failure.clone()),
        None => Problem::new(plan, |name| here.get(name).map(Arc::clone)).map_err(Failure::Scenario),
    }
}
