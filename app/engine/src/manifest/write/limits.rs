//! Limits of an engine that make it run as it was predicted.

use super::pool::{Pool, Role};
use crate::backend::Backend;
use crate::model::ModelSpec;
use crate::models::vision::ImageTokens;
use crate::scenario::Scenario;

/// Fewest tokens of a step of vLLM, so that a prompt whose cache was lost is not computed token by token.
const FEWEST_STEP_TOKENS: u32 = 512;

/// Limits of one kind of worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// Input tokens of a request, those of images included.
    pub(super) isl: u32,
    /// Tokens of a step, per rank.
    pub(super) tokens: u32,
    /// Prefill tokens of a step, per rank, without those that decode.
    pub(super) prompt_tokens: u32,
    /// Whether prompts are cut to keep to them.
    pub(super) chunked: bool,
    /// Longest request, input and output.
    pub(super) length: u32,
    /// Tokens of the buffer that hands over a KV cache.
    pub(super) buffer: u32,
}

impl Limits {
    pub(super) fn of(pool: &Pool<'_>, scenario: &Scenario, model: &ModelSpec) -> Self {
        let backend = scenario.backend;
        let isl = prompt(scenario, model);
        // Prompts are as long on average; templates and longer ones need room.
        let margin = if backend == Backend::Trtllm { 500 } else { 1500 };
        let steps = pool.batch.saturating_mul(1 + scenario.engine.draft_tokens);
        let (prompts, chunked) = match (pool.role, pool.ctx_tokens) {
            (Role::Worker, Some(tokens)) if tokens < isl => (tokens, true),
            (Role::Worker, tokens) => (tokens.unwrap_or(isl).saturating_add(margin), false),
            (Role::Prefill | Role::Encode, _) => {
                (pool.batch.saturating_mul(isl).saturating_add(margin), false)
            }
            (Role::Decode, _) => (0, false),
        };
        let tokens = match pool.role {
            Role::Worker => prompts.saturating_add(steps),
            Role::Prefill | Role::Encode => prompts,
            Role::Decode if backend == Backend::Vllm => steps.max(FEWEST_STEP_TOKENS),
            Role::Decode => steps,
        };
        let tokens = if backend == Backend::Trtllm { up_to_32(tokens) } else { tokens };
        let whole = isl.saturating_add(scenario.workload.osl).saturating_add(margin);
        let length = whole.min(model.max_pos.max(1));
        Self { isl, tokens, prompt_tokens: prompts, chunked, length, buffer: up_to_32(whole) }
    }
}

/// Input tokens of a request as the language model sees them.
fn prompt(scenario: &Scenario, model: &ModelSpec) -> u32 {
    let tokens = |images: &crate::scenario::Images| {
        let vit = model.vit.as_ref()?;
        Some(images.count.saturating_mul(ImageTokens::of(vit, images.height, images.width).merged))
    };
    let images = scenario.workload.images.as_ref().and_then(tokens).unwrap_or_default();
    scenario.workload.isl.saturating_add(images)
}

fn up_to_32(tokens: u32) -> u32 {
    tokens.checked_next_multiple_of(32).unwrap_or(tokens)
}

/// Batch sizes that get a captured graph: close together where batches are small, up to the largest batch.
pub(super) fn graph_sizes(batch: u32) -> Vec<u32> {
    const STEPS: [(u32, u32); 6] = [(1, 16), (4, 32), (8, 64), (16, 128), (32, 256), (64, 512)];
    let mut out = Vec::new();
    let mut last = 0;
    for (step, end) in STEPS {
        while last + step <= end.min(batch) {
            last += step;
            out.push(last);
        }
    }
    if last < batch {
        out.push(batch);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphs_rise_to_the_largest_batch() {
        assert_eq!(graph_sizes(1), [1]);
        assert_eq!(graph_sizes(18), (1..=16).chain([18]).collect::<Vec<_>>());
        assert_eq!(graph_sizes(80).last(), Some(&80));
        for batch in 1..2000 {
            let sizes = graph_sizes(batch);
            assert!(sizes.is_sorted_by(|a, b| a < b) && sizes.last() == Some(&batch), "{batch}: {sizes:?}");
        }
        assert_eq!(graph_sizes(0), Vec::<u32>::new());
    }
}
