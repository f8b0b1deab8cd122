//! Linked timelines: what a cluster had, what came, how fast it answered and what was decided, on one time axis.

mod marks;
mod readout;
mod time;
mod trace;

use engine::cluster::{Decision, Sample, Slo};
use engine::format;
use engine::text::live::{LaneFacts, lane_summary};

pub use marks::{Kind, Mark};
pub use readout::{Item, Key, Readout, readout};
pub use time::{Clock, step};

use super::scale::Linear;
use trace::{Path, Scale, above, area, trace};

/// Samples and decisions of one run, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    /// Moments.
    pub samples: Vec<Sample>,
    /// Changes of replicas.
    pub decisions: Vec<Decision>,
}

/// What timelines are drawn from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TimelineData {
    /// The run.
    pub run: Run,
    /// A run to compare it with, on the same clock; drawn dashed.
    pub other: Option<Run>,
    /// The targets.
    pub slo: Slo,
    /// Most GPUs that the planner may use.
    pub gpus_most: Option<u32>,
    /// Whether the decode counts are of workers that do both.
    pub aggregated: bool,
    /// First and last moment shown, ms.
    pub window: (u64, u64),
    /// Usual time between samples, ms.
    pub step_ms: u64,
    /// How times are written.
    pub clock: Clock,
}

/// What a lane shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Prefill workers.
    Prefill,
    /// Decode or aggregated workers.
    Decode,
    /// GPUs of all workers.
    Gpus,
    /// Requests per second.
    Load,
    /// Prompt tokens that wait.
    Queue,
    /// Time to first token, ms.
    Ttft,
    /// Inter-token latency, ms.
    Itl,
}

impl Lane {
    /// From top to bottom.
    pub const ALL: [Self; 7] =
        [Self::Prefill, Self::Decode, Self::Gpus, Self::Load, Self::Queue, Self::Ttft, Self::Itl];

    /// Its title.
    pub const fn title(self, aggregated: bool) -> &'static str {
        match self {
            Self::Prefill => "Prefill workers",
            Self::Decode if aggregated => "Workers",
            Self::Decode => "Decode workers",
            Self::Gpus => "GPUs",
            Self::Load => "Requests/s",
            Self::Queue => "Prompt tokens waiting",
            Self::Ttft => "TTFT, ms",
            Self::Itl => "ITL, ms",
        }
    }

    const fn height(self) -> f64 {
        match self {
            Self::Gpus => 30.0,
            Self::Prefill | Self::Decode | Self::Queue => 40.0,
            Self::Itl => 60.0,
            Self::Load | Self::Ttft => 84.0,
        }
    }

    /// What it mainly shows.
    fn main(self) -> Pick {
        match self {
            Self::Prefill => |sample| count(sample.prefill.ready),
            Self::Decode => |sample| count(sample.decode.ready),
            Self::Gpus => |sample| count(sample.gpus),
            Self::Load => |sample| sample.requests_per_sec,
            Self::Queue => |sample| sample.queued_tokens,
            Self::Ttft => |sample| sample.ttft_ms,
            Self::Itl => |sample| sample.itl_ms,
        }
    }

    /// What stands beside it: workers on the way included, capacity, an estimate.
    fn beside(self) -> Option<Pick> {
        match self {
            Self::Prefill => Some(|sample| coming(&sample.prefill)),
            Self::Decode => Some(|sample| coming(&sample.decode)),
            Self::Load => Some(|sample| sample.capacity_per_sec),
            Self::Ttft => Some(|sample| sample.estimated_ttft_ms),
            Self::Itl => Some(|sample| sample.estimated_itl_ms),
            Self::Gpus | Self::Queue => None,
        }
    }

    /// What was wanted or expected.
    fn wanted(self) -> Option<Pick> {
        match self {
            Self::Prefill => Some(|sample| count(sample.prefill.desired)),
            Self::Decode => Some(|sample| count(sample.decode.desired)),
            Self::Load => Some(|sample| sample.predicted_per_sec),
            _ => None,
        }
    }

    fn limit(self, data: &TimelineData) -> Option<f64> {
        match self {
            Self::Gpus => count(data.gpus_most),
            Self::Ttft => data.slo.ttft_ms,
            Self::Itl => data.slo.itl_ms,
            _ => None,
        }
        .filter(|limit| limit.is_finite())
    }

    const fn is_latency(self) -> bool {
        matches!(self, Self::Ttft | Self::Itl)
    }

    const fn is_stepped(self) -> bool {
        matches!(self, Self::Prefill | Self::Decode | Self::Gpus)
    }

    const fn tone(self) -> Tone {
        match self {
            Self::Prefill => Tone::Prefill,
            Self::Decode => Tone::Decode,
            Self::Gpus => Tone::Muted,
            _ => Tone::Ink,
        }
    }
}

type Pick = fn(&Sample) -> Option<f64>;

fn count(count: Option<u32>) -> Option<f64> {
    count.map(f64::from)
}

fn coming(count: &engine::cluster::Count) -> Option<f64> {
    Some(f64::from(count.ready?) + f64::from(count.starting.unwrap_or(0)))
}

/// A colour of the theme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// What was measured.
    Ink,
    /// What was estimated or allowed.
    Muted,
    /// Prefill workers.
    Prefill,
    /// Decode workers.
    Decode,
    /// Beyond a target.
    Bad,
    /// The run to compare with.
    Other,
}

/// A line, in CSS pixels from the top left.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its corners.
    pub path: Path,
    /// Its colour.
    pub tone: Tone,
    /// Its width.
    pub width: f64,
    /// Whether it is dashed.
    pub dashed: bool,
}

/// An area, in CSS pixels from the top left.
#[derive(Clone, Debug, PartialEq)]
pub struct Fill {
    /// Its corners.
    pub corners: Path,
    /// Its colour.
    pub tone: Tone,
    /// How much of it.
    pub alpha: f64,
}

/// One lane.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneVm {
    /// What it shows.
    pub lane: Lane,
    /// Its title.
    pub title: &'static str,
    /// Top of the line with its title.
    pub head: f64,
    /// Top of the plot.
    pub top: f64,
    /// Its base line.
    pub bottom: f64,
    /// Values of the axis.
    pub ticks: Vec<(f64, String)>,
    /// Areas, behind the lines.
    pub fills: Vec<Fill>,
    /// Lines.
    pub lines: Vec<Line>,
    /// The same in words.
    pub says: String,
}

/// The timelines, laid out.
#[derive(Clone, Debug, PartialEq)]
pub struct TimelineVm {
    /// Width as given, height as needed.
    pub size: (f64, f64),
    /// Left and right end of the time axis.
    pub plot: (f64, f64),
    /// From top to bottom.
    pub lanes: Vec<LaneVm>,
    /// Middle of the row of decisions.
    pub marks_y: f64,
    /// Decisions.
    pub marks: Vec<Mark>,
    /// The time axis.
    pub axis_y: f64,
    /// Moments of the time axis.
    pub ticks: Vec<(f64, String)>,
    /// First and last moment.
    pub window: (u64, u64),
    time: Linear,
}

const NARROW: f64 = 620.0;
const ROW: f64 = 30.0;

impl TimelineVm {
    /// Lays the timelines out in a width.
    pub fn new(data: &TimelineData, width: f64) -> Self {
        let narrow = width < NARROW;
        let left = if narrow { 48.0 } else { 58.0 };
        let plot = (left, f64::max(width - if narrow { 10.0 } else { 18.0 }, left + 60.0));
        let window = (data.window.0, data.window.1.max(data.window.0.saturating_add(1)));
        let time = Linear::new((window.0 as f64, window.1 as f64), plot);
        let head = if narrow { 36.0 } else { 22.0 };
        let cut = Cut::new(data, window);
        let mut y = 0.0;
        let mut lanes = Vec::new();
        for lane in Lane::ALL {
            if !cut.knows(lane) && !matches!(lane, Lane::Decode | Lane::Load | Lane::Ttft | Lane::Itl) {
                continue;
            }
            let top = y + head;
            let bottom = top + lane.height();
            lanes.push(draw_lane(lane, data, &cut, &time, (y, top, bottom)));
            y = bottom + 10.0;
        }
        let marks_y = y + ROW / 2.0;
        let axis_y = y + ROW + 4.0;
        let ticks = time::ticks(window, ((plot.1 - plot.0) / 76.0) as usize, data.clock)
            .into_iter()
            .map(|(at, text)| (time.px(at as f64), text))
            .collect();
        let marks = marks::marks(data, window, &time);
        Self { size: (width, axis_y + 24.0), plot, lanes, marks_y, marks, axis_y, ticks, window, time }
    }

    /// The moment at a pixel.
    pub fn at(&self, x: f64) -> u64 {
        (self.time.value(x.clamp(self.plot.0, self.plot.1)).max(0.0).round() as u64)
            .clamp(self.window.0, self.window.1)
    }

    /// The pixel of a moment; none outside the window.
    pub fn x(&self, at: u64) -> Option<f64> {
        (self.window.0..=self.window.1).contains(&at).then(|| self.time.px(at as f64))
    }
}

/// The samples inside a window.
struct Cut<'a> {
    samples: &'a [Sample],
    other: &'a [Sample],
    gap_ms: u64,
}

impl<'a> Cut<'a> {
    fn new(data: &'a TimelineData, window: (u64, u64)) -> Self {
        let samples = within(&data.run.samples, window);
        let other = data.other.as_ref().map_or(&[][..], |other| within(&other.samples, window));
        Self { samples, other, gap_ms: gap_ms(samples, data.step_ms) }
    }

    fn values(&self, pick: Pick) -> impl Iterator<Item = f64> + '_ {
        self.samples.iter().filter_map(pick).filter(|value| value.is_finite())
    }

    fn knows(&self, lane: Lane) -> bool {
        self.values(lane.main()).next().is_some()
    }
}

/// The samples of a window and the last one before it, whose value lasts into it.
fn within(samples: &[Sample], window: (u64, u64)) -> &[Sample] {
    let first = samples.partition_point(|sample| sample.at_ms < window.0).saturating_sub(1);
    let last = samples.partition_point(|sample| sample.at_ms <= window.1);
    samples.get(first..last).unwrap_or_default()
}

/// A longer time without samples is a gap.
fn gap_ms(samples: &[Sample], step_ms: u64) -> u64 {
    let mean = match samples {
        [first, .., last] => last.at_ms.saturating_sub(first.at_ms) / (samples.len() as u64 - 1),
        _ => 0,
    };
    step_ms.saturating_mul(3).max(mean.saturating_mul(5)).max(1)
}

fn draw_lane(
    lane: Lane,
    data: &TimelineData,
    cut: &Cut<'_>,
    time: &Linear,
    (head, top, bottom): (f64, f64, f64),
) -> LaneVm {
    let picks = [Some(lane.main()), lane.beside(), lane.wanted()];
    let limit = lane.limit(data);
    let mut range = limit.map_or((f64::INFINITY, 0.0), |limit| (limit, limit));
    for pick in picks.iter().flatten() {
        let more = cut.other.iter().filter_map(pick).filter(|value| value.is_finite());
        for value in cut.values(*pick).chain(more) {
            range = (if value > 0.0 { range.0.min(value) } else { range.0 }, range.1.max(value));
        }
    }
    let scale = Scale::new(lane.is_latency(), lane.is_stepped(), range, (bottom, top));
    let draw =
        |samples: &[Sample], pick: Pick, steps: bool| trace(samples, pick, time, &scale, cut.gap_ms, steps);
    let (mut fills, mut lines) = (Vec::new(), Vec::new());
    let line = |paths: Vec<Path>, tone, width, dashed| {
        paths.into_iter().map(move |path| Line { path, tone, width, dashed })
    };
    let fill = |paths: &[Path], tone, alpha| {
        paths.iter().map(|path| Fill { corners: area(path, bottom), tone, alpha }).collect::<Vec<_>>()
    };
    let main = draw(cut.samples, lane.main(), lane.is_stepped());
    let beside = lane.beside().map(|pick| draw(cut.samples, pick, !lane.is_latency())).unwrap_or_default();
    let wanted = lane.wanted().map(|pick| draw(cut.samples, pick, true)).unwrap_or_default();
    let limit_y = limit.map(|limit| scale.px(limit));
    match lane {
        Lane::Prefill | Lane::Decode => {
            fills.extend(fill(&beside, lane.tone(), 0.2));
            fills.extend(fill(&main, lane.tone(), 0.55));
            lines.extend(line(wanted, Tone::Ink, 1.4, true));
        }
        Lane::Gpus => {
            fills.extend(fill(&main, Tone::Muted, 0.35));
            lines.extend(line(main.clone(), Tone::Muted, 1.2, false));
        }
        Lane::Load => {
            fills.extend(fill(&beside, Tone::Muted, 0.14));
            lines.extend(line(beside, Tone::Muted, 1.2, false));
            lines.extend(line(wanted, Tone::Ink, 1.2, true));
            lines.extend(line(main, Tone::Ink, 1.6, false));
        }
        Lane::Queue => {
            fills.extend(fill(&main, Tone::Ink, 0.16));
            lines.extend(line(main, Tone::Ink, 1.4, false));
        }
        Lane::Ttft | Lane::Itl => {
            let over =
                limit_y.map(|limit| main.iter().flat_map(|path| above(path, limit)).collect::<Vec<_>>());
            fills.extend(over.into_iter().flatten().map(|corners| Fill {
                corners,
                tone: Tone::Bad,
                alpha: 0.28,
            }));
            lines.extend(line(beside, Tone::Muted, 1.4, true));
            lines.extend(line(main, Tone::Ink, 1.6, false));
        }
    }
    if !cut.other.is_empty() {
        lines.extend(line(draw(cut.other, lane.main(), lane.is_stepped()), Tone::Other, 1.6, true));
    }
    if let Some(y) = limit_y {
        let path = vec![(time.px(time.domain().0), y), (time.px(time.domain().1), y)];
        let tone = if lane == Lane::Gpus { Tone::Ink } else { Tone::Bad };
        lines.push(Line { path, tone, width: 1.0, dashed: false });
    }
    let title = lane.title(data.aggregated);
    let says = summary(lane, title, data, cut);
    LaneVm { lane, title, head, top, bottom, ticks: scale.ticks(lane.height()), fills, lines, says }
}

fn summary(lane: Lane, title: &'static str, data: &TimelineData, cut: &Cut<'_>) -> String {
    let limit = lane.limit(data);
    let (mut known, mut over) = (0u64, 0u64);
    let mut highest = None::<(f64, u64)>;
    let mut last = None;
    for sample in cut.samples {
        let Some(value) = (lane.main())(sample).filter(|value| value.is_finite()) else { continue };
        known += 1;
        over += u64::from(limit.is_some_and(|limit| value > limit));
        last = Some(value);
        if highest.is_none_or(|(most, _)| value > most) {
            highest = Some((value, sample.at_ms));
        }
    }
    lane_summary(&LaneFacts {
        title,
        last: last.map(|value| digits(lane, value)),
        highest: highest.map(|(value, at)| (digits(lane, value), data.clock.exact(at))),
        limit: limit.map(|limit| digits(lane, limit)),
        over: limit.filter(|_| known > 0).map(|_| over as f64 / known as f64),
    })
}

/// A value of a lane as text.
fn digits(lane: Lane, value: f64) -> String {
    match lane {
        Lane::Prefill | Lane::Decode | Lane::Gpus | Lane::Queue => {
            format::count(value.max(0.0).round() as u64)
        }
        Lane::Load => format::rate(value),
        Lane::Ttft | Lane::Itl => format::ms(value),
    }
}

#[cfg(test)]
mod tests;
