//! Where a question is asked: one backend on one GPU system, or several of them.

use std::collections::BTreeMap;

use perf_data::{Index, PackFile};

use crate::backend::Backend;
use crate::catalog::Catalog;
use crate::problem::{Plan, ScenarioError, Skipped};
use crate::scenario::{Place, Scenario};

/// Every place that a scenario reaches, in the order that decides ties; of all systems, those with any data.
pub fn places(scenario: &Scenario, catalog: &Catalog, index: &Index) -> Vec<Place> {
    let measured = |id: &&str| index.packs.iter().any(|pack| pack.system == *id);
    let systems: Vec<&str> = scenario.one_system().map_or_else(
        || catalog.systems.iter().map(|system| system.id.as_str()).filter(measured).collect(),
        |system| vec![system],
    );
    let backends = scenario.one_backend().map_or_else(|| Backend::ALL.to_vec(), |backend| vec![backend]);
    let at = |system: &str| {
        let system = system.to_owned();
        backends.iter().map(move |&backend| Place { system: system.clone(), backend })
    };
    systems.into_iter().flat_map(at).collect()
}

/// A checked scenario at each place that can be searched.
#[derive(Clone, Debug)]
pub struct Plans {
    /// What is searched; never empty.
    pub plans: Vec<Plan>,
    /// What is not.
    pub skipped: Vec<Skipped>,
}

impl Plans {
    /// Checks a scenario at every place it reaches.
    ///
    /// A mistake that no other place would mend is an error; so is it when nothing is left to search.
    pub fn resolve(scenario: &Scenario, catalog: &Catalog, index: &Index) -> Result<Self, ScenarioError> {
        let mut out = Self { plans: Vec::new(), skipped: Vec::new() };
        for place in places(scenario, catalog, index) {
            match Plan::resolve(&scenario.at(&place), catalog, index) {
                Ok(plan) => out.plans.push(plan),
                Err(why) if !scenario.reach.is_wide() || is_everywhere(&why) => return Err(why),
                Err(why) => out.skipped.push(Skipped { place, why }),
            }
        }
        if out.plans.is_empty() { Err(ScenarioError::Nowhere { skipped: out.skipped }) } else { Ok(out) }
    }

    /// Pack files that must be loaded first, each once, by name.
    pub fn files(&self) -> BTreeMap<&str, &PackFile> {
        self.plans.iter().flat_map(Plan::files).map(|file| (file.name.as_str(), file)).collect()
    }

    /// Identity of the data the answer rests on: a place's own, or a digest of those of several places.
    pub fn data_id(&self) -> String {
        match self.plans.as_slice() {
            [only] => only.data_id(),
            several => digest(several.iter().map(Plan::data_id)),
        }
    }
}

/// Whether every place has the same mistake.
fn is_everywhere(error: &ScenarioError) -> bool {
    matches!(
        error,
        ScenarioError::Number { .. }
            | ScenarioError::NoVision { .. }
            | ScenarioError::UnknownModel { .. }
            | ScenarioError::UnknownSystem { .. }
    )
}

/// FNV-1a, 64 bits, in hexadecimal digits.
fn digest(parts: impl Iterator<Item = String>) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        for byte in part.bytes().chain([b'\n']) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(backend: Option<Backend>, system: Option<&str>) -> Scenario {
        let mut scenario = Scenario::default();
        scenario.set_backend(backend);
        scenario.set_system(system);
        scenario
    }

    fn index(packs: &[(&str, &str)]) -> Index {
        let packs = packs.iter().map(|(system, backend)| perf_data::PackEntry {
            system: (*system).to_owned(),
            backend: (*backend).to_owned(),
            version: "1".to_owned(),
            id: "00000000".to_owned(),
            files: Vec::new(),
        });
        Index { format: 1, source: String::new(), packs: packs.collect() }
    }

    #[test]
    fn a_scenario_reaches_as_far_as_it_says() {
        let index = index(&[("b60", "vllm"), ("l40s", "vllm"), ("l40s", "trtllm")]);
        let count = |backend, system| places(&asked(backend, system), Catalog::embedded(), &index).len();
        assert_eq!(count(Some(Backend::Vllm), Some("b200_sxm")), 1);
        assert_eq!(count(None, Some("b200_sxm")), 3);
        assert_eq!(count(Some(Backend::Vllm), None), 2);
        assert_eq!(count(None, None), 6);
    }

    #[test]
    fn a_mistake_of_the_question_is_said_once_and_those_of_places_together() {
        let index = index(&[("b60", "vllm"), ("l40s", "vllm")]);
        let error = |scenario: &Scenario| Plans::resolve(scenario, Catalog::embedded(), &index).err();
        let mut scenario = asked(None, None);
        assert!(matches!(error(&scenario), Some(ScenarioError::Nowhere { skipped }) if skipped.len() == 6));
        scenario.workload.isl = 0;
        assert!(matches!(error(&scenario), Some(ScenarioError::Number { .. })));
        assert!(matches!(error(&asked(None, Some("h1000"))), Some(ScenarioError::UnknownSystem { .. })));
        let one = asked(Some(Backend::Sglang), Some("l40s"));
        assert!(matches!(error(&one), Some(ScenarioError::NoPack { .. })));
    }

    #[test]
    fn digests_tell_lists_apart() {
        let of = |parts: &[&str]| digest(parts.iter().map(|&part| part.to_owned()));
        assert_eq!(of(&["a", "b"]).len(), 16);
        assert_ne!(of(&["a", "b"]), of(&["ab"]));
        assert_ne!(of(&["a", "b"]), of(&["b", "a"]));
    }
}
