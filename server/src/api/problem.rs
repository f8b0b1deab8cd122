//! What an error looks like: JSON with what is wrong, with which value, and what to do.

use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Longest piece of a request that is repeated in an answer.
const LONGEST_QUOTE: usize = 120;

/// An answer that is not what was asked for.
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    #[serde(skip)]
    status: StatusCode,
    title: &'static str,
    detail: String,
    action: &'static str,
}

impl Problem {
    pub(crate) fn bad_query(why: &str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            title: "The question cannot be read",
            detail: quote(why),
            action: "Give since_ms and step_ms as whole milliseconds, or leave them out.",
        }
    }

    pub(crate) fn bad_session() -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            title: "The token cannot be read",
            detail: "The body is not a JSON object with a text named token.".to_owned(),
            action: "Send {\"token\": \"…\"}.",
        }
    }

    pub(crate) fn missing(path: &str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            title: "There is nothing here",
            detail: format!("No route is named {}.", quote(path)),
            action: "See /api/openapi.json for what there is.",
        }
    }

    pub(crate) fn not_allowed(method: &Method, path: &str) -> Self {
        Self {
            status: StatusCode::METHOD_NOT_ALLOWED,
            title: "This cannot be done here",
            detail: format!("{} does not take {}.", quote(path), quote(method.as_str())),
            action: "See /api/openapi.json for what there is.",
        }
    }

    pub(crate) fn no_token() -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            title: "A token is needed",
            detail: "The request carries neither a token nor a session.".to_owned(),
            action: "Send Authorization: Bearer …, or begin a session with POST /api/session.",
        }
    }

    pub(crate) fn wrong_token() -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            title: "The token is not the right one",
            detail: "It differs from the one in the server's token file, which may have changed.".to_owned(),
            action: "Ask whoever runs the server for the token in use.",
        }
    }

    pub(crate) fn foreign_host(host: &str) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            title: "This address is not the server's own",
            detail: format!(
                "Without a token the server answers only to localhost, 127.0.0.1 and [::1], not to {}.",
                quote(host)
            ),
            action: "Open the page at the address the server printed, or start it with --token-file.",
        }
    }

    pub(crate) fn no_sessions() -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            title: "No token is needed",
            detail: "The server was started without a token file.".to_owned(),
            action: "Ask without a token.",
        }
    }

    /// `why` is for people and holds no token.
    pub(crate) fn token_file(why: String) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            title: "No token can be checked",
            detail: why,
            action: "Mend the server's token file; it is read again at once.",
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // Plain texts: writing them cannot fail.
        let json = serde_json::to_string(&self).unwrap_or_default();
        let mut response = (self.status, [(CONTENT_TYPE, super::JSON)], json).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The beginning of a text that came from outside, without control characters.
fn quote(text: &str) -> String {
    let mut clean: String = text.chars().filter(|c| !c.is_control()).take(LONGEST_QUOTE).collect();
    if text.chars().count() > LONGEST_QUOTE {
        clean.push('…');
    }
    clean
}
