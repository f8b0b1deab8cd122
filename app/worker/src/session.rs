//! The page's end: a state machine that is told what happened and answers with [`Step`]s.
//!
//! Messages sent before the worker listens are lost, so nothing is posted before [`Reply::Ready`]. The
//! latest search wins: replies to older ones are dropped. A worker that breaks down is started again and
//! asked the same once more; what breaks it twice is reported.

use engine::scenario::Scenario;
use engine::view::Candidate;

use crate::BUILD;
use crate::protocol::{Failure, ReadingId, Reply, Request, SearchId};
use crate::reading::Texts;

/// Workers that may break down in a row before any of them listened.
const STARTS: u32 = 2;

/// What the session wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Post this to the worker.
    Post(Request),
    /// Hand this to the page.
    Deliver(Reply),
    /// Replace the worker by a new one.
    Start,
    /// Load the page again, unless that was done for this worker's build before; then report with
    /// [`Session::reload_was_in_vain`].
    Reload {
        /// Build of the worker.
        worker: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Worker {
    /// None is running.
    None,
    /// Started, but does not listen yet.
    Starting,
    /// Listens.
    Ready,
    /// Of another build.
    Foreign,
}

/// The page's end.
#[derive(Debug)]
pub struct Session {
    worker: Worker,
    last_id: SearchId,
    /// The latest search, until cancelled or given up: what a new worker is asked.
    search: Option<Scenario>,
    answered: bool,
    explain: Option<Candidate>,
    last_reading: ReadingId,
    /// The latest reading, until it is answered or a worker broke down over it.
    reading: Option<Texts>,
    /// Breakdowns in a row before a worker listened.
    false_starts: u32,
    /// The search under which a worker broke down.
    broke_on: Option<SearchId>,
}

impl Session {
    /// A session whose first worker has been started.
    #[allow(clippy::new_without_default, reason = "a session is tied to a worker that somebody started")]
    pub fn new() -> Self {
        Self {
            worker: Worker::Starting,
            last_id: 0,
            search: None,
            answered: false,
            explain: None,
            last_reading: 0,
            reading: None,
            false_starts: 0,
            broke_on: None,
        }
    }

    /// Asks; the answer to any earlier question is not awaited any more.
    pub fn search(&mut self, scenario: &Scenario) -> (SearchId, Vec<Step>) {
        // Zero stands for "no search": a worker that breaks down between two searches reports it.
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        self.search = Some(scenario.clone());
        self.answered = false;
        self.explain = None;
        let steps = match self.worker {
            Worker::None => {
                self.worker = Worker::Starting;
                vec![Step::Start]
            }
            _ => self.post_search(),
        };
        (self.last_id, steps)
    }

    /// Asks for the breakdown of a deployment of the answered search `id`.
    pub fn explain(&mut self, id: SearchId, candidate: Candidate) -> Vec<Step> {
        if id != self.last_id || !self.answered {
            return Vec::new();
        }
        self.explain = Some(candidate);
        self.post_explain()
    }

    /// Asks for the figures of a deployment under the answered search `id`.
    pub fn price(&self, id: SearchId, candidate: Candidate) -> Option<Step> {
        let asked = id == self.last_id && self.answered && self.worker == Worker::Ready;
        asked.then(|| Step::Post(Request::Price { id, candidate: Box::new(candidate) }))
    }

    /// Asks for the step times of a deployment's workers under the answered search `id`.
    pub fn speeds(&self, id: SearchId, candidate: Candidate) -> Option<Step> {
        let asked = id == self.last_id && self.answered && self.worker == Worker::Ready;
        asked.then(|| Step::Post(Request::Speeds { id, candidate: Box::new(candidate) }))
    }

    /// Asks what the description of a model says; the answer to any earlier one is not awaited any more.
    pub fn read(&mut self, texts: Texts) -> Vec<Step> {
        self.last_reading = self.last_reading.wrapping_add(1);
        self.reading = Some(texts);
        match self.worker {
            Worker::None => {
                self.worker = Worker::Starting;
                vec![Step::Start]
            }
            _ => self.post_reading().into_iter().collect(),
        }
    }

    /// Gives up the search `id`.
    pub fn cancel(&mut self, id: SearchId) -> Vec<Step> {
        if id != self.last_id || self.answered || self.search.take().is_none() {
            return Vec::new();
        }
        if self.worker == Worker::Ready { vec![Step::Post(Request::Cancel { id })] } else { Vec::new() }
    }

    /// The worker said something.
    pub fn reply(&mut self, reply: Reply) -> Vec<Step> {
        match reply {
            Reply::Ready { build } if build == BUILD => {
                self.worker = Worker::Ready;
                self.false_starts = 0;
                let mut steps = self.post_search();
                steps.extend(self.post_reading());
                steps
            }
            Reply::Ready { build } => {
                self.worker = Worker::Foreign;
                vec![Step::Reload { worker: build }]
            }
            Reply::Failed { failure: Failure::Crashed { why }, .. } => self.broke(why),
            Reply::Found { id, .. } if self.awaits(id) => {
                // After a breakdown the page has this answer already; giving it again does no harm.
                self.answered = true;
                let mut steps = vec![Step::Deliver(reply)];
                steps.extend(self.post_explain());
                steps
            }
            Reply::Failed { id, .. } if self.awaits(id) => {
                self.search = None;
                vec![Step::Deliver(reply)]
            }
            Reply::Read { id, .. } if id == self.last_reading && self.reading.take().is_some() => {
                vec![Step::Deliver(reply)]
            }
            Reply::Loading { id, .. } | Reply::Progress { id, .. } if self.awaits(id) => {
                vec![Step::Deliver(reply)]
            }
            Reply::Explained { id, ref candidate, .. } if id == self.last_id && self.answered => {
                if self.explain.as_ref() == Some(&**candidate) {
                    self.explain = None;
                }
                vec![Step::Deliver(reply)]
            }
            Reply::Priced { id, .. } | Reply::Speeds { id, .. } if id == self.last_id && self.answered => {
                vec![Step::Deliver(reply)]
            }
            _ => Vec::new(),
        }
    }

    /// The worker broke down, or could not be started.
    pub fn broke(&mut self, why: String) -> Vec<Step> {
        if self.worker != Worker::Ready {
            self.false_starts += 1;
            self.worker = Worker::Starting;
            if self.false_starts < STARTS {
                return vec![Step::Start];
            }
            // The next search tries once more.
            self.worker = Worker::None;
            self.false_starts = STARTS - 1;
            return self.give_up(Failure::Unsupported { why });
        }
        self.worker = Worker::Starting;
        let mut steps = vec![Step::Start];
        // What broke one worker is not given to the next.
        steps.extend(self.refuse_reading(&Failure::Crashed { why: why.clone() }));
        if self.search.is_some() && self.broke_on.replace(self.last_id) == Some(self.last_id) {
            steps.extend(self.give_up(Failure::Crashed { why }));
        }
        steps
    }

    /// This browser has no workers at all.
    pub fn unsupported(&mut self, why: String) -> Vec<Step> {
        self.worker = Worker::None;
        self.false_starts = STARTS - 1;
        self.give_up(Failure::Unsupported { why })
    }

    /// The worker has not said anything for long; it may still come.
    pub fn slow(&mut self, why: String) -> Vec<Step> {
        if self.worker == Worker::Starting && self.search.is_some() {
            let failure = Failure::Unsupported { why };
            vec![Step::Deliver(Reply::Failed { id: self.last_id, failure })]
        } else {
            Vec::new()
        }
    }

    /// The page was loaded again before, and the worker is still of another build.
    pub fn reload_was_in_vain(&mut self, worker: String) -> Vec<Step> {
        self.worker = Worker::None;
        self.give_up(Failure::OtherBuild { page: BUILD.to_owned(), worker })
    }

    fn awaits(&self, id: SearchId) -> bool {
        id == self.last_id && self.search.is_some()
    }

    fn give_up(&mut self, failure: Failure) -> Vec<Step> {
        self.explain = None;
        self.answered = false;
        let mut steps: Vec<Step> = self.refuse_reading(&failure).into_iter().collect();
        if self.search.take().is_some() {
            steps.push(Step::Deliver(Reply::Failed { id: self.last_id, failure }));
        }
        steps
    }

    fn refuse_reading(&mut self, failure: &Failure) -> Option<Step> {
        self.reading.take()?;
        Some(Step::Deliver(Reply::Read { id: self.last_reading, reading: Err(failure.message()) }))
    }

    fn post_reading(&self) -> Option<Step> {
        let texts = self.reading.as_ref().filter(|_| self.worker == Worker::Ready)?;
        Some(Step::Post(Request::Read { id: self.last_reading, texts: texts.clone() }))
    }

    fn post_search(&mut self) -> Vec<Step> {
        match &self.search {
            Some(scenario) if self.worker == Worker::Ready => {
                // A new worker has no answer to explain yet.
                self.answered = false;
                vec![Step::Post(Request::Search { id: self.last_id, scenario: Box::new(scenario.clone()) })]
            }
            _ => Vec::new(),
        }
    }

    fn post_explain(&self) -> Vec<Step> {
        match self.explain {
            Some(candidate) if self.worker == Worker::Ready && self.answered => {
                vec![Step::Post(Request::Explain { id: self.last_id, candidate: Box::new(candidate) })]
            }
            _ => Vec::new(),
        }
    }
}
