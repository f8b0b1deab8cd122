//! The manifests in `server/deploy`: they grant reading and nothing else, and fit the program.

use std::collections::BTreeSet;
use std::fs;

use axum::http::{Method, StatusCode};
use clap::Parser as _;
use serde::Deserialize as _;
use serde_yaml::Value;
use server::{Config, SourceChoice};

use crate::fixture::Site;

fn documents(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(tests::root().join("server/deploy").join(name)).unwrap();
    let documents: Vec<Value> =
        serde_yaml::Deserializer::from_str(&text).map(|one| Value::deserialize(one).unwrap()).collect();
    assert!(!documents.is_empty(), "{name}");
    documents
}

fn of_kind(name: &str, kind: &str) -> Value {
    documents(name)
        .into_iter()
        .find(|document| document["kind"] == kind)
        .unwrap_or_else(|| panic!("no {kind}"))
}

fn words(value: &Value) -> BTreeSet<String> {
    value.as_sequence().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

fn container() -> Value {
    of_kind("deployment.yaml", "Deployment")["spec"]["template"]["spec"]["containers"][0].clone()
}

#[test]
fn only_reading_is_granted_and_only_of_what_is_shown() {
    let mut granted = BTreeSet::new();
    for document in documents("rbac.yaml") {
        let Some(rules) = document["rules"].as_sequence() else { continue };
        for rule in rules {
            assert_eq!(words(&rule["verbs"]), words(&serde_yaml::from_str("[get, list, watch]").unwrap()));
            for group in words(&rule["apiGroups"]) {
                granted
                    .extend(words(&rule["resources"]).iter().map(|resource| format!("{group}/{resource}")));
            }
            assert!(rule["nonResourceURLs"].is_null());
        }
    }
    let wanted = [
        "/events",
        "/pods",
        "events.k8s.io/events",
        "nvidia.com/dynamocomponentdeployments",
        "nvidia.com/dynamographdeploymentrequests",
        "nvidia.com/dynamographdeployments",
        "nvidia.com/dynamographdeploymentscalingadapters",
        "nvidia.com/dynamoworkermetadatas",
    ];
    assert_eq!(granted.iter().map(String::as_str).collect::<Vec<_>>(), wanted);
}

#[test]
fn the_account_is_the_one_that_is_bound() {
    let (account, role) = (of_kind("rbac.yaml", "ServiceAccount"), of_kind("rbac.yaml", "Role"));
    let binding = of_kind("rbac.yaml", "RoleBinding");
    assert_eq!(binding["roleRef"]["kind"], "Role");
    assert_eq!(binding["roleRef"]["name"], role["metadata"]["name"]);
    assert_eq!(binding["subjects"][0]["name"], account["metadata"]["name"]);
    let pod = &of_kind("deployment.yaml", "Deployment")["spec"]["template"]["spec"];
    assert_eq!(pod["serviceAccountName"], account["metadata"]["name"]);
}

#[tokio::test]
async fn probes_ask_routes_that_answer_without_a_token() {
    let site = Site::built("probed");
    let container = container();
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let get = &container[probe]["httpGet"];
        let answer = site.ask(Method::GET, get["path"].as_str().unwrap(), &[("host", "10.1.2.3:8080")]).await;
        assert_eq!(answer.status, StatusCode::OK, "{probe}");
        assert_ne!(
            answer.header("content-type").split(';').next(),
            Some("text/html"),
            "{probe}: not the page"
        );
        assert_eq!(get["port"], container["ports"][0]["name"], "{probe}");
    }
}

#[test]
fn the_arguments_are_those_of_the_program() {
    let container = container();
    let arguments = container["args"].as_sequence().unwrap().iter().map(|word| word.as_str().unwrap());
    let config = Config::try_parse_from(["server"].into_iter().chain(arguments)).unwrap();
    assert_eq!(config.source, SourceChoice::Both);
    assert_eq!(u64::from(config.listen.port()), container["ports"][0]["containerPort"].as_u64().unwrap());
    assert!(!config.listen.ip().is_loopback());
    let token = config.token_file.unwrap();
    let mount = container["volumeMounts"][0]["mountPath"].as_str().unwrap();
    assert_eq!(token.parent().unwrap().to_str(), Some(mount));
    assert_eq!(config.namespace.as_deref(), Some("$(NAMESPACE)"));
    assert_eq!(container["env"][0]["name"], "NAMESPACE");
}

#[test]
fn the_pod_may_do_little() {
    let pod = of_kind("deployment.yaml", "Deployment")["spec"]["template"]["spec"].clone();
    let (context, container) = (&pod["securityContext"], container());
    assert_eq!(context["runAsNonRoot"], true);
    assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false);
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    assert_eq!(
        words(&container["securityContext"]["capabilities"]["drop"]),
        BTreeSet::from(["ALL".to_owned()])
    );
    assert!(container["resources"]["limits"]["memory"].is_string());
    let secret = &pod["volumes"][0]["secret"];
    assert_eq!(secret["defaultMode"], 0o440);
    assert_eq!(context["fsGroup"], context["runAsGroup"]);
    let labels = &of_kind("deployment.yaml", "Deployment")["spec"]["template"]["metadata"]["labels"];
    assert_eq!(&of_kind("deployment.yaml", "Service")["spec"]["selector"], labels);
    assert!(container["image"].as_str().unwrap().contains("REGISTRY"), "the user must name one");
}
