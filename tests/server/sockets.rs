//! A real port: the address, the end.

use std::net::SocketAddr;

use server::{Access, StartError, bind, run};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::fixture::{PAGE, Site};

fn any_port() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

#[tokio::test]
async fn a_real_browser_connection_gets_the_page_and_the_server_ends() {
    let site = Site::built("port");
    let listener = bind(any_port(), &Access::Loopback).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(run(listener, site.state(), async {
        let _ = stopped.await;
    }));

    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with(PAGE), "{answer}");

    // Neither an idle connection nor a request that never completes may hold the server back.
    let _idle = TcpStream::connect(address).await.unwrap();
    let mut half = TcpStream::connect(address).await.unwrap();
    half.write_all(b"GET / HTTP/1.1\r\nhost: local").await.unwrap();
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_taken_port_is_named_and_another_one_suggested() {
    let first = bind(any_port(), &Access::Loopback).await.unwrap();
    let address = first.local_addr().unwrap();
    let error = bind(address, &Access::Loopback).await.unwrap_err();
    let message = error.to_string();
    assert!(matches!(error, StartError::PortTaken(at) if at == address), "{message}");
    assert!(message.contains(&format!("Port {} of 127.0.0.1 is taken", address.port())), "{message}");
    assert!(message.contains("--listen 127.0.0.1:"), "{message}");
    let standard = StartError::PortTaken(([127, 0, 0, 1], 8080).into()).to_string();
    assert!(standard.contains("--listen 127.0.0.1:8081"), "{standard}");
}

#[tokio::test]
async fn addresses_that_others_can_reach_are_refused() {
    for address in ["0.0.0.0:0", "[::]:0", "192.168.1.2:8080", "[::ffff:10.0.0.1]:8080"] {
        let error = bind(address.parse().unwrap(), &Access::Loopback).await.unwrap_err();
        assert!(matches!(error, StartError::NotLoopback(_)), "{address}: {error}");
        let message = error.to_string();
        assert!(message.contains("Without a token only loopback"), "{message}");
        assert!(message.contains("--listen 127.0.0.1:") && message.contains("--token-file"), "{message}");
    }
    assert!(bind("127.0.0.2:0".parse().unwrap(), &Access::Loopback).await.is_ok());
}

#[tokio::test]
async fn a_reader_that_stopped_reading_does_not_keep_the_server_alive() {
    let site = Site::built("stalled");
    // Far more than the sockets can hold between them, so the answer cannot complete.
    site.write("large.pack", vec![0; 64 << 20]);
    let listener = bind(any_port(), &Access::Loopback).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(run(listener, site.state(), async {
        let _ = stopped.await;
    }));
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(b"GET /large.pack HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut start = [0; 15];
    socket.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 200 OK");
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}
