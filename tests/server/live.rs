//! Sources that tell what a test wants, and statuses with something in every field.

use engine::cluster::*;
use server::Hub;
use server::source::{PlannerSource, SourceError, Update};
use tokio::sync::mpsc;

pub(crate) type Told = Result<Update, SourceError>;

/// Stands for Prometheus; says what it is sent, and nothing when it is sent nothing.
pub(crate) struct Figures(mpsc::UnboundedReceiver<Told>);
/// Stands for Kubernetes.
pub(crate) struct Cluster(mpsc::UnboundedReceiver<Told>);
/// Stands for a story.
pub(crate) struct Story(mpsc::UnboundedReceiver<Told>);

async fn heard(from: &mut mpsc::UnboundedReceiver<Told>) -> Told {
    match from.recv().await {
        Some(told) => told,
        None => std::future::pending().await,
    }
}

macro_rules! scripted {
    ($($name:ident is $kind:ident),*) => {$(
        impl PlannerSource for $name {
            const KIND: SourceKind = SourceKind::$kind;

            async fn next(&mut self) -> Told {
                heard(&mut self.0).await
            }
        }

        impl $name {
            pub(crate) fn new(told: mpsc::UnboundedReceiver<Told>) -> Self {
                Self(told)
            }

            /// Adds such a source to the hub and returns its mouth.
            pub(crate) fn of(hub: &Hub) -> mpsc::UnboundedSender<Told> {
                let (tell, told) = mpsc::unbounded_channel();
                tokio::spawn(hub.drive(Self::new(told), 1));
                tell
            }
        }
    )*};
}

scripted!(Figures is Prometheus, Cluster is Kubernetes, Story is Simulated);

/// Waits until the hub's snapshot is as wanted.
pub(crate) async fn until(hub: &Hub, wanted: impl Fn(&Snapshot) -> bool) -> Snapshot {
    let mut news = hub.subscribe();
    let found = news.wait_for(|published| wanted(&published.snapshot)).await.unwrap();
    found.snapshot.clone()
}

/// A status of this moment, with this many requests per second and one prefill worker of so many asked for.
pub(crate) fn status(now_ms: u64, requests_per_sec: f64, desired: u32) -> ClusterStatus {
    let count = Count { desired: Some(desired), ready: Some(1), ..Count::default() };
    let pool = Pool { count, workers: Vec::new(), ..full_pool() };
    ClusterStatus {
        now_ms,
        pools: vec![pool],
        observed: Traffic { requests_per_sec: Some(requests_per_sec), ..Traffic::default() },
        ..ClusterStatus::default()
    }
}

fn full_pool() -> Pool {
    let worker = Worker {
        name: "prefill-0".to_owned(),
        state: WorkerState::Starting,
        since_ms: Some(1),
        start_ms: Some(2),
        why: Some("ContainerCreating".into()),
    };
    Pool {
        role: Role::Prefill,
        name: Some("prefill".into()),
        count: Count {
            desired: Some(3),
            scheduled: Some(2),
            starting: Some(1),
            ready: Some(1),
            draining: Some(0),
        },
        gpus_per_replica: Some(4),
        since_ms: Some(5),
        lower_bound: Some(1),
        capacity_per_sec: Some(5.4),
        queued_tokens: Some(12.0),
        kv_usage: Some(0.5),
        workers: vec![worker],
    }
}

pub(crate) fn full_decision() -> Decision {
    Decision {
        at_ms: 7,
        role: Role::Prefill,
        from: 1,
        to: 2,
        ready: Some(1),
        by: Loop::Load,
        reason: Some("scale_up".into()),
        estimated: Latency { ttft_ms: Some(1.0), itl_ms: Some(2.0) },
        cancels: false,
        ready_ms: Some(9),
    }
}

/// A status with something in every field.
pub(crate) fn full_status() -> ClusterStatus {
    let traffic = Traffic {
        requests_per_sec: Some(2.0),
        isl: Some(3_000.0),
        osl: Some(150.0),
        ttft_ms: Some(400.0),
        itl_ms: Some(20.0),
        kv_hit_rate: Some(0.25),
        in_flight: Some(7.0),
    };
    ClusterStatus {
        now_ms: 10,
        simulated: Some(Simulated { speed: 20.0, length_ms: 1_000, round: 1 }),
        deployment: Deployment {
            name: Some("airline".into()),
            namespace: Some("serving".into()),
            model: Some("m".into()),
            system: Some("h200_sxm".into()),
            state: Some("pending".into()),
            ready: Some(Condition {
                status: "False".to_owned(),
                reason: Some("pods_not_ready".into()),
                message: Some("…".into()),
                since_ms: Some(3),
            }),
            rollout: Some("InProgress".into()),
            request: Some(Request {
                name: "r".to_owned(),
                phase: Some("Ready".into()),
                profiling: Some("Done".into()),
            }),
            observed: Some(true),
        },
        slo: Slo { ttft_ms: Some(500.0), itl_ms: Some(30.0) },
        pools: vec![full_pool()],
        gpus: Gpus { used: Some(4), starting: Some(4), most: Some(8), fewest: Some(2) },
        observed: traffic,
        predicted: traffic,
        estimated: Latency { ttft_ms: Some(1.0), itl_ms: Some(2.0) },
        attainment: Some(0.9),
        planner: PlannerSays {
            load: Some("scale_up".into()),
            load_prefill: Some("scale_up".into()),
            load_decode: Some("no_change".into()),
            throughput: Some("disabled".into()),
            at_ms: Some(9),
            gpu_hours: Some(1.5),
        },
        decisions: vec![full_decision()],
        events: vec![Event {
            at_ms: 4,
            warning: true,
            about: "Pod/prefill-1".to_owned(),
            reason: "FailedScheduling".to_owned(),
            message: "0/3 nodes\nare\r\navailable".to_owned(),
        }],
        signals: vec![Signal { what: Measured::Traffic, at_ms: 8, source: SourceKind::Prometheus }],
    }
}
