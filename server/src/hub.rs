//! The hub: asks the sources, keeps what they told, and hands one snapshot to everybody.
//!
//! Status is state, not events: whoever reads slowly gets the newest snapshot and misses nothing that still holds.
//! A source that fails empties nothing. What it told stays and ages, and the page says so.

mod backoff;
mod clock;
mod decisions;
mod history;
mod merge;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use engine::cluster::{ClusterStatus, Health, History, SCHEMA, Snapshot, Source, SourceKind, Trouble};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::source::{PlannerSource, SourceError, Update};
use backoff::Backoff;
use decisions::Decisions;
use history::Samples;

pub use clock::Clock;

/// A source that says nothing for so long is asked anew.
const SILENCE: Duration = Duration::from_mins(1);

/// A snapshot, written once for all who read it.
#[derive(Debug)]
pub struct Published {
    /// The snapshot itself.
    pub snapshot: Snapshot,
    /// Its JSON.
    pub json: Bytes,
    /// Its JSON as an event of an event stream.
    pub event: Bytes,
}

/// Shared by the sources' tasks and by all requests; cheap to clone.
#[derive(Clone, Debug)]
pub struct Hub {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    clock: Clock,
    stop: CancellationToken,
    state: Mutex<State>,
    news: watch::Sender<Arc<Published>>,
}

#[derive(Debug, Default)]
struct State {
    seq: u64,
    feeds: Vec<Feed>,
    status: Option<ClusterStatus>,
    samples: Samples,
    decisions: Decisions,
}

/// A source and what it told last.
#[derive(Debug)]
struct Feed {
    source: Source,
    told: Option<ClusterStatus>,
}

impl Hub {
    /// A hub without sources.
    pub fn new(clock: Clock) -> Self {
        let first = publish(&State::default(), clock.now_ms());
        let inner = Inner {
            clock,
            stop: CancellationToken::new(),
            state: Mutex::default(),
            news: watch::Sender::new(Arc::new(first)),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Adds a source and returns its task, which ends with the hub. `seed` spreads the pauses after errors.
    pub fn drive<S: PlannerSource>(&self, source: S, seed: u64) -> impl Future<Output = ()> + Send + use<S> {
        let at = self.add(S::KIND);
        self.clone().ask(source, at, Backoff::new(seed))
    }

    fn add(&self, kind: SourceKind) -> usize {
        let mut state = self.state();
        let source = Source {
            kind,
            health: Health::Starting,
            since_ms: self.inner.clock.now_ms(),
            heard_ms: None,
            retry_ms: None,
            trouble: None,
        };
        state.feeds.push(Feed { source, told: None });
        self.publish(&mut state);
        state.feeds.len() - 1
    }

    async fn ask<S: PlannerSource>(self, mut source: S, at: usize, mut pauses: Backoff) {
        let stop = self.stop_token();
        loop {
            let told = tokio::select! {
                () = stop.cancelled() => return,
                told = tokio::time::timeout(SILENCE, source.next()) => told,
            };
            let told = told.unwrap_or_else(|_| {
                let waited_ms = SILENCE.as_millis() as u64;
                Err(Trouble::Slow { url: format!("{:?}", S::KIND), waited_ms }.into())
            });
            match told {
                Ok(update) => {
                    pauses.reset();
                    self.hear(at, update);
                }
                Err(error) => {
                    let pause = pauses.next(error.retry_after);
                    self.miss(at, error, pause);
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(pause) => {}
                    }
                }
            }
        }
    }

    fn hear(&self, at: usize, update: Update) {
        let now_ms = self.inner.clock.now_ms();
        let mut state = self.state();
        let Some(feed) = state.feeds.get_mut(at) else { return };
        if feed.source.health != Health::Live {
            info!(source = ?feed.source.kind, "answers");
            feed.source.health = Health::Live;
            feed.source.since_ms = now_ms;
        }
        feed.source.heard_ms = Some(now_ms);
        feed.source.retry_ms = None;
        feed.source.trouble = update.trouble;
        feed.told = Some(update.status);
        state.renew(&update.past);
        self.publish(&mut state);
    }

    fn miss(&self, at: usize, error: SourceError, pause: Duration) {
        let now_ms = self.inner.clock.now_ms();
        let mut state = self.state();
        let Some(feed) = state.feeds.get_mut(at) else { return };
        let health = if feed.source.heard_ms.is_some() { Health::Stale } else { Health::Down };
        if feed.source.trouble.as_ref() != Some(&error.trouble) {
            warn!(source = ?feed.source.kind, "{error}");
        }
        if feed.source.health != health {
            feed.source.health = health;
            feed.source.since_ms = now_ms;
        }
        feed.source.retry_ms = Some(now_ms + pause.as_millis() as u64);
        feed.source.trouble = Some(error.trouble);
        state.renew(&[]);
        self.publish(&mut state);
    }

    fn publish(&self, state: &mut State) {
        state.seq += 1;
        let published = publish(state, self.inner.clock.now_ms());
        self.inner.news.send_replace(Arc::new(published));
    }

    /// The newest snapshot.
    pub fn latest(&self) -> Arc<Published> {
        Arc::clone(&self.inner.news.borrow())
    }

    /// The newest snapshot, and every newer one.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Published>> {
        self.inner.news.subscribe()
    }

    /// What was, from `since_ms` on the cluster's clock, in steps of at least `step_ms`.
    pub fn history(&self, since_ms: Option<u64>, step_ms: Option<u64>) -> History {
        let state = self.state();
        let (step_ms, samples) = state.samples.since(since_ms, step_ms);
        let from = since_ms.or(samples.first().map(|first| first.at_ms)).unwrap_or(0);
        History { schema: SCHEMA, step_ms, samples, decisions: state.decisions.since(from) }
    }

    /// Now, Unix ms on the server's clock.
    pub fn now_ms(&self) -> u64 {
        self.inner.clock.now_ms()
    }

    /// Ends all sources and event streams when it is cancelled.
    pub fn stop_token(&self) -> CancellationToken {
        self.inner.stop.clone()
    }

    /// Nothing that holds the lock can panic half-way; a poisoned one is as good as any.
    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Puts together what the sources told; one that fails no longer outvotes one that answers.
    fn renew(&mut self, past: &[engine::cluster::Sample]) {
        let told = |kind| {
            let feed = self.feeds.iter().find(|feed| feed.source.kind == kind)?;
            Some((feed.told.as_ref()?, feed.source.health == Health::Live))
        };
        let (prometheus, kubernetes) = (told(SourceKind::Prometheus), told(SourceKind::Kubernetes));
        let mut status = match (told(SourceKind::Simulated), prometheus, kubernetes) {
            (Some((status, _)), ..) | (None, Some((status, _)), None) | (None, None, Some((status, _))) => {
                status.clone()
            }
            (None, Some(prometheus), Some(kubernetes)) => merge::merge(prometheus, kubernetes),
            (None, None, None) => return,
        };
        if status.simulated.is_some() && self.status.as_ref().is_some_and(|last| status.now_ms < last.now_ms)
        {
            self.samples = Samples::default();
            self.decisions = Decisions::default();
        }
        for sample in past {
            self.samples.remember(sample);
        }
        self.decisions.remember(past, &status);
        self.decisions.note(&mut status);
        self.samples.add(&status.sample());
        self.status = Some(status);
    }
}

fn publish(state: &State, at_ms: u64) -> Published {
    let snapshot = Snapshot {
        schema: SCHEMA,
        seq: state.seq,
        at_ms,
        sources: state.feeds.iter().map(|feed| feed.source.clone()).collect(),
        status: state.status.clone(),
    };
    // Plain numbers, texts and lists: writing them cannot fail.
    let json = serde_json::to_string(&snapshot).unwrap_or_default();
    let event = Bytes::from(format!("event: snapshot\nid: {}\ndata: {json}\n\n", snapshot.seq));
    Published { snapshot, json: Bytes::from(json), event }
}
