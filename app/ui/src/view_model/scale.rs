//! Scales and ticks.

/// A straight map from a domain to pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Linear {
    domain: (f64, f64),
    range: (f64, f64),
}

impl Linear {
    /// Maps `domain` to `range`; an empty domain is widened, so that the map can be inverted.
    pub fn new(domain: (f64, f64), range: (f64, f64)) -> Self {
        let (low, high) = domain;
        let high = if high - low > f64::EPSILON { high } else { low + 1.0 };
        Self { domain: (low, high), range }
    }

    /// Pixels of a value.
    pub fn px(&self, value: f64) -> f64 {
        let share = (value - self.domain.0) / (self.domain.1 - self.domain.0);
        self.range.0 + share * (self.range.1 - self.range.0)
    }

    /// The value at a pixel.
    pub fn value(&self, px: f64) -> f64 {
        let share = (px - self.range.0) / (self.range.1 - self.range.0);
        self.domain.0 + share * (self.domain.1 - self.domain.0)
    }

    /// The domain.
    pub fn domain(&self) -> (f64, f64) {
        self.domain
    }
}

/// Round values that divide `domain` into about `count` steps, both ends included where they are round.
pub fn ticks(domain: (f64, f64), count: usize) -> Vec<f64> {
    let (low, high) = domain;
    let span = high - low;
    if !span.is_finite() || span <= 0.0 {
        return Vec::new();
    }
    let step = nice_step(span / count.max(1) as f64);
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last).map(|k| k as f64 * step).collect()
}

/// The nearest of 1, 2, 2.5, 5 × 10^k that is not below `raw`.
pub fn nice_step(raw: f64) -> f64 {
    let power = 10f64.powf(raw.log10().floor());
    let share = raw / power;
    let step = [1.0, 2.0, 2.5, 5.0].into_iter().find(|&s| share <= s + 1e-9).unwrap_or(10.0);
    step * power
}

/// 1, 2, 5 × 10^k inside `domain`, thinned to decades where they would crowd.
pub fn log_ticks(domain: (f64, f64), at_most: usize) -> Vec<f64> {
    let (low, high) = domain;
    if !(low > 0.0 && high > low && high.is_finite()) {
        return Vec::new();
    }
    let exponents = (low.log10().floor() as i32)..=(high.log10().ceil() as i32);
    let pick = |steps: &[f64]| -> Vec<f64> {
        exponents
            .clone()
            .flat_map(|e| steps.iter().map(move |s| s * 10f64.powi(e)))
            .filter(|v| (low * 0.999..=high * 1.001).contains(v))
            .collect()
    };
    let all = pick(&[1.0, 2.0, 5.0]);
    if all.len() <= at_most { all } else { pick(&[1.0]) }
}

/// A tick as text: as many decimals as its step needs.
pub fn tick_label(value: f64, step: f64) -> String {
    let decimals =
        (0..4).find(|&d| ((step * 10f64.powi(d)).round() - step * 10f64.powi(d)).abs() < 1e-6).unwrap_or(4);
    if decimals == 0 {
        engine::format::count(value.max(0.0).round() as u64)
    } else {
        format!("{value:.*}", decimals as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_inverts() {
        let scale = Linear::new((0.0, 250.0), (64.0, 802.0));
        assert!((scale.value(scale.px(33.3)) - 33.3).abs() < 1e-9);
        assert_eq!(Linear::new((3.0, 3.0), (0.0, 10.0)).px(3.0), 0.0);
    }

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks((0.0, 800.0), 4), [0.0, 200.0, 400.0, 600.0, 800.0]);
        assert_eq!(ticks((0.0, 1.0), 4), [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(ticks((5.0, 5.0), 4), Vec::<f64>::new());
        assert_eq!(ticks((0.0, f64::NAN), 4), Vec::<f64>::new());
    }

    #[test]
    fn log_ticks_thin_out() {
        assert_eq!(log_ticks((90.0, 1100.0), 9), [100.0, 200.0, 500.0, 1000.0]);
        assert_eq!(log_ticks((1.0, 1e6), 8).len(), 7);
        assert!(log_ticks((0.0, 5.0), 8).is_empty());
    }

    #[test]
    fn labels_have_the_decimals_of_their_step() {
        assert_eq!(tick_label(1200.0, 200.0), "1,200");
        assert_eq!(tick_label(0.25, 0.25), "0.25");
        assert_eq!(tick_label(2.5, 2.5), "2.5");
    }
}
