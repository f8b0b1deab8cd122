//! The worker's end: a state machine that is told what happened and answers with [`Event`]s.
//!
//! It does no I/O and owns no clock. Whoever drives it fetches what it wants, reports back, and calls
//! [`Host::advance`] again and again while [`Host::is_busy`]: between two slices a newer request gets its turn.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::catalog::Catalog;
use engine::places::Plans;
use engine::problem::ScenarioError;
use engine::scenario::Scenario;
use engine::searches::Searches;
use engine::text;
use engine::view::Candidate;
use perf_data::{Index, Pack};

use crate::BUILD;
use crate::job::{Files, Job, Stage, Transfer};
use crate::packs::Packs;
use crate::protocol::{Failure, Left, Reply, Request, SearchId};
use crate::reading;

pub use crate::event::{Event, Lost, Resource};

/// Memory for decoded pack files that no search uses at the moment.
pub const PACK_BUDGET: usize = 96 << 20;

/// Layouts searched between two looks at the clock.
const STEPS: u32 = 1;

/// How long a slice may take, ms: short enough for a newer request to be heard at once.
const SLICE_MS: f64 = 10.0;

/// The searches whose tables are still there.
struct Kept {
    searches: Searches,
    /// Places of the question that are not among them.
    left: Vec<Left>,
    data: String,
    /// The search it answered; none while it is under way.
    answered: Option<SearchId>,
}

impl Kept {
    /// Whether nothing is left out that another try might bring.
    fn is_whole(&self) -> bool {
        self.left.iter().all(Left::is_without_data)
    }
}

/// The worker's end.
pub struct Host {
    clock: Box<dyn Fn() -> f64>,
    index: Option<Index>,
    packs: Packs,
    in_flight: BTreeSet<Resource>,
    kept: Option<Kept>,
    job: Option<Job>,
}

impl Host {
    /// A host that keeps decoded pack files up to `budget` bytes; `clock` gives milliseconds.
    pub fn new(budget: usize, clock: impl Fn() -> f64 + 'static) -> Self {
        Self {
            clock: Box::new(clock),
            index: None,
            packs: Packs::new(budget),
            in_flight: BTreeSet::new(),
            kept: None,
            job: None,
        }
    }

    /// The first thing to tell the page.
    pub fn ready() -> Reply {
        Reply::Ready { build: BUILD.to_owned() }
    }

    /// Whether [`Host::advance`] has something to do.
    pub fn is_busy(&self) -> bool {
        matches!(self.job, Some(Job { stage: Stage::Run { .. }, .. }))
    }

    /// A request of the page.
    pub fn handle(&mut self, request: Request) -> Vec<Event> {
        let mut events = Vec::new();
        match request {
            Request::Search { id, scenario } => self.search(id, *scenario, &mut events),
            Request::Read { id, texts } => {
                let reading = reading::read(&texts).map(Box::new);
                events.push(Event::Reply(Reply::Read { id, reading }));
            }
            Request::Explain { id, candidate } => events.extend(self.explain(id, *candidate)),
            Request::Price { id, candidate } => events.extend(self.price(id, *candidate)),
            Request::Speeds { id, candidate } => events.extend(self.speeds(id, *candidate)),
            Request::Cancel { id } => {
                if self.job.as_ref().is_some_and(|job| job.id == id) {
                    self.job = None;
                    self.abandon(&mut events);
                }
            }
        }
        events
    }

    /// More of a file is here: `bytes` of it so far.
    pub fn received(&mut self, resource: &Resource, bytes: u64) -> Vec<Event> {
        let Some(Job { id, stage: Stage::Files(files), .. }) = &mut self.job else {
            return Vec::new();
        };
        let Some(transfer) = files.missing.get_mut(resource.name()) else {
            return Vec::new();
        };
        transfer.received = bytes;
        let (received, total) = files.progress();
        vec![Event::Reply(Reply::Loading { id: *id, received, total })]
    }

    /// A file is here, or will not come.
    pub fn fetched(&mut self, resource: &Resource, result: Result<Vec<u8>, Lost>) -> Vec<Event> {
        let mut events = Vec::new();
        if self.in_flight.remove(resource) {
            match (resource, result) {
                (Resource::Index, Ok(bytes)) => self.index_arrived(&bytes, &mut events),
                (Resource::Pack(name), Ok(bytes)) => self.pack_arrived(name, &bytes, &mut events),
                (_, Err(lost)) => self.lost(resource, lost, &mut events),
            }
        }
        events
    }

    /// Searches for one slice.
    pub fn advance(&mut self) -> Vec<Event> {
        let (Some(Job { id, stage: Stage::Run { elapsed_ms }, .. }), Some(kept)) =
            (&mut self.job, &mut self.kept)
        else {
            return Vec::new();
        };
        let id = *id;
        let start = (self.clock)();
        let (progress, spent) = loop {
            let progress = kept.searches.advance(STEPS);
            let spent = (self.clock)() - start;
            if progress.is_done() || spent >= SLICE_MS {
                break (progress, spent);
            }
        };
        *elapsed_ms += spent.max(0.0);
        if !progress.is_done() {
            return vec![Event::Reply(Reply::Progress { id, done: progress.done, total: progress.total })];
        }
        let elapsed_ms = *elapsed_ms;
        kept.answered = Some(id);
        self.job = None;
        let rows = kept.searches.rows().into_iter().cloned().collect();
        let (places, left, data) = (kept.searches.places(), kept.left.clone(), kept.data.clone());
        vec![Event::Reply(Reply::Found { id, places, rows, left, data, elapsed_ms })]
    }

    fn search(&mut self, id: SearchId, scenario: Scenario, events: &mut Vec<Event>) {
        self.job =
            Some(Job { id, scenario, stage: Stage::Index, again: BTreeSet::new(), index_is_new: false });
        self.plan(events);
        self.abandon(events);
    }

    /// From the index to the files, or straight to the search when the tables are still there.
    fn plan(&mut self, events: &mut Vec<Event>) {
        let Some(job) = &mut self.job else { return };
        let Some(index) = &self.index else {
            job.stage = Stage::Index;
            self.fetch(Resource::Index, false, events);
            return;
        };
        let plans = match Plans::resolve(&job.scenario, Catalog::embedded(), index) {
            Ok(plans) => plans,
            Err(error) => return self.fail(Failure::Scenario(error), events),
        };
        if let Some(kept) = &mut self.kept
            && kept.data == plans.data_id()
            && kept.searches.accepts(&job.scenario)
            && kept.is_whole()
        {
            kept.searches.retarget(&job.scenario);
            kept.answered = None;
            job.stage = Stage::Run { elapsed_ms: 0.0 };
            return;
        }
        let mut here = BTreeMap::new();
        let mut missing = BTreeMap::new();
        for file in plans.files().into_values() {
            match self.packs.get(&file.name) {
                Some(pack) => {
                    here.insert(file.name.clone(), pack);
                }
                None => {
                    missing.insert(file.name.clone(), Transfer { received: 0, total: file.bytes });
                }
            }
        }
        let files = Box::new(Files { plans, here, missing, lost: BTreeMap::new(), arrived: 0 });
        if files.missing.is_empty() {
            return self.start(*files, events);
        }
        let (received, total) = files.progress();
        events.push(Event::Reply(Reply::Loading { id: job.id, received, total }));
        let names: Vec<_> = files.missing.keys().cloned().collect();
        job.stage = Stage::Files(files);
        for name in names {
            self.fetch(Resource::Pack(name), false, events);
        }
    }

    /// All tables that will come are here.
    fn start(&mut self, files: Files, events: &mut Vec<Event>) {
        let Some(job) = &mut self.job else { return };
        let data = files.plans.data_id();
        let reach = job.scenario.reach;
        let (problems, mut left) = files.load();
        if problems.is_empty()
            && let Some(at) = left.iter().position(|left| !reach.is_wide() || !left.is_without_data())
        {
            // What another try might mend is told first.
            return self.fail(left.swap_remove(at).why, events);
        }
        if problems.is_empty() {
            let skipped = left.into_iter().filter_map(Left::skipped).collect();
            return self.fail(Failure::Scenario(ScenarioError::Nowhere { skipped }), events);
        }
        let searches = Searches::new(job.scenario.clone(), problems);
        job.stage = Stage::Run { elapsed_ms: 0.0 };
        self.kept = Some(Kept { searches, left, data, answered: None });
    }

    fn explain(&self, id: SearchId, candidate: Candidate) -> Option<Event> {
        let kept = self.kept.as_ref().filter(|kept| kept.answered == Some(id))?;
        let explanation = kept.searches.explain(&candidate)?;
        Some(Event::Reply(Reply::Explained { id, candidate: Box::new(candidate), explanation }))
    }

    fn price(&self, id: SearchId, candidate: Candidate) -> Option<Event> {
        let kept = self.kept.as_ref().filter(|kept| kept.answered == Some(id))?;
        let outcome = kept.searches.price(&candidate)?;
        let outcome = outcome.map(Box::new).map_err(|error| text::price_error(&error));
        Some(Event::Reply(Reply::Priced { id, candidate: Box::new(candidate), outcome }))
    }

    fn speeds(&self, id: SearchId, candidate: Candidate) -> Option<Event> {
        let kept = self.kept.as_ref().filter(|kept| kept.answered == Some(id))?;
        let outcome = kept.searches.speeds(&candidate)?;
        let outcome = outcome.map(Box::new).map_err(|error| text::price_error(&error));
        Some(Event::Reply(Reply::Speeds { id, candidate: Box::new(candidate), outcome }))
    }

    fn index_arrived(&mut self, bytes: &[u8], events: &mut Vec<Event>) {
        let index = std::str::from_utf8(bytes)
            .map_err(|error| error.to_string())
            .and_then(|text| Index::from_json(text).map_err(|error| error.to_string()));
        match index {
            Ok(index) => {
                self.index = Some(index);
                if let Some(job) = &mut self.job {
                    job.index_is_new = true;
                    self.plan(events);
                }
            }
            Err(why) => self.fail(Failure::Pack { name: Resource::Index.name().to_owned(), why }, events),
        }
    }

    fn pack_arrived(&mut self, name: &str, bytes: &[u8], events: &mut Vec<Event>) {
        let pack = match Pack::from_bytes(bytes) {
            Ok(pack) => Arc::new(pack),
            Err(error) => {
                // A pack file is cached for a year, and so would be a damaged copy.
                let first = self.job.as_mut().is_some_and(|job| job.again.insert(name.to_owned()));
                if first {
                    self.fetch(Resource::Pack(name.to_owned()), true, events);
                } else {
                    self.give_up(
                        name,
                        Failure::Pack { name: name.to_owned(), why: error.to_string() },
                        events,
                    );
                }
                return;
            }
        };
        self.packs.put(name, &pack);
        let Some(Job { stage: Stage::Files(files), .. }) = &mut self.job else {
            return;
        };
        let Some(transfer) = files.missing.remove(name) else {
            return;
        };
        files.arrived += transfer.total;
        files.here.insert(name.to_owned(), pack);
        self.one_less(events);
    }

    /// A file will not come. Where several places are searched, those that need it are left out.
    fn give_up(&mut self, name: &str, failure: Failure, events: &mut Vec<Event>) {
        match &mut self.job {
            Some(Job { scenario, stage: Stage::Files(files), .. }) if scenario.reach.is_wide() => {
                files.missing.remove(name);
                files.lost.insert(name.to_owned(), failure);
                self.one_less(events);
            }
            _ => self.fail(failure, events),
        }
    }

    /// Says how far the files are, and starts once none is missing.
    fn one_less(&mut self, events: &mut Vec<Event>) {
        let Some(job) = &mut self.job else { return };
        let Stage::Files(files) = &job.stage else { return };
        let (received, total) = files.progress();
        events.push(Event::Reply(Reply::Loading { id: job.id, received, total }));
        if files.missing.is_empty()
            && let Stage::Files(files) = std::mem::replace(&mut job.stage, Stage::Index)
        {
            self.start(*files, events);
        }
    }

    fn lost(&mut self, resource: &Resource, lost: Lost, events: &mut Vec<Event>) {
        // The files of an older index are gone once newer data was deployed: read the index again.
        if lost.status == Some(404)
            && matches!(resource, Resource::Pack(_))
            && let Some(job) = &mut self.job
            && !job.index_is_new
        {
            self.index = None;
            self.plan(events);
            self.abandon(events);
            return;
        }
        self.give_up(resource.name(), Failure::Network { url: resource.url(), status: lost.status }, events);
    }

    fn fail(&mut self, failure: Failure, events: &mut Vec<Event>) {
        if let Some(Job { id, .. }) = self.job.take() {
            events.push(Event::Reply(Reply::Failed { id, failure }));
        }
        self.abandon(events);
    }

    fn fetch(&mut self, resource: Resource, fresh: bool, events: &mut Vec<Event>) {
        if self.in_flight.insert(resource.clone()) {
            events.push(Event::Fetch { resource, fresh });
        }
    }

    /// Gives up every file that the current job does not wait for.
    fn abandon(&mut self, events: &mut Vec<Event>) {
        let stage = self.job.as_ref().map(|job| &job.stage);
        self.in_flight.retain(|resource| {
            let wanted = match (resource, stage) {
                (Resource::Index, Some(Stage::Index)) => true,
                (Resource::Pack(name), Some(Stage::Files(files))) => files.missing.contains_key(name),
                _ => false,
            };
            if !wanted {
                events.push(Event::Abandon(resource.clone()));
            }
            wanted
        });
    }
}
