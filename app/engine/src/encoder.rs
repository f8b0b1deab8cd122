//! The vision encoder: what it adds to a prefill, in time and in memory, and workers that only encode.
//!
//! Composition and memory rule as in the performance model of aiconfigurator 0.12.0 (see NOTICE).

use crate::backend::Backend;
use crate::kernel::{Binder, Gap, Kernel, Shape, Timing};
use crate::memory::{Fit, overhead, weights_per_gpu};
use crate::model::Vit;
use crate::models::vision::{self, ImageTokens, Sharing};
use crate::parallel::Parallel;
use crate::point::MemoryUse;
use crate::scenario::Images;
use crate::step::Call;
use crate::system::SystemSpec;

/// Least memory of the encoder's activations, bytes.
const ACTIVATION_FLOOR: f64 = (32u64 << 20) as f64;
/// Bytes per patch and hidden element: projections, attention output and feed-forward layer, 16 bits each.
const PATCH_BYTES: f64 = 6.0;
/// Bytes per element of a projected token.
const TOKEN_BYTES: f64 = 2.0;

/// A vision encoder whose operators are bound to tables, and the images it sees.
#[derive(Clone, Debug)]
pub struct Encoder {
    /// Operators that see all patches.
    patches: Result<Vec<Kernel>, Gap>,
    /// Operators that see merged patches.
    merged: Result<Vec<Kernel>, Gap>,
    tokens: ImageTokens,
    /// Images of one request.
    images: u32,
    /// Ranks that divide the images of a batch among themselves.
    ranks: u32,
    weights: f64,
    patch_bytes: f64,
    token_bytes: f64,
}

impl Encoder {
    /// The encoder on one of `tp` ranks; none when its layers do not divide by them.
    pub fn bind(binder: Binder<'_>, vit: &Vit, images: Images, tp: u32, sharing: Sharing) -> Option<Self> {
        if sharing == Sharing::Weights && !(vit.heads.is_multiple_of(tp) && vit.ffn.is_multiple_of(tp)) {
            return None;
        }
        let ops = vision::operators(vit, tp, sharing);
        let weights = weights_per_gpu(&ops, 1);
        let (merged, patches): (Vec<_>, Vec<_>) = ops.into_iter().partition(vision::sees_merged);
        Some(Self {
            patches: binder.bind_all(&patches),
            merged: binder.bind_all(&merged),
            tokens: ImageTokens::of(vit, images.height, images.width),
            images: images.count,
            ranks: if sharing == Sharing::Images { tp } else { 1 },
            weights,
            patch_bytes: PATCH_BYTES * f64::from(vit.hidden),
            token_bytes: TOKEN_BYTES * f64::from(vit.out) * f64::from(vit.projector_instances),
        })
    }

    /// Images of a batch on the busiest rank.
    fn local_images(&self, batch: u32) -> f64 {
        (f64::from(batch) * f64::from(self.images) / f64::from(self.ranks)).ceil()
    }

    /// Operators on the images of a batch of requests.
    pub fn calls(&self, batch: u32) -> Result<impl Iterator<Item = Call<'_>>, Gap> {
        let images = self.local_images(batch);
        let of = move |tokens: u32| {
            let seq = f64::from(tokens);
            Shape { tokens: images * seq, batch: images, seq, prefix: 0.0 }
        };
        let (patches, merged) = (of(self.tokens.patches), of(self.tokens.merged));
        let call = |shape: Shape| move |kernel| (kernel, shape);
        let first = self.patches.as_ref().map_err(|&gap| gap)?.iter().map(call(patches));
        Ok(first.chain(self.merged.as_ref().map_err(|&gap| gap)?.iter().map(call(merged))))
    }

    /// Latency of encoding the images of a batch of requests.
    pub fn latency(&self, batch: u32) -> Result<Timing, Gap> {
        crate::step::sum(self.calls(batch)?)
    }

    /// Weights and activations on one GPU, bytes; every rank ends with the tokens of the whole batch.
    pub fn bytes(&self, batch: u32) -> f64 {
        let patches = self.local_images(batch) * f64::from(self.tokens.patches);
        let merged = f64::from(batch) * f64::from(self.images) * f64::from(self.tokens.merged);
        self.weights + (patches * self.patch_bytes + merged * self.token_bytes).max(ACTIVATION_FLOOR)
    }
}

/// A worker that only encodes images: every rank holds a part of the weights.
#[derive(Clone, Debug)]
pub struct EncoderWorker {
    /// Layout: tensor parallel only.
    pub parallel: Parallel,
    encoder: Encoder,
    comm: f64,
    other: f64,
    capacity: f64,
}

impl EncoderWorker {
    /// A worker of `tp` GPUs; none for sizes that the encoder does not divide by or without known buffers.
    pub fn bind(
        binder: Binder<'_>,
        system: &SystemSpec,
        backend: Backend,
        vit: &Vit,
        images: Images,
        tp: u32,
    ) -> Option<Self> {
        let (comm, other) = overhead(system, backend, tp)?;
        let encoder = Encoder::bind(binder, vit, images, tp, Sharing::Weights)?;
        let capacity = system.mem_bytes as f64;
        Some(Self { parallel: Parallel::dense(tp, 1, 1), encoder, comm, other, capacity })
    }

    /// Its encoder.
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// Memory on one GPU for a batch of requests, and whether it fits.
    pub fn memory(&self, batch: u32) -> (MemoryUse, Fit) {
        let memory = MemoryUse {
            comm: self.comm,
            encoder: self.encoder.bytes(batch),
            other: self.other,
            capacity: self.capacity,
            ..MemoryUse::default()
        };
        (memory, if memory.total() >= self.capacity { Fit::No } else { Fit::Yes })
    }
}
