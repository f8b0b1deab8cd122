//! Every mistake a user can make in a scenario.

use serde::{Deserialize, Serialize};

use crate::scenario::Place;

/// A place that a search of several left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Skipped {
    /// The place.
    pub place: Place,
    /// Why.
    pub why: ScenarioError,
}

/// Why a scenario cannot be answered; the user can fix it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
pub enum ScenarioError {
    /// The model id is not in the catalogue.
    #[error("unknown model {id:?}")]
    UnknownModel {
        /// What was asked for.
        id: String,
        /// The closest known ids.
        close: Vec<String>,
    },
    /// The name of a model of the user's own cannot stand in a manifest or a link.
    #[error("{name:?} cannot name a model")]
    ModelName {
        /// The name.
        name: String,
    },
    /// The system id is not in the catalogue.
    #[error("unknown system {id:?}")]
    UnknownSystem {
        /// What was asked for.
        id: String,
        /// The closest known ids.
        close: Vec<String>,
    },
    /// The version has no data.
    #[error("no data for {backend} {version} on {system}")]
    UnknownVersion {
        /// System id.
        system: String,
        /// Backend.
        backend: String,
        /// What was asked for.
        version: String,
        /// Versions with data.
        have: Vec<String>,
    },
    /// Nothing was measured for this backend on this system.
    #[error("no measured data for {backend} on {system}")]
    NoPack {
        /// System id.
        system: String,
        /// Backend.
        backend: String,
        /// Systems with data for this backend.
        systems: Vec<String>,
    },
    /// A number is outside what makes sense.
    #[error("{field} is {value}; it must be {must}")]
    Number {
        /// The field.
        field: Field,
        /// What was given.
        value: String,
        /// What it must be.
        must: String,
    },
    /// A table that every layout needs was not measured at this precision.
    #[error("{table} was not measured at {precision} for {backend} on {system}")]
    NoTable {
        /// System id.
        system: String,
        /// Backend.
        backend: String,
        /// The operator family.
        table: String,
        /// The precision.
        precision: String,
        /// Precisions that were measured.
        have: Vec<String>,
    },
    /// Requests with images need a vision encoder.
    #[error("{model} takes no images")]
    NoVision {
        /// The model.
        model: String,
        /// Models that take images.
        have: Vec<String>,
    },
    /// The GPU has no arithmetic for this precision.
    #[error("{system} has no {pipe} tensor cores")]
    NoPeak {
        /// System id.
        system: String,
        /// The pipe.
        pipe: String,
    },
    /// None of several backends or systems can be searched.
    #[error("nothing to search: {} places have no data", .skipped.len())]
    Nowhere {
        /// Each of them.
        skipped: Vec<Skipped>,
    },
}

/// A field of the scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each variant is named by the field it stands for")]
pub enum Field {
    Model,
    System,
    DecodeSystem,
    Backend,
    Version,
    Gpus,
    RequestRate,
    Concurrency,
    Isl,
    Osl,
    Prefix,
    Ttft,
    Itl,
    RequestLatency,
    FreeMemoryFraction,
    MaxSeqLen,
    DraftTokens,
    DraftAccepted,
    Images,
    ImageWidth,
    ImageHeight,
    Encoder,
}

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Model => "model",
            Self::System => "GPU system",
            Self::DecodeSystem => "decode GPU system",
            Self::Backend => "backend",
            Self::Version => "version",
            Self::Gpus => "GPUs",
            Self::RequestRate => "request rate",
            Self::Concurrency => "concurrency",
            Self::Isl => "ISL",
            Self::Osl => "OSL",
            Self::Prefix => "prefix",
            Self::Ttft => "TTFT",
            Self::Itl => "ITL",
            Self::RequestLatency => "request latency",
            Self::FreeMemoryFraction => "memory fraction",
            Self::MaxSeqLen => "max sequence length",
            Self::DraftTokens => "draft tokens",
            Self::DraftAccepted => "accepted draft tokens",
            Self::Images => "images",
            Self::ImageWidth => "image width",
            Self::ImageHeight => "image height",
            Self::Encoder => "vision encoder",
        })
    }
}
