//! What is a page and what is missing.

use axum::http::{Method, StatusCode};

use crate::fixture::{PAGE, SECRET, Site};

#[tokio::test]
async fn opening_any_address_shows_the_page() {
    let site = Site::built("open");
    for path in ["/", "/?v=1&isl=4000", "/explore", "/explore?v=1", "/index.html"] {
        let answer = site.open(path).await;
        assert_eq!((answer.status, answer.text().as_str()), (StatusCode::OK, PAGE), "{path}");
        assert_eq!(answer.header("cache-control"), "no-cache", "{path}");
    }
    // The page's files are relative to its address, so a deeper one leads to the root.
    let deep = site.open("/a/b?v=1&isl=4000").await;
    assert_eq!((deep.status, deep.header("location")), (StatusCode::SEE_OTHER, "/?v=1&isl=4000"));
}

#[tokio::test]
async fn a_missing_file_is_never_a_page() {
    let site = Site::built("missing");
    for path in ["/absent.js", "/worker_old.js", "/packs/absent.pack", "/favicon.ico", "/a/b.wasm"] {
        assert_eq!(site.open(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    // A script asks for anything, not for HTML.
    for accept in ["*/*", "application/json", "text/htmlx"] {
        let answer = site.get("/absent", &[("accept", accept)]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{accept}");
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8", "{accept}");
    }
    assert_eq!(site.get("/packs", &[]).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn nothing_outside_the_folder_is_readable() {
    let site = Site::built("traversal");
    for path in [
        "/../secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e/secret.txt",
        "/%2e%2e%2fsecret.txt",
        "/packs/../../secret.txt",
        "/packs/..%2f..%2fsecret.txt",
        "/..%5csecret.txt",
        "/%2fetc%2fpasswd",
        "//etc/passwd",
        "/%00",
        "/%ff",
    ] {
        for accept in ["*/*", "text/html"] {
            let answer = site.get(path, &[("accept", accept)]).await;
            assert!(!answer.text().contains(SECRET) && !answer.text().contains("root:"), "{path}");
            let harmless = [StatusCode::NOT_FOUND, StatusCode::SEE_OTHER, StatusCode::BAD_REQUEST];
            assert!(harmless.contains(&answer.status) || answer.text() == PAGE, "{path}: {}", answer.status);
        }
    }
}

#[tokio::test]
async fn nothing_can_be_changed() {
    let site = Site::built("methods");
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        for path in ["/", "/index.html", "/absent", "/healthz"] {
            let answer = site.ask(method.clone(), path, &[("accept", "text/html")]).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_missing_build_says_what_to_do() {
    let site = Site::empty("unbuilt");
    let folder = site.path().display().to_string();
    for path in ["/readyz", "/", "/explore"] {
        let answer = site.open(path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(answer.text().contains("make run") && answer.text().contains(&folder), "{}", answer.text());
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
    }
    assert!(site.state().missing().is_some_and(|message| message.contains(&folder)));
    let alive = site.get("/healthz", &[]).await;
    assert_eq!((alive.status, alive.text().as_str()), (StatusCode::OK, "ok"));

    // The build may arrive while the server runs.
    site.write("index.html", PAGE);
    assert_eq!(site.get("/readyz", &[]).await.status, StatusCode::OK);
    assert_eq!(site.open("/").await.text(), PAGE);
    assert_eq!(site.state().missing(), None);
}
