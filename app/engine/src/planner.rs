//! When replicas are added and removed under latency targets.
//!
//! The behaviour of the SLO planner of Dynamo 1.6.1 (see NOTICE) as a state machine: the caller owns the clock, reads
//! what the next tick [needs](Planner::needs), hands it in, and gets targets with the reason for each.
//! Two loops: one forecasts traffic and holds capacity for it, the other reacts to the queues of the engines.
//!
//! Not reproduced: ARIMA and Prophet, whose forecasts depend on the versions of their libraries.

mod average;
pub mod budget;
pub mod capacity;
mod cancel;
mod check;
mod config;
mod easy;
mod estimate;
mod guard;
mod load;
mod pipeline;
pub mod power;
pub mod predict;
mod reason;
pub mod regression;
mod scaler;
mod settle;
mod shape;
mod signal;
mod sla;
mod throughput;
#[cfg(test)]
mod tests;

pub use average::{Averages, MovingAverage};
pub use check::ConfigError;
pub use config::{Config, Mode, PredictorKind, Target};
pub use guard::Verdict;
pub use pipeline::{Outcome, Planner, Ran, Withheld};
pub use predict::{Forecast, Forecaster};
pub use reason::{LoadReason, ThroughputReason};
pub use scaler::{LoadDecision, Scaler, ThroughputDecision};
pub use shape::{Estimator, Limits, Pass, PerRole, Role, RoleShape, Shape};
pub use signal::{Count, Inventory, Needs, Record, Targets, Window, Work};
