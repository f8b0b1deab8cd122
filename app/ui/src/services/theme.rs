//! The theme: light, dark, high contrast, or as the system says; remembered in the browser.

use gloo::events::EventListener;
use gloo::storage::{LocalStorage, Storage};
use plotters::style::RGBColor;

use crate::draw::palette::{COLOURS, Palette, hex};

const KEY: &str = "configurator.theme";

/// A theme.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Theme {
    /// As the system says.
    #[default]
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
    /// High contrast.
    Contrast,
}

impl Theme {
    pub(crate) const ALL: [Self; 4] = [Self::Auto, Self::Light, Self::Dark, Self::Contrast];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
            Self::Contrast => "contrast",
        }
    }

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Auto => "Auto",
            Self::Light => "Light",
            Self::Dark => "Dark",
            Self::Contrast => "High contrast",
        }
    }

    pub(crate) fn from_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|theme| theme.name() == name).unwrap_or_default()
    }
}

/// The theme chosen on an earlier visit.
pub(crate) fn remembered() -> Theme {
    LocalStorage::get::<String>(KEY).map(|name| Theme::from_name(&name)).unwrap_or_default()
}

/// Puts a theme on and remembers it; a browser that stores nothing only forgets it.
pub(crate) fn apply(theme: Theme) {
    drop(LocalStorage::set(KEY, theme.name()));
    let Some(root) = root() else { return };
    match theme {
        Theme::Auto => drop(root.remove_attribute("data-theme")),
        _ => drop(root.set_attribute("data-theme", theme.name())),
    }
}

fn root() -> Option<web_sys::Element> {
    web_sys::window()?.document()?.document_element()
}

/// Calls `act` when the system changes between light, dark and high contrast.
pub(crate) fn on_system_change(act: impl Fn() + Clone + 'static) {
    let Some(window) = web_sys::window() else { return };
    for query in ["(prefers-color-scheme: dark)", "(prefers-contrast: more)"] {
        if let Ok(Some(list)) = window.match_media(query) {
            let act = act.clone();
            EventListener::new(&list, "change", move |_| act()).forget();
        }
    }
}

/// The colours of the theme that is on.
pub(crate) fn palette() -> Palette {
    computed().map_or(Palette::LIGHT, Palette::from_colours)
}

fn computed() -> Option<[RGBColor; COLOURS]> {
    let style = web_sys::window()?.get_computed_style(&root()?).ok()??;
    let mut colours = [RGBColor(0, 0, 0); COLOURS];
    for (colour, token) in colours.iter_mut().zip(Palette::TOKENS) {
        *colour = hex(&style.get_property_value(token).ok()?)?;
    }
    Some(colours)
}
