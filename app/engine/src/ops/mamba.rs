//! State-space operators.

/// A kernel of a Mamba-2 layer. Its sizes are those of the whole model: that is how kernels were measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mamba2 {
    /// Which of the two kernels.
    pub kernel: MambaKernel,
    /// Whether this is a prefill step.
    pub is_context: bool,
    /// Hidden size.
    pub hidden: u32,
    /// Size of the state.
    pub state: u32,
    /// Width of the convolution, tokens.
    pub conv: u32,
    /// Heads.
    pub heads: u32,
    /// Size of one head.
    pub head_dim: u32,
    /// Groups that share their state projections.
    pub groups: u32,
    /// Tokens that a prefill kernel scans at once.
    pub chunk: u32,
}

/// The kernels of a Mamba-2 layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MambaKernel {
    /// Causal convolution over the last tokens.
    Conv,
    /// Update of the state and the layer's output.
    Scan,
}

impl Mamba2 {
    /// Name in the measured tables.
    pub const fn kernel_name(&self) -> &'static str {
        match (self.kernel, self.is_context) {
            (MambaKernel::Conv, true) => "causal_conv1d_fn",
            (MambaKernel::Conv, false) => "causal_conv1d_update",
            (MambaKernel::Scan, true) => "mamba_chunk_scan_combined",
            (MambaKernel::Scan, false) => "selective_state_update",
        }
    }
}
