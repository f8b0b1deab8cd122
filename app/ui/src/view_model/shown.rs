//! Which answer is on screen, and for which question.

use std::sync::Arc;

use engine::problem::MAX_GPUS;
use engine::rows::Rows;
use engine::scenario::{Goal, Place, Scenario};
use engine::view::{Point, View, view_all};

/// A finished search.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The question.
    pub scenario: Scenario,
    /// What was searched.
    pub places: Arc<Vec<Place>>,
    /// What the search kept, place by place.
    pub rows: Arc<Vec<Rows>>,
    /// What was not searched and why, in a sentence.
    pub left: Option<String>,
    /// Identity of the data.
    pub data: String,
    /// Time spent searching, ms.
    pub elapsed_ms: f64,
}

/// An answer under an SLO and a goal.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// The points.
    pub view: View,
    /// The question they answer.
    pub scenario: Scenario,
    /// Where the points are: [`Point::place`] counts in this list.
    pub places: Arc<Vec<Place>>,
    /// What was not searched and why, in a sentence.
    pub left: Option<String>,
    /// Whether the question on the form is another one.
    pub stale: bool,
    /// Identity of the data.
    pub data: String,
}

/// The answer seen under the question on the form; under its own question when only a new search can tell.
pub fn show(answer: &Answer, asked: &Scenario) -> Shown {
    let stale = !same_rows(&answer.scenario, asked) || !makes_sense(asked);
    let scenario = if stale { &answer.scenario } else { asked };
    Shown {
        view: view_all(&answer.rows.iter().collect::<Vec<_>>(), scenario),
        scenario: scenario.clone(),
        places: Arc::clone(&answer.places),
        left: answer.left.clone(),
        stale,
        data: answer.data.clone(),
    }
}

/// Whether targets and goal can be looked at without asking the search, which has the last word.
fn makes_sense(asked: &Scenario) -> bool {
    let positive = |value: f64| value.is_finite() && value > 0.0;
    let goal = match asked.goal {
        Goal::Gpus(gpus) => (1..=MAX_GPUS).contains(&gpus),
        Goal::RequestRate(rate) => positive(rate),
        Goal::Concurrency(requests) => requests > 0,
    };
    goal && positive(asked.sla.ttft_ms)
        && positive(asked.sla.itl_ms)
        && asked.sla.request_latency_ms.is_none_or(positive)
}

/// Whether both questions keep the same rows: they differ in targets and goal at most.
pub fn same_rows(a: &Scenario, b: &Scenario) -> bool {
    let mut moved = a.clone();
    moved.sla = b.sla;
    moved.goal = b.goal;
    moved.serving = b.serving;
    moved == *b
}

impl Shown {
    /// The point to show in full: the selected one if it still exists, else the best.
    pub fn focus(&self, selected: Option<&str>) -> Option<usize> {
        selected.and_then(|name| super::key::find(self, name)).or_else(|| self.view.picks.first().copied())
    }

    /// Backend and GPU system of a point.
    pub fn place(&self, point: &Point) -> Place {
        self.places.get(point.place as usize).cloned().unwrap_or_else(|| self.scenario.home())
    }

    /// The same in words, where several were asked for.
    pub fn place_label(&self, point: &Point) -> Option<String> {
        self.scenario.reach.is_wide().then(|| super::form::place_name(&self.place(point)))
    }

    /// The best point.
    pub fn best(&self) -> Option<&Point> {
        self.view.best()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_leaves_the_old_answer_on_screen() {
        let answer = Answer {
            scenario: Scenario::default(),
            places: Arc::default(),
            rows: Arc::new(vec![Rows::default()]),
            left: None,
            data: String::new(),
            elapsed_ms: 1.0,
        };
        let asked = Scenario { goal: Goal::Gpus(0), ..Scenario::default() };
        let shown = show(&answer, &asked);
        assert!(shown.stale && shown.scenario == answer.scenario);
        let asked = Scenario { goal: Goal::Gpus(8), ..Scenario::default() };
        assert!(!show(&answer, &asked).stale);
    }

    #[test]
    fn targets_and_goal_keep_the_rows() {
        let a = Scenario::default();
        let mut b = a.clone();
        b.sla.itl_ms = 12.0;
        b.goal = Goal::Gpus(64);
        assert!(same_rows(&a, &b));
        b.workload.isl = 1;
        assert!(!same_rows(&a, &b));
    }
}
