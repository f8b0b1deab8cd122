//! From samples to lines of pixels: at most four corners in a column, whatever the number of samples.

use engine::cluster::Sample;

use crate::view_model::scale::{Linear, log_ticks, tick_label, ticks};

/// Corners, in CSS pixels.
pub type Path = Vec<(f64, f64)>;

/// A range this wide is drawn on a logarithmic axis.
const WIDE: f64 = 20.0;

/// The vertical axis of a lane.
pub(super) struct Scale {
    linear: Linear,
    log: bool,
    range: (f64, f64),
    high: f64,
    whole: bool,
}

impl Scale {
    /// For values of a range, from the smallest positive one; `may_log` allows a logarithmic axis.
    pub(super) fn new(may_log: bool, whole: bool, (low, high): (f64, f64), pixels: (f64, f64)) -> Self {
        let log = may_log && low > 0.0 && low.is_finite() && high / low > WIDE;
        let range =
            if log { (low * 0.8, high * 1.25) } else { (0.0, if high > 0.0 { high * 1.08 } else { 1.0 }) };
        let domain = if log { (range.0.ln(), range.1.ln()) } else { range };
        Self { linear: Linear::new(domain, pixels), log, range, high, whole }
    }

    /// The pixel of a value.
    pub(super) fn px(&self, value: f64) -> f64 {
        let value = if self.log { value.max(self.range.0).ln() } else { value.max(0.0) };
        self.linear.px(value)
    }

    /// Ticks that fit into a height.
    pub(super) fn ticks(&self, height: f64) -> Vec<(f64, String)> {
        if self.whole {
            // Nothing, and the most there was.
            let at = [0.0, self.high.floor().max(1.0)];
            return at.iter().map(|&value| (self.px(value), tick_label(value, 1.0))).collect();
        }
        let most = (height / 22.0).max(2.0) as usize;
        let at = if self.log { log_ticks(self.range, most) } else { ticks(self.range, most) };
        let every = at.len().div_ceil(most + 1).max(1);
        let step = at.get(1).zip(at.first()).map_or(1.0, |(b, a)| b - a);
        at.into_iter()
            .step_by(every)
            .map(|value| (self.px(value), short(value, if self.log { value } else { step })))
            .collect()
    }
}

/// A tick that fits beside the axis: thousands of thousands as `500k`.
fn short(value: f64, step: f64) -> String {
    if value < 100_000.0 {
        tick_label(value, step)
    } else {
        format!("{}k", tick_label(value / 1e3, step / 1e3))
    }
}

/// What fell into one column of pixels.
struct Column {
    at: i64,
    first: (f64, f64),
    last: (f64, f64),
    low: f64,
    high: f64,
    several: bool,
}

/// Lines through the known values of a series; where it is unknown, or nothing was sampled, they end.
pub(super) fn trace(
    samples: &[Sample],
    pick: fn(&Sample) -> Option<f64>,
    time: &Linear,
    scale: &Scale,
    gap_ms: u64,
    steps: bool,
) -> Vec<Path> {
    let mut out: Vec<Path> = Vec::new();
    let mut path = Path::new();
    let mut column: Option<Column> = None;
    let mut before = None::<u64>;
    let left = time.px(time.domain().0);
    for sample in samples {
        let apart = before.is_some_and(|before| sample.at_ms.saturating_sub(before) > gap_ms);
        let value = pick(sample).filter(|value| value.is_finite());
        if apart || value.is_none() {
            flush(&mut path, column.take().as_ref(), steps);
            finish(&mut out, &mut path);
        }
        before = Some(sample.at_ms);
        let Some(value) = value else { continue };
        let x = time.px(sample.at_ms as f64);
        // The sample before the window only lends its value.
        if x < left && !steps {
            continue;
        }
        let (x, y) = (x.max(left), scale.px(value));
        match &mut column {
            Some(open) if open.at == x.floor() as i64 => {
                open.last = (x, y);
                (open.low, open.high) = (open.low.min(y), open.high.max(y));
                open.several = true;
            }
            _ => {
                flush(&mut path, column.take().as_ref(), steps);
                let at = x.floor() as i64;
                column = Some(Column { at, first: (x, y), last: (x, y), low: y, high: y, several: false });
            }
        }
    }
    flush(&mut path, column.as_ref(), steps);
    finish(&mut out, &mut path);
    out
}

fn flush(path: &mut Path, column: Option<&Column>, steps: bool) {
    let Some(&Column { first, last, low, high, several, .. }) = column else { return };
    if let (true, Some(&(_, y))) = (steps, path.last()) {
        push(path, (first.0, y));
    }
    push(path, first);
    if several {
        if low != high {
            let middle = f64::midpoint(first.0, last.0);
            push(path, (middle, low));
            push(path, (middle, high));
        }
        push(path, last);
    }
}

fn push(path: &mut Path, corner: (f64, f64)) {
    // A level run needs its ends alone.
    let level = matches!(path.as_slice(), [.., one, two] if one.1 == two.1 && two.1 == corner.1);
    match path.last_mut() {
        Some(end) if level => *end = corner,
        _ => path.push(corner),
    }
}

/// A single moment between two gaps is still to be seen.
fn finish(out: &mut Vec<Path>, path: &mut Path) {
    if let [(x, y)] = path.as_slice() {
        *path = vec![(x - 1.0, *y), (x + 1.0, *y)];
    }
    if !path.is_empty() {
        out.push(std::mem::take(path));
    }
}

/// The area between a line and the base.
pub(super) fn area(path: &[(f64, f64)], base: f64) -> Path {
    let mut corners = path.to_vec();
    corners.extend(path.last().map(|&(x, _)| (x, base)));
    corners.extend(path.first().map(|&(x, _)| (x, base)));
    corners
}

/// The areas between a line and a limit where it is above.
pub(super) fn above(path: &[(f64, f64)], limit: f64) -> Vec<Path> {
    let mut out = Vec::new();
    let mut part = Path::new();
    let mut before = None::<(f64, f64)>;
    for &(x, y) in path {
        if let Some((from_x, from_y)) = before
            && (from_y < limit) != (y < limit)
        {
            let share = (limit - from_y) / (y - from_y);
            part.push((from_x + share * (x - from_x), limit));
        }
        if y < limit {
            if part.is_empty() {
                part.push((x, limit));
            }
            part.push((x, y));
        } else if part.len() > 1 {
            out.push(std::mem::take(&mut part));
        } else {
            part.clear();
        }
        before = Some((x, y));
    }
    if part.len() > 1 {
        part.extend(before.map(|(x, _)| (x, limit)));
        out.push(part);
    }
    out
}
