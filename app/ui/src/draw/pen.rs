//! A pen that speaks CSS pixels on top of a plotters drawing area that counts in fractions of them.

use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind};
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontFamily, FontStyle, IntoFont, RGBColor, ShapeStyle, TextStyle};
use plotters_backend::DrawingBackend;

/// Backend units per CSS pixel: plotters counts in whole units, and a stroke of 1.5 pixels has to be possible.
pub const UNITS: f64 = 8.0;

/// Why a chart could not be drawn.
pub type DrawError<DB> = DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>;

const FONT: &str = "system-ui, \"Segoe UI\", Roboto, \"Helvetica Neue\", \"DejaVu Sans\", sans-serif";

/// Where a text is held.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    /// Left end.
    Start,
    /// Middle.
    Middle,
    /// Right end.
    End,
}

/// Draws in CSS pixels.
pub(super) struct Pen<'a, DB: DrawingBackend> {
    area: &'a DrawingArea<DB, Shift>,
}

fn unit(px: f64) -> i32 {
    (px * UNITS).round().clamp(-1e8, 1e8) as i32
}

fn at((x, y): (f64, f64)) -> (i32, i32) {
    (unit(x), unit(y))
}

fn stroke(colour: RGBColor, alpha: f64, width: f64) -> ShapeStyle {
    ShapeStyle { color: colour.mix(alpha), filled: false, stroke_width: unit(width).max(1) as u32 }
}

fn fill(colour: RGBColor, alpha: f64) -> ShapeStyle {
    ShapeStyle { color: colour.mix(alpha), filled: true, stroke_width: 0 }
}

/// The middle of a pixel, where a hairline is sharp.
pub(super) fn crisp(px: f64) -> f64 {
    px.floor() + 0.5
}

/// Lengths of a dash and of the space behind it, CSS pixels.
const DASH: (f64, f64) = (5.0, 3.5);

/// The dashes of a line.
fn dashes(path: &[(f64, f64)]) -> Vec<Vec<(f64, f64)>> {
    let mut out = Vec::new();
    let mut dash: Vec<(f64, f64)> = path.first().copied().into_iter().collect();
    let (mut on, mut left) = (true, DASH.0);
    for pair in path.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        let mut length = (to.0 - from.0).hypot(to.1 - from.1);
        while length > left {
            let share = left / length;
            from = (from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1));
            length -= left;
            if on {
                dash.push(from);
                out.push(std::mem::take(&mut dash));
            } else {
                dash = vec![from];
            }
            on = !on;
            left = if on { DASH.0 } else { DASH.1 };
        }
        left -= length;
        if on {
            dash.push(to);
        }
    }
    if dash.len() > 1 {
        out.push(dash);
    }
    out
}

impl<'a, DB: DrawingBackend> Pen<'a, DB> {
    pub(super) fn new(area: &'a DrawingArea<DB, Shift>) -> Self {
        Self { area }
    }

    pub(super) fn line(
        &self,
        path: &[(f64, f64)],
        colour: RGBColor,
        alpha: f64,
        width: f64,
    ) -> Result<(), DrawError<DB>> {
        if path.len() < 2 {
            return Ok(());
        }
        let points: Vec<(i32, i32)> = path.iter().copied().map(at).collect();
        self.area.draw(&PathElement::new(points, stroke(colour, alpha, width)))
    }

    /// A line in dashes; each goes on around corners.
    pub(super) fn dashed(
        &self,
        path: &[(f64, f64)],
        colour: RGBColor,
        width: f64,
    ) -> Result<(), DrawError<DB>> {
        for dash in dashes(path) {
            self.line(&dash, colour, 1.0, width)?;
        }
        Ok(())
    }

    pub(super) fn polygon(
        &self,
        corners: &[(f64, f64)],
        colour: RGBColor,
        alpha: f64,
    ) -> Result<(), DrawError<DB>> {
        if corners.len() < 3 {
            return Ok(());
        }
        let corners: Vec<(i32, i32)> = corners.iter().copied().map(at).collect();
        self.area.draw(&Polygon::new(corners, fill(colour, alpha)))
    }

    pub(super) fn rect(
        &self,
        from: (f64, f64),
        to: (f64, f64),
        colour: RGBColor,
        alpha: f64,
    ) -> Result<(), DrawError<DB>> {
        self.area.draw(&Rectangle::new([at(from), at(to)], fill(colour, alpha)))
    }

    pub(super) fn disc(
        &self,
        centre: (f64, f64),
        radius: f64,
        colour: RGBColor,
        alpha: f64,
    ) -> Result<(), DrawError<DB>> {
        self.area.draw(&Circle::new(at(centre), unit(radius), fill(colour, alpha)))
    }

    pub(super) fn ring(
        &self,
        centre: (f64, f64),
        radius: f64,
        colour: RGBColor,
        width: f64,
    ) -> Result<(), DrawError<DB>> {
        self.area.draw(&Circle::new(at(centre), unit(radius), stroke(colour, 1.0, width)))
    }

    pub(super) fn triangle(
        &self,
        (x, y): (f64, f64),
        size: f64,
        colour: RGBColor,
        alpha: f64,
    ) -> Result<(), DrawError<DB>> {
        let corners = [(x, y - size), (x + size * 0.9, y + size * 0.68), (x - size * 0.9, y + size * 0.68)];
        self.area.draw(&Polygon::new(corners.map(at).to_vec(), fill(colour, alpha)))
    }

    pub(super) fn diamond(
        &self,
        (x, y): (f64, f64),
        size: f64,
        colour: RGBColor,
    ) -> Result<(), DrawError<DB>> {
        let corners = [(x, y - size), (x + size, y), (x, y + size), (x - size, y)];
        self.area.draw(&Polygon::new(corners.map(at).to_vec(), fill(colour, 1.0)))
    }

    pub(super) fn text(
        &self,
        text: &str,
        place: (f64, f64),
        anchor: Anchor,
        (size, bold): (f64, bool),
        colour: RGBColor,
    ) -> Result<(), DrawError<DB>> {
        let horizontal = match anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        let font = (FontFamily::Name(FONT), unit(size)).into_font();
        let font = if bold { font.style(FontStyle::Bold) } else { font };
        let style: TextStyle<'_> =
            TextStyle::from(font).color(&colour).pos(Pos::new(horizontal, VPos::Center));
        self.area.draw(&Text::new(text, at(place), style))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_go_on_around_corners() {
        let all = dashes(&[(0.0, 0.0), (10.0, 0.0), (10.0, 4.0)]);
        assert_eq!(all[0], [(0.0, 0.0), (5.0, 0.0)]);
        assert_eq!(all[1], [(8.5, 0.0), (10.0, 0.0), (10.0, 3.5)]);
        assert_eq!(all.len(), 2);
        assert!(dashes(&[(1.0, 1.0)]).is_empty() && dashes(&[]).is_empty());
    }
}
