//! Mamba-2 kernels: measured in prefill, at the speed of memory elsewhere.

use std::sync::Arc;

use perf_data::Slice;

use super::{Binder, Measure, Roofline, Shape, Timing};
use crate::ops::{Mamba2, MambaKernel};
use crate::perf::Part;
use crate::perf::grid::{GridTable, Miss};
use crate::source::{DataMode, Source};

/// One kernel; without a table the roofline answers.
#[derive(Clone, Debug)]
struct Mamba {
    table: Option<GridTable>,
    is_context: bool,
    ms_per_token: f64,
    bare: bool,
}

impl Mamba {
    fn sol(&self, batch: f64, seq: f64) -> f64 {
        let tokens = if self.is_context && seq > 0.0 { batch * seq } else { batch };
        tokens * self.ms_per_token
    }
}

impl Measure for Mamba {
    fn latency(&self, Shape { batch, seq, .. }: Shape, _: f64) -> Result<Timing, Miss> {
        let sol = |q: &[f64]| self.sol(q[0], q[1]);
        let measured = self.table.as_ref().and_then(|table| table.query(&[batch, seq], &sol).ok());
        let ms = || self.sol(batch, seq);
        let formula = || if self.bare { Timing::roofline(ms()) } else { Timing::formula(ms()) };
        Ok(measured.map_or_else(formula, Timing::from))
    }

    fn roofline(&self, Shape { batch, seq, .. }: Shape, _: f64) -> Roofline {
        Roofline::of(0.0, self.sol(batch, seq))
    }

    fn source(&self) -> Source {
        if self.table.is_some() { Source::Silicon } else { Source::Sol }
    }
}

impl Binder<'_> {
    pub(super) fn mamba2(self, op: Mamba2) -> Arc<dyn Measure> {
        // The publisher never reads decode rows of these kernels.
        let table = self.mamba_slice(op).filter(|_| op.is_context);
        let table = table.map(|slice| GridTable::new(slice.grid.clone(), None, |_, ms| ms));
        let ms_per_byte = 1e3 / self.db().system().mem_bw_bytes_per_sec;
        let ms_per_token = bytes_per_token(op) * ms_per_byte;
        let bare = self.mode() == DataMode::Sol;
        Arc::new(Mamba { table, is_context: op.is_context, ms_per_token, bare })
    }

    /// Rows of exactly this shape, or of the first other shape of the same kernel and hidden size.
    fn mamba_slice(&self, op: Mamba2) -> Option<&Slice> {
        let phase = if op.is_context { "context" } else { "generation" };
        let same = [Part::Text(op.kernel_name()), Part::Text(phase), Part::Int(op.hidden)];
        let sizes = [op.state, op.conv, op.heads, op.head_dim, op.groups, op.chunk].map(Part::Int);
        let all = |slice: &&Slice, from: usize, want: &[Part<'_>]| {
            want.iter().zip(&slice.key[from..]).all(|(part, key)| part.is(key))
        };
        let near = || self.db().slices("mamba2").filter(|slice| all(slice, 0, &same));
        near()
            .find(|slice| all(slice, same.len(), &sizes))
            .or_else(|| near().min_by(|a, b| a.key.cmp(&b.key)))
    }
}

/// What a kernel reads and writes for one token, 16-bit.
fn bytes_per_token(op: Mamba2) -> f64 {
    let inner = f64::from(op.heads) * f64::from(op.head_dim);
    let with_states = inner + 2.0 * f64::from(op.groups) * f64::from(op.state);
    2.0 * match op.kernel {
        MambaKernel::Conv => with_states * f64::from(op.conv + 1) + with_states,
        MambaKernel::Scan => with_states + f64::from(op.heads) + inner,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Mamba2 = Mamba2 {
        kernel: MambaKernel::Conv,
        is_context: true,
        hidden: 64,
        state: 4,
        conv: 3,
        heads: 2,
        head_dim: 8,
        groups: 1,
        chunk: 16,
    };

    #[test]
    fn kernels_move_their_channels() {
        assert_eq!(bytes_per_token(SHAPE), 240.0);
        assert_eq!(bytes_per_token(Mamba2 { kernel: MambaKernel::Scan, ..SHAPE }), 84.0);
    }

    #[test]
    fn prefill_sees_every_token_and_decode_one_per_request() {
        let prefill = Mamba { table: None, is_context: true, ms_per_token: 0.5, bare: false };
        let decode = Mamba { is_context: false, ..prefill.clone() };
        assert_eq!((prefill.sol(2.0, 10.0), decode.sol(2.0, 10.0)), (10.0, 1.0));
    }
}
