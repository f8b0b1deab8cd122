//! A host with a folder of packs instead of a network.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::rc::Rc;

use engine::scenario::Scenario;
use worker::host::{Event, Host, Lost, PACK_BUDGET, Resource};
use worker::protocol::{Reply, Request, SearchId};

/// What happens to a fetch.
#[derive(Clone, Copy)]
pub(crate) enum Fault {
    /// Nothing answers.
    Silence,
    /// The server answers with this status.
    Status(u16),
    /// The first copy is damaged, later ones are not.
    DamagedOnce,
    /// Every copy is damaged.
    Damaged,
    /// The fetch takes for ever.
    Hangs,
}

/// A host with a folder of packs instead of a network.
pub(crate) struct Site {
    pub(crate) host: Host,
    pub(crate) now: Rc<Cell<f64>>,
    pub(crate) faults: BTreeMap<String, Fault>,
    pub(crate) fetched: Vec<String>,
    pub(crate) abandoned: Vec<String>,
    pub(crate) replies: Vec<Reply>,
}

impl Site {
    pub(crate) fn new(budget: usize) -> Self {
        let now = Rc::new(Cell::new(0.0));
        // Every look at the clock is 20 ms later, so that a slice ends after one round.
        let clock = {
            let now = Rc::clone(&now);
            move || {
                now.set(now.get() + 20.0);
                now.get()
            }
        };
        Self {
            host: Host::new(budget, clock),
            now,
            faults: BTreeMap::new(),
            fetched: Vec::new(),
            abandoned: Vec::new(),
            replies: Vec::new(),
        }
    }

    pub(crate) fn fault(&mut self, name: &str, fault: Fault) {
        self.faults.insert(name.to_owned(), fault);
    }

    /// Starts a search and serves its fetches.
    pub(crate) fn ask(&mut self, id: SearchId, scenario: &Scenario) {
        let scenario = Box::new(scenario.clone());
        let events = self.host.handle(Request::Search { id, scenario });
        self.serve(events);
    }

    /// Runs a search to its end and gives what it said last.
    pub(crate) fn answer(&mut self, id: SearchId, scenario: &Scenario) -> Reply {
        self.ask(id, scenario);
        self.finish();
        self.replies.last().cloned().expect("a reply")
    }

    pub(crate) fn finish(&mut self) {
        while self.host.is_busy() {
            let events = self.host.advance();
            self.serve(events);
        }
    }

    pub(crate) fn serve(&mut self, events: Vec<Event>) {
        for event in events {
            match event {
                Event::Reply(reply) => self.replies.push(reply),
                Event::Abandon(resource) => self.abandoned.push(resource.name().to_owned()),
                Event::Fetch { resource, fresh } => {
                    self.fetched.push(resource.name().to_owned());
                    if let Some(result) = self.fetch(&resource, fresh) {
                        if let Ok(bytes) = &result {
                            let events = self.host.received(&resource, bytes.len() as u64);
                            self.serve(events);
                        }
                        let events = self.host.fetched(&resource, result);
                        self.serve(events);
                    }
                }
            }
        }
    }

    pub(crate) fn fetch(&self, resource: &Resource, fresh: bool) -> Option<Result<Vec<u8>, Lost>> {
        let mut bytes = read(resource.name());
        match self.faults.get(resource.name()) {
            Some(Fault::Hangs) => return None,
            Some(Fault::Silence) => return Some(Err(Lost { status: None })),
            Some(&Fault::Status(status)) => {
                return Some(Err(Lost { status: Some(status) }));
            }
            Some(Fault::DamagedOnce) if fresh => {}
            Some(Fault::Damaged | Fault::DamagedOnce) => bytes.truncate(bytes.len() / 2),
            None => {}
        }
        Some(Ok(bytes))
    }

    /// One of the pack files that a scenario needs.
    pub(crate) fn a_pack(scenario: &Scenario) -> String {
        let mut site = Self::new(PACK_BUDGET);
        site.ask(1, scenario);
        site.fetched.pop().expect("a pack file")
    }
}

pub(crate) fn read(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../perf-data/packs");
    fs::read(folder.join(name)).expect("a pack file")
}
