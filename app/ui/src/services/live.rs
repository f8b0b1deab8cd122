//! The live status: history and snapshot by request, then a stream of snapshots; tried again when it breaks.

use std::sync::Arc;

use engine::cluster::{SCHEMA, Snapshot};
use engine::text::live::{Away, locked};
use engine::text::{Message, planner};
use gloo::events::EventListener;
use gloo::timers::callback::{Interval, Timeout};
use leptos::prelude::*;
use serde_json::{Value, json};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{EventSource, MessageEvent, RequestInit, Response};

use crate::view_model::live::{Feed, Span, read, window};
use crate::view_model::timeline::TimelineData;

const STATUS: &str = "api/cluster";
const HISTORY: &str = "api/cluster/history";
const EVENTS: &str = "api/cluster/events";
const SESSION: &str = "api/session";

/// Longest wait before it is tried again, ms.
const LONGEST_WAIT_MS: u32 = 30_000;

/// How the connection fares.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Line {
    /// Being made for the first time.
    Connecting,
    /// Snapshots come.
    Open,
    /// A token is needed.
    Locked(Message),
    /// There is none; tried again at this time on the server's clock, ms.
    Away(Away, u64),
}

/// The stream, closed when it is dropped.
struct Stream {
    source: EventSource,
    _listeners: [EventListener; 2],
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.source.close();
    }
}

/// The live status as signals.
#[derive(Clone, Copy)]
pub(crate) struct Live {
    /// The snapshot on screen.
    pub(crate) snapshot: RwSignal<Option<Arc<Snapshot>>>,
    /// The timelines.
    pub(crate) data: RwSignal<TimelineData>,
    /// How the connection fares.
    pub(crate) line: RwSignal<Line>,
    /// Whether the screen stands still.
    pub(crate) paused: RwSignal<bool>,
    /// Snapshots that came while it did.
    pub(crate) news: RwSignal<u32>,
    /// How much of the past is shown.
    pub(crate) span: RwSignal<Span>,
    /// The server's clock, ms.
    pub(crate) now: RwSignal<u64>,
    /// The newest decision in words, once it is new.
    pub(crate) said: RwSignal<String>,
    feed: StoredValue<Feed>,
    newest: StoredValue<Option<Arc<Snapshot>>>,
    heard_decision: StoredValue<Option<u64>>,
    ahead_ms: StoredValue<f64>,
    failures: StoredValue<u32>,
    stream: StoredValue<Option<Stream>, LocalStorage>,
    timer: StoredValue<Option<Timeout>, LocalStorage>,
}

/// Why there is no answer.
enum Refused {
    Locked(Message),
    Away(Away),
}

impl Live {
    /// Connects, and stays connected until the owner is gone.
    pub(crate) fn start() -> Self {
        let live = Self {
            snapshot: RwSignal::new(None),
            data: RwSignal::new(TimelineData::default()),
            line: RwSignal::new(Line::Connecting),
            paused: RwSignal::new(false),
            news: RwSignal::new(0),
            span: RwSignal::new(Span::default()),
            now: RwSignal::new(js_sys::Date::now() as u64),
            said: RwSignal::new(String::new()),
            feed: StoredValue::new(Feed::default()),
            newest: StoredValue::new(None),
            heard_decision: StoredValue::new(None),
            ahead_ms: StoredValue::new(0.0),
            failures: StoredValue::new(0),
            stream: StoredValue::new_local(None),
            timer: StoredValue::new_local(None),
        };
        let tick = StoredValue::new_local(Some(Interval::new(1_000, move || {
            live.now.try_set(live.server_now());
        })));
        on_cleanup(move || {
            drop(tick.try_update_value(Option::take));
            drop(live.stream.try_update_value(Option::take));
            drop(live.timer.try_update_value(Option::take));
        });
        live.connect();
        live
    }

    fn server_now(self) -> u64 {
        (js_sys::Date::now() + self.ahead_ms.try_get_value().unwrap_or_default()).max(0.0) as u64
    }

    /// Tries at once.
    pub(crate) fn connect(self) {
        self.stream.try_set_value(None);
        self.timer.try_set_value(None);
        leptos::task::spawn_local(async move {
            // The past first, so that the present is its end.
            let outcome = match get(STATUS, read::snapshot).await {
                Ok(snapshot) if snapshot.schema != SCHEMA => {
                    Err(Refused::Away(Away::Schema(snapshot.schema)))
                }
                Ok(snapshot) => get(HISTORY, read::history).await.map(|history| (snapshot, history)),
                Err(refused) => Err(refused),
            };
            if self.line.is_disposed() {
                return;
            }
            match outcome {
                Ok((snapshot, history)) => {
                    self.feed.update_value(|feed| {
                        feed.reconnected();
                        self.data.update_untracked(|data| feed.history(data, history));
                    });
                    self.line.set(Line::Open);
                    self.take(snapshot);
                    self.listen();
                }
                Err(Refused::Locked(message)) => self.line.set(Line::Locked(message)),
                Err(Refused::Away(away)) => self.wait(away),
            }
        });
    }

    fn listen(self) {
        let Ok(source) = EventSource::new(EVENTS) else { return self.wait(Away::Lost) };
        let heard = EventListener::new(&source, "snapshot", move |event| {
            let text = event.dyn_ref::<MessageEvent>().and_then(|event| event.data().as_string());
            match read::tree(&text.unwrap_or_default()).and_then(|tree| read::snapshot(&tree)) {
                Ok(snapshot) if snapshot.schema == SCHEMA => {
                    // Only now: a server whose stream breaks at once must not be asked every second.
                    self.failures.try_set_value(0);
                    self.line.try_set(Line::Open);
                    self.take(snapshot);
                }
                Ok(snapshot) => self.wait(Away::Schema(snapshot.schema)),
                Err(why) => self.wait(Away::Garbled(why)),
            }
        });
        let broken = EventListener::new(&source, "error", move |_| self.wait(Away::Lost));
        self.stream.try_set_value(Some(Stream { source, _listeners: [heard, broken] }));
    }

    /// Tries again after a while, which doubles each time.
    fn wait(self, away: Away) {
        if self.line.is_disposed() {
            return;
        }
        let failures = self.failures.get_value();
        self.failures.set_value(failures.saturating_add(1));
        let wait = 1_000_u32.saturating_mul(1 << failures.min(5)).min(LONGEST_WAIT_MS);
        // Nobody answers the second time either: what was known was a server that has gone.
        let away = if away == Away::Nobody && self.snapshot.with_untracked(Option::is_some) {
            Away::Lost
        } else {
            away
        };
        self.line.set(Line::Away(away, self.server_now() + u64::from(wait)));
        // The stream cannot be dropped from inside its own listener.
        self.timer.set_value(Some(Timeout::new(0, move || {
            self.stream.try_set_value(None);
            self.timer.try_set_value(Some(Timeout::new(wait, move || self.connect())));
        })));
    }

    fn take(self, snapshot: Snapshot) {
        let ahead_min = -(js_sys::Date::new_0().get_timezone_offset() as i32);
        let fresh = self.feed.try_update_value(|feed| {
            self.data.try_update_untracked(|data| feed.snapshot(data, &snapshot, ahead_min))
        });
        if fresh.flatten() != Some(true) {
            return;
        }
        self.ahead_ms.set_value(snapshot.at_ms as f64 - js_sys::Date::now());
        self.announce(&snapshot);
        self.newest.set_value(Some(Arc::new(snapshot)));
        if self.paused.get_untracked() {
            self.news.update(|news| *news += 1);
        } else {
            self.show();
        }
    }

    /// Shows what is newest.
    pub(crate) fn show(self) {
        let span = self.span.get_untracked();
        self.data.update(|data| data.window = window(data, span));
        self.now.set(self.server_now());
        self.snapshot.set(self.newest.get_value());
        self.news.set(0);
    }

    /// Lets the screen stand, or go on.
    pub(crate) fn pause(self, paused: bool) {
        self.paused.set(paused);
        if !paused {
            self.show();
        }
    }

    /// Shows another part of the past.
    pub(crate) fn look_back(self, span: Span) {
        self.span.set(span);
        self.data.update(|data| data.window = window(data, span));
    }

    fn announce(self, snapshot: &Snapshot) {
        let Some(status) = &snapshot.status else { return };
        let newest = status.decisions.last();
        let (at, before) = (newest.map(|decision| decision.at_ms), self.heard_decision.get_value());
        self.heard_decision.set_value(Some(at.unwrap_or_default()));
        if let (Some(newest), Some(before)) = (newest, before)
            && newest.at_ms != before
        {
            self.said.set(planner::decision(newest, status.slo));
        }
    }

    /// Sends a token; what is wrong with it comes back.
    pub(crate) fn unlock(self, token: String, wrong: RwSignal<Option<Message>>) {
        leptos::task::spawn_local(async move {
            let init = RequestInit::new();
            init.set_method("POST");
            init.set_body(&wasm_bindgen::JsValue::from_str(&json!({ "token": token }).to_string()));
            match answer(SESSION, &init).await {
                Ok(_) => {
                    wrong.try_set(None);
                    self.connect();
                }
                Err(Refused::Locked(message)) => drop(wrong.try_set(Some(message))),
                Err(Refused::Away(away)) => self.wait(away),
            }
        });
    }
}

async fn get<T>(url: &str, read: fn(&Value) -> Result<T, String>) -> Result<T, Refused> {
    let text = answer(url, &RequestInit::new()).await?;
    // A host of files may answer everything with a page.
    if !text.trim_start().starts_with('{') {
        return Err(Refused::Away(Away::Nobody));
    }
    read::tree(&text).and_then(|tree| read(&tree)).map_err(|why| Refused::Away(Away::Garbled(why)))
}

async fn answer(url: &str, init: &RequestInit) -> Result<String, Refused> {
    let nobody = || Refused::Away(Away::Nobody);
    let window = web_sys::window().ok_or_else(nobody)?;
    let response = JsFuture::from(window.fetch_with_str_and_init(url, init)).await.map_err(|_| nobody())?;
    let response: Response = response.dyn_into().map_err(|_| nobody())?;
    let text = JsFuture::from(response.text().map_err(|_| nobody())?).await.map_err(|_| nobody())?;
    let text = text.as_string().unwrap_or_default();
    let said = || read::tree(&text).ok().and_then(|tree| read::message(&tree));
    match response.status() {
        200..=299 => Ok(text),
        401 => Err(Refused::Locked(said().unwrap_or_else(locked))),
        404 | 405 => Err(nobody()),
        code => Err(Refused::Away(Away::Status(code, said()))),
    }
}
