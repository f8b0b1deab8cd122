//! Everything that goes wrong, and how it ends.

use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::cluster::{Role, Trouble};
use serde_json::json;
use server::source::PlannerSource as _;
use server::source::kubernetes::{ConnectError, Kubernetes, Pace};

use super::fake::{Fake, Wrong};
use super::{client, failure, first, pace, pool, source, status, until};

const GRAPHS: &str = "dynamographdeployments";

/// Grants the deployment more replicas, so that something is to be seen.
fn grow(fake: &Fake, replicas: u32) {
    fake.edit("dynamographdeploymentscalingadapters", "airline-decode", |adapter| {
        adapter["spec"]["replicas"] = json!(replicas);
    });
}

#[tokio::test]
async fn a_watch_is_taken_up_where_it_stood() {
    let fake = Fake::start("airline").await;
    let mut source = source(&fake);
    first(&mut source).await;
    for (replicas, tear) in [(2, false), (3, true), (4, false)] {
        let mark = fake.bookmark("nvidia.com/v1beta1/dynamographdeploymentscalingadapters");
        grow(&fake, replicas);
        status(&mut source, |status| pool(status, Role::Decode).count.desired == Some(replicas)).await;
        if tear {
            fake.tear();
        } else {
            fake.cut();
        }
        // Whoever comes back says how far it was: at least to the change, which came after the bookmark.
        let back = || fake.watches("scalingadapters").last().is_some_and(|&version| version > mark);
        until(&mut source, |_| back().then_some(())).await;
    }
    assert_eq!(fake.lists("scalingadapters"), 1, "nothing was listed twice");
    assert_eq!(fake.lists("pods"), 1);
}

#[tokio::test]
async fn what_was_missed_is_told_after_the_break() {
    let fake = Fake::start("airline").await;
    let mut source = source(&fake);
    first(&mut source).await;
    fake.wrong("*", Wrong::Status(500));
    fake.tear();
    let error = failure(&mut source).await;
    assert!(matches!(error.trouble, Trouble::Status { code: 500, .. }), "{error}");
    grow(&fake, 5);
    fake.delete("pods", "airline-prefill-1");
    fake.heal();
    let told = status(&mut source, |status| pool(status, Role::Decode).count.desired == Some(5)).await;
    let told = if pool(&told, Role::Prefill).workers.len() == 1 {
        told
    } else {
        status(&mut source, |status| pool(status, Role::Prefill).workers.len() == 1).await
    };
    assert_eq!(pool(&told, Role::Prefill).count.ready, Some(1));
    assert_eq!(fake.lists("pods"), 1, "the watch went on where it stood");
}

#[tokio::test]
async fn a_version_that_is_forgotten_is_listed_anew() {
    let fake = Fake::start("airline").await;
    let mut source = source(&fake);
    first(&mut source).await;
    fake.wrong("*", Wrong::Status(503));
    fake.cut();
    failure(&mut source).await;
    grow(&fake, 6);
    fake.compact();
    fake.heal();
    status(&mut source, |status| pool(status, Role::Decode).count.desired == Some(6)).await;
    assert!(fake.lists("scalingadapters") > 1);
    // The same told in the midst of a watch.
    let lists = fake.lists("pods");
    fake.send("v1/pods", "ERROR", json!({"kind": "Status", "code": 410, "message": "too old"}));
    until(&mut source, |_| (fake.lists("pods") > lists).then_some(())).await;
}

#[tokio::test]
async fn each_status_has_its_trouble_and_ends_by_itself() {
    let fake = Fake::start("airline").await;
    for (code, name) in [(401, "unauthorized"), (403, "forbidden"), (404, "missing"), (500, "status")] {
        let mut source = source(&fake);
        first(&mut source).await;
        fake.wrong("*", Wrong::Status(code));
        fake.cut();
        let error = until(&mut source, |told| {
            let error = told.err()?;
            // Whoever may not watch is told only once the list is refused, too.
            (serde_json::to_value(&error.trouble).unwrap()["kind"] == name).then_some(error)
        })
        .await;
        if code == 403 || code == 404 {
            assert!(error.to_string().contains("dynamographdeployments"), "{error}");
        }
        fake.heal();
        first(&mut source).await;
    }
}

#[tokio::test]
async fn a_server_that_asks_for_patience_is_left_alone() {
    let fake = Fake::start("airline").await;
    let mut source = source(&fake);
    fake.wrong("*", Wrong::Throttled(7));
    let error = failure(&mut source).await;
    assert!(matches!(error.trouble, Trouble::Throttled { .. }), "{error}");
    assert_eq!(error.retry_after, Some(Duration::from_secs(7)));
    fake.heal();
    first(&mut source).await;
    fake.wrong(GRAPHS, Wrong::Throttled(3600));
    fake.cut();
    let error = failure(&mut source).await;
    assert_eq!(error.retry_after, Some(Duration::from_mins(5)), "but not for ever");
    let asked = fake.watches(GRAPHS).len();
    // It keeps telling what is wrong, and does not ask again.
    failure(&mut source).await;
    assert_eq!(fake.watches(GRAPHS).len(), asked);
}

#[tokio::test]
async fn slow_and_silent_servers_are_noticed() {
    let fake = Fake::start("airline").await;
    let quick = Pace { answer: Duration::from_millis(300), watch: Duration::from_millis(300), ..pace() };
    fake.wrong(GRAPHS, Wrong::Slow);
    let mut source = Kubernetes::with_client(client(&fake), None, None).with_pace(quick);
    let error = until(&mut source, Result::err).await;
    assert!(matches!(error.trouble, Trouble::Slow { waited_ms: 300, .. }), "{error}");
    // A watch that opens and never says anything is given up, and everything listed: what it hid is seen.
    fake.heal();
    fake.wrong("dynamographdeploymentscalingadapters", Wrong::Silent);
    first(&mut source).await;
    grow(&fake, 9);
    status(&mut source, |status| pool(status, Role::Decode).count.desired == Some(9)).await;
}

#[tokio::test]
async fn answers_that_make_no_sense_and_answers_that_break_off() {
    let fake = Fake::start("airline").await;
    let mut source = source(&fake);
    fake.wrong(GRAPHS, Wrong::Garbage);
    let error = failure(&mut source).await;
    assert!(matches!(error.trouble, Trouble::Malformed { .. }), "{error}");
    fake.wrong(GRAPHS, Wrong::Broken);
    let broke =
        |trouble: &Trouble| matches!(trouble, Trouble::Unreachable { why, .. } if why.contains("broke off"));
    until(&mut source, |told| told.err().filter(|error| broke(&error.trouble))).await;
    fake.heal();
    first(&mut source).await;
    // Odd lines in a watch cost a new list, no more.
    let lists = fake.lists(GRAPHS);
    fake.send("nvidia.com/v1beta1/dynamographdeployments", "SURPRISE", json!({}));
    until(&mut source, |_| (fake.lists(GRAPHS) > lists).then_some(())).await;
    first(&mut source).await;
}

#[tokio::test]
async fn what_is_not_needed_may_be_missing_or_forbidden() {
    let fake = Fake::start("airline").await;
    let all = [
        "pods",
        "events",
        "dynamographdeploymentscalingadapters",
        "dynamographdeploymentrequests",
        "configmaps",
    ];
    for plural in all {
        fake.wrong(plural, Wrong::Status(403));
    }
    let mut source = source(&fake);
    let told = first(&mut source).await;
    let Some(Trouble::Forbidden { what }) = told.trouble else { panic!("{:?}", told.trouble) };
    for plural in
        ["pods", "events", "dynamographdeploymentscalingadapters", "configmap planner-config-airline"]
    {
        assert!(what.contains(plural), "{what}");
    }
    assert_eq!(pool(&told.status, Role::Prefill).count.desired, Some(2));
    fake.heal();
    until(&mut source, |told| told.ok().filter(|update| update.trouble.is_none())).await;

    for plural in all {
        fake.wrong(plural, Wrong::Status(404));
    }
    let told = first(&mut super::source(&fake)).await;
    assert!(matches!(told.trouble, Some(Trouble::Missing { .. })), "{:?}", told.trouble);
    assert_eq!(pool(&told.status, Role::Decode).count.ready, Some(1));
}

#[tokio::test]
async fn whoever_may_list_but_not_watch_is_shown_what_is_listed() {
    let fake = Fake::start("airline").await;
    fake.wrong("*", Wrong::Watch(403));
    let mut source = source(&fake);
    let told = first(&mut source).await;
    assert!(pool(&told.status, Role::Decode).count.ready.is_some());
    grow(&fake, 3);
    let told = until(&mut source, |told| {
        told.ok().filter(|update| pool(&update.status, Role::Decode).count.desired == Some(3))
    })
    .await;
    assert_eq!(told.status.deployment.name.as_deref(), Some("airline"));
}

#[tokio::test]
async fn which_deployment_is_a_question() {
    let fake = Fake::start("airline").await;
    let mut second = super::fixture("unschedulable");
    second[0]["metadata"]["namespace"] = json!("staging");
    fake.put(second.remove(0));
    let error = failure(&mut source(&fake)).await;
    let names = vec!["serving/airline".to_owned(), "staging/full".to_owned()];
    assert_eq!(error.trouble, Trouble::Ambiguous { names });
    let choose = |namespace: Option<&str>, name: Option<&str>| {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Kubernetes::with_client(client(&fake), owned(namespace), owned(name)).with_pace(pace())
    };
    for mut source in [choose(Some("staging"), None), choose(None, Some("full"))] {
        assert_eq!(first(&mut source).await.status.deployment.name.as_deref(), Some("full"));
    }
    let error = failure(&mut choose(Some("empty"), None)).await;
    assert_eq!(error.to_string(), "there is no DynamoGraphDeployment in namespace empty (404)");
    let error = failure(&mut choose(None, Some("nobody"))).await;
    assert_eq!(error.to_string(), "there is no DynamoGraphDeployment nobody in any namespace (404)");
}

#[tokio::test]
async fn a_deployment_that_goes_and_comes_back() {
    let fake = Fake::start("airline").await;
    let mut source = source(&fake);
    first(&mut source).await;
    fake.delete(GRAPHS, "airline");
    let error = failure(&mut source).await;
    assert!(matches!(error.trouble, Trouble::Missing { .. }), "{error}");
    failure(&mut source).await;
    fake.put(super::fixture("airline").remove(0));
    assert_eq!(first(&mut source).await.status.deployment.name.as_deref(), Some("airline"));
}

#[tokio::test]
async fn nobody_listens_there() {
    for scheme in ["http", "https"] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("{scheme}://{}", listener.local_addr().unwrap());
        drop(listener);
        let path = kubeconfig(&address);
        let mut source = Kubernetes::connect(Some(path.clone()), None, None, None).unwrap();
        let error = source.next().await.unwrap_err();
        let Trouble::Unreachable { url, why } = error.trouble else { panic!("{error}") };
        assert!(url == address && why.contains("refused"), "{url} {why}");
        std::fs::remove_file(path).unwrap();
    }
}

/// A kubeconfig with a token, which must never be shown.
fn kubeconfig(address: &str) -> PathBuf {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("kubeconfig-{}-{count}", std::process::id()));
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: here\nclusters:\n- name: c\n  cluster: {{server: \"{address}\"}}\n\
         contexts:\n- name: here\n  context: {{cluster: c, user: u}}\n- name: lost\n  context: {{cluster: gone, user: u}}\n\
         users:\n- name: u\n  user: {{token: secret-token}}\n"
    );
    std::fs::write(&path, text).unwrap();
    path
}

#[tokio::test]
async fn a_kubeconfig_leads_to_the_cluster() {
    let fake = Fake::start("airline").await;
    let path = kubeconfig(&fake.address);
    let source = Kubernetes::connect(Some(path.clone()), Some("here".to_owned()), None, None).unwrap();
    let mut source = source.with_pace(pace());
    first(&mut source).await;
    fake.wrong("*", Wrong::Status(401));
    fake.cut();
    let error = failure(&mut source).await;
    assert!(error.to_string().contains(&fake.address) && !error.to_string().contains("secret"), "{error}");
    std::fs::remove_file(path).unwrap();
}

#[tokio::test]
async fn mistakes_of_configuration_are_told_to_people() {
    let path = kubeconfig("http://127.0.0.1:1");
    let connect = |path: &Path, context: Option<&str>| {
        let error = Kubernetes::connect(Some(path.to_owned()), context.map(str::to_owned), None, None).err();
        error.expect("it cannot work")
    };
    let error = connect(&path, Some("there"));
    assert!(matches!(error, ConnectError::NoContext { .. }));
    let text = error.to_string();
    assert!(
        text.contains("no context \"there\"; it has here, lost") && text.contains("--kube-context"),
        "{text}"
    );
    let text = connect(&path, Some("lost")).to_string();
    assert!(text.contains("\"lost\"") && text.contains("gone"), "{text}");
    std::fs::write(&path, "contexts: [\n").unwrap();
    assert!(matches!(connect(&path, None), ConnectError::Unreadable { .. }));
    std::fs::write(&path, "contexts: []\n").unwrap();
    assert!(matches!(connect(&path, None), ConnectError::NoCurrent { .. }));
    std::fs::remove_file(&path).unwrap();
    let text = connect(&path, None).to_string();
    assert!(text.contains(&path.display().to_string()) && text.contains("--kubeconfig"), "{text}");
}

#[tokio::test]
async fn objects_of_any_shape_cost_nothing() {
    let fake = Fake::start("airline").await;
    let mut source = source(&fake);
    first(&mut source).await;
    let odd = [
        json!(null),
        json!("x"),
        json!(-1),
        json!([[]]),
        json!({"components": [3, {"name": 4}, {"name": ""}]}),
    ];
    for (at, value) in odd.iter().enumerate() {
        for (plural, name) in [
            (GRAPHS, "airline"),
            ("pods", "airline-decode-0"),
            ("events", "airline-prefill.scaled"),
            ("dynamographdeploymentscalingadapters", "airline-prefill"),
            ("dynamographdeploymentrequests", "airline-request"),
            ("configmaps", "planner-config-airline"),
        ] {
            fake.edit(plural, name, |object| {
                for part in ["spec", "status", "data", "regarding", "eventTime", "type"] {
                    object[part] = value.clone();
                }
                object["metadata"]["creationTimestamp"] = value.clone();
            });
        }
        grow(&fake, u32::try_from(at).unwrap() + 10);
        let told = first(&mut source).await.status;
        assert_eq!(told.deployment.name.as_deref(), Some("airline"));
    }
    fake.put(super::fixture("airline").remove(0));
    let told = status(&mut source, |status| !status.pools.is_empty()).await;
    assert_eq!(
        pool(&told, Role::Prefill).count.desired,
        Some(2),
        "the adapter no longer makes sense; the deployment does"
    );
}

/// Resident memory, bytes.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[tokio::test]
async fn two_thousand_pods_fit() {
    const PODS: usize = 2000;
    let fake = Fake::start("airline").await;
    let template =
        super::fixture("airline").into_iter().find(|one| one["metadata"]["name"] == "airline-decode-0");
    let mut pod = template.unwrap();
    // As large as pods are.
    pod["spec"]["containers"][0]["args"] = json!(vec!["x".repeat(100); 100]);
    for at in 1..PODS {
        pod["metadata"]["name"] = json!(format!("airline-decode-{at}"));
        fake.put(pod.clone());
    }
    let mut source = source(&fake);
    let before = resident();
    let told = first(&mut source).await;
    assert_eq!(pool(&told.status, Role::Decode).workers.len(), PODS);
    let pages = fake
        .asked()
        .iter()
        .filter(|one| one.path.ends_with("pods") && one.query.contains_key("limit"))
        .count();
    assert!(pages > PODS / 250, "{pages}");
    // The pods have 20 MB of JSON; what is kept of them is a small part.
    let grown = resident().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes");
    for round in 0..2 {
        for at in 1..PODS {
            fake.edit("pods", &format!("airline-decode-{at}"), |pod| pod["spec"]["round"] = json!(round));
            if at % 200 == 0 {
                tokio::task::yield_now().await;
            }
        }
        grow(&fake, 100 + round);
        status(&mut source, |status| pool(status, Role::Decode).count.desired == Some(100 + round)).await;
    }
}
