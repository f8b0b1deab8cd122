//! Replays: a client of the worker in, signals out.

use std::rc::Rc;

use engine::simulate::trace::TraceFacts;
use engine::simulate::{Fleets, Summary};
use engine::text::{self, Message};
use gloo::timers::callback::Timeout;
use leptos::prelude::*;
use web_sys::FileList;
use worker::protocol::Failure;
use worker::replay::client::Replay as Client;
use worker::replay::{Ask, News, Reply, Seat};

use super::files::{Piece, Pieces};
use crate::view_model::replay::{Against, Form};
use crate::view_model::timeline::{Run, TimelineData};

/// Where trunk puts the worker's loader.
const WORKER: &str = "./replay_loader.js";
/// How long typing has to rest before it is replayed.
const REST_MS: u32 = 150;

/// How far a run is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Going {
    id: u32,
    /// Share done, 0 to 1.
    pub(crate) share: f64,
    /// Its figures, once it is over.
    pub(crate) summary: Option<Summary>,
    /// Why it cannot begin.
    pub(crate) refused: Option<Message>,
}

/// The trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Trace {
    /// None was chosen.
    #[default]
    None,
    /// It is being read.
    Reading {
        /// Requests so far.
        requests: u64,
    },
    /// It was read.
    Read(TraceFacts),
    /// It cannot be read.
    Unread(Message),
}

/// Replays as the page sees them.
#[derive(Clone, Copy)]
pub(crate) struct Replay {
    /// What is asked for.
    pub(crate) form: RwSignal<Form>,
    /// Settings kept to compare with.
    pub(crate) kept: RwSignal<Option<Form>>,
    /// The run.
    pub(crate) first: RwSignal<Going>,
    /// What it is compared with; none stands while there is none.
    pub(crate) second: RwSignal<Option<Going>>,
    /// Whether something was changed that is not replayed yet.
    pub(crate) waits: RwSignal<bool>,
    /// The timelines of both.
    pub(crate) data: RwSignal<TimelineData>,
    /// The trace.
    pub(crate) trace: RwSignal<Trace>,
    /// What does not work at all.
    pub(crate) failure: RwSignal<Option<Message>>,
    client: StoredValue<Option<Rc<Client>>, LocalStorage>,
    last_id: StoredValue<u32>,
    trace_id: StoredValue<u32>,
    pieces: StoredValue<Option<Pieces>, LocalStorage>,
    resting: StoredValue<Option<Timeout>, LocalStorage>,
}

impl Replay {
    /// Nothing replayed yet; the worker starts with the first run.
    pub(crate) fn new(form: Form) -> Self {
        let this = Self {
            form: RwSignal::new(form),
            kept: RwSignal::new(None),
            first: RwSignal::new(Going::default()),
            second: RwSignal::new(None),
            waits: RwSignal::new(false),
            data: RwSignal::new(TimelineData::default()),
            trace: RwSignal::new(Trace::None),
            failure: RwSignal::new(None),
            client: StoredValue::new_local(None),
            last_id: StoredValue::new(0),
            trace_id: StoredValue::new(0),
            pieces: StoredValue::new_local(None),
            resting: StoredValue::new_local(None),
        };
        this.client.set_value(Some(Rc::new(Client::new(WORKER, move |reply| this.hear(reply)))));
        this
    }

    fn ask(self, ask: Ask) {
        if let Some(client) = self.client.with_value(Option::clone) {
            client.ask(ask);
        }
    }

    fn next_id(self) -> u32 {
        self.last_id.update_value(|id| *id = id.wrapping_add(1));
        self.last_id.get_value()
    }

    /// Replays the form after a short rest; `own` are the workers of a point.
    pub(crate) fn replay(self, own: Option<Fleets>) {
        self.waits.set(true);
        let rest = Timeout::new(REST_MS, move || {
            self.waits.set(false);
            self.begin(own.as_ref());
        });
        self.resting.set_value(Some(rest));
    }

    fn begin(self, own: Option<&Fleets>) {
        let form = self.form.get_untracked();
        let length_ms = self.length_ms(&form);
        let Some(length_ms) = length_ms else { return };
        let other = match form.against {
            Against::Static => form.planned.then(|| form.without_planner()),
            Against::Kept => self.kept.get_untracked(),
            Against::Nothing => None,
        };
        self.failure.set(None);
        self.data.set(TimelineData {
            run: Run::default(),
            other: other.as_ref().map(|_| Run::default()),
            slo: form.slo,
            gpus_most: form.planned.then(|| u32::try_from(form.planner.max_gpu_budget).ok()).flatten(),
            aggregated: form.count.prefill == 0,
            window: (0, length_ms),
            step_ms: 1000,
            ..TimelineData::default()
        });
        let first = self.start(Seat::First, &form, own);
        self.first.set(first);
        let second = other.map(|other| self.start(Seat::Second, &other, own));
        if second.is_none() {
            self.ask(Ask::Stop { seat: Seat::Second });
        }
        self.second.set(second);
    }

    fn start(self, seat: Seat, form: &Form, own: Option<&Fleets>) -> Going {
        let id = self.next_id();
        let mut job = form.job();
        if form.own {
            job.fleets = own.cloned();
        }
        self.ask(Ask::Run { id, seat, job: Box::new(job) });
        Going { id, ..Going::default() }
    }

    /// How long the traffic is, ms; none before a trace was read.
    fn length_ms(self, form: &Form) -> Option<u64> {
        if !form.traced {
            return Some(form.outline.story().length_ms() as u64);
        }
        self.trace.with_untracked(|trace| match trace {
            Trace::Read(facts) => Some((facts.length_ms / form.trace_speed) as u64),
            _ => None,
        })
    }

    fn hear(self, reply: Result<Reply, Failure>) {
        match reply {
            Ok(Reply::News(news)) => self.news(news),
            Ok(Reply::Refused { id, message }) => {
                if self.first.with_untracked(|going| going.id == id) {
                    self.first.update(|going| going.refused = Some(message));
                } else if self
                    .second
                    .with_untracked(|going| going.as_ref().is_some_and(|going| going.id == id))
                {
                    self.second.update(|going| {
                        if let Some(going) = going {
                            going.refused = Some(message);
                        }
                    });
                }
            }
            Ok(Reply::Read { id, requests }) if id == self.trace_id.get_value() => {
                self.trace.set(Trace::Reading { requests });
                if let Some(pieces) = self.pieces.try_update_value(Option::take).flatten() {
                    self.send_piece(pieces);
                }
            }
            Ok(Reply::Traced { id, facts }) if id == self.trace_id.get_value() => {
                self.trace.set(match facts {
                    Ok(facts) => Trace::Read(facts),
                    Err(message) => Trace::Unread(message),
                });
            }
            Ok(_) => {}
            Err(failure) => self.failure.set(Some(failure.message())),
        }
    }

    fn news(self, news: News) {
        let News { id, seat, samples, decisions, share, summary } = news;
        let known = match seat {
            Seat::First => self.first.with_untracked(|going| going.id == id),
            Seat::Second => {
                self.second.with_untracked(|going| going.as_ref().is_some_and(|going| going.id == id))
            }
        };
        if !known {
            return;
        }
        let going = Going { id, share, summary, refused: None };
        self.data.update(|data| {
            let run = match seat {
                Seat::First => Some(&mut data.run),
                Seat::Second => data.other.as_mut(),
            };
            let Some(run) = run else { return };
            if let [first, second, ..] = samples.as_slice() {
                data.step_ms = second.at_ms - first.at_ms;
            }
            run.samples.extend(samples);
            run.decisions = decisions;
            if seat == Seat::First
                && let (true, Some(last)) = (going.summary.is_some(), run.samples.last())
            {
                data.window.1 = data.window.1.max(last.at_ms);
            }
        });
        match seat {
            Seat::First => self.first.set(going),
            Seat::Second => self.second.set(Some(going)),
        }
    }

    /// Reads the files of a trace piece by piece: the next one is sent once the worker has read the one before.
    pub(crate) fn read(self, files: Option<FileList>) {
        let Some(pieces) = files.and_then(Pieces::new) else { return };
        self.trace_id.update_value(|id| *id = id.wrapping_add(1));
        self.trace.set(Trace::Reading { requests: 0 });
        self.send_piece(pieces);
    }

    fn send_piece(self, mut pieces: Pieces) {
        let id = self.trace_id.get_value();
        leptos::task::spawn_local(async move {
            let piece = pieces.next().await;
            // Another trace may have been chosen meanwhile.
            if id != self.trace_id.get_value() {
                return;
            }
            match piece {
                Ok(Piece { bytes, ends_file, ends }) => {
                    self.pieces.set_value(Some(pieces));
                    self.ask(Ask::Piece { id, bytes, ends_file, ends });
                }
                Err(why) => self.trace.set(Trace::Unread(text::replay::unreadable(&why))),
            }
        });
    }
}
