//! The page's end in the browser: starts the worker and talks to it.
//!
//! Compiles on every target, so that whatever uses it does too; outside a browser nothing starts.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use engine::scenario::Scenario;
use engine::view::Candidate;
use gloo::storage::{SessionStorage, Storage};
use gloo::timers::callback::Timeout;

use crate::codec;
use crate::protocol::{Reply, Request, SearchId};
use crate::reading::Texts;
use crate::session::{Session, Step};
use crate::thread::{Signal, Thread};

/// When a worker that has not said a word is reported.
const PATIENCE_MS: u32 = 30_000;

/// Under which name the browser tab remembers for which worker the page was loaded again.
const RELOADED: &str = "configurator.reloaded-for";

/// The search, seen from the page. Clones share one worker; it stops when the last one is dropped.
#[derive(Clone)]
pub struct Client {
    inner: Rc<Inner>,
}

struct Inner {
    url: String,
    on_reply: Box<dyn Fn(Reply)>,
    session: RefCell<Session>,
    running: RefCell<Option<Running>>,
}

/// A started worker; dropping it stops it.
struct Running {
    thread: Thread,
    _patience: Timeout,
}

impl Client {
    /// Starts the classic worker script at `url`.
    ///
    /// `on_reply` gets every reply to the latest search: `Loading`, `Progress`, `Found`, `Explained`, `Priced`, `Failed`;
    /// and `Read` to the latest reading.
    /// It is called from an event of the browser or from within a call of this client.
    pub fn spawn(url: &str, on_reply: impl Fn(Reply) + 'static) -> Self {
        let inner = Rc::new(Inner {
            url: url.to_owned(),
            on_reply: Box::new(on_reply),
            session: RefCell::new(Session::new()),
            running: RefCell::new(None),
        });
        inner.perform(vec![Step::Start]);
        Self { inner }
    }

    /// Asks; replaces any search before it.
    pub fn search(&self, scenario: &Scenario) -> SearchId {
        let (id, steps) = self.inner.session.borrow_mut().search(scenario);
        self.inner.perform(steps);
        id
    }

    /// Asks for the breakdown of a deployment of the latest search, which must have been answered.
    pub fn explain(&self, id: SearchId, candidate: Candidate) {
        let steps = self.inner.session.borrow_mut().explain(id, candidate);
        self.inner.perform(steps);
    }

    /// Asks for the figures of a deployment under the latest search, which must have been answered.
    pub fn price(&self, id: SearchId, candidate: Candidate) {
        let step = self.inner.session.borrow().price(id, candidate);
        self.inner.perform(step.into_iter().collect());
    }

    /// Asks for the step times of a deployment's workers under the latest search, which must have been answered.
    pub fn speeds(&self, id: SearchId, candidate: Candidate) {
        let step = self.inner.session.borrow().speeds(id, candidate);
        self.inner.perform(step.into_iter().collect());
    }

    /// Asks what the description of a model says; replaces any reading before it.
    pub fn read(&self, texts: Texts) {
        let steps = self.inner.session.borrow_mut().read(texts);
        self.inner.perform(steps);
    }

    /// Gives up a search that is under way.
    pub fn cancel(&self, id: SearchId) {
        let steps = self.inner.session.borrow_mut().cancel(id);
        self.inner.perform(steps);
    }
}

impl Inner {
    fn perform(self: &Rc<Self>, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Post(request) => self.post(&request),
                Step::Deliver(reply) => (self.on_reply)(reply),
                Step::Start => self.start(),
                Step::Reload { worker } => self.reload(worker),
            }
        }
    }

    fn start(self: &Rc<Self>) {
        self.running.take();
        match Running::start(&self.url, &Rc::downgrade(self)) {
            Ok(running) => {
                self.running.replace(Some(running));
            }
            Err(why) => {
                let steps = self.session.borrow_mut().unsupported(why);
                self.perform(steps);
            }
        }
    }

    fn post(self: &Rc<Self>, request: &Request) {
        let sent = match codec::encode(request) {
            Ok(bytes) => match self.running.borrow().as_ref() {
                Some(running) => running.thread.post(&bytes),
                None => Err("no worker is running".to_owned()),
            },
            Err(error) => Err(error.to_string()),
        };
        if let Err(why) = sent {
            let steps = self.session.borrow_mut().broke(why);
            self.perform(steps);
        }
    }

    fn reload(self: &Rc<Self>, worker: String) {
        let before: Option<String> = SessionStorage::get(RELOADED).ok();
        let reloads = before.as_ref() != Some(&worker)
            && SessionStorage::set(RELOADED, &worker).is_ok()
            && web_sys::window().is_some_and(|window| window.location().reload().is_ok());
        if !reloads {
            let steps = self.session.borrow_mut().reload_was_in_vain(worker);
            self.perform(steps);
        }
    }

    fn hear(self: &Rc<Self>, signal: Signal) {
        let reply = match signal {
            Signal::Bytes(bytes) => codec::decode::<Reply>(&bytes).map_err(|error| error.to_string()),
            Signal::Broke(why) => Err(why),
        };
        let steps = match reply {
            Ok(reply) => self.session.borrow_mut().reply(reply),
            Err(why) => self.session.borrow_mut().broke(why),
        };
        self.perform(steps);
    }
}

impl Running {
    fn start(url: &str, inner: &Weak<Inner>) -> Result<Self, String> {
        let listening = Weak::clone(inner);
        let thread = Thread::start(url, move |signal| {
            if let Some(inner) = listening.upgrade() {
                inner.hear(signal);
            }
        })?;
        let inner = Weak::clone(inner);
        let patience = Timeout::new(PATIENCE_MS, move || {
            if let Some(inner) = inner.upgrade() {
                let why = format!("it has not answered for {} s", PATIENCE_MS / 1000);
                let steps = inner.session.borrow_mut().slow(why);
                inner.perform(steps);
            }
        });
        Ok(Self { thread, _patience: patience })
    }
}
