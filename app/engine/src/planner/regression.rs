//! Straight lines through the passes that engines reported, where nothing better is known.

use super::average::Averages;
use super::capacity::computed_share;
use super::config::Config;
use super::shape::{Estimator, Pass, PerRole, Role};
use super::signal::Record;

/// Least duration that is predicted, s.
const LEAST_SECS: f64 = 1e-6;
/// A coefficient of decode requests below this is noise beside that of the KV cache.
const NOISE: f64 = -1e-6;

/// A finished pass: two figures and its duration in s.
#[derive(Clone, Copy, Debug)]
struct Sample {
    x: [f64; 2],
    secs: f64,
}

/// A fit of durations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Seconds of an empty pass.
    pub intercept: f64,
    /// Seconds per prompt token and 0 for prefill; per request and per KV token for decode; per prompt token and per
    /// KV token for aggregated workers.
    pub slope: [f64; 2],
}

impl Line {
    fn secs(&self, x: [f64; 2]) -> f64 {
        (self.intercept + self.slope[0] * x[0] + self.slope[1] * x[1]).max(LEAST_SECS)
    }
}

/// Durations of a role, learned.
#[derive(Clone, Debug)]
pub struct Regression {
    role: Role,
    least: usize,
    most: usize,
    cells: u32,
    samples: Vec<Sample>,
    averages: Averages,
    batch: super::MovingAverage,
    line: Option<Line>,
}

impl Regression {
    /// Nothing learned yet.
    pub fn new(role: Role, config: &Config) -> Self {
        let most = config.max_num_fpm_samples.max(1);
        let cells = config.fpm_sample_bucket_size.max(1);
        Self {
            role,
            least: config.load_min_observations.max(1) as usize,
            most: most as usize,
            cells: if role == Role::Prefill { cells } else { cells.isqrt() },
            samples: Vec::new(),
            averages: Averages::new(most),
            batch: super::MovingAverage::new(most),
            line: None,
        }
    }

    /// Takes a pass; an idle one counts for averages alone.
    pub fn observe(&mut self, record: &Record) {
        self.averages.observe(&[record]);
        let work = record.scheduled;
        self.batch.add(work.decode_requests as f64);
        if !record.wall_secs.is_finite() || record.wall_secs <= 0.0 {
            return;
        }
        let x = self.figures(Pass {
            prefill_requests: work.prefill_requests as f64,
            prefill_tokens: work.prefill_tokens as f64,
            decode_requests: work.decode_requests as f64,
            decode_kv_tokens: work.decode_kv_tokens as f64,
        });
        self.samples.push(Sample { x, secs: record.wall_secs });
        if self.samples.len() > self.most {
            self.retire();
        }
        self.line = self.fit();
    }

    /// Figures that the duration depends on.
    fn figures(&self, pass: Pass) -> [f64; 2] {
        match self.role {
            Role::Prefill => [pass.prefill_tokens, 0.0],
            Role::Decode => [pass.decode_requests, pass.decode_kv_tokens],
            Role::Aggregated => [pass.prefill_tokens, pass.decode_kv_tokens],
        }
    }

    /// The oldest sample of the fullest cell goes, so that rare loads stay known.
    fn retire(&mut self) {
        let bounds = [0, 1].map(|axis: usize| {
            let values = || self.samples.iter().map(|sample| sample.x[axis]);
            (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max))
        });
        let cell = |sample: &Sample| {
            [0, 1].map(|axis: usize| {
                let (low, high) = bounds[axis];
                let share = if high > low { (sample.x[axis] - low) / (high - low) } else { 0.0 };
                ((share * f64::from(self.cells)) as u32).min(self.cells - 1)
            })
        };
        let cells: Vec<[u32; 2]> = self.samples.iter().map(cell).collect();
        let fill = |wanted: &[u32; 2]| cells.iter().filter(|cell| *cell == wanted).count();
        // The last of equals in reverse order is the one with the oldest sample.
        let fullest = (0..cells.len()).rev().max_by_key(|&index| (fill(&cells[index]), usize::MAX - index));
        if let Some(index) = fullest {
            self.samples.remove(index);
        }
    }

    fn fit(&self) -> Option<Line> {
        if self.samples.len() < self.least {
            return None;
        }
        let line = least_squares(&self.samples)?;
        let mut slope = line.slope;
        if self.role == Role::Decode && slope[0] < NOISE {
            slope[0] = 0.0;
        }
        let falls = slope[1] < 0.0 || (slope[0] < 0.0 && self.role != Role::Decode);
        (!falls).then_some(Line { slope, ..line })
    }

    /// The fit; none with too few samples or when more work would take less time.
    pub fn line(&self) -> Option<Line> {
        self.line
    }

    /// Means over the passes.
    pub fn averages(&self) -> &Averages {
        &self.averages
    }

    /// Duration of a pass, s.
    pub fn secs(&self, pass: Pass) -> Option<f64> {
        self.line.map(|line| line.secs(self.figures(pass)))
    }

    /// Time to the first token of the next request behind so many queued tokens, s.
    pub fn ttft_secs(
        &self,
        queued_tokens: f64,
        max_batched_tokens: u32,
        kv_hit_rate: Option<f64>,
    ) -> Option<f64> {
        let tokens = (queued_tokens + self.averages.isl()) * computed_share(kv_hit_rate);
        let pass = |prefill_tokens: f64| self.secs(Pass { prefill_tokens, ..Pass::default() });
        let (full, rest) = super::capacity::chunks(tokens, max_batched_tokens);
        let full_secs = full * pass(f64::from(max_batched_tokens))?;
        Some(full_secs + if rest > 0.0 { pass(rest)? } else { 0.0 })
    }

    /// Time between tokens with one request more, s, the batch as large as it usually is.
    pub fn itl_secs(&self, kv_tokens: f64) -> Option<f64> {
        let decode_requests = self.batch.value() + 1.0;
        let decode_kv_tokens = kv_tokens + self.averages.context();
        self.secs(Pass { decode_requests, decode_kv_tokens, ..Pass::default() })
    }

    /// Requests per second of a prefill worker that reads one prompt after the other, and the time for one, s.
    pub fn prefill_per_sec(&self, isl: f64, max_batched_tokens: u32) -> Option<(f64, f64)> {
        let (full, rest) = super::capacity::chunks(isl, max_batched_tokens);
        let pass = |prefill_tokens: f64| self.secs(Pass { prefill_tokens, ..Pass::default() });
        let full_secs = full * pass(f64::from(max_batched_tokens))?;
        let secs = full_secs + if rest > 0.0 { pass(rest)? } else { 0.0 };
        (secs > 0.0).then_some((1.0 / secs, secs))
    }

    /// Requests per second of the largest decode batch within the target, and its time between tokens, s; those of one
    /// request when even that is too slow.
    pub fn decode_per_sec(&self, ask: DecodeAsk) -> Option<(f64, f64)> {
        let accept = if ask.accept_length.is_finite() { ask.accept_length.max(1.0) } else { 1.0 };
        let itl_secs = |batch: u64| {
            let (decode_requests, decode_kv_tokens) = (batch as f64, batch as f64 * ask.context);
            self.secs(Pass { decode_requests, decode_kv_tokens, ..Pass::default() }).map(|secs| secs / accept)
        };
        if !(ask.osl > 0.0 && ask.context > 0.0) {
            return None;
        }
        let (mut fits, mut most) = (1, ((ask.max_kv_tokens as f64 / ask.context.max(1.0)) as u64).max(1));
        most = most.min(u64::from(ask.max_sequences.max(1)));
        // The time grows with the batch, so the largest that fits is found by halving.
        while fits < most {
            let middle = fits + (most - fits).div_ceil(2);
            if itl_secs(middle)? * 1000.0 <= ask.itl_ms { fits = middle } else { most = middle - 1 }
        }
        let secs = itl_secs(fits)?;
        Some((fits as f64 / (ask.osl * secs), secs))
    }
}

/// What decode requests are like and what they must meet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DecodeAsk {
    /// Mean tokens in the KV cache of a request.
    pub context: f64,
    /// Mean output tokens.
    pub osl: f64,
    /// Most time between tokens, ms.
    pub itl_ms: f64,
    /// Tokens in the KV cache of a worker.
    pub max_kv_tokens: u64,
    /// Requests of one pass.
    pub max_sequences: u32,
    /// Tokens accepted per pass of speculative decoding.
    pub accept_length: f64,
}

/// The line nearest to the samples; the flattest of several as near. None when sums overflow.
fn least_squares(samples: &[Sample]) -> Option<Line> {
    let count = samples.len() as f64;
    let mean = |value: fn(&Sample) -> f64| samples.iter().map(value).sum::<f64>() / count;
    let centre = [mean(|sample| sample.x[0]), mean(|sample| sample.x[1])];
    let secs = mean(|sample| sample.secs);
    let dot = |a: &dyn Fn(&Sample) -> f64, b: &dyn Fn(&Sample) -> f64| {
        samples.iter().map(|sample| a(sample) * b(sample)).sum::<f64>()
    };
    let first = |sample: &Sample| sample.x[0] - centre[0];
    let second = |sample: &Sample| sample.x[1] - centre[1];
    let time = |sample: &Sample| sample.secs - secs;
    let (size, other_size) = (dot(&second, &second), dot(&first, &first));
    // The first axis, freed of what the second explains.
    let shared = if size > 0.0 { dot(&first, &second) / size } else { 0.0 };
    let own = |sample: &Sample| first(sample) - shared * second(sample);
    let own_size = dot(&own, &own);
    let slope = if own_size > 1e-20 * other_size && own_size > 0.0 {
        let slope = dot(&own, &time) / own_size;
        let rest = |sample: &Sample| time(sample) - slope * first(sample);
        [slope, if size > 0.0 { dot(&rest, &second) / size } else { 0.0 }]
    } else if size > 0.0 {
        // Both axes tell the same: share the slope in proportion.
        let along = dot(&time, &second) / (size * (1.0 + shared * shared));
        [along * shared, along]
    } else {
        [0.0, 0.0]
    };
    let intercept = secs - slope[0] * centre[0] - slope[1] * centre[1];
    (intercept.is_finite() && slope.iter().all(|slope| slope.is_finite()))
        .then_some(Line { intercept, slope })
}

/// Estimates of all roles, learned from the passes that the planner sees.
#[derive(Clone, Debug)]
pub struct Learned {
    roles: PerRole<Regression>,
}

impl Learned {
    /// Nothing learned yet.
    pub fn new(config: &Config) -> Self {
        let decode = Regression::new(config.mode.decode_role(), config);
        Self { roles: PerRole { prefill: Regression::new(Role::Prefill, config), decode } }
    }
}

impl Estimator for Learned {
    fn forward_ms(&self, role: Role, pass: Pass) -> Option<f64> {
        self.roles.of(role).secs(pass).map(|secs| secs * 1000.0)
    }

    fn observe(&mut self, role: Role, record: &Record) {
        self.roles.of_mut(role).observe(record);
    }
}
