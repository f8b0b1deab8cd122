//! The hub with scripted sources on a clock that the test moves: pauses, ages, merging, decisions.

use std::time::Duration;

use engine::cluster::*;
use server::source::{SourceError, Update};
use server::{Clock, Hub};

use crate::live::{Cluster, Figures, Story, status, until};

const START_MS: u64 = 1_800_000_000_000;

fn hub() -> Hub {
    Hub::new(Clock::anchored(START_MS))
}

fn unreachable() -> SourceError {
    Trouble::Unreachable { url: "http://p:9090".to_owned(), why: "connection refused".to_owned() }.into()
}

fn source(snapshot: &Snapshot, kind: SourceKind) -> Source {
    snapshot.sources.iter().find(|source| source.kind == kind).unwrap().clone()
}

fn requests(snapshot: &Snapshot) -> Option<f64> {
    snapshot.status.as_ref().and_then(|status| status.observed.requests_per_sec)
}

#[tokio::test(start_paused = true)]
async fn a_source_that_never_answered_is_down_and_asked_less_and_less_often() {
    let hub = hub();
    let tell = Figures::of(&hub);
    let before = hub.latest().snapshot.clone();
    assert_eq!(source(&before, SourceKind::Prometheus).health, Health::Starting);
    assert_eq!(before.status, None);
    let mut pauses = Vec::new();
    for _ in 0..8 {
        let seq = hub.latest().snapshot.seq;
        tell.send(Err(unreachable())).unwrap();
        let down = source(&until(&hub, |snapshot| snapshot.seq > seq).await, SourceKind::Prometheus);
        assert_eq!((down.health, down.since_ms), (Health::Down, START_MS));
        assert_eq!(down.trouble, Some(unreachable().trouble));
        pauses.push(down.retry_ms.unwrap() - hub.now_ms());
    }
    for (at, pause) in pauses.iter().enumerate() {
        let whole = (1_000 << at).min(30_000);
        assert!((whole / 2..=whole).contains(pause), "{pauses:?}");
    }
    // The next success ends it, and the next pause is short again.
    tell.send(Ok(status(1, 2.0, 1).into())).unwrap();
    let live = source(&until(&hub, |snapshot| snapshot.status.is_some()).await, SourceKind::Prometheus);
    assert_eq!((live.health, live.trouble, live.retry_ms), (Health::Live, None, None));
    assert_eq!(live.heard_ms, Some(hub.now_ms()));
    tell.send(Err(unreachable())).unwrap();
    let stale = until(&hub, |s| s.sources[0].health == Health::Stale).await;
    assert!(stale.sources[0].retry_ms.unwrap() - hub.now_ms() <= 1_000);
}

#[tokio::test(start_paused = true)]
async fn what_a_failing_source_told_stays_and_ages() {
    let hub = hub();
    let tell = Figures::of(&hub);
    tell.send(Ok(status(1, 2.0, 1).into())).unwrap();
    until(&hub, |snapshot| snapshot.status.is_some()).await;
    let heard = hub.now_ms();
    tokio::time::advance(Duration::from_secs(7)).await;
    tell.send(Err(unreachable())).unwrap();
    let stale = until(&hub, |snapshot| snapshot.sources[0].health == Health::Stale).await;
    assert_eq!(requests(&stale), Some(2.0));
    assert_eq!((stale.sources[0].heard_ms, stale.sources[0].since_ms), (Some(heard), heard + 7_000));
    tell.send(Ok(status(2, 3.0, 1).into())).unwrap();
    let back = until(&hub, |snapshot| snapshot.sources[0].health == Health::Live).await;
    assert_eq!((requests(&back), back.sources[0].trouble.clone()), (Some(3.0), None));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_hangs_is_not_waited_for_for_ever() {
    let hub = hub();
    let _silent = Figures::of(&hub);
    let down = until(&hub, |snapshot| snapshot.sources[0].health == Health::Down).await;
    assert!(matches!(down.sources[0].trouble, Some(Trouble::Slow { waited_ms: 60_000, .. })));
    assert_eq!(hub.now_ms() - START_MS, 60_000);
}

#[tokio::test(start_paused = true)]
async fn a_wish_to_be_asked_later_is_kept() {
    let hub = hub();
    let tell = Cluster::of(&hub);
    let throttled = Trouble::Throttled { url: "https://k".to_owned() };
    let error = SourceError { trouble: throttled, retry_after: Some(Duration::from_secs(90)) };
    tell.send(Err(error)).unwrap();
    let down = until(&hub, |snapshot| snapshot.sources[0].health == Health::Down).await;
    assert_eq!(down.sources[0].retry_ms, Some(START_MS + 90_000));
    tell.send(Ok(status(1, 1.0, 1).into())).unwrap();
    until(&hub, |snapshot| snapshot.status.is_some()).await;
    assert!(hub.now_ms() >= START_MS + 90_000);
}

#[tokio::test(start_paused = true)]
async fn one_status_is_made_of_both_sources_and_outlives_either() {
    let hub = hub();
    let (figures, cluster) = (Figures::of(&hub), Cluster::of(&hub));
    let mut seen = status(5, 0.0, 3);
    seen.observed = Traffic::default();
    seen.deployment.name = Some("airline".to_owned());
    cluster.send(Ok(seen.into())).unwrap();
    figures.send(Ok(status(4, 2.0, 2).into())).unwrap();
    let both = until(&hub, |snapshot| requests(snapshot).is_some()).await;
    let merged = both.status.clone().unwrap();
    assert_eq!(merged.pools[0].count.desired, Some(3), "replicas are those of Kubernetes");
    assert_eq!(merged.deployment.name.as_deref(), Some("airline"));
    // Kubernetes goes: its names stay, and the counts are those of the source that still answers.
    cluster.send(Err(Trouble::Forbidden { what: "pods".to_owned() }.into())).unwrap();
    let aged = until(&hub, |s| source(s, SourceKind::Kubernetes).health == Health::Stale).await;
    let merged = aged.status.clone().unwrap();
    assert_eq!(merged.deployment.name.as_deref(), Some("airline"));
    assert_eq!((merged.pools[0].count.desired, requests(&aged)), (Some(2), Some(2.0)));
    assert_eq!(source(&aged, SourceKind::Prometheus).health, Health::Live);
}

#[tokio::test(start_paused = true)]
async fn what_is_worth_knowing_is_told_of_a_source_that_answers() {
    let hub = hub();
    let tell = Cluster::of(&hub);
    let trouble = Some(Trouble::Forbidden { what: "pods in namespace serving".to_owned() });
    tell.send(Ok(Update { trouble: trouble.clone(), ..status(1, 1.0, 1).into() })).unwrap();
    let live = until(&hub, |snapshot| snapshot.status.is_some()).await;
    assert_eq!((live.sources[0].health, &live.sources[0].trouble), (Health::Live, &trouble));
}

#[tokio::test(start_paused = true)]
async fn decisions_and_history_are_kept_and_the_past_is_filled_in() {
    let hub = hub();
    let tell = Figures::of(&hub);
    let base = 1_000_000;
    let past =
        (0..10).map(|at| status(base + at * 5_000, 1.0, if at < 5 { 1 } else { 2 }).sample()).collect();
    let now = status(base + 50_000, 1.5, 2);
    tell.send(Ok(Update { past, ..now.into() })).unwrap();
    tell.send(Ok(status(base + 55_000, 1.5, 3).into())).unwrap();
    until(&hub, |s| s.status.as_ref().is_some_and(|status| status.decisions.len() == 2)).await;
    let history = hub.history(None, None);
    assert_eq!((history.schema, history.step_ms, history.samples.len()), (SCHEMA, 5_000, 12));
    let changes: Vec<_> = history.decisions.iter().map(|d| (d.at_ms - base, d.from, d.to)).collect();
    assert_eq!(changes, [(25_000, 1, 2), (55_000, 2, 3)]);
    let recent = hub.history(Some(base + 50_000), None);
    assert_eq!((recent.samples.len(), recent.decisions.len()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_story_that_begins_again_has_no_past() {
    let hub = hub();
    let tell = Story::of(&hub);
    for (now_ms, round) in [(10_000, 0), (20_000, 0), (0, 1), (10_000, 1)] {
        let mut told = status(now_ms, 1.0, 1);
        told.simulated = Some(Simulated { speed: 20.0, length_ms: 25_000, round });
        tell.send(Ok(told.into())).unwrap();
        until(&hub, |s| {
            let status = s.status.as_ref();
            status.is_some_and(|status| {
                status.now_ms == now_ms
                    && status.simulated.as_ref().is_some_and(|played| played.round == round)
            })
        })
        .await;
    }
    let history = hub.history(None, None);
    assert_eq!(history.samples.iter().map(|sample| sample.at_ms).collect::<Vec<_>>(), [0, 10_000]);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_is_written_once_and_numbered() {
    let hub = hub();
    let tell = Figures::of(&hub);
    let mut last = hub.latest().snapshot.seq;
    for at in 1..5 {
        tell.send(Ok(status(at, 1.0, 1).into())).unwrap();
        let next = until(&hub, |snapshot| snapshot.seq > last).await.seq;
        assert_eq!(next, last + 1);
        last = next;
    }
    let (one, other) = (hub.latest(), hub.subscribe().borrow().clone());
    assert_eq!(one.json.as_ptr(), other.json.as_ptr());
    assert_eq!(one.event.as_ptr(), other.event.as_ptr());
    assert_eq!(serde_json::from_slice::<Snapshot>(&one.json).unwrap(), one.snapshot);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_hub_ends_its_sources() {
    let hub = hub();
    let (tell, told) = tokio::sync::mpsc::unbounded_channel();
    let task = tokio::spawn(hub.drive(crate::live::Figures::new(told), 1));
    tell.send(Err(unreachable())).unwrap();
    until(&hub, |snapshot| snapshot.sources[0].health == Health::Down).await;
    hub.stop_token().cancel();
    task.await.unwrap();
}
