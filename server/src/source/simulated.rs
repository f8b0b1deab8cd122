//! A story that plays on the server, over and over, faster than life.

pub mod storm;

use std::time::Duration;

use engine::cluster::{self, ClusterStatus, SourceKind};
use tokio::time::Instant;

use super::{PlannerSource, SourceError, Update};

/// Time between two statuses.
const BEAT: Duration = Duration::from_millis(500);
/// A machine that slept goes on where it stopped.
const LONGEST_STEP: Duration = Duration::from_secs(2);

/// Something that can be played: a cluster whose state follows from the time since its beginning.
pub trait Story: Send + 'static {
    /// Plays on to `to_ms` after the beginning, never backwards, and tells what is then.
    fn step(&mut self, to_ms: u64) -> ClusterStatus;

    /// When it is over, ms after the beginning; more than 0.
    fn length_ms(&self) -> u64;
}

/// Plays a story; at its end it begins again.
#[derive(Debug)]
pub struct Simulated<S, Begin> {
    begin: Begin,
    story: S,
    speed: f64,
    round: u64,
    at_ms: f64,
    last: Option<Instant>,
}

impl<S: Story, Begin: FnMut() -> S + Send + 'static> Simulated<S, Begin> {
    /// `begin` gives the story at its beginning; `speed` is simulated seconds per second.
    pub fn new(mut begin: Begin, speed: f64) -> Self {
        let story = begin();
        Self { begin, story, speed, round: 0, at_ms: 0.0, last: None }
    }

    fn play(&mut self, passed: Duration) -> ClusterStatus {
        self.at_ms += passed.min(LONGEST_STEP).as_secs_f64() * 1_000.0 * self.speed;
        let length_ms = self.story.length_ms().max(1);
        if self.at_ms > length_ms as f64 {
            self.story = (self.begin)();
            self.round += 1;
            self.at_ms = 0.0;
        }
        let mut status = self.story.step(self.at_ms as u64);
        status.now_ms = self.at_ms as u64;
        // The clock goes on from round to round, or the past would lie in the future.
        shift(&mut status, self.round.saturating_mul(length_ms));
        status.simulated = Some(cluster::Simulated { speed: self.speed, length_ms, round: self.round });
        status
    }
}

impl<S: Story, Begin: FnMut() -> S + Send + 'static> PlannerSource for Simulated<S, Begin> {
    const KIND: SourceKind = SourceKind::Simulated;

    async fn next(&mut self) -> Result<Update, SourceError> {
        let passed = match self.last {
            None => Duration::ZERO,
            Some(last) => {
                tokio::time::sleep_until(last + BEAT).await;
                last.elapsed()
            }
        };
        self.last = Some(Instant::now());
        Ok(self.play(passed).into())
    }
}

/// Moves everything by so much on the cluster's clock.
fn shift(status: &mut ClusterStatus, by_ms: u64) {
    let move_all = |times: &mut dyn Iterator<Item = &mut u64>| times.for_each(|at| *at += by_ms);
    status.now_ms += by_ms;
    move_all(&mut status.planner.at_ms.iter_mut());
    move_all(&mut status.signals.iter_mut().map(|signal| &mut signal.at_ms));
    move_all(&mut status.events.iter_mut().map(|event| &mut event.at_ms));
    for decision in &mut status.decisions {
        decision.at_ms += by_ms;
        move_all(&mut decision.ready_ms.iter_mut());
    }
    for pool in &mut status.pools {
        move_all(&mut pool.since_ms.iter_mut());
        move_all(&mut pool.workers.iter_mut().filter_map(|worker| worker.since_ms.as_mut()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::cluster::Traffic;

    /// Requests per second are the seconds since the beginning.
    struct Rising(u64);

    impl Story for Rising {
        fn step(&mut self, to_ms: u64) -> ClusterStatus {
            assert!(to_ms >= self.0, "a story never plays backwards");
            self.0 = to_ms;
            let requests_per_sec = Some(to_ms as f64 / 1_000.0);
            ClusterStatus {
                observed: Traffic { requests_per_sec, ..Traffic::default() },
                ..ClusterStatus::default()
            }
        }

        fn length_ms(&self) -> u64 {
            25_000
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_plays_at_its_speed_and_begins_again() {
        let mut source = Simulated::new(|| Rising(0), 20.0);
        let mut told = Vec::new();
        for _ in 0..5 {
            let status = source.next().await.unwrap().status;
            let round = status.simulated.as_ref().map(|simulated| simulated.round);
            told.push((status.now_ms, status.observed.requests_per_sec.unwrap(), round.unwrap()));
        }
        assert_eq!(
            told,
            [(0, 0.0, 0), (10_000, 10.0, 0), (20_000, 20.0, 0), (25_000, 0.0, 1), (35_000, 10.0, 1)]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_that_slept_goes_on_where_it_stopped() {
        let mut source = Simulated::new(|| Rising(0), 5.0);
        source.next().await.unwrap();
        tokio::time::advance(Duration::from_hours(1)).await;
        assert_eq!(source.next().await.unwrap().status.now_ms, 10_000);
    }
}
