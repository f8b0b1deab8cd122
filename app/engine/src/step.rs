//! One engine step: the sum of its operators.

use crate::kernel::{Binder, Gap, Kernel, Shape, StepPart, Timing};
use crate::ops::OpLists;

/// A worker whose operators are bound to tables.
#[derive(Clone, Debug)]
pub struct Steps {
    context: Result<Vec<Kernel>, Gap>,
    generation: Result<Vec<Kernel>, Gap>,
}

/// Which operators of a step to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All.
    All,
    /// The attention kernel.
    Attention,
    /// All but the attention kernel.
    Rest,
    /// What takes longer the longer the sequences are.
    Growing,
    /// What does not.
    Steady,
}

impl Part {
    fn holds(self, kernel: &Kernel) -> bool {
        match self {
            Self::All => true,
            Self::Attention => kernel.part == StepPart::Attention,
            Self::Rest => kernel.part != StepPart::Attention,
            Self::Growing => kernel.grows,
            Self::Steady => !kernel.grows,
        }
    }
}

/// One operator of a step: the kernel and the shape it runs at.
pub type Call<'a> = (&'a Kernel, Shape);

impl Steps {
    /// Binds both phases; a phase without data keeps the reason.
    pub fn bind(binder: Binder<'_>, ops: &OpLists) -> Self {
        Self { context: binder.bind_all(&ops.context), generation: binder.bind_all(&ops.generation) }
    }

    /// Operators of a prefill step of `batch` requests with `new` tokens after `prefix` cached ones.
    pub fn context_calls(
        &self,
        batch: f64,
        new: f64,
        prefix: f64,
        part: Part,
    ) -> Result<impl Iterator<Item = Call<'_>>, Gap> {
        let kernels = self.context.as_ref().map_err(|&gap| gap)?;
        Ok(kernels.iter().filter(move |kernel| part.holds(kernel)).map(move |kernel| {
            // Only the last token of a request is projected onto the vocabulary.
            let tokens = if kernel.part == StepPart::Logits { batch } else { batch * new };
            (kernel, Shape { tokens, batch, seq: new, prefix })
        }))
    }

    /// Operators of a decode step of `batch` requests at this KV length.
    pub fn generation_calls(
        &self,
        batch: f64,
        length: f64,
        part: Part,
    ) -> Result<impl Iterator<Item = Call<'_>>, Gap> {
        let kernels = self.generation.as_ref().map_err(|&gap| gap)?;
        let shape = Shape { tokens: batch, batch, seq: length, prefix: 0.0 };
        Ok(kernels.iter().filter(move |kernel| part.holds(kernel)).map(move |kernel| (kernel, shape)))
    }

    /// Latency of a prefill step.
    pub fn context(&self, batch: f64, new: f64, prefix: f64, part: Part) -> Result<Timing, Gap> {
        sum(self.context_calls(batch, new, prefix, part)?)
    }

    /// Latency of a decode step.
    pub fn generation(&self, batch: f64, length: f64, part: Part) -> Result<Timing, Gap> {
        sum(self.generation_calls(batch, length, part)?)
    }
}

/// Latency of some operators.
pub fn sum<'a>(calls: impl Iterator<Item = Call<'a>>) -> Result<Timing, Gap> {
    let mut total = Timing::default();
    for (kernel, shape) in calls {
        total.add(kernel.count, kernel.latency(shape)?);
    }
    Ok(total)
}
