//! Stands between the server and Prometheus, behind a path prefix, and answers as its mood is.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// How it answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mood {
    /// As Prometheus does.
    Honest,
    /// With bytes.
    Garbage,
    /// With a page, as a login in front of Prometheus does.
    Html,
    /// With the first half of an answer.
    Cut,
    /// With this status and an error in Prometheus' form.
    Status(u16),
    /// Not at all.
    Silent,
}

/// A moody proxy.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    mood: Arc<Mutex<Mood>>,
}

impl Proxy {
    pub(crate) async fn start(prometheus: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mood = Arc::new(Mutex::new(Mood::Honest));
        let own = Arc::clone(&mood);
        let app = Router::new().fallback(move |request: Request| {
            let mood = *own.lock().unwrap();
            answer(mood, prometheus, request.uri().clone())
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, mood }
    }

    pub(crate) fn become_(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }
}

async fn answer(mood: Mood, prometheus: SocketAddr, uri: Uri) -> Response {
    let json = [(CONTENT_TYPE, "application/json")];
    match mood {
        Mood::Honest => forward(prometheus, &uri).await,
        Mood::Garbage => (json, b"\x00\xff\x1b[31m not JSON".to_vec()).into_response(),
        Mood::Html => ([(CONTENT_TYPE, "text/html")], "<html><body>Log in</body></html>").into_response(),
        Mood::Cut => {
            (json, "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"res").into_response()
        }
        Mood::Status(code) => {
            let body = "{\"status\":\"error\",\"errorType\":\"internal\",\"error\":\"it broke\"}";
            let status = StatusCode::from_u16(code).unwrap();
            (status, [(CONTENT_TYPE, "application/json"), (LOCATION, "/elsewhere")], body).into_response()
        }
        Mood::Silent => std::future::pending().await,
    }
}

async fn forward(prometheus: SocketAddr, uri: &Uri) -> Response {
    let Some(path) = uri.path_and_query().and_then(|path| path.as_str().strip_prefix("/prefix")) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let Ok(mut socket) = TcpStream::connect(prometheus).await else {
        // As if nobody listened here either: the connection ends without an answer.
        panic!("no Prometheus behind the proxy");
    };
    let request = format!("GET {path} HTTP/1.0\r\nhost: localhost\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    let split = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let status: u16 = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
    let body = answer.split_off(split + 4);
    (StatusCode::from_u16(status).unwrap(), [(CONTENT_TYPE, "application/json")], body).into_response()
}
