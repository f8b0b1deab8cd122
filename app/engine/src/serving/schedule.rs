//! How a batch is spread over mixed and decode-only steps.

use crate::backend::Backend;
use crate::scenario::Workload;

/// Speculative decoding.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Draft {
    /// Draft tokens per step; 0 is off.
    pub tokens: u32,
    /// Draft tokens that are accepted on average.
    pub accepted: f64,
}

impl Draft {
    /// Tokens of a request in one decode step: the last one and its drafts.
    pub fn width(self) -> u32 {
        self.tokens + 1
    }

    /// Tokens that a request advances by one decode step.
    pub fn progress(self) -> f64 {
        if self.tokens > 0 { 1.0 + self.accepted } else { 1.0 }
    }
}

/// How a batch is scheduled over mixed and decode-only steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Schedule {
    /// Steps to work through all prompts.
    pub prompt_steps: f64,
    pub mixed: f64,
    pub mixed_decodes: u32,
    pub decode_only: f64,
    pub decode_batch: u32,
    /// Mixed steps that count towards the ITL.
    pub counted: f64,
}

/// Floor of the exact quotient of two positive numbers; plain division may round up to the next integer.
pub fn floor_div(a: f64, b: f64) -> f64 {
    ((a - a % b) / b).round()
}

/// Spreads a batch over steps.
pub(super) fn schedule(
    backend: Backend,
    workload: Workload,
    progress: f64,
    batch: u32,
    ctx_tokens: u32,
) -> Schedule {
    let Workload { isl, osl, .. } = workload;
    let iterations = 1.0 + f64::from(osl.saturating_sub(1)) / progress;
    let prompt_steps = (f64::from(isl) * f64::from(batch) / f64::from(ctx_tokens)).ceil();
    if batch <= 1 {
        let decode_only = iterations - 1.0;
        return Schedule {
            prompt_steps,
            mixed: 1.0,
            mixed_decodes: 0,
            decode_only,
            decode_batch: 1,
            counted: 0.0,
        };
    }
    let left = batch.saturating_sub(ctx_tokens.div_ceil(isl)).max(1);
    if prompt_steps >= iterations {
        let spread = floor_div(f64::from(batch), prompt_steps / iterations).max(1.0) as u32;
        let mixed_decodes = if backend == Backend::Vllm { left } else { spread };
        let counted = prompt_steps;
        return Schedule {
            prompt_steps,
            mixed: prompt_steps,
            mixed_decodes,
            decode_only: 0.0,
            decode_batch: 0,
            counted,
        };
    }
    let counted = if backend == Backend::Vllm { prompt_steps } else { (prompt_steps - 3.0).max(1.0) };
    let decode_only = iterations - prompt_steps;
    Schedule {
        prompt_steps,
        mixed: prompt_steps,
        mixed_decodes: left,
        decode_only,
        decode_batch: batch,
        counted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKLOAD: Workload = Workload { isl: 1000, osl: 101, prefix: 0, images: None };

    #[test]
    fn accepted_drafts_shorten_the_decode() {
        let draft = Draft { tokens: 2, accepted: 1.0 };
        assert_eq!((draft.width(), draft.progress()), (3, 2.0));
        let plain = schedule(Backend::Trtllm, WORKLOAD, 1.0, 8, 1000);
        let drafted = schedule(Backend::Trtllm, WORKLOAD, draft.progress(), 8, 1000);
        assert_eq!((plain.mixed, plain.decode_only), (8.0, 93.0));
        assert_eq!((drafted.mixed, drafted.decode_only), (8.0, 43.0));
    }

    #[test]
    fn nothing_is_accepted_without_drafts() {
        assert_eq!(Draft { tokens: 0, accepted: 0.9 }.progress(), 1.0);
    }
}
