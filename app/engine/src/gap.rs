//! How far a deployment is from the best of its question, and the smallest change that gets it most of the way.

use crate::parallel::{Parallel, WorkerRole};
use crate::point::{Layout, Point, Worker};
use crate::rows::Rows;
use crate::scenario::{Goal, Scenario};
use crate::view::{View, view_all};

/// Share of the gap that a change must close to be worth naming.
const MOST: f64 = 0.8;
/// Differences below this share are none.
const NOTHING: f64 = 0.0005;

/// A point that does more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ahead {
    /// Which point of the view.
    pub at: usize,
    /// How much more tokens/s/GPU, as a share: 0.5 is half as much again.
    pub more: f64,
}

/// What a change touches, from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Touches {
    /// Limits of batches and steps alone.
    Limits,
    /// Also how many workers there are.
    Counts,
    /// Also the parallel sizes of one kind of worker.
    OneRole,
    /// Also those of more than one kind.
    Roles,
    /// What the workers are for: aggregated or separate, encoders apart or not.
    Serving,
    /// The backend or the GPUs.
    Place,
}

/// One setting that differs; encoder workers have no role.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Edit {
    /// Another backend or other GPUs: those of this place.
    Place(u32),
    /// Aggregated or separate workers, or encoders apart or not: everything is laid out anew.
    Serving,
    /// Parallel sizes.
    Parallel(Option<WorkerRole>, Parallel, Parallel),
    /// Workers.
    Count(Option<WorkerRole>, u32, u32),
    /// Requests of a batch per attention-DP rank.
    Batch(Option<WorkerRole>, u32, u32),
    /// Prefill tokens of a mixed step.
    StepTokens(u32, u32),
}

/// A change to a deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The point of the view that it leads to.
    pub to: usize,
    /// How deep it cuts.
    pub touches: Touches,
    /// What differs, the deepest first.
    pub edits: Vec<Edit>,
    /// Share of the gap to the best that it closes; none where the gap is none.
    pub closes: Option<f64>,
}

/// How far a deployment is from the best of its question.
#[derive(Clone, Debug, PartialEq)]
pub struct Gap {
    /// Whether it meets the SLO.
    pub meets: bool,
    /// The best within the SLO that is at least as fast for each user, while it does more.
    pub as_fast: Option<Ahead>,
    /// The best within the SLO, while it does more.
    pub best: Option<Ahead>,
    /// The fewest GPUs that serve what the deployment serves, within the SLO; none where nothing does.
    pub gpus_for_load: Option<u32>,
    /// The smallest change that closes most of the gap, or, beyond the SLO, the smallest that meets it.
    pub change: Option<Change>,
}

/// Compares a point with the view of its question; `places` are the rows that the view is of.
///
/// The point need not be one of the view. Its figures are for `scenario`, as those of the view are.
pub fn gap(places: &[&Rows], view: &View, point: &Point, scenario: &Scenario) -> Gap {
    let own = point.tokens_per_sec_per_gpu;
    let ahead = |at: usize| {
        let more = view.points.get(at)?.tokens_per_sec_per_gpu / own - 1.0;
        (more > NOTHING).then_some(Ahead { at, more })
    };
    let within = || (0..view.points.len()).filter(|&at| view.points[at].meets());
    let as_fast = within()
        .filter(|&at| view.points[at].tokens_per_sec_per_user >= point.tokens_per_sec_per_user)
        .reduce(|best, at| if rate(view, at) > rate(view, best) { at } else { best });
    let best = view.picks.first().copied().and_then(ahead);
    let closes = |at: usize| best.map(|best| (rate(view, at) - own) / (rate(view, best.at) - own));
    let worth = |&at: &usize| !point.meets() || closes(at).is_some_and(|share| share >= MOST);
    let change =
        within().filter(worth).map(|at| change(view, point, at, closes(at))).reduce(|best, other| {
            let depth = |change: &Change| (change.touches, change.edits.len());
            let order = depth(&other).cmp(&depth(&best));
            let better = order.then(rate(view, best.to).total_cmp(&rate(view, other.to)));
            if better.is_lt() { other } else { best }
        });
    Gap {
        meets: point.meets(),
        as_fast: as_fast.and_then(ahead),
        best,
        gpus_for_load: fewest_gpus(places, point, scenario),
        change,
    }
}

fn rate(view: &View, at: usize) -> f64 {
    view.points[at].tokens_per_sec_per_gpu
}

/// The fewest GPUs that serve the requests of a point within the SLO, as fast for each user where it is within.
fn fewest_gpus(places: &[&Rows], point: &Point, scenario: &Scenario) -> Option<u32> {
    // Ready-made points do not follow a load.
    if places.iter().any(|rows| rows.fixed.is_some()) || point.requests_per_sec <= 0.0 {
        return None;
    }
    let goal = Goal::RequestRate(point.requests_per_sec);
    let view = view_all(places, &Scenario { goal, ..scenario.clone() });
    let slower =
        |other: &&Point| point.meets() && other.tokens_per_sec_per_user < point.tokens_per_sec_per_user;
    let fitting = view.points.iter().filter(|other| other.meets() && !slower(other));
    fitting.map(|other| other.gpus_used).min()
}

fn change(view: &View, from: &Point, to: usize, closes: Option<f64>) -> Change {
    let target = &view.points[to];
    let edits = edits(from, target);
    let roles = edits.iter().filter(|edit| matches!(edit, Edit::Parallel(..))).count();
    let touches = match edits.first() {
        Some(Edit::Place(_)) => Touches::Place,
        Some(Edit::Serving) => Touches::Serving,
        Some(Edit::Parallel(..)) if roles > 1 => Touches::Roles,
        Some(Edit::Parallel(..)) => Touches::OneRole,
        Some(Edit::Count(..)) => Touches::Counts,
        Some(Edit::Batch(..) | Edit::StepTokens(..)) | None => Touches::Limits,
    };
    Change { to, touches, edits, closes }
}

/// What differs between two points, the deepest first.
pub fn edits(from: &Point, to: &Point) -> Vec<Edit> {
    let mut out = Vec::new();
    if from.place != to.place {
        out.push(Edit::Place(to.place));
    }
    let (old, new) = (workers(&from.layout), workers(&to.layout));
    if old.iter().map(|kind| kind.role).ne(new.iter().map(|kind| kind.role)) {
        out.push(Edit::Serving);
        return out;
    }
    let both = || old.iter().zip(&new);
    out.extend(
        both()
            .filter(|(a, b)| a.parallel != b.parallel)
            .map(|(a, b)| Edit::Parallel(a.role, a.parallel, b.parallel)),
    );
    out.extend(
        both().filter(|(a, b)| a.count != b.count).map(|(a, b)| Edit::Count(a.role, a.count, b.count)),
    );
    out.extend(
        both().filter(|(a, b)| a.batch != b.batch).map(|(a, b)| Edit::Batch(a.role, a.batch, b.batch)),
    );
    if let (Layout::Agg { ctx_tokens: a, .. }, Layout::Agg { ctx_tokens: b, .. }) = (from.layout, to.layout)
        && a != b
    {
        out.push(Edit::StepTokens(a, b));
    }
    out
}

/// One kind of worker of a layout.
struct Kind {
    role: Option<WorkerRole>,
    parallel: Parallel,
    batch: u32,
    count: u32,
}

fn workers(layout: &Layout) -> Vec<Kind> {
    let kind = |role, worker: &Worker| {
        let Worker { parallel, batch, count, .. } = *worker;
        Kind { role: Some(role), parallel, batch, count }
    };
    let mut out = match layout {
        Layout::Agg { worker, .. } => vec![kind(WorkerRole::Agg, worker)],
        Layout::Disagg { prefill, decode, .. } => {
            vec![kind(WorkerRole::Prefill, prefill), kind(WorkerRole::Decode, decode)]
        }
    };
    out.extend(layout.encoders().map(|pool| Kind {
        role: None,
        parallel: Parallel::dense(pool.tp, 1, 1),
        batch: pool.batch,
        count: pool.count,
    }));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::point::MemoryUse;
    use crate::source::Evidence;

    fn worker(tp: u32, batch: u32, count: u32) -> Worker {
        Worker { parallel: Parallel::dense(tp, 1, 1), batch, count, memory: MemoryUse::default() }
    }

    fn agg(tp: u32, batch: u32, count: u32) -> Layout {
        Layout::Agg { worker: worker(tp, batch, count), ctx_tokens: 4000, encoders: None }
    }

    fn disagg(prefill: Worker, decode: Worker) -> Layout {
        Layout::Disagg { prefill, decode, encoders: None }
    }

    fn point(layout: Layout, per_gpu: f64, per_user: f64, meets: bool) -> Point {
        Point {
            place: 0,
            layout,
            replicas: 1,
            gpus_used: 8,
            ttft_ms: 100.0,
            itl_ms: 1000.0 / per_user,
            request_latency_ms: 1.0,
            tokens_per_sec_per_gpu: per_gpu,
            tokens_per_sec_per_user: per_user,
            requests_per_sec: 1.0,
            concurrency: 1,
            evidence: Evidence::default(),
            meets_ttft: true,
            meets_itl: meets,
        }
    }

    /// A view whose points stand best first, as [`crate::view::view`] has them.
    fn view(points: Vec<Point>) -> View {
        let picks = (0..points.len()).filter(|&at| points[at].meets()).collect();
        View { points, picks, ..View::default() }
    }

    fn found(view: &View, point: &Point) -> Gap {
        gap(&[], view, point, &Scenario::default())
    }

    #[test]
    fn the_smallest_change_that_closes_most_wins_over_the_best() {
        let own = point(agg(2, 8, 4), 100.0, 50.0, true);
        let view = view(vec![
            point(disagg(worker(2, 1, 2), worker(1, 64, 4)), 200.0, 40.0, true),
            point(agg(4, 64, 2), 190.0, 60.0, true),
            point(agg(2, 32, 4), 181.0, 40.0, true),
            point(agg(2, 30, 4), 180.0, 45.0, true),
            point(agg(2, 24, 4), 179.0, 45.0, true),
        ]);
        let gap = found(&view, &own);
        assert_eq!(gap.best, Some(Ahead { at: 0, more: 1.0 }));
        assert_eq!(gap.as_fast.map(|ahead| ahead.at), Some(1));
        let change = gap.change.unwrap();
        assert_eq!((change.to, change.touches), (2, Touches::Limits));
        assert_eq!(change.edits, [Edit::Batch(Some(WorkerRole::Agg), 8, 32)]);
        assert!((change.closes.unwrap() - 0.81).abs() < 1e-9);
        // Without it the sizes of the one kind of worker come next, never those a share short of most.
        let fewer = View { points: [&view.points[..2], &view.points[4..]].concat(), ..view };
        let change = found(&fewer, &own).change.unwrap();
        assert_eq!((change.to, change.touches), (1, Touches::OneRole));
    }

    #[test]
    fn changes_are_ranked_by_how_little_they_touch() {
        let (p, d) = (worker(2, 1, 2), worker(1, 16, 4));
        let own = point(disagg(p, d), 100.0, 50.0, true);
        let mut other_place = point(own.layout, 300.0, 50.0, true);
        other_place.place = 1;
        let ranked = [
            (point(disagg(p, worker(1, 24, 4)), 300.0, 50.0, true), Touches::Limits),
            (point(disagg(worker(2, 1, 1), worker(1, 24, 6)), 300.0, 50.0, true), Touches::Counts),
            (point(disagg(worker(4, 1, 1), worker(1, 24, 4)), 300.0, 50.0, true), Touches::OneRole),
            (point(disagg(worker(4, 1, 1), worker(2, 24, 4)), 300.0, 50.0, true), Touches::Roles),
            (point(agg(1, 16, 8), 300.0, 50.0, true), Touches::Serving),
            (other_place, Touches::Place),
        ];
        for first in 0..ranked.len() {
            let mut points: Vec<Point> = ranked[first..].iter().map(|(point, _)| *point).collect();
            points.reverse();
            let change = found(&view(points.clone()), &own).change.unwrap();
            assert_eq!(change.touches, ranked[first].1);
            assert_eq!(points[change.to], ranked[first].0);
        }
    }

    #[test]
    fn beyond_the_slo_the_smallest_change_that_meets_it_counts() {
        let own = point(agg(2, 64, 4), 400.0, 20.0, false);
        let view = view(vec![
            point(agg(4, 64, 2), 300.0, 35.0, true),
            point(agg(2, 48, 4), 290.0, 30.0, false),
            point(agg(2, 32, 4), 200.0, 34.0, true),
            point(agg(2, 16, 4), 120.0, 50.0, true),
        ]);
        let gap = found(&view, &own);
        assert_eq!((gap.meets, gap.best, gap.as_fast), (false, None, None));
        let change = gap.change.unwrap();
        assert_eq!((change.to, change.touches, change.closes), (2, Touches::Limits, None));
    }

    #[test]
    fn the_best_needs_no_change() {
        let view = view(vec![point(agg(2, 8, 4), 100.0, 50.0, true), point(agg(1, 8, 8), 90.0, 60.0, true)]);
        let gap = found(&view, &view.points[0]);
        let none = Gap { meets: true, as_fast: None, best: None, gpus_for_load: None, change: None };
        assert_eq!(gap, none);
        assert_eq!(found(&View::default(), &view.points[0]), none);
    }
}
