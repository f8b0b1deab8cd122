//! Kernels of layers with a recurrent state.

/// A kernel of a layer whose heads keep a matrix as their state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeltaKernel {
    /// Name in the tables.
    pub kernel: &'static str,
    /// What it does, which is what its roofline depends on.
    pub work: DeltaWork,
    /// The kind of step it was measured in.
    pub step: DeltaStep,
    /// Hidden size of the model.
    pub hidden: u32,
    /// Tokens that the convolution sees.
    pub conv: u32,
    /// Key heads of this rank.
    pub key_heads: u32,
    /// Size of a key head.
    pub key_size: u32,
    /// Value heads of this rank.
    pub value_heads: u32,
    /// Size of a value head.
    pub value_size: u32,
}

/// What a kernel of such a layer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeltaWork {
    /// Short convolution.
    Convolution,
    /// Many tokens of a sequence, in chunks.
    Chunks,
    /// One token of every sequence.
    Recurrence,
    /// A few drafted tokens of every sequence, with a state kept for each.
    Verification,
}

/// The kind of step that a kernel runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeltaStep {
    /// Prefill.
    Context,
    /// Decode.
    Generation,
    /// Decode that checks this many tokens per request.
    Verify(u32),
}

impl DeltaStep {
    /// Name in the tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Context => "context",
            Self::Generation => "generation",
            Self::Verify(_) => "verify",
        }
    }
}
