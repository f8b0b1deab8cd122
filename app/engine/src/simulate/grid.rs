//! A table of milliseconds over two counts, linear between its points and beyond them.

use serde::{Deserialize, Serialize};

/// Milliseconds over two axes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    xs: Vec<f64>,
    ys: Vec<f64>,
    /// Row by row: `ms[y * xs.len() + x]`.
    ms: Vec<f64>,
}

impl Grid {
    /// Asks `ms` at every point. The axes ascend and have at least two points each; none otherwise, or when a figure is
    /// missing.
    pub fn new<E>(
        xs: &[f64],
        ys: &[f64],
        mut ms: impl FnMut(f64, f64) -> Result<f64, E>,
    ) -> Result<Option<Self>, E> {
        let ascends = |axis: &[f64]| axis.len() > 1 && axis.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascends(xs) || !ascends(ys) {
            return Ok(None);
        }
        let mut all = Vec::with_capacity(xs.len() * ys.len());
        for &y in ys {
            for &x in xs {
                all.push(ms(x, y)?);
            }
        }
        let sound = all.iter().all(|ms| ms.is_finite() && *ms >= 0.0);
        Ok(sound.then(|| Self { xs: xs.to_vec(), ys: ys.to_vec(), ms: all }))
    }

    /// Whether the table is complete: what comes from elsewhere is checked before it is used.
    pub fn is_sound(&self) -> bool {
        let ascends = |axis: &[f64]| axis.len() > 1 && axis.windows(2).all(|pair| pair[0] < pair[1]);
        ascends(&self.xs)
            && ascends(&self.ys)
            && self.ms.len() == self.xs.len() * self.ys.len()
            && self.ms.iter().all(|ms| ms.is_finite() && *ms >= 0.0)
    }

    /// Milliseconds at a point, never below 0.
    pub fn at(&self, x: f64, y: f64) -> f64 {
        let (i, u) = place(&self.xs, x);
        let (j, v) = place(&self.ys, y);
        let row = |j: usize| {
            let at = j * self.xs.len() + i;
            self.ms[at] + u * (self.ms[at + 1] - self.ms[at])
        };
        let (low, high) = (row(j), row(j + 1));
        (low + v * (high - low)).max(0.0)
    }
}

/// The cell of an axis that a value belongs to, and where in it; outside of 0 to 1 beyond the ends.
fn place(axis: &[f64], value: f64) -> (usize, f64) {
    let last = axis.len() - 2;
    let cell = axis.partition_point(|&at| at <= value).saturating_sub(1).min(last);
    (cell, (value - axis[cell]) / (axis[cell + 1] - axis[cell]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_affine_surface_is_met_everywhere() {
        let plane = |x: f64, y: f64| Ok::<_, ()>(3.0 + 0.5 * x + 0.25 * y);
        let grid = Grid::new(&[1.0, 4.0, 16.0], &[0.0, 100.0], plane).unwrap().unwrap();
        for (x, y) in [(1.0, 0.0), (2.5, 50.0), (16.0, 100.0), (64.0, 400.0), (0.5, -3.0)] {
            assert!((grid.at(x, y) - (3.0 + 0.5 * x + 0.25 * y)).abs() < 1e-12, "{x} {y}");
        }
        assert!(grid.is_sound());
    }

    #[test]
    fn a_broken_table_is_refused() {
        let flat = |_, _| Ok::<_, ()>(1.0);
        assert_eq!(Grid::new(&[1.0], &[1.0, 2.0], flat), Ok(None));
        assert_eq!(Grid::new(&[2.0, 1.0], &[1.0, 2.0], flat), Ok(None));
        assert_eq!(Grid::new(&[1.0, 2.0], &[1.0, 2.0], |_, _| Ok::<_, ()>(f64::NAN)), Ok(None));
        assert_eq!(Grid::new(&[1.0, 2.0], &[1.0, 2.0], |_, _| Err(7)), Err(7));
    }
}
