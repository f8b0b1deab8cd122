use engine::cluster::{
    Gpus, Health, History, Latency, Loop, Measured, Role, SCHEMA, Sample, Signal, Simulated, Slo, SourceKind,
    Traffic, Trouble, Worker, WorkerState,
};
use engine::scenario::{Goal, Scenario};

use super::*;
use crate::view_model::fixture;
use crate::view_model::timeline::TimelineData;
use crate::view_model::today::Today;

fn pool(role: Role, ready: u32) -> Pool {
    let worker = |name: &str, state, why: Option<&str>| Worker {
        name: name.to_owned(),
        state,
        since_ms: Some(60_000),
        start_ms: Some(45_000),
        why: why.map(str::to_owned),
    };
    Pool {
        role,
        name: None,
        count: Count { desired: Some(ready + 1), ready: Some(ready), starting: Some(1), ..Count::default() },
        gpus_per_replica: Some(1),
        since_ms: Some(60_000),
        lower_bound: None,
        capacity_per_sec: Some(5.4),
        queued_tokens: Some(1234.0),
        kv_usage: Some(0.5),
        workers: vec![
            worker("p-0", WorkerState::Ready, None),
            worker("p-1", WorkerState::Waiting, Some("no GPU")),
        ],
    }
}

fn decision(at_ms: u64) -> Decision {
    Decision {
        at_ms,
        role: Role::Prefill,
        from: 1,
        to: 2,
        ready: Some(1),
        by: Loop::Load,
        reason: Some("scale_up".to_owned()),
        estimated: Latency::default(),
        cancels: false,
        ready_ms: None,
    }
}

fn status(now_ms: u64) -> ClusterStatus {
    ClusterStatus {
        now_ms,
        slo: Slo { ttft_ms: Some(500.0), itl_ms: Some(30.0) },
        pools: vec![pool(Role::Prefill, 1), pool(Role::Decode, 1)],
        gpus: Gpus { used: Some(2), starting: Some(1), most: Some(4), fewest: None },
        observed: Traffic {
            requests_per_sec: Some(2.3456),
            isl: Some(3000.4),
            osl: Some(150.0),
            ttft_ms: Some(690.0),
            itl_ms: Some(12.0),
            kv_hit_rate: None,
            in_flight: Some(7.2),
        },
        attainment: Some(0.38),
        decisions: vec![decision(65_000)],
        signals: vec![Signal {
            what: Measured::Traffic,
            at_ms: now_ms.saturating_sub(5_000),
            source: SourceKind::Prometheus,
        }],
        ..ClusterStatus::default()
    }
}

fn snapshot(seq: u64, now_ms: u64) -> Snapshot {
    let source = Source {
        kind: SourceKind::Prometheus,
        health: Health::Stale,
        since_ms: 1_000,
        heard_ms: Some(1_000),
        retry_ms: Some(9_000),
        trouble: Some(Trouble::Throttled { url: "http://p".to_owned() }),
    };
    Snapshot { schema: SCHEMA, seq, at_ms: 2_000, sources: vec![source], status: Some(status(now_ms)) }
}

#[test]
fn the_strip_says_whether_the_promise_is_kept() {
    let [attainment, ttft, itl] = tiles(&status(120_000));
    assert_eq!((attainment.value.as_str(), attainment.stand), ("38 %", Stand::Over));
    assert_eq!(ttft.words, "38 % over the target of 500 ms");
    assert_eq!(itl.stand, Stand::Within);
    let [attainment, ttft, _] = tiles(&ClusterStatus::default());
    assert_eq!((attainment.value.as_str(), ttft.value.as_str()), ("–", "–"));
}

#[test]
fn sources_have_ages_and_troubles() {
    let shown = sources(&snapshot(1, 120_000), 6_000);
    assert_eq!(shown[0].fares, "stale, last heard 5 s ago, asked again in 3 s");
    // Five seconds before the snapshot, which is four seconds old.
    assert_eq!(shown[0].ages, ["traffic 9 s old"]);
    assert!(!shown[0].live && shown[0].message.as_ref().unwrap().title.contains("too often"));
}

#[test]
fn pools_say_what_is_not_ready_first() {
    let pools = pools(&status(120_000));
    assert_eq!(pools[0].counts, ["2", "–", "1", "1", "–", "1 min"]);
    assert_eq!((pools[0].workers[0].name.as_str(), pools[0].workers[0].note.as_str()), ("p-1", "no GPU"));
    assert_eq!(pools[0].workers[0].state, "waiting for a node for 1 min");
    assert_eq!(pools[0].workers[1].note, "started within 45 s");
    let bar = budget(&status(120_000));
    assert_eq!((bar.used, bar.starting), (0.5, 0.25));
    assert_eq!(budget(&ClusterStatus::default()).used, 0.0);
}

#[test]
fn the_log_is_newest_first() {
    let rows = log(&[decision(65_000), decision(90_000)], status(120_000).slo, Clock::Elapsed);
    assert_eq!(rows.iter().map(|row| row.time.as_str()).collect::<Vec<_>>(), ["1:30", "1:05"]);
    assert_eq!(
        (rows[0].what.as_str(), rows[0].by, rows[0].ready.as_str()),
        ("Prefill 1 → 2", "load loop", "not ready yet")
    );
}

#[test]
fn the_feed_fills_in_the_past_and_goes_on() {
    let (mut feed, mut data) = (Feed::default(), TimelineData::default());
    let samples = [3_000, 1_000, 2_000].map(|at_ms| Sample { at_ms, ..Sample::default() }).to_vec();
    feed.history(
        &mut data,
        History { schema: SCHEMA, step_ms: 1000, samples, decisions: vec![decision(500)] },
    );
    assert!(feed.snapshot(&mut data, &snapshot(7, 120_000), 60));
    assert!(!feed.snapshot(&mut data, &snapshot(7, 121_000), 60), "heard before");
    let times: Vec<u64> = data.run.samples.iter().map(|sample| sample.at_ms).collect();
    assert_eq!(times, [1_000, 2_000, 3_000, 120_000]);
    assert_eq!(data.clock, Clock::Wall { ahead_min: 60 });
    assert_eq!(data.run.decisions.len(), 2);
    let mut later = snapshot(8, 121_000);
    later.status.as_mut().unwrap().decisions[0].ready_ms = Some(120_500);
    assert!(feed.snapshot(&mut data, &later, 60));
    assert_eq!((data.run.decisions.len(), data.run.decisions[1].ready_ms), (2, Some(120_500)));
    assert_eq!(window(&data, Span::All), (1_000, 121_000));
    assert_eq!(window(&data, Span::Quarter), (1_000, 121_000));
    assert_eq!(window(&TimelineData::default(), Span::Six), (0, 60_000));
    feed.reconnected();
    let (mut late, mut again) = (data.clone(), feed.clone());
    again.snapshot(&mut late, &snapshot(1, 2_500), 60);
    assert_eq!(late.run.samples.last().map(|sample| sample.at_ms), Some(2_500), "time never runs backwards");
    assert!(feed.snapshot(&mut data, &snapshot(1, 122_000), 60), "a restarted server counts anew");
}

#[test]
fn a_story_that_begins_again_starts_the_chart_anew() {
    let (mut feed, mut data) = (Feed::default(), TimelineData::default());
    let play = |seq, now_ms, round| {
        let mut snapshot = snapshot(seq, now_ms);
        let story = Simulated { speed: 10.0, length_ms: 200_000, round };
        snapshot.status.as_mut().unwrap().simulated = Some(story);
        snapshot
    };
    feed.snapshot(&mut data, &play(1, 190_000, 0), 0);
    feed.snapshot(&mut data, &play(2, 195_000, 0), 0);
    assert_eq!((data.run.samples.len(), data.clock), (2, Clock::Elapsed));
    assert_eq!(data.step_ms, 5_000, "the rhythm of the snapshots");
    feed.snapshot(&mut data, &play(3, 5_000, 1), 0);
    assert_eq!(data.run.samples.len(), 1);
    // Ages grow at the story's own speed.
    let mut shown = play(4, 10_000, 1);
    shown.status.as_mut().unwrap().signals[0].source = SourceKind::Prometheus;
    assert_eq!(sources(&shown, 3_000)[0].ages, ["traffic 15 s old"]);
}

#[test]
fn live_traffic_becomes_a_question_and_the_unknown_is_named() {
    let form = Scenario::default();
    let mut now = status(120_000);
    now.deployment.model = Some("Qwen/Qwen3-32B-FP8".to_owned());
    let made = plan(&now, &form, None).unwrap();
    assert_eq!((made.scenario.workload.isl, made.scenario.workload.osl), (3000, 150));
    assert_eq!(made.scenario.goal, Goal::RequestRate(2.35));
    assert_eq!((made.scenario.sla.ttft_ms, made.scenario.sla.itl_ms), (500.0, 30.0));
    let unknown = made.unknown.join(" ");
    for word in ["cached", "GPU is not told", "backend", "Batches"] {
        assert!(unknown.contains(word), "{word}: {unknown}");
    }
    assert_eq!(made.today.unwrap().name(), "d1.tp1.b1-1.tp1.b8.trtllm.h100-sxm");
    assert_eq!(plan(&ClusterStatus::default(), &form, None), None);
}

#[test]
fn wider_workers_are_priced_only_as_they_were_brought_along() {
    let form = Scenario::default();
    let mut now = status(120_000);
    now.pools[0].gpus_per_replica = Some(2);
    let made = plan(&now, &form, None).unwrap();
    assert_eq!(made.today, None);
    assert!(made.unknown.iter().any(|line| line.contains("Bring its manifest")));
    let brought = Today::from_name("d5.tp2.b1-6.tp1.b64.trtllm.h100-sxm").unwrap();
    let made = plan(&now, &form, Some(&brought)).unwrap();
    assert_eq!(made.today.unwrap().name(), "d1.tp2.b1-1.tp1.b64.trtllm.h100-sxm");
    now.deployment.model = Some("nobody/knows".to_owned());
    now.observed.kv_hit_rate = Some(1.0);
    let made = plan(&now, &form, Some(&brought)).unwrap();
    assert_eq!(made.scenario.workload.prefix, 2999, "one token at least is new");
    assert!(made.unknown.iter().any(|line| line.contains("nobody/knows")));
}

#[test]
fn predicted_and_observed_stand_side_by_side() {
    let point = fixture::view().points[0];
    let rows = compare(&point, &status(120_000).observed);
    assert_eq!((rows[0].predicted.as_str(), rows[0].observed.as_str()), ("340", "690"));
    assert_eq!(rows[0].difference, "103 % more than predicted");
    assert!(compare(&point, &Traffic::default()).is_empty());
}
