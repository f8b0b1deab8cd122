//! The TTFT strip below the chart.

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters_backend::DrawingBackend;

use super::palette::Palette;
use super::pen::{Anchor, DrawError, Pen, crisp};
use crate::view_model::strip::StripVm;

/// Draws everything but the handle.
pub fn draw<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    strip: &StripVm,
    palette: &Palette,
) -> Result<(), DrawError<DB>> {
    let pen = Pen::new(area);
    let base = crisp(strip.axis_y);
    pen.rect((strip.target_x, 2.0), (strip.plot.1, strip.axis_y), palette.ink, 0.05)?;
    for bar in &strip.bars {
        let right = bar.x + (bar.width - 1.0).max(1.0);
        let alpha = if bar.inside { 1.0 } else { 0.4 };
        pen.rect((bar.x, base - bar.all), (right, base), palette.line_strong, 0.35 * alpha)?;
        pen.rect((bar.x, base - bar.kept), (right, base), palette.line_strong, alpha)?;
    }
    pen.line(&[(strip.plot.0, base), (strip.plot.1, base)], palette.line_strong, 1.0, 1.0)?;
    for (x, label) in &strip.ticks {
        pen.line(&[(crisp(*x), base), (crisp(*x), base + 3.0)], palette.line_strong, 1.0, 1.0)?;
        pen.text(label, (*x, base + 10.0), Anchor::Middle, (11.0, false), palette.muted)?;
    }
    Ok(())
}
