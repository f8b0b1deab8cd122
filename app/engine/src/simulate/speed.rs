//! What one step of a worker costs.

use serde::{Deserialize, Serialize};

use super::grid::Grid;

/// Latency of a worker's steps, ms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Speed {
    /// A fixed time and so much per token and request.
    Affine(Affine),
    /// Tables of the performance model.
    Measured(Box<Measured>),
}

/// ms = base + prefill tokens × … + decode requests × … + KV tokens × …
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Affine {
    /// Of every step that prefills.
    pub prefill_ms: f64,
    /// Per prompt token.
    pub prefill_token_ms: f64,
    /// Of every step that only decodes.
    pub decode_ms: f64,
    /// Per decoding request.
    pub decode_request_ms: f64,
    /// Per token in the KV cache of decoding requests.
    pub decode_kv_ms: f64,
}

/// Tables of one worker; counts are those of one of its ranks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Attention-DP ranks that share the requests evenly.
    pub ranks: u32,
    /// Prefill over tokens (x) and requests (y) of a step.
    pub prefill: Grid,
    /// Decode over requests (x) and their mean context (y).
    pub decode: Grid,
    /// What steps that do both are made of, for aggregated workers.
    pub mixed: Option<Mixed>,
}

/// Parts of a step that prefills and decodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mixed {
    /// Everything but attention over all tokens of the step (x); y is not used.
    pub rest: Grid,
    /// Attention of the prompts over tokens (x) and requests (y).
    pub prefill_attention: Grid,
    /// Attention of decoding over requests (x) and their mean context (y).
    pub decode_attention: Grid,
}

/// What a step does.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Step {
    /// Prompt tokens.
    pub tokens: f64,
    /// Requests they belong to.
    pub prompts: f64,
    /// Decoding requests.
    pub decodes: f64,
    /// Tokens in the KV cache of the decoding requests.
    pub kv_tokens: f64,
}

impl Speed {
    /// Milliseconds of a step; 0 for one that does nothing.
    pub fn ms(&self, step: Step) -> f64 {
        let Step { tokens, prompts, decodes, kv_tokens } = step;
        if tokens <= 0.0 && decodes <= 0.0 {
            return 0.0;
        }
        match self {
            Self::Affine(speed) => {
                let base = if tokens > 0.0 { speed.prefill_ms } else { speed.decode_ms };
                base + speed.prefill_token_ms * tokens
                    + speed.decode_request_ms * decodes
                    + speed.decode_kv_ms * kv_tokens
            }
            Self::Measured(speed) => speed.ms(tokens, prompts, decodes, kv_tokens),
        }
    }

    /// Whether every step has a time: what comes from elsewhere is checked before it is used.
    pub fn is_sound(&self) -> bool {
        match self {
            Self::Affine(speed) => {
                let Affine { prefill_ms, prefill_token_ms, decode_ms, decode_request_ms, decode_kv_ms } =
                    *speed;
                let all = [prefill_ms, prefill_token_ms, decode_ms, decode_request_ms, decode_kv_ms];
                all.iter().all(|ms| ms.is_finite() && *ms >= 0.0) && prefill_ms + prefill_token_ms > 0.0
            }
            Self::Measured(speed) => {
                let mixed = speed.mixed.as_ref().is_none_or(|mixed| {
                    [&mixed.rest, &mixed.prefill_attention, &mixed.decode_attention]
                        .into_iter()
                        .all(Grid::is_sound)
                });
                mixed && speed.prefill.is_sound() && speed.decode.is_sound()
            }
        }
    }
}

impl Measured {
    fn ms(&self, tokens: f64, prompts: f64, decodes: f64, kv_tokens: f64) -> f64 {
        let ranks = f64::from(self.ranks.max(1));
        let (tokens, prompts) = (tokens / ranks, (prompts / ranks).max(1.0));
        let context = if decodes > 0.0 { kv_tokens / decodes } else { 0.0 };
        let decodes = if decodes > 0.0 { (decodes / ranks).max(1.0) } else { 0.0 };
        if tokens <= 0.0 {
            return self.decode.at(decodes, context);
        }
        if decodes <= 0.0 {
            return self.prefill.at(tokens, prompts);
        }
        match &self.mixed {
            Some(mixed) => {
                mixed.rest.at(tokens + decodes, 1.0)
                    + mixed.prefill_attention.at(tokens, prompts)
                    + mixed.decode_attention.at(decodes, context)
            }
            // One after the other, where nothing better is known.
            None => self.prefill.at(tokens, prompts) + self.decode.at(decodes, context),
        }
    }
}
