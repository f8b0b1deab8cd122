//! The worker's end: a state machine that is told what happened and answers with [`Event`]s.
//!
//! It does no I/O and owns no clock. Whoever drives it fetches what it wants, reports back, and calls
//! [`Host::advance`] again and again while [`Host::is_busy`]: between two slices a newer request gets its turn.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::catalog::Catalog;
use engine::problem::{Plan, Problem};
use engine::scenario::Scenario;
use engine::search::Search;
use engine::view::Layout;
use perf_data::{Index, Pack};

use crate::BUILD;
use crate::job::{Files, Job, Stage, Transfer};
use crate::packs::Packs;
use crate::protocol::{Failure, Reply, Request, SearchId};
use crate::reading;

pub use crate::event::{Event, Lost, Resource};

/// Memory for decoded pack files that no search uses at the moment.
pub const PACK_BUDGET: usize = 96 << 20;

/// Layouts searched between two looks at the clock.
const STEPS: u32 = 1;

/// How long a slice may take, ms: short enough for a newer request to be heard at once.
const SLICE_MS: f64 = 10.0;

/// The search whose tables are still there.
struct Kept {
    search: Search,
    data: String,
    /// The search it answered; none while it is under way.
    answered: Option<SearchId>,
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
            Request::Explain { id, layout } => events.extend(self.explain(id, layout)),
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
            let progress = kept.search.advance(STEPS);
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
        let rows = Box::new(kept.search.rows().clone());
        vec![Event::Reply(Reply::Found { id, rows, data: kept.data.clone(), elapsed_ms })]
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
        let plan = match Plan::resolve(&job.scenario, Catalog::embedded(), index) {
            Ok(plan) => plan,
            Err(error) => return self.fail(Failure::Scenario(error), events),
        };
        if let Some(kept) = &mut self.kept
            && kept.data == plan.data_id()
            && kept.search.accepts(&job.scenario)
        {
            kept.search.retarget(&job.scenario);
            kept.answered = None;
            job.stage = Stage::Run { elapsed_ms: 0.0 };
            return;
        }
        let mut here = BTreeMap::new();
        let mut missing = BTreeMap::new();
        for file in plan.files() {
            match self.packs.get(&file.name) {
                Some(pack) => {
                    here.insert(file.name.clone(), pack);
                }
                None => {
                    missing.insert(file.name.clone(), Transfer { received: 0, total: file.bytes });
                }
            }
        }
        let files = Box::new(Files { plan, here, missing, arrived: 0 });
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

    /// All tables are here.
    fn start(&mut self, files: Files, events: &mut Vec<Event>) {
        let Some(job) = &mut self.job else { return };
        let data = files.plan.data_id();
        match Problem::new(files.plan, |name| files.here.get(name).map(Arc::clone)) {
            Ok(problem) => {
                self.kept = Some(Kept { search: Search::new(problem), data, answered: None });
                job.stage = Stage::Run { elapsed_ms: 0.0 };
            }
            Err(error) => self.fail(Failure::Scenario(error), events),
        }
    }

    fn explain(&self, id: SearchId, layout: Layout) -> Option<Event> {
        let kept = self.kept.as_ref().filter(|kept| kept.answered == Some(id))?;
        let explanation = kept.search.explain(&layout)?;
        Some(Event::Reply(Reply::Explained { id, layout, explanation }))
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
                    self.fail(Failure::Pack { name: name.to_owned(), why: error.to_string() }, events);
                }
                return;
            }
        };
        self.packs.put(name, &pack);
        let Some(Job { id, stage: Stage::Files(files), .. }) = &mut self.job else {
            return;
        };
        let Some(transfer) = files.missing.remove(name) else {
            return;
        };
        files.arrived += transfer.total;
        files.here.insert(name.to_owned(), pack);
        let (received, total) = files.progress();
        events.push(Event::Reply(Reply::Loading { id: *id, received, total }));
        if files.missing.is_empty()
            && let Some(job) = &mut self.job
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
        self.fail(Failure::Network { url: resource.url(), status: lost.status }, events);
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
