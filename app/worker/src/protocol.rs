//! What crosses the worker boundary.
//!
//! Messages are postcard bytes, private to one build: page and worker compare builds before anything else.

use engine::explain::Explanation;
use engine::problem::{ScenarioError, Skipped};
use engine::rows::Rows;
use engine::scenario::{Place, Scenario};
use engine::search::Priced;
use engine::simulate::Fleets;
use engine::text::{self, Message};
use engine::view::Candidate;
use serde::{Deserialize, Serialize};

use crate::reading::{Reading, Texts};

/// Number of a search; grows with each one.
pub type SearchId = u32;

/// Number of a reading; grows with each one.
pub type ReadingId = u32;

/// From the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// Answer this scenario; replaces any search before it.
    Search {
        /// Number of this search.
        id: SearchId,
        /// The question.
        scenario: Box<Scenario>,
    },
    /// Break the time of a deployment of the last answered search down by operator.
    Explain {
        /// The search it belongs to.
        id: SearchId,
        /// The deployment.
        candidate: Box<Candidate>,
    },
    /// Price a deployment under the last answered search; batches are limits.
    Price {
        /// The search it belongs to.
        id: SearchId,
        /// The deployment.
        candidate: Box<Candidate>,
    },
    /// Tell what the steps of a deployment's workers cost, under the last answered search.
    Speeds {
        /// The search it belongs to.
        id: SearchId,
        /// The deployment.
        candidate: Box<Candidate>,
    },
    /// Read the description of a model; searches go on meanwhile.
    Read {
        /// Number of this reading.
        id: ReadingId,
        /// The files.
        texts: Texts,
    },
    /// Stop the search.
    Cancel {
        /// Its number.
        id: SearchId,
    },
}

/// From the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// The worker listens. Stays the first variant, so that builds can always tell each other apart.
    Ready {
        /// Its build.
        build: String,
    },
    /// Tables are on their way.
    Loading {
        /// The search that needs them.
        id: SearchId,
        /// Bytes received.
        received: u64,
        /// Bytes in all.
        total: u64,
    },
    /// The search is under way.
    Progress {
        /// Its number.
        id: SearchId,
        /// Layouts done.
        done: u32,
        /// Layouts in all.
        total: u32,
    },
    /// The answer.
    Found {
        /// The search.
        id: SearchId,
        /// What was searched.
        places: Vec<Place>,
        /// Everything it keeps, place by place.
        rows: Vec<Rows>,
        /// What was not searched.
        left: Vec<Left>,
        /// Identity of the data it used.
        data: String,
        /// Time spent searching, ms (tables already loaded).
        elapsed_ms: f64,
    },
    /// A breakdown by operator.
    Explained {
        /// The search it belongs to.
        id: SearchId,
        /// The deployment asked for.
        candidate: Box<Candidate>,
        /// Its breakdown.
        explanation: Explanation,
    },
    /// A deployment with its figures, or why it has none.
    Priced {
        /// The search it belongs to.
        id: SearchId,
        /// The deployment asked for.
        candidate: Box<Candidate>,
        /// The point, and batches that were cut to fit.
        outcome: Result<Box<Priced>, Message>,
    },
    /// Step times of a deployment's workers, or why there are none.
    Speeds {
        /// The search it belongs to.
        id: SearchId,
        /// The deployment asked for.
        candidate: Box<Candidate>,
        /// Its workers.
        outcome: Result<Box<Fleets>, Message>,
    },
    /// What the description of a model says, or why that is not understood.
    Read {
        /// The reading.
        id: ReadingId,
        /// What was read.
        reading: Result<Box<Reading>, Message>,
    },
    /// No answer.
    Failed {
        /// The search.
        id: SearchId,
        /// Why.
        failure: Failure,
    },
}

/// A place that a search of several left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Left {
    /// The place.
    pub place: Place,
    /// Why.
    pub why: Failure,
}

impl Left {
    /// Whether there is nothing measured to search; other reasons may be gone the next time.
    pub fn is_without_data(&self) -> bool {
        matches!(self.why, Failure::Scenario(_))
    }

    /// The same for the engine; none when the data exists.
    pub fn skipped(self) -> Option<Skipped> {
        match self.why {
            Failure::Scenario(why) => Some(Skipped { place: self.place, why }),
            _ => None,
        }
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Failure {
    /// The scenario cannot be answered as it stands.
    Scenario(ScenarioError),
    /// A file of measured tables is damaged, foreign or newer than this page.
    Pack {
        /// File name.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// A file could not be fetched.
    Network {
        /// What was fetched.
        url: String,
        /// HTTP status; none when nothing answered.
        status: Option<u16>,
    },
    /// The worker stopped working; it has been started again.
    Crashed {
        /// What it said last.
        why: String,
    },
    /// This browser does not run the worker.
    Unsupported {
        /// What it said.
        why: String,
    },
    /// Page and worker come from different builds, and loading the page again did not help.
    OtherBuild {
        /// Build of the page.
        page: String,
        /// Build of the worker.
        worker: String,
    },
}

impl Failure {
    /// What to tell the user.
    pub fn message(&self) -> Message {
        match self {
            Self::Scenario(error) => text::scenario_error(error),
            Self::Pack { name, why } => text::pack_failure(name, why),
            Self::Network { url, status } => text::network_failure(url, *status),
            Self::Crashed { why } => text::crashed(why),
            Self::Unsupported { why } => text::unsupported(why),
            Self::OtherBuild { page, worker } => text::other_build(page, worker),
        }
    }
}
