//! Manifests: questions to the worker that writes, checks and reads them.

use engine::text::Message;
use leptos::prelude::*;
use worker::papers::client::Papers as Client;
use worker::papers::{Answer, Ask};

/// Where trunk puts the worker's loader.
const WORKER: &str = "./papers_loader.js";

/// The worker, started by the first question.
#[derive(Clone, Copy)]
pub(crate) struct Papers {
    client: StoredValue<Client, LocalStorage>,
}

impl Papers {
    pub(crate) fn new() -> Self {
        Self { client: StoredValue::new_local(Client::new(WORKER)) }
    }

    /// Asks; `hear` is called once.
    pub(crate) fn ask(self, ask: Ask, hear: impl FnOnce(Result<Answer, Message>) + 'static) {
        self.client.with_value(|client| client.ask(ask, hear));
    }
}
