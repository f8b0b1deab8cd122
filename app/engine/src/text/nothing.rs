//! What to change when nothing meets the SLO.

use super::{Message, alternatives, number_of};
use crate::format::{count, round_up, typed};
use crate::scenario::{Goal, Scenario};
use crate::view::Nearest;

/// One change that makes the question answerable.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggestion {
    /// What it does, such as `ITL 34.1 ms`.
    pub label: String,
    /// The question with the change made.
    pub scenario: Scenario,
}

/// The changes that help, one input each. Targets are rounded up, so that what is shown can be met.
pub fn suggestions(nearest: &Nearest, scenario: &Scenario) -> Vec<Suggestion> {
    let mut out = Vec::new();
    if let Some(ttft) = nearest.ttft_ms.map(round_up) {
        let mut changed = scenario.clone();
        changed.sla.ttft_ms = ttft;
        out.push(Suggestion { label: format!("TTFT {} ms", typed(ttft)), scenario: changed });
    }
    if let Some(target) = nearest.itl_ms.map(round_up) {
        let mut changed = scenario.clone();
        let label = if changed.sla.request_latency_ms.is_some() {
            changed.sla.request_latency_ms = Some(target);
            format!("request latency {} ms", typed(target))
        } else {
            changed.sla.itl_ms = target;
            format!("ITL {} ms", typed(target))
        };
        out.push(Suggestion { label, scenario: changed });
    }
    if let (Some(gpus), Goal::Gpus(_)) = (nearest.gpus, scenario.goal) {
        let changed = Scenario { goal: Goal::Gpus(gpus), ..scenario.clone() };
        out.push(Suggestion { label: number_of(gpus, "GPU"), scenario: changed });
    }
    out
}

/// Nothing meets the SLO, and what comes nearest.
pub fn nothing_fits(nearest: &Nearest, scenario: &Scenario) -> Message {
    let targets = match scenario.sla.request_latency_ms {
        Some(latency) => {
            format!("TTFT {} ms and request latency {} ms", typed(scenario.sla.ttft_ms), typed(latency))
        }
        None => format!("TTFT {} ms and ITL {} ms", typed(scenario.sla.ttft_ms), typed(scenario.sla.itl_ms)),
    };
    let place = match scenario.goal {
        Goal::Gpus(gpus) => format!(" on {}", number_of(gpus, "GPU")),
        Goal::RequestRate(rate) => format!(" at {} requests/s", typed(rate)),
        Goal::Concurrency(requests) => {
            format!(" with {} requests in flight", count(u64::from(requests)))
        }
    };
    let labels: Vec<String> =
        suggestions(nearest, scenario).into_iter().map(|suggestion| suggestion.label).collect();
    if labels.is_empty() {
        return Message::new(
            "Nothing fits",
            format!(
                "No layout of {} meets {targets}{place}, and no single target or GPU count would change that.",
                scenario.model
            ),
            "Try a smaller model, a GPU with more memory, or relax both targets.",
        );
    }
    Message::new(
        "Nothing meets the SLO",
        format!("No layout of {} meets {targets}{place}.", scenario.model),
        format!("Enough on its own: {}.", alternatives(&labels)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_out_is_one_tap() {
        let nearest = Nearest { ttft_ms: Some(612.3), itl_ms: Some(34.01), gpus: Some(48) };
        let scenario = Scenario::default();
        let taps = suggestions(&nearest, &scenario);
        let labels: Vec<&str> = taps.iter().map(|tap| tap.label.as_str()).collect();
        assert_eq!(labels, ["TTFT 613 ms", "ITL 34.1 ms", "48 GPUs"]);
        assert_eq!(taps[0].scenario.sla.ttft_ms, 613.0);
        assert_eq!(taps[1].scenario.sla.itl_ms, 34.1);
        assert_eq!(taps[1].scenario.sla.ttft_ms, 500.0);
        assert_eq!(taps[2].scenario.goal, Goal::Gpus(48));
        let message = nothing_fits(&nearest, &scenario);
        assert!(message.detail.contains("TTFT 500 ms and ITL 30 ms on 32 GPUs"), "{message}");
        assert!(message.action.contains("TTFT 613 ms, ITL 34.1 ms or 48 GPUs"), "{message}");
    }

    #[test]
    fn request_latency_stands_in_for_itl() {
        let mut scenario = Scenario { goal: Goal::RequestRate(8.0), ..Scenario::default() };
        scenario.sla.request_latency_ms = Some(9000.0);
        let nearest = Nearest { ttft_ms: None, itl_ms: Some(12_000.4), gpus: Some(4) };
        let taps = suggestions(&nearest, &scenario);
        assert_eq!(taps.len(), 1);
        assert_eq!(taps[0].label, "request latency 12,001 ms");
        assert_eq!(taps[0].scenario.sla.request_latency_ms, Some(12_001.0));
        assert!(
            nothing_fits(&nearest, &scenario).detail.contains("request latency 9,000 ms at 8 requests/s")
        );
    }

    #[test]
    fn no_way_out_says_so() {
        let message = nothing_fits(&Nearest::default(), &Scenario::default());
        assert!(message.detail.contains("no single target"), "{message}");
    }
}
