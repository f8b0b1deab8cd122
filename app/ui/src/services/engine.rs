//! The search: a client of the worker in, signals out.

use std::sync::Arc;

use engine::explain::Explanation;
use engine::problem::ScenarioError;
use engine::scenario::Scenario;
use engine::search::Priced;
use engine::simulate::Fleets;
use engine::text::{self, Message};
use engine::view::Candidate;
use gloo::timers::callback::Timeout;
use leptos::prelude::*;
use worker::client::Client;
use worker::protocol::{Failure, Reply, SearchId};
use worker::reading::{Reading, Texts};

use crate::view_model::form::place_name;
use crate::view_model::shown::{Answer, same_rows};

/// Where trunk puts the worker's loader.
const WORKER: &str = "./worker_loader.js";
/// How long a handle has to rest before the rows are refined for its target.
const REST_MS: u32 = 160;

/// What the search is doing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Phase {
    /// Nothing was asked yet.
    #[default]
    Idle,
    /// A target moved: the kept rows are shown, the exact batches follow once it rests.
    Resting,
    /// Asked, nothing heard.
    Asked,
    /// Tables are on their way.
    Loading {
        /// Bytes received.
        received: u64,
        /// Bytes in all.
        total: u64,
    },
    /// The search is under way.
    Running {
        /// Layouts done.
        done: u32,
        /// Layouts in all.
        total: u32,
    },
    /// Answered.
    Done,
    /// No answer.
    Failed {
        /// What to tell.
        message: Message,
        /// Why the question cannot be answered, when it is the question.
        error: Option<ScenarioError>,
    },
}

impl Phase {
    /// Whether an answer is being waited for.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self, Self::Asked | Self::Loading { .. } | Self::Running { .. })
    }

    /// Share done, where it is known.
    pub(crate) fn share(&self) -> Option<f64> {
        let share = |done: f64, total: f64| (total > 0.0).then(|| (done / total).clamp(0.0, 1.0));
        match *self {
            Self::Loading { received, total } => share(received as f64, total as f64),
            Self::Running { done, total } => share(f64::from(done), f64::from(total)),
            _ => None,
        }
    }
}

/// The search as the page sees it.
#[derive(Clone, Copy)]
pub(crate) struct Engine {
    /// What it is doing.
    pub(crate) phase: RwSignal<Phase>,
    /// The last answer; stays while the next one is sought.
    pub(crate) answer: RwSignal<Option<Arc<Answer>>>,
    /// The last breakdown.
    pub(crate) explained: RwSignal<Option<(Candidate, Explanation)>>,
    /// What the last description of a model says; none while there is none.
    pub(crate) reading: RwSignal<Option<Result<Reading, Message>>>,
    /// The last deployment that was priced, or why it has no figures.
    pub(crate) priced: RwSignal<Option<(Candidate, Result<Priced, Message>)>>,
    /// Step times of the last deployment asked about, or why it has none.
    pub(crate) speeds: RwSignal<Option<(Candidate, Result<Fleets, Message>)>>,
    client: StoredValue<Option<Client>, LocalStorage>,
    asked: StoredValue<Option<(SearchId, Scenario)>>,
    resting: StoredValue<Option<Timeout>, LocalStorage>,
}

impl Engine {
    /// Starts the worker.
    pub(crate) fn start() -> Self {
        let this = Self {
            phase: RwSignal::new(Phase::default()),
            answer: RwSignal::new(None),
            explained: RwSignal::new(None),
            reading: RwSignal::new(None),
            priced: RwSignal::new(None),
            speeds: RwSignal::new(None),
            client: StoredValue::new_local(None),
            asked: StoredValue::new(None),
            resting: StoredValue::new_local(None),
        };
        this.client.set_value(Some(Client::spawn(WORKER, move |reply| this.hear(reply))));
        this
    }

    /// Asks: at once when other rows are needed, after a short rest when only a target moved.
    pub(crate) fn ask(self, scenario: &Scenario) {
        let before = self.asked.with_value(|asked| asked.as_ref().map(|(_, scenario)| scenario.clone()));
        let moved_only = before.is_some_and(|before| same_rows(&before, scenario));
        if moved_only && self.answer.with_untracked(Option::is_some) {
            let scenario = scenario.clone();
            self.phase.set(Phase::Resting);
            self.resting.set_value(Some(Timeout::new(REST_MS, move || self.search(&scenario))));
        } else {
            self.resting.set_value(None);
            self.search(scenario);
        }
    }

    fn search(self, scenario: &Scenario) {
        let client = self.client.with_value(Option::clone);
        if let Some(client) = client {
            self.phase.set(Phase::Asked);
            self.asked.set_value(Some((0, scenario.clone())));
            let id = client.search(scenario);
            self.asked.update_value(|asked| {
                if let Some((asked_id, _)) = asked {
                    *asked_id = id;
                }
            });
        }
    }

    /// Asks the same question again.
    pub(crate) fn retry(self) {
        if let Some((_, scenario)) = self.asked.get_value() {
            self.search(&scenario);
        }
    }

    /// Asks where the time of a deployment goes; only a finished search can tell.
    pub(crate) fn explain(self, candidate: Candidate) {
        let known = self
            .explained
            .with_untracked(|known| known.as_ref().is_some_and(|(known, _)| *known == candidate));
        if known || self.phase.with_untracked(|phase| *phase != Phase::Done) {
            return;
        }
        let id = self.asked.with_value(|asked| asked.as_ref().map(|(id, _)| *id));
        if let (Some(id), Some(client)) = (id, self.client.with_value(Option::clone)) {
            client.explain(id, candidate);
        }
    }

    /// Asks for the figures of a deployment; only a finished search can tell.
    pub(crate) fn price(self, candidate: Candidate) {
        let id = self.asked.with_value(|asked| asked.as_ref().map(|(id, _)| *id));
        if let (Some(id), Some(client)) = (id, self.client.with_value(Option::clone)) {
            client.price(id, candidate);
        }
    }

    /// Asks what the steps of a deployment's workers cost; only a finished search can tell.
    pub(crate) fn ask_speeds(self, candidate: Candidate) {
        let id = self.asked.with_value(|asked| asked.as_ref().map(|(id, _)| *id));
        if let (Some(id), Some(client)) = (id, self.client.with_value(Option::clone)) {
            client.speeds(id, candidate);
        }
    }

    /// Asks what the description of a model says.
    pub(crate) fn read(self, config: Option<String>, quant: Option<String>) {
        match (config, self.client.with_value(Option::clone)) {
            (Some(config), Some(client)) => client.read(Texts { config, quant }),
            _ => self.reading.set(None),
        }
    }

    fn hear(self, reply: Reply) {
        match reply {
            Reply::Ready { .. } => {}
            Reply::Loading { received, total, .. } => self.phase.set(Phase::Loading { received, total }),
            Reply::Progress { done, total, .. } => self.phase.set(Phase::Running { done, total }),
            Reply::Found { places, rows, left, data, elapsed_ms, .. } => {
                let Some((_, scenario)) = self.asked.get_value() else { return };
                self.explained.set(None);
                let left =
                    text::not_searched(left.iter().map(|left| (place_name(&left.place), reason(&left.why))));
                let (places, rows) = (Arc::new(places), Arc::new(rows));
                self.answer.set(Some(Arc::new(Answer { scenario, places, rows, left, data, elapsed_ms })));
                self.phase.set(Phase::Done);
            }
            Reply::Read { reading, .. } => self.reading.set(Some(reading.map(|reading| *reading))),
            Reply::Priced { candidate, outcome, .. } => {
                self.priced.set(Some((*candidate, outcome.map(|priced| *priced))));
            }
            Reply::Speeds { candidate, outcome, .. } => {
                self.speeds.set(Some((*candidate, outcome.map(|fleets| *fleets))));
            }
            Reply::Explained { candidate, explanation, .. } => {
                self.explained.set(Some((*candidate, explanation)));
            }
            Reply::Failed { failure, .. } => {
                let message = failure.message();
                let error = match failure {
                    Failure::Scenario(error) => Some(error),
                    _ => None,
                };
                self.phase.set(Phase::Failed { message, error });
            }
        }
    }
}

/// Why a place was left out, in a few words.
fn reason(failure: &Failure) -> String {
    match failure {
        Failure::Scenario(error) => text::skip_reason(error),
        Failure::Pack { name, .. } | Failure::Network { url: name, .. } => text::lost_reason(name),
        other => other.message().title,
    }
}
