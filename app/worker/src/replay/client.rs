//! The page's end in the browser: starts the worker with the first question.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use super::{Ask, Reply};
use crate::protocol::Failure;
use crate::thread::{Signal, Thread};
use crate::{BUILD, codec};

type Hear = Box<dyn Fn(Result<Reply, Failure>)>;

/// Replays, seen from the page.
pub struct Replay {
    inner: Rc<Inner>,
}

struct Inner {
    url: String,
    hear: Hear,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    thread: Option<Thread>,
    /// Whether the worker listens; what is posted before that is lost.
    ready: bool,
    waiting: Vec<Ask>,
}

impl Replay {
    /// The classic worker script at `url`, not started yet. `hear` is told everything it says but that it is ready, and
    /// why it does not work.
    pub fn new(url: &str, hear: impl Fn(Result<Reply, Failure>) + 'static) -> Self {
        let state = RefCell::default();
        Self { inner: Rc::new(Inner { url: url.to_owned(), hear: Box::new(hear), state }) }
    }

    /// Asks.
    pub fn ask(&self, ask: Ask) {
        let started = {
            let mut state = self.inner.state.borrow_mut();
            state.waiting.push(ask);
            state.thread.is_some()
        };
        if started {
            self.inner.post();
        } else {
            self.inner.start();
        }
    }
}

impl Inner {
    fn start(self: &Rc<Self>) {
        let listening: Weak<Self> = Rc::downgrade(self);
        let thread = Thread::start(&self.url, move |signal| {
            if let Some(inner) = listening.upgrade() {
                inner.hear(signal);
            }
        });
        match thread {
            Ok(thread) => self.state.borrow_mut().thread = Some(thread),
            Err(why) => self.fail(Failure::Unsupported { why }),
        }
    }

    fn post(&self) {
        let sent = {
            let mut state = self.state.borrow_mut();
            if !state.ready {
                return;
            }
            let waiting = std::mem::take(&mut state.waiting);
            let thread = state.thread.as_ref();
            waiting.iter().try_for_each(|ask| {
                let bytes = codec::encode(ask).map_err(|error| error.to_string())?;
                thread.map_or_else(|| Err("no worker is running".to_owned()), |thread| thread.post(&bytes))
            })
        };
        if let Err(why) = sent {
            self.fail(Failure::Crashed { why });
        }
    }

    fn hear(self: &Rc<Self>, signal: Signal) {
        let reply = match signal {
            Signal::Bytes(bytes) => codec::decode::<Reply>(&bytes).map_err(|error| error.to_string()),
            Signal::Broke(why) => Err(why),
        };
        match reply {
            Ok(Reply::Ready { build }) if build == BUILD => {
                self.state.borrow_mut().ready = true;
                self.post();
            }
            Ok(Reply::Ready { build }) => {
                self.fail(Failure::OtherBuild { page: BUILD.to_owned(), worker: build });
            }
            Ok(Reply::Crashed { why }) | Err(why) => {
                let ready = self.state.borrow().ready;
                self.fail(if ready { Failure::Crashed { why } } else { Failure::Unsupported { why } });
            }
            Ok(reply) => (self.hear)(Ok(reply)),
        }
    }

    /// Stops the worker; the next question starts another.
    fn fail(&self, failure: Failure) {
        {
            let mut state = self.state.borrow_mut();
            (state.thread, state.ready) = (None, false);
            state.waiting.clear();
        }
        (self.hear)(Err(failure));
    }
}
