//! Compression, file types, long caches and conditional requests.

use axum::http::{Method, StatusCode};

use crate::fixture::{Site, WASM, WASM_BR, WASM_GZ};

const APP_WASM: &str = "/ui-0123456789abcdef_bg.wasm";
const FOREVER: &str = "public, max-age=31536000, immutable";

#[tokio::test]
async fn the_best_encoding_the_browser_accepts_is_sent() {
    let site = Site::built("encoding");
    for (accepted, encoding, body) in [
        ("gzip, deflate, br", "br", WASM_BR),
        ("gzip", "gzip", WASM_GZ),
        ("br;q=0, gzip", "gzip", WASM_GZ),
        ("identity", "", WASM),
    ] {
        let answer = site.get(APP_WASM, &[("accept-encoding", accepted)]).await;
        assert_eq!(answer.status, StatusCode::OK, "{accepted}");
        assert_eq!(answer.header("content-encoding"), encoding, "{accepted}");
        assert_eq!(answer.header("content-type"), "application/wasm", "{accepted}");
        assert_eq!(answer.header("vary"), "accept-encoding", "{accepted}");
        assert_eq!(answer.header("content-length"), body.len().to_string(), "{accepted}");
        assert_eq!(answer.body, body, "{accepted}");
    }
    // Without a compressed twin the file itself is sent.
    let plain = site.get("/worker_loader.js", &[("accept-encoding", "br")]).await;
    assert_eq!((plain.status, plain.header("content-encoding")), (StatusCode::OK, ""));
}

#[tokio::test]
async fn every_kind_of_file_has_its_type() {
    let site = Site::built("types");
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/index.html", "text/html; charset=utf-8"),
        (APP_WASM, "application/wasm"),
        ("/ui-0123456789abcdef.js", "text/javascript; charset=utf-8"),
        ("/style-0123456789abcdef.css", "text/css; charset=utf-8"),
        ("/favicon.svg", "image/svg+xml"),
        ("/packs/index.json", "application/json"),
        ("/packs/h200_sxm-gemm-1a2b3c4d.pack", "application/octet-stream"),
    ] {
        assert_eq!(site.get(path, &[]).await.header("content-type"), kind, "{path}");
    }
}

#[tokio::test]
async fn names_with_a_hash_are_cached_and_others_are_asked_for_again() {
    let site = Site::built("cache");
    for (path, expected) in [
        (APP_WASM, FOREVER),
        ("/ui-0123456789abcdef.js", FOREVER),
        ("/style-0123456789abcdef.css", FOREVER),
        ("/packs/h200_sxm-gemm-1a2b3c4d.pack", FOREVER),
        ("/", "no-cache"),
        ("/index.html", "no-cache"),
        ("/worker_loader.js", "no-cache"),
        ("/worker_bg.wasm", "no-cache"),
        ("/packs/index.json", "no-cache"),
        ("/packs/absent-1a2b3c4d.pack", "no-store"),
        ("/healthz", "no-store"),
    ] {
        assert_eq!(site.get(path, &[]).await.header("cache-control"), expected, "{path}");
    }
}

#[tokio::test]
async fn an_unchanged_file_is_not_sent_again() {
    let site = Site::built("conditional");
    for path in ["/index.html", APP_WASM, "/packs/index.json"] {
        let first = site.get(path, &[("accept-encoding", "br")]).await;
        let (tag, date) = (first.header("etag"), first.header("last-modified"));
        assert!(!tag.is_empty() && !date.is_empty(), "{path}");
        for condition in [("if-none-match", tag), ("if-modified-since", date)] {
            let again = site.get(path, &[("accept-encoding", "br"), condition]).await;
            assert_eq!(again.status, StatusCode::NOT_MODIFIED, "{path} {condition:?}");
            assert!(again.body.is_empty());
            assert_eq!(again.header("etag"), tag);
            assert_eq!(again.header("vary"), "accept-encoding");
            assert_eq!(again.header("cache-control"), first.header("cache-control"));
            // A 304 updates the stored headers: a policy without the hashes would break the page.
            assert_eq!(again.header("content-security-policy"), first.header("content-security-policy"));
        }
        let other = site.get(path, &[("if-none-match", "\"other\"")]).await;
        assert_eq!(other.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let site = Site::built("head");
    for path in ["/", APP_WASM, "/packs/index.json", "/healthz"] {
        let get = site.get(path, &[("accept-encoding", "br")]).await;
        let head = site.ask(Method::HEAD, path, &[("accept-encoding", "br")]).await;
        assert_eq!(head.status, get.status, "{path}");
        assert!(head.body.is_empty(), "{path}");
        for name in ["content-type", "content-length", "content-encoding", "etag", "cache-control"] {
            assert_eq!(head.header(name), get.header(name), "{path} {name}");
        }
    }
}

#[tokio::test]
async fn a_part_of_a_pack_can_be_fetched() {
    let site = Site::built("range");
    let part = site.get("/packs/h200_sxm-gemm-1a2b3c4d.pack", &[("range", "bytes=2-4")]).await;
    assert_eq!((part.status, part.text().as_str()), (StatusCode::PARTIAL_CONTENT, "234"));
}
