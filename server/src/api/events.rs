//! The event stream: the whole snapshot first, then whenever it changes.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use super::access::Pass;
use super::metrics::Client;
use crate::hub::Published;
use crate::site::AppState;

/// Time between signs of life, which keep proxies from closing a quiet stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Answers with snapshots until the client or the server goes. `Last-Event-ID` changes nothing: the first event is
/// the whole of what is known.
pub(crate) async fn events(State(state): State<AppState>, Extension(pass): Extension<Pass>) -> Response {
    let mut alive = interval_at(Instant::now() + KEEP_ALIVE, KEEP_ALIVE);
    alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut news = state.hub().subscribe();
    news.mark_changed();
    let feed =
        Feed { news, alive, stop: state.hub().stop_token(), client: state.metrics().client(), pass, state };
    let body = Body::from_stream(stream::unfold(feed, |mut feed| async move {
        let event = feed.next().await?;
        Some((Ok::<_, Infallible>(event), feed))
    }));
    let headers = [(CONTENT_TYPE, "text/event-stream"), (HeaderName::from_static("x-accel-buffering"), "no")];
    (headers, body).into_response()
}

/// One client's stream. It is asked for more only when the client has taken the last event, so a slow one skips to
/// the newest snapshot and holds up nobody.
struct Feed {
    news: watch::Receiver<Arc<Published>>,
    alive: Interval,
    stop: CancellationToken,
    /// Counts this client for as long as it lasts.
    #[expect(dead_code, reason = "it acts when it is dropped")]
    client: Client,
    pass: Pass,
    state: AppState,
}

impl Feed {
    async fn next(&mut self) -> Option<Bytes> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            // Whoever holds a token that no longer counts is asked to come back with another.
            _ = self.alive.tick() => {
                self.state.access().still(&self.pass).await.then_some(Bytes::from_static(b": alive\n\n"))
            }
            changed = self.news.changed() => {
                changed.ok()?;
                Some(self.news.borrow_and_update().event.clone())
            }
        }
    }
}
