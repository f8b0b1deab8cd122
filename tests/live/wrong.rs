//! What is wrong from the start: nobody there, nothing in it, credentials.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::http::header::AUTHORIZATION;
use engine::cluster::{Health, Trouble};
use server::source::prometheus::{Prometheus, Settings};
use tokio::net::TcpListener;

use crate::prometheus::Process;
use crate::{health, hub, settings, trouble, until};

#[tokio::test]
async fn nobody_there_is_down() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let hub = hub(settings(&format!("http://{address}")));
    let down = until(&hub, "nobody", |snapshot| health(snapshot) == Health::Down).await;
    let Some(Trouble::Unreachable { url, why }) = trouble(&down) else { panic!("{down:?}") };
    assert_eq!(*url, format!("http://{address}"));
    assert!(why.contains("refused"), "{why}");
    assert!(down.status.is_none() && down.sources[0].retry_ms.is_some());
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_down() {
    let hub = hub(settings("http://no-such-name.invalid:9090"));
    let down = until(&hub, "no name", |snapshot| health(snapshot) == Health::Down).await;
    assert!(matches!(trouble(&down), Some(Trouble::Unreachable { .. })), "{down:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prometheus_without_a_deployment_is_empty() {
    let prometheus = Process::start(&[]).await;
    let hub = hub(settings(&format!("http://{}", prometheus.address)));
    let down = until(&hub, "nothing", |snapshot| health(snapshot) == Health::Down).await;
    let Some(Trouble::Empty { what }) = trouble(&down) else { panic!("{down:?}") };
    assert!(what.contains("dynamo_planner_num_decode_replicas"), "{what}");
}

#[tokio::test]
async fn the_token_is_read_again_for_every_question() {
    let seen = Arc::new(Mutex::new(Vec::<String>::new()));
    let own = Arc::clone(&seen);
    let app = Router::new().fallback(move |request: Request| {
        let token = request.headers().get(AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
        own.lock().unwrap().push(token.unwrap_or_default());
        async { "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[]}}" }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });

    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("prometheus-token-{}", std::process::id()));
    let with = Settings { token_file: Some(file.clone()), ..settings(&url) };
    let hub = hub(with);
    let missing = until(&hub, "no token file", |snapshot| health(snapshot) == Health::Down).await;
    let Some(Trouble::Unreachable { why, .. }) = trouble(&missing) else { panic!("{missing:?}") };
    assert!(why.contains(file.to_str().unwrap()), "{why}");
    for token in ["first", "second"] {
        std::fs::write(&file, format!("{token}\n")).unwrap();
        let begun = seen.lock().unwrap().len();
        let seq = hub.latest().snapshot.seq;
        until(&hub, token, |snapshot| snapshot.seq > seq + 1).await;
        let asked = seen.lock().unwrap()[begun..].to_vec();
        assert_eq!(asked.last().map(String::as_str), Some(format!("Bearer {token}").as_str()));
    }
    std::fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn authorities_that_cannot_be_read_are_refused_at_the_start() {
    let ca = Some("/no/such/ca.pem".into());
    let message = Prometheus::new(Settings { ca, ..settings("https://127.0.0.1:1") }).unwrap_err();
    assert!(message.contains("/no/such/ca.pem"), "{message}");
}
