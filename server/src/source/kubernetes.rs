//! Kubernetes: replicas, conditions, workers and events of one deployment, read and never written.
//!
//! [`Kubernetes`] finds the deployment, then follows each kind of objects by a [`feed`] of its own: list, watch, take
//! up again. What the feeds tell is gathered in a [`picture`], of which a status is made whenever it changed. Only
//! the deployment itself is needed; whatever else may not be read, or is not there, makes the status poorer and is
//! told as a note.
//!
//! Every request is a GET. The rights that are needed: `get`, `list` and `watch` on `dynamographdeployments`; for the
//! whole status also on `dynamographdeploymentscalingadapters`, `dynamographdeploymentrequests`, `pods`, `events` and
//! `events.events.k8s.io`, and `get` on the planner's `ConfigMap`.

mod ask;
mod connect;
mod facts;
mod feed;
mod kind;
mod past;
mod picture;
mod settings;
mod workers;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use engine::cluster::{SourceKind, Trouble};
use kube::Client;
use kube::api::ListParams;
use kube::core::Request;
use serde_json::Value;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use self::ask::{Api, Fault};
use self::facts::Settings;
use self::feed::{Feed, Told};
use self::kind::{Kind, Scope, WATCHED};
use self::picture::{Change, Picture};
use self::settings::Planned;
use super::{PlannerSource, SourceError, Update};

pub use self::connect::ConnectError;

/// News that may wait to be read; a feed that is ahead waits.
const WAITING: usize = 256;

/// How patient a source is.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Longest wait for an answer.
    pub answer: Duration,
    /// How long a watch lasts before it is taken up again.
    pub watch: Duration,
    /// The first pause after a failure; it doubles with each further one.
    pub pause: Duration,
    /// The longest pause that is not asked for by the server.
    pub longest_pause: Duration,
    /// Changes that come so close together are told at once.
    pub together: Duration,
    /// How often the same is told again, so that it is known to be still true.
    pub again: Duration,
    /// How long the first status waits for kinds that do not answer.
    pub first: Duration,
    /// How often the planner's configuration is read.
    pub settings: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(15),
            watch: Duration::from_mins(1),
            pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(30),
            together: Duration::from_millis(250),
            again: Duration::from_secs(15),
            first: Duration::from_secs(2),
            settings: Duration::from_mins(1),
        }
    }
}

/// A cluster and the deployment looked at.
pub struct Kubernetes {
    client: Client,
    address: String,
    pace: Pace,
    namespace: Option<String>,
    deployment: Option<String>,
    following: Option<Following>,
}

/// A deployment that was found.
struct Following {
    scope: Arc<Scope>,
    api: Api,
    pace: Pace,
    picture: Picture,
    heard: Receiver<Told>,
    tell: Sender<Told>,
    /// Ended with this.
    feeds: JoinSet<()>,
    /// The planner's configuration that is read.
    settings: Option<Settings>,
    reader: Option<AbortHandle>,
    /// When the deployment was first heard of.
    began: Option<Instant>,
    /// When something changed that was not told yet.
    changed: Option<Instant>,
    /// When something was last told.
    told: Option<Instant>,
}

/// Why there is no update.
enum Stop {
    Failed(Fault),
    Lost,
}

impl Kubernetes {
    /// Connects by a kubeconfig and one of its contexts; without either by the usual kubeconfig, or from inside a
    /// cluster by the pod's service account. Without a namespace all are searched; without a deployment there must
    /// be only one. Asks nothing yet; must be called within a Tokio runtime.
    pub fn connect(
        kubeconfig: Option<PathBuf>,
        context: Option<String>,
        namespace: Option<String>,
        deployment: Option<String>,
    ) -> Result<Self, ConnectError> {
        let (client, address) = connect::connect(kubeconfig, context)?;
        Ok(Self { address, ..Self::with_client(client, namespace, deployment) })
    }

    /// Uses a client that is there already.
    pub fn with_client(client: Client, namespace: Option<String>, deployment: Option<String>) -> Self {
        let (address, pace) = (String::new(), Pace::default());
        Self { client, address, pace, namespace, deployment, following: None }
    }

    /// The same with another patience.
    #[must_use]
    pub fn with_pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    fn api(&self) -> Api {
        Api::new(self.client.clone(), self.address.clone(), self.pace.answer)
    }

    /// Which deployment to follow.
    async fn find(&self) -> Result<Scope, SourceError> {
        let api = self.api();
        let mut asked = self.namespace.clone();
        let found = match self.names(&api, asked.as_deref()).await {
            // Whoever may not search everywhere may still search at home.
            Err(fault) if fault.code == Some(403) && asked.is_none() => {
                asked = Some(api.default_namespace().to_owned());
                self.names(&api, asked.as_deref()).await?
            }
            found => found?,
        };
        match found.as_slice() {
            [(namespace, graph)] => Ok(Scope { namespace: namespace.clone(), graph: graph.clone() }),
            [] => {
                let place =
                    asked.map_or_else(|| "any namespace".to_owned(), |name| format!("namespace {name}"));
                let what = match &self.deployment {
                    Some(name) => format!("DynamoGraphDeployment {name} in {place}"),
                    None => format!("DynamoGraphDeployment in {place}"),
                };
                Err(Trouble::Missing { what }.into())
            }
            several => {
                let names = several.iter().map(|(namespace, graph)| format!("{namespace}/{graph}")).collect();
                Err(Trouble::Ambiguous { names }.into())
            }
        }
    }

    /// Namespaces and names of the deployments that may be meant.
    async fn names(&self, api: &Api, namespace: Option<&str>) -> Result<Vec<(String, String)>, Fault> {
        let place = namespace.map_or_else(|| "all namespaces".to_owned(), |name| format!("namespace {name}"));
        let what = format!("{} in {place}", Kind::Graphs.plural());
        let fields = self.deployment.as_ref().map(|name| format!("metadata.name={name}"));
        let mut at = 0;
        loop {
            let Some(path) = Kind::Graphs.path(at, namespace) else {
                let trouble = Trouble::Missing { what: Kind::Graphs.absent() };
                return Err(Fault { trouble, code: Some(404), retry: None });
            };
            let params = ListParams {
                field_selector: fields.clone(),
                limit: Some(feed::PAGE),
                ..ListParams::default()
            };
            // Names are enough, and deployments can be large.
            let request =
                Request::new(&path).list_metadata(&params).map_err(|error| feed::impossible(&error))?;
            let list = match api.json(request, &what).await {
                Err(fault) if fault.code == Some(404) => {
                    at += 1;
                    continue;
                }
                list => list?,
            };
            let Some(items) = list.get("items").and_then(Value::as_array) else {
                return Err(api.malformed(&path, "it is no list"));
            };
            let name = |item: &Value| Some((facts::text(item, "/metadata/namespace")?, facts::name(item)?));
            let meant =
                |(_, name): &(String, String)| self.deployment.as_ref().is_none_or(|wanted| wanted == name);
            return Ok(items.iter().filter_map(name).filter(meant).collect());
        }
    }
}

impl PlannerSource for Kubernetes {
    const KIND: SourceKind = SourceKind::Kubernetes;

    async fn next(&mut self) -> Result<Update, SourceError> {
        if self.following.is_none() {
            let scope = self.find().await?;
            tracing::info!(namespace = scope.namespace, deployment = scope.graph, "following");
            self.following = Some(Following::begin(self.api(), self.pace, scope));
        }
        let Some(following) = &mut self.following else {
            return Err(Trouble::Empty { what: "deployment".to_owned() }.into());
        };
        match following.next().await {
            Ok(update) => Ok(update),
            Err(Stop::Failed(fault)) => Err(fault.into()),
            Err(Stop::Lost) => {
                let Scope { namespace, graph } = following.scope.as_ref();
                let what = format!("DynamoGraphDeployment {graph} in namespace {namespace}");
                self.following = None;
                Err(Trouble::Missing { what }.into())
            }
        }
    }
}

impl Following {
    fn begin(api: Api, pace: Pace, scope: Scope) -> Self {
        let scope = Arc::new(scope);
        let (tell, heard) = channel(WAITING);
        let mut feeds = JoinSet::new();
        for kind in WATCHED {
            let feed = Feed { api: api.clone(), kind, scope: scope.clone(), pace, tell: tell.clone() };
            feeds.spawn(feed.watch());
        }
        let picture = Picture::new(scope.clone());
        Self {
            scope,
            api,
            pace,
            picture,
            heard,
            tell,
            feeds,
            settings: None,
            reader: None,
            began: None,
            changed: None,
            told: None,
        }
    }

    /// Waits for news, gathers what comes together and tells the whole. Nothing is lost when this is dropped.
    async fn next(&mut self) -> Result<Update, Stop> {
        // What came since it was last asked counts at once: a failure that is over is none.
        let mut failed = false;
        while let Ok(told) = self.heard.try_recv() {
            match self.take(told) {
                Err(Stop::Failed(_)) => failed = true,
                Err(Stop::Lost) => return Err(Stop::Lost),
                Ok(()) => {}
            }
        }
        if let Some(fault) = self.picture.failure().filter(|_| failed) {
            return Err(Stop::Failed(fault.clone()));
        }
        let quiet = Instant::now() + self.pace.again;
        loop {
            // A failure that lasts is told again: the feed may have been asked for a long pause.
            let due = if self.picture.failure().is_some() { Some(quiet) } else { self.due() };
            let wait = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                told = self.heard.recv() => {
                    // The feeds end with this, and this holds a sender itself.
                    let Some(told) = told else { return Err(Stop::Lost) };
                    self.take(told)?;
                }
                () = wait => {
                    if let Some(fault) = self.picture.failure() {
                        return Err(Stop::Failed(fault.clone()));
                    }
                    let now = Instant::now();
                    if let Some(status) = self.picture.status(unix_ms()) {
                        let past = if self.told.is_none() { self.picture.past(&status) } else { Vec::new() };
                        self.changed = None;
                        self.told = Some(now);
                        return Ok(Update { trouble: self.picture.note(), past, status });
                    }
                }
            }
        }
    }

    /// When to tell: soon after a change, later without one, not while there is nothing true to tell.
    fn due(&self) -> Option<Instant> {
        if !self.picture.is_live() {
            return None;
        }
        let news = self.changed.map(|at| at + self.pace.together);
        match self.told {
            Some(told) => Some(news.unwrap_or(told + self.pace.again).min(told + self.pace.again)),
            None if self.picture.is_whole() => news,
            None => self.began.map(|at| at + self.pace.first),
        }
    }

    fn take(&mut self, told: Told) -> Result<(), Stop> {
        let about = told.kind;
        match self.picture.take(told) {
            Change::Nothing => return Ok(()),
            Change::Failed(fault) => return Err(Stop::Failed(fault)),
            Change::Lost => return Err(Stop::Lost),
            Change::News => {}
        }
        let now = Instant::now();
        self.changed.get_or_insert(now);
        self.began = self.began.or(self.picture.is_live().then_some(now));
        if about == Kind::Graphs {
            self.read_settings();
        }
        Ok(())
    }

    /// Reads the planner's configuration where the deployment says it stands.
    fn read_settings(&mut self) {
        let settings = self.picture.settings();
        if settings == self.settings.as_ref() {
            return;
        }
        self.settings = settings.cloned();
        if let Some(reader) = self.reader.take() {
            reader.abort();
        }
        match self.settings.clone() {
            Some(Settings::Map(map, key)) => {
                let (api, scope, tell) = (self.api.clone(), self.scope.clone(), self.tell.clone());
                let feed = Feed { api, kind: Kind::Settings, scope, pace: self.pace, tell };
                self.reader = Some(self.feeds.spawn(feed.poll(map, key)));
            }
            Some(Settings::Inline(text)) => self.picture.plan(Planned::parse(&text).unwrap_or_default()),
            None => self.picture.plan(Planned::default()),
        }
    }
}

impl From<Fault> for SourceError {
    fn from(fault: Fault) -> Self {
        Self { trouble: fault.trouble, retry_after: fault.retry }
    }
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
