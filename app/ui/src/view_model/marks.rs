//! Which points of a chart are drawn how, and which of them are named.

use engine::order;
use std::collections::BTreeSet;

use engine::scenario::Scenario;
use engine::view::View;

use super::frontier::{Label, Mark, Plot, Tone};

/// Points closer than this cannot be told apart in the cloud.
const CELL: f64 = 3.0;

/// The points inside the plot, faint ones first.
pub(super) fn marks(
    view: &View,
    scenario: &Scenario,
    main: &[usize],
    place: &impl Fn(usize) -> (f64, f64),
    inside: &impl Fn((f64, f64)) -> bool,
) -> Vec<Mark> {
    let frontier: BTreeSet<usize> =
        if view.frontier.is_empty() && view.frontier_agg.is_empty() && view.frontier_disagg.is_empty() {
            BTreeSet::new()
        } else {
            main.iter().copied().collect()
        };
    let mut seen = BTreeSet::new();
    let mut marks = Vec::new();
    for (index, point) in view.points.iter().enumerate() {
        if scenario.sla.strict && !point.meets() {
            continue;
        }
        let at = place(index);
        if !inside(at) {
            continue;
        }
        let tone = match (frontier.contains(&index), point.meets_ttft, point.meets_itl) {
            (true, _, true) => Tone::Frontier,
            (true, _, false) => Tone::Beyond,
            (false, true, _) => Tone::Cloud,
            (false, false, _) => Tone::Faint,
        };
        let disagg = point.is_disagg();
        let cell = ((at.0 / CELL) as i32, (at.1 / CELL) as i32, disagg);
        if tone >= Tone::Beyond || seen.insert(cell) {
            marks.push(Mark { index, x: at.0, y: at.1, disagg, tone });
        }
    }
    order::sort_by_key(&mut marks, |mark| mark.tone);
    marks
}

/// Names of layouts, each where it starts to win along the frontier.
pub(super) fn labels(
    view: &View,
    place: &impl Fn(usize) -> (f64, f64),
    inside: &impl Fn((f64, f64)) -> bool,
    plot: &Plot,
) -> Vec<Label> {
    let mut labels: Vec<(Label, f64)> = Vec::new();
    let mut last = String::new();
    for &at in &view.frontier {
        let point = &view.points[at];
        let text = engine::text::layout_short(point);
        if text == last {
            continue;
        }
        let (px, py) = place(at);
        last.clone_from(&text);
        let width = text.chars().count() as f64 * 6.6;
        // Right of the point, where a falling frontier leaves room; left of it at the edge.
        let x = if px + 10.0 + width < plot.right { px + 10.0 } else { px - 10.0 - width };
        let y = (py - 12.0).max(plot.top + 8.0);
        let free = labels.iter().all(|(other, other_width)| {
            (other.y - y).abs() > 15.0 || x > other.x + other_width + 6.0 || x + width + 6.0 < other.x
        });
        if point.meets() && inside((px, py)) && x > plot.left && free && labels.len() < 7 {
            labels.push((Label { x, y, text, disagg: point.is_disagg() }, width));
        }
    }
    labels.into_iter().map(|(label, _)| label).collect()
}
