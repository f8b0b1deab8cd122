//! The search, run to its end.

use engine::catalog::Catalog;
use engine::explain::Explanation;
use engine::link;
use engine::problem::Plan;
use engine::scenario::Scenario;
use engine::search::Search;
use engine::text;
use engine::view::{Point, View, view};

use crate::data::Data;
use crate::question::Asked;
use crate::report::Failure;

/// A question and its answer.
pub(crate) struct Answer {
    pub(crate) scenario: Scenario,
    /// Identity of the data.
    pub(crate) data: String,
    pub(crate) view: View,
    pub(crate) notes: Vec<String>,
    search: Search,
}

/// Answers a question on some data.
pub(crate) fn answer(asked: Asked, data: &Data) -> Result<Answer, Failure> {
    let Asked { scenario, data: linked, mut notes } = asked;
    let plan = Plan::resolve(&scenario, Catalog::embedded(), &data.index)?;
    let id = plan.data_id();
    notes.extend(
        linked.filter(|linked| *linked != id).map(|linked| text::different_data(&id, &linked).to_string()),
    );
    let mut search = Search::new(data.load(plan)?);
    loop {
        let progress = search.advance(u32::MAX);
        if progress.done >= progress.total {
            break;
        }
    }
    let view = view(search.rows(), &scenario);
    Ok(Answer { scenario, data: id, view, notes, search })
}

impl Answer {
    /// The picks, best first.
    pub(crate) fn picks(&self) -> impl Iterator<Item = &Point> {
        self.view.picks.iter().filter_map(|&pick| self.view.points.get(pick))
    }

    /// Where the time of a point goes.
    pub(crate) fn explain(&self, point: &Point) -> Option<Explanation> {
        self.search.explain(&point.layout)
    }

    /// The share link.
    pub(crate) fn link(&self) -> String {
        format!("?{}", link::write(&self.scenario, Some(&self.data)))
    }
}
