//! Which models have an answer where, and why the others have none.

use super::{Message, scenario_error};
use crate::coverage::{Nearest, Reason, Step, Verdict};
use crate::format::gib;
use crate::parallel::WorkerRole;
use crate::scenario::QuantChoice;
use crate::source::DataMode;

/// What a cell is called: by serving mode, aggregated first.
pub fn covered(cell: [&Verdict; 2]) -> &'static str {
    match cell.map(Verdict::is_measured) {
        [true, true] => "measured",
        [true, false] => "measured, aggregated only",
        [false, true] => "measured, disaggregated only",
        [false, false] => match cell.iter().filter_map(|verdict| verdict.mode()).min() {
            None => "no answer",
            Some(DataMode::Sol) => "roofline only",
            Some(_) => "estimated from similar measurements",
        },
    }
}

/// An answer without measurements, as something to choose.
pub fn inferred(mode: DataMode) -> &'static str {
    if mode == DataMode::Sol { "Open with the roofline" } else { "Open with estimates" }
}

/// Why a cell has no answer.
pub fn why(reason: &Reason) -> Message {
    match reason {
        Reason::Refused(error) => scenario_error(error),
        Reason::NotMeasured { role, operator } => Message::new(
            "Not measured at these shapes",
            format!("No layout of {} has measurements of {operator}.", workers(*role)),
            "",
        ),
        Reason::NoPeak(pipe) => Message::new(
            "The GPU cannot run this precision",
            format!("It has no {} tensor cores.", pipe.name()),
            "",
        ),
        Reason::TooLarge { role, needs_bytes, has_bytes } => Message::new(
            "Does not fit",
            format!(
                "The largest layout of {} still needs {} GiB of each GPU, which has {} GiB.",
                workers(*role),
                gib(*needs_bytes as f64),
                gib(*has_bytes as f64)
            ),
            "",
        ),
        Reason::NoLayout(role) => Message::new(
            "No layout",
            format!("No parallel sizes of {} divide the model.", workers(*role)),
            "",
        ),
    }
}

/// The nearest cell with an answer, as something to choose.
pub fn nearest(nearest: &Nearest<'_>) -> String {
    let Nearest { step, model, place } = nearest;
    let backend = place.backend.label();
    match step {
        Step::Serving => "The other serving mode".to_owned(),
        Step::Precision(with) => precisions(*with),
        Step::Backend => format!("{backend} on the same GPU"),
        Step::Checkpoint => format!("{model} in the same place"),
        Step::System => format!("{model} on {} with {backend}", place.system),
    }
}

/// Precisions to choose.
fn precisions(with: QuantChoice) -> String {
    let parts = [
        with.gemm.map(|gemm| format!("weights in {gemm}")),
        with.kv.map(|kv| format!("KV cache in {kv}")),
        with.fmha.map(|fmha| format!("prefill attention in {fmha}")),
    ];
    super::capital(&parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// Nothing was measured on a GPU system, whatever the engine.
pub fn nothing_measured(system: &str) -> Message {
    Message::new(
        "No data for this GPU",
        format!("Nothing was measured on {system}."),
        "Choose another GPU system.",
    )
}

/// On how many GPU systems a model answers.
pub fn systems_measured(systems: usize) -> String {
    match systems {
        0 => "no measured data".to_owned(),
        1 => "measured on 1 GPU".to_owned(),
        many => format!("measured on {many} GPUs"),
    }
}

fn workers(role: WorkerRole) -> &'static str {
    match role {
        WorkerRole::Agg => "aggregated workers",
        WorkerRole::Prefill => "prefill workers",
        WorkerRole::Decode => "decode workers",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::ScenarioError;
    use crate::quant::{KvQuant, Pipe, Quant};

    #[test]
    fn every_reason_says_what_is_the_matter() {
        let refused = ScenarioError::NoPeak { system: "a100_sxm".to_owned(), pipe: "fp8".to_owned() };
        let (role, operator) = (WorkerRole::Prefill, "routed experts".to_owned());
        let reasons = [
            (Reason::Refused(refused), "a100_sxm has no fp8 tensor cores"),
            (Reason::NotMeasured { role, operator }, "prefill workers has measurements of routed experts"),
            (Reason::NoPeak(Pipe::Fp4), "no fp4 tensor cores"),
            (Reason::TooLarge { role, needs_bytes: 3 << 30, has_bytes: 2 << 30 }, "needs 3"),
            (Reason::NoLayout(WorkerRole::Decode), "decode workers"),
        ];
        for (reason, part) in reasons {
            let text = why(&reason).to_string();
            assert!(text.contains(part) && text.ends_with('.') && !text.contains(".."), "{text}");
        }
    }

    #[test]
    fn precisions_read_as_a_choice() {
        let with = QuantChoice { gemm: Some(Quant::Bf16), kv: Some(KvQuant::Bf16), fmha: None };
        assert_eq!(precisions(with), "Weights in bfloat16, KV cache in bfloat16");
    }
}
