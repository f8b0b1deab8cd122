//! The planner's settings, wherever they stand: in a request, beside a deployment, or alone.
//!
//! The planner ignores keys it does not know without a word, so names are checked here.

mod nested;
mod settings;

use serde_json::{Map, Value};

use self::settings::{LOAD_INTERVAL, SETTINGS, THROUGHPUT_INTERVAL, is_from_environment, misfit};
use super::schema::{nearest, shown};
use crate::manifest::Check;
use crate::manifest::yaml::join;

/// A version of Dynamo.
pub(super) type Version = (u16, u16, u16);

/// Settings and where they stand.
#[derive(Clone, Copy)]
pub(super) struct Planner<'a> {
    settings: &'a Map<String, Value>,
    path: &'a str,
}

/// Whether a mapping looks like the planner's settings: it says which, by several of their names.
pub(super) fn looks_like(value: &Value) -> bool {
    let known = |key: &str| SETTINGS.iter().any(|(name, ..)| *name == key);
    value.as_object().is_some_and(|map| {
        !map.contains_key("kind") && map.keys().filter(|key| known(key)).count() >= 2.min(map.len().max(1))
    })
}

impl<'a> Planner<'a> {
    /// The settings at a path.
    pub(super) fn new(value: &'a Value, path: &'a str) -> Option<Self> {
        Some(Self { settings: value.as_object()?, path })
    }

    /// What is wrong with them by themselves, for a planner of this version.
    pub(super) fn check(self, version: Version, out: &mut Vec<Check>) {
        let since_1_6 = version >= (1, 6, 0);
        self.values(since_1_6, out);
        nested::check(self, out);
        self.scaling(out);
        self.rarely_set(out);
    }

    /// Path of a setting.
    pub(super) fn at(self, key: &str) -> String {
        join(self.path, key)
    }

    pub(super) fn get(self, key: &str) -> Option<&'a Value> {
        self.settings.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn text(self, key: &str, default: &'a str) -> &'a str {
        self.get(key).and_then(Value::as_str).unwrap_or(default)
    }

    pub(super) fn flag(self, key: &str, default: bool) -> bool {
        self.get(key).and_then(Value::as_bool).unwrap_or(default)
    }

    fn number(self, key: &str) -> Option<f64> {
        self.get(key).and_then(Value::as_f64)
    }

    /// Which engines it scales.
    pub(super) fn mode(self) -> &'a str {
        self.text("mode", "disagg")
    }

    /// What it aims at.
    pub(super) fn target(self) -> &'a str {
        self.text("optimization_target", "throughput")
    }

    /// How many GPUs it may use.
    pub(super) fn max_gpus(self) -> i64 {
        self.get("max_gpu_budget").and_then(Value::as_i64).unwrap_or(8)
    }

    /// The backend must be the one that is served.
    pub(super) fn serves(self, served: &str, whose: &str, out: &mut Vec<Check>) {
        let backend = self.text("backend", "vllm");
        if backend != served {
            let default = if self.get("backend").is_none() { " by default" } else { "" };
            let message = format!(
                "The planner's backend is {backend}{default}, that of the {whose} is {served}; set backend to {served}."
            );
            out.push(Check::error(self.at("backend"), "planner-backend", message));
        }
    }

    fn values(self, since_1_6: bool, out: &mut Vec<Check>) {
        for (key, value) in self.settings {
            if key == "aic_perf_model" && since_1_6 {
                let message =
                    "aic_perf_model is rejected since Dynamo 1.6; use ais_perf_model.roles or leave it out.";
                out.push(Check::error(self.at(key), "planner-retired", message));
                continue;
            }
            if !since_1_6 && ["ais_perf_model", "max_throughput_scaling_replicas"].contains(&key.as_str()) {
                let message = format!("{key} exists only since Dynamo 1.6; remove it.");
                out.push(Check::error(self.at(key), "planner-newer", message));
                continue;
            }
            if is_from_environment(key) {
                let message = format!("{key} is taken from the environment of the pod; remove it.");
                out.push(Check::warning(self.at(key), "no-effect", message));
                continue;
            }
            match SETTINGS.iter().find(|(name, ..)| name == key) {
                None => {
                    let near = nearest(key, SETTINGS.iter().map(|(name, ..)| *name));
                    let hint = near.map_or_else(String::new, |near| format!(" Is {near} meant?"));
                    let message = format!(
                        "{key} is no setting of the planner, which would ignore it without a word.{hint}"
                    );
                    out.push(Check::error(self.at(key), "planner-unknown", message));
                }
                Some((_, _, true)) if value.is_null() => {}
                Some(&(_, kind, _)) => {
                    if let Some(wanted) = misfit(value, kind) {
                        let message = format!("{key} is {}; it must be {wanted}.", shown(value));
                        out.push(Check::error(self.at(key), "planner-value", message));
                    }
                }
            }
        }
    }

    fn scaling(self, out: &mut Vec<Check>) {
        match self.target() {
            // Any other target forces load scaling on and throughput scaling off.
            "sla" => self.intervals(out),
            "load" => self.thresholds(out),
            _ => {}
        }
    }

    fn intervals(self, out: &mut Vec<Check>) {
        let by_throughput = self.flag("enable_throughput_scaling", true);
        let by_load = self.flag("enable_load_scaling", false);
        if !by_throughput && !by_load {
            let message = "Both kinds of scaling are off; enable throughput scaling, load scaling or both.";
            out.push(Check::error(self.path, "planner-scaling", message));
        }
        let slow = self.number(THROUGHPUT_INTERVAL).or_else(|| self.number("throughput_adjustment_interval"));
        let fast = self.number(LOAD_INTERVAL).or_else(|| self.number("load_adjustment_interval"));
        let (slow, fast) = (slow.unwrap_or(180.0), fast.unwrap_or(5.0));
        if by_throughput && by_load && fast >= slow {
            let message = format!(
                "The load interval ({fast} s) must be shorter than the throughput interval ({slow} s)."
            );
            out.push(Check::error(self.at(LOAD_INTERVAL), "planner-intervals", message));
        }
        let tick = self.get("scheduling").and_then(|scheduling| scheduling.get("scale_interval_seconds"));
        if let Some(tick) = tick.and_then(Value::as_f64).filter(|&tick| tick > 0.0)
            && ((by_throughput && slow % tick != 0.0) || (by_load && fast % tick != 0.0))
        {
            let message = format!("The scale interval ({tick} s) must divide the intervals in use.");
            out.push(Check::error(
                self.at("scheduling.scale_interval_seconds"),
                "planner-intervals",
                message,
            ));
        }
    }

    fn thresholds(self, out: &mut Vec<Check>) {
        let mode = self.mode();
        let queue = ("prefill_scale_up_queue_tokens", "prefill_scale_down_queue_tokens");
        let cache = ("decode_scale_up_kv_rate", "decode_scale_down_kv_rate");
        for ((up, down), applies) in
            [(queue, matches!(mode, "disagg" | "prefill")), (cache, mode != "prefill")]
        {
            let in_order = self.number(up).zip(self.number(down)).is_some_and(|(up, down)| up > down);
            if applies && !in_order {
                let message = format!("The load target needs {up} and {down}, the first above the second.");
                out.push(Check::error(self.at(up), "planner-thresholds", message));
            }
        }
    }

    fn rarely_set(self, out: &mut Vec<Check>) {
        let (mode, environment) = (self.mode(), self.text("environment", "kubernetes"));
        let set = |key: &str| self.get(key).is_some();
        if environment == "global-planner" && !set("global_planner_namespace") {
            let message = "A global planner needs global_planner_namespace.";
            out.push(Check::error(self.at("global_planner_namespace"), "planner-value", message));
        }
        for (key, its_mode) in [("prefill_min_endpoint", "prefill"), ("decode_min_endpoint", "decode")] {
            if set(key) && mode != "disagg" && mode != its_mode {
                let message = format!("{key} does not apply to mode {mode}; remove it.");
                out.push(Check::error(self.at(key), "planner-value", message));
            }
        }
        if let Some(least) = self.get("min_gpu_budget").and_then(Value::as_i64)
            && least >= 0
            && self.max_gpus() >= 0
            && least > self.max_gpus()
        {
            let message = format!(
                "min_gpu_budget is {least}, above max_gpu_budget, which is {}; lower it.",
                self.max_gpus()
            );
            out.push(Check::error(self.at("min_gpu_budget"), "planner-budget", message));
        }
        if let Some(size) = self.get("fpm_sample_bucket_size").and_then(Value::as_u64)
            && size.isqrt().pow(2) != size
        {
            let message = format!("fpm_sample_bucket_size is {size}; it must be a square such as 16.");
            out.push(Check::error(self.at("fpm_sample_bucket_size"), "planner-value", message));
        }
        if self.flag("enable_power_awareness", false)
            && (!set("total_gpu_power_limit") || environment != "kubernetes" || mode == "agg")
        {
            let message = "Power awareness needs total_gpu_power_limit, the kubernetes environment and a mode other than agg.";
            out.push(Check::error(self.at("enable_power_awareness"), "planner-value", message));
        }
    }
}
