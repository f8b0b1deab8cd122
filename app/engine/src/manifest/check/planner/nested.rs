//! Settings of the planner that hold settings themselves; the planner refuses keys here that it does not know.

use serde_json::{Map, Value};

use super::Planner;
use super::settings::{Kind, misfit};
use crate::manifest::Check;
use crate::manifest::check::schema::shown;
use crate::manifest::yaml::join;

/// Name, what it may be, whether it is required.
type Field = (&'static str, Kind, bool);

const SCHEDULING: &[Field] = &[
    ("scale_interval_seconds", Kind::Positive, false),
    ("tick_max_duration_seconds", Kind::Positive, false),
];

const BACKENDS: Kind = Kind::OneOf(&["vllm", "sglang", "trtllm"]);

const INTERPOLATION: &[Field] = &[
    ("hf_id", Kind::Text, true),
    ("system", Kind::Text, true),
    ("backend", BACKENDS, true),
    ("isl", Kind::Whole(1), true),
    ("osl", Kind::Whole(1), true),
    ("sweep_max_context_length", Kind::Whole(1), true),
    ("prefill_interpolation_granularity", Kind::Whole(1), false),
    ("decode_interpolation_granularity", Kind::Whole(1), false),
    ("prefill_pick", Kind::Mapping, true),
    ("decode_pick", Kind::Mapping, true),
];

const PICK: &[Field] = &[
    ("tp", Kind::Whole(1), false),
    ("pp", Kind::Whole(1), false),
    ("dp", Kind::Whole(1), false),
    ("moe_tp", Kind::Whole(1), false),
    ("moe_ep", Kind::Whole(1), false),
];

const ROLE: &[Field] = &[
    ("model", Kind::Text, true),
    ("system", Kind::Text, true),
    ("backend", BACKENDS, true),
    ("backend_version", Kind::Text, false),
    ("worker_type", Kind::Text, false),
    ("tp", Kind::Whole(1), false),
    ("pp", Kind::Whole(1), false),
    ("attention_dp", Kind::Whole(1), false),
    ("moe_tp_size", Kind::Whole(1), false),
    ("moe_ep_size", Kind::Whole(1), false),
];

pub(super) fn check(planner: Planner<'_>, out: &mut Vec<Check>) {
    let below = |key: &str| Some((planner.get(key)?.as_object()?, planner.at(key)));
    if let Some((scheduling, path)) = below("scheduling") {
        fields(scheduling, SCHEDULING, &path, out);
    }
    if let Some((interpolation, path)) = below("aic_interpolation") {
        fields(interpolation, INTERPOLATION, &path, out);
        for (key, engine) in
            [("prefill_pick", "prefill_engine_num_gpu"), ("decode_pick", "decode_engine_num_gpu")]
        {
            if let Some(pick) = interpolation.get(key).and_then(Value::as_object) {
                layout(planner, pick, &join(&path, key), engine, out);
            }
        }
    }
    if let Some((model, path)) = below("ais_perf_model") {
        fields(model, &[("roles", Kind::Mapping, true)], &path, out);
        if let Some(given) = model.get("roles").and_then(Value::as_object) {
            roles(planner, given, &join(&path, "roles"), out);
        }
    }
}

/// Keys, required ones, and what they may be.
fn fields(map: &Map<String, Value>, known: &[Field], path: &str, out: &mut Vec<Check>) {
    let names = || known.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", ");
    for (key, value) in map {
        match known.iter().find(|(name, ..)| name == key) {
            None => {
                let message = format!("{key} is not known here; the planner knows {}.", names());
                out.push(Check::error(join(path, key), "planner-unknown", message));
            }
            Some((_, _, false)) if value.is_null() => {}
            Some(&(_, kind, _)) => {
                if let Some(wanted) = misfit(value, kind) {
                    let message = format!("{key} is {}; it must be {wanted}.", shown(value));
                    out.push(Check::error(join(path, key), "planner-value", message));
                }
            }
        }
    }
    for (name, ..) in known.iter().filter(|(name, _, required)| *required && !map.contains_key(*name)) {
        let message = format!("{name} is missing; the planner needs it here.");
        out.push(Check::error(join(path, name), "planner-value", message));
    }
}

/// One engine: attention and experts use the same GPUs, as many as the planner is told.
fn layout(planner: Planner<'_>, pick: &Map<String, Value>, path: &str, engine: &str, out: &mut Vec<Check>) {
    fields(pick, PICK, path, out);
    let size = |key: &str| match pick.get(key) {
        None | Some(Value::Null) => Some(1),
        Some(value) => value.as_u64().filter(|&size| (1..=1 << 20).contains(&size)),
    };
    let sizes = (|| Some((size("tp")?, size("pp")?, size("dp")?, size("moe_tp")?, size("moe_ep")?)))();
    let Some((tp, pp, dp, moe_tp, moe_ep)) = sizes else { return };
    let experts = moe_tp * moe_ep;
    if experts > 1 && tp * dp != experts {
        let message = format!(
            "tp × dp is {}, moe_tp × moe_ep is {experts}; attention and experts use the same GPUs, so both must be equal.",
            tp * dp
        );
        out.push(Check::error(path, "planner-pick", message));
    }
    let gpus = pp * tp.max(dp).max(experts).max(tp * dp);
    if let Some(told) = planner.get(engine).and_then(Value::as_u64).filter(|&told| told != gpus) {
        let message = format!("{engine} is {told}, and {path} takes {gpus} GPUs; make them agree.");
        out.push(Check::error(planner.at(engine), "planner-pick", message));
    }
}

fn roles(planner: Planner<'_>, given: &Map<String, Value>, path: &str, out: &mut Vec<Check>) {
    const ROLES: [&str; 3] = ["prefill", "decode", "aggregated"];
    for (name, role) in given {
        let path = join(path, name);
        match role.as_object() {
            Some(role) if ROLES.contains(&name.as_str()) => fields(role, ROLE, &path, out),
            _ => {
                let message =
                    format!("{name} is no role; the planner knows mappings for {}.", ROLES.join(", "));
                out.push(Check::error(path, "planner-unknown", message));
            }
        }
    }
    let needed: &[&str] = match planner.mode() {
        "disagg" => &["prefill", "decode"],
        "agg" => &["aggregated"],
        "prefill" => &["prefill"],
        "decode" => &["decode"],
        _ => &[],
    };
    for role in needed.iter().filter(|role| !given.contains_key(**role)) {
        let message = format!("Mode {} needs the role {role}; add it.", planner.mode());
        out.push(Check::error(join(path, role), "planner-value", message));
    }
}
