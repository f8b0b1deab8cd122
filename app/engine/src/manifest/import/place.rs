//! From the arguments of workers to a layout: what each engine means by its sizes and limits.

use super::command::Worker as Started;
use super::settings::{Notes, Role, Said, Settings};
use crate::backend::Backend;
use crate::model::ModelSpec;
use crate::parallel::{Parallel, WorkerRole};
use crate::point::{Layout, MemoryUse, Worker};
use crate::problem::MAX_GPUS;
use crate::system::SystemSpec;
use crate::text::{Assumed, Why};

/// Workers that a text deploys.
#[derive(Clone, Debug)]
pub(super) struct Deployed {
    pub started: Started,
    /// How many of them; none where the text cannot say.
    pub replicas: Option<Said<u32>>,
    /// GPUs that each asks for.
    pub gpus: Option<Said<u32>>,
    /// What the kind of component says that they do.
    pub role: Option<Role>,
}

/// What a layout is made for.
pub(super) struct Ground<'a> {
    pub model: &'a ModelSpec,
    pub system: Option<&'a SystemSpec>,
    /// Input tokens of a request.
    pub isl: u32,
    /// Draft tokens of each request in a step.
    pub drafts: u32,
    /// The layout of a link in the text.
    pub linked: Option<&'a Layout>,
}

/// One kind of worker of the layout, as the text says it.
struct Kind {
    role: WorkerRole,
    backend: Backend,
    settings: Settings,
    parallel: Parallel,
    /// Workers of that size that each start of the engine brings.
    copies: u32,
    starts: u32,
    said: bool,
    line: u32,
}

/// The layout of all workers; none where the text leaves it open, with a note of why.
pub(super) fn layout(deployed: &[Deployed], ground: &Ground<'_>, notes: &mut Notes) -> Option<Layout> {
    let encodes = ground.linked.is_some_and(|layout| layout.encoders().is_some());
    let roles = roles(deployed, encodes, notes);
    let mut kinds: Vec<Kind> = Vec::new();
    for (one, role) in deployed.iter().zip(roles) {
        if let Some(role) = role {
            add(&mut kinds, one, role, ground, notes)?;
        }
    }
    let find = |role| kinds.iter().find(|kind| kind.role == role);
    match (find(WorkerRole::Agg), find(WorkerRole::Prefill), find(WorkerRole::Decode)) {
        (None, None, None) => None,
        (_, Some(prefill), Some(decode)) => {
            let linked = ground.linked.and_then(|layout| match layout {
                Layout::Disagg { prefill, decode, .. } => Some((prefill, decode)),
                Layout::Agg { .. } => None,
            });
            let of = |kind: &Kind, linked, notes: &mut Notes| {
                let batch = match kind.role {
                    WorkerRole::Prefill => prefill_batch(kind, ground, notes),
                    _ => limit(kind, ground, notes),
                };
                worker(kind, batch, linked, notes)
            };
            let encoders = linked.and(ground.linked).and_then(|layout| layout.encoders().copied());
            let prefill = of(prefill, linked.map(|(prefill, _)| prefill), notes);
            let decode = of(decode, linked.map(|(_, decode)| decode), notes);
            Some(Layout::Disagg { prefill, decode, encoders })
        }
        (Some(agg), None, None) => {
            let linked = ground.linked.and_then(|layout| match layout {
                Layout::Agg { worker, ctx_tokens, encoders } => Some((worker, *ctx_tokens, *encoders)),
                Layout::Disagg { .. } => None,
            });
            let batch = limit(agg, ground, notes);
            let made = worker(agg, batch, linked.map(|(worker, ..)| worker), notes);
            let (step, said) = step_tokens(agg, made.batch, ground, notes);
            let ctx_tokens = match linked {
                Some((_, tokens, _)) if !said || tokens <= self::step(agg, ground).0 => tokens,
                Some((_, tokens, _)) => {
                    overrule(agg, agg.settings.tokens.as_ref(), &format!("c{tokens}"), notes);
                    step
                }
                None => step,
            };
            Some(Layout::Agg { worker: made, ctx_tokens, encoders: linked.and_then(|(.., pool)| pool) })
        }
        (_, prefill, decode) => {
            if let Some(kind) = prefill.or(decode) {
                notes.unread(Some(kind.line), name(kind.role), &Why::Lonely(kind.role));
            }
            None
        }
    }
}

/// What each worker does; none for those that do not count. Encoder workers are known where the link `encodes`.
fn roles(deployed: &[Deployed], encodes: bool, notes: &mut Notes) -> Vec<Option<WorkerRole>> {
    let said = |one: &Deployed| one.started.settings.role.as_ref().map(|role| role.value).or(one.role);
    let has = |role| deployed.iter().any(|one| said(one) == Some(Role::Worker(role)));
    let separate = has(WorkerRole::Prefill) || has(WorkerRole::Decode);
    let mut out = Vec::new();
    for one in deployed {
        let line = Some(one.started.line);
        // Nodes behind the first repeat its command.
        let follows = one.started.settings.rank.as_ref().is_some_and(|rank| rank.value > 0);
        out.push(match said(one) {
            _ if follows => None,
            Some(Role::Other) if encodes => None,
            Some(Role::Other) => {
                notes.unread(line, one.started.backend.label(), &Why::OtherRole);
                None
            }
            Some(Role::Worker(WorkerRole::Agg)) if separate => {
                // Old releases give prefill workers a flag and decode workers none.
                let plain = one.started.settings.role.is_none();
                if plain && !has(WorkerRole::Decode) {
                    Some(WorkerRole::Decode)
                } else {
                    notes.unread(line, one.started.backend.label(), &Why::Mixed);
                    None
                }
            }
            Some(Role::Worker(role)) => Some(role),
            None if separate && !has(WorkerRole::Decode) => Some(WorkerRole::Decode),
            None if separate && !has(WorkerRole::Prefill) => Some(WorkerRole::Prefill),
            None if separate => {
                notes.unread(line, one.started.backend.label(), &Why::Mixed);
                None
            }
            None => Some(WorkerRole::Agg),
        });
    }
    out
}

fn add(
    kinds: &mut Vec<Kind>,
    one: &Deployed,
    role: WorkerRole,
    ground: &Ground<'_>,
    notes: &mut Notes,
) -> Option<()> {
    let Started { backend, settings, line } = &one.started;
    let (parallel, copies) = match sizes(*backend, settings, ground.model) {
        Ok(sizes) => sizes,
        Err(rule) => {
            let at = [&settings.tp, &settings.moe_ep, &settings.dp].into_iter().flatten().next();
            notes.unread(Some(at.map_or(*line, |said| said.line)), name(role), &Why::Sizes(rule));
            return None;
        }
    };
    let starts = one.replicas.as_ref().map_or(1, |said| said.value);
    let used = parallel.gpus().saturating_mul(copies);
    if let Some(asked) = one.gpus.as_ref().filter(|asked| asked.value != used) {
        notes.unread(Some(asked.line), &asked.value.to_string(), &Why::GpuCount(asked.value, used));
    }
    if let Some(first) = kinds.iter_mut().find(|kind| kind.role == role) {
        let limits = |settings: &Settings| {
            let value = |said: &Option<Said<u32>>| said.as_ref().map(|said| said.value);
            [value(&settings.batch), value(&settings.tokens), value(&settings.prefill_tokens)]
        };
        if (first.parallel, first.copies, limits(&first.settings)) == (parallel, copies, limits(settings)) {
            first.starts = first.starts.saturating_add(starts);
            first.said = true;
        } else {
            notes.unread(Some(*line), name(role), &Why::OtherLayout(role));
        }
        return Some(());
    }
    let prefix = if role == WorkerRole::Agg { "" } else { name(role) };
    let key = |what: &str| if prefix.is_empty() { what.to_owned() } else { format!("{prefix}.{what}") };
    if let Some(said) = &one.replicas {
        notes.fix(key("workers"), said.value, said.line);
    }
    let said = [
        ("tp", &settings.tp),
        ("pp", &settings.pp),
        ("dp", &settings.dp),
        ("cp", &settings.cp),
        ("expert tp", &settings.moe_tp),
        ("ep", &settings.moe_ep),
        ("batch", &settings.batch),
        ("tokens of a step", &settings.tokens),
    ];
    for (what, said) in said {
        if let Some(said) = said {
            notes.fix(key(what), said.value, said.line);
        }
    }
    for (what, said) in [("ep", &settings.expert_parallel), ("attention dp", &settings.dp_attention)] {
        if let Some(said) = said {
            notes.fix(key(what), if said.value { "on" } else { "off" }, said.line);
        }
    }
    let (backend, settings, line, said) = (*backend, settings.clone(), *line, one.replicas.is_some());
    kinds.push(Kind { role, backend, settings, parallel, copies, starts, said, line });
    Some(())
}

fn name(role: WorkerRole) -> &'static str {
    match role {
        WorkerRole::Agg => "worker",
        WorkerRole::Prefill => "prefill",
        WorkerRole::Decode => "decode",
    }
}

fn value(said: Option<&Said<u32>>) -> u32 {
    said.map_or(1, |said| said.value)
}

/// Parallel sizes that the arguments mean, and how many such workers one start of the engine brings; else the rule
/// that they break.
fn sizes(backend: Backend, settings: &Settings, model: &ModelSpec) -> Result<(Parallel, u32), &'static str> {
    let (tp, pp, dp, cp) = (
        value(settings.tp.as_ref()),
        value(settings.pp.as_ref()),
        value(settings.dp.as_ref()),
        value(settings.cp.as_ref()),
    );
    let sensible = [tp, pp, dp, cp].iter().try_fold(1_u32, |product, &size| product.checked_mul(size));
    if sensible.is_none_or(|product| product > MAX_GPUS) {
        return Err("there are more GPUs than any cluster has");
    }
    let on = |said: &Option<Said<bool>>| said.as_ref().is_some_and(|said| said.value);
    let experts = model.has_expert_layout();
    // Ranks that share the experts; others are workers of their own.
    let (attention_tp, attention_dp, copies, whole) = match backend {
        Backend::Vllm if experts && model.is_moe() => (tp, dp, 1, tp * dp),
        Backend::Vllm => (tp, 1, dp, tp),
        Backend::Sglang => {
            let shared = if on(&settings.dp_attention) && experts { dp } else { 1 };
            if !tp.is_multiple_of(shared * cp) {
                return Err("TP must divide by attention DP and CP");
            }
            (tp / shared / cp, shared, if shared == dp { 1 } else { dp }, tp)
        }
        Backend::Trtllm if on(&settings.dp_attention) && experts => (1, tp, 1, tp),
        Backend::Trtllm => (tp, 1, 1, tp),
    };
    let dense = Parallel { tp: attention_tp, pp, dp: attention_dp, moe_tp: 1, moe_ep: 1, cp };
    if !experts {
        return Ok((dense, copies));
    }
    let size = |said: &Option<Said<u32>>| said.as_ref().map(|said| said.value);
    let spread = model.is_moe() && on(&settings.expert_parallel);
    let (moe_tp, moe_ep) = match (size(&settings.moe_tp), size(&settings.moe_ep)) {
        _ if !model.is_moe() => (whole, 1),
        (None, None) if spread => (1, whole),
        (None, None) => (whole, 1),
        (Some(moe_tp), None) => (moe_tp, whole / moe_tp),
        (None, Some(moe_ep)) => (whole / moe_ep, moe_ep),
        (Some(moe_tp), Some(moe_ep)) => (moe_tp, moe_ep),
    };
    if moe_tp.checked_mul(moe_ep) != Some(whole) {
        return Err("expert TP × EP must be the GPUs of a pipeline stage");
    }
    Ok((Parallel { moe_tp, moe_ep, ..dense }, copies))
}

/// The worker of a kind; a link fills what the arguments cannot say, as long as it agrees with them.
fn worker(kind: &Kind, batch: u32, linked: Option<&Worker>, notes: &mut Notes) -> Worker {
    let count = kind.starts.saturating_mul(kind.copies);
    let mut out = Worker { parallel: kind.parallel, batch, count, memory: MemoryUse::default() };
    let Some(linked) = linked else { return out };
    let settings = &kind.settings;
    if agrees(kind, linked.parallel) {
        out.parallel = linked.parallel;
    } else {
        overrule(kind, settings.tp.as_ref(), &linked.parallel.to_string(), notes);
    }
    if settings.batch.is_none() || linked.batch <= per_rank(kind) {
        out.batch = linked.batch;
    } else {
        overrule(kind, settings.batch.as_ref(), &format!("a batch of {}", linked.batch), notes);
    }
    if !kind.said {
        out.count = linked.count;
    } else if linked.count != count {
        overrule(kind, None, &format!("{} workers", linked.count), notes);
    }
    out
}

fn overrule(kind: &Kind, said: Option<&Said<u32>>, linked: &str, notes: &mut Notes) {
    let line = said.map_or(kind.line, |said| said.line);
    notes.unread(Some(line), name(kind.role), &Why::Overruled(linked));
}

/// Whether the arguments of a kind can mean these sizes.
fn agrees(kind: &Kind, linked: Parallel) -> bool {
    let Kind { backend, settings, parallel, .. } = kind;
    if *parallel == linked {
        return true;
    }
    let whole = |parallel: &Parallel| parallel.tp * parallel.dp * parallel.cp;
    if linked.checked_gpus().is_none() || (whole(parallel), parallel.pp) != (whole(&linked), linked.pp) {
        return false;
    }
    let split = (parallel.moe_tp, parallel.moe_ep) == (linked.moe_tp, linked.moe_ep);
    let unsaid = settings.moe_ep.is_none() && settings.moe_tp.is_none() && settings.expert_parallel.is_none();
    let context = settings.cp.is_none() && *backend == Backend::Sglang;
    let attention = (parallel.tp, parallel.dp) == (linked.tp, linked.dp)
        || (context && parallel.dp == linked.dp && parallel.tp == linked.tp * linked.cp);
    attention && (split || (unsaid && *backend == Backend::Sglang))
}

/// Requests at once per attention-DP rank that the arguments allow.
fn per_rank(kind: &Kind) -> u32 {
    let limit = value(kind.settings.batch.as_ref());
    // SGLang counts the requests of all ranks.
    if kind.backend == Backend::Sglang { (limit / kind.parallel.dp).max(1) } else { limit }
}

/// The batch limit of decode and aggregated workers.
fn limit(kind: &Kind, ground: &Ground<'_>, notes: &mut Notes) -> u32 {
    if kind.settings.batch.is_some() {
        return per_rank(kind);
    }
    let default = match kind.backend {
        Backend::Vllm if is_large(ground.system) => 1024,
        Backend::Vllm => 256,
        Backend::Sglang => (2048 / kind.parallel.dp).max(1),
        Backend::Trtllm => 2048,
    };
    if ground.linked.is_none() {
        notes.assume(&Assumed::Batch(kind.role, kind.backend, default));
    }
    default
}

/// vLLM's limits are wider on GPUs with much memory, those of the A100 apart.
fn is_large(system: Option<&SystemSpec>) -> bool {
    system.is_some_and(|system| system.mem_bytes >= 70 << 30 && !system.id.starts_with("a100"))
}

/// Tokens of a step per attention-DP rank, and whether the text says so.
fn step(kind: &Kind, ground: &Ground<'_>) -> (u32, bool) {
    let Settings { tokens, prefill_tokens, .. } = &kind.settings;
    // The ranks of SGLang divide a chunk among themselves, but not the limit of all prompts.
    let ranks = if kind.backend == Backend::Sglang { kind.parallel.dp } else { 1 };
    let chunk = tokens.as_ref().map(|said| (said.value / ranks).max(1));
    if let Some(stated) = [chunk, prefill_tokens.as_ref().map(|said| said.value)].into_iter().flatten().min()
    {
        return (stated, true);
    }
    let gib = ground.system.map_or(80, |system| system.mem_bytes >> 30);
    let default = match kind.backend {
        Backend::Vllm if is_large(ground.system) => 8192,
        Backend::Vllm => 2048,
        Backend::Sglang => match gib {
            0..35 => 2048,
            35..60 => 4096,
            60..160 => 8192,
            _ => 16_384,
        },
        Backend::Trtllm => 8192,
    };
    ((default / ranks).max(1), false)
}

/// Prompts that a prefill worker works through at once.
fn prefill_batch(kind: &Kind, ground: &Ground<'_>, notes: &mut Notes) -> u32 {
    let (tokens, said) = step(kind, ground);
    let held = (tokens / ground.isl.max(1)).max(1);
    if kind.settings.batch.is_none() {
        if ground.linked.is_none() && !said {
            notes.assume(&Assumed::PrefillBatch(kind.backend, tokens, held));
        }
        return held;
    }
    let limit = per_rank(kind);
    if limit > held && ground.linked.is_none() {
        notes.assume(&Assumed::Fewer(limit, held));
    }
    limit.min(held)
}

/// Prefill tokens of a mixed step, and whether the text limits the step.
fn step_tokens(kind: &Kind, batch: u32, ground: &Ground<'_>, notes: &mut Notes) -> (u32, bool) {
    let (tokens, said) = step(kind, ground);
    // Decoding requests of the batch and their drafts count as well, where the engine mixes them.
    let decodes = batch.saturating_mul(ground.drafts.saturating_add(1));
    let free = match kind.backend {
        Backend::Sglang => tokens,
        Backend::Vllm | Backend::Trtllm => {
            Some(tokens - decodes.min(tokens)).filter(|&free| free > 0).unwrap_or(tokens)
        }
    };
    let isl = ground.isl.max(1);
    let whole = if free >= isl { free / isl * isl } else { free };
    let most = isl.saturating_mul(batch.saturating_sub(1).max(1));
    let step = whole.min(most).max(1);
    if !said && ground.linked.is_none() {
        notes.assume(&Assumed::StepTokens(kind.backend, tokens, step));
    }
    (step, said)
}
