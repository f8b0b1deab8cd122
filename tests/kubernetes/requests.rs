//! What is sent, byte by byte: paths, queries, and nothing but GET.

use axum::body::Body;
use http::{Request, Response};
use kube::Client;
use serde_json::{Value, json};
use server::source::PlannerSource as _;
use server::source::kubernetes::Kubernetes;
use tower_test::mock;

/// Answers one request and returns what it was.
async fn next(
    handle: &mut mock::Handle<Request<kube::client::Body>, Response<Body>>,
    answer: impl FnOnce(&str) -> (u16, Value),
) -> (String, String, String) {
    let (request, respond) = handle.next_request().await.expect("a request");
    let (path, query) =
        (request.uri().path().to_owned(), request.uri().query().unwrap_or_default().to_owned());
    let (code, body) = answer(&path);
    respond.send_response(Response::builder().status(code).body(Body::from(body.to_string())).unwrap());
    (request.method().to_string(), path, query)
}

#[tokio::test]
async fn every_request_is_a_get_of_what_is_needed() {
    let (service, mut handle) = mock::pair::<Request<kube::client::Body>, Response<Body>>();
    let client = Client::new(service, "home");
    let mut source = Kubernetes::with_client(client, Some("serving".to_owned()), Some("airline".to_owned()))
        .with_pace(super::pace());
    let task = tokio::spawn(async move { source.next().await });
    let found = json!({"metadata": {"resourceVersion": "7"},
        "items": [{"metadata": {"name": "airline", "namespace": "serving"}}]});
    let (method, path, query) = next(&mut handle, |_| (200, found.clone())).await;
    assert_eq!(
        (method.as_str(), query.as_str()),
        ("GET", "&fieldSelector=metadata.name%3Dairline&limit=250")
    );
    assert_eq!(path, "/apis/nvidia.com/v1beta1/namespaces/serving/dynamographdeployments");
    // Lists and then watches, of five kinds in any order.
    let mut asked = Vec::new();
    for _ in 0..10 {
        asked.push(
            next(&mut handle, |path| {
                let items =
                    if path.ends_with("dynamographdeployments") { found["items"].clone() } else { json!([]) };
                (200, json!({"metadata": {"resourceVersion": "7"}, "items": items}))
            })
            .await,
        );
    }
    assert!(asked.iter().all(|(method, ..)| method == "GET"), "{asked:?}");
    let dynamo = "/apis/nvidia.com/v1beta1/namespaces/serving/";
    for (path, selector) in [
        (format!("{dynamo}dynamographdeployments"), "&fieldSelector=metadata.name%3Dairline"),
        (format!("{dynamo}dynamographdeploymentscalingadapters"), ""),
        (format!("{dynamo}dynamographdeploymentrequests"), ""),
        (
            "/api/v1/namespaces/serving/pods".to_owned(),
            "&labelSelector=nvidia.com%2Fdynamo-graph-deployment-name%3Dairline",
        ),
        ("/apis/events.k8s.io/v1/namespaces/serving/events".to_owned(), ""),
    ] {
        let of = asked.iter().filter(|(_, asked, _)| *asked == path).map(|(_, _, query)| query.as_str());
        let of: Vec<&str> = of.collect();
        assert!(of.contains(&format!("{selector}&limit=250").as_str()), "{path}: {of:?}");
        let watch =
            of.iter().find(|query| query.contains("watch=true")).unwrap_or_else(|| panic!("{path}: {of:?}"));
        for part in ["resourceVersion=7", "allowWatchBookmarks=true", "timeoutSeconds=30", selector] {
            assert!(watch.contains(part), "{path}: {watch} lacks {part}");
        }
    }
    task.abort();
}

#[tokio::test]
async fn whoever_may_not_search_everywhere_searches_at_home() {
    let (service, mut handle) = mock::pair::<Request<kube::client::Body>, Response<Body>>();
    let mut source =
        Kubernetes::with_client(Client::new(service, "home"), None, None).with_pace(super::pace());
    let task = tokio::spawn(async move { source.next().await });
    let refused = json!({"kind": "Status", "code": 403, "message": "no"});
    let (_, path, _) = next(&mut handle, |_| (403, refused)).await;
    assert_eq!(path, "/apis/nvidia.com/v1beta1/dynamographdeployments");
    let (_, path, _) = next(&mut handle, |_| (200, json!({"metadata": {}, "items": []}))).await;
    assert_eq!(path, "/apis/nvidia.com/v1beta1/namespaces/home/dynamographdeployments");
    let error = task.await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "there is no DynamoGraphDeployment in namespace home (404)");
}
