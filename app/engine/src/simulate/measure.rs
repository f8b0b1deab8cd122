//! Figures of a run: by moment, and in all.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::cluster::Slo;

/// Latencies at their nearest ranks, ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// Mean.
    pub mean: f64,
    /// Half are no longer.
    pub p50: f64,
    /// Nine of ten are no longer.
    pub p90: f64,
    /// 95 of 100 are no longer.
    pub p95: f64,
    /// 99 of 100 are no longer.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

impl Percentiles {
    /// Of some values; none of none.
    pub fn of(values: &mut [f64]) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        values.sort_unstable_by(f64::total_cmp);
        let rank = |share: f64| {
            let at = (share * values.len() as f64).ceil() as usize;
            values[at.clamp(1, values.len()) - 1]
        };
        Some(Self {
            mean: values.iter().sum::<f64>() / values.len() as f64,
            p50: rank(0.5),
            p90: rank(0.9),
            p95: rank(0.95),
            p99: rank(0.99),
            max: rank(1.0),
        })
    }
}

/// A sum and how many it is of.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Mean {
    sum: f64,
    count: u64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    fn value(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

/// What happened in a stretch of time.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    arrivals: u64,
    ttft_ms: Mean,
    itl_ms: Mean,
    isl: Mean,
    osl: Mean,
    /// Requests that met the SLO, of those that ended.
    met: Mean,
}

/// Figures over the last stretches.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Recent {
    pub(super) requests: u64,
    pub(super) ttft_ms: Option<f64>,
    pub(super) itl_ms: Option<f64>,
    pub(super) isl: Option<f64>,
    pub(super) osl: Option<f64>,
    pub(super) attainment: Option<f64>,
}

/// A window that slides by whole buckets.
#[derive(Clone, Debug)]
pub(super) struct Sliding {
    buckets: VecDeque<Bucket>,
    most: usize,
}

impl Sliding {
    pub(super) fn new(most: usize) -> Self {
        Self { buckets: VecDeque::from([Bucket::default()]), most: most.max(1) }
    }

    /// Buckets that figures are over now.
    pub(super) fn buckets(&self) -> f64 {
        self.buckets.len() as f64
    }

    fn now(&mut self) -> Option<&mut Bucket> {
        self.buckets.back_mut()
    }

    /// The current bucket is over.
    pub(super) fn turn(&mut self) {
        self.buckets.push_back(Bucket::default());
        if self.buckets.len() > self.most {
            self.buckets.pop_front();
        }
    }

    pub(super) fn recent(&self) -> Recent {
        let mean = |part: fn(&Bucket) -> Mean| {
            let parts = self.buckets.iter().map(part);
            parts.fold(Mean::default(), |all, one| Mean {
                sum: all.sum + one.sum,
                count: all.count + one.count,
            })
        };
        Recent {
            requests: self.buckets.iter().map(|bucket| bucket.arrivals).sum(),
            ttft_ms: mean(|bucket| bucket.ttft_ms).value(),
            itl_ms: mean(|bucket| bucket.itl_ms).value(),
            isl: mean(|bucket| bucket.isl).value(),
            osl: mean(|bucket| bucket.osl).value(),
            attainment: mean(|bucket| bucket.met).value(),
        }
    }
}

/// Everything measured.
#[derive(Clone, Debug)]
pub(super) struct Measures {
    slo: Slo,
    ttft_ms: Vec<f64>,
    itl_ms: Vec<f64>,
    pub(super) arrived: u64,
    pub(super) done: u64,
    pub(super) met: u64,
    pub(super) tokens: u64,
    /// Since the last sample, and some before.
    pub(super) samples: Sliding,
    /// Since the planner last read traffic.
    pub(super) window: Sliding,
}

impl Measures {
    pub(super) fn new(slo: Slo, sample_buckets: usize, window_buckets: usize) -> Self {
        Self {
            slo,
            ttft_ms: Vec::new(),
            itl_ms: Vec::new(),
            arrived: 0,
            done: 0,
            met: 0,
            tokens: 0,
            samples: Sliding::new(sample_buckets),
            window: Sliding::new(window_buckets),
        }
    }

    fn each(&mut self, change: impl Fn(&mut Bucket)) {
        for window in [&mut self.samples, &mut self.window] {
            if let Some(bucket) = window.now() {
                change(bucket);
            }
        }
    }

    pub(super) fn arrival(&mut self) {
        self.arrived += 1;
        self.each(|bucket| bucket.arrivals += 1);
    }

    pub(super) fn first_token(&mut self, ttft_ms: f64) {
        self.ttft_ms.push(ttft_ms);
        self.each(|bucket| bucket.ttft_ms.add(ttft_ms));
    }

    /// A request is done; its mean ITL, where it has more than one token.
    pub(super) fn done(&mut self, isl: u32, osl: u32, ttft_ms: f64, itl_ms: Option<f64>) {
        self.done += 1;
        self.tokens += u64::from(osl);
        let within = |value: f64, most: Option<f64>| most.is_none_or(|most| value <= most);
        let met = within(ttft_ms, self.slo.ttft_ms) && itl_ms.is_none_or(|itl| within(itl, self.slo.itl_ms));
        self.met += u64::from(met);
        self.itl_ms.extend(itl_ms);
        self.each(|bucket| {
            bucket.isl.add(f64::from(isl));
            bucket.osl.add(f64::from(osl));
            bucket.met.add(f64::from(u8::from(met)));
            if let Some(itl_ms) = itl_ms {
                bucket.itl_ms.add(itl_ms);
            }
        });
    }

    pub(super) fn ttft(&self) -> Option<Percentiles> {
        Percentiles::of(&mut self.ttft_ms.clone())
    }

    pub(super) fn itl(&self) -> Option<Percentiles> {
        Percentiles::of(&mut self.itl_ms.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let mut values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        let all = Percentiles::of(&mut values).unwrap();
        assert_eq!((all.p50, all.p90, all.p95, all.p99, all.max), (100.0, 180.0, 190.0, 198.0, 200.0));
        assert_eq!(all.mean, 100.5);
        assert_eq!(Percentiles::of(&mut []), None);
        assert_eq!(Percentiles::of(&mut [3.0]).unwrap().p50, 3.0);
    }
}
