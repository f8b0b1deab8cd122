//! What to do instead, one tap away: for questions that cannot be answered, and for answers that hold nothing.

use engine::problem::{Field, ScenarioError};
use engine::scenario::{QuantChoice, Scenario};
use engine::text::Suggestion;
use engine::view::View;

use super::catalog;
use super::form::show_number;

/// At most this many alternatives of one kind.
const SOME: usize = 4;

/// Systems that were measured most widely.
const COMMON: [&str; 3] = ["h100_sxm", "h200_sxm", "b200_sxm"];

/// Whether a system has the arithmetic that the model's weights ask for.
fn runs(system: &str, scenario: &Scenario) -> bool {
    match (catalog::system(system), catalog::precision(scenario)) {
        (Some(system), Some((gemm, _))) => system.has(gemm.pipe()),
        _ => true,
    }
}

/// The field that a refused question is about.
pub fn field_of(error: &ScenarioError) -> Option<Field> {
    match error {
        ScenarioError::UnknownModel { .. }
        | ScenarioError::ModelName { .. }
        | ScenarioError::NoVision { .. } => Some(Field::Model),
        ScenarioError::UnknownSystem { .. } => Some(Field::System),
        ScenarioError::UnknownVersion { .. } => Some(Field::Version),
        ScenarioError::NoPack { .. } => Some(Field::Backend),
        ScenarioError::Number { field, .. } => Some(*field),
        ScenarioError::NoTable { .. } | ScenarioError::NoPeak { .. } | ScenarioError::Nowhere { .. } => None,
    }
}

/// Questions close to the refused one that can be answered.
pub fn remedies(error: &ScenarioError, scenario: &Scenario) -> Vec<Suggestion> {
    let with = |label: String, change: &dyn Fn(&mut Scenario)| {
        let mut changed = scenario.clone();
        change(&mut changed);
        Suggestion { label, scenario: changed }
    };
    let system = |id: &String, from: &str| {
        // The one that was refused is the decode side when only that one carries its name.
        let decode = scenario.decode_system.as_deref() == Some(from) && scenario.system != from;
        with(id.clone(), &|changed| {
            if decode {
                changed.decode_system = Some(id.clone());
            } else {
                changed.system.clone_from(id);
                changed.version = None;
            }
        })
    };
    let current_data = || with("the current data".to_owned(), &|changed| changed.version = None);
    match error {
        ScenarioError::UnknownModel { close, .. } => {
            close.iter().take(SOME).map(|id| with(id.clone(), &|changed| changed.choose(id))).collect()
        }
        ScenarioError::UnknownSystem { id, close } => {
            close.iter().take(SOME).map(|other| system(other, id)).collect()
        }
        ScenarioError::NoPack { system: id, systems, .. } => systems
            .iter()
            .filter(|other| runs(other, scenario))
            .take(SOME)
            .map(|other| system(other, id))
            .collect(),
        ScenarioError::UnknownVersion { .. } => vec![current_data()],
        ScenarioError::Nowhere { .. } if scenario.version.is_some() => vec![current_data()],
        ScenarioError::NoTable { .. } | ScenarioError::NoPeak { .. } | ScenarioError::Nowhere { .. }
            if scenario.quant != QuantChoice::default() =>
        {
            vec![with("the precisions of the checkpoint".to_owned(), &|changed| {
                changed.quant = QuantChoice::default();
            })]
        }
        ScenarioError::NoTable { system: id, .. } | ScenarioError::NoPeak { system: id, .. } => COMMON
            .iter()
            .map(|&other| other.to_owned())
            .filter(|other| other != id && runs(other, scenario))
            .map(|other| system(&other, id))
            .collect(),
        ScenarioError::Nowhere { .. } => {
            let wider = with("every GPU and backend".to_owned(), &|changed| {
                changed.set_system(None);
                changed.set_backend(None);
            });
            if wider.scenario.reach == scenario.reach { Vec::new() } else { vec![wider] }
        }
        ScenarioError::NoVision { .. } => {
            vec![with("no images".to_owned(), &|changed| changed.workload.images = None)]
        }
        ScenarioError::Number { .. } | ScenarioError::ModelName { .. } => Vec::new(),
    }
}

/// What makes an empty answer hold something: one change where that is enough, else both targets together.
pub fn openings(view: &View, scenario: &Scenario) -> Vec<Suggestion> {
    let single = engine::text::suggestions(&view.nearest.unwrap_or_default(), scenario);
    if single.is_empty() { both_targets(view, scenario).into_iter().collect() } else { single }
}

/// The targets of the point that misses them by the smallest factor.
fn both_targets(view: &View, scenario: &Scenario) -> Option<Suggestion> {
    let sla = scenario.sla;
    let second = |point: &engine::view::Point| match sla.request_latency_ms {
        Some(target) => (point.request_latency_ms, target),
        None => (point.itl_ms, sla.itl_ms),
    };
    // The larger factor decides, the other one breaks ties.
    let miss = |point: &engine::view::Point| {
        let (latency, target) = second(point);
        let (first, second) = (point.ttft_ms / sla.ttft_ms, latency / target);
        (first.max(second), first.min(second))
    };
    let nearest = view.points.iter().filter(|point| miss(point).0.is_finite()).min_by(|a, b| {
        let (a, b) = (miss(a), miss(b));
        a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
    })?;
    let ttft = engine::format::round_up(nearest.ttft_ms).max(sla.ttft_ms);
    let (latency, target) = second(nearest);
    let latency = engine::format::round_up(latency).max(target);
    let mut changed = scenario.clone();
    changed.sla.ttft_ms = ttft;
    let name = if let Some(target) = &mut changed.sla.request_latency_ms {
        *target = latency;
        "request latency"
    } else {
        changed.sla.itl_ms = latency;
        "ITL"
    };
    let label = format!("TTFT {} ms and {name} {} ms", show_number(ttft), show_number(latency));
    Some(Suggestion { label, scenario: changed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view_model::fixture;

    #[test]
    fn refused_questions_have_a_way_out() {
        let scenario = Scenario { system: "gb200".to_owned(), ..Scenario::default() };
        let error = ScenarioError::NoPack {
            system: "gb200".to_owned(),
            backend: "trtllm".to_owned(),
            systems: vec!["a100_sxm".to_owned(), "h100_sxm".to_owned(), "h200_sxm".to_owned()],
        };
        let offered = remedies(&error, &scenario);
        assert_eq!(
            offered.iter().map(|s| s.scenario.system.as_str()).collect::<Vec<_>>(),
            ["h100_sxm", "h200_sxm"]
        );
        assert_eq!(field_of(&error), Some(Field::Backend));
    }

    #[test]
    fn the_decode_side_is_changed_where_it_was_refused() {
        let scenario = Scenario { decode_system: Some("l40s".to_owned()), ..Scenario::default() };
        let error =
            ScenarioError::UnknownSystem { id: "l40s".to_owned(), close: vec!["h200_sxm".to_owned()] };
        let changed = &remedies(&error, &scenario)[0].scenario;
        assert_eq!(
            (changed.system.as_str(), changed.decode_system.as_deref()),
            ("h100_sxm", Some("h200_sxm"))
        );
    }

    #[test]
    fn both_targets_move_when_neither_is_enough() {
        let mut scenario = Scenario::default();
        scenario.sla.ttft_ms = 100.0;
        scenario.sla.itl_ms = 10.0;
        let offered = openings(&fixture::view(), &scenario);
        assert_eq!(offered.len(), 1);
        assert_eq!(offered[0].label, "TTFT 340 ms and ITL 16 ms");
        assert_eq!(offered[0].scenario.sla.itl_ms, 16.0);
    }
}
