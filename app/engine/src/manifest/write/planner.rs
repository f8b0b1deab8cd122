//! Settings of Dynamo's planner, which scales prefill and decode workers.

use serde::Serialize;

use super::annotate::{Note, annotate};
use super::deployment::Deployment;
use super::objects::Number;
use super::pool::{Pool, Role};
use super::{Command, File, Manifest, Options, PlannerUse, Selection, Strategy, finish};
use crate::custom::UNNAMED;
use crate::manifest::Check;
use crate::scenario::Scenario;
use crate::view::Point;

/// Systems that the planner's own performance model has data for.
const MODELLED: &[&str] = &[
    "a100_pcie",
    "a100_sxm",
    "a30",
    "b200_sxm",
    "b300_sxm",
    "gb200",
    "gb300",
    "h100_pcie",
    "h100_sxm",
    "h200_sxm",
    "l4",
    "l40s",
];

/// The settings that are written, in the order they appear; all others keep the planner's defaults.
#[derive(Serialize)]
pub(super) struct Planner {
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<&'static str>,
    backend: &'static str,
    mode: &'static str,
    optimization_target: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttft_ms: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    itl_ms: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_name: Option<String>,
    pre_deployment_sweeping_mode: &'static str,
    enable_throughput_scaling: bool,
    enable_load_scaling: bool,
    throughput_adjustment_interval_seconds: u32,
    load_adjustment_interval_seconds: u32,
    max_gpu_budget: u32,
    min_endpoint: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefill_engine_num_gpu: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decode_engine_num_gpu: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speculative_nextn: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    advisory: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aic_interpolation: Option<Interpolation>,
}

/// What the planner computes its latencies from before it has measured any.
#[derive(Serialize)]
struct Interpolation {
    hf_id: String,
    system: String,
    backend: &'static str,
    isl: u32,
    osl: u32,
    sweep_max_context_length: u32,
    prefill_interpolation_granularity: u32,
    decode_interpolation_granularity: u32,
    prefill_pick: Pick,
    decode_pick: Pick,
}

#[derive(Serialize)]
struct Pick {
    tp: u32,
    pp: u32,
    dp: u32,
    moe_tp: u32,
    moe_ep: u32,
}

impl Pick {
    const fn of(pool: &Pool<'_>) -> Self {
        let parallel = pool.parallel;
        let crate::parallel::Parallel { tp, pp, dp, moe_tp, moe_ep, .. } = parallel;
        Self { tp, pp, dp, moe_tp, moe_ep }
    }
}

impl Planner {
    /// Inside a request, which says the rest.
    pub(super) fn of_request(scenario: &Scenario, point: &Point, options: &Options, total_gpus: u32) -> Self {
        // The planner knows no end-to-end target and would fall back on targets of its own.
        let split = scenario.sla.request_latency_ms.map(|_| (Number(point.ttft_ms), Number(point.itl_ms)));
        let sweep = match options.extras.strategy {
            Strategy::Rapid => "rapid",
            Strategy::Thorough => "thorough",
        };
        Self {
            environment: None,
            backend: scenario.backend.name(),
            mode: "disagg",
            optimization_target: "sla",
            ttft_ms: split.map(|(ttft, _)| ttft),
            itl_ms: split.map(|(_, itl)| itl),
            model_name: None,
            pre_deployment_sweeping_mode: sweep,
            enable_throughput_scaling: true,
            enable_load_scaling: true,
            throughput_adjustment_interval_seconds: 60,
            load_adjustment_interval_seconds: 5,
            max_gpu_budget: total_gpus,
            min_endpoint: 1,
            prefill_engine_num_gpu: None,
            decode_engine_num_gpu: None,
            speculative_nextn: None,
            advisory: (options.extras.planner == PlannerUse::Advises).then_some(true),
            aic_interpolation: None,
        }
    }

    /// Beside the workers of a deployment; none without separate prefill and decode workers.
    pub(super) fn of_deployment(deployment: &Deployment<'_>) -> Option<Self> {
        let (prefill, decode) = (deployment.pool(Role::Prefill)?, deployment.pool(Role::Decode)?);
        let &Selection { scenario, model, point, .. } = deployment.selection;
        let (ttft, itl) = match scenario.sla.request_latency_ms {
            Some(_) => (point.ttft_ms, point.itl_ms),
            None => (scenario.sla.ttft_ms, scenario.sla.itl_ms),
        };
        let interpolation = interpolation(deployment, prefill, decode);
        let drafts = scenario.engine.draft_tokens;
        Some(Self {
            environment: Some("kubernetes"),
            ttft_ms: Some(Number(ttft)),
            itl_ms: Some(Number(itl)),
            model_name: Some(model.id.clone()),
            pre_deployment_sweeping_mode: if interpolation.is_some() { "rapid" } else { "none" },
            // Throughput is scaled by computed latencies; without any, the load alone decides.
            enable_throughput_scaling: interpolation.is_some(),
            prefill_engine_num_gpu: Some(prefill.gpus()),
            decode_engine_num_gpu: Some(decode.gpus()),
            speculative_nextn: (drafts > 0).then_some(drafts),
            aic_interpolation: interpolation,
            ..Self::of_request(scenario, point, deployment.options, deployment.budget())
        })
    }
}

/// None where the planner's own model has no data for these GPUs or this model.
fn interpolation(
    deployment: &Deployment<'_>,
    prefill: &Pool<'_>,
    decode: &Pool<'_>,
) -> Option<Interpolation> {
    let &Selection { scenario, model, .. } = deployment.selection;
    let system = prefill.system.id.as_str();
    // Its picks have no size for parts of a prompt.
    let whole = prefill.parallel.cp == 1 && decode.parallel.cp == 1;
    let known = whole && system == decode.system.id && MODELLED.contains(&system) && model.id != UNNAMED;
    known.then(|| Interpolation {
        hf_id: model.id.clone(),
        system: system.to_owned(),
        backend: scenario.backend.name(),
        isl: scenario.workload.isl,
        osl: scenario.workload.osl,
        sweep_max_context_length: model.max_pos,
        prefill_interpolation_granularity: 16,
        decode_interpolation_granularity: 6,
        prefill_pick: Pick::of(prefill),
        decode_pick: Pick::of(decode),
    })
}

/// Reasons of the settings.
pub(super) fn notes(deployment: &Deployment<'_>) -> Vec<Note> {
    let sla = &deployment.selection.scenario.sla;
    let target = match sla.request_latency_ms {
        Some(_) => "The planner knows no end-to-end target: the latency of the selected point.",
        None => "The target of the question.",
    };
    let mut notes = vec![
        Note::reason("backend", "The engine of the deployment."),
        Note::reason("mode", "Prefill and decode workers are scaled apart."),
        Note::comment("optimization_target", "Any other target ignores the SLA."),
        Note::reason("ttft_ms", target),
        Note::reason("itl_ms", target),
        Note::comment("max_gpu_budget", "The GPU budget; the default is 8."),
        Note::reason("prefill_engine_num_gpu", "GPUs of a prefill worker."),
        Note::reason("decode_engine_num_gpu", "GPUs of a decode worker."),
        Note::reason("speculative_nextn", "Draft tokens of the question."),
        Note::comment("advisory", "It computes and logs, and changes nothing."),
        Note::comment("aic_interpolation", "Latencies to start from, before any were measured."),
        Note::reason("aic_interpolation.prefill_pick", "Parallel sizes of a prefill worker."),
        Note::reason("aic_interpolation.decode_pick", "Parallel sizes of a decode worker."),
    ];
    let throughput = if deployment
        .pool(Role::Prefill)
        .zip(deployment.pool(Role::Decode))
        .is_some_and(|(prefill, decode)| interpolation(deployment, prefill, decode).is_some())
    {
        "By computed latencies."
    } else {
        "The planner's performance model does not know these GPUs, or not this layout; the load alone decides."
    };
    notes.push(Note::reason("enable_throughput_scaling", throughput));
    notes
}

/// Why an aggregated deployment has no planner.
pub(super) fn only_separate(path: &str) -> (String, &'static str, String) {
    let message = "The planner balances prefill against decode workers; an aggregated point has one kind of worker, so there is nothing to balance. Select a disaggregated point.";
    (path.to_owned(), "planner-agg", message.to_owned())
}

/// Writes the settings alone.
pub(super) fn write(selection: &Selection<'_>, options: &Options) -> Result<Manifest, Vec<Check>> {
    let deployment = Deployment::new(selection, options)?;
    let Some(planner) = Planner::of_deployment(&deployment) else {
        let (path, rule, message) = only_separate("mode");
        return Err(vec![Check::error(path, rule, message)]);
    };
    let yaml = serde_yaml::to_string(&planner).map_err(|error| {
        vec![Check::error("", "yaml", format!("The settings cannot be written: {error}."))]
    })?;
    let header = deployment.header(&format!(
        "Settings of the planner of NVIDIA Dynamo {}, for python3 -m dynamo.planner --config.",
        options.release.tag()
    ));
    let name = deployment.name.clone();
    let file = format!("{name}-planner.yaml");
    let commands = vec![Command::new(
        "Run it beside the deployment",
        format!("python3 -m dynamo.planner --config {file}"),
    )];
    let draft = File::new(file, annotate(&yaml, &header, &notes(&deployment)));
    let checks = deployment.warnings();
    finish(Manifest { name, files: Vec::new(), commands, checks }, vec![draft], options.release)
}
