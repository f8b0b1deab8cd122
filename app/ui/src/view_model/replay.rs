//! The form of a replay: its fields, what is wrong with them, and its words in the address.

mod field;
mod figures;
mod switch;
mod words;

use engine::cluster::Slo;
use engine::planner::{Config, PerRole};
use engine::point::{Layout, Point};
use engine::scenario::Scenario;
use engine::simulate::story::{Outline, Settings, storm};
use worker::replay::{Crowd, Job};

pub use field::{Field, Group};
pub use figures::{FigureRow, figures};
pub use switch::{PREDICTORS, Switch, TARGETS, predictor_word, target_word};
pub use words::{read, write};

/// What a run is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Against {
    /// The same fleet without a planner.
    #[default]
    Static,
    /// Settings kept before.
    Kept,
    /// Nothing.
    Nothing,
}

/// What is decided on the screen.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    /// Whether a trace is replayed rather than the story.
    pub traced: bool,
    /// How many times as fast.
    pub trace_speed: f64,
    /// The story.
    pub outline: Outline,
    /// Whether the workers are those of the point on Explore rather than the storm's.
    pub own: bool,
    /// Workers at the beginning.
    pub count: PerRole<u32>,
    /// Targets.
    pub slo: Slo,
    /// Whether the planner is on.
    pub planned: bool,
    /// Its settings, kept while it is off.
    pub planner: Config,
    /// The rest; its planner is not read.
    pub settings: Settings,
    /// What it is compared with.
    pub against: Against,
}

impl Form {
    /// The airline storm.
    pub fn storm() -> Self {
        let storm = storm();
        let planner = storm.settings.planner.clone().unwrap_or_default();
        Self {
            traced: false,
            trace_speed: 1.0,
            outline: storm.outline,
            own: false,
            count: PerRole { prefill: 1, decode: 1 },
            slo: storm.slo,
            planned: true,
            planner,
            settings: Settings { planner: None, ..storm.settings },
            against: Against::Static,
        }
    }

    /// The workers and the traffic of a point, at four fifths of what it can serve and half as much again in the rush.
    pub fn take_point(&mut self, scenario: &Scenario, point: &Point) {
        self.own = true;
        self.count = match &point.layout {
            Layout::Agg { worker, .. } => PerRole { prefill: 0, decode: worker.count },
            Layout::Disagg { prefill, decode, .. } => {
                PerRole { prefill: prefill.count, decode: decode.count }
            }
        };
        self.slo = Slo { ttft_ms: Some(scenario.sla.ttft_ms), itl_ms: Some(scenario.sla.itl_ms) };
        let tenth = |value: f64| (value * 10.0).round().max(1.0) / 10.0;
        let outline = &mut self.outline;
        (outline.isl, outline.osl) = (scenario.workload.isl, scenario.workload.osl);
        (outline.calm_isl, outline.calm_osl) = (outline.isl, outline.osl);
        outline.calm_per_sec = tenth(point.requests_per_sec * 0.5);
        outline.peak_per_sec = tenth(point.requests_per_sec * 1.2);
        outline.burst = (point.requests_per_sec * 5.0).round() as u32;
        self.planner.max_gpu_budget = i64::from(point.gpus_used) * 2;
    }

    /// The run of this form, but for the workers of a point.
    pub fn job(&self) -> Job {
        let crowd =
            if self.traced { Crowd::Trace { speed: self.trace_speed } } else { Crowd::Story(self.outline) };
        let planner = self.planned.then(|| self.planner.clone());
        let settings = Settings { planner, ..self.settings.clone() };
        Job { crowd, fleets: None, count: self.count, slo: self.slo, settings }
    }

    /// The same without a planner.
    #[must_use]
    pub fn without_planner(&self) -> Self {
        Self { planned: false, ..self.clone() }
    }
}
