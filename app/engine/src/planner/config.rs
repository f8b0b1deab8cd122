//! The planner's settings, under the names of its YAML.

use serde::{Deserialize, Serialize};

use super::shape::{PerRole, Role};

/// Which workers are scaled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Prefill and decode workers.
    #[default]
    Disagg,
    /// Prefill workers alone.
    Prefill,
    /// Decode workers alone.
    Decode,
    /// Workers that do both.
    Agg,
}

impl Mode {
    /// The name in YAML.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disagg => "disagg",
            Self::Prefill => "prefill",
            Self::Decode => "decode",
            Self::Agg => "agg",
        }
    }

    /// Whether prefill workers are scaled.
    pub const fn has_prefill(self) -> bool {
        matches!(self, Self::Disagg | Self::Prefill)
    }

    /// Whether decode or aggregated workers are scaled.
    pub const fn has_decode(self) -> bool {
        !matches!(self, Self::Prefill)
    }

    /// What a worker among the decode workers is to an estimator.
    pub const fn decode_role(self) -> Role {
        if matches!(self, Self::Agg) { Role::Aggregated } else { Role::Decode }
    }
}

/// What the planner aims at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Fixed thresholds that fill engines.
    #[default]
    Throughput,
    /// Fixed thresholds that keep queues empty.
    Latency,
    /// Thresholds of the user.
    Load,
    /// TTFT and ITL.
    Sla,
}

/// How traffic is forecast.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PredictorKind {
    /// The last window.
    #[default]
    Constant,
    /// Level and trend of a Kalman filter.
    Kalman,
    /// Mean of the last windows; not one of Dynamo's.
    MovingAverage,
    /// Named in files; not available here.
    Arima,
    /// Named in files; not available here.
    Prophet,
}

/// Settings; the defaults are the planner's own, but for the predictor, which is ARIMA there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(clippy::struct_excessive_bools, reason = "the planner's settings have these")]
pub struct Config {
    /// Which workers are scaled.
    pub mode: Mode,
    /// What is aimed at.
    #[serde(rename = "optimization_target")]
    pub target: Target,
    /// Target of the time to the first token, ms.
    #[serde(alias = "ttft")]
    pub ttft_ms: f64,
    /// Target of the time between tokens, ms.
    #[serde(alias = "itl")]
    pub itl_ms: f64,
    /// Whether forecasts scale; target `sla` alone.
    pub enable_throughput_scaling: bool,
    /// Whether queues scale; always for the other targets.
    pub enable_load_scaling: bool,
    /// Between two forecasts, and the window of traffic, s.
    #[serde(rename = "throughput_adjustment_interval_seconds", alias = "throughput_adjustment_interval")]
    pub throughput_interval_secs: u32,
    /// Between two looks at the queues, s.
    #[serde(rename = "load_adjustment_interval_seconds", alias = "load_adjustment_interval")]
    pub load_interval_secs: u32,
    /// Between two ticks, s; none for the greatest common divisor of the intervals in use.
    #[serde(rename = "scale_interval_seconds")]
    pub scale_interval_secs: Option<f64>,
    /// Largest change of a role by one forecast.
    pub max_throughput_scaling_replicas: u32,
    /// Least replicas of each role.
    pub min_endpoint: u32,
    /// Least prefill replicas; none for `min_endpoint`.
    pub prefill_min_endpoint: Option<u32>,
    /// Least decode replicas; none for `min_endpoint`.
    pub decode_min_endpoint: Option<u32>,
    /// Most GPUs; negative for no limit.
    pub max_gpu_budget: i64,
    /// Least GPUs; negative for no limit.
    pub min_gpu_budget: i64,
    /// Share of the target that may be used up after a replica is gone, percent.
    pub load_scaling_down_sensitivity: f64,
    /// Passes that a regression needs.
    pub load_min_observations: u32,
    /// Passes that are remembered.
    pub max_num_fpm_samples: u32,
    /// Cells that remembered passes are spread over; a square.
    pub fpm_sample_bucket_size: u32,
    /// Queued tokens at which prefill grows; target `load`.
    pub prefill_scale_up_queue_tokens: Option<f64>,
    /// Queued tokens at which prefill shrinks; target `load`.
    pub prefill_scale_down_queue_tokens: Option<f64>,
    /// Use of the KV cache at which decode grows, percent; target `load`.
    pub decode_scale_up_kv_rate: Option<f64>,
    /// Use of the KV cache at which decode shrinks, percent; target `load`.
    pub decode_scale_down_kv_rate: Option<f64>,
    /// How traffic is forecast.
    #[serde(rename = "load_predictor")]
    pub predictor: PredictorKind,
    /// Whether the Kalman filter runs on ln(1 + y).
    #[serde(rename = "load_predictor_log1p")]
    pub log1p: bool,
    /// Noise of the level.
    pub kalman_q_level: f64,
    /// Noise of the trend.
    pub kalman_q_trend: f64,
    /// Noise of what is measured.
    pub kalman_r: f64,
    /// Windows before the filter forecasts.
    pub kalman_min_points: u32,
    /// Windows of the moving average; not one of Dynamo's settings.
    pub moving_average_window: u32,
    /// Tokens drafted per pass of speculative decoding.
    pub speculative_nextn: u32,
    /// Attention data-parallel ranks of a prefill worker.
    pub prefill_attention_dp: u32,
    /// Attention data-parallel ranks of a decode or aggregated worker.
    pub decode_attention_dp: u32,
    /// Whether watts are limited.
    pub enable_power_awareness: bool,
    /// Most watts of all replicas.
    pub total_gpu_power_limit: Option<f64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            target: Target::default(),
            ttft_ms: 500.0,
            itl_ms: 50.0,
            enable_throughput_scaling: true,
            enable_load_scaling: false,
            throughput_interval_secs: 180,
            load_interval_secs: 5,
            scale_interval_secs: None,
            max_throughput_scaling_replicas: 8,
            min_endpoint: 1,
            prefill_min_endpoint: None,
            decode_min_endpoint: None,
            max_gpu_budget: 8,
            min_gpu_budget: -1,
            load_scaling_down_sensitivity: 80.0,
            load_min_observations: 5,
            max_num_fpm_samples: 64,
            fpm_sample_bucket_size: 16,
            prefill_scale_up_queue_tokens: None,
            prefill_scale_down_queue_tokens: None,
            decode_scale_up_kv_rate: None,
            decode_scale_down_kv_rate: None,
            predictor: PredictorKind::default(),
            log1p: false,
            kalman_q_level: 1.0,
            kalman_q_trend: 0.1,
            kalman_r: 10.0,
            kalman_min_points: 5,
            moving_average_window: 5,
            speculative_nextn: 0,
            prefill_attention_dp: 1,
            decode_attention_dp: 1,
            enable_power_awareness: false,
            total_gpu_power_limit: None,
        }
    }
}

impl Config {
    /// Whether queues scale.
    pub fn load_loop(&self) -> bool {
        self.target != Target::Sla || self.enable_load_scaling
    }

    /// Whether forecasts scale.
    pub fn throughput_loop(&self) -> bool {
        self.target == Target::Sla && self.enable_throughput_scaling
    }

    /// Least replicas of each role.
    pub fn floors(&self) -> PerRole<u32> {
        PerRole {
            prefill: self.prefill_min_endpoint.unwrap_or(self.min_endpoint),
            decode: self.decode_min_endpoint.unwrap_or(self.min_endpoint),
        }
    }

    /// Between two ticks, s.
    pub fn tick_secs(&self) -> f64 {
        self.scale_interval_secs.unwrap_or_else(|| {
            let (load, throughput) = (self.load_interval_secs, self.throughput_interval_secs);
            f64::from(if self.throughput_loop() { gcd(load, throughput) } else { load })
        })
    }

    /// Attention data-parallel ranks of a worker.
    pub(super) fn ranks(&self, role: Role) -> u32 {
        PerRole { prefill: self.prefill_attention_dp, decode: self.decode_attention_dp }
            .of(role)
            .max(&1)
            .to_owned()
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}
