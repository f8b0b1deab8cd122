//! The companion axis: how the time to first token is distributed, and where its target stands.

use engine::scenario::Scenario;
use engine::view::View;

use super::scale::{Linear, log_ticks, tick_label};

/// Space left and right of the axis, as on the chart above it.
const BARS: usize = 48;

/// A bar of the histogram, in CSS pixels from the top left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    /// Left edge.
    pub x: f64,
    /// Width.
    pub width: f64,
    /// Height of all layouts.
    pub all: f64,
    /// Height of those that meet the other target.
    pub kept: f64,
    /// Whether the target admits it.
    pub inside: bool,
}

/// The strip.
#[derive(Clone, Debug, PartialEq)]
pub struct StripVm {
    /// Width and height.
    pub size: (f64, f64),
    /// Left and right end of the axis.
    pub plot: (f64, f64),
    /// Height of the axis line.
    pub axis_y: f64,
    /// The bars.
    pub bars: Vec<Bar>,
    /// Tick positions and labels.
    pub ticks: Vec<(f64, String)>,
    /// Where the target stands, inside the axis.
    pub target_x: f64,
    scale: Linear,
}

impl StripVm {
    /// Lays the strip out.
    pub fn new(view: &View, scenario: &Scenario, size: (f64, f64), plot: (f64, f64)) -> Self {
        let target = if scenario.sla.ttft_ms > 0.0 { scenario.sla.ttft_ms } else { 1.0 };
        let finite = |ms: f64| ms.is_finite() && ms > 0.0;
        let times = || view.points.iter().filter(|point| finite(point.ttft_ms));
        let low = times().map(|point| point.ttft_ms).fold(target, f64::min) * 0.8;
        let high = times().map(|point| point.ttft_ms).fold(target, f64::max) * 1.25;
        let scale = Linear::new((low.ln(), high.ln()), plot);
        let axis_y = size.1 - 18.0;

        let mut all = [0u32; BARS];
        let mut kept = [0u32; BARS];
        for point in times() {
            let share = (point.ttft_ms.ln() - low.ln()) / (high.ln() - low.ln());
            let bin = ((share * BARS as f64) as usize).min(BARS - 1);
            all[bin] += 1;
            kept[bin] += u32::from(point.meets_itl);
        }
        // Square roots keep the rare bins visible next to the common ones.
        let tallest = f64::from(all.iter().copied().max().unwrap_or(0).max(1)).sqrt();
        let height = |count: u32| (f64::from(count).sqrt() / tallest) * (axis_y - 4.0);
        let width = (plot.1 - plot.0) / BARS as f64;
        let target_x = scale.px(target.ln());
        let bars = (0..BARS)
            .filter(|&bin| all[bin] > 0)
            .map(|bin| {
                let x = plot.0 + bin as f64 * width;
                Bar {
                    x,
                    width,
                    all: height(all[bin]),
                    kept: height(kept[bin]),
                    inside: x + width / 2.0 <= target_x,
                }
            })
            .collect();
        let at_most = ((plot.1 - plot.0) / 60.0) as usize;
        let ticks = log_ticks((low, high), at_most)
            .into_iter()
            .map(|ms| (scale.px(ms.ln()), tick_label(ms, ms)))
            .collect();
        Self { size, plot, axis_y, bars, ticks, target_x, scale }
    }

    /// The TTFT at a pixel, ms.
    pub fn ttft_at(&self, x: f64) -> f64 {
        self.scale.value(x.clamp(self.plot.0, self.plot.1)).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view_model::fixture;

    #[test]
    fn bars_stand_where_their_times_are() {
        let vm = StripVm::new(&fixture::view(), &Scenario::default(), (800.0, 60.0), (60.0, 780.0));
        assert!((60.0..=780.0).contains(&vm.target_x));
        assert!((vm.ttft_at(vm.target_x) - 500.0).abs() < 1e-6);
        assert!(vm.bars.iter().any(|bar| bar.inside) && vm.bars.iter().any(|bar| !bar.inside));
        assert!(vm.bars.iter().all(|bar| bar.kept <= bar.all && bar.all <= vm.axis_y));
    }

    #[test]
    fn an_empty_answer_still_has_an_axis() {
        let vm = StripVm::new(&View::default(), &Scenario::default(), (300.0, 60.0), (40.0, 290.0));
        assert!(vm.bars.is_empty() && vm.target_x.is_finite());
    }
}
