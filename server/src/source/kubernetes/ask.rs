//! Asks the API server. Everything is a GET, everything has an end in time and in size, and every failure has its
//! [`Trouble`].

use std::error::Error;
use std::time::Duration;

use engine::cluster::Trouble;
use http::header::{RETRY_AFTER, USER_AGENT};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::Body;
use serde_json::Value;
use tokio::time::timeout;

/// Longest answer to a list, bytes. Lists come in pages of [`super::feed::PAGE`] objects.
const ANSWER: usize = 64 << 20;

/// Longest line of a watch, bytes: an object has at most 1.5 MB in the cluster's store.
const LINE: usize = 4 << 20;

/// Longest answer that explains a failure, bytes.
const COMPLAINT: usize = 64 << 10;

/// Longest pause that the server may ask for.
const PATIENCE: Duration = Duration::from_mins(5);

/// Why a request told nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// As people are told.
    pub(super) trouble: Trouble,
    /// The HTTP status, where there was one.
    pub(super) code: Option<u16>,
    /// How long the server wishes to be left alone.
    pub(super) retry: Option<Duration>,
}

impl Fault {
    fn of(trouble: Trouble) -> Self {
        Self { trouble, code: None, retry: None }
    }
}

/// The API server.
#[derive(Clone)]
pub(super) struct Api {
    client: Client,
    /// Its address, without credentials.
    address: String,
    /// Longest wait for an answer.
    answer: Duration,
}

impl Api {
    /// The server behind a client; the address is what people are told.
    pub(super) fn new(client: Client, address: String, answer: Duration) -> Self {
        Self { client, address, answer }
    }

    /// The namespace of the credentials.
    pub(super) fn default_namespace(&self) -> &str {
        self.client.default_namespace()
    }

    /// Begins a request. `what` is told where it is forbidden or missing.
    pub(super) async fn open(&self, request: Request<Vec<u8>>, what: &str) -> Result<Answer, Fault> {
        let url = format!("{}{}", self.address, request.uri().path());
        match timeout(self.answer, self.begin(request, what, &url)).await {
            Ok(opened) => opened.map(|body| Answer { body, url, buffer: Vec::new(), searched: 0 }),
            Err(_) => Err(self.slow(url)),
        }
    }

    /// Asks for JSON.
    pub(super) async fn json(&self, request: Request<Vec<u8>>, what: &str) -> Result<Value, Fault> {
        let url = format!("{}{}", self.address, request.uri().path());
        let whole = async {
            let body = self.begin(request, what, &url).await?;
            let bytes = collect(body, ANSWER, &url).await?;
            serde_json::from_slice(&bytes).map_err(|error| malformed(&url, error.to_string()))
        };
        timeout(self.answer, whole).await.unwrap_or_else(|_| Err(self.slow(url.clone())))
    }

    /// A complaint about the answer of a path.
    pub(super) fn malformed(&self, path: &str, why: impl Into<String>) -> Fault {
        malformed(&format!("{}{path}", self.address), why)
    }

    /// A failure that the server tells in the midst of an answer.
    pub(super) fn told(&self, path: &str, status: &Value, what: &str) -> Fault {
        let code = status.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
        let message = status.get("message").and_then(Value::as_str).unwrap_or_default();
        let mut fault = fault(code.unwrap_or(500), message, what, &format!("{}{path}", self.address));
        fault.retry = retry_of(status);
        fault
    }

    fn slow(&self, url: String) -> Fault {
        let waited_ms = u64::try_from(self.answer.as_millis()).unwrap_or(u64::MAX);
        Fault::of(Trouble::Slow { url, waited_ms })
    }

    async fn begin(&self, request: Request<Vec<u8>>, what: &str, url: &str) -> Result<Body, Fault> {
        let (mut parts, _) = request.into_parts();
        // This server only looks. A request that would change something is never sent.
        if parts.method != http::Method::GET {
            return Err(malformed(url, "only GET is sent"));
        }
        parts.headers.insert(USER_AGENT, HeaderValue::from_static("ai-configurator"));
        let sent = self.client.send(Request::from_parts(parts, Body::empty())).await;
        let answer = sent.map_err(|error| self.unsent(url, &error))?;
        if answer.status().is_success() {
            return Ok(answer.into_body());
        }
        Err(refused(answer, what, url).await)
    }

    /// What a request that got no answer means.
    fn unsent(&self, url: &str, error: &kube::Error) -> Fault {
        let why = deepest(error);
        if matches!(error, kube::Error::Auth(_)) {
            tracing::warn!(%why, "the cluster's credentials cannot be had");
            return Fault::of(Trouble::Unauthorized { url: url.to_owned() });
        }
        let url = if self.address.is_empty() { url.to_owned() } else { self.address.clone() };
        Fault::of(Trouble::Unreachable { url, why })
    }
}

/// An answer that comes in lines.
pub(super) struct Answer {
    body: Body,
    url: String,
    buffer: Vec<u8>,
    /// How much of the buffer is known to hold no end of a line.
    searched: usize,
}

/// What a watch says next.
pub(super) enum Line {
    /// One line of JSON.
    Value(Value),
    /// The server ended it, or the connection broke. What was left of a line is of no use.
    End,
}

impl Answer {
    /// The next line.
    pub(super) async fn line(&mut self) -> Result<Line, Fault> {
        loop {
            if let Some(at) = self.buffer[self.searched..].iter().position(|&byte| byte == b'\n') {
                let rest = self.buffer.split_off(self.searched + at + 1);
                let line = std::mem::replace(&mut self.buffer, rest);
                self.searched = 0;
                if line.trim_ascii().is_empty() {
                    continue;
                }
                let value = serde_json::from_slice(&line);
                return value.map(Line::Value).map_err(|error| malformed(&self.url, error.to_string()));
            }
            self.searched = self.buffer.len();
            if self.buffer.len() > LINE {
                return Err(malformed(&self.url, format!("a line is longer than {LINE} bytes")));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.buffer.extend_from_slice(data);
                    }
                }
                Some(Err(_)) | None => return Ok(Line::End),
            }
        }
    }
}

async fn collect(mut body: Body, most: usize, url: &str) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            let why = format!("the answer broke off: {}", deepest(&error));
            Fault::of(Trouble::Unreachable { url: url.to_owned(), why })
        })?;
        if let Some(data) = frame.data_ref() {
            if bytes.len() + data.len() > most {
                return Err(malformed(url, format!("it is longer than {most} bytes")));
            }
            bytes.extend_from_slice(data);
        }
    }
    Ok(bytes)
}

async fn refused(answer: Response<Body>, what: &str, url: &str) -> Fault {
    let code = answer.status();
    let asked = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let bytes = collect(answer.into_body(), COMPLAINT, url).await.unwrap_or_default();
    let status: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let plain = String::from_utf8_lossy(&bytes);
    let message = status.get("message").and_then(Value::as_str).unwrap_or(plain.trim());
    let mut fault = fault(code.as_u16(), message, what, url);
    fault.retry =
        asked.map(Duration::from_secs).or_else(|| retry_of(&status)).map(|asked| asked.min(PATIENCE));
    fault
}

/// The pause that a status asks for.
fn retry_of(status: &Value) -> Option<Duration> {
    let seconds = status.pointer("/details/retryAfterSeconds")?.as_u64()?;
    Some(Duration::from_secs(seconds).min(PATIENCE))
}

fn fault(code: u16, message: &str, what: &str, url: &str) -> Fault {
    let (what, url) = (what.to_owned(), url.to_owned());
    let trouble = match StatusCode::from_u16(code) {
        Ok(StatusCode::UNAUTHORIZED) => Trouble::Unauthorized { url },
        Ok(StatusCode::FORBIDDEN) => Trouble::Forbidden { what },
        Ok(StatusCode::NOT_FOUND) => Trouble::Missing { what },
        Ok(StatusCode::TOO_MANY_REQUESTS) => Trouble::Throttled { url },
        _ => Trouble::Status { url, code, why: message.chars().take(200).collect() },
    };
    Fault { trouble, code: Some(code), retry: None }
}

fn malformed(url: &str, why: impl Into<String>) -> Fault {
    Fault::of(Trouble::Malformed { url: url.to_owned(), why: why.into() })
}

/// What an error is at its root: the layers above only say that something failed.
fn deepest(error: &(dyn Error + 'static)) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    super::facts::cut(&deepest.to_string())
}
