//! The frontier chart.

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters_backend::DrawingBackend;

use super::palette::Palette;
use super::pen::{Anchor, DrawError, Pen, crisp};
use crate::view_model::frontier::{ChartVm, Mark, Plot, Tone};

const TICK: (f64, bool) = (11.5, false);
const TITLE: (f64, bool) = (12.0, false);

/// Draws everything but the handles, which are elements of the page.
pub fn draw<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    chart: &ChartVm,
    palette: &Palette,
) -> Result<(), DrawError<DB>> {
    let pen = Pen::new(area);
    let plot = chart.plot;
    axes(&pen, chart, palette)?;
    if let Some(x) = chart.slo_x.filter(|&x| x > plot.left) {
        pen.rect((plot.left, plot.top), (x, plot.bottom), palette.ink, 0.05)?;
    }
    for line in &chart.lines {
        let colour = if line.disagg { palette.disagg } else { palette.agg };
        for part in clipped(&line.path, &plot) {
            pen.line(&part, colour, 0.55, 1.6)?;
        }
    }
    // Smaller charts have smaller marks, or the frontier becomes a caterpillar.
    let scale = if chart.size.0 < 520.0 { 0.75 } else { 1.0 };
    for mark in &chart.marks {
        draw_mark(&pen, mark, scale, palette)?;
    }
    if let Some(centre) = chart.focus {
        pen.ring(centre, 11.0 * scale, palette.ink, 1.6)?;
    }
    if let Some(place) = chart.today {
        pen.diamond(place, 9.0 * scale, palette.panel)?;
        pen.diamond(place, 7.0 * scale, palette.ink)?;
        pen.text("today", (place.0, place.1 + 17.0), Anchor::Middle, TICK, palette.ink)?;
    }
    for label in &chart.labels {
        let colour = if label.disagg { palette.disagg } else { palette.agg };
        pen.text(&label.text, (label.x, label.y), Anchor::Start, TICK, colour)?;
    }
    Ok(())
}

fn axes<DB: DrawingBackend>(
    pen: &Pen<'_, DB>,
    chart: &ChartVm,
    palette: &Palette,
) -> Result<(), DrawError<DB>> {
    let plot = chart.plot;
    // In high contrast a line is as strong as ink; a grid must not be.
    let grid = if palette.line == palette.line_strong { 0.3 } else { 1.0 };
    for (y, label) in &chart.y_ticks {
        let y = crisp(*y);
        pen.line(&[(plot.left, y), (plot.right, y)], palette.line, grid, 1.0)?;
        pen.text(label, (plot.left - 8.0, y), Anchor::End, TICK, palette.muted)?;
    }
    let base = crisp(plot.bottom);
    pen.line(&[(plot.left, base), (plot.right, base)], palette.line_strong, 1.0, 1.0)?;
    for (x, label) in &chart.x_ticks {
        pen.line(&[(crisp(*x), base), (crisp(*x), base + 4.0)], palette.line_strong, 1.0, 1.0)?;
        pen.text(label, (*x, base + 13.0), Anchor::Middle, TICK, palette.muted)?;
    }
    // On a phone the axes are named by the text around the chart.
    if chart.size.1 - plot.bottom > 30.0 {
        pen.text(
            &chart.x_title,
            (f64::midpoint(plot.left, plot.right), base + 33.0),
            Anchor::Middle,
            TITLE,
            palette.muted,
        )?;
    }
    pen.text(&chart.y_title, (plot.left, plot.top - 16.0), Anchor::Start, TITLE, palette.muted)
}

fn draw_mark<DB: DrawingBackend>(
    pen: &Pen<'_, DB>,
    mark: &Mark,
    scale: f64,
    palette: &Palette,
) -> Result<(), DrawError<DB>> {
    let colour = if mark.disagg { palette.disagg } else { palette.agg };
    let (colour, alpha, size) = match mark.tone {
        Tone::Faint => (palette.line_strong, 0.28, 0.55),
        Tone::Cloud => (colour, 0.24, 0.55),
        Tone::Beyond => (colour, 0.4, 1.0),
        Tone::Frontier => (colour, 1.0, 1.0),
    };
    let size = size * scale;
    let place = (mark.x, mark.y);
    // A rim in the colour of the panel keeps neighbours apart.
    let rim = mark.tone == Tone::Frontier;
    if mark.disagg {
        if rim {
            pen.triangle((mark.x, mark.y - 0.2), 7.6 * scale, palette.panel, 1.0)?;
        }
        pen.triangle(place, 6.0 * size, colour, alpha)
    } else {
        if rim {
            pen.disc(place, 5.2 * scale, palette.panel, 1.0)?;
        }
        pen.disc(place, 4.2 * size, colour, alpha)
    }
}

/// The parts of a line inside the plot: under a zoom it leaves the plot at its sides.
fn clipped(path: &[(f64, f64)], plot: &Plot) -> Vec<Vec<(f64, f64)>> {
    let inside = |&(x, _): &(f64, f64)| (plot.left..=plot.right).contains(&x);
    let mut parts: Vec<Vec<(f64, f64)>> = vec![Vec::new()];
    for pair in path.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        let (from, to) = (cut(a, b, plot), cut(b, a, plot));
        match (from, to) {
            (Some(from), Some(to)) => {
                if let Some(part) = parts.last_mut() {
                    if part.is_empty() {
                        part.push(from);
                    }
                    part.push(to);
                }
                if !inside(&b) {
                    parts.push(Vec::new());
                }
            }
            _ => parts.push(Vec::new()),
        }
    }
    let clamp = |(x, y): (f64, f64)| (x, y.clamp(plot.top - 4.0, plot.bottom));
    parts
        .into_iter()
        .filter(|part| part.len() > 1)
        .map(|part| part.into_iter().map(clamp).collect())
        .collect()
}

/// `a`, moved along the line to `b` until it is inside the sides of the plot.
fn cut(a: (f64, f64), b: (f64, f64), plot: &Plot) -> Option<(f64, f64)> {
    let edge = a.0.clamp(plot.left, plot.right);
    if edge == a.0 {
        return Some(a);
    }
    let share = (edge - a.0) / (b.0 - a.0);
    (0.0..=1.0).contains(&share).then_some((edge, a.1 + share * (b.1 - a.1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLOT: Plot = Plot { left: 0.0, top: 0.0, right: 10.0, bottom: 10.0 };

    #[test]
    fn lines_are_cut_at_the_sides() {
        let parts = clipped(&[(-5.0, 0.0), (5.0, 10.0), (15.0, 0.0)], &PLOT);
        assert_eq!(parts, [vec![(0.0, 5.0), (5.0, 10.0), (10.0, 5.0)]]);
        assert!(clipped(&[(-5.0, 0.0), (-1.0, 10.0)], &PLOT).is_empty());
        assert_eq!(clipped(&[(-5.0, 4.0), (15.0, 4.0)], &PLOT), [vec![(0.0, 4.0), (10.0, 4.0)]]);
    }
}
