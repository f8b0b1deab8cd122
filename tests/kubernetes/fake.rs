//! A stand-in of the API server: lists, gets and watches from memory, on a loopback port, with switches for
//! everything that can go wrong. Dropped, it asserts that nobody ever sent anything but a GET.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use http_body_util::channel::{Channel, Sender};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
}

/// What goes wrong with a kind of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// Every request is answered by this status.
    Status(u16),
    /// Every request is answered by 429 and this many seconds.
    Throttled(u64),
    /// Watches are answered by this status, lists are not.
    Watch(u16),
    /// Nothing is ever answered.
    Slow,
    /// Watches open and stay silent, lists are answered.
    Silent,
    /// Lists make no sense.
    Garbage,
    /// Lists break off half-way.
    Broken,
}

struct Store {
    version: u64,
    /// Versions below are forgotten.
    oldest: u64,
    /// By resource (`group/version/plural`), namespace and name.
    objects: BTreeMap<(String, String, String), Value>,
    /// Version, resource, namespace, type and object.
    log: Vec<(u64, String, String, &'static str, Value)>,
    wrong: BTreeMap<String, Wrong>,
    asked: Vec<Asked>,
}

#[derive(Clone)]
struct Shared {
    store: Arc<Mutex<Store>>,
    news: watch::Sender<u64>,
    /// Counts up when every open watch must end; even: in peace, odd: in the midst of a line.
    cuts: watch::Sender<u64>,
}

/// A running stand-in.
pub(crate) struct Fake {
    pub(crate) address: String,
    shared: Shared,
    task: AbortHandle,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
        if !std::thread::panicking() {
            let written: Vec<Asked> =
                self.asked().into_iter().filter(|asked| asked.method != "GET").collect();
            assert!(written.is_empty(), "only GET may be sent: {written:?}");
        }
    }
}

impl Fake {
    /// Starts with the objects of a fixture.
    pub(crate) async fn start(fixture: &str) -> Self {
        let store = Store {
            version: 100,
            oldest: 0,
            objects: BTreeMap::new(),
            log: Vec::new(),
            wrong: BTreeMap::new(),
            asked: Vec::new(),
        };
        let shared = Shared {
            store: Arc::new(Mutex::new(store)),
            news: watch::Sender::new(0),
            cuts: watch::Sender::new(0),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state(shared.clone());
        let task = tokio::spawn(async move { axum::serve(listener, app).await }).abort_handle();
        let fake = Self { address, shared, task };
        for object in super::fixture(fixture) {
            fake.put(object);
        }
        fake
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.shared.store.lock().unwrap()
    }

    /// Adds or replaces an object.
    pub(crate) fn put(&self, object: Value) {
        let key = key(&object);
        let known = self.store().objects.contains_key(&key);
        self.change(key, if known { "MODIFIED" } else { "ADDED" }, object);
    }

    /// Changes the object of this kind and name.
    pub(crate) fn edit(&self, plural: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let mut object = {
            let store = self.store();
            let mut all = store.objects.iter();
            all.find(|((resource, _, known), _)| ends(resource, plural) && known == name).unwrap().1.clone()
        };
        change(&mut object);
        self.put(object);
    }

    /// Deletes the object of this kind and name.
    pub(crate) fn delete(&self, plural: &str, name: &str) {
        let (key, object) = {
            let mut store = self.store();
            let key =
                store.objects.keys().find(|(resource, _, known)| ends(resource, plural) && known == name);
            let key = key.unwrap().clone();
            let object = store.objects.remove(&key).unwrap();
            (key, object)
        };
        self.change(key, "DELETED", object);
    }

    /// Sends a bookmark to the watches of a kind and returns its version.
    pub(crate) fn bookmark(&self, resource: &str) -> u64 {
        let key = (resource.to_owned(), String::new(), String::new());
        self.change(key, "BOOKMARK", json!({"metadata": {}}))
    }

    /// Sends any line to the watches of a kind, with a version of its own.
    pub(crate) fn send(&self, resource: &str, kind: &'static str, object: Value) {
        self.change((resource.to_owned(), String::new(), String::new()), kind, object);
    }

    fn change(&self, key: (String, String, String), kind: &'static str, mut object: Value) -> u64 {
        let mut store = self.store();
        store.version += 1;
        let version = store.version;
        if kind != "ERROR" {
            object["metadata"]["resourceVersion"] = json!(version.to_string());
        }
        store.log.push((version, key.0.clone(), key.1.clone(), kind, object.clone()));
        if matches!(kind, "ADDED" | "MODIFIED") {
            store.objects.insert(key, object);
        }
        drop(store);
        self.shared.news.send_replace(version);
        version
    }

    /// From now on something goes wrong with a kind, or with `*`.
    pub(crate) fn wrong(&self, plural: &str, wrong: Wrong) {
        self.store().wrong.insert(plural.to_owned(), wrong);
    }

    /// Nothing goes wrong any more.
    pub(crate) fn heal(&self) {
        self.store().wrong.clear();
    }

    /// Forgets all versions up to now: whoever comes with one is answered 410.
    pub(crate) fn compact(&self) {
        let mut store = self.store();
        store.version += 1;
        store.oldest = store.version;
    }

    /// Ends all open watches.
    pub(crate) fn cut(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 2 - *cuts % 2);
    }

    /// Breaks all open watches in the midst of a line.
    pub(crate) fn tear(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1 + *cuts % 2);
    }

    /// Everything that was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.store().asked.clone()
    }

    /// Watches of a kind that were asked for, by the version they began at.
    pub(crate) fn watches(&self, plural: &str) -> Vec<u64> {
        let asked = self.asked();
        let of = asked.iter().filter(|one| one.path.ends_with(plural) && one.query.contains_key("watch"));
        of.map(|one| one.query["resourceVersion"].parse().unwrap()).collect()
    }

    /// How often a kind was listed, first pages only.
    pub(crate) fn lists(&self, plural: &str) -> usize {
        let asked = self.asked();
        let of = asked.iter().filter(|one| one.path.ends_with(plural));
        of.filter(|one| !one.query.contains_key("watch") && !one.query.contains_key("continue")).count()
    }
}

fn ends(resource: &str, plural: &str) -> bool {
    resource.rsplit('/').next() == Some(plural)
}

/// Resource, namespace and name of an object.
fn key(object: &Value) -> (String, String, String) {
    let text = |path: &str| object.pointer(path).unwrap().as_str().unwrap().to_owned();
    let resource = format!("{}/{}s", text("/apiVersion"), text("/kind").to_lowercase());
    (resource, text("/metadata/namespace"), text("/metadata/name"))
}

/// What a path leads to: resource, namespace, name.
fn place(path: &str) -> Option<(String, Option<String>, Option<String>)> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (version, rest) = match parts.as_slice() {
        ["api", version, rest @ ..] => ((*version).to_owned(), rest),
        ["apis", group, version, rest @ ..] => (format!("{group}/{version}"), rest),
        _ => return None,
    };
    let (namespace, plural, name) = match rest {
        ["namespaces", namespace, plural] => (Some(*namespace), plural, None),
        ["namespaces", namespace, plural, name] => (Some(*namespace), plural, Some(*name)),
        [plural] => (None, plural, None),
        _ => return None,
    };
    Some((format!("{version}/{plural}"), namespace.map(str::to_owned), name.map(str::to_owned)))
}

fn refusal(code: u16) -> Response {
    let status = StatusCode::from_u16(code).unwrap();
    let text = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
        "message": format!("refused with {code}")});
    (status, [(header::CONTENT_TYPE, "application/json")], text.to_string()).into_response()
}

async fn answer(State(shared): State<Shared>, request: Request) -> Response {
    let query: BTreeMap<String, String> = request
        .uri()
        .query()
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.replace("%3D", "=").replace("%2F", "/")))
        .collect();
    let path = request.uri().path().to_owned();
    let asked = Asked { method: request.method().to_string(), path: path.clone(), query: query.clone() };
    let is_get = asked.method == "GET";
    let (wrong, known) = {
        let mut store = shared.store.lock().unwrap();
        store.asked.push(asked);
        let Some((resource, _, _)) = place(&path) else { return refusal(404) };
        let plural = resource.rsplit('/').next().unwrap().to_owned();
        let wrong = store.wrong.get(&plural).or_else(|| store.wrong.get("*")).copied();
        // A version of the API is served where there is anything of it at all.
        let group = resource.rsplit_once('/').unwrap().0.to_owned() + "/";
        (wrong, group == "v1/" || store.objects.keys().any(|(known, _, _)| known.starts_with(&group)))
    };
    let watching = query.contains_key("watch");
    match wrong {
        _ if !is_get => return refusal(405),
        Some(Wrong::Status(code)) => return refusal(code),
        Some(Wrong::Watch(code)) if watching => return refusal(code),
        Some(Wrong::Throttled(seconds)) => {
            return (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, seconds.to_string())], "later")
                .into_response();
        }
        Some(Wrong::Slow) => {
            tokio::time::sleep(Duration::from_hours(1)).await;
        }
        Some(Wrong::Garbage) if !watching => return "<html>welcome</html>".into_response(),
        Some(Wrong::Broken) if !watching => {
            let (mut sender, body) = Channel::<Bytes, std::io::Error>::new(1);
            sender.send_data(Bytes::from_static(b"{\"items\": [")).await.unwrap();
            tokio::spawn(async move {
                tokio::task::yield_now().await;
                sender.abort(std::io::Error::other("cut"));
            });
            return Body::new(body).into_response();
        }
        _ => {}
    }
    if !known {
        return refusal(404);
    }
    if watching {
        let (sender, body) = Channel::<Bytes, std::io::Error>::new(16);
        let silent = wrong == Some(Wrong::Silent);
        tokio::spawn(stream(shared, path, query, sender, silent));
        return Body::new(body).into_response();
    }
    list(&shared, &path, &query)
}

fn matches(object: &Value, query: &BTreeMap<String, String>) -> bool {
    let label = query.get("labelSelector").and_then(|one| one.split_once('=')).is_none_or(|(key, value)| {
        object["metadata"]["labels"].get(key).and_then(Value::as_str) == Some(value)
    });
    let field = query.get("fieldSelector").and_then(|one| one.strip_prefix("metadata.name="));
    label && field.is_none_or(|name| object["metadata"]["name"] == name)
}

fn list(shared: &Shared, path: &str, query: &BTreeMap<String, String>) -> Response {
    let store = shared.store.lock().unwrap();
    let (resource, namespace, name) = place(path).unwrap();
    let mut all = store.objects.iter().filter(|((known, space, _), _)| {
        *known == resource && namespace.as_ref().is_none_or(|namespace| namespace == space)
    });
    if let Some(name) = name {
        return match all.find(|((_, _, known), _)| *known == name) {
            Some((_, object)) => axum::Json(object.clone()).into_response(),
            None => refusal(404),
        };
    }
    let all: Vec<&Value> = all.map(|(_, object)| object).filter(|object| matches(object, query)).collect();
    let from: usize = query.get("continue").map_or(0, |token| token.parse().unwrap());
    let limit: usize = query.get("limit").map_or(usize::MAX, |limit| limit.parse().unwrap());
    let end = from.saturating_add(limit).min(all.len());
    let next = if end < all.len() { end.to_string() } else { String::new() };
    let metadata = json!({"resourceVersion": store.version.to_string(), "continue": next});
    axum::Json(json!({"kind": "List", "metadata": metadata, "items": all[from..end]})).into_response()
}

async fn stream(
    shared: Shared,
    path: String,
    query: BTreeMap<String, String>,
    mut sender: Sender<Bytes, std::io::Error>,
    silent: bool,
) {
    let (resource, namespace, _) = place(&path).unwrap();
    let mut from: u64 = query["resourceVersion"].parse().unwrap();
    let (mut news, mut cuts) = (shared.news.subscribe(), shared.cuts.subscribe());
    let seconds = query["timeoutSeconds"].parse().unwrap();
    let end = tokio::time::sleep(Duration::from_secs(seconds));
    tokio::pin!(end);
    loop {
        let lines: Vec<String> = {
            let store = shared.store.lock().unwrap();
            let since = std::mem::replace(&mut from, store.version);
            if since < store.oldest {
                let object = json!({"kind": "Status", "code": 410, "message": "too old resource version"});
                vec![json!({"type": "ERROR", "object": object}).to_string()]
            } else {
                let news = store.log.iter().filter(|(version, known, space, kind, object)| {
                    let here =
                        space.is_empty() || namespace.as_ref().is_none_or(|namespace| namespace == space);
                    let meant = space.is_empty() || matches(object, &query);
                    let wanted = *kind != "BOOKMARK" || query.contains_key("allowWatchBookmarks");
                    *version > since && *known == resource && here && meant && wanted
                });
                news.map(|(_, _, _, kind, object)| json!({"type": kind, "object": object}).to_string())
                    .collect()
            }
        };
        for line in lines.into_iter().filter(|_| !silent) {
            let ends = line.contains("\"type\":\"ERROR\"");
            if sender.send_data(Bytes::from(line + "\n")).await.is_err() || ends {
                return;
            }
        }
        tokio::select! {
            changed = news.changed() => if changed.is_err() { return },
            () = &mut end, if !silent => return,
            _ = cuts.changed() => {
                if *cuts.borrow_and_update() % 2 == 1 {
                    let half = Bytes::from_static(b"{\"type\": \"MODIFIED\", \"object\": {\"metadata\": {\"na");
                    let _ = sender.send_data(half).await;
                    sender.abort(std::io::Error::other("torn"));
                }
                return;
            }
        }
    }
}
