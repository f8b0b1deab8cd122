//! Routed experts and the exchange of tokens around them.

use std::sync::Arc;

use perf_data::{Key, Slice};

use super::answer::Answer;
use super::comm::{Collective, Sequence};
use super::{Binder, Gap, Measure, Nothing, Roofline, Shape, Timing};
use crate::backend::Backend;
use crate::ops::{self, CommQuant, Dispatch, Experts, WideExperts};
use crate::perf::Part;
use crate::perf::curve::Curve;
use crate::perf::grid::Miss;
use crate::quant::{Pipe, Quant};

const LABEL: &str = ops::ROUTED_EXPERTS;
/// Small batches of gated 4-bit experts have a kernel of their own up to this many tokens.
const LOW_LATENCY_TOKENS: f64 = 128.0;

/// Routed experts over measured token counts.
#[derive(Clone, Debug)]
struct Moe {
    all: Option<Answer<Curve>>,
    low_latency: Option<Answer<Curve>>,
    sol: MoeSol,
}

/// Roofline of routed experts over tokens.
#[derive(Clone, Copy, Debug)]
pub(super) struct MoeSol {
    pub shape: Experts,
    pub flops: f64,
    pub bandwidth: f64,
}

impl MoeSol {
    /// Compute-bound and memory-bound time, ms; whole numbers, rounded down from left to right.
    fn parts(&self, tokens: f64) -> (f64, f64) {
        let Experts { hidden, inter, topk, experts, moe_tp, moe_ep, quant, gated, .. } = self.shape;
        let wide = |value: u32| u128::from(value);
        let (hidden, inter, ep, tp) = (wide(hidden), wide(inter), wide(moe_ep), wide(moe_tp));
        let matrices = if gated { 3 } else { 2 };
        let routed = tokens as u128 * wide(topk);
        let operations = routed * hidden * inter * matrices * 2 / ep / tp;
        let here = routed / ep;
        let elements = here * hidden * 2
            + here * inter * matrices / tp
            + hidden * inter * matrices / tp * (wide(experts) / ep).min(here);
        let compute = operations as f64 / self.flops * 1e3;
        let memory = elements as f64 * quant.bytes() / self.bandwidth * 1e3;
        (compute, memory)
    }

    pub(super) fn ms(&self, tokens: f64) -> f64 {
        let (compute, memory) = self.parts(tokens);
        compute.max(memory)
    }
}

impl Moe {
    fn read(&self, answer: &Answer<Curve>, tokens: f64) -> Result<Timing, Miss> {
        let read = |curve: &Curve| {
            // One point says nothing about fewer tokens.
            let (first, last) = curve.range();
            if first == last && tokens < f64::from(first) {
                return Err(Miss);
            }
            Ok(curve.query(tokens, |tokens| self.sol.ms(tokens))?.into())
        };
        answer.timing(read, &[tokens], || self.sol.ms(tokens))
    }
}

impl Measure for Moe {
    fn latency(&self, _: Shape, tokens: f64) -> Result<Timing, Miss> {
        // All data parallel ranks share one pool of experts.
        let tokens = tokens * f64::from(self.sol.shape.dp);
        if let Some(quick) = self.low_latency.as_ref().filter(|_| tokens <= LOW_LATENCY_TOKENS) {
            return self.read(quick, tokens);
        }
        self.read(self.all.as_ref().ok_or(Miss)?, tokens)
    }

    fn roofline(&self, _: Shape, tokens: f64) -> Roofline {
        let (compute, memory) = self.sol.parts(tokens * f64::from(self.sol.shape.dp));
        Roofline::of(compute, memory)
    }
}

fn curve(slice: &Slice) -> Option<Curve> {
    Curve::new(slice.grid.levels.first()?.keys.clone(), slice.grid.values.clone())
}

/// Rows of small batches, which have a kernel of their own, or of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MoeRows {
    All,
    LowLatency,
}

impl<'a> Binder<'a> {
    /// The rows at one precision, with the distribution they are read at: one that was not collected at all is
    /// read from the uniform rows.
    pub(super) fn moe_rows(
        self,
        shape: Experts,
        rows: MoeRows,
    ) -> (&'static str, impl Iterator<Item = &'a Slice>) {
        let low_latency = Part::Int(u32::from(rows == MoeRows::LowLatency));
        let at = move |slice: &&Slice, distribution: &str| {
            Part::Text(shape.quant.name()).is(&slice.key[0])
                && Part::Text(distribution).is(&slice.key[1])
                && low_latency.is(&slice.key[8])
        };
        let collected = self.db().slices("moe").any(|slice| at(&slice, shape.distribution));
        let distribution = if collected { shape.distribution } else { "uniform" };
        (distribution, self.db().slices("moe").filter(move |slice| at(slice, distribution)))
    }

    /// The rows of exactly this shape.
    pub(super) fn moe_slice(self, shape: Experts, rows: MoeRows) -> Option<&'a Slice> {
        let Experts { topk, experts, hidden, inter, moe_tp, moe_ep, .. } = shape;
        let sizes = [topk, experts, hidden, inter, moe_tp, moe_ep].map(Part::Int);
        let (_, mut slices) = self.moe_rows(shape, rows);
        slices.find(|slice| crate::perf::matches(&slice.key[2..8], &sizes))
    }

    pub(super) fn moe_sol(self, shape: Experts) -> Result<MoeSol, Gap> {
        let bandwidth = self.db().system().mem_bw_bytes_per_sec;
        Ok(MoeSol { shape, flops: self.peak(shape.quant.pipe())?, bandwidth })
    }

    pub(super) fn moe(self, shape: Experts) -> Result<Arc<dyn Measure>, Gap> {
        let sol = self.moe_sol(shape)?;
        let quick = self.moe_slice(shape, MoeRows::LowLatency);
        let quick = quick.filter(|_| shape.quant == Quant::Nvfp4 && shape.gated);
        let low_latency = match quick {
            Some(_) => Some(self.curve_answer(LABEL, quick, |tokens| sol.ms(tokens))?),
            None => None,
        };
        let table = || curve(self.moe_slice(shape, MoeRows::All)?);
        let all = match self.answer(LABEL, table, || self.moe_estimate(shape)) {
            Err(gap) if low_latency.is_none() => return Err(gap),
            all => all.ok(),
        };
        Ok(Arc::new(Moe { all, low_latency, sol }))
    }

    /// Experts behind an all-to-all exchange; engines other than SGLang also have those of the ordinary table.
    pub(super) fn wide_moe(self, wide: WideExperts) -> Result<Arc<dyn Measure>, Gap> {
        let shape = wide.experts;
        self.needs_tables(LABEL)?;
        if let Some(curve) = self.wide_curve(wide) {
            let flops = self.peak(Pipe::Bf16)? * shape.quant.pipe().speed();
            let bandwidth = self.db().system().mem_bw_bytes_per_sec;
            let sol = MoeSol { shape, flops, bandwidth };
            return Ok(Arc::new(Moe { all: Some(Answer::Table(curve)), low_latency: None, sol }));
        }
        if wide.backend == Backend::Sglang {
            Err(Gap::NoData(LABEL))
        } else {
            self.measured_only().moe(shape)
        }
    }

    fn wide_curve(self, wide: WideExperts) -> Option<Curve> {
        let WideExperts { experts: shape, is_context, backend } = wide;
        let Experts { topk, experts, hidden, inter, moe_ep, quant, .. } = shape;
        let sized = |rest: &[Key], slots: bool| {
            let slots = slots.then_some(Part::Int(experts));
            let want = [Part::Int(topk), Part::Int(experts)].into_iter().chain(slots);
            let want: Vec<Part<'_>> = want.chain([hidden, inter, 1, moe_ep].map(Part::Int)).collect();
            crate::perf::matches(rest, &want)
        };
        // SGLang's collector has a table for each phase, TensorRT-LLM's one for both and several kernels.
        let (table, kernel) = if backend == Backend::Trtllm {
            let sm = self.db().system().sm_version.unwrap_or(0);
            let wanted = if sm >= 100 && quant == Quant::Fp8Block { "deepgemm" } else { "moe_torch_flow" };
            let kernels: Vec<&str> =
                self.db().slices("wideep_moe").filter_map(|slice| slice.key[0].as_text()).collect();
            let kernel = if kernels.contains(&wanted) { Some(wanted) } else { kernels.into_iter().min() };
            ("wideep_moe", Some(kernel?))
        } else {
            (if is_context { "wideep_context_moe" } else { "wideep_generation_moe" }, None)
        };
        let lead = usize::from(kernel.is_some());
        let rows = || {
            self.db().slices(table).filter(move |slice| {
                kernel.is_none_or(|kernel| Part::Text(kernel).is(&slice.key[0]))
                    && Part::Text(quant.name()).is(&slice.key[lead])
            })
        };
        // A distribution that was not collected at all is read from the uniform rows, else from the first.
        let named = |name: &'static str| rows().any(|slice| Part::Text(name).is(&slice.key[lead + 1]));
        let distribution = [shape.distribution, "uniform"].into_iter().find(|name| named(name));
        let distribution = match distribution {
            Some(name) => name,
            None => rows().next()?.key[lead + 1].as_text()?,
        };
        let slice = rows().find(|slice| {
            Part::Text(distribution).is(&slice.key[lead + 1])
                && sized(&slice.key[lead + 2..], kernel.is_some())
        })?;
        curve(slice)
    }

    /// The collectives that bring tokens to their experts (`pre`) or back.
    pub(super) fn dispatch(self, dispatch: Dispatch) -> Result<Arc<dyn Measure>, Gap> {
        let Dispatch { hidden, moe_tp, moe_ep, dp, cp, pre, quant, is_context, .. } = dispatch;
        let group = moe_tp * moe_ep;
        let attention = (group / dp.max(1)).max(1);
        let hidden = f64::from(hidden);
        let (forth, back) = (ops::Collective::AllGather, ops::Collective::ReduceScatter);
        let exchange = if pre { forth } else { back };
        let reduce = || self.all_reduce(hidden, group);
        let nccl = |collective, gpus, elements| self.nccl(collective, elements, gpus, CommQuant::Half);
        let shared = hidden * f64::from(dp);
        let mut steps: Vec<Option<Collective>> = Vec::new();
        let system = self.db().system();
        match dispatch.backend {
            Backend::Vllm => {
                if attention > 1 && !(pre && dispatch.attention_reduced) {
                    steps.push(reduce()?);
                }
                if dp > 1 {
                    steps.push(nccl(exchange, group, shared)?);
                }
            }
            Backend::Sglang if attention > 1 && dp > 1 => {
                if pre {
                    steps.push(nccl(back, attention, hidden)?);
                    steps.push(nccl(forth, group, shared)?);
                } else {
                    steps.push(nccl(back, group, shared)?);
                    steps.push(nccl(forth, attention, hidden)?);
                }
            }
            Backend::Sglang if cp > 1 => {
                if is_context {
                    steps.push(nccl(exchange, group, hidden)?);
                } else if !pre {
                    steps.push(reduce()?);
                }
            }
            // Blackwell data centre parts send what the experts compute in; the others reduce first.
            Backend::Trtllm if system.sm_version == Some(100) && dp > 1 => {
                let packed = match quant {
                    Quant::Nvfp4 => 0.25 + 0.25 / 8.0,
                    Quant::Fp8 | Quant::Fp8Block => 0.5,
                    _ => 1.0,
                };
                let elements = if pre { shared * packed } else { shared };
                steps.push(nccl(exchange, group, elements)?);
            }
            Backend::Sglang | Backend::Trtllm => {
                if attention > 1 {
                    steps.push(reduce()?);
                } else if dp > 1 {
                    steps.push(nccl(exchange, group, shared)?);
                }
            }
        }
        let steps: Vec<Collective> = steps.into_iter().flatten().collect();
        if steps.is_empty() { Ok(Arc::new(Nothing)) } else { Ok(Arc::new(Sequence(steps))) }
    }
}
