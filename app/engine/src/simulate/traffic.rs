//! Requests that arrive: stories of phases, or the rows of a trace.

use std::sync::Arc;

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

/// A request that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Arrival {
    /// When, ms from the start.
    pub at_ms: f64,
    /// Tokens of the prompt.
    pub isl: u32,
    /// Tokens of the answer.
    pub osl: u32,
    /// Tokens of the prompt that the KV cache has; the story's or planner's hit rate where it is not known.
    pub cached: Option<u32>,
}

/// A stretch of time with traffic of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// How long, seconds.
    pub secs: f64,
    /// Requests per second at its beginning.
    pub from_per_sec: f64,
    /// Requests per second at its end; in between the rate changes evenly.
    pub to_per_sec: f64,
    /// Requests that arrive all at once at its beginning.
    pub burst: u32,
    /// Mean tokens of a prompt.
    pub isl: u32,
    /// Mean tokens of an answer.
    pub osl: u32,
}

/// When requests of a phase arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Spacing {
    /// At even distances.
    Even,
    /// Independently of each other (Poisson).
    #[default]
    Random,
}

/// A story: phases one after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Story {
    /// The phases.
    pub phases: Vec<Phase>,
    /// When requests arrive.
    pub spacing: Spacing,
    /// Lengths vary by this share to both sides of the mean, 0 to 1.
    pub spread: f64,
}

/// Traffic of a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Traffic {
    /// A story.
    Story(Story),
    /// Rows of a trace, ordered by time.
    Trace(Arc<[Arrival]>),
}

impl Story {
    /// How long it is, ms.
    pub fn length_ms(&self) -> f64 {
        self.phases.iter().map(|phase| phase.secs.max(0.0)).sum::<f64>() * 1000.0
    }
    /// Requests to expect, bursts included.
    pub fn requests(&self) -> f64 {
        let mean = |phase: &Phase| f64::midpoint(phase.from_per_sec, phase.to_per_sec).max(0.0);
        self.phases.iter().map(|phase| f64::from(phase.burst) + mean(phase) * phase.secs.max(0.0)).sum()
    }
}

impl Traffic {
    /// How long it is, ms.
    pub fn length_ms(&self) -> f64 {
        match self {
            Self::Story(story) => story.length_ms(),
            Self::Trace(rows) => rows.last().map_or(0.0, |row| row.at_ms),
        }
    }

    /// The requests, in order.
    pub(super) fn arrivals(&self, seed: u64) -> Arrivals {
        match self {
            Self::Story(story) => Arrivals::Story(Box::new(Teller::new(story.clone(), seed))),
            Self::Trace(rows) => Arrivals::Trace(Arc::clone(rows), 0),
        }
    }
}

/// Requests one after the other.
#[derive(Clone, Debug)]
pub(super) enum Arrivals {
    Story(Box<Teller>),
    Trace(Arc<[Arrival]>, usize),
}

impl Iterator for Arrivals {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        match self {
            Self::Story(teller) => teller.next(),
            Self::Trace(rows, at) => {
                let row = rows.get(*at).copied();
                *at += 1;
                row
            }
        }
    }
}

/// Tells a story request by request.
#[derive(Clone, Debug)]
pub(super) struct Teller {
    story: Story,
    random: Chance,
    phase: usize,
    /// When the phase began, ms.
    began_ms: f64,
    /// Seconds of the phase told.
    told_secs: f64,
    /// Requests of the burst still to come.
    burst: u32,
    /// Requests' worth of rate until the next one.
    wait: f64,
}

impl Teller {
    fn new(story: Story, seed: u64) -> Self {
        let burst = story.phases.first().map_or(0, |phase| phase.burst);
        let mut random = Chance::new(seed);
        // Even spacing begins with a request.
        let wait = if story.spacing == Spacing::Even { 0.0 } else { random.exponential() };
        Self { story, random, phase: 0, began_ms: 0.0, told_secs: 0.0, burst, wait }
    }

    fn next(&mut self) -> Option<Arrival> {
        loop {
            let phase = *self.story.phases.get(self.phase)?;
            if self.burst > 0 {
                self.burst -= 1;
                return Some(self.request(&phase, 0.0));
            }
            if let Some(secs) = later(&phase, self.told_secs, self.wait) {
                self.told_secs = secs;
                self.wait = if self.story.spacing == Spacing::Even { 1.0 } else { self.random.exponential() };
                return Some(self.request(&phase, secs));
            }
            self.wait -= between(&phase, self.told_secs, phase.secs);
            self.began_ms += phase.secs.max(0.0) * 1000.0;
            self.phase += 1;
            self.told_secs = 0.0;
            self.burst = self.story.phases.get(self.phase).map_or(0, |phase| phase.burst);
        }
    }

    fn request(&mut self, phase: &Phase, secs: f64) -> Arrival {
        let spread = self.story.spread.clamp(0.0, 1.0);
        let mut about = |mean: u32| {
            if spread == 0.0 {
                return mean.max(1);
            }
            let share = 1.0 + spread * (2.0 * self.random.share() - 1.0);
            (f64::from(mean) * share + 0.5).floor().max(1.0) as u32
        };
        let (isl, osl) = (about(phase.isl), about(phase.osl));
        Arrival { at_ms: self.began_ms + secs * 1000.0, isl, osl, cached: None }
    }
}

/// Rate of a phase at a second of it.
fn rate(phase: &Phase, secs: f64) -> f64 {
    phase.from_per_sec + (phase.to_per_sec - phase.from_per_sec) * (secs / phase.secs)
}

/// Requests of a phase between two seconds of it.
fn between(phase: &Phase, from: f64, to: f64) -> f64 {
    if phase.secs <= 0.0 || to <= from {
        return 0.0;
    }
    (f64::midpoint(rate(phase, from), rate(phase, to)) * (to - from)).max(0.0)
}

/// The second of a phase at which so many requests have come since `from`; none when it ends before.
fn later(phase: &Phase, from: f64, requests: f64) -> Option<f64> {
    if requests <= 0.0 {
        return (from < phase.secs && phase.from_per_sec + phase.to_per_sec > 0.0).then_some(from);
    }
    if !(phase.secs > 0.0 && between(phase, from, phase.secs) > requests) {
        return None;
    }
    // requests = r·d + s·d²/2 with r the rate now and s its slope.
    let now = rate(phase, from).max(0.0);
    let slope = (phase.to_per_sec - phase.from_per_sec) / phase.secs;
    let more = (now * now + 2.0 * slope * requests).max(0.0).sqrt();
    Some((from + 2.0 * requests / (now + more)).min(phase.secs))
}

/// Random numbers from a seed, the same on every target.
#[derive(Clone, Debug)]
pub(super) struct Chance(Pcg64Mcg);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(Pcg64Mcg::seed_from_u64(seed))
    }

    /// From 0 to below 1.
    pub(super) fn share(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Mean 1.
    fn exponential(&mut self) -> f64 {
        -libm::log(1.0 - self.share())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase(secs: f64, from: f64, to: f64, burst: u32) -> Phase {
        Phase { secs, from_per_sec: from, to_per_sec: to, burst, isl: 3000, osl: 150 }
    }

    fn told(phases: &[Phase], spacing: Spacing, seed: u64) -> Vec<f64> {
        let story = Story { phases: phases.to_vec(), spacing, spread: 0.0 };
        Traffic::Story(story).arrivals(seed).map(|arrival| arrival.at_ms).collect()
    }

    #[test]
    fn even_requests_keep_their_distance() {
        let times = told(&[phase(5.0, 0.5, 0.5, 0), phase(2.0, 2.0, 2.0, 3)], Spacing::Even, 1);
        assert_eq!(times, [0.0, 2000.0, 4000.0, 5000.0, 5000.0, 5000.0, 5250.0, 5750.0, 6250.0, 6750.0]);
        assert_eq!(told(&[phase(10.0, 0.0, 0.0, 0)], Spacing::Even, 1), [0.0; 0]);
    }

    #[test]
    fn a_ramp_brings_as_many_as_its_area() {
        for (from, to) in [(0.0, 10.0), (10.0, 0.0), (2.0, 8.0)] {
            let times = told(&[phase(200.0, from, to, 0)], Spacing::Even, 1);
            let expected = (from + to) * 100.0;
            assert!((times.len() as f64 - expected).abs() <= 1.0, "{from} {to}: {}", times.len());
            let half = times.iter().filter(|&&at| at < 100_000.0).count() as f64;
            assert!((half - (from * 0.75 + to * 0.25) * 100.0).abs() <= 1.0, "{from} {to}: {half}");
        }
    }

    #[test]
    fn random_requests_have_the_rate_and_the_spread_of_a_poisson_process() {
        let times = told(&[phase(20_000.0, 5.0, 5.0, 0)], Spacing::Random, 7);
        let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean - 200.0).abs() < 2.0, "{mean}");
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.02, "{}", variance.sqrt() / mean);
        assert_eq!(times, told(&[phase(20_000.0, 5.0, 5.0, 0)], Spacing::Random, 7));
        assert_ne!(times, told(&[phase(20_000.0, 5.0, 5.0, 0)], Spacing::Random, 8));
    }

    #[test]
    fn lengths_stay_within_their_spread() {
        let story = Story { phases: vec![phase(1000.0, 5.0, 5.0, 0)], spacing: Spacing::Random, spread: 0.5 };
        let rows: Vec<_> = Traffic::Story(story).arrivals(3).collect();
        assert!(rows.iter().all(|row| (1500..=4500).contains(&row.isl) && (75..=225).contains(&row.osl)));
        let mean = rows.iter().map(|row| f64::from(row.isl)).sum::<f64>() / rows.len() as f64;
        assert!((mean - 3000.0).abs() < 60.0, "{mean}");
    }

    #[test]
    fn hostile_phases_end() {
        for bad in [f64::NAN, f64::NEG_INFINITY, -1.0] {
            let phases = [phase(bad, 1.0, 1.0, 2), phase(3.0, bad, bad, 0), phase(3.0, 1.0, bad, 0)];
            assert!(told(&phases, Spacing::Even, 1).len() <= 20);
        }
    }
}
