//! Serves the built page: compressed files, long caches for files whose name holds their hash, and
//! the security headers of a page that runs no foreign code. Tells what a running cluster does.
//!
//! `app` is the whole service without a socket, so tests can call it in process; `run` puts it
//! behind a listener and ends it in time.

pub mod config;
mod headers;
mod policy;
mod site;
pub mod source;
mod start;

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

pub use config::{Config, LogFormat};
pub use site::AppState;
pub use start::{StartError, bind, run};

/// Longest time one request may take until its answer begins.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The service: `/healthz`, `/readyz`, and the files of the site for every other path.
pub fn app(state: AppState) -> Router {
    Router::new()
        .route("/healthz", get(site::healthz))
        .route("/readyz", get(site::readyz))
        .fallback(site::serve)
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_TIMEOUT))
        .layer(axum::middleware::from_fn_with_state(state.clone(), headers::add))
        .layer(TraceLayer::new_for_http())
        .with_state(state)
}
