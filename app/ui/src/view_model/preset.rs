//! Whole stories to start from.

use engine::scenario::{Goal, Scenario, Sla, Workload};

/// A story: a scenario and the sentence that explains it.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Short name.
    pub name: &'static str,
    /// Who is served, and what they need.
    pub story: &'static str,
    isl: u32,
    osl: u32,
    prefix: u32,
    ttft_ms: f64,
    itl_ms: f64,
    goal: Goal,
}

/// The stories, the one the page opens on first.
pub const PRESETS: [Preset; 5] = [
    Preset {
        name: "Airline, storm",
        story: "A storm grounds flights; an assistant reroutes thousands of travellers with their whole booking in the prompt.",
        isl: 4000,
        osl: 500,
        prefix: 0,
        ttft_ms: 500.0,
        itl_ms: 30.0,
        goal: Goal::Gpus(32),
    },
    Preset {
        name: "Airline, calm",
        story: "The same assistant on a quiet day: short questions, short answers, the same promise.",
        isl: 500,
        osl: 150,
        prefix: 0,
        ttft_ms: 500.0,
        itl_ms: 30.0,
        goal: Goal::Gpus(32),
    },
    Preset {
        name: "Long documents",
        story: "Retrieval over long documents: contracts and manuals go in, a page of answer comes out.",
        isl: 16_000,
        osl: 400,
        prefix: 0,
        ttft_ms: 2000.0,
        itl_ms: 40.0,
        goal: Goal::Gpus(32),
    },
    Preset {
        name: "Coding agent",
        story: "An agent in an editor: most of a long prompt is already cached, and every token is waited for.",
        isl: 16_000,
        osl: 600,
        prefix: 14_000,
        ttft_ms: 400.0,
        itl_ms: 12.0,
        goal: Goal::Gpus(32),
    },
    Preset {
        name: "Batch summaries",
        story: "Summaries made overnight: nobody waits, so only the number of GPUs for the load counts.",
        isl: 6000,
        osl: 300,
        prefix: 0,
        ttft_ms: 10_000.0,
        itl_ms: 200.0,
        goal: Goal::RequestRate(20.0),
    },
];

impl Preset {
    /// The scenario of the story: everything it does not tell is as on the first visit.
    pub fn scenario(&self) -> Scenario {
        let first = Scenario::default();
        Scenario {
            workload: Workload { isl: self.isl, osl: self.osl, prefix: self.prefix, images: None },
            sla: Sla { ttft_ms: self.ttft_ms, itl_ms: self.itl_ms, ..first.sla },
            goal: self.goal,
            ..first
        }
    }

    /// The story that is on the form, if any.
    pub fn of(scenario: &Scenario) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.scenario() == *scenario)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_story_is_the_first_visit() {
        assert_eq!(PRESETS[0].scenario(), Scenario::default());
        for preset in &PRESETS {
            assert_eq!(Preset::of(&preset.scenario()).map(|found| found.name), Some(preset.name));
            assert!(preset.prefix < preset.isl);
        }
    }
}
