//! Workers of a component, made of its pods: one pod each, or several where a worker spans nodes.

use std::collections::BTreeMap;

use engine::cluster::{Worker, WorkerState};

use super::facts::{Component, Event, Phase, Pod};

/// The workers of a component, by name.
pub(super) fn of<'a>(
    component: &Component,
    pods: impl Iterator<Item = &'a Pod>,
    warnings: &BTreeMap<&str, &Event>,
) -> Vec<Worker> {
    let mut groups: BTreeMap<&str, Vec<&Pod>> = BTreeMap::new();
    for pod in pods.filter(|pod| belongs(pod, component)) {
        groups.entry(pod.group.as_deref().unwrap_or(&pod.name)).or_default().push(pod);
    }
    groups.into_iter().map(|(name, pods)| worker(name, &pods, component, warnings)).collect()
}

/// How many workers have a node for each of their pods, those that end left out.
pub(super) fn scheduled<'a>(component: &Component, pods: impl Iterator<Item = &'a Pod>) -> u32 {
    let mut groups: BTreeMap<&str, (bool, u32)> = BTreeMap::new();
    for pod in pods.filter(|pod| belongs(pod, component)) {
        let (all, count) = groups.entry(pod.group.as_deref().unwrap_or(&pod.name)).or_insert((true, 0));
        *all &= pod.scheduled && pod.phase != Phase::Ending;
        *count += 1;
    }
    let all = groups.values().filter(|(all, count)| *all && *count >= component.nodes).count();
    u32::try_from(all).unwrap_or(u32::MAX)
}

/// Labels carry the name as it is written or in lower case.
fn belongs(pod: &Pod, component: &Component) -> bool {
    pod.component.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(&component.name))
}

fn worker(name: &str, pods: &[&Pod], component: &Component, warnings: &BTreeMap<&str, &Event>) -> Worker {
    let grouped = pods.iter().any(|pod| pod.group.is_some());
    let worst = pods.iter().map(|pod| pod.phase).max().unwrap_or(Phase::Waiting);
    // A worker whose pods are not all there yet does not serve, however well those are that are.
    let short = grouped && u32::try_from(pods.len()).is_ok_and(|have| have < component.nodes);
    let phase = if short { worst.max(Phase::Starting) } else { worst };
    let state = match phase {
        Phase::Ready => WorkerState::Ready,
        Phase::Starting => WorkerState::Starting,
        Phase::Waiting => WorkerState::Waiting,
        Phase::Failed => WorkerState::Failed,
        Phase::Ending => WorkerState::Draining,
    };
    let first_ready: Option<Vec<u64>> = pods.iter().map(|pod| pod.first_ready_ms).collect();
    let created = pods.iter().filter_map(|pod| pod.created_ms).min();
    let ready_ms = first_ready.and_then(|all| all.into_iter().max()).filter(|_| state == WorkerState::Ready);
    let hindered =
        || pods.iter().filter(|pod| pod.phase == worst).find_map(|pod| why(pod, grouped, warnings));
    Worker {
        name: name.to_owned(),
        state,
        since_ms: pods.iter().filter(|pod| pod.phase == worst).filter_map(|pod| pod.since_ms).max(),
        start_ms: ready_ms.zip(created).map(|(ready, created)| ready.saturating_sub(created)),
        why: (!matches!(state, WorkerState::Ready | WorkerState::Draining)).then(hindered).flatten(),
    }
}

/// Why a pod is not ready: what its status says, or else the last warning about it.
fn why(pod: &Pod, grouped: bool, warnings: &BTreeMap<&str, &Event>) -> Option<String> {
    let warned =
        || warnings.get(pod.name.as_str()).map(|event| format!("{}: {}", event.reason, event.message));
    let why = pod.why.clone().or_else(warned)?;
    Some(if grouped { format!("{}: {why}", pod.name) } else { why })
}
