//! Who may read the live status.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use server::{Access, AppState, Clock, Hub, TokenFile, app};
use tower::ServiceExt as _;

use crate::fixture::{Answer, Site, answer, read};

const TOKEN: &str = "0123456789abcdef-first";
const GUARDED: [&str; 6] = [
    "/api/cluster",
    "/api/cluster/history",
    "/api/cluster/events",
    "/api/openapi.json",
    "/api/absent",
    "/metrics",
];

/// A site whose live status needs the token of a file.
struct Closed {
    site: Site,
    file: PathBuf,
    state: AppState,
}

impl Closed {
    async fn new(name: &str) -> Self {
        let site = Site::built(name);
        let file = site.path().with_file_name("token");
        write(&file, TOKEN, 0o600);
        let access = Access::Token(Arc::new(TokenFile::open(file.clone()).await.unwrap()));
        let state = AppState::new(site.path(), Hub::new(Clock::System), access);
        Self { site, file, state }
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        answer(self.state.clone(), Method::GET, path, headers).await
    }

    async fn post(&self, body: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(Method::POST).uri("/api/session");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        read(app(self.state.clone()).oneshot(request).await.unwrap()).await
    }
}

/// Writes a token and moves the file's time on, as somebody who changes it later does.
fn write(file: &PathBuf, token: &str, mode: u32) {
    fs::write(file, token).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[tokio::test]
async fn without_the_token_nothing_is_told() {
    let closed = Closed::new("closed").await;
    for path in GUARDED {
        for headers in [
            &[][..],
            &[("authorization", "Bearer 0123456789abcdef-wrong")],
            &[("authorization", "Bearer ")],
            &[("authorization", TOKEN)],
            &[("authorization", "Basic 0123456789abcdef-first")],
            &[("cookie", "configurator_session=0123456789abcdef-first")],
            &[("cookie", "configurator_session=")],
            &[("cookie", "other=1; configurator_session")],
            &[("host", "localhost")],
        ] {
            let refused = closed.get(path, headers).await;
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{path} {headers:?}");
            assert_eq!(refused.header("www-authenticate"), "Bearer", "{path}");
            assert_eq!(refused.header("content-type"), "application/json", "{path}");
            let problem: serde_json::Value = serde_json::from_slice(&refused.body).unwrap();
            assert!(["title", "detail", "action"].iter().all(|part| problem[part].is_string()), "{problem}");
            assert!(!refused.text().contains(TOKEN));
        }
    }
}

#[tokio::test]
async fn the_page_and_the_probes_need_no_token() {
    let closed = Closed::new("probes").await;
    for path in ["/", "/index.html", "/healthz", "/readyz", "/packs/index.json"] {
        assert_eq!(closed.get(path, &[("host", "anything.example")]).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn the_token_opens_every_route_under_any_name() {
    let closed = Closed::new("open").await;
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let token = format!("{scheme} {TOKEN}");
        let headers = [("authorization", token.as_str()), ("host", "status.example:8080")];
        for path in ["/api/cluster", "/api/cluster/history", "/api/openapi.json", "/metrics"] {
            assert_eq!(closed.get(path, &headers).await.status, StatusCode::OK, "{path}");
        }
    }
}

#[tokio::test]
async fn a_session_stands_in_for_the_token_until_the_token_changes() {
    let closed = Closed::new("session").await;
    let body = format!("{{\"token\": \"{TOKEN}\"}}");
    let begun = closed.post(&body, &[]).await;
    assert_eq!(begun.status, StatusCode::NO_CONTENT);
    let cookie = begun.header("set-cookie").to_owned();
    assert!(cookie.ends_with("; Path=/api; HttpOnly; SameSite=Strict"), "{cookie}");
    assert!(!cookie.contains(TOKEN), "the cookie is not the token");
    for (scheme, secure) in [("https", true), ("HTTPS, http", true), ("http", false), ("http, https", false)]
    {
        let begun = closed.post(&body, &[("x-forwarded-proto", scheme)]).await;
        assert_eq!(begun.header("set-cookie").ends_with("; SameSite=Strict; Secure"), secure, "{scheme}");
    }

    let pair = cookie.split(';').next().unwrap();
    let cookies = format!("a=b; {pair}; c=d");
    assert_eq!(closed.get("/api/cluster", &[("cookie", &cookies)]).await.status, StatusCode::OK);
    assert_eq!(closed.get("/api/cluster", &[("authorization", &bearer(pair))]).await.status, 401);

    write(&closed.file, "0123456789abcdef-second!", 0o600);
    assert_eq!(closed.get("/api/cluster", &[("cookie", &cookies)]).await.status, 401);
    assert_eq!(closed.get("/api/cluster", &[("authorization", &bearer(TOKEN))]).await.status, 401);
    let second = bearer("0123456789abcdef-second!");
    assert_eq!(closed.get("/api/cluster", &[("authorization", &second)]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_session_needs_the_token_and_can_be_ended() {
    let closed = Closed::new("login").await;
    for (body, status) in [
        ("{\"token\": \"wrong\"}", StatusCode::UNAUTHORIZED),
        ("{\"token\": \"\"}", StatusCode::UNAUTHORIZED),
        ("{}", StatusCode::BAD_REQUEST),
        ("not json", StatusCode::BAD_REQUEST),
        ("", StatusCode::BAD_REQUEST),
    ] {
        let refused = closed.post(body, &[]).await;
        assert_eq!((refused.status, refused.header("set-cookie")), (status, ""), "{body}");
    }
    let ended = answer(closed.state.clone(), Method::DELETE, "/api/session", &[]).await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    assert!(ended.header("set-cookie").starts_with("configurator_session=; "));
    assert!(ended.header("set-cookie").ends_with("; Max-Age=0"));
    let huge = closed.post(&"x".repeat(3 << 20), &[]).await;
    assert_eq!(huge.status, StatusCode::PAYLOAD_TOO_LARGE);
    let open = closed.site.ask(Method::POST, "/api/session", &[("host", "localhost")]).await;
    assert_eq!(open.status, StatusCode::NOT_FOUND, "{}", open.text());
}

#[tokio::test]
async fn a_token_file_that_becomes_useless_lets_nobody_in() {
    let closed = Closed::new("mended").await;
    let token = bearer(TOKEN);
    let headers = [("authorization", token.as_str())];
    for (text, mode) in [("", 0o600), ("short", 0o600), ("0123456789abcdef-first", 0o604)] {
        write(&closed.file, text, mode);
        let refused = closed.get("/api/cluster", &headers).await;
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{text} {mode:o}");
        assert!(!refused.text().contains(closed.file.to_str().unwrap()), "where it lies is for the log");
    }
    fs::remove_file(&closed.file).unwrap();
    assert_eq!(closed.get("/api/cluster", &headers).await.status, StatusCode::SERVICE_UNAVAILABLE);
    write(&closed.file, TOKEN, 0o640);
    assert_eq!(closed.get("/api/cluster", &headers).await.status, StatusCode::OK);
}

#[tokio::test]
async fn without_a_token_only_loopback_names_are_answered() {
    let site = Site::built("hosts");
    for host in ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:8080"] {
        assert_eq!(site.get("/api/cluster", &[("host", host)]).await.status, StatusCode::OK, "{host}");
    }
    for path in GUARDED {
        for host in ["evil.example", "localhost.evil.example:8080", "10.0.0.1", "", "[::1", "a@localhost"] {
            let refused = site.get(path, &[("host", host)]).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path} {host}");
            assert!(refused.text().contains("--token-file"), "{}", refused.text());
        }
        let two = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(site.get(path, &two).await.status, StatusCode::FORBIDDEN, "{path}");
        assert_eq!(site.get(path, &[]).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let absolute = site.get("http://evil.example/api/cluster", &[("host", "localhost")]).await;
    assert_eq!(absolute.status, StatusCode::FORBIDDEN);
}
