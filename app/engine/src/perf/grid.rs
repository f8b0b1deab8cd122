//! Interpolation in a ragged tree of up to four integer axes, and extrapolation outside it.
//!
//! Inside the measured region the answer is exact or linear; outside, the utilisation of the nearest
//! measured points is held and the roofline carries the growth.

use std::ops::Range;

use perf_data::Grid;

/// A latency and whether it lies inside the measured region.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Latency in the unit of the table.
    pub value: f64,
    /// False when the utilisation of the nearest measured points was held.
    pub inside: bool,
}

/// Nothing was measured that could answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Miss;

/// Measured points that an extrapolation rests on.
const NEIGHBOURS: usize = 4;
/// Most axes of a table.
pub const MAX_AXES: usize = 4;

enum Inside {
    Value(f64),
    OutOfRange,
    Miss,
}

/// One slice of a table, ready for queries.
#[derive(Clone, Debug)]
pub struct GridTable {
    grid: Grid,
    /// log2 of every key, level by level.
    logs: Vec<Vec<f64>>,
    /// The axis along which square roots are blended (the sequence axis of prefill tables).
    sqrt_axis: Option<usize>,
}

/// The nearest leaves found so far, nearest first; one more than needed, for the cut-off radius.
#[derive(Default)]
struct Nearest {
    /// Distance, leaf, utilisation.
    found: [(f64, usize, f64); NEIGHBOURS + 1],
    count: usize,
}

impl Nearest {
    /// The distance beyond which a leaf cannot matter.
    fn reach(&self) -> f64 {
        if self.count > NEIGHBOURS { self.found[NEIGHBOURS].0 } else { f64::INFINITY }
    }

    fn offer(&mut self, distance: f64, leaf: usize, util: f64) {
        let at = self.found[..self.count].partition_point(|&(d, l, _)| (d, l) < (distance, leaf));
        if at > NEIGHBOURS {
            return;
        }
        self.count = (self.count + 1).min(NEIGHBOURS + 1);
        self.found[at..self.count].rotate_right(1);
        self.found[at] = (distance, leaf, util);
    }
}

fn log2(x: f64) -> f64 {
    libm::log2(x.max(1e-12))
}

/// Position of the first key that is not below `c`.
fn bracket(keys: &[u32], c: f64) -> usize {
    keys.partition_point(|&key| f64::from(key) < c)
}

impl GridTable {
    /// Prepares a slice. `adjust` sees each leaf's coordinates and latency and returns the latency to use.
    pub fn new(mut grid: Grid, sqrt_axis: Option<usize>, adjust: impl Fn(&[f64], f64) -> f64) -> Self {
        let mut values = std::mem::take(&mut grid.values);
        each_leaf(&grid, |leaf, coords| values[leaf] = adjust(coords, values[leaf]));
        grid.values = values;
        let logs = grid
            .levels
            .iter()
            .map(|level| level.keys.iter().map(|&k| log2(f64::from(k))).collect())
            .collect();
        Self { grid, logs, sqrt_axis }
    }

    /// Smallest and largest key of an axis over the whole slice.
    pub fn envelope(&self, axis: usize) -> Option<(u32, u32)> {
        let keys = &self.grid.levels.get(axis)?.keys;
        Some((*keys.iter().min()?, *keys.iter().max()?))
    }

    /// The latency at `query`, given the roofline of the same operator.
    pub fn query(&self, query: &[f64], sol: &impl Fn(&[f64]) -> f64) -> Result<Reading, Miss> {
        debug_assert_eq!(query.len(), self.grid.levels.len());
        match self.interior(0, 0, query, sol) {
            Inside::Value(value) => Ok(Reading { value, inside: true }),
            Inside::Miss => Err(Miss),
            Inside::OutOfRange if query.len() == 1 => self.hold_boundary(query, sol),
            Inside::OutOfRange => self.hold(query, sol),
        }
    }

    fn child(&self, axis: usize, position: usize, query: &[f64], sol: &impl Fn(&[f64]) -> f64) -> Inside {
        if axis + 1 == self.grid.levels.len() {
            Inside::Value(self.grid.values[position])
        } else {
            self.interior(axis + 1, position, query, sol)
        }
    }

    fn interior(&self, axis: usize, node: usize, query: &[f64], sol: &impl Fn(&[f64]) -> f64) -> Inside {
        let level = &self.grid.levels[axis];
        let range = level.range(node);
        let keys = &level.keys[range.clone()];
        let c = query[axis];
        let at = bracket(keys, c);
        if keys.get(at).is_some_and(|&key| f64::from(key) == c) {
            return self.child(axis, range.start + at, query, sol);
        }
        if at == 0 || at == keys.len() {
            return if keys.is_empty() { Inside::Miss } else { Inside::OutOfRange };
        }
        let (lo, hi) = (f64::from(keys[at - 1]), f64::from(keys[at]));
        let below = self.child(axis, range.start + at - 1, query, sol);
        let above = self.child(axis, range.start + at, query, sol);
        match (below, above) {
            (Inside::Value(a), Inside::Value(b)) => {
                let w = (c - lo) / (hi - lo);
                Inside::Value(if self.sqrt_axis == Some(axis) {
                    let (a, b) = (a.max(0.0).sqrt(), b.max(0.0).sqrt());
                    let root = a + (b - a) * w;
                    root * root
                } else {
                    a + (b - a) * w
                })
            }
            (Inside::Value(value), _) => Inside::Value(rescale(value, axis, lo, query, sol)),
            (_, Inside::Value(value)) => Inside::Value(rescale(value, axis, hi, query, sol)),
            (Inside::Miss, Inside::Miss) => Inside::Miss,
            _ => Inside::OutOfRange,
        }
    }

    /// One axis: hold the utilisation of the boundary point.
    fn hold_boundary(&self, query: &[f64], sol: &impl Fn(&[f64]) -> f64) -> Result<Reading, Miss> {
        let keys = &self.grid.levels[0].keys;
        let at = if query[0] > f64::from(keys[keys.len() - 1]) { keys.len() - 1 } else { 0 };
        let (latency, bound) = (self.grid.values[at], sol(&[f64::from(keys[at])]));
        if latency <= 0.0 || bound <= 0.0 {
            return Err(Miss);
        }
        Ok(Reading { value: sol(query) * latency / bound, inside: false })
    }

    /// Several axes: hold the weighted utilisation of the nearest measured points.
    fn hold(&self, query: &[f64], sol: &impl Fn(&[f64]) -> f64) -> Result<Reading, Miss> {
        let mut target = [0.0; MAX_AXES];
        for (log, &c) in target.iter_mut().zip(query) {
            *log = log2(c);
        }
        let mut nearest = Nearest::default();
        let mut coords = [0.0; MAX_AXES];
        self.collect(0, 0, 0.0, &target, &mut coords, sol, &mut nearest);
        let used = &nearest.found[..nearest.count.min(NEIGHBOURS)];
        if used.is_empty() {
            return Err(Miss);
        }
        let radius = nearest.reach();
        let weight = |d: f64| {
            if radius.is_infinite() {
                1.0 / (d * d + 1e-12)
            } else {
                let w = (radius - d).max(0.0) / (radius * d + 1e-12);
                w * w
            }
        };
        let (mut weights, mut utils) = (0.0, 0.0);
        for &(d, _, util) in used {
            weights += weight(d);
            utils += weight(d) * util;
        }
        if weights <= 0.0 {
            weights = used.len() as f64;
            utils = used.iter().map(|&(_, _, util)| util).sum();
        }
        Ok(Reading { value: sol(query) / (utils / weights), inside: false })
    }

    /// Walks outwards from the target on every axis and stops where nothing nearer can follow.
    #[allow(
        clippy::too_many_arguments,
        reason = "one recursive walk; a struct would only rename the arguments"
    )]
    fn collect(
        &self,
        axis: usize,
        node: usize,
        sum: f64,
        target: &[f64; MAX_AXES],
        coords: &mut [f64; MAX_AXES],
        sol: &impl Fn(&[f64]) -> f64,
        nearest: &mut Nearest,
    ) {
        let level = &self.grid.levels[axis];
        let range = level.range(node);
        let logs = &self.logs[axis];
        let last = axis + 1 == self.grid.levels.len();
        for at in Outward::new(logs, range, target[axis]) {
            let gap = logs[at] - target[axis];
            let sum = sum + gap * gap;
            let distance = sum.sqrt();
            if distance > nearest.reach() {
                return;
            }
            coords[axis] = f64::from(level.keys[at]);
            if !last {
                self.collect(axis + 1, at, sum, target, coords, sol, nearest);
                continue;
            }
            let latency = self.grid.values[at];
            let bound = sol(&coords[..=axis]);
            if latency > 0.0 && bound > 0.0 {
                nearest.offer(distance, at, bound / latency);
            }
        }
    }
}

/// Positions of an ascending list, the nearest to a target first; of equally near ones the lower first.
pub(super) struct Outward<'a> {
    places: &'a [f64],
    target: f64,
    /// What is left below and above the target.
    below: Range<usize>,
    above: Range<usize>,
}

impl<'a> Outward<'a> {
    /// The positions of `range` in `places`.
    pub(super) fn new(places: &'a [f64], range: Range<usize>, target: f64) -> Self {
        let middle = range.start + places[range.clone()].partition_point(|&place| place < target);
        Self { places, target, below: range.start..middle, above: middle..range.end }
    }
}

impl Iterator for Outward<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let gap = |at: usize| (self.places[at] - self.target).abs();
        let upper = !self.above.is_empty();
        let lower = !self.below.is_empty();
        if lower && (!upper || gap(self.below.end - 1) <= gap(self.above.start)) {
            self.below.next_back()
        } else {
            self.above.next()
        }
    }
}

/// A branch was missing: carry the surviving one along its axis by the roofline.
fn rescale(value: f64, axis: usize, key: f64, query: &[f64], sol: &impl Fn(&[f64]) -> f64) -> f64 {
    let mut at = [0.0; MAX_AXES];
    at[..query.len()].copy_from_slice(query);
    at[axis] = key;
    let (here, there) = (sol(query), sol(&at[..query.len()]));
    if here > 0.0 && there > 0.0 { value * here / there } else { value }
}

/// Visits every leaf of a grid with its coordinates, ascending.
pub fn each_leaf(grid: &Grid, mut leaf: impl FnMut(usize, &[f64])) {
    walk(grid, 0, 0, &mut Vec::with_capacity(grid.levels.len()), &mut leaf);
}

fn walk(grid: &Grid, axis: usize, node: usize, coords: &mut Vec<f64>, leaf: &mut impl FnMut(usize, &[f64])) {
    let level = &grid.levels[axis];
    for at in level.range(node) {
        coords.push(f64::from(level.keys[at]));
        if axis + 1 == grid.levels.len() {
            leaf(at, coords);
        } else {
            walk(grid, axis + 1, at, coords, leaf);
        }
        coords.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perf_data::Level;

    /// A staircase: batch 1 reaches 4 tokens, batch 2 only 2.
    fn staircase(sqrt_axis: Option<usize>) -> GridTable {
        let grid = Grid {
            levels: vec![
                Level { keys: vec![1, 2], starts: vec![0, 2] },
                Level { keys: vec![1, 2, 4, 1, 2], starts: vec![0, 3, 5] },
            ],
            values: vec![1.0, 2.0, 4.0, 2.0, 5.0],
            tiers: vec![],
        };
        GridTable::new(grid, sqrt_axis, |_, latency| latency)
    }

    fn work(q: &[f64]) -> f64 {
        q[0] * q[1]
    }

    #[test]
    fn exact_and_linear_inside() {
        let table = staircase(None);
        assert_eq!(table.query(&[1.0, 4.0], &work), Ok(Reading { value: 4.0, inside: true }));
        assert_eq!(table.query(&[1.0, 3.0], &work), Ok(Reading { value: 3.0, inside: true }));
        assert_eq!(table.query(&[1.5, 1.0], &work), Ok(Reading { value: 1.5, inside: true }));
    }

    #[test]
    fn square_roots_blend_on_the_marked_axis() {
        let got = staircase(Some(1)).query(&[1.0, 3.0], &work).unwrap().value;
        let root = f64::midpoint(2f64.sqrt(), 2.0);
        assert!((got - root * root).abs() < 1e-12);
    }

    #[test]
    fn a_missing_branch_is_carried_by_the_roofline() {
        // Between batch 1 (4 tokens measured) and batch 2 (not): 4 · (1.5·4)/(1·4).
        assert_eq!(staircase(None).query(&[1.5, 4.0], &work).unwrap().value, 6.0);
    }

    #[test]
    fn outside_holds_utilisation() {
        let got = staircase(None).query(&[4.0, 8.0], &work).unwrap();
        assert!(!got.inside);
        // Utilisations lie between 4/5 and 1, so the answer lies between the roofline and 1.25 times it.
        assert!(got.value >= 32.0 && got.value <= 40.0, "{got:?}");
    }

    #[test]
    fn pruned_walk_finds_what_a_full_sort_finds() {
        let keys: Vec<u32> = (0..12).map(|i| 1 << i).collect();
        let mut inner = Level { keys: vec![], starts: vec![0] };
        for node in 0..12 {
            inner.keys.extend(&keys[..12 - node]);
            inner.starts.push(inner.keys.len() as u32);
        }
        let count = inner.keys.len();
        let grid = Grid {
            levels: vec![Level { keys, starts: vec![0, 12] }, inner],
            values: (0..count).map(|i| 1.0 + (i * 7919 % 97) as f64).collect(),
            tiers: vec![],
        };
        let table = GridTable::new(grid.clone(), None, |_, l| l);
        for query in [[3000.0, 3000.0], [5000.0, 3.0], [2.0, 9999.0], [1500.0, 700.0]] {
            let mut leaves = vec![];
            walk(&grid, 0, 0, &mut vec![], &mut |leaf, c| {
                let d = c
                    .iter()
                    .zip(&query)
                    .map(|(&a, &b): (&f64, &f64)| (log2(a) - log2(b)).powi(2))
                    .sum::<f64>();
                leaves.push((d.sqrt(), leaf, work(c) / grid.values[leaf]));
            });
            leaves.sort_by(|a, b| a.partial_cmp(b).unwrap());
            let radius = leaves[4].0;
            let weight = |d: f64| ((radius - d).max(0.0) / (radius * d + 1e-12)).powi(2);
            let weights: f64 = leaves[..4].iter().map(|l| weight(l.0)).sum();
            let want = if weights > 0.0 {
                work(&query) / (leaves[..4].iter().map(|l| weight(l.0) * l.2).sum::<f64>() / weights)
            } else {
                work(&query) / (leaves[..4].iter().map(|l| l.2).sum::<f64>() / 4.0)
            };
            if let Inside::OutOfRange = table.interior(0, 0, &query, &work) {
                let got = table.hold(&query, &work).unwrap().value;
                assert!((got / want - 1.0).abs() < 1e-12, "{query:?}: {got} {want}");
            }
        }
    }
}
