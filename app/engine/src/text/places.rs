//! Backends and GPU systems, when several are searched.

use super::scenario_error;
use crate::backend::Backend;
use crate::problem::ScenarioError;
use crate::scenario::{Goal, Place, Scenario};

/// Places of one reason that are named, at most.
const NAMED: usize = 6;

/// `vLLM on H100 SXM`; `system` is its name for people.
pub fn place(backend: Backend, system: &str) -> String {
    format!("{} on {system}", backend.label())
}

/// The backend that was asked for: `vLLM`, or `every backend`.
pub fn asked_backend(scenario: &Scenario) -> &'static str {
    scenario.one_backend().map_or("every backend", Backend::label)
}

/// What is asked for instead of one GPU system.
pub const ANY_SYSTEM: &str = "any GPU with data";

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
    format!("{} could not be read", super::excerpt(file.rsplit('/').next().unwrap_or(file)))
}

/// What was left out and why, grouped by reason; none when nothing was. Takes names of places and reasons.
pub fn not_searched(skipped: impl Iterator<Item = (String, String)>) -> Option<String> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for (place, why) in skipped {
        match groups.iter_mut().find(|(reason, _)| *reason == why) {
            Some((_, names)) => names.push(place),
            None => groups.push((why, vec![place])),
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

    fn at(system: &str, backend: Backend) -> Place {
        Place { system: system.to_owned(), backend }
    }

    #[test]
    fn what_is_left_out_is_grouped_by_reason() {
        assert_eq!(not_searched(std::iter::empty()), None);
        let left = |backend, system, why: &str| (place(backend, system), why.to_owned());
        let text = not_searched(
            [
                left(Backend::Vllm, "A100 SXM", "gemm not measured at fp8"),
                left(Backend::Sglang, "Arc Pro B60", "not measured"),
                left(Backend::Trtllm, "A100 SXM", "gemm not measured at fp8"),
            ]
            .into_iter(),
        );
        assert_eq!(
            text.unwrap(),
            "Not searched: vLLM on A100 SXM, TensorRT-LLM on A100 SXM (gemm not measured at fp8); \
             SGLang on Arc Pro B60 (not measured)."
        );
        let many = vec![left(Backend::Vllm, "L40S", "x"); NAMED + 2];
        assert!(not_searched(many.into_iter()).unwrap().contains("2 more (x)"));
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
        assert_eq!(asked_backend(&scenario), "TensorRT-LLM");
        scenario.set_backend(None);
        assert_eq!(asked_backend(&scenario), "every backend");
    }
}
