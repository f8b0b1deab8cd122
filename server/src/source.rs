//! Where figures of a cluster come from.
//!
//! A source waits as it likes (a poll interval, a watch) and then tells what it knows, nothing filled in: what it
//! does not know stays `None` or empty. It never gives up and never sleeps after an error; `crate::hub` asks again
//! with growing pauses, keeps what was known and lets it age.

pub mod kubernetes;
pub mod prometheus;
pub mod simulated;

use std::fmt;
use std::time::Duration;

use engine::cluster::{ClusterStatus, Sample, SourceKind, Trouble};

/// A source of figures. Dropping the future of `next` must lose nothing but time.
///
/// One that has no news says so by telling the same again, at least every half minute: silence counts as a failure.
pub trait PlannerSource: Send + 'static {
    /// Which kind it is.
    const KIND: SourceKind;

    /// Waits for news and tells the whole of what this source knows now.
    fn next(&mut self) -> impl Future<Output = Result<Update, SourceError>> + Send;
}

/// What a source knows at one moment.
///
/// Prometheus tells traffic, latencies, the planner's gauges and reasons; Kubernetes tells deployment, counts,
/// workers, GPUs and events. `decisions` stays empty unless the source knows who decided and why: the hub sees
/// changes of `desired` by itself. `status.now_ms` is the cluster's clock, and every group of figures that is told
/// has its entry in `status.signals`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Update {
    /// The part of the status that this source knows.
    pub status: ClusterStatus,
    /// What is worth knowing although it answers, for example that pods may not be read.
    pub trouble: Option<Trouble>,
    /// Earlier moments, oldest first, where the source remembers what nobody asked for at the time.
    pub past: Vec<Sample>,
}

impl From<ClusterStatus> for Update {
    fn from(status: ClusterStatus) -> Self {
        Self { status, ..Self::default() }
    }
}

/// Why a source told nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceError {
    /// What is wrong, as people are told.
    pub trouble: Trouble,
    /// When the other side wishes to be asked again at the earliest.
    pub retry_after: Option<Duration>,
}

impl From<Trouble> for SourceError {
    fn from(trouble: Trouble) -> Self {
        Self { trouble, retry_after: None }
    }
}

impl std::error::Error for SourceError {}

/// For logs; what people read on the page is made of [`Trouble`] in `engine::text`.
impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.trouble {
            Trouble::Unreachable { url, why } => write!(f, "{url} cannot be reached: {why}"),
            Trouble::Slow { url, waited_ms } => write!(f, "{url} did not answer within {waited_ms} ms"),
            Trouble::Unauthorized { url } => write!(f, "{url} does not accept the credentials (401)"),
            Trouble::Forbidden { what } => write!(f, "reading {what} is not allowed (403)"),
            Trouble::Missing { what } => write!(f, "there is no {what} (404)"),
            Trouble::Throttled { url } => write!(f, "{url} asks for fewer requests (429)"),
            Trouble::Status { url, code, why } => write!(f, "{url} answered {code}: {why}"),
            Trouble::Malformed { url, why } => write!(f, "the answer of {url} makes no sense: {why}"),
            Trouble::Empty { what } => write!(f, "there is no {what} yet"),
            Trouble::Ambiguous { names } => {
                write!(f, "there are several deployments and none was chosen: {}", names.join(", "))
            }
        }
    }
}
