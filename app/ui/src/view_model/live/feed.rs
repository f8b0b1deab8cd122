//! What arrives from the server, in order: history, then one snapshot after the other.

use engine::cluster::{ClusterStatus, Decision, History, Role, SCHEMA, Snapshot};
use engine::order;

use crate::view_model::timeline::{Clock, TimelineData};

/// Most samples that are kept: with one a second more than a day.
const KEPT: usize = 100_000;

/// How much of the past is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Span {
    /// A quarter of an hour.
    #[default]
    Quarter,
    /// An hour.
    Hour,
    /// Six hours.
    Six,
    /// Everything known.
    All,
}

impl Span {
    /// With the words of the switch.
    pub const ALL: [(Self, &'static str); 4] =
        [(Self::Quarter, "15 min"), (Self::Hour, "1 h"), (Self::Six, "6 h"), (Self::All, "All")];

    const fn ms(self) -> u64 {
        match self {
            Self::Quarter => 900_000,
            Self::Hour => 3_600_000,
            Self::Six => 21_600_000,
            Self::All => u64::MAX,
        }
    }
}

/// What was heard so far.
#[derive(Clone, Debug, Default)]
pub struct Feed {
    /// Round of the story, where one plays.
    round: Option<u64>,
    /// Number of the last snapshot.
    seq: Option<u64>,
    /// The cluster's clock in the last snapshot of this connection, ms.
    clock_ms: Option<u64>,
}

/// Snapshots of one connection that are further apart than this are no rhythm but a silence, ms.
const SILENCE_MS: f64 = 15_000.0;

impl Feed {
    /// Fills in what was before the page came.
    pub fn history(&mut self, data: &mut TimelineData, history: History) {
        if history.schema != SCHEMA {
            return;
        }
        data.step_ms = history.step_ms.max(1);
        data.run.samples = history.samples;
        // Lanes are cut by time; a source that is not in order must not break that.
        order::sort_by_key(&mut data.run.samples, |sample| sample.at_ms);
        data.run.decisions = Vec::new();
        merge(&mut data.run.decisions, &history.decisions);
    }

    /// Takes a snapshot; false for one that was heard before.
    pub fn snapshot(&mut self, data: &mut TimelineData, snapshot: &Snapshot, ahead_min: i32) -> bool {
        if self.seq.is_some_and(|seq| snapshot.seq <= seq && !self.is_new_round(snapshot)) {
            return false;
        }
        self.seq = Some(snapshot.seq);
        if let Some(status) = &snapshot.status {
            self.status(data, status, ahead_min);
        }
        true
    }

    /// The server was started again: its numbers begin anew.
    pub fn reconnected(&mut self) {
        (self.seq, self.clock_ms) = (None, None);
    }

    fn is_new_round(&self, snapshot: &Snapshot) -> bool {
        let story = snapshot.status.as_ref().and_then(|status| status.simulated.as_ref());
        story.is_some_and(|story| self.round.is_some_and(|round| round != story.round))
    }

    fn status(&mut self, data: &mut TimelineData, status: &ClusterStatus, ahead_min: i32) {
        let round = status.simulated.as_ref().map(|story| story.round);
        if self.round.is_some() && self.round != round {
            // The story began again.
            data.run.samples.clear();
            data.run.decisions.clear();
        } else {
            // The past may have been read a moment after this, or the clock was set back.
            let known = data.run.samples.partition_point(|sample| sample.at_ms <= status.now_ms);
            data.run.samples.truncate(known);
        }
        self.round = round;
        // Snapshots may come less often than the past was sampled; that is no gap.
        let speed = status.simulated.as_ref().map_or(1.0, |story| story.speed.max(1.0));
        let apart = self.clock_ms.map_or(0, |before| status.now_ms.saturating_sub(before));
        if (apart as f64) < SILENCE_MS * speed {
            data.step_ms = data.step_ms.max(apart);
        }
        self.clock_ms = Some(status.now_ms);
        let sample = status.sample();
        match data.run.samples.last_mut() {
            Some(last) if last.at_ms == sample.at_ms => *last = sample,
            _ => data.run.samples.push(sample),
        }
        if data.run.samples.len() > KEPT {
            data.run.samples.drain(..KEPT / 10);
        }
        merge(&mut data.run.decisions, &status.decisions);
        data.slo = status.slo;
        data.gpus_most = status.gpus.most;
        data.aggregated = status.pool(Role::Agg).is_some();
        data.clock = if round.is_some() { Clock::Elapsed } else { Clock::Wall { ahead_min } };
        data.step_ms = data.step_ms.max(1);
    }
}

/// Adds what is new, and what became known of what is old.
fn merge(have: &mut Vec<Decision>, more: &[Decision]) {
    for decision in more {
        let key = |decision: &Decision| (decision.at_ms, decision.role, decision.from, decision.to);
        match have.iter_mut().rev().find(|old| key(old) == key(decision)) {
            Some(old) => old.clone_from(decision),
            None => have.push(decision.clone()),
        }
    }
    order::sort_by_key(have, |decision| decision.at_ms);
}

/// First and last moment of a span that ends with what is known.
pub fn window(data: &TimelineData, span: Span) -> (u64, u64) {
    let samples = &data.run.samples;
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return (0, 60_000) };
    (last.at_ms.saturating_sub(span.ms()).max(first.at_ms), last.at_ms.max(first.at_ms + 1))
}
