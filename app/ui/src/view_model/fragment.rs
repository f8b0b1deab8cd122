//! What is looked at: screen and selected point, kept in the fragment of the address.

/// A screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Screen {
    /// Chart, best card and table.
    #[default]
    Explore,
    /// The manifest.
    Export,
    /// Traffic replayed under the planner.
    Replay,
    /// The running cluster.
    Live,
    /// Which models answer where.
    Coverage,
}

impl Screen {
    /// Screens in the order of their tabs.
    pub const ALL: [Self; 5] = [Self::Explore, Self::Export, Self::Replay, Self::Live, Self::Coverage];

    /// Name of the tab.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Explore => "Explore",
            Self::Export => "Export",
            Self::Replay => "Replay",
            Self::Live => "Live",
            Self::Coverage => "Coverage",
        }
    }

    /// Name in the address.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Explore => "explore",
            Self::Export => "export",
            Self::Replay => "replay",
            Self::Live => "live",
            Self::Coverage => "coverage",
        }
    }
}

/// What is looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fragment {
    /// The screen.
    pub screen: Screen,
    /// Name of a tab of the screen; none is the first.
    pub tab: Option<String>,
    /// Name of the selected point; none follows the best.
    pub point: Option<String>,
    /// Name of the deployment that runs today.
    pub today: Option<String>,
}

impl Fragment {
    /// Reads a fragment, with or without `#`; anything unknown is ignored.
    pub fn parse(text: &str) -> Self {
        let text = text.strip_prefix('#').unwrap_or(text);
        let (text, today) = text.split_once('~').map_or((text, None), |(text, today)| (text, Some(today)));
        let (place, point) = text.split_once(':').map_or((text, None), |(place, point)| (place, Some(point)));
        let (word, tab) = place.split_once('.').map_or((place, None), |(word, tab)| (word, Some(tab)));
        let screen = Screen::ALL.into_iter().find(|screen| screen.word() == word).unwrap_or_default();
        let legal = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
        let named = |text: &&str| !text.is_empty() && text.chars().all(legal);
        let name = |text: Option<&str>| text.filter(named).map(str::to_owned);
        Self { screen, tab: name(tab), point: name(point), today: name(today) }
    }

    /// Writes it, with `#`; empty when there is nothing to say.
    pub fn write(&self) -> String {
        let tab = self.tab.as_ref().map_or_else(String::new, |tab| format!(".{tab}"));
        let point = self.point.as_ref().map_or_else(String::new, |point| format!(":{point}"));
        let today = self.today.as_ref().map_or_else(String::new, |today| format!("~{today}"));
        if *self == Self::default() {
            return String::new();
        }
        format!("#{}{tab}{point}{today}", self.screen.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_come_back() {
        for screen in Screen::ALL {
            for point in [None, Some("d10.tp2.b1-12.tp1.b64".to_owned())] {
                let fragment = Fragment { screen, tab: None, point, today: None };
                assert_eq!(Fragment::parse(&fragment.write()), fragment);
                let fragment = Fragment { screen: Screen::Export, tab: Some("llm-d".to_owned()), ..fragment };
                assert_eq!(Fragment::parse(&fragment.write()), fragment);
                let today = Some("a8.tp4.b80.c4000.vllm.h100-sxm".to_owned());
                let fragment = Fragment { today, ..fragment };
                assert_eq!(Fragment::parse(&fragment.write()), fragment);
            }
        }
    }

    #[test]
    fn nonsense_is_ignored() {
        assert_eq!(Fragment::parse("#<b>:\"x\""), Fragment::default());
        assert_eq!(Fragment::parse(""), Fragment::default());
    }
}
