//! Settings the planner would refuse to start with.

use std::fmt::Display;

use super::config::{Config, Mode, PredictorKind, Target};
use super::shape::{PerRole, Shape};

/// A setting that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {value}; {allowed}.")]
pub struct ConfigError {
    /// Name in YAML.
    pub field: &'static str,
    /// What it is.
    pub value: String,
    /// What it must be.
    pub allowed: String,
}

/// Collects what is wrong.
#[derive(Default)]
struct Errors(Vec<ConfigError>);

impl Errors {
    #[allow(
        clippy::needless_pass_by_value,
        reason = "values and sentences are written where they are checked"
    )]
    fn unless(&mut self, fine: bool, field: &'static str, value: impl Display, allowed: impl Display) {
        if !fine {
            self.0.push(ConfigError { field, value: value.to_string(), allowed: allowed.to_string() });
        }
    }

    fn positive(&mut self, field: &'static str, value: f64) {
        self.unless(value.is_finite() && value > 0.0, field, value, "it must be a number above 0");
    }

    fn at_least_one(&mut self, field: &'static str, value: u32) {
        self.unless(value >= 1, field, value, "it must be at least 1");
    }

    fn result(self) -> Result<(), Vec<ConfigError>> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }
}

impl Config {
    /// What is wrong with the settings by themselves.
    ///
    /// # Errors
    /// Every setting that cannot be, in the order of the settings.
    pub fn check(&self) -> Result<(), Vec<ConfigError>> {
        self.errors().result()
    }

    /// What is wrong with the settings for these workers: besides [`Config::check`], least replicas that no budget
    /// has room for.
    ///
    /// # Errors
    /// Every setting that cannot be.
    pub fn check_with(&self, shape: &Shape) -> Result<(), Vec<ConfigError>> {
        let mut errors = self.errors();
        let scaled = PerRole { prefill: self.mode.has_prefill(), decode: self.mode.has_decode() };
        let floors = self.floors().zip(scaled, |floor, scaled| if scaled { floor } else { 0 });
        let least = floors.zip(*shape, |floor, role| i128::from(floor) * i128::from(role.gpus_per_replica));
        let least = least.prefill + least.decode;
        let allowed = format!("the least replicas need {least} GPUs");
        let fits = self.max_gpu_budget < 0 || least <= i128::from(self.max_gpu_budget);
        errors.unless(fits, "max_gpu_budget", self.max_gpu_budget, allowed);
        if let (true, Some(limit)) = (self.enable_power_awareness, self.total_gpu_power_limit) {
            let watts = floors.zip(*shape, |floor, role| f64::from(floor) * role.watts.unwrap_or(0.0));
            let least = watts.prefill + watts.decode;
            let allowed = format!("the least replicas may draw {least} W");
            errors.unless(least <= limit, "total_gpu_power_limit", limit, allowed);
            let known =
                scaled.zip(*shape, |scaled, role| !scaled || role.watts.is_some_and(|watts| watts > 0.0));
            let allowed = "it needs the watts of a replica of every role that is scaled";
            errors.unless(known.prefill && known.decode, "enable_power_awareness", true, allowed);
        }
        errors.result()
    }

    fn errors(&self) -> Errors {
        let mut errors = Errors::default();
        errors.positive("ttft_ms", self.ttft_ms);
        errors.positive("itl_ms", self.itl_ms);
        self.loops(&mut errors);
        errors.at_least_one("max_throughput_scaling_replicas", self.max_throughput_scaling_replicas);
        self.floors_and_budget(&mut errors);
        let sensitivity = self.load_scaling_down_sensitivity;
        let percent = "it must be a number from 0 to 100";
        errors.unless(
            (0.0..=100.0).contains(&sensitivity),
            "load_scaling_down_sensitivity",
            sensitivity,
            percent,
        );
        errors.at_least_one("load_min_observations", self.load_min_observations);
        errors.at_least_one("max_num_fpm_samples", self.max_num_fpm_samples);
        let cells = self.fpm_sample_bucket_size;
        let square = cells > 0 && cells.isqrt().pow(2) == cells;
        errors.unless(square, "fpm_sample_bucket_size", cells, "it must be a square such as 16");
        if self.target == Target::Load {
            self.thresholds(&mut errors);
        }
        self.predictor(&mut errors);
        errors.at_least_one("prefill_attention_dp", self.prefill_attention_dp);
        errors.at_least_one("decode_attention_dp", self.decode_attention_dp);
        if self.enable_power_awareness {
            let limit = self.total_gpu_power_limit;
            let fine = limit.is_some_and(|watts| watts.is_finite() && watts > 0.0);
            let value = limit.map_or_else(|| "not set".to_owned(), |watts| watts.to_string());
            errors.unless(fine, "total_gpu_power_limit", value, "power awareness needs watts above 0");
            let fine = self.mode != Mode::Agg;
            errors.unless(fine, "enable_power_awareness", true, "it does not work in mode agg");
        }
        errors
    }

    fn loops(&self, errors: &mut Errors) {
        let (load, throughput) = (self.load_interval_secs, self.throughput_interval_secs);
        let some = self.load_loop() || self.throughput_loop();
        errors.unless(some, "enable_throughput_scaling", false, "it or enable_load_scaling must be true");
        errors.at_least_one("throughput_adjustment_interval_seconds", throughput);
        errors.at_least_one("load_adjustment_interval_seconds", load);
        if self.load_loop() && self.throughput_loop() {
            let allowed = format!("it must be shorter than the throughput interval, {throughput} s");
            errors.unless(load < throughput, "load_adjustment_interval_seconds", load, allowed);
        }
        let Some(tick) = self.scale_interval_secs else { return };
        let divides = |interval: u32| {
            let ticks = f64::from(interval) / tick;
            (ticks - ticks.round()).abs() < 1e-6 && ticks >= 0.5
        };
        let fine = tick.is_finite()
            && tick >= 1e-3
            && divides(load)
            && (!self.throughput_loop() || divides(throughput));
        errors.unless(fine, "scale_interval_seconds", tick, "it must divide the intervals in use");
    }

    fn floors_and_budget(&self, errors: &mut Errors) {
        let fields = [
            ("prefill_min_endpoint", self.prefill_min_endpoint, Mode::Prefill),
            ("decode_min_endpoint", self.decode_min_endpoint, Mode::Decode),
        ];
        for (field, floor, mode) in fields {
            let Some(floor) = floor else { continue };
            errors.at_least_one(field, floor);
            let applies = self.mode == Mode::Disagg || self.mode == mode;
            errors.unless(applies, field, floor, format!("mode {} does not use it", self.mode.name()));
        }
        let (least, most) = (self.min_gpu_budget, self.max_gpu_budget);
        let fine = least < 0 || most < 0 || least <= most;
        errors.unless(fine, "min_gpu_budget", least, format!("it must not be above max_gpu_budget, {most}"));
    }

    fn thresholds(&self, errors: &mut Errors) {
        let queue = (
            ("prefill_scale_up_queue_tokens", self.prefill_scale_up_queue_tokens),
            ("prefill_scale_down_queue_tokens", self.prefill_scale_down_queue_tokens),
            f64::INFINITY,
            self.mode.has_prefill(),
        );
        let cache = (
            ("decode_scale_up_kv_rate", self.decode_scale_up_kv_rate),
            ("decode_scale_down_kv_rate", self.decode_scale_down_kv_rate),
            100.0,
            self.mode.has_decode(),
        );
        for ((up_field, up), (down_field, down), most, applies) in [queue, cache] {
            if !applies {
                continue;
            }
            for (field, value) in [(up_field, up), (down_field, down)] {
                let text = value.map_or_else(|| "not set".to_owned(), |value| value.to_string());
                let fine = value.is_some_and(|value| value.is_finite() && (0.0..=most).contains(&value));
                let allowed =
                    if most.is_finite() { "target load needs a percentage" } else { "target load needs it" };
                errors.unless(fine, field, text, allowed);
            }
            if let (Some(up), Some(down)) = (up, down) {
                errors.unless(up > down, up_field, up, format!("it must be above {down_field}, {down}"));
            }
        }
    }

    fn predictor(&self, errors: &mut Errors) {
        let named = match self.predictor {
            PredictorKind::Arima => Some("arima"),
            PredictorKind::Prophet => Some("prophet"),
            PredictorKind::Constant | PredictorKind::Kalman | PredictorKind::MovingAverage => None,
        };
        let allowed = "it is not reproduced here; use constant, kalman or moving_average";
        errors.unless(named.is_none(), "load_predictor", named.unwrap_or_default(), allowed);
        for (field, noise) in
            [("kalman_q_level", self.kalman_q_level), ("kalman_q_trend", self.kalman_q_trend)]
        {
            errors.unless(
                noise.is_finite() && noise >= 0.0,
                field,
                noise,
                "it must be a number of at least 0",
            );
        }
        errors.positive("kalman_r", self.kalman_r);
        errors.at_least_one("kalman_min_points", self.kalman_min_points);
        errors.at_least_one("moving_average_window", self.moving_average_window);
    }
}
