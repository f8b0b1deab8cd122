//! One status of two sources: traffic, latencies and the planner's words from Prometheus; deployment, replicas,
//! workers and events from Kubernetes. What only one of them knows is taken from that one.

use engine::cluster::{
    ClusterStatus, Count, Deployment, Gpus, Latency, Measured, PlannerSays, Pool, Role, Signal, Slo, Traffic,
};

/// A status, and whether its source answers at the moment.
type Told<'a> = (&'a ClusterStatus, bool);

/// The whole of what both know.
pub(crate) fn merge(prometheus: Told<'_>, kubernetes: Told<'_>) -> ClusterStatus {
    let ((figures, figures_live), (cluster, cluster_live)) = (prometheus, kubernetes);
    // Replica counts that are old give way to counts that are not.
    let counts = if cluster_live || !figures_live { Prefer::Cluster } else { Prefer::Figures };
    ClusterStatus {
        now_ms: figures.now_ms.max(cluster.now_ms),
        simulated: None,
        deployment: deployment(&cluster.deployment, &figures.deployment),
        slo: Slo {
            ttft_ms: figures.slo.ttft_ms.or(cluster.slo.ttft_ms),
            itl_ms: figures.slo.itl_ms.or(cluster.slo.itl_ms),
        },
        pools: pools(figures, cluster, counts),
        gpus: Gpus {
            used: cluster.gpus.used.or(figures.gpus.used),
            starting: cluster.gpus.starting.or(figures.gpus.starting),
            most: cluster.gpus.most.or(figures.gpus.most),
            fewest: cluster.gpus.fewest.or(figures.gpus.fewest),
        },
        observed: traffic(&figures.observed, &cluster.observed),
        predicted: traffic(&figures.predicted, &cluster.predicted),
        estimated: Latency {
            ttft_ms: figures.estimated.ttft_ms.or(cluster.estimated.ttft_ms),
            itl_ms: figures.estimated.itl_ms.or(cluster.estimated.itl_ms),
        },
        attainment: figures.attainment.or(cluster.attainment),
        planner: planner(&figures.planner, &cluster.planner),
        decisions: longer(&cluster.decisions, &figures.decisions),
        events: longer(&cluster.events, &figures.events),
        signals: signals(figures, cluster, counts),
    }
}

/// Whose replica counts are believed.
#[derive(Clone, Copy, PartialEq)]
enum Prefer {
    Cluster,
    Figures,
}

fn longer<T: Clone>(first: &[T], second: &[T]) -> Vec<T> {
    if first.is_empty() { second } else { first }.to_vec()
}

fn deployment(cluster: &Deployment, figures: &Deployment) -> Deployment {
    let either = |of: fn(&Deployment) -> &Option<String>| of(cluster).clone().or_else(|| of(figures).clone());
    Deployment {
        name: either(|of| &of.name),
        namespace: either(|of| &of.namespace),
        model: either(|of| &of.model),
        system: either(|of| &of.system),
        state: either(|of| &of.state),
        ready: cluster.ready.clone().or_else(|| figures.ready.clone()),
        rollout: either(|of| &of.rollout),
        request: cluster.request.clone().or_else(|| figures.request.clone()),
        observed: cluster.observed.or(figures.observed),
    }
}

fn traffic(first: &Traffic, second: &Traffic) -> Traffic {
    Traffic {
        requests_per_sec: first.requests_per_sec.or(second.requests_per_sec),
        isl: first.isl.or(second.isl),
        osl: first.osl.or(second.osl),
        ttft_ms: first.ttft_ms.or(second.ttft_ms),
        itl_ms: first.itl_ms.or(second.itl_ms),
        kv_hit_rate: first.kv_hit_rate.or(second.kv_hit_rate),
        in_flight: first.in_flight.or(second.in_flight),
    }
}

fn planner(figures: &PlannerSays, cluster: &PlannerSays) -> PlannerSays {
    let either =
        |of: fn(&PlannerSays) -> &Option<String>| of(figures).clone().or_else(|| of(cluster).clone());
    PlannerSays {
        load: either(|of| &of.load),
        load_prefill: either(|of| &of.load_prefill),
        load_decode: either(|of| &of.load_decode),
        throughput: either(|of| &of.throughput),
        at_ms: figures.at_ms.or(cluster.at_ms),
        gpu_hours: figures.gpu_hours.or(cluster.gpu_hours),
    }
}

fn pools(figures: &ClusterStatus, cluster: &ClusterStatus, counts: Prefer) -> Vec<Pool> {
    // The planner counts aggregated workers as decode; only Kubernetes knows better.
    let aggregated = cluster.pool(Role::Agg).is_some() && cluster.pool(Role::Decode).is_none();
    let named = |pool: &Pool| match pool.role {
        Role::Decode if aggregated => Role::Agg,
        role => role,
    };
    [Role::Prefill, Role::Decode, Role::Agg]
        .into_iter()
        .filter_map(|role| {
            let of_figures = figures.pools.iter().find(|pool| named(pool) == role);
            match (of_figures, cluster.pool(role)) {
                (Some(figures), Some(cluster)) => Some(pool(figures, cluster, counts)),
                (Some(only), None) | (None, Some(only)) => Some(Pool { role, ..only.clone() }),
                (None, None) => None,
            }
        })
        .collect()
}

fn pool(figures: &Pool, cluster: &Pool, counts: Prefer) -> Pool {
    let count = match counts {
        Prefer::Cluster => fill(cluster.count, figures.count),
        Prefer::Figures if figures.count == Count::default() => cluster.count,
        Prefer::Figures => figures.count,
    };
    Pool {
        role: cluster.role,
        name: cluster.name.clone().or_else(|| figures.name.clone()),
        count,
        gpus_per_replica: cluster.gpus_per_replica.or(figures.gpus_per_replica),
        since_ms: if counts == Prefer::Cluster {
            cluster.since_ms.or(figures.since_ms)
        } else {
            figures.since_ms
        },
        lower_bound: figures.lower_bound.or(cluster.lower_bound),
        capacity_per_sec: figures.capacity_per_sec.or(cluster.capacity_per_sec),
        queued_tokens: figures.queued_tokens.or(cluster.queued_tokens),
        kv_usage: figures.kv_usage.or(cluster.kv_usage),
        workers: longer(&cluster.workers, &figures.workers),
    }
}

fn fill(first: Count, second: Count) -> Count {
    Count {
        desired: first.desired.or(second.desired),
        scheduled: first.scheduled.or(second.scheduled),
        starting: first.starting.or(second.starting),
        ready: first.ready.or(second.ready),
        draining: first.draining.or(second.draining),
    }
}

/// Each group of figures with the age of the source it was taken from.
fn signals(figures: &ClusterStatus, cluster: &ClusterStatus, counts: Prefer) -> Vec<Signal> {
    let (first, second) = (&figures.signals, &cluster.signals);
    [Measured::Traffic, Measured::Replicas, Measured::Planner, Measured::Engines]
        .into_iter()
        .filter_map(|what| {
            let of = |signals: &[Signal]| signals.iter().find(|signal| signal.what == what).cloned();
            match (what, counts) {
                (Measured::Replicas, Prefer::Cluster) => of(second).or_else(|| of(first)),
                _ => of(first).or_else(|| of(second)),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::cluster::{Event, SourceKind, Worker, WorkerState};

    fn pool(role: Role, desired: Option<u32>, ready: Option<u32>) -> Pool {
        Pool {
            role,
            name: None,
            count: Count { desired, ready, ..Count::default() },
            gpus_per_replica: None,
            since_ms: None,
            lower_bound: None,
            capacity_per_sec: None,
            queued_tokens: None,
            kv_usage: None,
            workers: Vec::new(),
        }
    }

    fn signal(what: Measured, at_ms: u64, source: SourceKind) -> Signal {
        Signal { what, at_ms, source }
    }

    /// What Prometheus tells, and what Kubernetes tells of the same deployment.
    fn both() -> (ClusterStatus, ClusterStatus) {
        let mut prefill = pool(Role::Prefill, Some(2), Some(1));
        prefill.capacity_per_sec = Some(5.4);
        let figures = ClusterStatus {
            now_ms: 1_000,
            deployment: Deployment { model: Some("m".into()), ..Deployment::default() },
            pools: vec![prefill, pool(Role::Decode, Some(1), Some(1))],
            observed: Traffic { requests_per_sec: Some(2.0), ttft_ms: Some(400.0), ..Traffic::default() },
            planner: PlannerSays { load: Some("scale_up".into()), ..PlannerSays::default() },
            signals: vec![
                signal(Measured::Traffic, 990, SourceKind::Prometheus),
                signal(Measured::Replicas, 980, SourceKind::Prometheus),
            ],
            ..ClusterStatus::default()
        };
        let mut prefill = pool(Role::Prefill, Some(3), Some(2));
        prefill.count.starting = Some(1);
        prefill.gpus_per_replica = Some(4);
        prefill.workers = vec![Worker {
            name: "prefill-1".into(),
            state: WorkerState::Starting,
            since_ms: None,
            start_ms: None,
            why: None,
        }];
        let event = Event {
            at_ms: 5,
            warning: true,
            about: "Pod/prefill-1".into(),
            reason: "FailedScheduling".into(),
            message: "0/3 nodes".into(),
        };
        let cluster = ClusterStatus {
            now_ms: 900,
            deployment: Deployment { name: Some("airline".into()), ..Deployment::default() },
            pools: vec![prefill, pool(Role::Agg, Some(1), Some(1))],
            gpus: Gpus { used: Some(9), ..Gpus::default() },
            events: vec![event],
            signals: vec![signal(Measured::Replicas, 900, SourceKind::Kubernetes)],
            ..ClusterStatus::default()
        };
        (figures, cluster)
    }

    #[test]
    fn each_source_tells_what_it_knows_best() {
        let (figures, cluster) = both();
        let merged = merge((&figures, true), (&cluster, true));
        assert_eq!((merged.now_ms, merged.observed.ttft_ms, merged.gpus.used), (1_000, Some(400.0), Some(9)));
        assert_eq!(merged.deployment.name.as_deref(), Some("airline"));
        assert_eq!(merged.deployment.model.as_deref(), Some("m"));
        assert_eq!(merged.planner.load.as_deref(), Some("scale_up"));
        let prefill = merged.pool(Role::Prefill).unwrap();
        assert_eq!((prefill.count.desired, prefill.count.ready), (Some(3), Some(2)));
        assert_eq!((prefill.capacity_per_sec, prefill.gpus_per_replica), (Some(5.4), Some(4)));
        assert_eq!((prefill.workers.len(), merged.events.len()), (1, 1));
        // The planner's decode workers are aggregated ones, as Kubernetes knows.
        assert_eq!(merged.pools.iter().map(|pool| pool.role).collect::<Vec<_>>(), [Role::Prefill, Role::Agg]);
        let of = |what| merged.signals.iter().find(|signal| signal.what == what).cloned();
        assert_eq!(of(Measured::Replicas).map(|signal| signal.source), Some(SourceKind::Kubernetes));
        assert_eq!(of(Measured::Traffic).map(|signal| signal.at_ms), Some(990));
        assert_eq!(of(Measured::Planner), None);
    }

    #[test]
    fn counts_that_age_give_way_to_counts_that_do_not() {
        let (figures, cluster) = both();
        let merged = merge((&figures, true), (&cluster, false));
        let prefill = merged.pool(Role::Prefill).unwrap();
        assert_eq!((prefill.count.ready, prefill.count.starting), (Some(1), None));
        assert_eq!(prefill.workers.len(), 1, "what only one knows stays");
        let replicas = merged.signals.iter().find(|signal| signal.what == Measured::Replicas);
        assert_eq!(replicas.map(|signal| signal.source), Some(SourceKind::Prometheus));
        let neither = merge((&figures, false), (&cluster, false));
        assert_eq!(neither.pool(Role::Prefill).unwrap().count.ready, Some(2));
    }
}
