//! How many requests per second one engine carries under the targets.

use super::shape::{Estimator, Limits, Pass, Role};

/// Batches that a search looks at.
const MOST_CANDIDATES: u64 = 128;
/// Share of a prompt that is believed to be in the KV cache at most.
const MOST_HITS: f64 = 0.95;

/// What requests are like and what they must meet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ask {
    /// Mean prompt tokens.
    pub isl: f64,
    /// Mean output tokens.
    pub osl: f64,
    /// Most time to the first token, ms.
    pub ttft_ms: f64,
    /// Most time between tokens, ms.
    pub itl_ms: f64,
    /// Share of prompt tokens found in the KV cache.
    pub kv_hit_rate: Option<f64>,
    /// Tokens accepted per pass of speculative decoding.
    pub accept_length: f64,
}

/// What one engine carries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Capacity {
    /// Requests per second.
    pub per_sec: f64,
    /// Time to the first token, ms; none for decode.
    pub ttft_ms: Option<f64>,
    /// Time between tokens, ms; none for prefill.
    pub itl_ms: Option<f64>,
    /// Whole request, ms; none for decode.
    pub e2e_ms: Option<f64>,
    /// Whether the targets are met; otherwise this is the most the engine does at all.
    pub eligible: bool,
}

/// An engine as an estimator sees it.
#[derive(Clone, Copy, Debug)]
pub struct Engine<'a, E> {
    /// What a pass costs.
    pub estimator: &'a E,
    /// What the engine does.
    pub role: Role,
    /// What it can hold.
    pub limits: Limits,
    /// Attention data-parallel ranks.
    pub ranks: u32,
}

/// The batches that a search looks at, of 1 to `most`.
pub fn batches(most: u64) -> impl Iterator<Item = u64> {
    let count = most.min(MOST_CANDIDATES);
    (0..count).map(move |index| {
        let steps = u128::from(most - 1) * u128::from(index);
        if most <= MOST_CANDIDATES { index + 1 } else { 1 + (steps / u128::from(MOST_CANDIDATES - 1)) as u64 }
    })
}

/// What remains to be computed of a prompt token.
pub(super) fn computed_share(kv_hit_rate: Option<f64>) -> f64 {
    1.0 - kv_hit_rate.filter(|rate| rate.is_finite()).unwrap_or(0.0).clamp(0.0, MOST_HITS)
}

/// A length as whole tokens; none for what is no length.
fn whole(length: f64) -> Option<u64> {
    let whole = libm::ceil(length);
    (whole >= 1.0 && whole <= f64::from(u32::MAX)).then_some(whole as u64)
}

/// Of two, an eligible one, then the higher rate, then the earlier.
fn better(best: Option<Capacity>, candidate: Capacity) -> Option<Capacity> {
    let keep = best.is_some_and(|best| {
        if best.eligible == candidate.eligible { candidate.per_sec <= best.per_sec } else { best.eligible }
    });
    if keep { best } else { Some(candidate) }
}

/// Tokens of a queue as full passes and a rest.
pub(super) fn chunks(tokens: f64, most: u32) -> (f64, f64) {
    let most = f64::from(most.max(1));
    let full = libm::floor(tokens / most);
    (full, tokens - full * most)
}

impl<E: Estimator> Engine<'_, E> {
    /// Duration of a pass of one rank, ms; none while the estimator is not ready.
    pub fn forward_ms(&self, pass: Pass) -> Option<f64> {
        self.estimator.forward_ms(self.role, pass).filter(|ms| ms.is_finite()).map(|ms| ms.max(0.0))
    }

    /// Duration of a pass spread over the ranks, ms; the first rank has the largest part.
    fn spread_ms(&self, pass: Pass) -> Option<f64> {
        let ranks = f64::from(self.ranks.max(1));
        let part = |total: f64| libm::ceil(total / ranks);
        let prefill_tokens = part(pass.prefill_tokens);
        self.forward_ms(Pass {
            prefill_requests: if prefill_tokens > 0.0 { 1.0 } else { 0.0 },
            prefill_tokens,
            decode_requests: part(pass.decode_requests),
            decode_kv_tokens: part(pass.decode_kv_tokens),
        })
    }

    /// Duration of prompts cut into passes, ms, with a decode batch alongside.
    fn prefill_ms(&self, tokens: f64, beside: Pass) -> Option<f64> {
        let most = self.limits.max_batched_tokens;
        let pass = |prefill_tokens: f64| self.spread_ms(Pass { prefill_tokens, ..beside });
        let (full, rest) = chunks(tokens, most);
        let full_ms = if full > 0.0 { full * pass(f64::from(most))? } else { 0.0 };
        let rest_ms = if rest > 0.0 { pass(rest)? } else { 0.0 };
        Some(full_ms + rest_ms)
    }

    /// Requests per second under the targets; none when lengths or limits allow no estimate.
    pub fn capacity(&self, ask: &Ask) -> Option<Capacity> {
        let isl = whole(ask.isl).filter(|_| self.limits.usable())?;
        let computed = (libm::ceil(isl as f64 * computed_share(ask.kv_hit_rate)) as u64).max(1);
        match self.role {
            Role::Prefill => self.prefill(computed, ask),
            Role::Decode => self.decode(isl, whole(ask.osl)?, ask),
            Role::Aggregated => self.aggregated(isl, computed, whole(ask.osl)?, ask),
        }
    }

    fn prefill(&self, computed: u64, ask: &Ask) -> Option<Capacity> {
        let most_tokens = u64::from(self.limits.max_batched_tokens);
        let most = (most_tokens / computed).clamp(1, u64::from(self.limits.max_sequences));
        let mut best = None;
        for batch in batches(if computed > most_tokens { 1 } else { most }) {
            let ttft_ms = self.prefill_ms((batch * computed) as f64, Pass::default())?;
            if ttft_ms > 0.0 {
                let (per_sec, eligible) = (1000.0 * batch as f64 / ttft_ms, ttft_ms <= ask.ttft_ms);
                let (ttft_ms, e2e_ms) = (Some(ttft_ms), Some(ttft_ms));
                best = better(best, Capacity { per_sec, ttft_ms, itl_ms: None, e2e_ms, eligible });
            }
        }
        best
    }

    /// Requests that fit into the KV cache halfway through their output.
    fn decode_batch(&self, context: u64) -> u64 {
        (self.limits.max_kv_tokens / context.max(1)).min(u64::from(self.limits.max_sequences))
    }

    fn decode(&self, isl: u64, osl: u64, ask: &Ask) -> Option<Capacity> {
        let context = isl + osl / 2;
        let accept = accepted(ask);
        let mut best = None;
        for batch in batches(self.decode_batch(context)) {
            let itl_ms = self.spread_ms(decode_pass(batch, context))? / accept;
            if itl_ms > 0.0 {
                let (per_sec, eligible) = (rate(batch, osl, itl_ms), itl_ms <= ask.itl_ms);
                let itl_ms = Some(itl_ms);
                best = better(best, Capacity { per_sec, ttft_ms: None, itl_ms, e2e_ms: None, eligible });
            }
        }
        best
    }

    fn aggregated(&self, isl: u64, computed: u64, osl: u64, ask: &Ask) -> Option<Capacity> {
        let most_tokens = u64::from(self.limits.max_batched_tokens);
        if most_tokens <= 1 {
            return None;
        }
        let context = isl + osl / 2;
        let accept = accepted(ask);
        let mut best = None;
        for batch in batches(self.decode_batch(context).min(most_tokens - 1)) {
            // Prompts must come in as fast as requests are finished.
            let arriving = libm::ceil(batch as f64 * accept * computed as f64 / osl as f64);
            if arriving > (most_tokens - batch) as f64 {
                continue;
            }
            let beside = decode_pass(batch, context);
            let prefill_tokens = arriving.min(most_tokens as f64);
            let itl_ms = self.spread_ms(Pass { prefill_tokens, ..beside })? / accept;
            if itl_ms <= 0.0 {
                continue;
            }
            let ttft_ms = self.prefill_ms(prefill_tokens + computed as f64, beside)?;
            let eligible = ttft_ms <= ask.ttft_ms && itl_ms <= ask.itl_ms;
            let e2e_ms = Some(ttft_ms + itl_ms * (osl - 1) as f64);
            let per_sec = rate(batch, osl, itl_ms);
            let (ttft_ms, itl_ms) = (Some(ttft_ms), Some(itl_ms));
            best = better(best, Capacity { per_sec, ttft_ms, itl_ms, e2e_ms, eligible });
        }
        best
    }
}

fn decode_pass(batch: u64, context: u64) -> Pass {
    let (decode_requests, decode_kv_tokens) = (batch as f64, batch as f64 * context as f64);
    Pass { decode_requests, decode_kv_tokens, ..Pass::default() }
}

fn accepted(ask: &Ask) -> f64 {
    if ask.accept_length.is_finite() { ask.accept_length.max(1.0) } else { 1.0 }
}

/// Requests per second of a batch that stays full.
fn rate(batch: u64, osl: u64, itl_ms: f64) -> f64 {
    1000.0 * batch as f64 / (osl as f64 * itl_ms)
}
