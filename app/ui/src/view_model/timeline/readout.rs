//! The values of every lane at one moment.

use engine::cluster::Count;
use engine::format::NONE;
use engine::text::planner;

use super::{Lane, Run, TimelineData, digits, gap_ms, within};

/// How the line of a value is drawn, for its swatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A full line.
    Line,
    /// A dashed line.
    Dashed,
    /// An area of the lane's colour.
    Area,
    /// A paler one.
    Pale,
    /// The capacity.
    Capacity,
    /// The target or the budget.
    Limit,
    /// The run to compare with.
    Other,
}

impl Key {
    /// Class of its swatch.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Dashed => "dashed",
            Self::Area => "area",
            Self::Pale => "pale",
            Self::Capacity => "capacity",
            Self::Limit => "limit",
            Self::Other => "other",
        }
    }
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// How it is drawn.
    pub key: Key,
    /// What it is.
    pub label: &'static str,
    /// Its digits.
    pub value: String,
    /// Whether it was observed beyond its target.
    pub over: bool,
}

/// What a cursor reads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Readout {
    /// The moment.
    pub time: String,
    /// Values by lane, in the order of [`Lane::ALL`].
    pub lanes: Vec<(Lane, Vec<Item>)>,
    /// The latest decision up to then.
    pub decision: Option<String>,
}

impl Readout {
    /// The values of a lane.
    pub fn items(&self, lane: Lane) -> &[Item] {
        self.lanes.iter().find(|(have, _)| *have == lane).map_or(&[], |(_, items)| items)
    }

    /// In one sentence, without what is not known.
    pub fn sentence(&self, aggregated: bool) -> String {
        let lane = |(lane, items): &(Lane, Vec<Item>)| {
            let known: Vec<String> = items
                .iter()
                .filter(|item| item.value != NONE && item.key != Key::Limit)
                .map(|item| {
                    let over = if item.over { ", over the target" } else { "" };
                    format!("{} {}{over}", item.value, item.label)
                })
                .collect();
            (!known.is_empty()).then(|| format!("{}: {}", lane.title(aggregated), known.join(", ")))
        };
        let lanes: Vec<String> = self.lanes.iter().filter_map(lane).collect();
        format!("{}. {}", self.time, lanes.join(". "))
    }
}

/// What the timelines read at a moment.
pub fn readout(data: &TimelineData, at_ms: u64) -> Readout {
    let other = data.other.as_ref();
    let lanes = Lane::ALL.map(|lane| (lane, items(lane, data, other, at_ms))).to_vec();
    let latest = data.run.decisions.iter().rev().find(|decision| decision.at_ms <= at_ms);
    let decision = latest
        .map(|latest| format!("{}: {}", data.clock.exact(latest.at_ms), planner::decision(latest, data.slo)));
    Readout { time: data.clock.exact(at_ms), lanes, decision }
}

fn items(lane: Lane, data: &TimelineData, other: Option<&Run>, at_ms: u64) -> Vec<Item> {
    let sample = sample_at(&data.run, data.step_ms, at_ms);
    let limit = lane.limit(data);
    let text = |value: Option<f64>| {
        value.filter(|value| value.is_finite()).map_or_else(|| NONE.to_owned(), |value| digits(lane, value))
    };
    let mut out = Vec::new();
    let mut add = |key: Key, label: &'static str, value: Option<f64>| {
        let over = lane.is_latency() && key == Key::Line && limit.is_some() && value > limit;
        out.push(Item { key, label, value: text(value), over });
    };
    let read = |pick: Option<super::Pick>| sample.and_then(|sample| pick?(sample));
    let main = read(Some(lane.main()));
    match lane {
        Lane::Prefill | Lane::Decode => {
            let counts = sample.map_or_else(Count::default, |sample| {
                if lane == Lane::Prefill { sample.prefill } else { sample.decode }
            });
            add(Key::Area, "ready", main);
            add(Key::Pale, "starting", super::count(counts.starting));
            if counts.draining.is_some_and(|draining| draining > 0) {
                add(Key::Pale, "draining", super::count(counts.draining));
            }
            add(Key::Dashed, "desired", super::count(counts.desired));
        }
        Lane::Gpus => {
            add(Key::Area, "in use", main);
            add(Key::Limit, "budget", limit);
        }
        Lane::Load => {
            add(Key::Line, "arriving", main);
            add(Key::Dashed, "expected", read(lane.wanted()));
            add(Key::Capacity, "capacity", read(lane.beside()));
        }
        Lane::Queue => add(Key::Line, "waiting", main),
        Lane::Ttft | Lane::Itl => {
            add(Key::Line, "observed", main);
            add(Key::Dashed, "estimated", read(lane.beside()));
            add(Key::Limit, "target", limit);
        }
    }
    if let Some(other) = other {
        let there = sample_at(other, data.step_ms, at_ms).and_then(lane.main());
        add(Key::Other, "other run", there);
    }
    out
}

/// The sample that holds at a moment; none inside a gap.
fn sample_at(run: &Run, step_ms: u64, at_ms: u64) -> Option<&engine::cluster::Sample> {
    let at = run.samples.partition_point(|sample| sample.at_ms <= at_ms);
    let sample = run.samples.get(at.checked_sub(1)?)?;
    let near = within(&run.samples, (sample.at_ms.saturating_sub(step_ms.saturating_mul(20)), at_ms));
    (at_ms - sample.at_ms <= gap_ms(near, step_ms)).then_some(sample)
}
