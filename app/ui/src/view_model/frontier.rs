//! The frontier chart as plain data: where everything stands, in CSS pixels.

use engine::order;
use engine::scenario::Scenario;
use engine::view::{Point, View};

pub use super::axis::{YAxis, cost_per_million};
use super::axis::{y_title, y_value};
use super::marks::{labels, marks};
use super::scale::{Linear, nice_step, tick_label, ticks};

/// What the chart is made from.
#[derive(Clone, Copy, Debug)]
pub struct ChartInput<'a> {
    /// The points.
    pub view: &'a View,
    /// The question they answer.
    pub scenario: &'a Scenario,
    /// The vertical axis.
    pub y: YAxis,
    /// Price of a GPU-hour.
    pub price: Option<f64>,
    /// Horizontal domain to keep, tokens/s/user; none fits the points.
    pub x_domain: Option<(f64, f64)>,
    /// Whether the vertical axis may leave zero to show that domain closely.
    pub close_up: bool,
    /// Width and height, CSS pixels.
    pub size: (f64, f64),
    /// The point whose figures are shown.
    pub focus: Option<usize>,
    /// What runs today.
    pub today: Option<Point>,
}

/// How strongly a mark is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    /// Misses the TTFT target.
    Faint,
    /// Meets it, but something better exists.
    Cloud,
    /// On the frontier, beyond the ITL target.
    Beyond,
    /// On the frontier, within the SLO.
    Frontier,
}

/// A point of the chart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mark {
    /// Its index in the view.
    pub index: usize,
    /// Position.
    pub x: f64,
    /// Position.
    pub y: f64,
    /// Triangle for separate workers, disc otherwise.
    pub disagg: bool,
    /// How strongly it is drawn.
    pub tone: Tone,
}

/// A line through one kind of points.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Kind of points.
    pub disagg: bool,
    /// Where it goes.
    pub path: Vec<(f64, f64)>,
}

/// A layout's name beside the point where it starts to win.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// Left end of the text.
    pub x: f64,
    /// Middle of the text.
    pub y: f64,
    /// The text.
    pub text: String,
    /// Kind of point.
    pub disagg: bool,
}

/// The rectangle between the axes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plot {
    /// Left edge.
    pub left: f64,
    /// Upper edge.
    pub top: f64,
    /// Right edge.
    pub right: f64,
    /// Lower edge.
    pub bottom: f64,
}

/// The chart.
#[derive(Clone, Debug, PartialEq)]
pub struct ChartVm {
    /// Width and height.
    pub size: (f64, f64),
    /// The rectangle between the axes.
    pub plot: Plot,
    /// Horizontal positions and labels.
    pub x_ticks: Vec<(f64, String)>,
    /// Vertical positions and labels.
    pub y_ticks: Vec<(f64, String)>,
    /// Title of the horizontal axis.
    pub x_title: String,
    /// Title of the vertical axis.
    pub y_title: String,
    /// Points, faint ones first.
    pub marks: Vec<Mark>,
    /// Frontier lines.
    pub lines: Vec<Line>,
    /// Names of winning layouts.
    pub labels: Vec<Label>,
    /// Where the ITL target stands, kept inside the plot; none under a request latency target.
    pub slo_x: Option<f64>,
    /// Where the ring is.
    pub focus: Option<(f64, f64)>,
    /// Where what runs today is.
    pub today: Option<(f64, f64)>,
    /// Frontier points in reading order, for the arrow keys.
    pub walk: Vec<usize>,
    /// The map of the horizontal axis.
    pub x: Linear,
}

/// Below this width the chart drops what does not fit.
const NARROW: f64 = 520.0;

impl ChartVm {
    /// Lays the chart out.
    pub fn new(input: &ChartInput<'_>) -> Self {
        let ChartInput { view, scenario, size, .. } = *input;
        let narrow = size.0 < NARROW;
        let plot = Plot {
            left: if narrow { 46.0 } else { 58.0 },
            top: 26.0,
            right: (size.0 - if narrow { 10.0 } else { 18.0 }).max(80.0),
            bottom: (size.1 - if narrow { 24.0 } else { 44.0 }).max(60.0),
        };
        let y_of = |point: &Point| y_value(input, point);
        let main: Vec<usize> = main_points(view, scenario);

        let domain = input.x_domain.unwrap_or_else(|| x_domain(view, scenario, &main, input.today.as_ref()));
        let x = Linear::new(domain, (plot.left, plot.right));
        let in_x = |point: &Point| (x.domain().0..=x.domain().1).contains(&point.tokens_per_sec_per_user);
        let fitted = main.iter().map(|&at| &view.points[at]).chain(&input.today);
        let y_domain = y_domain(fitted.filter(|p| in_x(p)).map(y_of), input.close_up);
        let y = Linear::new(y_domain, (plot.bottom, plot.top));

        let spot = |point: &Point| (x.px(point.tokens_per_sec_per_user), y.px(y_of(point)));
        let place = |at: usize| spot(&view.points[at]);
        let inside = |(px, py): (f64, f64)| {
            (plot.left - 0.5..=plot.right + 0.5).contains(&px)
                && (plot.top - 1.0..=plot.bottom + 0.5).contains(&py)
        };

        let marks = marks(view, scenario, &main, &place, &inside);
        let line = |disagg: bool, points: &[usize]| Line {
            disagg,
            path: points.iter().map(|&at| place(at)).collect(),
        };
        let lines = vec![line(false, &view.frontier_agg), line(true, &view.frontier_disagg)];
        let mut walk: Vec<usize> = marks.iter().filter(|m| m.tone >= Tone::Beyond).map(|m| m.index).collect();
        order::sort_by(&mut walk, |&a, &b| by_x(&view.points[a], &view.points[b]));

        let x_count = if narrow { 4 } else { 8 };
        let x_step = nice_step((x.domain().1 - x.domain().0) / f64::from(x_count));
        let y_step = nice_step((y_domain.1 - y_domain.0) / 4.0);
        let itl = scenario.sla.itl_ms;
        Self {
            size,
            plot,
            x_ticks: ticks(x.domain(), x_count as usize)
                .into_iter()
                .map(|v| (x.px(v), tick_label(v, x_step)))
                .collect(),
            y_ticks: ticks(y_domain, 4).into_iter().map(|v| (y.px(v), tick_label(v, y_step))).collect(),
            x_title: "tokens/s per user (faster for each user →)".to_owned(),
            y_title: y_title(input),
            labels: if narrow { Vec::new() } else { labels(view, &place, &inside, &plot) },
            slo_x: (scenario.sla.request_latency_ms.is_none() && itl > 0.0)
                .then(|| x.px(1000.0 / itl).clamp(plot.left, plot.right)),
            focus: input.focus.filter(|&at| at < view.points.len()).map(place).filter(|&at| inside(at)),
            today: input.today.as_ref().map(spot).filter(|&at| inside(at)),
            marks,
            lines,
            walk,
            x,
        }
    }

    /// The mark nearest to a place, within reach of a finger or a pointer.
    pub fn hit(&self, px: f64, py: f64, reach: f64) -> Option<&Mark> {
        let distance = |mark: &Mark| {
            (mark.x - px).hypot(mark.y - py) - if mark.tone >= Tone::Beyond { 4.0 } else { 0.0 }
        };
        self.marks
            .iter()
            .filter(|mark| distance(mark) <= reach)
            .min_by(|a, b| distance(a).total_cmp(&distance(b)))
    }

    /// The frontier point `steps` further along.
    pub fn step(&self, from: Option<usize>, steps: isize) -> Option<usize> {
        let at = from.and_then(|index| self.walk.iter().position(|&w| w == index));
        let next = at.map_or(0, |at| at.saturating_add_signed(steps).min(self.walk.len().saturating_sub(1)));
        self.walk.get(next).copied()
    }
}

fn by_x(a: &Point, b: &Point) -> std::cmp::Ordering {
    a.tokens_per_sec_per_user.total_cmp(&b.tokens_per_sec_per_user)
}

/// The points the axes are fitted to: both frontiers, or everything when nothing meets the TTFT target.
fn main_points(view: &View, scenario: &Scenario) -> Vec<usize> {
    let shown = |&at: &usize| !scenario.sla.strict || view.points[at].meets();
    let mut main: Vec<usize> =
        view.frontier_agg.iter().chain(&view.frontier_disagg).copied().filter(shown).collect();
    if main.is_empty() && !scenario.sla.strict {
        main = (0..view.points.len()).collect();
    }
    main
}

fn x_domain(view: &View, scenario: &Scenario, main: &[usize], today: Option<&Point>) -> (f64, f64) {
    let far = main
        .iter()
        .map(|&at| &view.points[at])
        .chain(today)
        .map(|point| point.tokens_per_sec_per_user)
        .filter(|x| x.is_finite())
        .fold(0.0, f64::max);
    let far = if far > 0.0 { far } else { 100.0 };
    let target = match scenario.sla {
        sla if sla.request_latency_ms.is_some() || sla.itl_ms <= 0.0 => 0.0,
        sla => 1000.0 / sla.itl_ms,
    };
    (0.0, (far * 1.05).max(target.min(far * 1.6) * 1.05))
}

fn y_domain(values: impl Iterator<Item = f64>, zoomed: bool) -> (f64, f64) {
    let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
    for value in values.filter(|value| value.is_finite()) {
        low = low.min(value);
        high = high.max(value);
    }
    if high <= 0.0 {
        return (0.0, 1.0);
    }
    let low = if zoomed && low > high * 0.3 { low * 0.95 } else { 0.0 };
    let step = nice_step((high - low) / 4.0);
    ((low / step).floor() * step, (high * 1.01 / step).ceil() * step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view_model::fixture;

    fn chart(y: YAxis, x_domain: Option<(f64, f64)>) -> ChartVm {
        let (view, scenario) = (fixture::view(), Scenario::default());
        ChartVm::new(&ChartInput {
            view: &view,
            scenario: &scenario,
            y,
            price: Some(2.0),
            x_domain,
            close_up: x_domain.is_some(),
            size: (820.0, 430.0),
            focus: Some(0),
            today: None,
        })
    }

    #[test]
    fn tones_follow_the_slo() {
        let chart = chart(YAxis::PerGpu, None);
        let tone = |index| chart.marks.iter().find(|mark| mark.index == index).map(|mark| mark.tone);
        assert_eq!(tone(0), Some(Tone::Frontier));
        assert_eq!(tone(1), Some(Tone::Beyond));
        assert_eq!(tone(4), Some(Tone::Faint));
        assert_eq!(chart.focus, chart.marks.iter().find(|m| m.index == 0).map(|m| (m.x, m.y)));
    }

    #[test]
    fn better_is_higher_and_faster_is_further_right() {
        let chart = chart(YAxis::PerGpu, None);
        let at = |index| chart.marks.iter().find(|mark| mark.index == index).expect("drawn");
        assert!(at(0).y < at(2).y && at(0).x < at(2).x);
        let slo = chart.slo_x.expect("an ITL target");
        assert!((chart.x.value(slo) - 1000.0 / 30.0).abs() < 1e-9);
        assert!(at(1).x < slo && at(0).x > slo);
    }

    #[test]
    fn the_nearest_mark_is_hit() {
        let chart = chart(YAxis::PerGpu, None);
        let mark = chart.marks.iter().find(|mark| mark.index == 2).expect("drawn");
        assert_eq!(chart.hit(mark.x + 3.0, mark.y - 3.0, 12.0).map(|hit| hit.index), Some(2));
        assert!(chart.hit(5.0, 5.0, 12.0).is_none());
    }

    #[test]
    fn arrow_keys_walk_the_frontier_from_left_to_right() {
        let chart = chart(YAxis::PerGpu, None);
        assert_eq!(chart.walk, [1, 0, 3, 2]);
        assert_eq!(chart.step(Some(1), 1), Some(0));
        assert_eq!(chart.step(Some(2), 1), Some(2));
        assert_eq!(chart.step(None, 1), Some(1));
    }

    #[test]
    fn zoom_keeps_its_domain() {
        let chart = chart(YAxis::PerGpu, Some((50.0, 80.0)));
        assert_eq!(chart.x.domain(), (50.0, 80.0));
        assert!(chart.marks.iter().all(|mark| mark.index == 2));
    }

    #[test]
    fn winning_layouts_are_named_once() {
        let chart = chart(YAxis::PerGpu, None);
        let names: Vec<&str> = chart.labels.iter().map(|label| label.text.as_str()).collect();
        assert_eq!(names, ["5P (tp2) : 6D (tp1)", "10P (tp2) : 3D (tp4)"]);
    }

    #[test]
    fn money_follows_throughput() {
        assert!((cost_per_million(3.6, 1000.0) - 1.0).abs() < 1e-12);
        assert_eq!(YAxis::offered(None).len(), 3);
        assert_eq!(YAxis::offered(Some(1.0)).last(), Some(&YAxis::Money));
        let title = chart(YAxis::Gpus, None).y_title;
        assert_eq!(title, "GPUs needed for 47.6 requests/s (cheaper ↓)");
    }

    #[test]
    fn an_empty_answer_has_axes() {
        let (view, scenario) = (View::default(), Scenario::default());
        for y in [YAxis::PerGpu, YAxis::Requests, YAxis::Gpus, YAxis::Money] {
            let input = ChartInput {
                view: &view,
                scenario: &scenario,
                y,
                price: None,
                x_domain: None,
                close_up: false,
                size: (10.0, 10.0),
                focus: Some(3),
                today: None,
            };
            let chart = ChartVm::new(&input);
            assert!(chart.marks.is_empty() && !chart.x_ticks.is_empty());
        }
    }
}
