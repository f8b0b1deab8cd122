//! A small built site in a folder of its own, and requests to it.

use std::fs;
use std::path::{Path, PathBuf};

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use axum::response::Response;
use server::{Access, AppState, Clock, Hub, app};
use tower::ServiceExt as _;

/// Source of the fixture's page: one inline script, one inline style.
pub(crate) const PAGE: &str =
    "<!DOCTYPE html><title>t</title><style>p{}</style><script type=\"module\">start()</script>";
/// Not real wasm: the server must not look inside.
pub(crate) const WASM: &[u8] = b"\0asm plain";
pub(crate) const WASM_BR: &[u8] = b"brotli bytes";
pub(crate) const WASM_GZ: &[u8] = b"gzip bytes!";
/// Lies beside the site folder, where no request may reach.
pub(crate) const SECRET: &str = "outside the site";

/// A site folder that is removed at the end.
pub(crate) struct Site {
    folder: PathBuf,
}

impl Site {
    /// An empty site folder.
    pub(crate) fn empty(name: &str) -> Self {
        let folder =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("server-{name}-{}", std::process::id()));
        fs::create_dir_all(folder.join("site")).unwrap();
        fs::write(folder.join("secret.txt"), SECRET).unwrap();
        Self { folder }
    }

    /// A site as the build leaves it.
    pub(crate) fn built(name: &str) -> Self {
        let site = Self::empty(name);
        site.write("index.html", PAGE);
        site.write("ui-0123456789abcdef_bg.wasm", WASM);
        site.write("ui-0123456789abcdef_bg.wasm.br", WASM_BR);
        site.write("ui-0123456789abcdef_bg.wasm.gz", WASM_GZ);
        site.write("ui-0123456789abcdef.js", "start()");
        site.write("style-0123456789abcdef.css", "p{}");
        site.write("worker_loader.js", "importScripts('worker.js')");
        site.write("worker_bg.wasm", WASM);
        site.write("favicon.svg", "<svg/>");
        site.write("packs/index.json", "{}");
        site.write("packs/h200_sxm-gemm-1a2b3c4d.pack", "0123456789");
        site
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join("site")
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let file = self.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }

    pub(crate) fn state(&self) -> AppState {
        AppState::new(self.path(), Hub::new(Clock::System), Access::Loopback)
    }

    /// The answer of the whole service to one request.
    pub(crate) async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        answer(self.state(), method, path, headers).await
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask(Method::GET, path, headers).await
    }

    /// As a browser opens an address.
    pub(crate) async fn open(&self, path: &str) -> Answer {
        self.get(path, &[("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")]).await
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // A folder that stays behind in the target folder harms nobody.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// A header's value; empty when it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

pub(crate) async fn answer(state: AppState, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    read(app(state).oneshot(request.body(Body::empty()).unwrap()).await.unwrap()).await
}

pub(crate) async fn read(response: Response) -> Answer {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap().to_vec();
    Answer { status: parts.status, headers: parts.headers, body }
}
