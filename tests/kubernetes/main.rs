//! The Kubernetes source: requests one by one, whole stories against a stand-in of the API server on loopback, and
//! the fixtures against the published schemas. No real API server takes part.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

mod fake;
mod fixtures;
mod requests;
mod status;
mod trouble;

use std::time::Duration;

use engine::cluster::{ClusterStatus, Pool, Role};
use kube::Client;
use serde_json::Value;
use server::source::kubernetes::{Kubernetes, Pace};
use server::source::{PlannerSource as _, SourceError, Update};

use fake::Fake;

/// Longest wait for anything; a machine that is busy must not fail a test.
const PATIENCE: Duration = Duration::from_mins(2);

/// Short pauses, so that tests take no time; waits for answers stay long.
fn pace() -> Pace {
    Pace {
        answer: Duration::from_secs(20),
        watch: Duration::from_secs(30),
        pause: Duration::from_millis(20),
        longest_pause: Duration::from_millis(200),
        together: Duration::from_millis(20),
        again: Duration::from_millis(500),
        first: Duration::from_secs(20),
        settings: Duration::from_millis(200),
    }
}

/// The objects of a fixture.
fn fixture(name: &str) -> Vec<Value> {
    let path = tests::root().join(format!("tests/fixtures/kubernetes/{name}.json"));
    let list: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    list["items"].as_array().unwrap().clone()
}

fn client(fake: &Fake) -> Client {
    let mut config = kube::Config::new(fake.address.parse().unwrap());
    config.default_retry = false;
    Client::try_from(config).unwrap()
}

fn source(fake: &Fake) -> Kubernetes {
    Kubernetes::with_client(client(fake), None, None).with_pace(pace())
}

/// Asks until an answer fits.
async fn until<T>(
    source: &mut Kubernetes,
    mut fits: impl FnMut(Result<Update, SourceError>) -> Option<T>,
) -> T {
    let search = async {
        loop {
            if let Some(found) = fits(source.next().await) {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, search).await.expect("it must come to that")
}

/// The next status that fits.
async fn status(source: &mut Kubernetes, mut fits: impl FnMut(&ClusterStatus) -> bool) -> ClusterStatus {
    until(source, |told| told.ok().map(|update| update.status).filter(|status| fits(status))).await
}

/// The first update.
async fn first(source: &mut Kubernetes) -> Update {
    until(source, Result::ok).await
}

/// The next failure.
async fn failure(source: &mut Kubernetes) -> SourceError {
    until(source, Result::err).await
}

fn pool(status: &ClusterStatus, role: Role) -> &Pool {
    status.pool(role).expect("the role is there")
}
