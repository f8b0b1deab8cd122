//! The chart as a sheet that can leave the page.

use engine::format;
use engine::scenario::{Goal, Place};
use engine::view::Point;
use plotters::drawing::IntoDrawingArea;
use plotters::prelude::SVGBackend;

use super::export::provenance;
use super::form::system_name;
use super::frontier::{ChartInput, ChartVm, YAxis};
use super::shown::Shown;
use crate::draw::palette::Palette;
use crate::draw::{UNITS, sheet};

/// Longest line of the footer, characters.
const LINE: usize = 190;

/// What the chart shows: `Qwen3-32B-FP8 · 32 × H100 SXM, TensorRT-LLM · 4,000 in, 500 out`.
pub fn title(shown: &Shown) -> String {
    let scenario = &shown.scenario;
    let tokens = |tokens: u32| format::count(u64::from(tokens));
    let model = scenario.model.rsplit('/').next().unwrap_or_default();
    let home = scenario.home();
    let place = match shown.places.as_slice() {
        [] => name_of(&home),
        [place] => name_of(place),
        places => format!("{} GPUs and engines", places.len()),
    };
    let goal = match scenario.goal {
        Goal::Gpus(gpus) => format!("{gpus} × {place}"),
        Goal::RequestRate(rate) => format!("{} req/s on {place}", format::typed(rate)),
        Goal::Concurrency(requests) => format!("{} in flight on {place}", tokens(requests)),
    };
    let workload = scenario.workload;
    format!("{model} · {goal} · {} tokens in, {} out", tokens(workload.isl), tokens(workload.osl))
}

/// `H100 SXM, TensorRT-LLM`.
fn name_of(place: &Place) -> String {
    format!("{}, {}", system_name(&place.system), place.backend.label())
}

/// Where the figures come from, in lines that fit; without an address the link is left out.
pub fn footer(shown: &Shown, address: &str) -> Vec<String> {
    let facts = provenance(shown, address).into_iter().filter(|(_, value)| !value.is_empty());
    facts
        .flat_map(|(name, value)| {
            let text: Vec<char> = format!("{name}: {value}").chars().collect();
            text.chunks(LINE).map(|part| part.iter().collect::<String>()).collect::<Vec<_>>()
        })
        .collect()
}

/// The chart for a sheet with so many lines below it.
pub fn chart(shown: &Shown, focus: Option<usize>, today: Option<Point>, lines: usize) -> ChartVm {
    ChartVm::new(&ChartInput {
        view: &shown.view,
        scenario: &shown.scenario,
        y: YAxis::PerGpu,
        price: None,
        x_domain: None,
        close_up: false,
        size: sheet::chart_size(lines),
        focus,
        today,
    })
}

/// The sheet as SVG; empty when it cannot be drawn.
pub fn svg(
    shown: &Shown,
    focus: Option<usize>,
    today: Option<Point>,
    palette: &Palette,
    address: &str,
) -> String {
    let foot = footer(shown, address);
    let chart = chart(shown, focus, today, foot.len());
    let units = ((sheet::SIZE.0 * UNITS) as u32, (sheet::SIZE.1 * UNITS) as u32);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, units).into_drawing_area();
        let drawn = sheet::draw(&area, &chart, &title(shown), &foot, palette);
        if drawn.is_err() || area.present().is_err() {
            return String::new();
        }
    }
    // The drawing counts in fractions of a pixel; its size on a page is in pixels.
    let drawn = format!("width=\"{}\" height=\"{}\"", units.0, units.1);
    svg.replace(&drawn, &format!("width=\"{}\" height=\"{}\"", sheet::SIZE.0, sheet::SIZE.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view_model::fixture;

    #[test]
    fn the_sheet_says_what_it_shows_and_where_it_comes_from() {
        let shown = fixture::shown();
        let svg = svg(&shown, None, None, &Palette::LIGHT, "https://example.org/?v=1");
        assert!(
            svg.starts_with("<svg width=\"1200\" height=\"700\" viewBox=\"0 0 9600 5600\""),
            "{}",
            &svg[..200]
        );
        for part in [
            "Qwen3-32B-FP8 · 32 × ",
            "inputs: v=1 model=Qwen/Qwen3-32B-FP8",
            "link: https://example.org/?v=1",
            "data: ",
        ] {
            assert!(svg.contains(part), "{part}");
        }
        assert!(!svg.contains("NaN"));
    }

    #[test]
    fn long_lines_are_broken() {
        let lines = footer(&fixture::shown(), &"x".repeat(400));
        assert!(lines.len() > 4 && lines.iter().all(|line| line.chars().count() <= LINE));
    }
}
