//! Why a loop did what it did, under the names the planner's gauges use.

use serde::{Deserialize, Serialize};

macro_rules! names {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident => $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $text)] $variant,)*
        }

        impl $name {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in gauges and logs.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// The reason of a name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|reason| reason.name() == name)
            }
        }
    };
}

names! {
    /// Outcome of the load loop.
    LoadReason {
        /// Nothing decided yet.
        Unset => "unset",
        /// The loop is off.
        Disabled => "disabled",
        /// No engine reported a forward pass.
        NoFpmData => "no_fpm_data",
        /// A rollout is in progress.
        ScalingInProgress => "scaling_in_progress",
        /// Engines that report are not the ready workers.
        WorkerCountMismatch => "worker_count_mismatch",
        /// The estimator or a limit is missing.
        InsufficientData => "insufficient_data",
        /// Within bounds.
        NoChange => "no_change",
        /// More replicas.
        ScaleUp => "scale_up",
        /// Fewer replicas.
        ScaleDown => "scale_down",
        /// Fewer were wanted, the throughput loop holds a bound.
        ScaleDownCappedByThroughput => "scale_down_capped_by_throughput",
        /// Fewer would not carry the load.
        ScaleDownRefusedConsolidation => "scale_down_refused_consolidation",
        /// A plugin of the user decided.
        OverrideByUserPlugin => "override_by_user_plugin",
        /// Raised to a floor.
        ReconcileClampedToFloor => "reconcile_clamped_to_floor",
        /// Cut to a ceiling.
        ReconcileClampedToCeiling => "reconcile_clamped_to_ceiling",
        /// An earlier result stands.
        HeldOver => "held_over",
        /// A plugin refused.
        RejectedByPlugin => "rejected_by_plugin",
        /// No GPUs left for the wish.
        GpuBudgetGuardHold => "gpu_budget_guard_hold",
        /// Replicas were outside of floors or budget.
        GpuBudgetReconcile => "gpu_budget_reconcile",
    }
}

names! {
    /// Outcome of the throughput loop.
    ThroughputReason {
        /// Nothing decided yet.
        Unset => "unset",
        /// The loop is off.
        Disabled => "disabled",
        /// Traffic is unknown.
        NoTrafficData => "no_traffic_data",
        /// No forecast.
        PredictFailed => "predict_failed",
        /// The estimator cannot price the forecast.
        ModelNotReady => "model_not_ready",
        /// The other role's estimator cannot.
        PartnerNotReady => "partner_not_ready",
        /// The load loop got a lower bound.
        SetLowerBound => "set_lower_bound",
        /// Replicas for the forecast.
        Scale => "scale",
        /// A plugin of the user decided.
        OverrideByUserPlugin => "override_by_user_plugin",
        /// An earlier result stands.
        HeldOver => "held_over",
        /// A plugin failed too often.
        CircuitOpen => "circuit_open",
        /// A plugin refused.
        RejectedByPlugin => "rejected_by_plugin",
        /// No GPUs left for the wish.
        GpuBudgetGuardHold => "gpu_budget_guard_hold",
        /// Already as wanted.
        NoChange => "no_change",
        /// Replicas were outside of floors or budget.
        GpuBudgetReconcile => "gpu_budget_reconcile",
    }
}
