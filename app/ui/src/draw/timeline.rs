//! The linked timelines.

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::style::RGBColor;
use plotters_backend::DrawingBackend;

use super::palette::Palette;
use super::pen::{Anchor, DrawError, Pen, crisp};
use crate::view_model::timeline::{Kind, LaneVm, Mark, TimelineVm, Tone};

const TICK: (f64, bool) = (11.0, false);
const NUMBER: (f64, bool) = (11.0, true);

const fn colour(tone: Tone, palette: &Palette) -> RGBColor {
    match tone {
        Tone::Ink => palette.ink,
        Tone::Muted => palette.line_strong,
        Tone::Prefill => palette.prefill,
        Tone::Decode => palette.disagg,
        Tone::Bad => palette.bad,
        Tone::Other => palette.agg,
    }
}

/// Draws everything but titles, values and cursor, which are elements of the page.
pub fn draw<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    timeline: &TimelineVm,
    palette: &Palette,
) -> Result<(), DrawError<DB>> {
    let pen = Pen::new(area);
    // In high contrast a line is as strong as ink; a grid must not be.
    let grid = if palette.line == palette.line_strong { 0.3 } else { 1.0 };
    let (left, right) = timeline.plot;
    let first = timeline.lanes.first().map_or(0.0, |lane| lane.top);
    for (x, label) in &timeline.ticks {
        for lane in &timeline.lanes {
            pen.line(&[(crisp(*x), lane.top), (crisp(*x), lane.bottom)], palette.line, grid, 1.0)?;
        }
        let x_label = x.clamp(left, right - 12.0);
        pen.text(label, (x_label, timeline.axis_y + 12.0), Anchor::Middle, TICK, palette.muted)?;
    }
    for lane in &timeline.lanes {
        draw_lane(&pen, lane, timeline.plot, grid, palette)?;
    }
    let base = crisp(timeline.axis_y);
    pen.line(&[(left, base), (right, base)], palette.line_strong, 1.0, 1.0)?;
    for mark in &timeline.marks {
        let x = crisp(mark.x);
        pen.line(&[(x, first), (x, timeline.marks_y - 9.0)], palette.line_strong, 0.55, 1.0)?;
        draw_mark(&pen, mark, timeline.marks_y, palette)?;
    }
    Ok(())
}

fn draw_lane<DB: DrawingBackend>(
    pen: &Pen<'_, DB>,
    lane: &LaneVm,
    (left, right): (f64, f64),
    grid: f64,
    palette: &Palette,
) -> Result<(), DrawError<DB>> {
    for (y, label) in &lane.ticks {
        pen.line(&[(left, crisp(*y)), (right, crisp(*y))], palette.line, grid, 1.0)?;
        pen.text(label, (left - 7.0, *y), Anchor::End, TICK, palette.muted)?;
    }
    for fill in &lane.fills {
        pen.polygon(&fill.corners, colour(fill.tone, palette), fill.alpha)?;
    }
    let base = crisp(lane.bottom);
    pen.line(&[(left, base), (right, base)], palette.line_strong, 0.7, 1.0)?;
    for line in &lane.lines {
        let colour = colour(line.tone, palette);
        if line.dashed {
            pen.dashed(&line.path, colour, line.width)?;
        } else {
            pen.line(&line.path, colour, 1.0, line.width)?;
        }
    }
    Ok(())
}

fn draw_mark<DB: DrawingBackend>(
    pen: &Pen<'_, DB>,
    mark: &Mark,
    y: f64,
    palette: &Palette,
) -> Result<(), DrawError<DB>> {
    let (x, ink) = (mark.x, palette.ink);
    let place = (x, y - 3.0);
    match mark.kind {
        Kind::Up => pen.triangle(place, 5.6, ink, 1.0)?,
        Kind::Down => pen.triangle(place, -5.6, ink, 1.0)?,
        Kind::Cancelled => {
            pen.line(&[(x - 4.0, y - 7.0), (x + 4.0, y + 1.0)], ink, 1.0, 2.0)?;
            pen.line(&[(x + 4.0, y - 7.0), (x - 4.0, y + 1.0)], ink, 1.0, 2.0)?;
        }
        Kind::Ready => pen.disc(place, 4.2, ink, 1.0)?,
        Kind::Several => pen.diamond(place, 5.6, ink)?,
    }
    pen.text(&mark.number, (x, y + 10.0), Anchor::Middle, NUMBER, palette.muted)
}
