//! The event stream over real sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use engine::cluster::{Event, Snapshot};
use futures_util::StreamExt as _;
use server::{Access, AppState, Clock, Hub, StartError, TokenFile, bind, run};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::fixture::Site;
use crate::live::{Figures, full_status, status, until};

/// Far longer than anything here takes; a test that hangs should fail.
const LONG: Duration = Duration::from_secs(30);

struct Server {
    address: SocketAddr,
    hub: Hub,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), StartError>>,
}

impl Server {
    async fn start(site: &Site, access: Access) -> Self {
        let hub = Hub::new(Clock::System);
        let listener = bind(([127, 0, 0, 1], 0).into(), &access).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let state = AppState::new(site.path(), hub.clone(), access);
        let task = tokio::spawn(run(listener, state, async {
            let _ = stopped.await;
        }));
        Self { address, hub, stop, task }
    }

    async fn stream(&self, headers: &str) -> Stream {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        // HTTP/1.0: the events as they are, without the lengths of chunks between them.
        let request = format!("GET /api/cluster/events HTTP/1.0\r\nhost: localhost\r\n{headers}\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        Stream(BufReader::new(socket))
    }
}

struct Stream(BufReader<TcpStream>);

impl Stream {
    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = timeout(LONG, self.0.read_line(&mut line)).await.expect("a line in time").ok()?;
        (read > 0).then(|| line.trim_end().to_owned())
    }

    async fn head(&mut self) -> Vec<String> {
        let mut head = Vec::new();
        while let Some(line) = self.line().await.filter(|line| !line.is_empty()) {
            head.push(line.to_lowercase());
        }
        head
    }

    /// The next event; none when the stream has ended.
    async fn event(&mut self) -> Option<Snapshot> {
        let (mut name, mut id, mut snapshot) = (String::new(), String::new(), None);
        loop {
            let line = self.line().await?;
            match line.split_once(": ") {
                Some(("event", value)) => value.clone_into(&mut name),
                Some(("id", value)) => value.clone_into(&mut id),
                Some(("data", value)) => snapshot = serde_json::from_str::<Snapshot>(value).ok(),
                _ if line.is_empty() && snapshot.is_some() => break,
                _ => assert!(line.is_empty() || line.starts_with(':'), "{line}"),
            }
        }
        let snapshot = snapshot?;
        assert_eq!((name.as_str(), id), ("snapshot", snapshot.seq.to_string()));
        Some(snapshot)
    }

    /// Reads until this event, and tells how many came before it.
    async fn read_to(&mut self, seq: u64) -> usize {
        let mut before = 0;
        let mut last = None;
        loop {
            let snapshot = self.event().await.expect("the stream goes on");
            assert!(last.is_none_or(|last| last < snapshot.seq), "newer events come later");
            if snapshot.seq >= seq {
                return before;
            }
            last = Some(snapshot.seq);
            before += 1;
        }
    }
}

#[tokio::test]
async fn the_whole_snapshot_comes_first_and_then_every_change() {
    let site = Site::built("events");
    let server = Server::start(&site, Access::Loopback).await;
    let tell = Figures::of(&server.hub);
    tell.send(Ok(full_status().into())).unwrap();
    let known = until(&server.hub, |snapshot| snapshot.status.is_some()).await;

    for headers in
        ["", "Last-Event-ID: 999999\r\n", "Last-Event-ID: \u{fffd}x\r\n", "accept-encoding: gzip, br\r\n"]
    {
        let mut stream = server.stream(headers).await;
        let head = stream.head().await;
        assert_eq!(head[0], "http/1.0 200 ok", "{headers}");
        assert!(head.contains(&"content-type: text/event-stream; charset=utf-8".to_owned()), "{head:?}");
        assert!(head.contains(&"x-accel-buffering: no".to_owned()), "{head:?}");
        assert!(!head.iter().any(|line| line.starts_with("content-encoding")), "{head:?}");
        assert_eq!(stream.event().await.unwrap(), known, "{headers}");
    }

    let mut stream = server.stream("").await;
    stream.head().await;
    assert_eq!(stream.event().await.unwrap(), known);
    for at in 1..4 {
        tell.send(Ok(status(at, at as f64, 1).into())).unwrap();
        let next = stream.event().await.unwrap();
        assert_eq!(next.seq, known.seq + at);
        assert_eq!(next.status.unwrap().observed.requests_per_sec, Some(at as f64));
    }
}

#[tokio::test]
async fn a_reader_that_does_not_read_holds_up_nobody_and_skips_to_the_newest() {
    const ROUNDS: u64 = 100;
    let site = Site::built("slow");
    let server = Server::start(&site, Access::Loopback).await;
    let tell = Figures::of(&server.hub);
    let mut slow = server.stream("").await;
    slow.head().await;
    let mut fast = server.stream("").await;
    fast.head().await;
    // Half a megabyte each: a few of them fill whatever the sockets hold.
    let event = Event {
        at_ms: 1,
        warning: false,
        about: "Pod/x".to_owned(),
        reason: "Pulled".to_owned(),
        message: "x".repeat(500_000),
    };
    let mut last = server.hub.latest().snapshot.seq;
    for at in 1..=ROUNDS {
        let mut told = status(at, 1.0, 1);
        told.events = vec![event.clone()];
        tell.send(Ok(told.into())).unwrap();
        last += 1;
        fast.read_to(last).await;
    }
    assert!((slow.read_to(last).await as u64) < ROUNDS / 2, "most were skipped");
}

#[tokio::test]
async fn open_streams_end_with_the_server() {
    let site = Site::built("streams-end");
    let server = Server::start(&site, Access::Loopback).await;
    let mut open = Vec::new();
    for _ in 0..20 {
        let mut stream = server.stream("").await;
        stream.head().await;
        stream.event().await.unwrap();
        open.push(stream);
    }
    server.stop.send(()).unwrap();
    timeout(LONG, server.task).await.expect("an end in time").unwrap().unwrap();
    for stream in &mut open {
        assert_eq!(stream.event().await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn the_server_ends_within_two_seconds_whatever_its_readers_do() {
    let site = Site::built("streams-stuck");
    let server = Server::start(&site, Access::Loopback).await;
    let _unread = server.stream("").await;
    let mut half = TcpStream::connect(server.address).await.unwrap();
    half.write_all(b"GET /api/cluster/events HTTP/1.1\r\nhost: local").await.unwrap();
    let begun = tokio::time::Instant::now();
    server.stop.send(()).unwrap();
    server.task.await.unwrap().unwrap();
    // On the clock of the test, which moves only when everything waits.
    assert!(begun.elapsed() <= Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_shows_signs_of_life_until_its_token_is_changed() {
    let site = Site::built("quiet");
    let file = site.path().with_file_name("token");
    let write = |token: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::write(&file, token).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    write("0123456789abcdef");
    let access = Access::Token(Arc::new(TokenFile::open(file.clone()).await.unwrap()));
    let hub = Hub::new(Clock::System);
    let state = AppState::new(site.path(), hub, access);
    let request = axum::http::Request::get("/api/cluster/events")
        .header("authorization", "Bearer 0123456789abcdef")
        .body(axum::body::Body::empty())
        .unwrap();
    let response = tower::ServiceExt::oneshot(server::app(state), request).await.unwrap();
    let begun = tokio::time::Instant::now();
    let mut parts = response.into_body().into_data_stream();
    let mut next =
        async || parts.next().await.map(|part| String::from_utf8_lossy(&part.unwrap()).into_owned());
    assert!(next().await.unwrap().starts_with("event: snapshot\nid: 0\n"));
    for at in 1..=3 {
        assert_eq!(next().await.unwrap(), ": alive\n\n");
        assert_eq!(begun.elapsed().as_secs(), 15 * at);
    }
    write("another-token-of-16");
    assert_eq!(next().await, None);
}

#[tokio::test]
async fn line_breaks_in_headers_open_no_door() {
    let site = Site::built("breaks");
    let server = Server::start(&site, Access::Loopback).await;
    for request in [
        "GET /api/cluster HTTP/1.1\r\nhost: evil.example\rhost: localhost\r\n\r\n",
        "GET /api/cluster HTTP/1.1\r\nhost: localhost\r\nlast-event-id: 1\rx: y\r\n\r\n",
        "GET /api/cluster HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer a\0b\r\n\r\n",
        "GET /api/cluster\r\nx: y HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "GET /api/cluster HTTP/1.1\r\nhost: evil.example\r\n\r\n",
        "GET /api/cluster HTTP/1.1\r\n host: localhost\r\n\r\n",
        "GET /api/cluster HTTP/1.1\r\n\r\n",
    ] {
        let mut socket = TcpStream::connect(server.address).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        socket.shutdown().await.unwrap();
        let mut answer = String::new();
        timeout(LONG, socket.read_to_string(&mut answer)).await.expect("an end in time").unwrap();
        assert!(!answer.contains("200 OK") && !answer.contains("\"schema\""), "{request:?}: {answer}");
    }
}

#[tokio::test]
async fn others_may_come_in_when_a_token_is_asked_for() {
    let site = Site::built("everywhere");
    let file = site.path().with_file_name("token");
    std::fs::write(&file, "0123456789abcdef").unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let access = Access::Token(Arc::new(TokenFile::open(file).await.unwrap()));
    assert!(bind(([0, 0, 0, 0], 0).into(), &access).await.is_ok());
}
