//! Where the user is today: a deployment of their own beside the frontier.

use engine::gap::gap;
use engine::link::{layout_name, place_suffix};
use engine::point::{Candidate, Layout, Point};
use engine::rows::Rows;
use engine::scenario::Place;
use engine::search::Priced;
use engine::text;

use super::shown::Shown;

/// A deployment that runs today.
#[derive(Clone, Debug, PartialEq)]
pub struct Today {
    /// Its layout; batches are limits.
    pub layout: Layout,
    /// Where it runs.
    pub place: Place,
}

impl Today {
    /// Its name in an address.
    pub fn name(&self) -> String {
        layout_name(&self.layout) + &place_suffix(&self.place)
    }

    /// The deployment of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        let pointed = engine::link::parse_layout(name)?;
        Some(Self { layout: pointed.layout, place: pointed.place? })
    }

    /// What the search is asked for; none where the answer on screen is about other places.
    pub fn candidate(&self, shown: &Shown) -> Option<Candidate> {
        let place = if shown.places.is_empty() {
            (shown.scenario.home() == self.place).then_some(0)?
        } else {
            shown.places.iter().position(|place| *place == self.place)?
        };
        Some(Candidate { place: u32::try_from(place).ok()?, layout: self.layout })
    }
}

/// How it stands against the answer on screen.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Its figures.
    pub point: Point,
    /// What it is: `Today: aggregated tp4, 8 replicas × 4 GPUs = 32`.
    pub title: String,
    /// What that means, the most important first.
    pub says: Vec<String>,
    /// The point of the answer that the smallest worthwhile change leads to.
    pub change: Option<usize>,
}

/// Holds a priced deployment against the rows that are shown.
pub fn standing(rows: &[Rows], shown: &Shown, priced: &Priced) -> Standing {
    let rows: Vec<&Rows> = rows.iter().collect();
    let point = priced.point;
    let gap = gap(&rows, &shown.view, &point, &shown.scenario);
    let mut says = text::gap(&gap, &shown.view, &point, &shown.scenario, &shown.places);
    says.extend(priced.cut.iter().map(text::cut));
    let title = format!(
        "Today: {} {}, {}",
        text::serving(&point),
        text::layout_short(&point),
        text::layout_total(&point)
    );
    Standing { point, title, says, change: gap.change.map(|change| change.to) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view_model::fixture;

    #[test]
    fn a_deployment_is_found_again_by_its_name() {
        let shown = fixture::shown();
        let today = Today { layout: shown.view.points[2].layout, place: shown.scenario.home() };
        let again = Today::from_name(&today.name()).unwrap();
        assert_eq!(again.name(), today.name());
        assert_eq!(again.candidate(&shown).map(|candidate| candidate.place), Some(0));
        let elsewhere = Today { place: Place { system: "l4".to_owned(), ..again.place.clone() }, ..again };
        assert_eq!(elsewhere.candidate(&shown), None);
        assert_eq!(Today::from_name("a8.tp4.b80.c4000"), None, "the place is part of it");
    }

    #[test]
    fn what_is_best_already_stands_well() {
        let shown = fixture::shown();
        let best = Priced { point: shown.view.points[0], cut: Vec::new() };
        let standing = standing(&[], &shown, &best);
        assert_eq!(standing.change, None);
        assert!(standing.title.starts_with("Today: "), "{}", standing.title);
        assert!(!standing.says.is_empty());
    }
}
