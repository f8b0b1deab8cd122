//! The switches and lists of the form.

use engine::planner::{PredictorKind, Target};

use super::{Form, Group};

/// A switch on the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// Requests come at random.
    Random,
    /// The planner is on.
    Planned,
    /// Queues scale.
    Load,
    /// Forecasts scale.
    Throughput,
    /// Starting workers can be taken back.
    Pending,
    /// Waiting prompts move to new workers.
    Rebalance,
}

impl Switch {
    /// All, with the word in the address for the state that is not the storm's.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Random, "even"),
        (Self::Planned, "static"),
        (Self::Load, "noload"),
        (Self::Throughput, "noforecast"),
        (Self::Pending, "nocancel"),
        (Self::Rebalance, "rebalance"),
    ];

    /// Its caption.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Random => "Requests come at random",
            Self::Planned => "The planner changes replicas",
            Self::Load => "Load loop: reacts to queues",
            Self::Throughput => "Throughput loop: holds what forecasts need",
            Self::Pending => "Starting workers may be taken back",
            Self::Rebalance => "What if: waiting prompts move to a new worker",
        }
    }

    /// Where it stands.
    pub const fn group(self) -> Group {
        match self {
            Self::Random => Group::Traffic,
            Self::Rebalance => Group::Workers,
            _ => Group::Planner,
        }
    }

    /// Whether it means anything with the rest of the form.
    pub fn counts(self, form: &Form) -> bool {
        match self {
            Self::Random => !form.traced,
            Self::Load | Self::Throughput => form.planned && form.planner.target == Target::Sla,
            Self::Pending => form.planned,
            Self::Planned | Self::Rebalance => true,
        }
    }

    /// Whether it is on.
    pub const fn get(self, form: &Form) -> bool {
        match self {
            Self::Random => form.outline.random,
            Self::Planned => form.planned,
            Self::Load => form.planner.enable_load_scaling,
            Self::Throughput => form.planner.enable_throughput_scaling,
            Self::Pending => form.settings.pending,
            Self::Rebalance => form.settings.rebalance,
        }
    }

    /// Turns it.
    pub const fn set(self, form: &mut Form, on: bool) {
        match self {
            Self::Random => form.outline.random = on,
            Self::Planned => form.planned = on,
            Self::Load => form.planner.enable_load_scaling = on,
            Self::Throughput => form.planner.enable_throughput_scaling = on,
            Self::Pending => form.settings.pending = on,
            Self::Rebalance => form.settings.rebalance = on,
        }
    }
}

/// What the planner can aim at: word, target, name.
pub const TARGETS: [(&str, Target, &str); 3] = [
    ("sla", Target::Sla, "TTFT and ITL (sla)"),
    ("throughput", Target::Throughput, "full engines (throughput)"),
    ("latency", Target::Latency, "empty queues (latency)"),
];

/// How it forecasts: word, kind, name.
pub const PREDICTORS: [(&str, PredictorKind, &str); 3] = [
    ("last", PredictorKind::Constant, "the last window"),
    ("kalman", PredictorKind::Kalman, "Kalman filter"),
    ("average", PredictorKind::MovingAverage, "moving average"),
];

/// Word of a target.
pub fn target_word(target: Target) -> &'static str {
    TARGETS.iter().find(|(_, one, _)| *one == target).map_or("sla", |(word, ..)| word)
}

/// Word of a predictor.
pub fn predictor_word(kind: PredictorKind) -> &'static str {
    PREDICTORS.iter().find(|(_, one, _)| *one == kind).map_or("last", |(word, ..)| word)
}
