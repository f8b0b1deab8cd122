//! The frontier chart as a sheet of paper: a title above, where the figures come from below.

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters_backend::DrawingBackend;

use super::frontier;
use super::palette::Palette;
use super::pen::{Anchor, DrawError, Pen};
use crate::view_model::frontier::ChartVm;

/// Size of the sheet, CSS pixels.
pub const SIZE: (f64, f64) = (1200.0, 700.0);

const HEAD: f64 = 56.0;
const LINE: f64 = 17.0;
const EDGE: f64 = 24.0;
const TITLE: (f64, bool) = (18.0, true);
const TEXT: (f64, bool) = (11.5, false);

/// Room for the chart above so many lines.
pub fn chart_size(lines: usize) -> (f64, f64) {
    (SIZE.0 - 2.0 * EDGE, SIZE.1 - HEAD - EDGE - LINE * lines as f64)
}

/// Draws the sheet; the chart was made for [`chart_size`].
pub fn draw<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    chart: &ChartVm,
    title: &str,
    foot: &[String],
    palette: &Palette,
) -> Result<(), DrawError<DB>> {
    let pen = Pen::new(area);
    pen.rect((0.0, 0.0), SIZE, palette.panel, 1.0)?;
    pen.text(title, (EDGE, HEAD / 2.0), Anchor::Start, TITLE, palette.ink)?;
    let unit = |px: f64| (px * super::UNITS).round() as i32;
    let (width, height) = chart_size(foot.len());
    let below = area.clone().shrink((unit(EDGE), unit(HEAD)), (unit(width), unit(height)));
    frontier::draw(&below, chart, palette)?;
    let first = SIZE.1 - EDGE / 2.0 - LINE * foot.len() as f64 + LINE / 2.0;
    for (at, line) in foot.iter().enumerate() {
        pen.text(line, (EDGE, first + LINE * at as f64), Anchor::Start, TEXT, palette.muted)?;
    }
    Ok(())
}
