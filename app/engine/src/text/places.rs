//! Backends and GPU systems, when several are searched.

use super::scenario_error;
use crate::catalog::Catalog;
use crate::problem::ScenarioError;
use crate::scenario::{Goal, Place, Scenario};

/// Places of one reason that are named, at most.
const NAMED: usize = 6;

/// Name of a system for people.
fn system_name(id: &str) -> &str {
    Catalog::embedded().system(id).map_or(id, |system| &system.name)
}

/// `vLLM on H100 SXM`.
pub fn place(place: &Place) -> String {
    format!("{} on {}", place.backend.label(), system_name(&place.system))
}

/// The backend that was asked for: `vLLM`, or `every backend`.
pub fn asked_backend(scenario: &Scenario) -> &'static str {
    scenario.one_backend().map_or("every backend", crate::backend::Backend::label)
}

/// The GPU system that was asked for: `H100 SXM`, or `any GPU with data`.
pub fn asked_system(scenario: &Scenario) -> &str {
    scenario.one_system().map_or("any GPU with data", system_name)
}

/// How unlike GPUs were ranked; none when all are alike.
pub fn across(places: &[Place], goal: Goal) -> Option<String> {
    let systems: Vec<&str> = places.iter().map(|place| place.system.as_str()).collect();
    if systems.windows(2).all(|pair| pair[0] == pair[1]) {
        return None;
    }
    let gain = match goal {
        Goal::Gpus(_) => "tokens/s/GPU",
        Goal::RequestRate(_) | Goal::Concurrency(_) => "the number of GPUs",
    };
    Some(format!("Ranked by {gain}: GPUs of every system count alike, whatever they cost."))
}

/// Why a place was left out, in a few words.
pub fn skip_reason(error: &ScenarioError) -> String {
    match error {
        ScenarioError::NoPack { .. } => "not measured".to_owned(),
        ScenarioError::UnknownVersion { version, .. } => {
            format!("version {} not measured", super::excerpt(version))
        }
        ScenarioError::NoTable { table, precision, .. } => format!("{table} not measured at {precision}"),
        ScenarioError::NoPeak { pipe, .. } => format!("no {pipe} tensor cores"),
        other => scenario_error(other).title,
    }
}

/// Why a place was left out whose data did not come.
pub fn lost_reason(file: &str) -> String {
    format!("{} could not be read", super::excerpt(file))
}

/// What was left out and why, grouped by reason; none when nothing was.
pub fn not_searched<'a>(skipped: impl Iterator<Item = (&'a Place, String)>) -> Option<String> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for (where_, why) in skipped {
        match groups.iter_mut().find(|(reason, _)| *reason == why) {
            Some((_, names)) => names.push(place(where_)),
            None => groups.push((why, vec![place(where_)])),
        }
    }
    if groups.is_empty() {
        return None;
    }
    let group = |(why, names): &(String, Vec<String>)| {
        let more = names.len().saturating_sub(NAMED);
        let shown = names[..names.len() - more].join(", ");
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{shown}{rest} ({why})")
    };
    Some(format!("Not searched: {}.", groups.iter().map(group).collect::<Vec<_>>().join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Backend;

    fn at(system: &str, backend: Backend) -> Place {
        Place { system: system.to_owned(), backend }
    }

    #[test]
    fn what_is_left_out_is_grouped_by_reason() {
        assert_eq!(not_searched(std::iter::empty()), None);
        let places =
            [at("a100_sxm", Backend::Vllm), at("b60", Backend::Sglang), at("a100_sxm", Backend::Trtllm)];
        let reasons = ["gemm not measured at fp8", "not measured", "gemm not measured at fp8"];
        let text = not_searched(places.iter().zip(reasons.map(str::to_owned))).unwrap();
        assert_eq!(
            text,
            "Not searched: vLLM on A100 SXM, TensorRT-LLM on A100 SXM (gemm not measured at fp8); \
             SGLang on Arc Pro B60 (not measured)."
        );
        let many = vec![at("l40s", Backend::Vllm); NAMED + 2];
        assert!(
            not_searched(many.iter().map(|place| (place, "x".to_owned()))).unwrap().contains("2 more (x)")
        );
    }

    #[test]
    fn unlike_gpus_are_said_to_count_alike() {
        let one = [at("l40s", Backend::Vllm), at("l40s", Backend::Sglang)];
        assert_eq!(across(&one, Goal::Gpus(8)), None);
        let two = [at("l40s", Backend::Vllm), at("b60", Backend::Vllm)];
        assert!(across(&two, Goal::Gpus(8)).unwrap().contains("tokens/s/GPU"));
        assert!(across(&two, Goal::RequestRate(8.0)).unwrap().contains("number of GPUs"));
    }

    #[test]
    fn a_question_names_how_far_it_reaches() {
        let mut scenario = Scenario::default();
        assert_eq!((asked_backend(&scenario), asked_system(&scenario)), ("TensorRT-LLM", "H100 SXM"));
        scenario.set_backend(None);
        scenario.set_system(None);
        assert_eq!(
            (asked_backend(&scenario), asked_system(&scenario)),
            ("every backend", "any GPU with data")
        );
    }
}
