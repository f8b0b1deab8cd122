//! Latency over one axis: message sizes, token counts.

use super::grid::{Miss, Reading};

/// A measured curve, keys strictly increasing.
#[derive(Clone, Debug)]
pub struct Curve {
    keys: Vec<u32>,
    values: Vec<f64>,
}

impl Curve {
    /// A curve over these keys; both lists are equally long and not empty.
    pub fn new(keys: Vec<u32>, values: Vec<f64>) -> Option<Self> {
        (!keys.is_empty() && keys.len() == values.len()).then_some(Self { keys, values })
    }

    /// First and last key.
    pub fn range(&self) -> (u32, u32) {
        (self.keys[0], self.keys[self.keys.len() - 1])
    }

    /// The value inside the measured range; `Err` holds the boundary positions on the violated side.
    pub fn inside(&self, x: f64) -> Result<f64, std::ops::Range<usize>> {
        let at = self.keys.partition_point(|&key| f64::from(key) < x);
        let count = self.keys.len();
        if at < count && f64::from(self.keys[at]) == x {
            return Ok(self.values[at]);
        }
        if at == 0 {
            return Err(0..count.min(3));
        }
        if at == count {
            return Err(count.saturating_sub(3)..count);
        }
        let (lo, hi) = (f64::from(self.keys[at - 1]), f64::from(self.keys[at]));
        let (a, b) = (self.values[at - 1], self.values[at]);
        Ok(a + (b - a) * ((x - lo) / (hi - lo)))
    }

    /// Linear inside; outside, the utilisation of the boundary point is held under `sol`.
    pub fn query(&self, x: f64, sol: impl Fn(f64) -> f64) -> Result<Reading, Miss> {
        let outside = match self.inside(x) {
            Ok(value) => {
                return Ok(Reading { value, inside: true });
            }
            Err(outside) => outside,
        };
        let at = if x < f64::from(self.keys[0]) { outside.start } else { outside.end - 1 };
        let (latency, bound, here) = (self.values[at], sol(f64::from(self.keys[at])), sol(x));
        if latency <= 0.0 || bound <= 0.0 || here <= 0.0 {
            return Err(Miss);
        }
        Ok(Reading { value: here / (bound / latency), inside: false })
    }

    /// Key and value at a position.
    pub fn point(&self, at: usize) -> (f64, f64) {
        (f64::from(self.keys[at]), self.values[at])
    }
}
