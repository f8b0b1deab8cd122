//! The search, run to its end.

use engine::catalog::Catalog;
use engine::explain::Explanation;
use engine::link::{self, layout_name, place_suffix};
use engine::places::Plans;
use engine::rows::Rows;
use engine::scenario::{Place, Scenario};
use engine::searches::Searches;
use engine::text;
use engine::view::{Point, View, view_all};

use crate::data::{Data, Left};
use crate::question::Asked;
use crate::report::Failure;

/// A question and its answer.
pub(crate) struct Answer {
    pub(crate) scenario: Scenario,
    /// Identity of the data.
    pub(crate) data: String,
    /// What was searched.
    pub(crate) places: Vec<Place>,
    /// What was not.
    pub(crate) left: Vec<Left>,
    pub(crate) view: View,
    pub(crate) notes: Vec<String>,
    searches: Searches,
}

/// Answers a question on some data.
pub(crate) fn answer(asked: Asked, data: &Data) -> Result<Answer, Failure> {
    let Asked { scenario, data: linked, mut notes } = asked;
    let plans = Plans::resolve(&scenario, Catalog::embedded(), &data.index)?;
    let id = plans.data_id();
    notes.extend(
        linked.filter(|linked| *linked != id).map(|linked| text::different_data(&id, &linked).to_string()),
    );
    let skipped = plans.skipped.into_iter();
    let mut left: Vec<_> =
        skipped.map(|one| Left { place: one.place, why: text::skip_reason(&one.why) }).collect();
    let (problems, lost) = data.load_all(plans.plans)?;
    left.extend(lost);
    let mut searches = Searches::new(scenario.clone(), problems);
    while !searches.advance(u32::MAX).is_done() {}
    let view = view_all(&searches.rows(), &scenario);
    Ok(Answer { scenario, data: id, places: searches.places(), left, view, notes, searches })
}

impl Answer {
    /// The picks, best first.
    pub(crate) fn picks(&self) -> impl Iterator<Item = &Point> {
        self.view.picks.iter().filter_map(|&pick| self.view.points.get(pick))
    }

    /// The backend and GPU system of a point.
    pub(crate) fn place(&self, point: &Point) -> Place {
        self.places.get(point.place as usize).cloned().unwrap_or_else(|| self.scenario.home())
    }

    /// Everything found, place by place.
    pub(crate) fn rows(&self) -> Vec<&Rows> {
        self.searches.rows()
    }

    /// What was not searched and why; none when everything was.
    pub(crate) fn not_searched(&self) -> Option<String> {
        text::not_searched(self.left.iter().map(|left| (place_name(&left.place), left.why.clone())))
    }

    /// Where the time of a point goes.
    pub(crate) fn explain(&self, point: &Point) -> Option<Explanation> {
        self.searches.explain(&point.candidate())
    }

    /// The share link.
    pub(crate) fn link(&self) -> String {
        format!("?{}", link::write(&self.scenario, Some(&self.data)))
    }

    /// The share link to a point.
    pub(crate) fn link_to(&self, point: &Point) -> String {
        let place =
            if self.scenario.reach.is_wide() { place_suffix(&self.place(point)) } else { String::new() };
        format!("{}#explore:{}{place}", self.link(), layout_name(&point.layout))
    }
}

/// Name of a place for people.
pub(crate) fn place_name(place: &Place) -> String {
    let system = Catalog::embedded().system(&place.system);
    text::place(place.backend, system.map_or(&place.system, |system| &system.name))
}
