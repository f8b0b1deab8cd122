//! The targets `throughput`, `latency` and `load`: fixed thresholds on queues and on the KV cache.

use super::config::Target;
use super::reason::LoadReason;
use super::scaler::Scaler;
use super::settle::Wish;
use super::shape::{Estimator, Role};
use super::signal::Record;

/// A limit of a signal.
#[derive(Clone, Copy, Debug)]
struct Threshold {
    at: f64,
    /// Whether the limit itself counts as beyond.
    inclusive: bool,
}

impl Threshold {
    fn reached(self, signal: f64) -> bool {
        signal > self.at || (self.inclusive && signal >= self.at)
    }

    fn undercut(self, signal: f64) -> bool {
        signal < self.at || (self.inclusive && signal <= self.at)
    }
}

const fn inclusive(at: f64) -> Threshold {
    Threshold { at, inclusive: true }
}

const fn strict(at: f64) -> Threshold {
    Threshold { at, inclusive: false }
}

impl<E: Estimator> Scaler<E> {
    /// At which signals a role grows and shrinks; none when a threshold of the user is missing.
    fn easy_thresholds(&self, role: Role) -> Option<(Threshold, Threshold)> {
        let config = &self.config;
        Some(match (config.target, role) {
            (Target::Load, Role::Prefill) => (
                inclusive(config.prefill_scale_up_queue_tokens?),
                inclusive(config.prefill_scale_down_queue_tokens?),
            ),
            (Target::Load, _) => (
                inclusive(config.decode_scale_up_kv_rate? / 100.0),
                inclusive(config.decode_scale_down_kv_rate? / 100.0),
            ),
            (Target::Latency, Role::Prefill) => (inclusive(0.1), inclusive(0.0)),
            (Target::Latency, _) => (strict(0.4), strict(0.1)),
            (_, Role::Prefill) => (inclusive(1.0), strict(0.1)),
            _ => (strict(1.0), strict(0.6)),
        })
    }

    /// What a signal is measured in; none when the worker does not say.
    fn easy_unit(&self, role: Role) -> Option<f64> {
        let limits = self.shape.of(role).limits;
        let unit = match (role, self.config.target) {
            (Role::Prefill, Target::Load) => 1.0,
            (Role::Prefill, _) => f64::from(limits.context_length?),
            _ => limits.max_kv_tokens as f64,
        };
        (unit > 0.0).then_some(unit)
    }

    /// What the engines of a role ask for: more when any is over, fewer when all are under.
    pub(super) fn easy(&self, role: Role, records: &[Record]) -> Wish {
        let known = self.easy_thresholds(role).zip(self.easy_unit(role));
        let Some(((up, down), unit)) = known else { return Wish::Unknown(LoadReason::InsufficientData) };
        let signals = records.iter().map(|record| {
            let (scheduled, queued) = (record.scheduled, record.queued);
            let prompts = queued.prefill_tokens as f64;
            let cache = scheduled.decode_kv_tokens as f64 + queued.decode_kv_tokens as f64;
            let tokens = match role {
                Role::Prefill => prompts,
                Role::Decode => cache,
                Role::Aggregated => cache + prompts,
            };
            tokens / unit
        });
        let count = *self.inventory.of(role);
        let most = signals.fold(0.0, f64::max);
        if up.reached(most) {
            return Wish::To(count.ready.saturating_add(1));
        }
        if !down.undercut(most) || (count.ready <= 1 && count.pending == 0) {
            return Wish::Stay(LoadReason::NoChange);
        }
        let fewer = count.ready.saturating_sub(1).max(*self.config.floors().of(role));
        let merged = most * f64::from(count.ready) / f64::from(fewer.max(1));
        // What the others would have to carry must not call the worker back.
        let returns = merged >= up.at || (fewer == 0 && most > 0.0);
        if returns { Wish::Stay(LoadReason::NoChange) } else { Wish::To(fewer) }
    }
}
