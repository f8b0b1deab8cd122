//! Headers of every answer: what may be cached, and what the page may do.

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use crate::site::AppState;

const FOREVER: &str = "public, max-age=31536000, immutable";
const REVALIDATE: &str = "no-cache";
const NEVER: &str = "no-store";

/// Length of the hash that the build puts into file names.
const HASH_DIGITS: usize = 16;

const FIXED: [(HeaderName, &str); 5] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // Share links hold a deployment's figures in the address; other sites need not see them.
    (REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("permissions-policy"),
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), hid=(), \
         microphone=(), midi=(), payment=(), serial=(), usb=()",
    ),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Adds the headers to whatever the inner service answers.
pub(crate) async fn add(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    // A 304 replaces the headers of the stored page, so it needs the page's policy as well.
    let policy = state.policy().await;
    let status = response.status();
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    for (name, value) in FIXED {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static(cache_control(&path, status)));
    if status == StatusCode::NOT_MODIFIED {
        headers.entry(VARY).or_insert(HeaderValue::from_static("accept-encoding"));
    }
    name_charset(headers);
    response
}

fn cache_control(path: &str, status: StatusCode) -> &'static str {
    let found = status.is_success() || status == StatusCode::NOT_MODIFIED;
    match (found, has_hash(path)) {
        (true, true) => FOREVER,
        (true, false) => REVALIDATE,
        (false, _) => NEVER,
    }
}

/// Whether the file's name changes with its content: packs, and `-<hash>` names of the build.
fn has_hash(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let Some((stem, extension)) = name.rsplit_once('.') else {
        return false;
    };
    if extension == "pack" {
        return true;
    }
    let stem = stem.strip_suffix("_bg").unwrap_or(stem);
    extension != "html"
        && stem
            .rsplit_once('-')
            .is_some_and(|(_, hash)| hash.len() == HASH_DIGITS && hash.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// All our text is UTF-8; say so, because file types guessed from names do not.
fn name_charset(headers: &mut HeaderMap) {
    let Some(kind) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return;
    };
    if kind.starts_with("text/")
        && !kind.contains("charset")
        && let Ok(value) = HeaderValue::try_from(format!("{kind}; charset=utf-8"))
    {
        headers.insert(CONTENT_TYPE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_a_hash_are_kept_for_a_year() {
        for path in [
            "/ui-0123456789abcdef.js",
            "/ui-0123456789abcdef_bg.wasm",
            "/style-00ff00ff00ff00ff.css",
            "/packs/h200_sxm-trtllm-gemm-1a2b3c.pack",
        ] {
            assert_eq!(cache_control(path, StatusCode::OK), FOREVER, "{path}");
            assert_eq!(cache_control(path, StatusCode::NOT_MODIFIED), FOREVER, "{path}");
            assert_eq!(cache_control(path, StatusCode::NOT_FOUND), NEVER, "{path}");
        }
        for path in [
            "/",
            "/index.html",
            "/worker_loader.js",
            "/worker.js",
            "/worker_bg.wasm",
            "/packs/index.json",
            "/ui-0123456789abcde.js",
            "/ui-0123456789abcdeg.js",
            "/page-0123456789abcdef.html",
            "/page-0123456789abcdef",
        ] {
            assert_eq!(cache_control(path, StatusCode::OK), REVALIDATE, "{path}");
        }
    }
}
