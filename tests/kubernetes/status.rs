//! What is told of a deployment, before and after something changes.

use engine::cluster::{Count, Measured, Role, SourceKind, Trouble, WorkerState};
use serde_json::json;

use super::fake::{Fake, Wrong};
use super::{first, pool, source, status};

/// 2026-03-01, this many minutes and seconds after ten.
fn at(minute: u64, second: u64) -> u64 {
    1_772_359_200_000 + minute * 60_000 + second * 1_000
}

#[tokio::test]
async fn a_deployment_that_starts_a_worker() {
    let fake = Fake::start("airline").await;
    let told = first(&mut source(&fake)).await;
    assert_eq!(told.trouble, None);
    let status = told.status;
    let deployment = &status.deployment;
    assert_eq!(deployment.name.as_deref(), Some("airline"));
    assert_eq!(deployment.namespace.as_deref(), Some("serving"));
    assert_eq!(deployment.model.as_deref(), Some("Qwen/Qwen3-32B"));
    assert_eq!((deployment.state.as_deref(), deployment.observed), (Some("pending"), Some(true)));
    let ready = deployment.ready.as_ref().unwrap();
    assert_eq!((ready.status.as_str(), ready.reason.as_deref()), ("False", Some("pods_not_ready")));
    assert_eq!(ready.since_ms, Some(at(20, 0)));
    let request = deployment.request.as_ref().unwrap();
    assert_eq!((request.name.as_str(), request.phase.as_deref()), ("airline-request", Some("Deployed")));

    let prefill = pool(&status, Role::Prefill);
    let count =
        Count { desired: Some(2), scheduled: Some(2), starting: Some(1), ready: Some(1), draining: Some(0) };
    assert_eq!((prefill.count, prefill.gpus_per_replica), (count, Some(1)));
    assert_eq!(prefill.since_ms, Some(at(20, 2)));
    assert_eq!(prefill.workers[0].start_ms, Some(120_000));
    let late = &prefill.workers[1];
    assert_eq!((late.name.as_str(), late.state), ("airline-prefill-1", WorkerState::Starting));
    assert_eq!((late.why.as_deref(), late.since_ms), (Some("ContainerCreating"), Some(at(20, 2))));
    let decode = pool(&status, Role::Decode);
    assert_eq!((decode.count.ready, decode.count.starting), (Some(1), Some(0)));
    assert_eq!(status.pools.len(), 2, "frontend and planner are no workers");

    let gpus = status.gpus;
    assert_eq!((gpus.used, gpus.starting, gpus.most, gpus.fewest), (Some(2), Some(1), Some(8), None));
    // The planner's configuration stands above what the request asked for.
    assert_eq!((status.slo.ttft_ms, status.slo.itl_ms), (Some(450.0), Some(40.0)));
    let events: Vec<_> = status.events.iter().map(|one| (one.about.as_str(), one.reason.as_str())).collect();
    assert_eq!(
        events,
        [
            ("DynamoGraphDeploymentScalingAdapter/airline-prefill", "Scaled"),
            ("Pod/airline-prefill-1", "Pulling"),
        ]
    );
    let signal = &status.signals[0];
    assert_eq!((signal.what, signal.source), (Measured::Replicas, SourceKind::Kubernetes));
    // What was before: the adapter reported one change.
    let past: Vec<_> = told.past.iter().map(|one| (one.at_ms, one.prefill.desired)).collect();
    assert_eq!(past, [(at(20, 0) - 1, Some(1)), (at(20, 0), Some(2))]);
    assert_eq!(status.decisions, []);
}

#[tokio::test]
async fn a_worker_that_comes_to_serve_and_one_that_leaves() {
    let fake = Fake::start("airline").await;
    let mut source = source(&fake);
    first(&mut source).await;
    fake.edit("pods", "airline-prefill-1", |pod| {
        pod["status"] = json!({"phase": "Running", "conditions": [
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-03-01T10:20:02Z"},
            {"type": "Ready", "status": "True", "lastTransitionTime": "2026-03-01T10:23:01Z"}]});
    });
    fake.edit("dynamographdeployments", "airline", |graph| {
        graph["status"]["state"] = json!("successful");
        graph["status"]["components"]["prefill"]["availableReplicas"] = json!(2);
        graph["status"]["components"]["prefill"]["readyReplicas"] = json!(2);
    });
    let told = status(&mut source, |status| {
        let prefill = pool(status, Role::Prefill);
        prefill.count.ready == Some(2) && prefill.workers[1].state == WorkerState::Ready
    })
    .await;
    let prefill = pool(&told, Role::Prefill);
    assert_eq!((prefill.count.starting, prefill.since_ms), (Some(0), Some(at(23, 1))));
    assert_eq!((prefill.workers[1].start_ms, prefill.workers[1].why.as_deref()), (Some(180_000), None));
    assert_eq!((told.gpus.used, told.gpus.starting), (Some(3), Some(0)));

    // The adapter's wish leads; the pod ends; then it is gone.
    fake.edit("dynamographdeploymentscalingadapters", "airline-prefill", |adapter| {
        adapter["spec"]["replicas"] = json!(1);
    });
    let told = status(&mut source, |status| pool(status, Role::Prefill).count.desired == Some(1)).await;
    assert_eq!(pool(&told, Role::Prefill).count.ready, Some(2));
    fake.edit("pods", "airline-prefill-1", |pod| {
        pod["metadata"]["deletionTimestamp"] = json!("2026-03-01T10:30:30Z");
        pod["metadata"]["deletionGracePeriodSeconds"] = json!(30);
    });
    let told = status(&mut source, |status| pool(status, Role::Prefill).count.draining == Some(1)).await;
    let worker = &pool(&told, Role::Prefill).workers[1];
    assert_eq!((worker.state, worker.since_ms), (WorkerState::Draining, Some(at(30, 0))));
    fake.delete("pods", "airline-prefill-1");
    let told = status(&mut source, |status| pool(status, Role::Prefill).count.draining == Some(0)).await;
    assert_eq!(pool(&told, Role::Prefill).workers.len(), 1);
}

#[tokio::test]
async fn events_and_the_planners_settings_follow() {
    let fake = Fake::start("airline").await;
    let mut source = source(&fake);
    first(&mut source).await;
    fake.put(json!({"apiVersion": "events.k8s.io/v1", "kind": "Event",
        "metadata": {"name": "airline-prefill.failed", "namespace": "serving"},
        "eventTime": "2026-03-01T10:25:00Z", "type": "Warning", "reason": "UpdateFailed",
        "note": "Failed to update DGD airline: conflict",
        "regarding": {"kind": "DynamoGraphDeploymentScalingAdapter", "name": "airline-prefill"}}));
    let told = status(&mut source, |status| status.events.len() == 3).await;
    let last = told.events.last().unwrap();
    assert_eq!((last.reason.as_str(), last.warning, last.at_ms), ("UpdateFailed", true, at(25, 0)));
    fake.edit("configmaps", "planner-config-airline", |map| {
        map["data"]["planner_config.json"] = json!("{\"max_gpu_budget\": 4}");
    });
    let told = status(&mut source, |status| status.gpus.most == Some(4)).await;
    assert_eq!(told.slo.ttft_ms, Some(500.0), "the request's target, now that the configuration has none");
}

#[tokio::test]
async fn the_older_version_is_read_where_there_is_no_newer() {
    let fake = Fake::start("alpha").await;
    let told = first(&mut source(&fake)).await;
    let deployment = &told.status.deployment;
    assert_eq!(deployment.name.as_deref(), Some("chat"));
    assert_eq!(deployment.model.as_deref(), Some("Qwen/Qwen3-8B"));
    assert_eq!(deployment.rollout.as_deref(), Some("Completed"));
    assert_eq!(deployment.request.as_ref().unwrap().phase.as_deref(), Some("Ready"));
    let workers = pool(&told.status, Role::Agg);
    assert_eq!(
        (workers.count.desired, workers.count.ready, workers.count.starting),
        (Some(3), Some(3), Some(0))
    );
    assert_eq!(workers.gpus_per_replica, Some(2));
    assert_eq!(workers.workers.iter().map(|one| one.start_ms.unwrap()).max(), Some(240_000));
    assert_eq!((told.status.gpus.used, told.status.gpus.most), (Some(6), None));
}

#[tokio::test]
async fn workers_over_several_nodes_are_one_each() {
    let fake = Fake::start("grove").await;
    let told = first(&mut source(&fake)).await.status;
    let decode = pool(&told, Role::Decode);
    assert_eq!(decode.count.desired.zip(decode.count.ready), Some((2, 1)));
    assert_eq!((decode.count.scheduled, decode.count.starting), (Some(2), Some(1)));
    assert_eq!(decode.gpus_per_replica, Some(16));
    let names: Vec<_> = decode.workers.iter().map(|one| (one.name.as_str(), one.state)).collect();
    assert_eq!(names, [("wide-0-decode-0", WorkerState::Ready), ("wide-0-decode-1", WorkerState::Failed)]);
    let fallen = &decode.workers[1];
    assert_eq!(fallen.since_ms, Some(at(14, 0)));
    assert_eq!(
        fallen.why.as_deref(),
        Some("wide-0-decode-1-decode-wkr-0: CrashLoopBackOff: back-off 40s restarting failed container")
    );
    assert_eq!(pool(&told, Role::Prefill).gpus_per_replica, Some(4));
    assert_eq!((told.gpus.used, told.gpus.starting), (Some(20), Some(16)));
}

#[tokio::test]
async fn a_worker_without_a_node_says_why() {
    let fake = Fake::start("unschedulable").await;
    let told = first(&mut source(&fake)).await.status;
    let prefill = pool(&told, Role::Prefill);
    assert_eq!(
        (prefill.count.desired, prefill.count.ready, prefill.count.scheduled),
        (Some(2), Some(1), Some(1))
    );
    assert_eq!(prefill.count.starting, Some(1));
    let worker = prefill.workers.iter().find(|one| one.name == "full-prefill-1").unwrap();
    assert_eq!(worker.state, WorkerState::Waiting);
    let why = "FailedScheduling: 0/8 nodes available: insufficient nvidia.com/gpu";
    assert_eq!(worker.why.as_deref(), Some(why));
    let event = told.events.iter().find(|one| one.about == "Pod/full-prefill-1").unwrap();
    assert_eq!((event.warning, event.reason.as_str()), (true, "FailedScheduling"));
    assert_eq!(event.message, "0/8 nodes available: insufficient nvidia.com/gpu");
    assert_eq!(told.deployment.ready.unwrap().reason.as_deref(), Some("insufficient_capacity"));
}

#[tokio::test]
async fn without_pods_only_what_the_operator_counts_is_told() {
    let fake = Fake::start("airline").await;
    fake.wrong("pods", Wrong::Status(403));
    let told = first(&mut source(&fake)).await;
    assert_eq!(told.trouble, Some(Trouble::Forbidden { what: "pods in namespace serving".to_owned() }));
    let prefill = pool(&told.status, Role::Prefill);
    let count =
        Count { desired: Some(2), scheduled: None, starting: Some(1), ready: Some(1), draining: None };
    assert_eq!((prefill.count, prefill.workers.len()), (count, 0));
}

/// The hub makes decisions of what is told; nothing here may know better than it does.
#[tokio::test]
async fn the_hub_is_left_to_see_who_decided() {
    let fake = Fake::start("airline").await;
    let mut source = source(&fake);
    first(&mut source).await;
    fake.edit("dynamographdeployments", "airline", |graph| {
        graph["spec"]["components"][3]["replicas"] = json!(4);
    });
    fake.delete("dynamographdeploymentscalingadapters", "airline-decode");
    let told = status(&mut source, |status| pool(status, Role::Decode).count.desired == Some(4)).await;
    assert_eq!(told.decisions, []);
}
