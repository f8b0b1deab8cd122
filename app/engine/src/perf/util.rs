//! Utilisation of measured neighbours: how much of the roofline a kernel reached nearby.
//!
//! `latency = roofline(query) / utilisation`, the utilisation being that of the two nearest measured points,
//! the nearer one weighing more. Distances are in logarithms, every axis scaled to its measured range.

use perf_data::Grid;

use super::grid::{MAX_AXES, Outward, each_leaf};

/// Coordinates of a measured point; unused axes are 0.
pub type Coords = [f64; MAX_AXES];

/// Measured points that a utilisation is read from.
const NEIGHBOURS: usize = 2;

/// One axis: logarithm of its first key, and of the last over the first.
#[derive(Clone, Copy, Debug)]
struct Axis {
    first: f64,
    span: f64,
}

impl Axis {
    fn place(self, x: f64) -> f64 {
        (log(x) - self.first) / self.span
    }
}

fn log(x: f64) -> f64 {
    libm::log(x.max(1e-9))
}

/// Places of one axis for all nodes above it, ascending within a node.
#[derive(Clone, Debug, Default)]
struct Level {
    places: Vec<f64>,
    starts: Vec<u32>,
}

/// A figure at each measured point of a slice; at least one.
#[derive(Clone, Debug)]
pub struct Samples {
    axes: Vec<Axis>,
    levels: Vec<Level>,
    figures: Vec<f64>,
}

/// The nearest points found so far, nearest first, earlier ones before later ones.
struct Nearest {
    found: [(f64, usize); NEIGHBOURS],
    count: usize,
    wanted: usize,
}

impl Nearest {
    fn reach(&self) -> f64 {
        if self.count == self.wanted { self.found[self.wanted - 1].0 } else { f64::INFINITY }
    }

    fn offer(&mut self, distance: f64, at: usize) {
        let place = self.found[..self.count].partition_point(|&known| known < (distance, at));
        if place >= self.wanted {
            return;
        }
        self.count = (self.count + 1).min(self.wanted);
        self.found[place..self.count].rotate_right(1);
        self.found[place] = (distance, at);
    }
}

impl Samples {
    /// From points over so many axes and their figures; none without points.
    pub fn new(mut rows: Vec<(Coords, f64)>, axes: usize) -> Option<Self> {
        rows.sort_by(|a, b| {
            let order = a.0.iter().zip(&b.0).map(|(a, b)| a.total_cmp(b));
            order.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
        });
        let (first, _) = rows.first()?;
        let mut ranges: Vec<(f64, f64)> = first[..axes].iter().map(|&x| (x, x)).collect();
        for (coords, _) in &rows {
            for (range, &x) in ranges.iter_mut().zip(coords) {
                *range = (range.0.min(x), range.1.max(x));
            }
        }
        let axis = |&(first, last): &(f64, f64)| {
            let (first, last) = (log(first), log(last));
            Axis { first, span: if last > first { last - first } else { 1.0 } }
        };
        let axes: Vec<Axis> = ranges.iter().map(axis).collect();
        let mut levels = vec![Level::default(); axes.len()];
        levels[0].starts.push(0);
        let mut previous: Option<&Coords> = None;
        for (coords, _) in &rows {
            // A new node on every level below the first that differs; a repeated point is a leaf of its own.
            let same = |previous: &Coords| previous.iter().zip(coords).take_while(|(a, b)| a == b).count();
            let from = previous.map_or(0, same).min(axes.len() - 1);
            for at in from..axes.len() {
                if at > from {
                    let start = levels[at].places.len() as u32;
                    levels[at].starts.push(start);
                }
                levels[at].places.push(axes[at].place(coords[at]));
            }
            previous = Some(coords);
        }
        for level in &mut levels {
            level.starts.push(level.places.len() as u32);
        }
        Some(Self { axes, levels, figures: rows.into_iter().map(|(_, figure)| figure).collect() })
    }

    /// Utilisations of measured points; points without a latency or a roofline have none.
    pub fn utilisation(
        points: impl Iterator<Item = (Coords, f64)>,
        axes: usize,
        sol: impl Fn(&[f64]) -> f64,
    ) -> Option<Self> {
        let rows = points.filter_map(|(coords, ms)| {
            let bound = sol(&coords[..axes]);
            (ms > 0.0 && bound > 0.0).then(|| (coords, bound / ms))
        });
        Self::new(rows.collect(), axes)
    }

    fn nearest(&self, target: &Coords, wanted: usize) -> Nearest {
        let mut nearest = Nearest { found: [(0.0, 0); NEIGHBOURS], count: 0, wanted };
        self.collect(0, 0, 0.0, target, &mut nearest);
        nearest
    }

    /// Walks outwards from the target on every axis and stops where nothing nearer can follow.
    fn collect(&self, axis: usize, node: usize, sum: f64, target: &Coords, nearest: &mut Nearest) {
        let level = &self.levels[axis];
        let range = level.starts[node] as usize..level.starts[node + 1] as usize;
        for at in Outward::new(&level.places, range, target[axis]) {
            let gap = level.places[at] - target[axis];
            let sum = sum + gap * gap;
            if sum.sqrt() > nearest.reach() {
                return;
            }
            if axis + 1 == self.levels.len() {
                nearest.offer(sum.sqrt(), at);
            } else {
                self.collect(axis + 1, at, sum, target, nearest);
            }
        }
    }

    fn target(&self, query: &[f64], place: impl Fn(f64) -> f64) -> Coords {
        let mut target = [0.0; MAX_AXES];
        for ((target, axis), &x) in target.iter_mut().zip(&self.axes).zip(query) {
            *target = place(axis.place(x));
        }
        target
    }

    /// The figure between the two nearest points; beyond the measured range that of its edge.
    pub fn blend(&self, query: &[f64]) -> f64 {
        let nearest = self.nearest(&self.target(query, |place| place.clamp(0.0, 1.0)), NEIGHBOURS);
        let (distance, at) = nearest.found[0];
        if distance == 0.0 {
            return self.figures[at];
        }
        let (mut figures, mut weights) = (0.0, 0.0);
        for &(distance, at) in &nearest.found[..nearest.count] {
            figures += self.figures[at] * (1.0 / distance);
            weights += 1.0 / distance;
        }
        figures / weights
    }

    /// The figure of the nearest point.
    pub fn at_nearest(&self, query: &[f64]) -> f64 {
        self.figures[self.nearest(&self.target(query, |place| place), 1).found[0].1]
    }
}

/// Coordinates and latencies of a slice.
pub fn points(grid: &Grid) -> impl Iterator<Item = (Coords, f64)> {
    let mut rows = Vec::with_capacity(grid.values.len());
    each_leaf(grid, |leaf, at| {
        let mut coords = [0.0; MAX_AXES];
        for (coord, &x) in coords.iter_mut().zip(at) {
            *coord = x;
        }
        rows.push((coords, grid.values[leaf]));
    });
    rows.into_iter()
}

/// The candidate nearest to what is wanted, by logarithms, every feature scaled to the range of the
/// candidates; the first of equals.
pub fn nearest_candidate(wanted: Coords, candidates: &[Coords]) -> Option<usize> {
    let mut ranges = [(f64::INFINITY, f64::NEG_INFINITY); MAX_AXES];
    for candidate in candidates {
        for (range, &x) in ranges.iter_mut().zip(candidate) {
            *range = (range.0.min(log(x)), range.1.max(log(x)));
        }
    }
    let place =
        |x: f64, (first, last): (f64, f64)| (log(x) - first) / if last > first { last - first } else { 1.0 };
    let distance = |candidate: &Coords| {
        let features = candidate.iter().zip(&wanted).zip(ranges);
        features
            .map(|((&x, &w), range)| {
                let gap = place(x, range) - place(w, range);
                gap * gap
            })
            .sum::<f64>()
    };
    let best = candidates.iter().enumerate().min_by(|a, b| distance(a.1).total_cmp(&distance(b.1)));
    best.map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(rows: &[(&[f64], f64)]) -> Samples {
        let coords = |x: &[f64]| {
            let mut out = [0.0; MAX_AXES];
            out[..x.len()].copy_from_slice(x);
            out
        };
        Samples::new(rows.iter().map(|&(x, figure)| (coords(x), figure)).collect(), rows[0].0.len()).unwrap()
    }

    #[test]
    fn between_the_two_nearest_by_inverse_distance() {
        let curve = samples(&[(&[16.0], 0.8), (&[8.0], 0.2), (&[9.0], 0.4)]);
        let (near, far) = (11f64.ln() - 9f64.ln(), 11f64.ln() - 8f64.ln());
        let want = (0.4 / near + 0.2 / far) / (1.0 / near + 1.0 / far);
        assert!((curve.blend(&[11.0]) - want).abs() < 1e-12);
        assert_eq!(curve.blend(&[9.0]), 0.4);
    }

    #[test]
    fn beyond_the_range_its_edge_answers() {
        let grid = samples(&[(&[1.0, 1.0], 0.2), (&[1.0, 10.0], 0.4), (&[10.0, 1.0], 0.8)]);
        assert_eq!(grid.blend(&[0.1, 100.0]), 0.4);
        assert_eq!(grid.blend(&[99.0, 0.5]), 0.8);
    }

    #[test]
    fn the_first_of_repeated_points_answers() {
        assert_eq!(samples(&[(&[4.0], 0.6), (&[4.0], 0.7)]).blend(&[4.0]), 0.6);
    }

    #[test]
    fn pruned_walk_finds_what_a_full_sort_finds() {
        let rows: Vec<(Coords, f64)> = (0..300)
            .map(|i: u32| {
                let coord = |prime: u32| f64::from(1 + i * prime % 97);
                ([coord(31), coord(57), coord(83), 0.0], f64::from(i))
            })
            .collect();
        let samples = Samples::new(rows.clone(), 3).unwrap();
        for query in [[3.0, 50.0, 7.0], [96.0, 1.5, 40.0], [20.0, 20.0, 20.0]] {
            let target = samples.target(&query, |place| place.clamp(0.0, 1.0));
            let mut all: Vec<(f64, f64)> = rows
                .iter()
                .map(|(coords, figure)| {
                    let place = samples.target(&coords[..3], |place| place);
                    let sum: f64 = place.iter().zip(&target).map(|(a, b)| (a - b) * (a - b)).sum();
                    (sum.sqrt(), *figure)
                })
                .collect();
            all.sort_by(|a, b| a.0.total_cmp(&b.0));
            let want = (all[0].1 / all[0].0 + all[1].1 / all[1].0) / (1.0 / all[0].0 + 1.0 / all[1].0);
            assert!((samples.blend(&query) / want - 1.0).abs() < 1e-12, "{query:?}");
        }
    }

    #[test]
    fn candidates_are_compared_by_ratio() {
        let of = |x: f64| [x, 1.0, 1.0, 1.0];
        assert_eq!(nearest_candidate(of(90.0), &[of(1.0), of(100.0)]), Some(1));
        assert_eq!(nearest_candidate(of(5.0), &[]), None);
    }
}
