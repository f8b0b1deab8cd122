//! Rows under an SLO and a goal: clusters, frontier, best, funnel.
//!
//! Composing rows into clusters needs no tables, so the page does it on every move of an SLO handle.

mod compose;
mod split;
mod funnel;

use crate::order;
use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use crate::point::{Candidate, EncoderPool, Layout, Point, Worker};
use crate::rows::{AggRow, DecodeRow, EncoderRow, FixedPoints, PrefillRow, Rows};
use crate::scenario::{Goal, Scenario};

/// How many candidates are left after each stage; never increasing from top to bottom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Funnel {
    /// Enumerated within the GPU budget: aggregated replicas, and pairs of prefill and decode workers.
    pub tried: u64,
    /// Weights, activations and buffers fit.
    pub fit_memory: u64,
    /// The KV cache of the batch fits.
    pub fit_kv: u64,
    /// Every operator has measured data.
    pub measured: u64,
    /// Meet the TTFT target.
    pub meet_ttft: u64,
    /// Meet the ITL (or request latency) target as well.
    pub meet_itl: u64,
    /// On the frontier, within the SLO.
    pub frontier: u64,
}

/// What to change when nothing meets the SLO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Nearest {
    /// The lowest TTFT at which something meets the ITL target, ms.
    pub ttft_ms: Option<f64>,
    /// The lowest ITL (or request latency) at which something meets the TTFT target, ms.
    pub itl_ms: Option<f64>,
    /// The fewest GPUs on which something meets both.
    pub gpus: Option<u32>,
}

/// Rows under an SLO and a goal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// All points, best first: by goal, then by tokens/s/user.
    pub points: Vec<Point>,
    /// The frontier over the points that meet the TTFT target, by rising tokens/s/user.
    pub frontier: Vec<usize>,
    /// The aggregated frontier alone.
    pub frontier_agg: Vec<usize>,
    /// The disaggregated frontier alone.
    pub frontier_disagg: Vec<usize>,
    /// Points within the SLO, best of each layout, ranked.
    pub picks: Vec<usize>,
    /// Counts for the funnel.
    pub funnel: Funnel,
    /// What to change when nothing meets the SLO.
    pub nearest: Option<Nearest>,
}

impl View {
    /// The best point within the SLO.
    pub fn best(&self) -> Option<&Point> {
        self.picks.first().map(|&pick| &self.points[pick])
    }
}

/// Composes rows into clusters under the scenario's SLO and goal.
pub fn view(rows: &Rows, scenario: &Scenario) -> View {
    view_all(&[rows], scenario)
}

/// The same for the rows of several places, whose points are ranked together.
///
/// A GPU counts as a GPU, whatever its system.
pub fn view_all(places: &[&Rows], scenario: &Scenario) -> View {
    let target = Target::of(scenario);
    let mut view = View::default();
    if places.iter().any(|rows| rows.fixed.is_some()) {
        fixed(places, &target, &mut view);
    } else {
        for (place, rows) in (0..).zip(places) {
            let first = view.points.len();
            view.points.extend(compose::points(rows, scenario, &target));
            view.points[first..].iter_mut().for_each(|point| point.place = place);
        }
        order::sort_by(&mut view.points, |a, b| compare(a, b, scenario.goal));
        view.picks = picks(&view.points);
    }
    if scenario.sla.strict {
        drop_misses(&mut view);
    }
    let front = |keep: &dyn Fn(&Point) -> bool| {
        let wanted = |&at: &usize| view.points[at].meets_ttft && keep(&view.points[at]);
        let chosen: Vec<usize> = (0..view.points.len()).filter(wanted).collect();
        let coords: Vec<(f64, f64)> =
            chosen.iter().map(|&at| coordinates(&view.points[at], scenario.goal)).collect();
        frontier(&coords).into_iter().map(|at| chosen[at]).collect::<Vec<_>>()
    };
    let (all, agg, disagg) = (front(&|_| true), front(&|p| !p.is_disagg()), front(&Point::is_disagg));
    (view.frontier, view.frontier_agg, view.frontier_disagg) = (all, agg, disagg);
    view.funnel = funnel::count(places, scenario, &target, &view);
    if view.picks.is_empty() {
        view.nearest = Some(funnel::nearest(places, scenario, &target, &view));
    }
    view
}

/// Workers that somebody named, each kind with how many of them the cluster has, at least 1.
#[derive(Clone, Copy, Debug)]
pub enum Workers<'a> {
    /// Every worker prefills and decodes.
    Agg(&'a AggRow, u32),
    /// Separate prefill and decode workers.
    Disagg((&'a PrefillRow, u32), (&'a DecodeRow, u32)),
}

/// The point of named workers: what [`view`] makes of these rows where it settles on these counts.
///
/// Under a GPU goal a cluster beyond the budget pays for the GPUs it uses.
pub fn cluster(workers: Workers<'_>, encoders: Option<(&EncoderRow, u32)>, scenario: &Scenario) -> Point {
    let target = Target::of(scenario);
    let (encoder, encoding) = encoders.map_or((None, 0), |(row, count)| (Some(row), count));
    match workers {
        Workers::Agg(row, count) => compose::agg_point(row, encoder, [count, encoding], scenario, &target),
        Workers::Disagg((prefill, x), (decode, y)) => {
            let front = compose::Front::new(prefill, encoder);
            compose::pair_point(&front, decode, [x, y, encoding], scenario, &target)
        }
    }
}

/// Points and picks of the `Reference` policy.
///
/// Of several places the reference keeps the picks with the highest score, as many in each serving mode as of one.
fn fixed(places: &[&Rows], target: &Target, view: &mut View) {
    for (place, rows) in (0..).zip(places) {
        let Some(fixed) = &rows.fixed else { continue };
        let first = view.points.len();
        view.points.extend(fixed.points.iter().map(|point| Point {
            place,
            meets_ttft: target.meets_ttft(point.ttft_ms),
            meets_itl: target.meets_rest(point.ttft_ms, point.itl_ms),
            ..*point
        }));
        view.picks.extend(fixed.picks.iter().map(|pick| first + pick));
    }
    if places.len() > 1 {
        let score = |&at: &usize| view.points[at].tokens_per_sec_per_gpu;
        let best_first = |a: &usize, b: &usize| score(b).total_cmp(&score(a));
        let of_mode = |disagg: bool| {
            let picks = view.picks.iter().copied();
            let mut mode: Vec<usize> = picks.filter(|&at| view.points[at].is_disagg() == disagg).collect();
            order::sort_by(&mut mode, best_first);
            mode.truncate(FixedPoints::TOP);
            mode
        };
        let mut merged = [of_mode(false), of_mode(true)].concat();
        order::sort_by(&mut merged, best_first);
        view.picks = merged;
    }
    view.picks.retain(|&pick| view.points[pick].meets());
}

/// Latency targets and the budget, ready to compare with.
#[derive(Clone, Copy, Debug)]
struct Target {
    ttft_ms: f64,
    itl_ms: f64,
    request_latency_ms: Option<f64>,
    later_tokens: f64,
    gpus: Option<u32>,
}

impl Target {
    fn of(scenario: &Scenario) -> Self {
        Self {
            ttft_ms: scenario.sla.ttft_ms,
            itl_ms: scenario.sla.itl_ms,
            request_latency_ms: scenario.sla.request_latency_ms,
            later_tokens: f64::from(scenario.workload.osl.saturating_sub(1)),
            gpus: if let Goal::Gpus(gpus) = scenario.goal { Some(gpus) } else { None },
        }
    }

    fn meets_ttft(&self, ttft_ms: f64) -> bool {
        ttft_ms <= self.ttft_ms
    }

    fn latency(&self, ttft_ms: f64, itl_ms: f64) -> f64 {
        ttft_ms + itl_ms * self.later_tokens
    }

    /// The target beside TTFT: ITL, or the request latency that replaces it.
    fn meets_rest(&self, ttft_ms: f64, itl_ms: f64) -> bool {
        match self.request_latency_ms {
            Some(limit) => self.latency(ttft_ms, itl_ms) <= limit,
            None => itl_ms <= self.itl_ms,
        }
    }

    fn fits(&self, gpus: u32) -> bool {
        self.gpus.is_none_or(|budget| gpus <= budget)
    }
}

/// Frontier coordinates of a point: tokens/s/user, and what the goal maximises.
pub fn coordinates(point: &Point, goal: Goal) -> (f64, f64) {
    let gain = match goal {
        Goal::Gpus(_) => point.tokens_per_sec_per_gpu,
        Goal::RequestRate(_) | Goal::Concurrency(_) => -f64::from(point.gpus_used),
    };
    (point.tokens_per_sec_per_user, gain)
}

/// Best first: by goal, then faster for each user, then fewer GPUs.
fn compare(a: &Point, b: &Point, goal: Goal) -> Ordering {
    let ((user_a, gain_a), (user_b, gain_b)) = (coordinates(a, goal), coordinates(b, goal));
    gain_b.total_cmp(&gain_a).then(user_b.total_cmp(&user_a)).then(a.gpus_used.cmp(&b.gpus_used))
}

/// Of sorted points, the first of each pair of layouts of a place that meets the SLO.
fn picks(points: &[Point]) -> Vec<usize> {
    let mut seen = BTreeSet::new();
    let layout = |point: &Point| match point.layout {
        Layout::Agg { worker, .. } => (point.place, worker.parallel, None),
        Layout::Disagg { prefill, decode, .. } => (point.place, prefill.parallel, Some(decode.parallel)),
    };
    (0..points.len()).filter(|&at| points[at].meets() && seen.insert(layout(&points[at]))).collect()
}

fn drop_misses(view: &mut View) {
    let mut kept = vec![None; view.points.len()];
    let mut points = Vec::new();
    for (at, point) in view.points.iter().enumerate().filter(|(_, point)| point.meets()) {
        kept[at] = Some(points.len());
        points.push(*point);
    }
    view.picks = view.picks.iter().filter_map(|&pick| kept[pick]).collect();
    view.points = points;
}

/// Indices of the points that no other point dominates (both coordinates maximised), by rising first one.
///
/// Of equal points the first is kept; points that are not finite are left out.
pub fn frontier(points: &[(f64, f64)]) -> Vec<usize> {
    let mut order: Vec<usize> =
        (0..points.len()).filter(|&at| points[at].0.is_finite() && points[at].1.is_finite()).collect();
    order::sort_by(&mut order, |&a, &b| {
        let (a, b) = (points[a], points[b]);
        b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1))
    });
    let mut best = f64::NEG_INFINITY;
    let mut out: Vec<usize> = order
        .into_iter()
        .filter(|&at| {
            let better = points[at].1 > best;
            best = best.max(points[at].1);
            better
        })
        .collect();
    out.reverse();
    out
}
