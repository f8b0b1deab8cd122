//! What was before this server watched, as far as adapters reported it: when which replicas were asked for.

use std::collections::BTreeMap;

use engine::cluster::{Count, Pool, Role, Sample, WorkerState};

use super::facts::Event;

/// The moments that adapters reported, oldest first: just before and at each change, and when the workers of the last
/// change of a role served. Of other figures of that time nothing is known.
pub(super) fn past(scaled: &[&Event], pools: &[Pool]) -> Vec<Sample> {
    let mut changes: Vec<(u64, Role, u32, u32)> = scaled
        .iter()
        .filter_map(|event| {
            let (component, from, to) = event.scaled()?;
            let pool = pools.iter().find(|pool| pool.name.as_deref() == Some(component))?;
            Some((event.at_ms, pool.role, from, to))
        })
        .collect();
    changes.sort_unstable();
    let mut known: BTreeMap<Role, Count> = BTreeMap::new();
    let mut samples = Vec::new();
    for (at_ms, role, from, to) in changes {
        for (at_ms, desired) in [(at_ms.saturating_sub(1), from), (at_ms, to)] {
            known.insert(role, Count { desired: Some(desired), ..Count::default() });
            samples.push(sample(at_ms, &known));
        }
    }
    for pool in pools {
        let Some(at_ms) = samples.last().and_then(|last| served(pool, &known, last)) else { continue };
        known.insert(
            pool.role,
            Count { desired: pool.count.desired, ready: pool.count.ready, ..Count::default() },
        );
        samples.push(sample(at_ms, &known));
    }
    samples
}

/// When the last workers of a role came to serve, if that was after everything else that is known.
fn served(pool: &Pool, known: &BTreeMap<Role, Count>, last: &Sample) -> Option<u64> {
    let desired = known.get(&pool.role)?.desired?;
    let whole = pool.count.desired == Some(desired) && pool.count.ready == Some(desired);
    let ready = pool.workers.iter().filter(|worker| worker.state == WorkerState::Ready);
    let newest = ready.filter_map(|worker| worker.since_ms).max();
    newest.filter(|&at| whole && at >= last.at_ms)
}

fn sample(at_ms: u64, known: &BTreeMap<Role, Count>) -> Sample {
    let of = |role: Role| known.get(&role).copied();
    Sample {
        at_ms,
        prefill: of(Role::Prefill).unwrap_or_default(),
        decode: of(Role::Decode).or_else(|| of(Role::Agg)).unwrap_or_default(),
        ..Sample::default()
    }
}

#[cfg(test)]
mod tests {
    use engine::cluster::Worker;

    use super::*;

    fn pool(role: Role, name: &str, desired: u32, ready_ms: u64) -> Pool {
        let worker = Worker {
            name: "w".to_owned(),
            state: WorkerState::Ready,
            since_ms: Some(ready_ms),
            start_ms: None,
            why: None,
        };
        Pool {
            role,
            name: Some(name.to_owned()),
            count: Count { desired: Some(desired), ready: Some(desired), ..Count::default() },
            gpus_per_replica: None,
            since_ms: None,
            lower_bound: None,
            capacity_per_sec: None,
            queued_tokens: None,
            kv_usage: None,
            workers: vec![worker],
        }
    }

    fn event(at_ms: u64, message: &str) -> Event {
        Event {
            at_ms,
            warning: false,
            kind: "DynamoGraphDeploymentScalingAdapter".to_owned(),
            name: "a-prefill".to_owned(),
            reason: "Scaled".to_owned(),
            message: message.to_owned(),
        }
    }

    #[test]
    fn reported_changes_become_moments() {
        let pools = [pool(Role::Prefill, "prefill", 2, 9_000), pool(Role::Agg, "w", 1, 8_000)];
        let (first, second) = (
            event(5_000, "Scaled component prefill from 1 to 2 replicas"),
            event(3_000, "Scaled component w from 4 to 1 replicas"),
        );
        let other = event(1, "Scaled component gone from 4 to 1 replicas");
        let samples = past(&[&first, &second, &other], &pools);
        let seen: Vec<_> = samples
            .iter()
            .map(|one| (one.at_ms, one.prefill.desired, one.prefill.ready, one.decode.desired))
            .collect();
        assert_eq!(
            seen,
            [
                (2_999, None, None, Some(4)),
                (3_000, None, None, Some(1)),
                (4_999, Some(1), None, Some(1)),
                (5_000, Some(2), None, Some(1)),
                (9_000, Some(2), Some(2), Some(1)),
            ]
        );
        assert_eq!(past(&[], &pools), []);
    }
}
