//! Replays by way of their messages, as the page asks for them.

use engine::planner::PerRole;
use engine::simulate::story;
use engine::simulate::trace::Format;
use worker::codec;
use worker::replay::{Ask, Crowd, Host, Job, News, Reply, Seat};

fn job(planned: bool) -> Job {
    let storm = story::storm();
    let mut settings = storm.settings;
    if !planned {
        settings.planner = None;
    }
    Job {
        crowd: Crowd::Story(storm.outline),
        fleets: None,
        count: PerRole { prefill: 1, decode: 1 },
        slo: storm.slo,
        settings,
    }
}

fn run(id: u32, seat: Seat, job: Job) -> Ask {
    Ask::Run { id, seat, job: Box::new(job) }
}

/// Everything the host says until it is done.
fn all(host: &mut Host) -> Vec<News> {
    let mut out = Vec::new();
    while host.is_busy() {
        for reply in host.advance() {
            match reply {
                Reply::News(news) => out.push(news),
                other => panic!("{other:?}"),
            }
        }
    }
    out
}

#[test]
fn two_runs_go_side_by_side_and_every_moment_is_told_once() {
    let mut host = Host::new();
    assert_eq!(host.handle(run(1, Seat::First, job(true))), None);
    assert_eq!(host.handle(run(2, Seat::Second, job(false))), None);
    let news = all(&mut host);
    for (id, changes) in [(1, 2), (2, 0)] {
        let of: Vec<_> = news.iter().filter(|news| news.id == id).collect();
        assert!(of.len() > 1, "it is told as it goes");
        assert!(of.windows(2).all(|pair| pair[0].share <= pair[1].share));
        let times: Vec<_> = of.iter().flat_map(|news| &news.samples).map(|sample| sample.at_ms).collect();
        assert!(times.len() > 1000 && times.windows(2).all(|pair| pair[0] + 1000 == pair[1]));
        let last = of.last().unwrap();
        assert_eq!((last.share, last.decisions.len()), (1.0, changes));
        let summary = last.summary.unwrap();
        assert_eq!(summary.arrived, summary.done);
        assert!(of.iter().rev().skip(1).all(|news| news.summary.is_none()));
    }
}

#[test]
fn a_newer_run_takes_the_seat_and_a_stopped_one_is_silent() {
    let mut host = Host::new();
    host.handle(run(1, Seat::First, job(true)));
    host.advance();
    host.handle(run(2, Seat::First, job(true)));
    host.handle(run(3, Seat::Second, job(true)));
    host.handle(Ask::Stop { seat: Seat::Second });
    assert!(all(&mut host).iter().all(|news| news.id == 2));
}

#[test]
fn a_run_that_cannot_be_says_why() {
    let mut host = Host::new();
    let mut refused = |job| match host.handle(run(4, Seat::First, job)) {
        Some(Reply::Refused { id: 4, message }) => message.to_string(),
        other => panic!("{other:?}"),
    };
    let trace = Job { crowd: Crowd::Trace { speed: 1.0 }, ..job(true) };
    assert!(refused(trace).contains("no trace"));
    let mut greedy = job(true);
    if let Some(planner) = &mut greedy.settings.planner {
        planner.max_gpu_budget = 1;
    }
    assert!(refused(greedy).contains("planner refuses"));
    let long = Job { count: PerRole { prefill: 1, decode: 100_000 }, ..job(false) };
    assert!(refused(long).contains("1024"));
    assert!(!host.is_busy());
}

#[test]
fn a_trace_comes_in_pieces_and_is_replayed() {
    let mut host = Host::new();
    let row =
        |at: u32| format!("{{\"timestamp\": {}, \"input_length\": 1000, \"output_length\": 50}}", at * 250);
    let text = (0..1000).map(row).collect::<Vec<_>>().join("\n");
    let pieces: Vec<_> = text.as_bytes().chunks(9_999).collect();
    for (at, piece) in pieces.iter().enumerate() {
        let ends = at + 1 == pieces.len();
        let ask = Ask::Piece { id: 8, bytes: piece.to_vec(), ends_file: ends, ends };
        match host.handle(ask) {
            Some(Reply::Read { id: 8, requests }) => assert!(!ends && requests > 0),
            Some(Reply::Traced { id: 8, facts: Ok(facts) }) => {
                assert!(ends);
                assert_eq!((facts.format, facts.requests), (Format::Mooncake, 1000));
            }
            other => panic!("{other:?}"),
        }
    }
    let replay = |host: &mut Host, speed| {
        host.handle(run(9, Seat::First, Job { crowd: Crowd::Trace { speed }, ..job(false) }));
        all(host).last().and_then(|news| news.summary).unwrap()
    };
    let (once, twice) = (replay(&mut host, 1.0), replay(&mut host, 2.0));
    assert_eq!((once.done, twice.done), (1000, 1000));
    assert!(twice.length_ms < once.length_ms * 0.6);
}

#[test]
fn a_wrong_trace_names_its_line_and_leaves_the_one_before() {
    let mut host = Host::new();
    let piece = |id, text: &str| Ask::Piece { id, bytes: text.into(), ends_file: true, ends: true };
    host.handle(piece(1, "{\"timestamp\": 1, \"input_length\": 10, \"output_length\": 5}"));
    let Some(Reply::Traced { facts: Err(message), .. }) = host.handle(piece(
        2,
        "{\"timestamp\": 1, \"input_length\": 10, \"output_length\": 5}\n{\"timestamp\": tru",
    )) else {
        panic!("read");
    };
    assert!(message.detail.contains("Line 2"), "{message}");
    assert_eq!(
        host.handle(run(3, Seat::First, Job { crowd: Crowd::Trace { speed: 1.0 }, ..job(false) })),
        None
    );
}

#[test]
fn messages_survive_their_bytes() {
    let ask = run(1, Seat::Second, job(true));
    assert_eq!(codec::decode::<Ask>(&codec::encode(&ask).unwrap()).unwrap(), ask);
    assert!(codec::decode::<Ask>(&[0xff; 40]).is_err());
}
