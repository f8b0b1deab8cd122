//! Who may read the live status: whoever has the token, or, without a token, whoever sits at this machine.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tracing::warn;

use super::problem::Problem;
use crate::site::AppState;
use crate::token::{Token, TokenError, TokenFile};

const COOKIE_NAME: &str = "configurator_session";
const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What a request has to show.
#[derive(Clone, Debug, Default)]
pub enum Access {
    /// A loopback name in `Host`: a page of another site, led here by its own name server, has none.
    #[default]
    Loopback,
    /// The token of this file, or a session begun with it.
    Token(Arc<TokenFile>),
}

/// What a request has shown.
#[derive(Clone, Debug)]
pub(crate) struct Pass(Option<Shown>);

#[derive(Clone, Debug)]
enum Shown {
    Bearer(Vec<u8>),
    Session(Vec<u8>),
}

impl Access {
    async fn check(&self, headers: &HeaderMap, uri: &Uri) -> Result<Pass, Problem> {
        let Self::Token(file) = self else {
            return check_host(headers, uri).map(|()| Pass(None));
        };
        let token = file.token().await.map_err(|error| unusable(&error))?;
        let shown = shown(headers).ok_or_else(Problem::no_token)?;
        if fits(&token, &shown) { Ok(Pass(Some(shown))) } else { Err(Problem::wrong_token()) }
    }

    /// Whether what was shown still counts.
    pub(crate) async fn still(&self, pass: &Pass) -> bool {
        match (self, &pass.0) {
            (Self::Loopback, _) => true,
            (Self::Token(file), Some(shown)) => file.token().await.is_ok_and(|token| fits(&token, shown)),
            (Self::Token(_), None) => false,
        }
    }
}

fn unusable(error: &TokenError) -> Problem {
    warn!("{error}");
    // Where the file lies is for whoever runs the server, in the log.
    Problem::token_file("The server's token file cannot be used; its log says why.".to_owned())
}

fn fits(token: &Token, shown: &Shown) -> bool {
    match shown {
        Shown::Bearer(given) => token.is(given),
        Shown::Session(given) => token.is_session(given),
    }
}

/// The token in the header, else the session in a cookie.
fn shown(headers: &HeaderMap) -> Option<Shown> {
    if let Some(value) = headers.get(AUTHORIZATION) {
        let (scheme, token) = value.as_bytes().split_at_checked("Bearer ".len())?;
        return scheme.eq_ignore_ascii_case(b"Bearer ").then(|| Shown::Bearer(token.trim_ascii().to_vec()));
    }
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|value| value.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE_NAME).then(|| Shown::Session(value.as_bytes().to_vec()))
    })
}

fn check_host(headers: &HeaderMap, uri: &Uri) -> Result<(), Problem> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next().map(|host| host.to_str().unwrap_or_default());
    let one = hosts.next().is_none();
    let asked = uri.authority().map(axum::http::uri::Authority::as_str);
    match host.or(asked) {
        Some(host) if one && is_loopback(host) && asked.is_none_or(is_loopback) => Ok(()),
        other => Err(Problem::foreign_host(other.unwrap_or("a request without a host"))),
    }
}

/// Whether `name` or `name:port` means this machine, whatever a name server says.
fn is_loopback(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((name, port)) => (name, port),
            None => return false,
        },
        None => host.find(':').map_or((host, ""), |at| host.split_at(at)),
    };
    let port_fits = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    let name_fits = name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback());
    port_fits && name_fits
}

/// Lets a request through, or says what it lacks.
pub(crate) async fn guard(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    match state.access().check(request.headers(), request.uri()).await {
        Ok(pass) => {
            request.extensions_mut().insert(pass);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

#[derive(Deserialize)]
struct Begin {
    token: String,
}

/// Exchanges the token for a cookie, because an `EventSource` cannot send headers.
pub(crate) async fn begin(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let Access::Token(file) = state.access() else { return Err(Problem::no_sessions()) };
    let begin: Begin = serde_json::from_slice(&body).map_err(|_| Problem::bad_session())?;
    let token = file.token().await.map_err(|error| unusable(&error))?;
    if !token.is(begin.token.trim().as_bytes()) {
        return Err(Problem::wrong_token());
    }
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, cookie(token.session(), &headers))]).into_response())
}

/// Takes the cookie back.
pub(crate) async fn end(headers: HeaderMap) -> Response {
    let cookie = cookie("", &headers) + "; Max-Age=0";
    (StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)]).into_response()
}

fn cookie(value: &str, headers: &HeaderMap) -> String {
    // Of several proxies the first one is what the browser spoke to.
    let scheme = headers.get(FORWARDED).and_then(|schemes| schemes.to_str().ok()?.split(',').next());
    let https = scheme.is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("https"));
    let secure = if https { "; Secure" } else { "" };
    format!("{COOKIE_NAME}={value}; Path=/api; HttpOnly; SameSite=Strict{secure}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_loopback() {
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1",
            "127.8.9.1:80",
            "[::1]",
            "[::1]:8080",
            "[::ffff:127.0.0.1]",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "evil.localhost",
            "127.0.0.1.nip.io",
            "10.0.0.1",
            "[::1",
            "[::2]",
            "::1",
            "localhost:",
            "localhost:x",
            "localhost:80:80",
            "user@localhost",
            "0.0.0.0",
            "127.1",
            "[localhost].evil.example",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
