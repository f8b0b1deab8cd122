//! The program with five hundred readers of its event stream: nobody is dropped, everybody gets the newest, memory
//! stays flat. Ten seconds by default; `LIVE_SECONDS=60 cargo test -p server --test clients -- --nocapture` measures.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::Request;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

const CLIENTS: usize = 500;
/// Far longer than anything here takes; a test that hangs should fail.
const LONG: Duration = Duration::from_mins(1);
/// Growth that buffers and allocators may show without anything leaking.
const GROWTH_KB: u64 = 16 * 1024;

/// Answers every question about traffic with one more request than before.
async fn prometheus() -> SocketAddr {
    let asked = Arc::new(AtomicU64::new(0));
    let app = Router::new().fallback(move |request: Request| {
        let count = asked.fetch_add(1, Ordering::Relaxed);
        let now = now_ms() as f64 / 1_000.0;
        let about_frontend = request.uri().query().is_some_and(|query| query.contains("requests_started_total%5B"));
        let instant = request.uri().path() == "/api/v1/query";
        let row = format!(
            "{{\"metric\":{{\"figure\":\"started\",\"dynamo_namespace\":\"a-b\",\"namespace\":\"a\"}},\"value\":[{now},\"{count}\"]}}"
        );
        let rows = if about_frontend && instant { row } else { String::new() };
        async move { format!("{{\"status\":\"success\",\"data\":{{\"resultType\":\"vector\",\"result\":[{rows}]}}}}") }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// The program, and the address it announces.
fn program(prometheus: SocketAddr) -> (Child, SocketAddr) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_server"))
        .args(["--listen", "127.0.0.1:0", "--site", "no/such/folder", "--log", "error"])
        // A short window is asked about every second.
        .args([
            "--source",
            "prometheus",
            "--window",
            "30s",
            "--prometheus-url",
            &format!("http://{prometheus}"),
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.split("http://").nth(1).unwrap().split('/').next().unwrap().parse().unwrap();
    (child, address)
}

/// What one reader saw.
#[derive(Default)]
struct Seen {
    delays_ms: Vec<u64>,
    skipped: u64,
    last: u64,
    ended: bool,
}

/// Reads events until the stream ends; tells the number of the newest one as it goes.
async fn reader(address: SocketAddr, newest: watch::Sender<u64>) -> Seen {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(b"GET /api/cluster/events HTTP/1.0\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut lines = tokio::io::BufReader::new(socket).lines();
    let mut seen = Seen::default();
    while let Ok(Some(line)) = lines.next_line().await {
        let Some(json) = line.strip_prefix("data: ") else { continue };
        let snapshot: engine::cluster::Snapshot = serde_json::from_str(json).unwrap();
        assert!(seen.last == 0 || snapshot.seq > seen.last, "newer events come later");
        if seen.last > 0 {
            seen.skipped += snapshot.seq - seen.last - 1;
            // The first one may have been made long before this reader came.
            seen.delays_ms.push(now_ms().saturating_sub(snapshot.at_ms));
        }
        seen.last = snapshot.seq;
        newest.send_replace(seen.last);
    }
    seen.ended = true;
    seen
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

fn resident_kb(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_readers_get_every_snapshot_in_flat_memory() {
    let seconds = std::env::var("LIVE_SECONDS").map_or(10, |seconds| seconds.parse().unwrap());
    let (mut child, address) = program(prometheus().await);
    let (mut tasks, mut newest) = (Vec::new(), Vec::new());
    for _ in 0..CLIENTS {
        let (tell, told) = watch::channel(0);
        tasks.push(tokio::spawn(reader(address, tell)));
        newest.push(told);
    }
    // All of them listen before memory is looked at.
    for told in &mut newest {
        timeout(LONG, told.wait_for(|seq| *seq > 0)).await.expect("a first event in time").unwrap();
    }
    sleep(Duration::from_secs(2)).await;
    let before = resident_kb(&child);
    sleep(Duration::from_secs(seconds)).await;
    let after = resident_kb(&child);
    // Whatever is newest now reaches everybody.
    let goal = newest.iter().map(|told| *told.borrow()).max().unwrap();
    for told in &mut newest {
        timeout(LONG, told.wait_for(|seq| *seq >= goal)).await.expect("the newest event in time").unwrap();
    }
    assert!(tasks.iter().all(|task| !task.is_finished()), "somebody was dropped");

    // A signal ends all streams and the program.
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &id]).status().unwrap().success());
    let (mut delays, mut skipped) = (Vec::new(), 0);
    for task in tasks {
        let seen = timeout(LONG, task).await.expect("an end in time").unwrap();
        assert!(seen.ended && seen.last >= goal);
        delays.extend(seen.delays_ms);
        skipped += seen.skipped;
    }
    assert!(child.wait().unwrap().success());

    delays.sort_unstable();
    let share = |share: f64| delays[((delays.len() - 1) as f64 * share) as usize];
    println!(
        "{CLIENTS} readers, {seconds} s, {} events, {skipped} skipped; delay ms: p50 {}, p99 {}, max {}; resident kB: {before} then {after}",
        delays.len(),
        share(0.5),
        share(0.99),
        share(1.0)
    );
    assert!(delays.len() as u64 >= CLIENTS as u64 * (seconds / 2), "{} events", delays.len());
    assert!(after <= before + GROWTH_KB, "memory grew from {before} kB to {after} kB");
}
