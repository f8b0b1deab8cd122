//! The security headers, pinned: a change here is a decision, not an accident.

use crate::fixture::{PAGE, Site, answer};
use axum::http::Method;

/// Hashes of `start()` and `p{}`, the fixture's inline code.
const POLICY: &str = "default-src 'self'; \
    script-src 'self' 'wasm-unsafe-eval' 'sha256-DIm7WJS6ZKDYe5qFLPy+h4JFI9Bol5QmYC57mt3Fb00='; \
    style-src 'self' 'sha256-gG2yISYereRMiG2lMXrbiUgi0Ubw9p7QCeWcroOvy9Y='; \
    style-src-attr 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; \
    worker-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let site = Site::built("security");
    for path in ["/", "/worker_loader.js", "/packs/index.json", "/absent.js", "/healthz", "/readyz"] {
        let answer = site.get(path, &[]).await;
        for (name, value) in [
            ("content-security-policy", POLICY),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), value, "{path}");
        }
        let permissions = answer.header("permissions-policy");
        for feature in ["camera=()", "geolocation=()", "microphone=()", "payment=()"] {
            assert!(permissions.contains(feature), "{path}: {permissions}");
        }
        assert_eq!(answer.header("server"), "", "{path}");
    }
}

#[tokio::test]
async fn the_policy_follows_a_rebuilt_page() {
    let site = Site::built("rebuilt");
    let state = site.state();
    let first = answer(state.clone(), Method::GET, "/", &[]).await;
    assert_eq!(first.header("content-security-policy"), POLICY);
    site.write("index.html", PAGE.replace("start()", "start(2)"));
    let second = answer(state, Method::GET, "/", &[]).await;
    let policy = second.header("content-security-policy");
    assert!(policy != POLICY && policy.contains("'wasm-unsafe-eval' 'sha256-"), "{policy}");
    assert!(!policy.contains("'unsafe-eval'"), "{policy}");
}
