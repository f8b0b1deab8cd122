//! The searches of one question: one for each place, one after the other, in resumable slices.

use crate::explain::Explanation;
use crate::point::{Candidate, Point};
use crate::problem::Problem;
use crate::rows::Rows;
use crate::scenario::{Place, Scenario};
use crate::search::{PriceError, Priced, Progress, Search, price_limits, speeds};
use crate::simulate::Fleets;

/// Searches under way; they keep their workers, so that a moved SLO costs next to nothing.
#[derive(Clone, Debug)]
pub struct Searches {
    scenario: Scenario,
    searches: Vec<Search>,
}

impl Searches {
    /// Searches that have not begun; each problem is `scenario` at one place.
    pub fn new(scenario: Scenario, problems: Vec<Problem>) -> Self {
        Self { scenario, searches: problems.into_iter().map(Search::new).collect() }
    }

    /// How far they are together.
    pub fn progress(&self) -> Progress {
        self.searches.iter().map(Search::progress).fold(Progress { done: 0, total: 0 }, |sum, one| Progress {
            done: sum.done + one.done,
            total: sum.total + one.total,
        })
    }

    /// Searches up to `layouts` more layouts.
    pub fn advance(&mut self, layouts: u32) -> Progress {
        let mut left = layouts;
        for search in &mut self.searches {
            let before = search.progress().done;
            left -= search.advance(left).done - before;
        }
        self.progress()
    }

    /// Everything found so far, place by place; complete once nothing is left to do.
    pub fn rows(&self) -> Vec<&Rows> {
        self.searches.iter().map(Search::rows).collect()
    }

    /// The places, in the order that [`crate::point::Point::place`] counts in.
    pub fn places(&self) -> Vec<Place> {
        self.searches.iter().map(|search| search.problem().scenario.home()).collect()
    }

    /// Whether another scenario differs only in SLO and GPU budget, so that layouts and tables can be kept.
    pub fn accepts(&self, scenario: &Scenario) -> bool {
        scenario.keeps(&self.scenario)
    }

    /// Takes over the SLO and budget of an accepted scenario; only the exact batches are searched again.
    pub fn retarget(&mut self, scenario: &Scenario) {
        self.scenario = scenario.clone();
        for search in &mut self.searches {
            let place = search.problem().scenario.home();
            search.retarget(&scenario.at(&place));
        }
    }

    /// The figures of a named deployment whose batches are limits; none where its place was not searched.
    pub fn price(&self, candidate: &Candidate) -> Option<Result<Priced, PriceError>> {
        let search = self.searches.get(candidate.place as usize)?;
        let priced = price_limits(search.problem(), &candidate.layout);
        Some(
            priced.map(|priced| Priced { point: Point { place: candidate.place, ..priced.point }, ..priced }),
        )
    }

    /// What the steps of a deployment's workers cost; none for places that are not searched.
    pub fn speeds(&self, candidate: &Candidate) -> Option<Result<Fleets, PriceError>> {
        let search = self.searches.get(candidate.place as usize)?;
        Some(speeds(search.problem(), &candidate.layout))
    }

    /// Where the time of a deployment goes; none for layouts that were not found there.
    pub fn explain(&self, candidate: &Candidate) -> Option<Explanation> {
        self.searches.get(candidate.place as usize)?.explain(&candidate.layout)
    }
}
