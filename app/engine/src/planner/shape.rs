//! What is scaled: roles, their workers, what a forward pass of one costs.

use serde::{Deserialize, Serialize};

/// What a worker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads prompts.
    Prefill,
    /// Writes tokens.
    Decode,
    /// Does both; counted among the decode workers.
    Aggregated,
}

/// One value for prefill, one for decode; aggregated workers use the one for decode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PerRole<T> {
    /// Of prefill workers.
    pub prefill: T,
    /// Of decode or aggregated workers.
    pub decode: T,
}

impl<T> PerRole<T> {
    /// The value of a role.
    pub const fn of(&self, role: Role) -> &T {
        match role {
            Role::Prefill => &self.prefill,
            Role::Decode | Role::Aggregated => &self.decode,
        }
    }

    /// The value of a role, to change it.
    pub const fn of_mut(&mut self, role: Role) -> &mut T {
        match role {
            Role::Prefill => &mut self.prefill,
            Role::Decode | Role::Aggregated => &mut self.decode,
        }
    }

    /// Another value of each.
    pub fn map<U>(self, f: impl Fn(T) -> U) -> PerRole<U> {
        PerRole { prefill: f(self.prefill), decode: f(self.decode) }
    }

    /// A value of each two.
    pub fn zip<U, V>(self, other: PerRole<U>, f: impl Fn(T, U) -> V) -> PerRole<V> {
        PerRole { prefill: f(self.prefill, other.prefill), decode: f(self.decode, other.decode) }
    }
}

/// What one worker can hold. A limit of 0 says that the worker cannot be modelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Tokens of one forward pass.
    pub max_batched_tokens: u32,
    /// Requests of one forward pass.
    pub max_sequences: u32,
    /// Tokens in the KV cache.
    pub max_kv_tokens: u64,
    /// Tokens of the longest request; none when unknown.
    pub context_length: Option<u32>,
}

impl Default for Limits {
    /// What is assumed of a worker that does not say.
    fn default() -> Self {
        Self { max_batched_tokens: 8192, max_sequences: 512, max_kv_tokens: 2_000_000, context_length: None }
    }
}

impl Limits {
    /// Whether forward passes can be modelled at all.
    pub(super) fn usable(&self) -> bool {
        self.max_batched_tokens > 0 && self.max_sequences > 0 && self.max_kv_tokens > 0
    }
}

/// The workers of a role.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoleShape {
    /// GPUs of one replica; 0 when unknown, which leaves budgets aside.
    pub gpus_per_replica: u32,
    /// What one worker can hold.
    pub limits: Limits,
    /// Watts that one replica may draw; none when no limit is set.
    pub watts: Option<f64>,
}

impl Default for RoleShape {
    fn default() -> Self {
        Self { gpus_per_replica: 1, limits: Limits::default(), watts: None }
    }
}

/// The workers of both roles.
pub type Shape = PerRole<RoleShape>;

/// One forward pass of one rank.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pass {
    /// Requests whose prompts are read.
    pub prefill_requests: f64,
    /// Prompt tokens computed.
    pub prefill_tokens: f64,
    /// Requests that get their next token.
    pub decode_requests: f64,
    /// Tokens in the KV cache of those requests.
    pub decode_kv_tokens: f64,
}

/// What a forward pass costs.
pub trait Estimator {
    /// Duration in ms; none while the estimator is not ready.
    fn forward_ms(&self, role: Role, pass: Pass) -> Option<f64>;

    /// Learns from a finished pass; an estimator that knows everything beforehand ignores it.
    fn observe(&mut self, role: Role, record: &super::Record) {
        let _ = (role, record);
    }
}
