//! Where experts can be reached by an all-to-all exchange, judged by what was measured.

use std::collections::BTreeSet;

use crate::backend::Backend;
use crate::model::ModelSpec;
use crate::models;
use crate::ops::{Leg, Transport, WideEp};
use crate::parallel::{Parallel, WorkerRole};
use crate::perf::exchange::{Group, Parcel};
use crate::perf::{Part, PerfDb};
use crate::quant::Quant;

/// Most experts per token that the transports carry.
const MOST_TOPK: u32 = 8;
/// The links of one rack carry an exchange from this compute capability on.
const NVLINK_SM: u32 = 100;
/// Compute capability of the GPUs whose low-latency transport cannot carry 4-bit floats.
const HOPPER_SM: u32 = 90;

/// Transports of one phase, in the order they are preferred, each with its expert parallel sizes.
type Covered = Vec<(Transport, BTreeSet<u32>)>;

/// Expert parallel sizes that were measured, by phase.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Coverage {
    gpus_per_node: u32,
    /// Whether only workers with data parallel attention can exchange tokens.
    needs_dp: bool,
    context: Covered,
    generation: Covered,
}

impl Coverage {
    /// What the tables of one side cover for a model.
    pub fn of(db: &PerfDb, model: &ModelSpec, experts: Quant, backend: Backend) -> Self {
        let gpus_per_node = db.system().gpus_per_node;
        let needs_dp = backend == Backend::Trtllm;
        let mut out = Self { gpus_per_node, needs_dp, ..Self::default() };
        if models::has_wide_experts(model.family) && model.is_moe() && model.topk <= MOST_TOPK {
            out.context = covered(db, model, experts, backend, true);
            out.generation = covered(db, model, experts, backend, false);
        }
        out
    }

    /// How a worker exchanges tokens; none where a phase it needs was not measured.
    ///
    /// A worker that decodes needs the prefill phase as well, whose operators hold its weights.
    pub fn plan(&self, role: WorkerRole, parallel: Parallel) -> Option<WideEp> {
        let plan = self.exchange(parallel)?;
        let decodes = role != WorkerRole::Prefill;
        (plan.context.is_some() && (plan.generation.is_some() || !decodes)).then_some(plan)
    }

    /// How a worker exchanges tokens in the phases that were measured.
    pub fn exchange(&self, parallel: Parallel) -> Option<WideEp> {
        let Parallel { moe_tp, moe_ep: ep, dp, .. } = parallel;
        if moe_tp != 1 || ep <= 1 || (self.needs_dp && dp <= 1) {
            return None;
        }
        let first = |phase: &Covered| {
            phase.iter().find(|(_, sizes)| sizes.contains(&ep)).map(|&(transport, _)| transport)
        };
        let nodes = ep.div_ceil(self.gpus_per_node.max(1));
        Some(WideEp { context: first(&self.context), generation: first(&self.generation), nodes })
    }

    /// Expert parallel sizes over several nodes that every phase of a role covers.
    pub fn across_nodes(&self, role: WorkerRole) -> BTreeSet<u32> {
        let sizes =
            |phase: &Covered| phase.iter().flat_map(|(_, sizes)| sizes).copied().collect::<BTreeSet<_>>();
        let mut out = sizes(&self.context);
        if role != WorkerRole::Prefill {
            out = &out & &sizes(&self.generation);
        }
        out.retain(|&ep| ep > self.gpus_per_node);
        out
    }
}

fn covered(db: &PerfDb, model: &ModelSpec, experts: Quant, backend: Backend, context: bool) -> Covered {
    let compute = computed(db, model, experts, backend, context);
    let mut out = Covered::new();
    for &transport in Transport::ALL {
        if !transport.serves(backend, context) || !carries(transport, db, experts) {
            continue;
        }
        let groups = exchanged(db, model, experts, transport, context);
        let fits = |&ep: &u32| {
            let gpus_per_node = db.system().gpus_per_node;
            let nodes = ep.div_ceil(gpus_per_node.max(1));
            let stand_in = transport.stand_in(backend, gpus_per_node).filter(|_| nodes > 1);
            let measured =
                groups.contains(&(ep, nodes)) || stand_in.is_some_and(|group| groups.contains(&group));
            measured && ep > 1 && ep <= model.experts && model.experts.is_multiple_of(ep)
        };
        let sizes: BTreeSet<u32> = compute.iter().copied().filter(fits).collect();
        if !sizes.is_empty() {
            out.push((transport, sizes));
        }
    }
    out
}

/// Whether a transport exists on a system for experts of this precision.
fn carries(transport: Transport, db: &PerfDb, experts: Quant) -> bool {
    let sm = db.system().sm_version;
    let nvlink = !transport.is_nvlink() || sm.is_none_or(|sm| sm >= NVLINK_SM);
    let packed = transport == Transport::TrtllmDeepepLl && experts == Quant::Nvfp4;
    nvlink && !(packed && sm == Some(HOPPER_SM))
}

/// Groups at which both ways of an exchange were measured.
fn exchanged(
    db: &PerfDb,
    model: &ModelSpec,
    experts: Quant,
    transport: Transport,
    context: bool,
) -> BTreeSet<Group> {
    let groups = |leg| {
        let Some(dtype) = transport.dtype(experts, leg, context) else { return BTreeSet::new() };
        let ModelSpec { hidden, topk, experts, .. } = *model;
        db.exchange_groups(Parcel { transport, leg, dtype, hidden, topk, experts })
    };
    &groups(Leg::Dispatch) & &groups(Leg::Combine)
}

/// Expert parallel sizes at which the experts of a model were measured.
fn computed(
    db: &PerfDb,
    model: &ModelSpec,
    experts: Quant,
    backend: Backend,
    context: bool,
) -> BTreeSet<u32> {
    let phase = if context { "wideep_context_moe" } else { "wideep_generation_moe" };
    let quant = Part::Text(experts.name());
    let ModelSpec { hidden, topk, experts, moe_ffn, .. } = *model;
    let (routing, shape) = ([topk, experts].map(Part::Int), [hidden, moe_ffn, 1].map(Part::Int));
    let ep = |key: &perf_data::Key| key.as_int().and_then(|ep| u32::try_from(ep).ok());
    let mut out = BTreeSet::new();
    for slice in db.slices(phase) {
        if let [dtype, _, a, b, c, d, e, size] = slice.key.as_slice()
            && quant.is(dtype)
            && routing.iter().chain(&shape).zip([a, b, c, d, e]).all(|(part, key)| part.is(key))
        {
            out.extend(ep(size));
        }
    }
    for slice in db.slices("wideep_moe") {
        if let [_, dtype, _, a, b, _, c, d, e, size] = slice.key.as_slice()
            && quant.is(dtype)
            && routing.iter().chain(&shape).zip([a, b, c, d, e]).all(|(part, key)| part.is(key))
        {
            out.extend(ep(size));
        }
    }
    // Engines other than SGLang also run the experts of the ordinary table.
    for slice in db.slices("moe").filter(|_| backend != Backend::Sglang) {
        if let [dtype, _, a, b, c, d, e, size, quick] = slice.key.as_slice()
            && quant.is(dtype)
            && quick.as_int() == Some(0)
            && routing.iter().chain(&shape).zip([a, b, c, d, e]).all(|(part, key)| part.is(key))
        {
            out.extend(ep(size));
        }
    }
    out
}
