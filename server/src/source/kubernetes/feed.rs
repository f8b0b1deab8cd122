//! Follows one kind of objects: lists them, watches from there on, and goes on by itself whatever happens.
//!
//! A watch that ends is taken up where it stood. Only where the server no longer knows that point (410), says
//! nothing although it promised to end the watch, or sends what makes no sense, everything is listed anew.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use engine::cluster::Trouble;
use kube::api::{GetParams, ListParams, WatchParams};
use kube::core::Request;
use serde_json::Value;
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, sleep, timeout};

use super::Pace;
use super::ask::{Api, Fault, Line};
use super::facts::{Fact, name};
use super::kind::{Kind, Scope};
use super::settings::Planned;

/// Objects of a page of a list.
pub(super) const PAGE: u32 = 250;

/// Most pages of a list.
const PAGES: usize = 200;

/// What a feed tells.
pub(super) struct Told {
    /// About what.
    pub(super) kind: Kind,
    /// What.
    pub(super) word: Word,
}

/// News of one kind.
pub(super) enum Word {
    /// All there are, by name.
    All(BTreeMap<String, Fact>),
    /// One came or changed.
    Put(String, Fact),
    /// One is gone.
    Gone(String),
    /// The server answers.
    Heard,
    /// It does not. `listed`: what is known was true a moment ago.
    Fault { fault: Fault, listed: bool },
}

/// Nobody listens any more.
struct Closed;

/// How to go on after a watch.
enum Next {
    /// Where it stood.
    Resume,
    /// Where it stood, after a pause.
    Later(Option<Duration>),
    /// From the beginning, after a pause.
    Anew(Option<Duration>),
}

/// A feed.
pub(super) struct Feed {
    pub(super) api: Api,
    pub(super) kind: Kind,
    pub(super) scope: Arc<Scope>,
    pub(super) pace: Pace,
    pub(super) tell: Sender<Told>,
}

/// Growing pauses.
struct Pauses {
    pace: Pace,
    tries: u32,
}

impl Pauses {
    /// Waits, at least as long as the server wishes.
    async fn wait(&mut self, wish: Option<Duration>) {
        let own = self.pace.pause.saturating_mul(1 << self.tries.min(16)).min(self.pace.longest_pause);
        self.tries = self.tries.saturating_add(1);
        sleep(own.max(wish.unwrap_or_default())).await;
    }
}

impl Feed {
    /// Lists and watches until nobody listens.
    pub(super) async fn watch(self) {
        let Err(Closed) = self.follow().await;
    }

    async fn follow(&self) -> Result<Infallible, Closed> {
        let mut pauses = Pauses { pace: self.pace, tries: 0 };
        let mut at = 0;
        loop {
            let (mut version, path) = match self.list(&mut at).await {
                Ok((all, version, path)) => {
                    self.say(Word::All(all)).await?;
                    (version, path)
                }
                Err(fault) => {
                    let wish = fault.retry;
                    // A list that grew too old between two pages only begins again.
                    if fault.code != Some(410) {
                        self.say(Word::Fault { fault, listed: false }).await?;
                    }
                    pauses.wait(wish).await;
                    continue;
                }
            };
            loop {
                match self.stream(&path, &mut version, &mut pauses).await? {
                    Next::Resume => {}
                    Next::Later(wish) => pauses.wait(wish).await,
                    Next::Anew(wish) => {
                        pauses.wait(wish).await;
                        break;
                    }
                }
            }
        }
    }

    async fn say(&self, word: Word) -> Result<(), Closed> {
        self.tell.send(Told { kind: self.kind, word }).await.map_err(|_| Closed)
    }

    /// Everything, in the best version that the server has; with the point to watch from.
    async fn list(&self, at: &mut usize) -> Result<(BTreeMap<String, Fact>, String, String), Fault> {
        let mut first: Option<Fault> = None;
        loop {
            let Some(path) = self.kind.path(*at, Some(&self.scope.namespace)) else {
                *at = 0;
                let mut fault = first.unwrap_or_else(|| impossible(&"no version is left"));
                if fault.code == Some(404) {
                    fault.trouble = Trouble::Missing { what: self.kind.absent() };
                }
                return Err(fault);
            };
            match self.pages(&path).await {
                Ok((all, version)) => return Ok((all, version, path)),
                Err(fault) => {
                    let other = match fault.code {
                        Some(404) => true,
                        Some(403) => self.kind.in_other_groups(),
                        _ => false,
                    };
                    if !other {
                        *at = 0;
                        return Err(fault);
                    }
                    first.get_or_insert(fault);
                    *at += 1;
                }
            }
        }
    }

    async fn pages(&self, path: &str) -> Result<(BTreeMap<String, Fact>, String), Fault> {
        let (label_selector, field_selector) = self.kind.selectors(&self.scope);
        let mut params =
            ListParams { label_selector, field_selector, limit: Some(PAGE), ..ListParams::default() };
        let mut all = BTreeMap::new();
        let what = self.kind.within(&self.scope.namespace);
        for _ in 0..PAGES {
            let request = Request::new(path).list(&params).map_err(|error| impossible(&error))?;
            let page = self.api.json(request, &what).await?;
            let Some(items) = page.get("items").and_then(Value::as_array) else {
                return Err(self.api.malformed(path, "it is no list"));
            };
            for object in items {
                if let Some((name, fact)) = name(object).zip(self.kind.read(object, &self.scope)) {
                    all.insert(name, fact);
                }
            }
            let metadata =
                |key: &str| page.pointer("/metadata")?.get(key)?.as_str().filter(|text| !text.is_empty());
            match metadata("continue") {
                Some(token) => params.continue_token = Some(token.to_owned()),
                None => return Ok((all, metadata("resourceVersion").unwrap_or("0").to_owned())),
            }
        }
        Err(self.api.malformed(path, format!("the list has more than {PAGES} pages")))
    }

    /// One watch.
    async fn stream(&self, path: &str, version: &mut String, pauses: &mut Pauses) -> Result<Next, Closed> {
        let (label_selector, field_selector) = self.kind.selectors(&self.scope);
        let seconds = u32::try_from(self.pace.watch.as_secs()).unwrap_or(u32::MAX).clamp(1, 294);
        let params =
            WatchParams { label_selector, field_selector, timeout: Some(seconds), ..WatchParams::default() };
        let what = format!("the watch of {}", self.kind.within(&self.scope.namespace));
        let opened = match Request::new(path).watch(&params, version) {
            Ok(request) => self.api.open(request, &what).await,
            Err(error) => Err(impossible(&error)),
        };
        let began = Instant::now();
        let mut answer = match opened {
            Ok(answer) => answer,
            Err(fault) => return self.refused(fault).await,
        };
        self.say(Word::Heard).await?;
        let mut heard = false;
        loop {
            // The server ends a watch by itself. One that is silent for longer is dead.
            let line = match timeout(self.pace.watch + self.pace.answer, answer.line()).await {
                Ok(Ok(Line::Value(line))) => line,
                Ok(Ok(Line::End)) => {
                    let lived = heard || began.elapsed() >= self.pace.pause;
                    pauses.tries = if lived { 0 } else { pauses.tries };
                    return Ok(if lived { Next::Resume } else { Next::Later(None) });
                }
                Ok(Err(fault)) => return self.refused(fault).await,
                Err(_) => return Ok(Next::Anew(None)),
            };
            match self.event(path, &line, version).await? {
                Ok(()) => {
                    heard = true;
                    pauses.tries = 0;
                }
                Err(fault) => return self.refused(fault).await,
            }
        }
    }

    /// One line of a watch.
    async fn event(
        &self,
        path: &str,
        line: &Value,
        version: &mut String,
    ) -> Result<Result<(), Fault>, Closed> {
        let nothing = Value::Null;
        let object = line.get("object").unwrap_or(&nothing);
        let kind = line.get("type").and_then(Value::as_str).unwrap_or_default();
        if kind == "ERROR" {
            return Ok(Err(self.api.told(path, object, &self.kind.within(&self.scope.namespace))));
        }
        if !matches!(kind, "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK") {
            return Ok(Err(self.api.malformed(path, "a line is no event of a watch")));
        }
        if let Some(seen) = object.pointer("/metadata/resourceVersion").and_then(Value::as_str) {
            seen.clone_into(version);
        }
        if let Some(name) = name(object).filter(|_| kind != "BOOKMARK") {
            let fact = if kind == "DELETED" { None } else { self.kind.read(object, &self.scope) };
            self.say(fact.map_or_else(|| Word::Gone(name.clone()), |fact| Word::Put(name.clone(), fact)))
                .await?;
        }
        Ok(Ok(()))
    }

    /// How to go on where a watch was refused or broke its word.
    async fn refused(&self, fault: Fault) -> Result<Next, Closed> {
        let wish = fault.retry;
        let next = match fault.code {
            Some(410) => return Ok(Next::Anew(None)),
            // Whoever may not watch can still list.
            Some(401 | 403 | 404 | 405) => Next::Anew(wish),
            None if matches!(fault.trouble, Trouble::Malformed { .. }) => Next::Anew(wish),
            _ => Next::Later(wish),
        };
        self.say(Word::Fault { fault, listed: true }).await?;
        Ok(next)
    }

    /// Reads the planner's `ConfigMap` again and again: a role may allow this one map and nothing else.
    pub(super) async fn poll(self, map: String, key: Option<String>) {
        let what = format!("configmap {map} in namespace {}", self.scope.namespace);
        loop {
            let word = match self.map(&map, key.as_deref(), &what).await {
                Ok(planned) => {
                    let fact = Fact::Settings(planned);
                    Word::All(BTreeMap::from([(map.clone(), fact)]))
                }
                Err(fault) => Word::Fault { fault, listed: false },
            };
            if self.say(word).await.is_err() {
                return;
            }
            sleep(self.pace.settings).await;
        }
    }

    async fn map(&self, map: &str, key: Option<&str>, what: &str) -> Result<Planned, Fault> {
        let path = Kind::Settings.path(0, Some(&self.scope.namespace)).unwrap_or_default();
        let request =
            Request::new(&path).get(map, &GetParams::default()).map_err(|error| impossible(&error))?;
        let object = self.api.json(request, what).await?;
        Planned::of_map(&object, key).map_err(|why| self.api.malformed(&format!("{path}/{map}"), why))
    }
}

/// A request that cannot even be written, for example because of a name from the cluster.
pub(super) fn impossible(why: &impl ToString) -> Fault {
    let trouble = Trouble::Malformed { url: "the request".to_owned(), why: why.to_string() };
    Fault { trouble, code: None, retry: None }
}
