//! A selected point as a `DynamoGraphDeploymentRequest`.
//!
//! It is a request: it says what is to be served and on what, and Dynamo's profiler chooses the layout again.

use super::annotate::{Comments, annotate};
use super::request::{Features, Hardware, Load, Metadata, Number, Planner, Request, Spec, Targets};
use super::{Command, File, Manifest, Options, Selection};
use crate::custom::UNNAMED;
use crate::format::{ms, rate, typed};
use crate::manifest::check::{DGDR_API_VERSION, DGDR_KIND, validate};
use crate::manifest::names::{image_version, request_name};
use crate::manifest::sku::{gpu_sku, vram_mb};
use crate::manifest::{Check, Dynamo};
use crate::scenario::{EngineOptions, Goal, QuantChoice, Scenario};
use crate::text::{layout_short, layout_total, serving};
use crate::view::Point;

/// Writes the request for a selected point, or says what keeps it back.
pub(super) fn write(selection: &Selection<'_>, options: &Options) -> Result<Manifest, Vec<Check>> {
    let &Selection { scenario, model, system, point, .. } = selection;
    let release = options.release;
    let (mut checks, sku) = possible(selection, options);
    let Some(gpu_sku) = sku.filter(|_| checks.is_empty()) else {
        return Err(checks);
    };
    let name = options.name.clone().unwrap_or_else(|| request_name(model.short_name()));
    let image = options.image.clone().unwrap_or_else(|| options.released_image("dynamo-planner"));
    let total_gpus = match scenario.goal {
        Goal::Gpus(budget) => budget,
        Goal::RequestRate(_) | Goal::Concurrency(_) => point.gpus_used,
    };
    let request = Request {
        api_version: DGDR_API_VERSION,
        kind: DGDR_KIND,
        metadata: Metadata { name: &name, namespace: options.namespace.as_deref() },
        spec: Spec {
            model: &model.id,
            backend: scenario.backend.name(),
            image: &image,
            runtime_version_override: image_version(&image).is_none().then_some(release.tag()),
            search_strategy: "rapid",
            auto_apply: options.auto_apply,
            hardware: Hardware {
                gpu_sku,
                vram_mb: vram_mb(system),
                num_gpus_per_node: system.gpus_per_node,
                total_gpus,
            },
            workload: load(scenario),
            sla: targets(scenario),
            features: point.is_disagg().then(|| Features { planner: planner(scenario, point, total_gpus) }),
        },
    };
    let yaml = serde_yaml::to_string(&request).map_err(|error| {
        vec![Check::error("", "yaml", format!("The request cannot be written: {error}."))]
    })?;
    let text = annotate(&yaml, &header(point, options), &comments(scenario, point, options));
    checks = validate(&text, release);
    if checks.iter().any(Check::is_error) {
        return Err(checks);
    }
    checks.extend(left_out(scenario, point));
    let file_name = format!("{name}.yaml");
    let place = options.namespace.as_ref().map_or_else(String::new, |namespace| format!(" -n {namespace}"));
    Ok(Manifest {
        commands: vec![
            Command { label: "Apply it".to_owned(), text: format!("kubectl apply -f {file_name}") },
            Command {
                label: "See what came of it".to_owned(),
                text: format!(
                    "kubectl get dgdr {name}{place} -o jsonpath='{{.status.profilingResults.selectedConfig}}'"
                ),
            },
        ],
        name,
        files: vec![File { name: file_name, text, reasons: Vec::new() }],
        checks,
    })
}

/// What no request can say, and the name of the GPU where there is one.
fn possible(selection: &Selection<'_>, options: &Options) -> (Vec<Check>, Option<&'static str>) {
    let &Selection { scenario, model, system, .. } = selection;
    let mut checks = Vec::new();
    let path = "spec.hardware.gpuSku";
    if let Some(decode) = scenario.decode_system.as_ref().filter(|&decode| *decode != scenario.system) {
        let message = format!(
            "Prefill runs on {} and decode on {decode}, but a request names one GPU type for all workers. Choose one GPU type.",
            scenario.system
        );
        checks.push(Check::error(path, "mixed-gpus", message));
    }
    let sku = gpu_sku(&system.id, options.release);
    if sku.is_none() {
        let newer = Dynamo::ALL.iter().find(|&&release| gpu_sku(&system.id, release).is_some());
        let way_out = newer.map_or_else(
            || "Choose another GPU system for this export.".to_owned(),
            |release| format!("Dynamo {} knows it; choose that release.", release.tag()),
        );
        let message = format!(
            "A request for Dynamo {} has no name for {}. {way_out}",
            options.release.tag(),
            system.name
        );
        checks.push(Check::error(path, "no-sku", message));
    }
    if scenario.custom.is_some() && model.id == UNNAMED {
        let message =
            "Dynamo finds the model by its name. Give the name it has on the Hub, organisation/name.";
        checks.push(Check::error("spec.model", "unnamed", message));
    }
    for (path, text) in [("spec.model", Some(&model.id)), ("spec.image", options.image.as_ref())] {
        if text
            .is_some_and(|text| text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()))
        {
            let message = "This must be a single word without spaces.";
            checks.push(Check::error(path, "one-word", message));
        }
    }
    for (path, text) in [("metadata.name", &options.name), ("metadata.namespace", &options.namespace)] {
        // Ahead of writing, since a line break would spread over several lines; the full rule follows.
        if text.as_ref().is_some_and(|text| text.chars().any(|c| c.is_whitespace() || c.is_control())) {
            checks.push(Check::error(
                path,
                "name",
                "A name holds only lower-case letters, digits and dashes.",
            ));
        }
    }
    (checks, sku)
}

fn load(scenario: &Scenario) -> Load {
    let (request_rate, concurrency) = match scenario.goal {
        Goal::Gpus(_) => (None, None),
        Goal::RequestRate(rate) => (Some(Number(rate)), None),
        Goal::Concurrency(requests) => (None, Some(requests)),
    };
    Load { isl: scenario.workload.isl, osl: scenario.workload.osl, request_rate, concurrency }
}

fn targets(scenario: &Scenario) -> Targets {
    let sla = &scenario.sla;
    match sla.request_latency_ms {
        Some(latency) => Targets { ttft: None, itl: None, e2e_latency: Some(Number(latency)) },
        None => Targets { ttft: Some(Number(sla.ttft_ms)), itl: Some(Number(sla.itl_ms)), e2e_latency: None },
    }
}

fn planner(scenario: &Scenario, point: &Point, total_gpus: u32) -> Planner {
    // The planner knows no end-to-end target and would fall back on targets of its own.
    let split = scenario.sla.request_latency_ms.map(|_| (Number(point.ttft_ms), Number(point.itl_ms)));
    Planner {
        backend: scenario.backend.name(),
        mode: "disagg",
        optimization_target: "sla",
        ttft_ms: split.map(|(ttft, _)| ttft),
        itl_ms: split.map(|(_, itl)| itl),
        pre_deployment_sweeping_mode: "rapid",
        enable_throughput_scaling: true,
        enable_load_scaling: true,
        throughput_adjustment_interval_seconds: 60,
        load_adjustment_interval_seconds: 5,
        max_gpu_budget: total_gpus,
        min_endpoint: 1,
    }
}

fn header(point: &Point, options: &Options) -> Vec<String> {
    let mut lines = vec![
        format!(
            "A request to NVIDIA Dynamo {}: model, SLO, workload, hardware and backend.",
            options.release.tag()
        ),
        "It is no deployment: parallel sizes, batches and worker counts are not part of it.".to_owned(),
        "Dynamo's profiler chooses them again and may choose others than the point below.".to_owned(),
        format!("Selected: {} {}, {}.", serving(point), layout_short(point), layout_total(point)),
        format!(
            "Predicted: TTFT {} ms, ITL {} ms, {} tokens/s/GPU.",
            ms(point.ttft_ms),
            ms(point.itl_ms),
            rate(point.tokens_per_sec_per_gpu)
        ),
    ];
    lines.extend(options.link.as_ref().map(|link| format!("From: {link}")));
    lines
}

fn comments(scenario: &Scenario, point: &Point, options: &Options) -> Comments {
    let budget = match scenario.goal {
        Goal::Gpus(_) => "The GPU budget.".to_owned(),
        Goal::RequestRate(_) | Goal::Concurrency(_) => "GPUs of the selected point.".to_owned(),
    };
    let apply = if options.auto_apply {
        "The outcome is deployed at once."
    } else {
        "The outcome waits for review in the status; true deploys it at once."
    };
    let mut comments = vec![
        ("spec.backend", format!("{}, as searched.", scenario.backend.label())),
        ("spec.image", "The profiler; the engine and planner images are derived from it.".to_owned()),
        ("spec.searchStrategy", "Performance model only: no GPU time is spent on measuring.".to_owned()),
        ("spec.autoApply", apply.to_owned()),
        ("spec.hardware", "All four fields together, so that nothing has to be discovered.".to_owned()),
        ("spec.hardware.totalGpus", budget),
        ("spec.workload", "Mean tokens of a request.".to_owned()),
        ("spec.sla", "Milliseconds; itl leaves the first token out.".to_owned()),
    ];
    if point.is_disagg() {
        comments.push((
            "spec.features",
            "The planner scales prefill and decode workers to keep the SLA.".to_owned(),
        ));
        comments.push((
            "spec.features.planner.optimization_target",
            "Any other target ignores the SLA.".to_owned(),
        ));
        comments.push(("spec.features.planner.max_gpu_budget", "As totalGpus; the default is 8.".to_owned()));
        comments.push((
            "spec.features.planner.ttft_ms",
            "The planner knows no end-to-end target: the latencies of the selected point.".to_owned(),
        ));
    }
    comments
}

/// What the scenario or the point says and a request cannot.
fn left_out(scenario: &Scenario, point: &Point) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut warn = |path: &str, rule, message: String| checks.push(Check::warning(path, rule, message));
    if !point.meets() {
        let message = "The selected point misses the SLO. If the profiler finds nothing better either, the request fails.";
        warn("spec.sla", "misses-slo", message.to_owned());
    }
    if scenario.sla.request_latency_ms.is_some() {
        let message = format!(
            "With a request latency there is no TTFT target; {} ms is left out.",
            typed(scenario.sla.ttft_ms)
        );
        warn("spec.sla.e2eLatency", "left-out", message);
    }
    if scenario.workload.prefix > 0 {
        let message = format!(
            "A request has no field for the {} cached prefix tokens; the profiler counts the whole prompt.",
            typed(f64::from(scenario.workload.prefix))
        );
        warn("spec.workload.isl", "left-out", message);
    }
    if scenario.custom.is_some() {
        let message = "The facts of your model are left out; the profiler reads the files behind this name.";
        warn("spec.model", "left-out", message.to_owned());
    }
    if let Some(images) = &scenario.workload.images {
        let message = format!(
            "A request has no field for images; the profiler sends the text alone, without {} and their tokens.",
            crate::text::images(images)
        );
        warn("spec.workload.isl", "left-out", message);
    }
    if scenario.quant != QuantChoice::default() {
        let message = "The precisions chosen here are left out; the profiler takes those of the checkpoint.";
        warn("spec.model", "left-out", message.to_owned());
    }
    if scenario.engine != EngineOptions::default() {
        let message = "The engine settings chosen here are left out; the profiler has its own.";
        warn("spec", "left-out", message.to_owned());
    }
    if let Some(encoders) = point.layout.encoders() {
        let message = format!(
            "A request cannot ask for workers that only encode images; the {} of the selected point are left out.",
            crate::text::layout_encoders(encoders)
        );
        warn("spec", "left-out", message);
    }
    if !point.is_disagg() {
        let message =
            "A request cannot ask for aggregated serving; the profiler compares both and takes the better.";
        warn("spec", "mode", message.to_owned());
    }
    checks
}
