//! Decisions on the time axis; those that would cover each other share a mark.

use engine::cluster::Decision;
use engine::order;
use engine::text::planner;

use super::TimelineData;
use crate::view_model::scale::Linear;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// More workers were asked for.
    Up,
    /// Fewer were asked for.
    Down,
    /// Workers on the way were taken back.
    Cancelled,
    /// New workers serve.
    Ready,
    /// Several of these.
    Several,
}

/// One mark.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Its middle, CSS pixels.
    pub x: f64,
    /// When.
    pub at_ms: u64,
    /// What.
    pub kind: Kind,
    /// Number of the decision, or the first and last of several: `3`, `3–5`.
    pub number: String,
    /// The same in words.
    pub says: String,
}

/// Marks need this much room; targets of 24 pixels must not cover each other.
const ROOM: f64 = 26.0;

/// More sentences than this are counted.
const SAID: usize = 4;

struct Moment<'a> {
    at_ms: u64,
    kind: Kind,
    number: usize,
    decision: &'a Decision,
}

pub(super) fn marks(data: &TimelineData, window: (u64, u64), time: &Linear) -> Vec<Mark> {
    let inside = |at: u64| (window.0..=window.1).contains(&at);
    let mut moments: Vec<Moment<'_>> = Vec::new();
    for (index, decision) in data.run.decisions.iter().enumerate() {
        let kind = match decision {
            decision if decision.cancels => Kind::Cancelled,
            decision if decision.to < decision.from => Kind::Down,
            _ => Kind::Up,
        };
        let mut add = |at_ms: u64, kind: Kind| {
            if inside(at_ms) {
                moments.push(Moment { at_ms, kind, number: index + 1, decision });
            }
        };
        add(decision.at_ms, kind);
        if let (Some(ready), true) = (decision.ready_ms, decision.to > decision.from) {
            add(ready, Kind::Ready);
        }
    }
    order::sort_by_key(&mut moments, |moment| moment.at_ms);
    let mut groups: Vec<Vec<Moment<'_>>> = Vec::new();
    for moment in moments {
        let x = time.px(moment.at_ms as f64);
        match groups.last_mut() {
            Some(group) if group.first().is_some_and(|first| x - time.px(first.at_ms as f64) < ROOM) => {
                group.push(moment);
            }
            _ => groups.push(vec![moment]),
        }
    }
    groups.iter().filter_map(|group| mark(group, data, time)).collect()
}

fn mark(group: &[Moment<'_>], data: &TimelineData, time: &Linear) -> Option<Mark> {
    let first = group.first()?;
    let kind = if group.iter().all(|other| other.kind == first.kind) { first.kind } else { Kind::Several };
    let low = group.iter().map(|moment| moment.number).min()?;
    let high = group.iter().map(|moment| moment.number).max()?;
    let mut says: Vec<String> = group.iter().take(SAID).map(|moment| say(moment, data)).collect();
    if group.len() > SAID {
        says.push(format!("{} more.", group.len() - SAID));
    }
    Some(Mark {
        x: time.px(first.at_ms as f64),
        at_ms: first.at_ms,
        kind,
        number: if low == high { low.to_string() } else { format!("{low}–{high}") },
        says: says.join(" "),
    })
}

fn say(moment: &Moment<'_>, data: &TimelineData) -> String {
    let at = data.clock.exact(moment.at_ms);
    match moment.kind {
        Kind::Ready => format!("{at}: {}, now ready.", planner::decision_title(moment.decision)),
        _ => format!("{at}: {}", planner::decision(moment.decision, data.slo)),
    }
}
