//! The planner on known and on hostile inputs.

mod example;
mod limits;
mod properties;
mod start;

use super::*;

/// Straight lines per role: an empty pass, a prompt token, a request that writes, a token in its KV cache, ms.
#[derive(Clone, Debug)]
struct Lines {
    prefill: [f64; 4],
    decode: [f64; 4],
}

impl Estimator for Lines {
    fn forward_ms(&self, role: Role, pass: Pass) -> Option<f64> {
        let line = if role == Role::Prefill { self.prefill } else { self.decode };
        let work = [1.0, pass.prefill_tokens, pass.decode_requests, pass.decode_kv_tokens];
        Some(line.iter().zip(work).map(|(cost, work)| cost * work).sum())
    }
}

/// Prefill 10 ms + 0.06 ms a token; decode 8 ms + 0.02 ms a request + 0.00005 ms a KV token.
fn lines() -> Lines {
    Lines { prefill: [10.0, 0.06, 0.0, 0.0], decode: [8.0, 0.0, 0.02, 0.00005] }
}

fn limits() -> Limits {
    Limits {
        max_batched_tokens: 8192,
        max_sequences: 256,
        max_kv_tokens: 400_000,
        context_length: Some(32_768),
    }
}

fn shape() -> Shape {
    let role = RoleShape { gpus_per_replica: 1, limits: limits(), watts: None };
    Shape { prefill: role, decode: role }
}

fn sla() -> Config {
    Config { target: Target::Sla, ttft_ms: 500.0, itl_ms: 30.0, ..Config::default() }
}

/// Latency targets and the load loop alone.
fn by_load() -> Config {
    Config { enable_load_scaling: true, enable_throughput_scaling: false, ..sla() }
}

fn stable(prefill: u32, decode: u32) -> Inventory {
    Inventory { prefill: Count::stable(prefill), decode: Count::stable(decode) }
}

/// A prefill worker that read a prompt of 3,000 tokens and has so many queued.
fn reader(worker_id: u64, queued_tokens: u64) -> Record {
    let scheduled = Work { prefill_requests: 1, prefill_tokens: 3000, ..Work::default() };
    let queued =
        Work { prefill_requests: queued_tokens / 3000, prefill_tokens: queued_tokens, ..Work::default() };
    Record { worker_id, wall_secs: 0.2, scheduled, queued, ..Record::default() }
}

/// A decode worker with so many requests of 3,075 tokens.
fn writer(worker_id: u64, requests: u64) -> Record {
    let scheduled = Work { decode_requests: requests, decode_kv_tokens: requests * 3075, ..Work::default() };
    Record { worker_id, wall_secs: 0.012, scheduled, ..Record::default() }
}

fn targets(prefill: u32, decode: u32) -> Targets {
    Targets { prefill: Some(prefill), decode: Some(decode) }
}

fn near(got: f64, want: f64, digits: f64) {
    assert!((got - want).abs() <= digits, "got {got}, want {want}");
}
