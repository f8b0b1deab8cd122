//! What the cases of the planner are written in.

use std::collections::BTreeMap;

use engine::planner::{
    Config, Count, Estimator, Inventory, Limits, Pass, PerRole, Record, Role, RoleShape, Scaler, Shape,
    Targets, Window, Work,
};
use serde_json::{Value, json};

use crate::{number, text, whole};

pub(crate) fn signed(value: &Value, key: &str) -> i64 {
    value[key].as_i64().unwrap_or_else(|| panic!("{key} is not whole in {value}"))
}

pub(crate) fn maybe(value: &Value) -> Option<u32> {
    value.as_u64().map(|count| u32::try_from(count).expect("a count"))
}

pub(crate) fn config(settings: &Value) -> Config {
    serde_json::from_value(settings.clone()).expect("settings")
}

pub(crate) fn window(value: &Value) -> Window {
    Window {
        requests: value["num_req"].as_f64(),
        isl: value["isl"].as_f64(),
        osl: value["osl"].as_f64(),
        kv_hit_rate: value["kv_hit_rate"].as_f64(),
        accept_length: value["accept_length"].as_f64(),
    }
}

/// The estimator of the goldens: a straight line per role.
pub(crate) struct Affine(BTreeMap<&'static str, Value>);

impl Affine {
    pub(crate) fn name(role: Role) -> &'static str {
        match role {
            Role::Prefill => "prefill",
            Role::Decode => "decode",
            Role::Aggregated => "aggregated",
        }
    }

    pub(crate) fn new(lines: &Value) -> Self {
        let roles = [Role::Prefill, Role::Decode, Role::Aggregated].map(Self::name);
        Self(roles.into_iter().map(|role| (role, lines[role].clone())).collect())
    }
}

impl Estimator for Affine {
    fn forward_ms(&self, role: Role, pass: Pass) -> Option<f64> {
        let line = &self.0[Self::name(role)];
        (line["ready"] != json!(false)).then(|| {
            number(line, "c0_ms")
                + number(line, "prefill_tok_ms") * pass.prefill_tokens
                + number(line, "decode_req_ms") * pass.decode_requests
                + number(line, "decode_kv_ms") * pass.decode_kv_tokens
        })
    }
}

pub(crate) fn limits(input: &Value) -> Limits {
    let limits = &input["limits"];
    Limits {
        max_batched_tokens: whole(limits, "max_num_batched_tokens"),
        max_sequences: whole(limits, "max_num_seqs"),
        max_kv_tokens: u64::from(whole(limits, "max_kv_tokens")),
        context_length: maybe(&limits["context_length"]),
    }
}

/// The planner's settings of a case.
pub(crate) fn settings(input: &Value) -> Config {
    let mut settings = json!({
        "mode": "disagg", "optimization_target": "sla", "load_predictor": "constant", "max_gpu_budget": 8,
        "ttft_ms": input["ttft_ms"], "itl_ms": input["itl_ms"],
    });
    for (ours, theirs) in [
        ("mode", "mode"),
        ("load_scaling_down_sensitivity", "sensitivity"),
        ("scale_interval_seconds", "scale_interval_s"),
    ] {
        if let Some(value) = input.get(theirs) {
            settings[ours] = value.clone();
        }
    }
    for (key, value) in input["config"].as_object().expect("settings") {
        settings[key] = value.clone();
    }
    config(&settings)
}

pub(crate) fn shape(input: &Value) -> Shape {
    let role = |key: &str| RoleShape {
        gpus_per_replica: whole(&input["gpu"], key),
        limits: limits(input),
        watts: None,
    };
    PerRole { prefill: role("p"), decode: role("d") }
}

pub(crate) fn scaler(input: &Value) -> Scaler<Affine> {
    let mut scaler = Scaler::new(settings(input), shape(input), Affine::new(&input["affine"]));
    let count = |key: &str| Count {
        ready: whole(&input["ready"], key),
        expected: maybe(&input["expected"][key]),
        pending: whole(&input["pending"], key),
        scaling: input["scaling_in_progress"].as_bool().unwrap_or(false),
    };
    scaler.set_inventory(Inventory { prefill: count("p"), decode: count("d") });
    scaler
}

pub(crate) fn records(value: &Value) -> Vec<Record> {
    let work = |record: &Value, state: &str| {
        let whole = |name: &str| record[format!("{state}_{name}")].as_u64().expect("a count");
        Work {
            prefill_requests: whole("prefill_requests"),
            prefill_tokens: whole("prefill_tokens"),
            decode_requests: whole("decode_requests"),
            decode_kv_tokens: whole("decode_kv"),
        }
    };
    let records = value.as_array().map(Vec::as_slice).unwrap_or_default();
    records
        .iter()
        .map(|record| Record {
            worker_id: text(record, "worker").bytes().fold(0, |id, byte| id * 256 + u64::from(byte)),
            dp_rank: whole(record, "dp"),
            wall_secs: number(record, "wall_s"),
            scheduled: work(record, "sched"),
            queued: work(record, "queued"),
        })
        .collect()
}

pub(crate) fn shown(targets: Option<Targets>) -> Value {
    targets.map_or(Value::Null, |targets| json!({"p": targets.prefill, "d": targets.decode}))
}
