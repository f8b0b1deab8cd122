//! What the user typed: plain, always constructible, not yet checked.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::backend::Backend;
use crate::catalog::Catalog;
use crate::custom::Custom;
use crate::model::ModelSpec;
use crate::quant::{FmhaQuant, KvQuant, Quant};
use crate::source::DataMode;

/// One question: which deployment of this model serves this traffic within this SLO at the lowest cost?
///
/// The default is the question the page opens on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    /// Model id, such as `Qwen/Qwen3-32B-FP8`; the name of a model of the user's own when `custom` is set.
    pub model: String,
    /// Facts of a model of the user's own; none takes those of the catalogue.
    pub custom: Option<Custom>,
    /// GPU system id, such as `h100_sxm`; prefill side when `decode_system` is set.
    pub system: String,
    /// System of the decode workers, when it differs.
    pub decode_system: Option<String>,
    /// Inference engine.
    pub backend: Backend,
    /// Whether other systems and backends are searched as well.
    pub reach: Reach,
    /// Data version; none means the current one.
    pub version: Option<String>,
    /// Request shape.
    pub workload: Workload,
    /// Latency targets.
    pub sla: Sla,
    /// What to optimise for.
    pub goal: Goal,
    /// Serving modes to search.
    pub serving: Serving,
    /// Precisions that override those of the checkpoint.
    pub quant: QuantChoice,
    /// Engine settings.
    pub engine: EngineOptions,
    /// How to search.
    pub policy: Policy,
    /// What answers for an operator.
    #[serde(default)]
    pub mode: DataMode,
}

/// How far a search reaches beyond one backend on one GPU system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// Every backend, whatever `backend` says.
    pub every_backend: bool,
    /// Every GPU system with data, whatever `system` says.
    pub every_system: bool,
}

impl Reach {
    /// Whether more than one place may be searched.
    pub const fn is_wide(self) -> bool {
        self.every_backend || self.every_system
    }
}

/// One backend on one GPU system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// GPU system id; prefill side when decode workers run elsewhere.
    pub system: String,
    /// Inference engine.
    pub backend: Backend,
}

impl Scenario {
    /// Facts of the model, under the name it has here: the user's own, else the catalogue's.
    pub fn spec<'a>(&self, catalog: &'a Catalog) -> Option<Cow<'a, ModelSpec>> {
        match &self.custom {
            Some(custom) => Some(Cow::Owned(ModelSpec { id: self.model.clone(), ..custom.spec().clone() })),
            None => catalog.model(&self.model).map(Cow::Borrowed),
        }
    }

    /// Chooses a model of the catalogue.
    pub fn choose(&mut self, id: &str) {
        id.clone_into(&mut self.model);
        self.custom = None;
    }

    /// Asks for one backend, or for all of them.
    pub fn set_backend(&mut self, backend: Option<Backend>) {
        self.reach.every_backend = backend.is_none();
        self.backend = backend.unwrap_or(Backend::Trtllm);
    }

    /// Asks for one GPU system, or for all of them.
    pub fn set_system(&mut self, system: Option<&str>) {
        self.reach.every_system = system.is_none();
        system.unwrap_or("h100_sxm").clone_into(&mut self.system);
    }

    /// The backend, unless all of them are searched.
    pub fn one_backend(&self) -> Option<Backend> {
        (!self.reach.every_backend).then_some(self.backend)
    }

    /// The GPU system, unless all of them are searched.
    pub fn one_system(&self) -> Option<&str> {
        (!self.reach.every_system).then_some(&self.system)
    }

    /// The same question for one backend on one GPU system.
    #[must_use]
    pub fn at(&self, place: &Place) -> Self {
        let Place { system, backend } = place.clone();
        Self { system, backend, reach: Reach::default(), ..self.clone() }
    }

    /// Where it is asked when nothing else is searched.
    pub fn home(&self) -> Place {
        Place { system: self.system.clone(), backend: self.backend }
    }

    /// Whether an answer to `other` can be kept for this: they differ in SLO and goal at most, and the policy's
    /// layouts depend on neither.
    pub fn keeps(&self, other: &Self) -> bool {
        let moved = Self { sla: other.sla, goal: other.goal, ..self.clone() };
        // The reference's own search depends on both.
        moved == *other && (self.policy == Policy::Exhaustive || self == other)
    }
}

/// Tokens of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// Input tokens, cached ones included.
    pub isl: u32,
    /// Output tokens.
    pub osl: u32,
    /// Leading input tokens that are already cached.
    pub prefix: u32,
    /// Images, whose tokens come on top of the input tokens.
    pub images: Option<Images>,
}

/// Images of one request, all of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Images {
    /// How many.
    pub count: u32,
    /// Width, pixels.
    pub width: u32,
    /// Height, pixels.
    pub height: u32,
}

/// One image of common size.
impl Default for Images {
    fn default() -> Self {
        Self { count: 1, width: 1024, height: 768 }
    }
}

/// Where the vision encoder of a request with images runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EncoderPlace {
    /// Before prefill, each rank of the worker on a part of the images.
    #[default]
    Images,
    /// Before prefill, each rank of the worker with a part of the weights.
    Weights,
    /// On workers of its own, which split its weights.
    Workers,
}

/// Latency targets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sla {
    /// Time to first token, ms.
    pub ttft_ms: f64,
    /// Inter-token latency, ms (first token excluded).
    pub itl_ms: f64,
    /// End-to-end latency of a request, ms; when set it replaces the ITL target.
    pub request_latency_ms: Option<f64>,
    /// Hide everything beyond the targets instead of dimming it.
    pub strict: bool,
}

/// What to optimise for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Goal {
    /// The highest throughput on this many GPUs.
    Gpus(u32),
    /// The fewest GPUs that serve this many requests per second.
    RequestRate(f64),
    /// The fewest GPUs that hold this many requests in flight.
    Concurrency(u32),
}

/// Serving modes to search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Serving {
    /// Aggregated and disaggregated.
    Both,
    /// Prefill and decode on the same workers.
    Agg,
    /// Prefill and decode on separate workers.
    Disagg,
}

impl Serving {
    /// Whether aggregated serving is searched.
    pub const fn agg(self) -> bool {
        matches!(self, Self::Both | Self::Agg)
    }
    /// Whether disaggregated serving is searched.
    pub const fn disagg(self) -> bool {
        matches!(self, Self::Both | Self::Disagg)
    }
}

/// Precisions that override those of the checkpoint; none keeps the checkpoint's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuantChoice {
    /// Dense weight matrices.
    pub gemm: Option<Quant>,
    /// KV cache.
    pub kv: Option<KvQuant>,
    /// Prefill attention.
    pub fmha: Option<FmhaQuant>,
}

/// Engine settings; the defaults are the backend's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EngineOptions {
    /// Search finer context-token budgets per mixed step (aggregated serving).
    pub chunked_prefill: bool,
    /// Share of GPU memory for the KV cache, in (0, 1].
    pub free_memory_fraction: Option<f64>,
    /// KV slot length in tokens (TensorRT-LLM, aggregated serving).
    pub max_seq_len: Option<u32>,
    /// Also search pipeline parallel sizes 2 and 4.
    pub pipeline: bool,
    /// Draft tokens of speculative decoding (MTP) per step; 0 is off.
    pub draft_tokens: u32,
    /// Draft tokens that are accepted on average, at most all of them.
    pub draft_accepted: f64,
    /// Where the vision encoder runs; only matters when requests have images.
    pub encoder: EncoderPlace,
}

/// How to search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Policy {
    /// Every layout and cluster split; exact batches at the SLO.
    Exhaustive,
    /// The grids, rounding and limits of AI Configurator 0.12.0, pick for pick.
    Reference,
}

impl Scenario {
    /// Whether images are encoded on workers of their own.
    pub fn has_encoder_workers(&self) -> bool {
        self.workload.images.is_some() && self.engine.encoder == EncoderPlace::Workers
    }
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            model: "Qwen/Qwen3-32B-FP8".to_owned(),
            custom: None,
            system: "h100_sxm".to_owned(),
            decode_system: None,
            backend: Backend::Trtllm,
            reach: Reach::default(),
            version: None,
            workload: Workload { isl: 4000, osl: 500, prefix: 0, images: None },
            sla: Sla { ttft_ms: 500.0, itl_ms: 30.0, request_latency_ms: None, strict: false },
            goal: Goal::Gpus(32),
            serving: Serving::Both,
            quant: QuantChoice::default(),
            engine: EngineOptions::default(),
            policy: Policy::Exhaustive,
            mode: DataMode::Silicon,
        }
    }
}
