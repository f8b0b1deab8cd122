//! The files of the built page, and whether they are there.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, LOCATION};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tokio::sync::RwLock;
use tower::ServiceExt as _;
use tower_http::services::ServeDir;
use tracing::warn;

use crate::api::access::Access;
use crate::api::metrics::Metrics;
use crate::hub::Hub;
use crate::policy::content_security_policy;

/// What the service needs: the site and the policy of its page, the live status and who may read it.
#[derive(Debug, Clone)]
pub struct AppState {
    site: Arc<Site>,
    hub: Hub,
    access: Access,
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
struct Site {
    root: PathBuf,
    files: ServeDir,
    policy: RwLock<PagePolicy>,
}

/// The policy, and the state of the page it was computed from.
#[derive(Debug)]
struct PagePolicy {
    page: Option<(SystemTime, u64)>,
    value: HeaderValue,
}

impl AppState {
    /// Serves the site in this folder, which may still be empty, and what the hub knows to those who may know.
    pub fn new(site: impl Into<PathBuf>, hub: Hub, access: Access) -> Self {
        let root = site.into();
        let files =
            ServeDir::new(&root).precompressed_br().precompressed_gzip().redirect_to_trailing_slash(false);
        let policy = RwLock::new(PagePolicy { page: None, value: policy_header("") });
        let metrics = Arc::new(Metrics::new(&hub));
        Self { site: Arc::new(Site { root, files, policy }), hub, access, metrics }
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }

    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Why the page cannot be served, or `None` when it can.
    pub fn missing(&self) -> Option<String> {
        let index = self.index();
        (!index.is_file()).then(|| missing_message(&index))
    }

    fn index(&self) -> PathBuf {
        self.site.root.join("index.html")
    }

    /// The policy of the page as it is on disk now: a rebuild changes the inline script.
    pub(crate) async fn policy(&self) -> HeaderValue {
        let index = self.index();
        let page = match tokio::fs::metadata(&index).await {
            Ok(meta) => meta.modified().ok().map(|at| (at, meta.len())),
            Err(_) => None,
        };
        {
            let known = self.site.policy.read().await;
            if page.is_none() || known.page == page {
                return known.value.clone();
            }
        }
        match tokio::fs::read_to_string(&index).await {
            Ok(html) => {
                let value = policy_header(&html);
                *self.site.policy.write().await = PagePolicy { page, value: value.clone() };
                value
            }
            Err(error) => {
                warn!(file = %index.display(), %error, "the page's file cannot be read");
                self.site.policy.read().await.value.clone()
            }
        }
    }

    async fn file(&self, request: Request) -> Response {
        match self.site.files.clone().oneshot(request).await {
            Ok(response) => response.map(Body::new),
            Err(never) => match never {},
        }
    }
}

fn policy_header(html: &str) -> HeaderValue {
    HeaderValue::try_from(content_security_policy(html))
        .unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

fn missing_message(index: &Path) -> String {
    format!(
        "The page is not built: there is no {}. Build it with `make run`, or name another folder with --site.",
        index.display()
    )
}

/// The process lives.
pub(crate) async fn healthz() -> Response {
    ([(CACHE_CONTROL, "no-store")], "ok").into_response()
}

/// The page can be served.
pub(crate) async fn readyz(State(state): State<AppState>) -> Response {
    let index = state.index();
    let answer = match tokio::fs::metadata(&index).await {
        Ok(meta) if meta.is_file() => (StatusCode::OK, "ready".to_owned()),
        _ => (StatusCode::SERVICE_UNAVAILABLE, missing_message(&index)),
    };
    ([(CACHE_CONTROL, "no-store")], answer).into_response()
}

/// A file of the site; for a navigation to an unknown address, the page itself.
pub(crate) async fn serve(State(state): State<AppState>, request: Request) -> Response {
    let address = request.uri().clone();
    let page = page_request(&request);
    let response = state.file(request).await;
    if response.status() != StatusCode::NOT_FOUND {
        return response;
    }
    let Some(page) = page else {
        return (StatusCode::NOT_FOUND, "There is no such file.\n").into_response();
    };
    if is_deep(address.path()) {
        return to_root(&address);
    }
    let response = state.file(page).await;
    if response.status() == StatusCode::NOT_FOUND {
        let message = missing_message(&state.index());
        return (StatusCode::SERVICE_UNAVAILABLE, message).into_response();
    }
    response
}

/// The same request for the page, when this one is somebody opening an address: a browser asks for
/// HTML, and the address does not name a file. A missing script must not look like a page.
fn page_request(request: &Request) -> Option<Request> {
    let last = request.uri().path().rsplit('/').next().unwrap_or_default();
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads || last.contains('.') || !accepts_html(request.headers()) {
        return None;
    }
    let mut page = Request::new(Body::empty());
    *page.method_mut() = request.method().clone();
    *page.uri_mut() = Uri::from_static("/index.html");
    *page.headers_mut() = request.headers().clone();
    Some(page)
}

fn accepts_html(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|kind| {
            let kind = kind.split(';').next().unwrap_or_default().trim();
            kind.eq_ignore_ascii_case("text/html")
        })
}

/// The page names its files relative to its own address, so that any folder of any host will do;
/// below the root it would look for them in the wrong place.
fn is_deep(path: &str) -> bool {
    path.trim_start_matches('/').contains('/')
}

fn to_root(address: &Uri) -> Response {
    let target = address.query().map_or_else(|| "/".to_owned(), |query| format!("/?{query}"));
    match HeaderValue::try_from(target) {
        Ok(target) => (StatusCode::SEE_OTHER, [(LOCATION, target)]).into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}
