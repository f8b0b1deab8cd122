//! Facts of a vision encoder.

use serde::{Deserialize, Serialize};

/// A vision encoder and its projectors (Qwen3-VL).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vit {
    /// Layers.
    pub depth: u32,
    /// Hidden size.
    pub hidden: u32,
    /// Attention heads.
    pub heads: u32,
    /// Width of the feed-forward layer.
    pub ffn: u32,
    /// Pixels of a patch along one side.
    pub patch: u32,
    /// Patches merged into one token along one side.
    pub merge: u32,
    /// Width of a projected token.
    pub out: u32,
    /// Inner and outer width of each layer of a projector.
    pub projector: Vec<[u32; 2]>,
    /// Projectors: one at the end and one per tapped layer.
    pub projector_instances: u32,
}
