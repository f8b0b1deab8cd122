//! The page's end in the browser: starts the worker with the first question.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

use engine::text::Message;

use super::{Answer, Ask, Reply};
use crate::protocol::Failure;
use crate::thread::{Signal, Thread};
use crate::{BUILD, codec};

type Hear = Box<dyn FnOnce(Result<Answer, Message>)>;

/// Manifests, seen from the page. Clones share one worker.
#[derive(Clone)]
pub struct Papers {
    inner: Rc<Inner>,
}

struct Inner {
    url: String,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    thread: Option<Thread>,
    /// Whether the worker listens; what is posted before that is lost.
    ready: bool,
    last_id: u32,
    /// Questions that wait for the worker.
    waiting: Vec<(u32, Ask)>,
    /// Who waits for an answer.
    open: BTreeMap<u32, Hear>,
}

impl Papers {
    /// The classic worker script at `url`, not started yet.
    pub fn new(url: &str) -> Self {
        Self { inner: Rc::new(Inner { url: url.to_owned(), state: RefCell::default() }) }
    }

    /// Asks; `hear` is called once, from an event of the browser or from within this call.
    pub fn ask(&self, ask: Ask, hear: impl FnOnce(Result<Answer, Message>) + 'static) {
        let started = {
            let mut state = self.inner.state.borrow_mut();
            state.last_id = state.last_id.wrapping_add(1);
            let id = state.last_id;
            state.open.insert(id, Box::new(hear));
            state.waiting.push((id, ask));
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
        let listening = Rc::downgrade(self);
        let started = Thread::start(&self.url, move |signal| {
            if let Some(inner) = Weak::upgrade(&listening) {
                inner.hear(signal);
            }
        });
        match started {
            Ok(thread) => self.state.borrow_mut().thread = Some(thread),
            Err(why) => self.fail(&Failure::Unsupported { why }),
        }
    }

    fn post(self: &Rc<Self>) {
        let sent = {
            let mut state = self.state.borrow_mut();
            if !state.ready {
                return;
            }
            let waiting = std::mem::take(&mut state.waiting);
            let thread = state.thread.as_ref();
            waiting.iter().try_for_each(|letter| {
                let bytes = codec::encode(letter).map_err(|error| error.to_string())?;
                thread.map_or_else(|| Err("no worker is running".to_owned()), |thread| thread.post(&bytes))
            })
        };
        if let Err(why) = sent {
            self.fail(&Failure::Crashed { why });
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
                self.fail(&Failure::OtherBuild { page: BUILD.to_owned(), worker: build });
            }
            Ok(Reply::Answer { id, answer }) => {
                let hear = self.state.borrow_mut().open.remove(&id);
                if let Some(hear) = hear {
                    hear(Ok(answer));
                }
            }
            Ok(Reply::Crashed { why }) | Err(why) => {
                let ready = self.state.borrow().ready;
                self.fail(&if ready { Failure::Crashed { why } } else { Failure::Unsupported { why } });
            }
        }
    }

    /// Stops the worker and tells everybody who waits; the next question starts another.
    fn fail(self: &Rc<Self>, failure: &Failure) {
        let open = {
            let mut state = self.state.borrow_mut();
            (state.thread, state.ready) = (None, false);
            state.waiting.clear();
            std::mem::take(&mut state.open)
        };
        for hear in open.into_values() {
            hear(Err(failure.message()));
        }
    }
}
