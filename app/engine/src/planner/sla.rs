//! The target `sla`: latencies estimated from queues, and whether one worker fewer would still meet the targets.

use super::estimate::Change;
use super::reason::LoadReason;
use super::scaler::{Ranks, Scaler};
use super::settle::{Side, Wish};
use super::shape::{Estimator, Role};
use super::signal::Record;

/// Whether the others could take over what an engine carries; none when it cannot be told.
type Survives = Option<bool>;

impl<E: Estimator> Scaler<E> {
    /// Factor on the load of the others when one of the ready workers goes.
    fn merge(&self, role: Role) -> f64 {
        let ready = f64::from(self.inventory.of(role).ready);
        if ready > 1.0 { ready / (ready - 1.0) } else { 1.0 }
    }

    fn sensitivity(&self) -> f64 {
        self.config.load_scaling_down_sensitivity / 100.0
    }

    /// More when every engine is above the target, fewer when the rest could do with it.
    fn judge(
        &self,
        role: Role,
        records: &[Record],
        target_ms: f64,
        estimate: impl Fn(&Ranks<'_>) -> Option<f64>,
        survives: impl Fn(&Ranks<'_>) -> Survives,
    ) -> Side {
        let count = *self.inventory.of(role);
        if count.ready == 0 || !self.shape.of(role).limits.usable() {
            return Side::unknown();
        }
        let steps = self.steps(role, records);
        let estimates: Vec<f64> = steps.iter().filter_map(estimate).collect();
        let Some(worst) = estimates.iter().copied().reduce(f64::max) else { return Side::unknown() };
        let wish = if estimates.iter().all(|&ms| ms > target_ms) {
            Wish::To(count.ready.saturating_add(1))
        } else if count.ready > 1 || count.pending > 0 {
            let verdicts: Vec<Survives> = steps.iter().map(survives).collect();
            if verdicts.contains(&Some(false)) {
                Wish::Stay(LoadReason::ScaleDownRefusedConsolidation)
            } else if verdicts.contains(&None) {
                Wish::Unknown(LoadReason::NoChange)
            } else {
                Wish::To((count.ready - 1).max(*self.config.floors().of(role)))
            }
        } else {
            Wish::Stay(LoadReason::NoChange)
        };
        Side { wish, estimate_ms: Some(worst) }
    }

    /// The queue may use what a prompt of its own leaves of the target, times the sensitivity.
    fn queue_fits(&self, role: Role, ranks: &Ranks<'_>, change: Change) -> Survives {
        let own = self.ttft(role, ranks, Change { queue: 0.0, ..change })?;
        let merged = self.ttft(role, ranks, change)?;
        let room = (self.config.ttft_ms - own) * self.sensitivity();
        Some(room > 0.0 && merged - own < room)
    }

    fn ttft(&self, role: Role, ranks: &Ranks<'_>, change: Change) -> Option<f64> {
        self.engine(role).ttft_ms(ranks, self.averages.of(role), self.kv_hit_rate, change)
    }

    fn itl(&self, role: Role, ranks: &Ranks<'_>, change: Change) -> Option<f64> {
        Some(self.engine(role).itl_ms(ranks, self.averages.of(role), change)? / self.accept_length)
    }

    /// The KV cache holds the merged load and the time between tokens stays within its share of the target.
    fn batch_fits(&self, role: Role, ranks: &Ranks<'_>, change: Change) -> Survives {
        let most = self.shape.of(role).limits.max_kv_tokens as f64;
        let holds = ranks.iter().all(|record| {
            let queued = if role == Role::Aggregated { record.queued.prefill_tokens as f64 } else { 0.0 };
            let tokens =
                record.scheduled.decode_kv_tokens as f64 + record.queued.decode_kv_tokens as f64 + queued;
            libm::trunc(tokens * change.decode) < most
        });
        if !holds {
            return Some(false);
        }
        self.itl(role, ranks, change).map(|ms| ms < self.config.itl_ms * self.sensitivity())
    }

    pub(super) fn sla_prefill(&self, records: &[Record]) -> Side {
        let role = Role::Prefill;
        let change = Change { queue: self.merge(role), ..Change::NONE };
        let estimate = |ranks: &Ranks<'_>| self.ttft(role, ranks, Change::NONE);
        let survives = |ranks: &Ranks<'_>| self.queue_fits(role, ranks, change);
        self.judge(role, records, self.config.ttft_ms, estimate, survives)
    }

    pub(super) fn sla_decode(&self, records: &[Record]) -> Side {
        let role = Role::Decode;
        let change = Change { decode: self.merge(role), ..Change::NONE };
        let estimate = |ranks: &Ranks<'_>| self.itl(role, ranks, Change::NONE);
        let survives = |ranks: &Ranks<'_>| self.batch_fits(role, ranks, change);
        self.judge(role, records, self.config.itl_ms, estimate, survives)
    }

    fn merged(&self) -> Change {
        let merge = self.merge(Role::Aggregated);
        Change { queue: merge, decode: merge, absorb: true }
    }

    pub(super) fn aggregated_prefill(&self, records: &[Record]) -> Side {
        let role = Role::Aggregated;
        let estimate = |ranks: &Ranks<'_>| self.ttft(role, ranks, Change::NONE);
        let survives = |ranks: &Ranks<'_>| self.queue_fits(role, ranks, self.merged());
        self.judge(role, records, self.config.ttft_ms, estimate, survives)
    }

    pub(super) fn aggregated_decode(&self, records: &[Record]) -> Side {
        let role = Role::Aggregated;
        let estimate = |ranks: &Ranks<'_>| self.itl(role, ranks, Change::NONE);
        let survives = |ranks: &Ranks<'_>| self.batch_fits(role, ranks, self.merged());
        self.judge(role, records, self.config.itl_ms, estimate, survives)
    }
}
