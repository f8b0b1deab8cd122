//! Prometheus' HTTP API: questions for now and for a range, and every way in which the answer can go wrong.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::cluster::Trouble;
use reqwest::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Response, StatusCode, Url};
use serde::Deserialize;

use crate::source::SourceError;

/// Longest time for one question.
const PATIENCE: Duration = Duration::from_secs(10);
/// Largest answer that is read, bytes.
const LARGEST: usize = 32 << 20;
/// Longest piece of a strange answer that is repeated.
const LONGEST_QUOTE: usize = 120;

/// A Prometheus.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    address: String,
    token_file: Option<PathBuf>,
}

/// A series: what it is of, and its finite values by time, Unix ms.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) points: Vec<(u64, f64)>,
}

#[derive(Deserialize)]
struct Answer {
    status: String,
    error: Option<String>,
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<Told>,
}

#[derive(Deserialize)]
struct Told {
    metric: BTreeMap<String, String>,
    value: Option<(f64, String)>,
    #[serde(default)]
    values: Vec<(f64, String)>,
}

impl Client {
    /// Fails with a sentence when the authorities cannot be read.
    pub(crate) fn new(url: &Url, token_file: Option<PathBuf>, ca: Option<&Path>) -> Result<Self, String> {
        // A second client finds the first one's choice, which is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            // A token is for one address, not for wherever it leads.
            .redirect(Policy::none())
            .timeout(PATIENCE)
            .user_agent("ai-configurator");
        if let Some(path) = ca {
            builder = builder.tls_certs_only(authorities(path)?);
        } else if url.scheme() == "http" {
            // Nothing is encrypted: a machine without any authorities will do.
            builder = builder.tls_certs_only([]);
        }
        let http = builder.build().map_err(|error| words(&error))?;
        Ok(Self { http, address: url.as_str().trim_end_matches('/').to_owned(), token_file })
    }

    /// Where it is, as people are told.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// What an expression is now.
    pub(crate) async fn now(&self, expression: &str) -> Result<Vec<Series>, SourceError> {
        self.ask("/api/v1/query", &[("query", expression)]).await
    }

    /// What an expression was, ms.
    pub(crate) async fn range(
        &self,
        expression: &str,
        (from_ms, to_ms): (u64, u64),
        step_ms: u64,
    ) -> Result<Vec<Series>, SourceError> {
        let seconds = |ms: u64| format!("{:.3}", ms as f64 / 1_000.0);
        let (start, end, step) = (seconds(from_ms), seconds(to_ms), seconds(step_ms));
        let question = [("query", expression), ("start", &start), ("end", &end), ("step", &step)];
        self.ask("/api/v1/query_range", &question).await
    }

    async fn ask(&self, path: &str, question: &[(&str, &str)]) -> Result<Vec<Series>, SourceError> {
        let mut request = self.http.get(format!("{}{path}", self.address)).query(question);
        if let Some(token) = self.token().await? {
            request = request.header(AUTHORIZATION, token);
        }
        let mut response = request.send().await.map_err(|error| self.failed(&error))?;
        let status = response.status();
        let retry_after = retry_after(&response);
        let body = self.body(&mut response).await?;
        if !status.is_success() {
            return Err(SourceError { trouble: self.refused(status, path, &body), retry_after });
        }
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(|_| self.malformed(format!("expected Prometheus' JSON, got: {}", first_words(&body))))?;
        match answer {
            Answer { status, data: Some(data), .. } if status == "success" => self.series(data),
            Answer { error, .. } => Err(self.malformed(error.unwrap_or_else(|| first_words(&body)))),
        }
    }

    /// The token as it is in its file now: tokens of service accounts change every hour.
    async fn token(&self) -> Result<Option<HeaderValue>, SourceError> {
        let Some(path) = &self.token_file else { return Ok(None) };
        let text = tokio::fs::read_to_string(path).await.map_err(|why| Trouble::Unreachable {
            url: self.address.clone(),
            why: format!("the token file {} cannot be read: {why}", path.display()),
        })?;
        let value = HeaderValue::try_from(format!("Bearer {}", text.trim())).map(|mut value| {
            value.set_sensitive(true);
            value
        });
        value.map(Some).map_err(|_| Trouble::Unauthorized { url: self.address.clone() }.into())
    }

    async fn body(&self, response: &mut Response) -> Result<Vec<u8>, SourceError> {
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| self.failed(&error))? {
            if body.len() + part.len() > LARGEST {
                return Err(self.malformed(format!("the answer is larger than {LARGEST} bytes")));
            }
            body.extend_from_slice(&part);
        }
        Ok(body)
    }

    fn series(&self, data: Data) -> Result<Vec<Series>, SourceError> {
        let read = |(at, value): (f64, String)| -> Result<Option<(u64, f64)>, SourceError> {
            let number: f64 =
                value.parse().map_err(|_| self.malformed(format!("`{}` is no number", quote(&value))))?;
            // Not a number: there was nothing to divide. It is unknown, not zero.
            Ok(number.is_finite().then_some(((at * 1_000.0).round() as u64, number)))
        };
        data.result
            .into_iter()
            .map(|told| {
                let points = told.value.into_iter().chain(told.values).map(read);
                let points: Vec<_> = points.collect::<Result<_, _>>()?;
                Ok(Series { labels: told.metric, points: points.into_iter().flatten().collect() })
            })
            .collect()
    }

    fn malformed(&self, why: String) -> SourceError {
        Trouble::Malformed { url: self.address.clone(), why }.into()
    }

    fn failed(&self, error: &reqwest::Error) -> SourceError {
        let url = self.address.clone();
        if error.is_timeout() {
            Trouble::Slow { url, waited_ms: PATIENCE.as_millis() as u64 }.into()
        } else {
            Trouble::Unreachable { url, why: words(error) }.into()
        }
    }

    fn refused(&self, status: StatusCode, path: &str, body: &[u8]) -> Trouble {
        let url = self.address.clone();
        match status {
            StatusCode::UNAUTHORIZED => Trouble::Unauthorized { url },
            StatusCode::FORBIDDEN => Trouble::Forbidden { what: format!("{url}{path}") },
            StatusCode::NOT_FOUND => Trouble::Missing { what: format!("{url}{path}") },
            StatusCode::TOO_MANY_REQUESTS => Trouble::Throttled { url },
            _ => {
                let said = serde_json::from_slice::<Answer>(body).ok().and_then(|answer| answer.error);
                let why = said.map_or_else(|| first_words(body), |said| quote(&said));
                Trouble::Status { url, code: status.as_u16(), why }
            }
        }
    }
}

fn authorities(path: &Path) -> Result<Vec<Certificate>, String> {
    let bytes = std::fs::read(path).map_err(|why| format!("{} cannot be read: {why}", path.display()))?;
    match Certificate::from_pem_bundle(&bytes) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(format!("{} holds no certificates in PEM form", path.display())),
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The innermost cause, which is what the network said.
fn words(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    let mut source = error.source();
    while let Some(inner) = source {
        cause = inner;
        source = inner.source();
    }
    quote(&cause.to_string())
}

fn first_words(body: &[u8]) -> String {
    if body.is_empty() {
        "nothing".to_owned()
    } else {
        quote(&String::from_utf8_lossy(&body[..body.len().min(1_000)]))
    }
}

/// The beginning of a text from outside, on one line.
fn quote(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.retain(|c| !c.is_control());
    if line.chars().count() > LONGEST_QUOTE {
        line = line.chars().take(LONGEST_QUOTE).collect();
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strange_answers_are_repeated_in_short_and_on_one_line() {
        assert_eq!(first_words(b""), "nothing");
        assert_eq!(first_words(b"<html>\r\n <b>\x1b[31mno"), "<html> <b>[31mno");
        assert_eq!(quote(&"é".repeat(500)).chars().count(), LONGEST_QUOTE + 1);
    }

    #[test]
    fn authorities_that_are_none_are_refused() {
        let message = authorities(Path::new(env!("CARGO_MANIFEST_PATH"))).unwrap_err();
        assert!(message.contains("no certificates"), "{message}");
        assert!(authorities(Path::new("/no/such.pem")).unwrap_err().contains("/no/such.pem"));
    }
}
