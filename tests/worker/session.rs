//! The page's end.

use engine::explain::Explanation;
use engine::parallel::Parallel;
use engine::rows::MemoryUse;
use engine::scenario::{Goal, Scenario};
use engine::view::{Candidate, Layout, Worker};
use worker::BUILD;
use worker::protocol::{Failure, ReadingId, Reply, Request, SearchId};
use worker::reading::Texts;
use worker::session::{Session, Step};

fn ready() -> Reply {
    Reply::Ready { build: BUILD.to_owned() }
}

fn ready_session() -> Session {
    let mut session = Session::new();
    assert_eq!(session.reply(ready()), []);
    session
}

fn gpus(gpus: u32) -> Scenario {
    Scenario { goal: Goal::Gpus(gpus), ..Scenario::default() }
}

fn asked(id: SearchId, scenario: &Scenario) -> Step {
    Step::Post(Request::Search { id, scenario: Box::new(scenario.clone()) })
}

fn found(id: SearchId) -> Reply {
    Reply::Found {
        id,
        places: Vec::new(),
        rows: Vec::new(),
        left: Vec::new(),
        data: "1a2b3c4d".to_owned(),
        elapsed_ms: 1.0,
    }
}

fn crashed(id: SearchId) -> Reply {
    let failure = Failure::Crashed { why: "index out of bounds".to_owned() };
    Reply::Failed { id, failure }
}

fn unsupported(id: SearchId, why: &str) -> Step {
    let failure = Failure::Unsupported { why: why.to_owned() };
    Step::Deliver(Reply::Failed { id, failure })
}

fn candidate(batch: u32) -> Candidate {
    let memory = MemoryUse::default();
    let worker = Worker { parallel: Parallel::dense(2, 1, 1), batch, count: 4, memory };
    Candidate { place: 1, layout: Layout::Agg { worker, ctx_tokens: 4000, encoders: None } }
}

#[test]
fn nothing_is_posted_before_the_worker_listens_and_then_only_the_latest() {
    let mut session = Session::new();
    assert_eq!(session.search(&gpus(8)), (1, vec![]));
    assert_eq!(session.search(&gpus(16)), (2, vec![]));
    assert_eq!(session.reply(ready()), [asked(2, &gpus(16))]);
    assert_eq!(session.search(&gpus(24)), (3, vec![asked(3, &gpus(24))]));
}

#[test]
fn stale_replies_are_dropped() {
    let mut session = ready_session();
    session.search(&gpus(8));
    session.search(&gpus(16));
    let progress = |id| Reply::Progress { id, done: 1, total: 9 };
    assert_eq!(session.reply(progress(1)), []);
    assert_eq!(session.reply(found(1)), []);
    assert_eq!(session.reply(progress(2)), [Step::Deliver(progress(2))]);
    let lost = |id| Reply::Failed {
        id,
        failure: Failure::Network { url: "packs/index.json".to_owned(), status: None },
    };
    assert_eq!(session.reply(lost(1)), []);
    assert_eq!(session.reply(found(2)), [Step::Deliver(found(2))]);
    session.search(&gpus(24));
    assert_eq!(session.reply(found(2)), []);
    assert_eq!(session.reply(lost(3)), [Step::Deliver(lost(3))]);
}

#[test]
fn a_cancelled_search_stays_silent() {
    let mut session = ready_session();
    session.search(&gpus(8));
    assert_eq!(session.cancel(7), []);
    assert_eq!(session.cancel(1), [Step::Post(Request::Cancel { id: 1 })]);
    assert_eq!(session.reply(found(1)), []);
    assert_eq!(session.cancel(1), []);
}

#[test]
fn only_an_answered_search_can_be_explained() {
    let mut session = ready_session();
    session.search(&gpus(8));
    assert_eq!(session.explain(1, candidate(4)), []);
    session.reply(found(1));
    let explain = Step::Post(Request::Explain { id: 1, candidate: Box::new(candidate(4)) });
    assert_eq!(session.explain(1, candidate(4)), [explain]);
    let explained =
        |id| Reply::Explained { id, candidate: Box::new(candidate(4)), explanation: Explanation::default() };
    assert_eq!(session.reply(explained(1)), [Step::Deliver(explained(1))]);
    session.search(&gpus(16));
    assert_eq!(session.reply(explained(1)), []);
    assert_eq!(session.explain(1, candidate(4)), []);
}

#[test]
fn after_a_crash_the_same_is_asked_once_more() {
    let mut session = ready_session();
    session.search(&gpus(8));
    assert_eq!(session.reply(crashed(1)), [Step::Start]);
    assert_eq!(session.reply(ready()), [asked(1, &gpus(8))]);
    assert_eq!(session.reply(found(1)), [Step::Deliver(found(1))]);
}

#[test]
fn a_search_that_crashes_twice_is_reported_and_not_asked_again() {
    let mut session = ready_session();
    session.search(&gpus(8));
    session.reply(crashed(1));
    session.reply(ready());
    assert_eq!(session.reply(crashed(1)), [Step::Start, Step::Deliver(crashed(1))]);
    assert_eq!(session.reply(ready()), []);
    assert_eq!(session.search(&gpus(16)), (2, vec![asked(2, &gpus(16))]));
    assert_eq!(session.reply(found(2)), [Step::Deliver(found(2))]);
}

#[test]
fn an_explanation_survives_a_crash() {
    let mut session = ready_session();
    session.search(&gpus(8));
    session.reply(found(1));
    session.explain(1, candidate(4));
    assert_eq!(session.broke("terminated".to_owned()), [Step::Start]);
    assert_eq!(session.reply(ready()), [asked(1, &gpus(8))]);
    let explain = Step::Post(Request::Explain { id: 1, candidate: Box::new(candidate(4)) });
    assert_eq!(session.reply(found(1)), [Step::Deliver(found(1)), explain]);
}

#[test]
fn a_worker_that_never_starts_is_tried_twice_and_again_on_the_next_search() {
    let mut session = Session::new();
    session.search(&gpus(8));
    assert_eq!(session.broke("no script".to_owned()), [Step::Start]);
    assert_eq!(session.broke("no script".to_owned()), [unsupported(1, "no script")]);
    assert_eq!(session.search(&gpus(16)), (2, vec![Step::Start]));
    assert_eq!(session.broke("no script".to_owned()), [unsupported(2, "no script")]);
    assert_eq!(session.search(&gpus(16)), (3, vec![Step::Start]));
    assert_eq!(session.reply(ready()), [asked(3, &gpus(16))]);
}

#[test]
fn a_browser_without_workers_says_so_for_every_search() {
    let mut session = Session::new();
    assert_eq!(session.unsupported("no workers".to_owned()), []);
    for id in 1..4 {
        assert_eq!(session.search(&gpus(8)), (id, vec![Step::Start]));
        assert_eq!(session.unsupported("no workers".to_owned()), [unsupported(id, "no workers")]);
    }
}

#[test]
fn a_slow_worker_is_reported_and_still_welcome() {
    let mut session = Session::new();
    assert_eq!(session.slow("30 s".to_owned()), []);
    session.search(&gpus(8));
    assert_eq!(session.slow("30 s".to_owned()), [unsupported(1, "30 s")]);
    assert_eq!(session.reply(ready()), [asked(1, &gpus(8))]);
    assert_eq!(session.slow("30 s".to_owned()), []);
}

#[test]
fn a_worker_of_another_build_gets_no_message() {
    let mut session = Session::new();
    session.search(&gpus(8));
    let other = || "other".to_owned();
    let reload = Step::Reload { worker: other() };
    assert_eq!(session.reply(Reply::Ready { build: other() }), [reload]);
    assert_eq!(session.search(&gpus(16)), (2, vec![]));
    let failure = Failure::OtherBuild { page: BUILD.to_owned(), worker: other() };
    assert_eq!(session.reload_was_in_vain(other()), [Step::Deliver(Reply::Failed { id: 2, failure })]);
    assert_eq!(session.search(&gpus(8)), (3, vec![Step::Start]));
}

fn texts(config: &str) -> Texts {
    Texts { config: config.to_owned(), quant: None }
}

fn unread(id: ReadingId, why: &str) -> Step {
    Step::Deliver(Reply::Read { id, reading: Err(Failure::Crashed { why: why.to_owned() }.message()) })
}

#[test]
fn only_the_latest_reading_is_delivered_and_once() {
    let mut session = Session::new();
    assert_eq!(session.read(texts("{")), []);
    assert_eq!(session.read(texts("{}")), []);
    let post = |id, config| Step::Post(Request::Read { id, texts: texts(config) });
    assert_eq!(session.reply(ready()), [post(2, "{}")]);
    assert_eq!(session.read(texts("[]")), [post(3, "[]")]);
    let reply = |id| Reply::Read { id, reading: Err(Failure::Crashed { why: String::new() }.message()) };
    assert_eq!(session.reply(reply(2)), []);
    assert_eq!(session.reply(reply(3)), [Step::Deliver(reply(3))]);
    assert_eq!(session.reply(reply(3)), []);
}

#[test]
fn a_reading_that_breaks_a_worker_is_not_asked_again() {
    let mut session = ready_session();
    session.read(texts("{}"));
    assert_eq!(session.reply(crashed(0)), [Step::Start, unread(1, "index out of bounds")]);
    assert_eq!(session.reply(ready()), []);
}
