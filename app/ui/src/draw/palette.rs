//! The colours of a chart: the design tokens of the theme that is on.

use plotters::style::RGBColor;

/// The tokens a chart needs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Palette {
    /// Behind everything.
    pub panel: RGBColor,
    /// Grid lines.
    pub line: RGBColor,
    /// Axes.
    pub line_strong: RGBColor,
    /// What the user controls.
    pub ink: RGBColor,
    /// Tick labels and titles.
    pub muted: RGBColor,
    /// Aggregated serving.
    pub agg: RGBColor,
    /// Disaggregated serving, and decode workers.
    pub disagg: RGBColor,
    /// Prefill workers.
    pub prefill: RGBColor,
    /// What misses a target.
    pub bad: RGBColor,
}

/// How many there are.
pub const COLOURS: usize = 9;

impl Palette {
    /// Names of the design tokens, in the order of the fields.
    pub const TOKENS: [&'static str; COLOURS] =
        ["--panel", "--line", "--line-strong", "--ink", "--muted", "--agg", "--disagg", "--prefill", "--bad"];

    /// From the colours of the tokens, in the order of [`Palette::TOKENS`].
    pub const fn from_colours(colours: [RGBColor; COLOURS]) -> Self {
        let [panel, line, line_strong, ink, muted, agg, disagg, prefill, bad] = colours;
        Self { panel, line, line_strong, ink, muted, agg, disagg, prefill, bad }
    }

    /// The light theme.
    pub const LIGHT: Self = Self::from_colours([
        RGBColor(0xff, 0xff, 0xff),
        RGBColor(0xdf, 0xe3, 0xe8),
        RGBColor(0x8b, 0x93, 0xa0),
        RGBColor(0x14, 0x17, 0x1c),
        RGBColor(0x54, 0x5c, 0x69),
        RGBColor(0xc4, 0x50, 0x0a),
        RGBColor(0x0a, 0x6a, 0xa6),
        RGBColor(0x8a, 0x3d, 0x9c),
        RGBColor(0xb3, 0x26, 0x1e),
    ]);
}

/// Reads `#rgb` or `#rrggbb`.
pub fn hex(text: &str) -> Option<RGBColor> {
    let digits = text.trim().strip_prefix('#')?;
    let channel = |at: usize, len: usize| {
        let part = digits.get(at..at + len)?;
        let value = u8::from_str_radix(part, 16).ok()?;
        Some(if len == 1 { value * 17 } else { value })
    };
    match digits.len() {
        3 => Some(RGBColor(channel(0, 1)?, channel(1, 1)?, channel(2, 1)?)),
        6 => Some(RGBColor(channel(0, 2)?, channel(2, 2)?, channel(4, 2)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_read() {
        assert_eq!(hex(" #0a63c2"), Some(RGBColor(0x0a, 0x63, 0xc2)));
        assert_eq!(hex("#fff"), Some(RGBColor(255, 255, 255)));
        assert_eq!(hex("red"), None);
        assert_eq!(hex("#ä12"), None);
    }

    #[test]
    fn the_light_theme_is_the_style_sheet_s() {
        let css = include_str!("../../style.css");
        let light = css.split("data-theme=\"light\"").nth(1).expect("a light theme");
        let token = |name: &str| {
            let at = light.find(&format!("{name}: ")).expect(name) + name.len() + 2;
            light[at..].split(';').next().and_then(hex).expect(name)
        };
        let colours = Palette::TOKENS.map(token);
        assert_eq!(Palette::from_colours(colours), Palette::LIGHT);
    }
}
