//! What the next request would see, from what an engine has before it.

use super::average::Averages;
use super::capacity::{Engine, chunks, computed_share};
use super::shape::{Estimator, Pass, Role};
use super::signal::Record;

/// How the load of an engine is changed before it is estimated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    /// Factor on the prompts that wait.
    pub(super) queue: f64,
    /// Factor on the requests that write tokens.
    pub(super) decode: f64,
    /// Whether waiting work counts as running: preempted requests, and for ITL of aggregated workers prompts.
    pub(super) absorb: bool,
}

impl Change {
    /// As it is.
    pub(super) const NONE: Self = Self { queue: 1.0, decode: 1.0, absorb: false };
}

impl<E: Estimator> Engine<'_, E> {
    /// Time to the first token of the next request, ms, behind what its worker has queued.
    ///
    /// `ranks` are the records of the ranks that step together.
    pub(super) fn ttft_ms(
        &self,
        ranks: &[&Record],
        averages: &Averages,
        kv_hit_rate: Option<f64>,
        change: Change,
    ) -> Option<f64> {
        let share = computed_share(kv_hit_rate);
        let queues: Vec<Queue> =
            ranks.iter().map(|record| self.queue(record, averages.isl(), share, change)).collect();
        let mut ends: Vec<f64> = queues.iter().flat_map(|queue| [queue.full, queue.passes()]).collect();
        ends.sort_by(f64::total_cmp);
        let (mut total_ms, mut start) = (0.0, 0.0);
        for end in ends {
            if end > start {
                total_ms += (end - start)
                    * self.slowest(queues.iter().map(|queue| queue.pass(start, self.most())))?;
                start = end;
            }
        }
        Some(total_ms)
    }

    fn most(&self) -> f64 {
        f64::from(self.limits.max_batched_tokens)
    }

    /// The pass that ranks make together, ms.
    fn slowest(&self, passes: impl Iterator<Item = Pass>) -> Option<f64> {
        let mut slowest: f64 = 0.0;
        for pass in passes {
            slowest = slowest.max(self.forward_ms(pass)?);
        }
        Some(slowest)
    }

    fn queue(&self, record: &Record, isl: f64, share: f64, change: Change) -> Queue {
        let queued = record.queued;
        let next = if isl > 0.0 { 1.0 } else { 0.0 };
        let tokens = libm::ceil((queued.prefill_tokens as f64 * change.queue + isl) * share);
        let requests = libm::ceil(queued.prefill_requests as f64 * change.queue + next);
        let (full, rest) = chunks(tokens, self.limits.max_batched_tokens);
        let beside = if self.role == Role::Aggregated { beside(record, change) } else { Pass::default() };
        Queue { full, rest, requests, beside }
    }

    /// Time between tokens with one request more, ms, before speculative decoding.
    pub(super) fn itl_ms(&self, ranks: &[&Record], averages: &Averages, change: Change) -> Option<f64> {
        let context = averages.context();
        let next = if context > 0.0 { 1.0 } else { 0.0 };
        let mixed = self.role == Role::Aggregated;
        let (prefill_requests, prefill_tokens) = if mixed { averages.prefill_mix() } else { (0.0, 0.0) };
        self.slowest(ranks.iter().map(|record| {
            let (scheduled, queued) = (record.scheduled, record.queued);
            let mut requests = scheduled.decode_requests as f64 + queued.decode_requests as f64;
            let mut tokens = scheduled.decode_kv_tokens as f64 + queued.decode_kv_tokens as f64;
            if mixed && change.absorb {
                requests += queued.prefill_requests as f64;
                tokens += queued.prefill_tokens as f64;
            }
            Pass {
                prefill_requests,
                prefill_tokens,
                decode_requests: libm::ceil(requests * change.decode + next),
                decode_kv_tokens: libm::ceil(tokens * change.decode + context),
            }
        }))
    }
}

/// The decode batch beside the prompts of an aggregated worker.
fn beside(record: &Record, change: Change) -> Pass {
    let (scheduled, queued) = (record.scheduled, record.queued);
    let with = |scheduled: u64, queued: u64| {
        let queued = if change.absorb { queued as f64 } else { 0.0 };
        libm::ceil((scheduled as f64 + queued) * change.decode)
    };
    Pass {
        decode_requests: with(scheduled.decode_requests, queued.decode_requests),
        decode_kv_tokens: with(scheduled.decode_kv_tokens, queued.decode_kv_tokens),
        ..Pass::default()
    }
}

/// What a rank has to read before the next request has its first token.
struct Queue {
    /// Passes that are full.
    full: f64,
    /// Tokens of the last pass.
    rest: f64,
    requests: f64,
    beside: Pass,
}

impl Queue {
    fn passes(&self) -> f64 {
        if self.rest > 0.0 { self.full + 1.0 } else { self.full }
    }

    fn pass(&self, index: f64, most: f64) -> Pass {
        let prefill_tokens = if index < self.full {
            most
        } else if index == self.full {
            self.rest
        } else {
            0.0
        };
        let prefill_requests = if prefill_tokens > 0.0 { self.requests.max(1.0) } else { 0.0 };
        Pass { prefill_requests, prefill_tokens, ..self.beside }
    }
}
