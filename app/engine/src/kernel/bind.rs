//! Finds the tables behind each operator.

use std::sync::Arc;

use super::compose::{Fallback, Overlap};
use super::{Gap, Kernel, Measure, StepPart};
use crate::ops::{ATTENTION, LOGITS, Op, OpKind};
use crate::perf::PerfDb;
use crate::quant::{KvQuant, Pipe};
use crate::source::DataMode;

/// Decode attention runs in FP8 from this compute capability on.
const FP8_ATTENTION_SM: u32 = 89;

/// Binds operators to the tables of one system and backend.
#[derive(Clone, Copy, Debug)]
pub struct Binder<'a> {
    db: &'a PerfDb,
    mode: DataMode,
}

impl<'a> Binder<'a> {
    /// A binder over these tables.
    pub fn new(db: &'a PerfDb) -> Self {
        Self { db, mode: db.mode() }
    }

    /// A binder over the same tables that estimates nothing.
    pub(super) fn measured_only(self) -> Self {
        Self { mode: DataMode::Silicon, ..self }
    }

    pub(super) fn mode(self) -> DataMode {
        self.mode
    }

    pub(super) fn db(self) -> &'a PerfDb {
        self.db
    }

    /// Binds a list of operators.
    pub fn bind_all(self, ops: &[Op]) -> Result<Vec<Kernel>, Gap> {
        ops.iter().map(|op| self.bind(op)).collect()
    }

    /// Binds one operator.
    pub fn bind(self, op: &Op) -> Result<Kernel, Gap> {
        let part = match op.name.as_str() {
            ATTENTION => StepPart::Attention,
            name if name.contains(LOGITS) => StepPart::Logits,
            _ => StepPart::Rest,
        };
        Ok(Kernel {
            name: op.name.as_str().into(),
            count: op.count,
            part,
            grows: op.grows(),
            label: op.kind.label(),
            token_divisor: f64::from(op.token_divisor),
            seq_split: f64::from(op.seq_split),
            run: self.measure(&op.kind)?,
        })
    }

    fn measure(self, kind: &OpKind) -> Result<Arc<dyn Measure>, Gap> {
        match kind {
            OpKind::Embedding { hidden, .. } => Ok(self.per_token(2.0 * f64::from(*hidden))),
            OpKind::Elementwise { bytes_per_token } => Ok(self.per_token(*bytes_per_token)),
            OpKind::Gemm { .. } => self.gemm(kind),
            OpKind::ContextAttention { .. } => self.context_attention(kind),
            OpKind::GenerationAttention { .. } => self.generation_attention(kind),
            OpKind::EncoderAttention { .. } => self.encoder_attention(kind),
            OpKind::AllReduce { hidden, gpus } => {
                Ok(super::comm::one(self.all_reduce(f64::from(*hidden), *gpus)?))
            }
            OpKind::Nccl { collective, elements, gpus, dtype } => {
                Ok(super::comm::one(self.nccl(*collective, *elements, *gpus, *dtype)?))
            }
            OpKind::P2p { hidden, pp } => Ok(self.p2p(*hidden, *pp)),
            OpKind::Moe(experts) => self.moe(*experts),
            OpKind::MoeDispatch(dispatch) => self.dispatch(*dispatch),
            OpKind::Mla { heads, fmha, kv, cp } => self.mla(*heads, *fmha, *kv, *cp),
            OpKind::MlaModule { heads, fmha, kv, gemm } => self.mla_module(*heads, *fmha, *kv, *gemm),
            OpKind::MlaBmm { heads, quant, pre } => self.mla_bmm(*heads, *quant, *pre),
            OpKind::Mamba2(op) => Ok(self.mamba2(*op)),
            OpKind::Gdn(kernel) => Ok(self.gdn(*kernel)),
            OpKind::Kda(kernel) => Ok(self.kda(*kernel)),
            OpKind::Dsa(block) => self.dsa(block),
            OpKind::Msa(block) => self.msa(block),
            OpKind::Dsv4(block) => self.dsv4(block),
            OpKind::StreamMix(mix) => self.stream_mix(mix),
            OpKind::Exchange(exchange) => self.exchange(*exchange),
            OpKind::WideMoe(experts) => self.wide_moe(*experts),
            OpKind::WideMla { .. } => self.wide_mla(kind).ok_or(Gap::NoData(kind.label()))?,
            OpKind::Overlap { a, b } => Ok(Arc::new(Overlap { a: self.bind_all(a)?, b: self.bind_all(b)? })),
            OpKind::Fallback { primary, otherwise } => {
                // What stands in for a whole block is closer to it than an estimate of the block.
                let block = if self.mode == DataMode::Hybrid { self.measured_only() } else { self };
                let primary = match block.bind(primary) {
                    Ok(kernel) => vec![kernel],
                    // The publisher estimates the block or nothing.
                    Err(gap @ Gap::NoEstimate(_)) => return Err(gap),
                    Err(_) => Vec::new(),
                };
                let otherwise = self.bind_all(otherwise);
                match otherwise {
                    Err(gap) if primary.is_empty() => Err(gap),
                    otherwise => Ok(Arc::new(Fallback { primary, otherwise })),
                }
            }
        }
    }

    pub(super) fn peak(self, pipe: Pipe) -> Result<f64, Gap> {
        self.db.system().peak(pipe).ok_or(Gap::NoPeak(pipe))
    }

    /// Peak of decode attention: FP8 where both the cache and the GPU have it.
    pub(super) fn decode_peak(self, kv: KvQuant) -> Result<f64, Gap> {
        let fp8 = kv == KvQuant::Fp8 && self.db.system().sm_version.is_some_and(|sm| sm >= FP8_ATTENTION_SM);
        self.peak(if fp8 { Pipe::Fp8 } else { Pipe::Bf16 })
    }
}
