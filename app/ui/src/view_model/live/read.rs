//! Reads what the server says. Field by field rather than by derived code, which would be a tenth of the page.
//!
//! What is not told, or is of another kind than promised, is unknown; only what nothing can be shown without is asked for.

use engine::cluster::{
    ClusterStatus, Condition, Count, Decision, Deployment, Event, Gpus, Health, History, Latency, Loop,
    Measured, PlannerSays, Pool, Request, Role, Sample, Signal, Simulated, Slo, Snapshot, Source, SourceKind,
    Traffic, Trouble, Worker, WorkerState,
};
use engine::text::Message;
use serde_json::Value;

/// Why an answer cannot be read.
type Wrong = String;

fn num(from: &Value, name: &str) -> Option<f64> {
    from.get(name)?.as_f64()
}

fn whole(from: &Value, name: &str) -> Option<u64> {
    from.get(name)?.as_u64()
}

fn small(from: &Value, name: &str) -> Option<u32> {
    whole(from, name).and_then(|value| u32::try_from(value).ok())
}

fn text(from: &Value, name: &str) -> Option<String> {
    from.get(name)?.as_str().map(str::to_owned)
}

fn word<'a>(from: &'a Value, name: &str) -> &'a str {
    from.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(from: &'a Value, name: &str) -> &'a [Value] {
    from.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn part<'a>(from: &'a Value, name: &str) -> &'a Value {
    from.get(name).unwrap_or(&Value::Null)
}

fn known<'a>(from: &'a Value, name: &str) -> Option<&'a Value> {
    from.get(name).filter(|value| value.is_object())
}

fn need<T>(value: Option<T>, name: &str) -> Result<T, Wrong> {
    value.ok_or_else(|| format!("`{name}` is missing or of another kind"))
}

/// The answer as a tree.
pub fn tree(text: &str) -> Result<Value, Wrong> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// A message of the server, where it is one.
pub fn message(from: &Value) -> Option<Message> {
    Some(Message {
        title: text(from, "title")?,
        detail: text(from, "detail").unwrap_or_default(),
        action: text(from, "action").unwrap_or_default(),
    })
}

/// `/api/cluster`, and every event.
pub fn snapshot(from: &Value) -> Result<Snapshot, Wrong> {
    let sources = list(from, "sources").iter().map(source).collect::<Result<_, _>>()?;
    Ok(Snapshot {
        schema: need(small(from, "schema"), "schema")?,
        seq: need(whole(from, "seq"), "seq")?,
        at_ms: need(whole(from, "at_ms"), "at_ms")?,
        sources,
        status: known(from, "status").map(status).transpose()?,
    })
}

/// `/api/cluster/history`.
pub fn history(from: &Value) -> Result<History, Wrong> {
    Ok(History {
        schema: need(small(from, "schema"), "schema")?,
        step_ms: need(whole(from, "step_ms"), "step_ms")?,
        samples: list(from, "samples").iter().map(sample).collect::<Result<_, _>>()?,
        decisions: list(from, "decisions").iter().map(decision).collect::<Result<_, _>>()?,
    })
}

fn source_kind(word: &str) -> Option<SourceKind> {
    Some(match word {
        "simulated" => SourceKind::Simulated,
        "prometheus" => SourceKind::Prometheus,
        "kubernetes" => SourceKind::Kubernetes,
        _ => return None,
    })
}

fn source(from: &Value) -> Result<Source, Wrong> {
    Ok(Source {
        kind: need(source_kind(word(from, "kind")), "kind")?,
        health: match word(from, "health") {
            "live" => Health::Live,
            "stale" => Health::Stale,
            "down" => Health::Down,
            _ => Health::Starting,
        },
        since_ms: whole(from, "since_ms").unwrap_or_default(),
        heard_ms: whole(from, "heard_ms"),
        retry_ms: whole(from, "retry_ms"),
        trouble: known(from, "trouble").map(trouble),
    })
}

fn trouble(from: &Value) -> Trouble {
    let said = |name| text(from, name).unwrap_or_default();
    match word(from, "kind") {
        "unreachable" => Trouble::Unreachable { url: said("url"), why: said("why") },
        "slow" => Trouble::Slow { url: said("url"), waited_ms: whole(from, "waited_ms").unwrap_or_default() },
        "unauthorized" => Trouble::Unauthorized { url: said("url") },
        "forbidden" => Trouble::Forbidden { what: said("what") },
        "missing" => Trouble::Missing { what: said("what") },
        "throttled" => Trouble::Throttled { url: said("url") },
        "status" => {
            let code = small(from, "code").and_then(|code| u16::try_from(code).ok()).unwrap_or_default();
            Trouble::Status { url: said("url"), code, why: said("why") }
        }
        "empty" => Trouble::Empty { what: said("what") },
        "ambiguous" => {
            let names = list(from, "names").iter().filter_map(Value::as_str);
            Trouble::Ambiguous { names: names.map(str::to_owned).collect() }
        }
        // What a newer server says in words of its own is shown in them.
        _ => Trouble::Malformed { url: said("url"), why: said("why") },
    }
}

fn status(from: &Value) -> Result<ClusterStatus, Wrong> {
    Ok(ClusterStatus {
        now_ms: need(whole(from, "now_ms"), "now_ms")?,
        simulated: known(from, "simulated").map(|told| Simulated {
            speed: num(told, "speed").unwrap_or(1.0),
            length_ms: whole(told, "length_ms").unwrap_or_default(),
            round: whole(told, "round").unwrap_or_default(),
        }),
        deployment: deployment(part(from, "deployment")),
        slo: Slo { ttft_ms: num(part(from, "slo"), "ttft_ms"), itl_ms: num(part(from, "slo"), "itl_ms") },
        pools: list(from, "pools").iter().map(pool).collect::<Result<_, _>>()?,
        gpus: {
            let told = part(from, "gpus");
            Gpus {
                used: small(told, "used"),
                starting: small(told, "starting"),
                most: small(told, "most"),
                fewest: small(told, "fewest"),
            }
        },
        observed: traffic(part(from, "observed")),
        predicted: traffic(part(from, "predicted")),
        estimated: latency(part(from, "estimated")),
        attainment: num(from, "attainment"),
        planner: {
            let told = part(from, "planner");
            PlannerSays {
                load: text(told, "load"),
                load_prefill: text(told, "load_prefill"),
                load_decode: text(told, "load_decode"),
                throughput: text(told, "throughput"),
                at_ms: whole(told, "at_ms"),
                gpu_hours: num(told, "gpu_hours"),
            }
        },
        decisions: list(from, "decisions").iter().map(decision).collect::<Result<_, _>>()?,
        events: list(from, "events").iter().map(event).collect(),
        signals: list(from, "signals").iter().filter_map(signal).collect(),
    })
}

fn deployment(from: &Value) -> Deployment {
    Deployment {
        name: text(from, "name"),
        namespace: text(from, "namespace"),
        model: text(from, "model"),
        system: text(from, "system"),
        state: text(from, "state"),
        ready: known(from, "ready").map(|told| Condition {
            status: text(told, "status").unwrap_or_default(),
            reason: text(told, "reason"),
            message: text(told, "message"),
            since_ms: whole(told, "since_ms"),
        }),
        rollout: text(from, "rollout"),
        request: known(from, "request").map(|told| Request {
            name: text(told, "name").unwrap_or_default(),
            phase: text(told, "phase"),
            profiling: text(told, "profiling"),
        }),
        observed: from.get("observed").and_then(Value::as_bool),
    }
}

fn traffic(from: &Value) -> Traffic {
    Traffic {
        requests_per_sec: num(from, "requests_per_sec"),
        isl: num(from, "isl"),
        osl: num(from, "osl"),
        ttft_ms: num(from, "ttft_ms"),
        itl_ms: num(from, "itl_ms"),
        kv_hit_rate: num(from, "kv_hit_rate"),
        in_flight: num(from, "in_flight"),
    }
}

fn latency(from: &Value) -> Latency {
    Latency { ttft_ms: num(from, "ttft_ms"), itl_ms: num(from, "itl_ms") }
}

fn role(from: &Value) -> Result<Role, Wrong> {
    match word(from, "role") {
        "prefill" => Ok(Role::Prefill),
        "decode" => Ok(Role::Decode),
        "agg" => Ok(Role::Agg),
        other => Err(format!("there is no role `{other}`")),
    }
}

fn count(from: &Value) -> Count {
    Count {
        desired: small(from, "desired"),
        scheduled: small(from, "scheduled"),
        starting: small(from, "starting"),
        ready: small(from, "ready"),
        draining: small(from, "draining"),
    }
}

fn pool(from: &Value) -> Result<Pool, Wrong> {
    Ok(Pool {
        role: role(from)?,
        name: text(from, "name"),
        count: count(part(from, "count")),
        gpus_per_replica: small(from, "gpus_per_replica"),
        since_ms: whole(from, "since_ms"),
        lower_bound: small(from, "lower_bound"),
        capacity_per_sec: num(from, "capacity_per_sec"),
        queued_tokens: num(from, "queued_tokens"),
        kv_usage: num(from, "kv_usage"),
        workers: list(from, "workers").iter().map(worker).collect(),
    })
}

fn worker(from: &Value) -> Worker {
    Worker {
        name: text(from, "name").unwrap_or_default(),
        state: match word(from, "state") {
            "waiting" => WorkerState::Waiting,
            "ready" => WorkerState::Ready,
            "draining" => WorkerState::Draining,
            "failed" => WorkerState::Failed,
            _ => WorkerState::Starting,
        },
        since_ms: whole(from, "since_ms"),
        start_ms: whole(from, "start_ms"),
        why: text(from, "why"),
    }
}

fn decision(from: &Value) -> Result<Decision, Wrong> {
    Ok(Decision {
        at_ms: need(whole(from, "at_ms"), "at_ms")?,
        role: role(from)?,
        from: need(small(from, "from"), "from")?,
        to: need(small(from, "to"), "to")?,
        ready: small(from, "ready"),
        by: match word(from, "by") {
            "load" => Loop::Load,
            "throughput" => Loop::Throughput,
            "budget" => Loop::Budget,
            _ => Loop::Seen,
        },
        reason: text(from, "reason"),
        estimated: latency(part(from, "estimated")),
        cancels: from.get("cancels").and_then(Value::as_bool).unwrap_or_default(),
        ready_ms: whole(from, "ready_ms"),
    })
}

fn event(from: &Value) -> Event {
    Event {
        at_ms: whole(from, "at_ms").unwrap_or_default(),
        warning: from.get("warning").and_then(Value::as_bool).unwrap_or_default(),
        about: text(from, "about").unwrap_or_default(),
        reason: text(from, "reason").unwrap_or_default(),
        message: text(from, "message").unwrap_or_default(),
    }
}

fn signal(from: &Value) -> Option<Signal> {
    let what = match word(from, "what") {
        "traffic" => Measured::Traffic,
        "replicas" => Measured::Replicas,
        "planner" => Measured::Planner,
        "engines" => Measured::Engines,
        _ => return None,
    };
    Some(Signal { what, at_ms: whole(from, "at_ms")?, source: source_kind(word(from, "source"))? })
}

fn sample(from: &Value) -> Result<Sample, Wrong> {
    Ok(Sample {
        at_ms: need(whole(from, "at_ms"), "at_ms")?,
        requests_per_sec: num(from, "requests_per_sec"),
        predicted_per_sec: num(from, "predicted_per_sec"),
        capacity_per_sec: num(from, "capacity_per_sec"),
        isl: num(from, "isl"),
        osl: num(from, "osl"),
        ttft_ms: num(from, "ttft_ms"),
        itl_ms: num(from, "itl_ms"),
        estimated_ttft_ms: num(from, "estimated_ttft_ms"),
        estimated_itl_ms: num(from, "estimated_itl_ms"),
        attainment: num(from, "attainment"),
        prefill: count(part(from, "prefill")),
        decode: count(part(from, "decode")),
        queued_tokens: num(from, "queued_tokens"),
        kv_usage: num(from, "kv_usage"),
        gpus: small(from, "gpus"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::simulate::{Run, story};

    /// Everything a status can hold.
    fn full() -> Snapshot {
        let mut run = Run::new(story::storm().setup(story::storm_fleets().unwrap())).unwrap();
        run.advance_to(400_000.0);
        let mut status = run.status();
        let some = |text: &str| Some(text.to_owned());
        status.simulated = Some(Simulated { speed: 20.0, length_ms: 5, round: 2 });
        status.deployment = Deployment {
            name: some("a"),
            namespace: some("b"),
            model: some("c"),
            system: some("d"),
            state: some("e"),
            ready: Some(Condition {
                status: "False".into(),
                reason: some("f"),
                message: some("g"),
                since_ms: Some(7),
            }),
            rollout: some("h"),
            request: Some(Request { name: "i".into(), phase: some("j"), profiling: some("k") }),
            observed: Some(true),
        };
        let states = [WorkerState::Waiting, WorkerState::Draining, WorkerState::Failed];
        status.pools[1].workers.extend(states.map(|state| Worker {
            name: "w".into(),
            state,
            since_ms: None,
            start_ms: Some(4),
            why: some("y"),
        }));
        status.events.push(Event {
            at_ms: 3,
            warning: true,
            about: "p".into(),
            reason: "q".into(),
            message: "r".into(),
        });
        let (url, why, what) = ("u".to_owned(), "w".to_owned(), "x".to_owned());
        let troubles = [
            Trouble::Unreachable { url: url.clone(), why: why.clone() },
            Trouble::Slow { url: url.clone(), waited_ms: 9 },
            Trouble::Unauthorized { url: url.clone() },
            Trouble::Forbidden { what: what.clone() },
            Trouble::Missing { what: what.clone() },
            Trouble::Throttled { url: url.clone() },
            Trouble::Status { url: url.clone(), code: 500, why: why.clone() },
            Trouble::Malformed { url, why },
            Trouble::Empty { what },
            Trouble::Ambiguous { names: vec!["m".into(), "n".into()] },
        ];
        let kinds = [SourceKind::Simulated, SourceKind::Prometheus, SourceKind::Kubernetes];
        let healths = [Health::Starting, Health::Live, Health::Stale, Health::Down];
        let sources = troubles.into_iter().enumerate().map(|(at, trouble)| Source {
            kind: kinds[at % kinds.len()],
            health: healths[at % healths.len()],
            since_ms: 1,
            heard_ms: Some(2),
            retry_ms: None,
            trouble: Some(trouble),
        });
        Snapshot { schema: 1, seq: 8, at_ms: 9, sources: sources.collect(), status: Some(status) }
    }

    #[test]
    fn whatever_is_written_is_read() {
        let told = full();
        assert_eq!(snapshot(&serde_json::to_value(&told).unwrap()), Ok(told.clone()));
        let empty = Snapshot { sources: Vec::new(), status: None, ..told.clone() };
        assert_eq!(snapshot(&serde_json::to_value(&empty).unwrap()), Ok(empty));
        let bare = Snapshot { status: Some(ClusterStatus::default()), ..told.clone() };
        assert_eq!(snapshot(&serde_json::to_value(&bare).unwrap()), Ok(bare));
        let status = told.status.unwrap();
        let all = History {
            schema: 1,
            step_ms: 1000,
            samples: vec![status.sample(), Sample::default()],
            decisions: status.decisions,
        };
        assert!(!all.decisions.is_empty());
        assert_eq!(history(&serde_json::to_value(&all).unwrap()), Ok(all));
    }

    #[test]
    fn what_nothing_can_be_shown_without_is_asked_for() {
        for text in
            ["{}", "[]", "null", "{\"schema\":1,\"seq\":\"many\",\"at_ms\":1}", "{\"schema\":1,\"seq\":1}"]
        {
            assert!(snapshot(&tree(text).unwrap()).is_err(), "{text}");
        }
        let odd =
            "{\"schema\":1,\"seq\":1,\"at_ms\":1,\"status\":{\"now_ms\":1,\"pools\":[{\"role\":\"chef\"}]}}";
        assert_eq!(snapshot(&tree(odd).unwrap()), Err("there is no role `chef`".to_owned()));
        assert!(tree("{").is_err());
    }
}
