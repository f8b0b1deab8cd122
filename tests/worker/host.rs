//! The worker's end, on the real tables.

use engine::backend::Backend;
use engine::problem::ScenarioError;
use engine::scenario::{Goal, Place, Scenario};
use engine::view::{Candidate, Layout, view, view_all};
use worker::host::{Event, PACK_BUDGET, Resource};
use worker::protocol::{Failure, Left, Reply, Request, SearchId};
use worker::reading::Texts;

use crate::site::{Fault, Site, read};

fn airline() -> Scenario {
    Scenario::default()
}

fn on(backend: Backend) -> Scenario {
    Scenario { backend, ..airline() }
}

fn failure(reply: &Reply) -> Option<&Failure> {
    match reply {
        Reply::Failed { failure, .. } => Some(failure),
        _ => None,
    }
}

fn found(reply: &Reply, want: SearchId) -> (&engine::rows::Rows, f64) {
    match reply {
        Reply::Found { id, rows, elapsed_ms, .. } if *id == want => (&rows[0], *elapsed_ms),
        other => panic!("search {want} is not answered: {other:?}"),
    }
}

#[test]
fn a_search_loads_and_reports_and_answers_once() {
    let mut site = Site::new(PACK_BUDGET);
    let last = site.answer(1, &airline());
    let (rows, elapsed_ms) = found(&last, 1);
    assert!(!rows.agg.is_empty() && !rows.prefill.is_empty() && !rows.decode.is_empty());
    assert!(view(rows, &airline()).best().is_some());
    assert!(elapsed_ms > 0.0 && elapsed_ms < site.now.get());
    assert_eq!(site.fetched[0], "index.json");

    let mut loaded = None;
    let mut searched = 0;
    for reply in &site.replies {
        match *reply {
            Reply::Loading { id, received, total } => {
                assert_eq!(id, 1);
                assert!(received <= total);
                assert!(loaded.is_none_or(|(r, t)| r <= received && t == total));
                loaded = Some((received, total));
            }
            Reply::Progress { done, total, .. } => {
                assert!(searched < done && done < total, "{searched} {done} {total}");
                searched = done;
            }
            _ => {}
        }
    }
    assert!(loaded.is_some_and(|(received, total)| received == total && total > 100_000));
    assert!(searched > 0, "no progress was reported");
    assert_eq!(site.replies.iter().filter(|reply| matches!(reply, Reply::Found { .. })).count(), 1);
    assert!(site.host.advance().is_empty());
}

#[test]
fn the_latest_search_wins() {
    let mut site = Site::new(PACK_BUDGET);
    site.ask(1, &airline());
    let events = site.host.advance();
    site.serve(events);
    assert!(site.host.is_busy());
    let last = site.answer(2, &on(Backend::Vllm));
    found(&last, 2);
    assert!(!site.replies.iter().any(|reply| matches!(reply, Reply::Found { id: 1, .. })));
}

#[test]
fn files_nobody_waits_for_are_abandoned() {
    let pack = Site::a_pack(&airline());
    let mut site = Site::new(PACK_BUDGET);
    site.fault(&pack, Fault::Hangs);
    site.ask(1, &airline());
    assert!(!site.host.is_busy());
    let last = site.answer(2, &on(Backend::Vllm));
    found(&last, 2);
    assert_eq!(site.abandoned, std::slice::from_ref(&pack));
    // What arrives all the same is ignored.
    assert!(site.host.fetched(&Resource::Pack(pack.clone()), Ok(read(&pack))).is_empty());
    // A search for the same tables does not ask twice.
    let mut site = Site::new(PACK_BUDGET);
    site.fault(&pack, Fault::Hangs);
    site.ask(1, &airline());
    let before = site.fetched.len();
    site.ask(2, &Scenario { goal: Goal::Gpus(8), ..airline() });
    assert_eq!(site.fetched.len(), before);
    assert!(site.abandoned.is_empty());
    let events = site.host.fetched(&Resource::Pack(pack.clone()), Ok(read(&pack)));
    site.serve(events);
    site.finish();
    found(site.replies.last().unwrap(), 2);
}

#[test]
fn a_cancelled_search_stays_silent() {
    let mut site = Site::new(PACK_BUDGET);
    site.ask(1, &airline());
    assert!(site.host.handle(Request::Cancel { id: 9 }).is_empty());
    assert!(site.host.is_busy());
    assert!(site.host.handle(Request::Cancel { id: 1 }).is_empty());
    assert!(!site.host.is_busy());
    assert!(site.host.advance().is_empty());
    let last = site.answer(2, &airline());
    let fresh = Site::new(PACK_BUDGET).answer(2, &airline());
    assert_eq!(found(&last, 2).0, found(&fresh, 2).0);

    let pack = Site::a_pack(&airline());
    let mut site = Site::new(PACK_BUDGET);
    site.fault(&pack, Fault::Hangs);
    site.ask(1, &airline());
    assert_eq!(site.host.handle(Request::Cancel { id: 1 }), [Event::Abandon(Resource::Pack(pack))]);
}

#[test]
fn moving_the_slo_keeps_the_tables_and_answers_like_a_fresh_search() {
    let mut site = Site::new(PACK_BUDGET);
    site.answer(1, &airline());
    let before = site.fetched.len();
    let mut moved = airline();
    moved.sla.itl_ms = 17.0;
    moved.sla.ttft_ms = 800.0;
    moved.goal = Goal::Gpus(13);
    let last = site.answer(2, &moved);
    assert_eq!(site.fetched.len(), before);
    let fresh = Site::new(PACK_BUDGET).answer(2, &moved);
    let best = |reply| view(found(reply, 2).0, &moved).best().copied();
    assert!(best(&last).is_some());
    assert_eq!(best(&last), best(&fresh));
}

#[test]
fn an_slo_that_makes_no_sense_is_refused_even_when_the_tables_are_there() {
    let mut site = Site::new(PACK_BUDGET);
    site.answer(1, &airline());
    let mut wrong = airline();
    wrong.sla.itl_ms = -3.0;
    let last = site.answer(2, &wrong);
    assert!(matches!(failure(&last), Some(Failure::Scenario(ScenarioError::Number { .. }))), "{last:?}");
}

#[test]
fn tables_are_kept_up_to_the_budget() {
    let [a, b] = [on(Backend::Trtllm), on(Backend::Vllm)];
    let mut roomy = Site::new(PACK_BUDGET);
    let first = roomy.answer(1, &a);
    roomy.answer(2, &b);
    let before = roomy.fetched.len();
    let again = roomy.answer(3, &a);
    assert_eq!(roomy.fetched.len(), before);
    assert_eq!(found(&first, 1).0, found(&again, 3).0);

    let mut tight = Site::new(0);
    tight.answer(1, &a);
    tight.answer(2, &b);
    let before = tight.fetched.len();
    let again = tight.answer(3, &a);
    found(&again, 3);
    assert!(tight.fetched.len() > before);
    assert_eq!(tight.fetched.iter().filter(|name| *name == "index.json").count(), 1);
}

#[test]
fn a_silent_network_is_reported_and_the_next_search_tries_again() {
    let mut site = Site::new(PACK_BUDGET);
    site.fault("index.json", Fault::Silence);
    let last = site.answer(1, &airline());
    let network = Failure::Network { url: "packs/index.json".to_owned(), status: None };
    assert_eq!(failure(&last), Some(&network));
    site.faults.clear();
    let last = site.answer(2, &airline());
    found(&last, 2);
}

#[test]
fn a_pack_that_is_gone_means_an_old_index_at_first() {
    let pack = Site::a_pack(&airline());
    let mut site = Site::new(0);
    site.answer(1, &on(Backend::Vllm));
    site.fault(&pack, Fault::Status(404));
    let last = site.answer(2, &airline());
    let network = Failure::Network { url: format!("packs/{pack}"), status: Some(404) };
    assert_eq!(failure(&last), Some(&network));
    assert_eq!(site.fetched.iter().filter(|name| *name == "index.json").count(), 2);

    let mut site = Site::new(0);
    site.fault(&pack, Fault::Status(500));
    let last = site.answer(1, &airline());
    assert!(matches!(failure(&last), Some(Failure::Network { status: Some(500), .. })), "{last:?}");
    assert_eq!(site.fetched.iter().filter(|name| *name == "index.json").count(), 1);
}

#[test]
fn a_damaged_pack_is_fetched_once_more() {
    let pack = Site::a_pack(&airline());
    let mut site = Site::new(PACK_BUDGET);
    site.fault(&pack, Fault::DamagedOnce);
    let last = site.answer(1, &airline());
    found(&last, 1);
    assert_eq!(site.fetched.iter().filter(|name| **name == pack).count(), 2);

    let mut site = Site::new(PACK_BUDGET);
    site.fault(&pack, Fault::Damaged);
    let last = site.answer(1, &airline());
    match failure(&last) {
        Some(Failure::Pack { name, why }) => {
            assert_eq!(*name, pack);
            assert!(!why.is_empty());
        }
        _ => panic!("{last:?}"),
    }
    assert_eq!(site.fetched.iter().filter(|name| **name == pack).count(), 2);
    site.faults.clear();
    let last = site.answer(2, &airline());
    found(&last, 2);
}

#[test]
fn a_damaged_index_is_reported() {
    let mut site = Site::new(PACK_BUDGET);
    site.fault("index.json", Fault::Damaged);
    let last = site.answer(1, &airline());
    assert!(matches!(failure(&last), Some(Failure::Pack { name, .. }) if name == "index.json"), "{last:?}");
}

#[test]
fn what_cannot_be_answered_is_said_before_any_table_is_fetched() {
    let mut site = Site::new(PACK_BUDGET);
    let last = site.answer(1, &Scenario { model: "nobody/nothing".to_owned(), ..airline() });
    assert!(
        matches!(failure(&last), Some(Failure::Scenario(ScenarioError::UnknownModel { .. }))),
        "{last:?}"
    );
    assert_eq!(site.fetched, ["index.json"]);
}

#[test]
fn layouts_of_the_answered_search_are_explained() {
    let mut site = Site::new(PACK_BUDGET);
    let last = site.answer(4, &airline());
    let candidates: Vec<Candidate> = {
        let view = view(found(&last, 4).0, &airline());
        view.picks.iter().map(|&pick| view.points[pick].candidate()).collect()
    };
    assert!(!candidates.is_empty());
    for candidate in candidates {
        assert!(site.host.handle(Request::Explain { id: 3, candidate: Box::new(candidate) }).is_empty());
        match site.host.handle(Request::Explain { id: 4, candidate: Box::new(candidate) }).as_slice() {
            [Event::Reply(Reply::Explained { id: 4, candidate: echoed, explanation })] => {
                assert_eq!(**echoed, candidate);
                assert!(explanation.steps.iter().all(|step| step.total_ms > 0.0 && !step.ops.is_empty()));
                assert!(!explanation.steps.is_empty());
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_deployment_is_priced_as_the_search_has_it() {
    let mut site = Site::new(PACK_BUDGET);
    let last = site.answer(4, &airline());
    let view = view(found(&last, 4).0, &airline());
    let point = *view.best().unwrap();
    let price = |id, candidate: Candidate| Request::Price { id, candidate: Box::new(candidate) };
    assert!(site.host.handle(price(3, point.candidate())).is_empty());
    match site.host.handle(price(4, point.candidate())).as_slice() {
        [Event::Reply(Reply::Priced { id: 4, candidate, outcome: Ok(priced) })] => {
            assert_eq!(**candidate, point.candidate());
            assert_eq!((priced.point, priced.cut.len()), (point, 0));
        }
        other => panic!("{other:?}"),
    }
    // Places that were not searched have no figures, and layouts that make no sense say why.
    let elsewhere = Candidate { place: 9, ..point.candidate() };
    assert!(site.host.handle(price(4, elsewhere)).is_empty());
    let Layout::Disagg { mut prefill, decode, encoders } = point.layout else { panic!("disaggregated") };
    prefill.parallel.tp = 7;
    let odd = Candidate { layout: Layout::Disagg { prefill, decode, encoders }, ..point.candidate() };
    match site.host.handle(price(4, odd)).as_slice() {
        [Event::Reply(Reply::Priced { outcome: Err(message), .. })] => assert!(!message.title.is_empty()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_model_is_read_and_then_searched() {
    let mut site = Site::new(PACK_BUDGET);
    let config = r#"{"architectures": ["LlamaForCausalLM"], "num_hidden_layers": 16, "hidden_size": 2048,
        "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 8192, "vocab_size": 128256,
        "max_position_embeddings": 131072, "_name_or_path": "acme/small"}"#;
    let read =
        |config: &str| Request::Read { id: 1, texts: Texts { config: config.to_owned(), quant: None } };
    let mut host = worker::host::Host::new(PACK_BUDGET, || 0.0);
    let events = host.handle(read(config));
    let [Event::Reply(Reply::Read { id: 1, reading: Ok(reading) })] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(reading.name.as_deref(), Some("acme/small"));
    assert!(reading.facts.iter().any(|(name, value)| name == "Layers" && value == "16"), "{reading:?}");
    let scenario =
        Scenario { model: "acme/small".to_owned(), custom: Some(reading.custom.clone()), ..airline() };
    let last = site.answer(1, &scenario);
    let (rows, _) = found(&last, 1);
    assert!(view(rows, &scenario).best().is_some());

    let events = host.handle(read("{\n\"hidden_size\": }"));
    let [Event::Reply(Reply::Read { reading: Err(message), .. })] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert!(message.detail.contains("Line 2"), "{message}");
}

/// Every backend on one system.
fn every_backend() -> Scenario {
    let mut scenario = airline();
    scenario.set_backend(None);
    scenario
}

fn all(reply: &Reply) -> (&[engine::rows::Rows], &[Place], &[Left]) {
    match reply {
        Reply::Found { rows, places, left, .. } => (rows, places, left),
        other => panic!("not answered: {other:?}"),
    }
}

#[test]
fn several_backends_answer_as_each_would_alone() {
    let mut site = Site::new(PACK_BUDGET);
    let last = site.answer(1, &every_backend());
    let (rows, places, left) = all(&last);
    assert_eq!(places.iter().map(|place| place.backend).collect::<Vec<_>>(), Backend::ALL);
    assert_eq!(left, []);
    for (rows, place) in rows.iter().zip(places) {
        let alone = Site::new(PACK_BUDGET).answer(1, &on(place.backend));
        assert_eq!(rows, found(&alone, 1).0);
    }
    let mut names = site.fetched.clone();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), site.fetched.len(), "a file was fetched twice");
    let mut ends = site.replies.iter().filter_map(|reply| match *reply {
        Reply::Progress { done, total, .. } => Some((done, total)),
        _ => None,
    });
    let (first, total) = ends.next().unwrap();
    assert!(first < total && ends.all(|(_, end)| end == total));

    // A pick of the last place is explained there, and moving the SLO fetches nothing.
    let view = view_all(&rows.iter().collect::<Vec<_>>(), &every_backend());
    let pick = view.picks.iter().map(|&pick| &view.points[pick]).find(|point| point.place == 2).unwrap();
    let events = site.host.handle(Request::Explain { id: 1, candidate: Box::new(pick.candidate()) });
    assert!(matches!(events.as_slice(), [Event::Reply(Reply::Explained { .. })]));
    let before = site.fetched.len();
    let mut moved = every_backend();
    moved.sla.itl_ms = 17.0;
    let last = site.answer(2, &moved);
    assert_eq!(site.fetched.len(), before);
    let fresh = Site::new(PACK_BUDGET).answer(2, &moved);
    assert_eq!(all(&last).0, all(&fresh).0);
}

#[test]
fn a_backend_whose_data_is_lost_is_named_and_the_others_answer() {
    let pack = Site::a_pack(&on(Backend::Vllm));
    for fault in [Fault::Silence, Fault::Status(404), Fault::Damaged] {
        let mut site = Site::new(PACK_BUDGET);
        site.fault(&pack, fault);
        let last = site.answer(1, &every_backend());
        let (rows, places, left) = all(&last);
        assert_eq!((rows.len(), places.len()), (2, 2));
        let [only] = left else { panic!("{left:?}") };
        assert_eq!(only.place.backend, Backend::Vllm);
        assert!(matches!(only.why, Failure::Network { .. } | Failure::Pack { .. }), "{:?}", only.why);
        // The next question tries again, even when nothing but a target has moved.
        site.faults.clear();
        let mut moved = every_backend();
        moved.sla.itl_ms = 17.0;
        let last = site.answer(2, &moved);
        assert_eq!((all(&last).0.len(), all(&last).2), (3, [].as_slice()));
    }
    let mut site = Site::new(PACK_BUDGET);
    for backend in Backend::ALL {
        site.fault(&Site::a_pack(&on(*backend)), Fault::Silence);
    }
    let last = site.answer(1, &every_backend());
    assert!(matches!(failure(&last), Some(Failure::Network { .. })), "{last:?}");
}

#[test]
fn places_without_data_are_named() {
    let mut scenario = every_backend();
    scenario.set_system(Some("b60"));
    scenario.model = "Qwen/Qwen3-8B".to_owned();
    let last = Site::new(PACK_BUDGET).answer(1, &scenario);
    let (_, places, left) = all(&last);
    assert_eq!(places.len(), 1);
    assert!(left.len() == 2 && left.iter().all(Left::is_without_data), "{left:?}");
}
