//! What a tick sees and what it asks for.

use serde::{Deserialize, Serialize};

use super::shape::PerRole;

/// Replicas of a role.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Ready now.
    pub ready: u32,
    /// Asked for; none when unknown.
    pub expected: Option<u32>,
    /// Verified to be starting: asked for, healthy, not ready yet.
    pub pending: u32,
    /// Whether a rollout of any kind is in progress.
    pub scaling: bool,
}

impl Count {
    /// A role at rest.
    pub const fn stable(ready: u32) -> Self {
        Self { ready, expected: Some(ready), pending: 0, scaling: false }
    }

    /// Whether replicas are on their way up or down.
    pub fn in_rollout(self) -> bool {
        self.scaling || self.expected.is_some_and(|expected| expected != self.ready)
    }

    /// Ready and starting replicas.
    pub fn with_pending(self) -> u32 {
        self.ready.saturating_add(self.pending)
    }
}

/// Replicas of both roles.
pub type Inventory = PerRole<Count>;

impl Inventory {
    /// Ready replicas.
    pub fn ready(self) -> PerRole<u32> {
        self.map(|count| count.ready)
    }

    /// Ready and starting replicas.
    pub fn with_pending(self) -> PerRole<u32> {
        self.map(Count::with_pending)
    }

    /// Whether workers are verified to be starting.
    pub fn starts(self) -> bool {
        self.prefill.pending > 0 || self.decode.pending > 0
    }

    /// Whether either role is on its way up or down.
    pub fn in_rollout(self) -> bool {
        self.prefill.in_rollout() || self.decode.in_rollout()
    }
}

/// Replicas wanted; none for a role that is left alone.
pub type Targets = PerRole<Option<u32>>;

/// Traffic since the last reading of it. None where a figure is unknown, which is not the same as 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Requests that arrived.
    pub requests: Option<f64>,
    /// Mean prompt tokens.
    pub isl: Option<f64>,
    /// Mean output tokens.
    pub osl: Option<f64>,
    /// Share of prompt tokens found in the KV cache, 0–1.
    pub kv_hit_rate: Option<f64>,
    /// Tokens accepted per pass of speculative decoding.
    pub accept_length: Option<f64>,
}

/// Work of a rank, scheduled or waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// Requests whose prompts are read.
    pub prefill_requests: u64,
    /// Their prompt tokens: those of the pass when scheduled, whole prompts when waiting.
    pub prefill_tokens: u64,
    /// Requests that write tokens; preempted ones when waiting.
    pub decode_requests: u64,
    /// Their tokens in the KV cache.
    pub decode_kv_tokens: u64,
}

/// The last forward pass of one rank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Worker.
    pub worker_id: u64,
    /// Attention data-parallel rank inside the worker.
    pub dp_rank: u32,
    /// Duration in s; 0 says that the rank is idle.
    pub wall_secs: f64,
    /// What the pass did.
    pub scheduled: Work,
    /// What waited.
    pub queued: Work,
}

/// What the next tick reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// Traffic of the last window.
    pub traffic: bool,
    /// The last forward pass of every rank.
    pub fpm: bool,
}
