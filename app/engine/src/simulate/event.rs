//! What happens next. Events of one moment are ordered by kind, then by age.

use std::cmp::Ordering;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::request::Slot;

/// Which workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Prefill,
    /// Decode or aggregated.
    Decode,
}

/// What happens, in the order that events of one moment have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    WorkerReady { side: Side, worker: u64 },
    Arrival,
    PrefillStep { worker: u64, plan: u32 },
    Transfer { slot: Slot },
    DecodeStep { worker: u64, plan: u32 },
    Tick,
    Sample,
    End,
}

impl Kind {
    const fn rank(self) -> u8 {
        match self {
            Self::WorkerReady { .. } => 0,
            Self::Arrival => 1,
            Self::PrefillStep { .. } => 2,
            Self::Transfer { .. } => 3,
            Self::DecodeStep { .. } => 4,
            Self::Tick => 5,
            Self::Sample => 6,
            Self::End => 7,
        }
    }
}

/// An event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub(super) at_ms: f64,
    pub(super) kind: Kind,
    age: u64,
}

impl Ord for Event {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at_ms.total_cmp(&other.at_ms))
            .then(self.kind.rank().cmp(&other.kind.rank()))
            .then(self.age.cmp(&other.age))
    }
}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Event {}

/// Events to come.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Reverse<Event>>,
    age: u64,
}

impl Queue {
    pub(super) fn push(&mut self, at_ms: f64, kind: Kind) {
        self.heap.push(Reverse(Event { at_ms, kind, age: self.age }));
        self.age += 1;
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        self.heap.pop().map(|Reverse(event)| event)
    }

    pub(super) fn next_ms(&self) -> Option<f64> {
        self.heap.peek().map(|Reverse(event)| event.at_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_moment_has_an_order() {
        let mut queue = Queue::default();
        let step = Kind::DecodeStep { worker: 0, plan: 0 };
        for (at, kind) in [(2.0, Kind::Arrival), (1.0, Kind::Tick), (1.0, step), (1.0, Kind::Arrival)] {
            queue.push(at, kind);
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).map(|event| event.kind).collect();
        assert_eq!(order, [Kind::Arrival, step, Kind::Tick, Kind::Arrival]);
    }
}
