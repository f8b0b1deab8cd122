//! Finds the table behind each operator.

use std::sync::Arc;

use super::attention::{ContextAttention, ContextSol, EncoderAttention, GenerationAttention, GenerationSol};
use super::comm::{Collective, growth};
use super::{Gap, Gemm, Kernel, MemoryOp, Run, ScaleTable};
use crate::ops::{self, Op, OpKind};
use crate::perf::grid::GridTable;
use crate::perf::{Part, PerfDb};
use crate::quant::{FmhaQuant, KvQuant, Pipe, Quant};

/// Decode attention runs in FP8 from this compute capability on.
const FP8_ATTENTION_SM: u32 = 89;

/// Binds operators to the tables of one system and backend.
#[derive(Clone, Copy, Debug)]
pub struct Binder<'a> {
    db: &'a PerfDb,
}

impl<'a> Binder<'a> {
    /// A binder over these tables.
    pub fn new(db: &'a PerfDb) -> Self {
        Self { db }
    }

    /// Binds a list of operators.
    pub fn bind_all(self, ops: &[Op]) -> Result<Vec<Kernel>, Gap> {
        ops.iter().map(|op| self.bind(op)).collect()
    }

    /// Binds one operator.
    pub fn bind(self, op: &Op) -> Result<Kernel, Gap> {
        let memory = |bytes_per_token| Run::Memory { op: MemoryOp::new(self.db.system()), bytes_per_token };
        let run = match op.kind {
            OpKind::Embedding { hidden, .. } => memory(2.0 * f64::from(hidden)),
            OpKind::Elementwise { bytes_per_token } => memory(bytes_per_token),
            OpKind::Gemm { n, k, quant, low_precision_input } => {
                Run::Gemm(Box::new(self.gemm(op.name, n, k, quant, low_precision_input)?))
            }
            OpKind::ContextAttention { .. } => self.context_attention(op)?,
            OpKind::GenerationAttention { .. } => self.generation_attention(op)?,
            OpKind::EncoderAttention { heads, head_dim, fmha } => {
                self.encoder_attention(op, heads, head_dim, fmha)?
            }
            OpKind::AllReduce { hidden, gpus } => self.all_reduce(op, hidden, gpus)?,
            OpKind::Nccl { collective, elements, gpus, dtype } => {
                self.nccl(op, collective, elements, gpus, dtype)?
            }
            OpKind::P2p { hidden, pp } => self.p2p(hidden, pp),
        };
        Ok(Kernel { name: op.name, count: op.count, seq_split: f64::from(op.seq_split), run })
    }

    fn peak(self, pipe: Pipe) -> Result<f64, Gap> {
        self.db.system().peak(pipe).ok_or(Gap::NoPeak(pipe))
    }

    fn gemm(self, name: &'static str, n: u32, k: u32, quant: Quant, low: bool) -> Result<Gemm, Gap> {
        let is_static = quant == Quant::Fp8Static;
        let quant = if is_static { Quant::Fp8 } else { quant };
        self.peak(quant.pipe())?;
        let table = self.db.gemm(quant).ok_or(Gap::NoData(name))?;
        let mut without = Vec::new();
        if is_static {
            without.push(self.scale_table("computescale", 2.0, false).ok_or(Gap::NoData(name))?);
            if low {
                without.push(self.scale_table("scale_matrix", 3.0, true).ok_or(Gap::NoData(name))?);
            }
        }
        let shape = table.shape(n, k);
        Ok(Gemm { table, shape, n: f64::from(n), k: f64::from(k), without, is_static })
    }

    fn scale_table(self, table: &str, bytes: f64, grows: bool) -> Option<ScaleTable> {
        let grid = self.db.grid(table, &[Part::Text("fp8")], None)?;
        let (m, k) = (grid.envelope(0)?, grid.envelope(1)?);
        let range = |(lo, hi): (u32, u32)| (f64::from(lo), f64::from(hi));
        let sol_per_element = bytes / self.db.system().mem_bw_bytes_per_sec * 1e3;
        Some(ScaleTable { table: Arc::new(grid), m: range(m), k: range(k), sol_per_element, grows })
    }

    fn context_attention(self, op: &Op) -> Result<Run, Gap> {
        let OpKind::ContextAttention { heads, kv_heads, head_dim, window, fmha, kv, qk_norm, cp } = op.kind
        else {
            return Err(Gap::NoData(op.name));
        };
        let shared = if kv_heads == heads { 0 } else { kv_heads };
        let key = [
            Part::Text(fmha.name()),
            Part::Text(kv.name()),
            Part::Int(shared),
            Part::Int(head_dim),
            Part::Int(window),
        ];
        let flops = self.peak(fmha.pipe())?;
        let slice = self.db.lane_slice("context_attention", &key).ok_or(Gap::NoData(op.name))?;
        let system = self.db.system();
        let (query, kv_width) = (f64::from(heads * head_dim), f64::from(kv_heads * head_dim));
        Ok(Run::ContextAttention(Box::new(ContextAttention {
            table: Arc::new(GridTable::new(slice.grid.clone(), Some(1), |_, ms| ms)),
            sol: ContextSol {
                flops,
                bandwidth: system.mem_bw_bytes_per_sec,
                kv_heads: f64::from(shared),
                head_dim: f64::from(head_dim),
                window: f64::from(window),
                kv_bytes: kv.bytes(),
            },
            heads: f64::from(heads),
            cp: f64::from(cp),
            extra_ms: ContextAttention::extra_ms(
                &MemoryOp::new(system),
                query,
                kv_width,
                fmha.bytes(),
                qk_norm,
            ),
        })))
    }

    /// Peak of decode attention: FP8 where both the cache and the GPU have it.
    fn decode_peak(self, kv: KvQuant) -> Result<f64, Gap> {
        let fp8 = kv == KvQuant::Fp8 && self.db.system().sm_version.is_some_and(|sm| sm >= FP8_ATTENTION_SM);
        self.peak(if fp8 { Pipe::Fp8 } else { Pipe::Bf16 })
    }

    fn generation_attention(self, op: &Op) -> Result<Run, Gap> {
        let OpKind::GenerationAttention { heads, kv_heads, head_dim, window, kv } = op.kind else {
            return Err(Gap::NoData(op.name));
        };
        let shared = if kv_heads == heads { 0 } else { kv_heads };
        let key = [Part::Text(kv.name()), Part::Int(shared), Part::Int(head_dim), Part::Int(window)];
        let flops = self.decode_peak(kv)?;
        let slice = self.db.lane_slice("generation_attention", &key).ok_or(Gap::NoData(op.name))?;
        let sol = GenerationSol {
            flops,
            bandwidth: self.db.system().mem_bw_bytes_per_sec,
            kv_heads: f64::from(shared),
            head_dim: f64::from(head_dim),
            window: f64::from(window),
            kv_bytes: kv.bytes(),
        };
        let table = Arc::new(GridTable::new(slice.grid.clone(), None, |q, ms| ms.max(sol.ms(q))));
        Ok(Run::GenerationAttention(Box::new(GenerationAttention { table, sol, heads: f64::from(heads) })))
    }

    fn encoder_attention(self, op: &Op, heads: u32, head_dim: u32, fmha: FmhaQuant) -> Result<Run, Gap> {
        let flops = self.peak(fmha.pipe())?;
        let key = [Part::Text(fmha.name()), Part::Int(head_dim)];
        let table = self.db.grid("encoder_attention", &key, Some(1)).ok_or(Gap::NoData(op.name))?;
        Ok(Run::EncoderAttention(Box::new(EncoderAttention {
            table: Arc::new(table),
            heads: f64::from(heads),
            head_dim: f64::from(head_dim),
            flops,
            bandwidth: self.db.system().mem_bw_bytes_per_sec,
        })))
    }

    fn all_reduce(self, op: &Op, hidden: u32, gpus: u32) -> Result<Run, Gap> {
        if gpus <= 1 {
            return Ok(Run::Nothing);
        }
        let missing = Gap::NoData(op.name);
        let fan_out = |slice: &perf_data::Slice| slice.key[0].as_int().map(|gpus| gpus as u32);
        let widest = self.db.slices("custom_allreduce").filter_map(fan_out).max().ok_or(missing)?;
        let curve = self.db.curve("custom_allreduce", &[Part::Int(gpus.min(widest))]).ok_or(missing)?;
        let system = self.db.system();
        let share = f64::from(gpus - 1) / f64::from(gpus);
        Ok(Run::Collective(Box::new(Collective {
            curve,
            elements_per_token: f64::from(hidden),
            growth: growth(system, gpus, widest),
            sol_ms_per_element: 4.0 * share / system.fan_out_bw(gpus) * 1e3,
        })))
    }

    fn nccl(
        self,
        op: &Op,
        collective: ops::Collective,
        elements: f64,
        gpus: u32,
        dtype: ops::CommQuant,
    ) -> Result<Run, Gap> {
        if gpus <= 1 {
            return Ok(Run::Nothing);
        }
        let missing = Gap::NoData(op.name);
        let kind = [Part::Text(dtype.name()), Part::Text(collective.name())];
        let widest = ["nccl", "oneccl"]
            .iter()
            .flat_map(|table| self.db.slices(table))
            .filter(|slice| kind[0].is(&slice.key[0]) && kind[1].is(&slice.key[1]))
            .filter_map(|slice| slice.key[2].as_int())
            .max()
            .ok_or(missing)? as u32;
        let key = [kind[0], kind[1], Part::Int(gpus.min(widest))];
        let curve = ["nccl", "oneccl"].iter().find_map(|table| self.db.curve(table, &key)).ok_or(missing)?;
        let system = self.db.system();
        let passes = if collective == ops::Collective::AllReduce { 2.0 } else { 1.0 };
        let share = f64::from(gpus - 1) / f64::from(gpus);
        Ok(Run::Collective(Box::new(Collective {
            curve,
            elements_per_token: elements,
            growth: growth(system, gpus, widest),
            sol_ms_per_element: passes * dtype.bytes() * share / system.fan_out_bw(gpus) * 1e3,
        })))
    }

    /// A pipeline hop always crosses nodes in the publisher's model.
    fn p2p(self, hidden: u32, pp: u32) -> Run {
        if pp <= 1 {
            return Run::Nothing;
        }
        let system = self.db.system();
        Run::P2p {
            ms_per_token: 2.0 * f64::from(hidden) / system.inter_node_bw * 1e3,
            constant_ms: system.p2p_latency_s * 1e3,
        }
    }
}
