//! The first paint: frontier and best card as static markup, drawn by the same code as the live chart.

use std::fmt::Write as _;

use engine::rows::Rows;
use engine::scenario::Scenario;
use engine::view::View;
use plotters::drawing::IntoDrawingArea;
use plotters::prelude::SVGBackend;
use plotters::style::RGBColor;

use crate::draw::palette::{COLOURS, Palette};
use crate::draw::{self, UNITS};
use crate::view_model::best::BestVm;
use crate::view_model::frontier::{ChartInput, ChartVm, Tone, YAxis};

/// Size of the drawing, CSS pixels.
const SIZE: (u32, u32) = (1000, 430);

/// Colours that stand for the tokens until the drawing is finished: no theme uses them.
const MARKERS: [RGBColor; COLOURS] = [
    RGBColor(1, 2, 250),
    RGBColor(2, 2, 250),
    RGBColor(3, 2, 250),
    RGBColor(4, 2, 250),
    RGBColor(5, 2, 250),
    RGBColor(6, 2, 250),
    RGBColor(7, 2, 250),
    RGBColor(8, 2, 250),
    RGBColor(9, 2, 250),
];

/// Chart and card of an answer, to be put into the page before the application has started.
pub fn prerender(rows: &Rows, scenario: &Scenario) -> String {
    markup(&engine::view::view(rows, scenario), scenario)
}

fn markup(view: &View, scenario: &Scenario) -> String {
    let mut html =
        format!("<div class=\"explore\"><section class=\"panel plot\">{}</section>", svg(view, scenario));
    if let Some(best) = view.best() {
        let card = BestVm::new(best, scenario, None, None);
        html.push_str(
            "<aside class=\"panel best\"><div class=\"eyebrow\"><h2>Best within your SLO</h2></div>",
        );
        // Writing to a String cannot fail.
        let _ = write!(
            html,
            "<p class=\"hero\"><b>{}</b><span>{}</span></p><p class=\"what\">{}, <b>{}</b></p>{}<dl>",
            escape(&card.hero),
            escape(card.unit),
            escape(&card.mode),
            escape(&card.total),
            shape(&card)
        );
        for fact in &card.facts {
            let _ = write!(
                html,
                "<div><dt>{}</dt><dd>{} <i>{}</i></dd></div>",
                escape(fact.term),
                escape(&fact.value),
                escape(&fact.rest)
            );
        }
        html.push_str("</dl></aside>");
    }
    html.push_str("</div>");
    html
}

/// Workers of one replica, as in the live card.
fn shape(card: &BestVm) -> String {
    let rows: Vec<String> = card
        .shape
        .iter()
        .map(|row| {
            let decode = if row.decode { " decode" } else { "" };
            let worker = format!("<i class=\"{}{decode}\"></i>", row.class());
            format!("<div><span>{}</span>{}</div>", escape(row.role), worker.repeat(row.drawn as usize))
        })
        .collect();
    format!(
        "<div class=\"shape\" role=\"img\" aria-label=\"{}\">{}</div>",
        escape(&card.shape_text),
        rows.join("")
    )
}

/// The frontier as SVG, in the colours of whatever theme is on.
fn svg(view: &View, scenario: &Scenario) -> String {
    let mut chart = ChartVm::new(&ChartInput {
        view,
        scenario,
        y: YAxis::PerGpu,
        price: None,
        x_domain: None,
        close_up: false,
        size: (f64::from(SIZE.0), f64::from(SIZE.1)),
        focus: view.picks.first().copied(),
        today: None,
    });
    // The cloud would outweigh the rest of the page.
    chart.marks.retain(|mark| mark.tone >= Tone::Beyond);
    let mut svg = String::new();
    {
        let units = (SIZE.0 * UNITS as u32, SIZE.1 * UNITS as u32);
        let area = SVGBackend::with_string(&mut svg, units).into_drawing_area();
        let palette = Palette::from_colours(MARKERS);
        if draw::frontier::draw(&area, &chart, &palette).is_err() || area.present().is_err() {
            return String::new();
        }
    }
    for (colour, token) in MARKERS.iter().zip(Palette::TOKENS) {
        let RGBColor(r, g, b) = colour;
        svg = svg.replace(&format!("#{r:02X}{g:02X}{b:02X}"), &format!("var({token})"));
    }
    let size = format!("width=\"{}\" height=\"{}\"", SIZE.0 * UNITS as u32, SIZE.1 * UNITS as u32);
    svg.replace(&size, "class=\"first-chart\" role=\"img\" aria-label=\"Frontier of the airline preset\"")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view_model::fixture;

    #[test]
    fn the_first_paint_is_the_chart_in_tokens() {
        let html = markup(&fixture::view(), &Scenario::default());
        assert!(html.contains("<svg class=\"first-chart\""), "{}", &html[..300]);
        assert!(html.contains("var(--disagg)") && html.contains("var(--agg)") && html.contains("var(--ink)"));
        assert!(html.contains("5P (tp2) : 6D (tp1)") && html.contains("<b>744</b>"));
        assert!(!html.contains("02FA"), "a marker colour is left");
        assert!(!html.contains("style="), "inline styles are not allowed by the page's policy");
    }

    #[test]
    fn shapes_are_counted_like_points() {
        let svg = svg(&fixture::view(), &Scenario::default());
        // Two frontier triangles with a rim each; discs: one frontier with a rim, one beyond, and the ring.
        assert_eq!(svg.matches("<polygon").count(), 4);
        assert_eq!(svg.matches("<circle").count(), 4);
        assert!(svg.contains("viewBox=\"0 0 8000 3440\""));
    }

    #[test]
    fn an_empty_answer_has_no_card() {
        assert!(!markup(&View::default(), &Scenario::default()).contains("<aside"));
    }
}
