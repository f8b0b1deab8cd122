//! Means of what engines did lately.

use std::collections::VecDeque;

use super::signal::Record;

/// Mean of the last values; zeros before the first other value are skipped.
#[derive(Clone, Debug)]
pub struct MovingAverage {
    values: VecDeque<f64>,
    window: usize,
}

impl MovingAverage {
    /// A mean of at most so many values, at least one.
    pub fn new(window: u32) -> Self {
        Self { values: VecDeque::new(), window: window.max(1) as usize }
    }

    /// Takes a value; what is below 0 or no number counts as 0.
    pub fn add(&mut self, value: f64) {
        let value = if value.is_finite() { value.max(0.0) } else { 0.0 };
        if value == 0.0 && self.values.is_empty() {
            return;
        }
        if self.values.len() == self.window {
            self.values.pop_front();
        }
        self.values.push_back(value);
    }

    /// The mean; 0 without values.
    pub fn value(&self) -> f64 {
        if self.values.is_empty() { 0.0 } else { self.values.iter().sum::<f64>() / self.values.len() as f64 }
    }
}

/// What the requests and passes of a role are like.
#[derive(Clone, Debug)]
pub struct Averages {
    isl: MovingAverage,
    context: MovingAverage,
    prefill_tokens: MovingAverage,
    prefill_requests: MovingAverage,
}

impl Averages {
    /// Averages over at most so many passes.
    pub fn new(window: u32) -> Self {
        let average = MovingAverage::new(window);
        Self {
            isl: average.clone(),
            context: average.clone(),
            prefill_tokens: average.clone(),
            prefill_requests: average,
        }
    }

    /// Takes the passes of the ranks of one worker.
    pub fn observe(&mut self, ranks: &[&Record]) {
        for work in ranks.iter().map(|record| record.scheduled) {
            self.isl.add(mean(work.prefill_tokens, work.prefill_requests));
            if work.decode_requests > 0 {
                self.context.add(mean(work.decode_kv_tokens, work.decode_requests));
            }
        }
        // The busiest rank sets the pace of a pass.
        let load = |record: &&&Record| {
            let work = record.scheduled;
            u128::from(work.prefill_tokens)
                + u128::from(work.decode_kv_tokens)
                + u128::from(work.decode_requests)
        };
        if let Some(record) = ranks.iter().rev().max_by_key(load) {
            self.prefill_requests.add(record.scheduled.prefill_requests as f64);
            self.prefill_tokens.add(record.scheduled.prefill_tokens as f64);
        }
    }

    /// Mean prompt tokens of a request in a pass; 0 before the first.
    pub fn isl(&self) -> f64 {
        self.isl.value()
    }

    /// Mean tokens in the KV cache of a request that writes; 0 before the first.
    pub fn context(&self) -> f64 {
        self.context.value()
    }

    /// Requests and tokens of the prompts that a pass of an aggregated worker typically reads.
    pub(super) fn prefill_mix(&self) -> (f64, f64) {
        let tokens = libm::ceil(self.prefill_tokens.value());
        let requests = libm::ceil(self.prefill_requests.value());
        (if tokens > 0.0 { requests.max(1.0) } else { requests }, tokens)
    }
}

/// A mean, 0 of nothing.
pub(super) fn mean(sum: u64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { sum as f64 / count as f64 }
}
