//! Live status over HTTP. Read-only: no route changes a cluster.

pub(crate) mod access;
mod events;
pub(crate) mod metrics;
mod problem;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, Method};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use serde::Deserialize;

use crate::site::AppState;
use problem::Problem;

const JSON: &str = "application/json";

/// The description of these routes, for programs.
const OPENAPI: &str = include_str!("openapi.json");

/// Everything below `/api`, and `/metrics`.
pub(crate) fn routes(state: &AppState) -> Router<AppState> {
    let guarded = Router::new()
        .route("/api/cluster", get(cluster))
        .route("/api/cluster/history", get(history))
        .route("/api/cluster/events", get(events::events))
        .route("/api/openapi.json", get(openapi))
        .route("/metrics", get(metrics::metrics))
        .route("/api/{*path}", any(missing))
        .method_not_allowed_fallback(not_allowed)
        .layer(from_fn_with_state(state.clone(), access::guard));
    let session = Router::new()
        .route("/api/session", post(access::begin).delete(access::end))
        .method_not_allowed_fallback(not_allowed);
    guarded.merge(session).layer(map_response(uncached))
}

/// The newest snapshot.
async fn cluster(State(state): State<AppState>) -> Response {
    ([(CONTENT_TYPE, JSON)], state.hub().latest().json.clone()).into_response()
}

/// What of the past is asked for.
#[derive(Deserialize)]
struct Past {
    /// From when, ms on the cluster's clock.
    since_ms: Option<u64>,
    /// Shortest time between moments, ms.
    step_ms: Option<u64>,
}

async fn history(
    State(state): State<AppState>,
    past: Result<Query<Past>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(past) = past.map_err(|error| Problem::bad_query(&error.body_text()))?;
    let history = state.hub().history(past.since_ms, past.step_ms);
    // Plain numbers and lists: writing them cannot fail.
    let json = serde_json::to_string(&history).unwrap_or_default();
    Ok(([(CONTENT_TYPE, JSON)], json).into_response())
}

async fn openapi() -> Response {
    ([(CONTENT_TYPE, JSON)], OPENAPI).into_response()
}

async fn missing(request: Request) -> Problem {
    Problem::missing(request.uri().path())
}

async fn not_allowed(method: Method, request: Request) -> Problem {
    Problem::not_allowed(&method, request.uri().path())
}

/// No answer about a cluster is kept anywhere.
async fn uncached(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
