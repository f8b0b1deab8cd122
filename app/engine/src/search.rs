//! The search: every layout and batch of a problem, in resumable slices.

mod encode;
mod explain;
mod price;
mod probe;
mod refine;
mod speeds;

pub use encode::worker as encoder_worker;
pub use price::{Cut, PriceError, Priced, price, price_limits};
pub use probe::probe;
pub use speeds::speeds;

use crate::backend::Backend;
use crate::encoder::{Encoder, EncoderWorker};
use crate::kernel::{Binder, Gap};
use crate::memory::{Fit, MemoryModel};
use crate::models::vision::Sharing;
use crate::models::{self, Setup};
use crate::ops::WideEp;
use crate::parallel::Parallel;
use crate::point::MemoryUse;
use crate::problem::{Problem, Side};
use crate::quant::{FmhaQuant, KvQuant, Precision};
use crate::reference;
use crate::rows::{AggRow, DecodeRow, PrefillRow, Rows, Stages, Tally};
use crate::scenario::{EncoderPlace, Policy, Scenario, Workload};
use crate::serving::{Draft, Parts, WorkerModel, disagg, evidence};
use crate::space::{self, Ground, WorkerRole};
use crate::step::Steps;

/// How far a search is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Layouts done.
    pub done: u32,
    /// Layouts in all.
    pub total: u32,
}

impl Progress {
    /// Whether nothing is left to do.
    pub fn is_done(self) -> bool {
        self.done == self.total
    }
}

/// A search under way; keeps its workers, so that a moved SLO costs next to nothing.
#[derive(Clone, Debug)]
pub struct Search {
    problem: Problem,
    /// Roles and layouts, in the order they are searched.
    layouts: Vec<(WorkerRole, Parallel)>,
    /// Workers that only encode images.
    encoders: Vec<EncoderWorker>,
    /// Workers of the layouts done so far.
    workers: Vec<Result<WorkerModel, Gap>>,
    base: Rows,
    /// Rows at the exact batches of the present SLO.
    refined: Option<Rows>,
}

/// What a candidate failed at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Drop {
    /// Weights, activations and buffers exceed the GPU.
    Memory(MemoryUse),
    /// The KV cache exceeds its share.
    Kv(MemoryUse),
    /// An operator has no data.
    Data(Gap),
}

/// Counts one candidate.
fn record(stages: &mut Stages, gaps: &mut Vec<String>, outcome: Result<(), Drop>) {
    stages.tried += 1;
    stages.fit_memory += u64::from(!matches!(outcome, Err(Drop::Memory(_))));
    stages.fit_kv += u64::from(!matches!(outcome, Err(Drop::Memory(_) | Drop::Kv(_))));
    match outcome {
        Ok(()) => stages.measured += 1,
        Err(Drop::Data(gap)) => {
            let gap = match gap {
                Gap::NoData(op) | Gap::NoEstimate(op) => op.to_owned(),
                Gap::NoPeak(pipe) => format!("{} tensor cores", pipe.name()),
            };
            if !gaps.contains(&gap) {
                gaps.push(gap);
            }
        }
        Err(_) => {}
    }
}

fn checked((memory, fit): (MemoryUse, Fit)) -> Result<MemoryUse, Drop> {
    match fit {
        Fit::Yes => Ok(memory),
        Fit::NoKv => Err(Drop::Kv(memory)),
        Fit::No => Err(Drop::Memory(memory)),
    }
}

impl Search {
    /// A search that has not begun.
    pub fn new(problem: Problem) -> Self {
        let layouts = layouts(&problem);
        let encoders = encode::workers(&problem);
        let mut base = Rows::default();
        let batches: Vec<u32> = (1..=space::MAX_ENCODER_BATCH).collect();
        for worker in &encoders {
            let mut stages = Stages { gpus: worker.parallel.gpus(), ..Stages::default() };
            base.encoder.extend(encode::rows(worker, &batches, &mut stages, &mut base.tally.gaps));
            base.tally.encoder.push(stages);
        }
        Self { problem, layouts, encoders, workers: Vec::new(), base, refined: None }
    }

    /// How far it is; the exact batches at the SLO count as one more layout.
    pub fn progress(&self) -> Progress {
        let done = self.workers.len() as u32 + u32::from(self.refined.is_some());
        Progress { done, total: self.layouts.len() as u32 + 1 }
    }

    /// Searches up to `layouts` more layouts.
    pub fn advance(&mut self, layouts: u32) -> Progress {
        for _ in 0..layouts {
            if self.workers.len() < self.layouts.len() {
                self.next_layout();
            } else if self.refined.is_none() {
                self.refined = Some(self.finish());
            } else {
                break;
            }
        }
        self.progress()
    }

    /// Everything found so far; complete once nothing is left to do.
    pub fn rows(&self) -> &Rows {
        self.refined.as_ref().unwrap_or(&self.base)
    }

    /// Whether another scenario differs only in SLO and GPU budget, so that layouts and tables can be kept.
    pub fn accepts(&self, scenario: &Scenario) -> bool {
        scenario.keeps(&self.problem.scenario)
    }

    /// Takes over the SLO and budget of an accepted scenario; only the exact batches are searched again.
    pub fn retarget(&mut self, scenario: &Scenario) {
        self.problem.scenario = scenario.clone();
        self.refined = None;
    }

    /// The question.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    fn next_layout(&mut self) {
        let (role, parallel) = self.layouts[self.workers.len()];
        let wide = side(&self.problem, role).wide.plan(role, parallel);
        let mut worker = worker(&self.problem, role, parallel, wide);
        if self.problem.scenario.policy == Policy::Exhaustive {
            sweep(&self.problem, role, parallel, &mut worker, &mut self.base);
        }
        self.workers.push(worker);
    }

    fn finish(&mut self) -> Rows {
        let mut rows = self.base.clone();
        match self.problem.scenario.policy {
            Policy::Exhaustive => {
                for ((role, _), worker) in self.layouts.iter().zip(&mut self.workers) {
                    if let Ok(worker) = worker {
                        refine::refine(&self.problem.scenario, *role, worker, &self.base, &mut rows);
                    }
                }
            }
            Policy::Reference => {
                let found = self.reference();
                rows.fixed = Some(reference::fixed_points(&found, &self.problem.scenario));
                rows.tally = Tally { encoder: rows.tally.encoder, ..found.tally };
            }
        }
        rows
    }

    /// What the reference's own sweep finds with the layouts done so far.
    pub fn reference(&mut self) -> reference::Found {
        let gpus_per_node = self.problem.prefill.system.gpus_per_node;
        let exchanges = |&&(role, parallel): &&(WorkerRole, Parallel)| {
            let wide = &side(&self.problem, role).wide;
            role != WorkerRole::Agg
                && !wide.across_nodes(role).is_empty()
                && wide.plan(role, parallel).is_some()
        };
        let smallest_wide = self.layouts.iter().filter(exchanges).map(|(_, parallel)| parallel.gpus()).min();
        let mut ignored = (Stages::default(), Vec::new());
        let encoders = self.encoders.iter();
        let encoders: Vec<_> = encoders
            .flat_map(|worker| {
                encode::rows(worker, &reference::ENCODER_BATCHES, &mut ignored.0, &mut ignored.1)
            })
            .collect();
        let workers = self.layouts.iter().map(|(role, _)| *role).zip(&mut self.workers);
        let mut bound: Vec<_> =
            workers.filter_map(|(role, worker)| Some((role, worker.as_mut().ok()?))).collect();
        let node = reference::Node { gpus: gpus_per_node, smallest_wide };
        reference::search(&self.problem.scenario, node, &mut bound, &encoders)
    }

    fn worker_of(&self, role: WorkerRole, parallel: Parallel) -> Option<&WorkerModel> {
        let at = self.layouts.iter().position(|&have| have == (role, parallel))?;
        self.workers.get(at)?.as_ref().ok()
    }
}

/// Roles and layouts to try, in the order that breaks ties.
pub fn layouts(problem: &Problem) -> Vec<(WorkerRole, Parallel)> {
    let mut out = Vec::new();
    for role in [WorkerRole::Agg, WorkerRole::Prefill, WorkerRole::Decode] {
        // A single output token leaves nothing to decode.
        let wanted = match role {
            WorkerRole::Agg => problem.scenario.serving.agg(),
            WorkerRole::Prefill | WorkerRole::Decode => {
                problem.scenario.serving.disagg() && problem.scenario.workload.osl > 1
            }
        };
        if wanted {
            let partner = problem.decode.as_ref().filter(|_| role != WorkerRole::Agg);
            let systems = std::iter::once(&problem.prefill).chain(partner).map(|side| &*side.system);
            let stages = space::stages(problem.model.family, &problem.scenario, systems);
            let found = space::layouts(ground(problem, role), role, stages);
            out.extend(found.into_iter().map(|parallel| (role, parallel)));
        }
    }
    out
}

fn ground(problem: &Problem, role: WorkerRole) -> Ground<'_> {
    let Side { system, precision, wide, .. } = side(problem, role);
    let (model, backend) = (&problem.model, problem.scenario.backend);
    Ground { model, system, backend, precision: *precision, wide }
}

fn side(problem: &Problem, role: WorkerRole) -> &Side {
    if role == WorkerRole::Decode { problem.decode_side() } else { &problem.prefill }
}

/// A worker of this layout whose operators are to be listed.
pub fn setup(problem: &Problem, precision: Precision, parallel: Parallel, wide: Option<WideEp>) -> Setup<'_> {
    Setup {
        model: &problem.model,
        parallel,
        precision: wide.map_or(precision, |_| wide_precision(problem, precision)),
        backend: problem.scenario.backend,
        gemm_chosen: problem.scenario.quant.gemm.is_some(),
        draft_tokens: problem.scenario.engine.draft_tokens,
        wide,
    }
}

/// Binds one layout to its tables; `wide` is how it reaches experts by an all-to-all exchange.
pub fn worker(
    problem: &Problem,
    role: WorkerRole,
    parallel: Parallel,
    wide: Option<WideEp>,
) -> Result<WorkerModel, Gap> {
    worker_at(problem, role, parallel, wide, side(problem, role).precision)
}

/// As [`worker`], at precisions of the caller's.
pub fn worker_at(
    problem: &Problem,
    role: WorkerRole,
    parallel: Parallel,
    wide: Option<WideEp>,
    precision: Precision,
) -> Result<WorkerModel, Gap> {
    let Side { system, version, db, .. } = side(problem, role);
    let model = &problem.model;
    let scenario = &problem.scenario;
    let missing = Gap::NoData("this model at these parallel sizes");
    let setup = setup(problem, precision, parallel, wide);
    let ops = models::op_lists(&setup);
    let memory = MemoryModel::new(&setup, system, &ops.context).ok_or(missing)?;
    let binder = Binder::new(db);
    let images = scenario.workload.images.filter(|_| role != WorkerRole::Decode);
    let encoder = match (&model.vit, images) {
        (Some(vit), Some(images)) => {
            let sharing = match scenario.engine.encoder {
                EncoderPlace::Images => Some(Sharing::Images),
                EncoderPlace::Weights => Some(Sharing::Weights),
                EncoderPlace::Workers => None,
            };
            let bind = |sharing| Encoder::bind(binder, vit, images, parallel.tp, sharing).ok_or(missing);
            sharing.map(bind).transpose()?
        }
        _ => None,
    };
    Ok(WorkerModel::new(Parts {
        parallel,
        backend: scenario.backend,
        version: version.clone(),
        layers: model.layers,
        workload: problem.requests,
        steps: Steps::bind(binder, &ops),
        memory,
        fraction: scenario.engine.free_memory_fraction,
        max_seq_len: scenario.engine.max_seq_len,
        draft: Draft { tokens: scenario.engine.draft_tokens, accepted: scenario.engine.draft_accepted },
        is_wide: wide.is_some(),
        encoder,
    }))
}

/// SGLang's latent attention beside exchanged experts was measured in blocks of FP8 only.
fn wide_precision(problem: &Problem, precision: Precision) -> Precision {
    let choice = problem.scenario.quant;
    if problem.scenario.backend != Backend::Sglang || problem.model.arch != "DeepseekV3ForCausalLM" {
        return precision;
    }
    let fmha = choice.fmha.unwrap_or(FmhaQuant::Fp8Block);
    Precision { fmha, kv: choice.kv.unwrap_or(KvQuant::Fp8), ..precision }
}

/// Tries every batch of one layout.
fn sweep(
    problem: &Problem,
    role: WorkerRole,
    parallel: Parallel,
    worker: &mut Result<WorkerModel, Gap>,
    rows: &mut Rows,
) {
    let Rows { agg, prefill, decode, tally, .. } = rows;
    let Tally { agg: agg_stages, prefill: prefill_stages, decode: decode_stages, gaps, .. } = tally;
    let Workload { isl, osl, .. } = problem.requests;
    let mut stages = Stages { gpus: parallel.gpus(), ..Stages::default() };
    let mut keep = |outcome| record(&mut stages, gaps, outcome);
    match role {
        WorkerRole::Agg => {
            let tokens = space::context_tokens(isl, problem.scenario.engine.chunked_prefill);
            for batch in space::agg_batches() {
                for &ctx_tokens in tokens.iter().filter(|&&c| space::leaves_a_decode(batch, c, isl)) {
                    let row = worker
                        .as_mut()
                        .map_err(|gap| Drop::Data(*gap))
                        .and_then(|worker| agg_row(worker, batch, ctx_tokens));
                    keep(row.map(|row| agg.push(row)));
                }
            }
            agg_stages.push(stages);
        }
        WorkerRole::Prefill => {
            for batch in 1..=space::MAX_PREFILL_BATCH {
                let row = worker
                    .as_ref()
                    .map_err(|gap| Drop::Data(*gap))
                    .and_then(|worker| prefill_row(worker, batch));
                keep(row.map(|row| prefill.push(row)));
            }
            prefill_stages.push(stages);
        }
        WorkerRole::Decode => {
            for batch in space::decode_batches() {
                let row = worker
                    .as_ref()
                    .map_err(|gap| Drop::Data(*gap))
                    .and_then(|worker| decode_row(worker, batch, osl));
                keep(row.map(|row| decode.push(row)));
            }
            decode_stages.push(stages);
        }
    }
}

fn agg_row(worker: &mut WorkerModel, batch: u32, ctx_tokens: u32) -> Result<AggRow, Drop> {
    let memory = checked(worker.agg_memory(batch, ctx_tokens))?;
    let agg = worker.agg(batch, ctx_tokens).map_err(Drop::Data)?;
    Ok(AggRow {
        parallel: worker.parallel,
        batch,
        ctx_tokens,
        ttft_ms: agg.ttft_ms,
        itl_ms: agg.itl_ms,
        requests_per_sec: agg.requests_per_sec,
        concurrency: agg.concurrency,
        memory,
        evidence: agg.evidence,
    })
}

fn prefill_row(worker: &WorkerModel, batch: u32) -> Result<PrefillRow, Drop> {
    let memory = checked(worker.prefill_memory(batch, 1))?;
    let timing = worker.prefill(batch).map_err(Drop::Data)?;
    let latency = timing.ms * disagg::PREFILL_LATENCY;
    let Parallel { pp, dp, .. } = worker.parallel;
    Ok(PrefillRow {
        parallel: worker.parallel,
        batch,
        ttft_ms: latency * disagg::TTFT,
        requests_per_sec: f64::from(batch * dp) / latency * 1000.0 * f64::from(pp),
        memory,
        evidence: evidence(timing),
    })
}

fn decode_row(worker: &WorkerModel, batch: u32, osl: u32) -> Result<DecodeRow, Drop> {
    let memory = checked(worker.decode_memory(batch))?;
    let timing = worker.decode(batch).map_err(Drop::Data)?;
    let latency = timing.ms * disagg::DECODE_LATENCY / worker.draft().progress();
    let Parallel { pp, dp, .. } = worker.parallel;
    Ok(DecodeRow {
        parallel: worker.parallel,
        batch,
        itl_ms: latency / f64::from(osl.saturating_sub(1).max(1)),
        requests_per_sec: f64::from(batch * dp) / latency * 1000.0 * f64::from(pp),
        concurrency: batch * dp,
        memory,
        evidence: evidence(timing),
    })
}
