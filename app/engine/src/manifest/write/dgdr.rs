//! A selected point as a `DynamoGraphDeploymentRequest`.
//!
//! It is a request: it says what is to be served and on what, and Dynamo's profiler chooses the layout again.

use super::annotate::{Note, annotate};
use super::deployment::senseless_extras;
use super::dgd::secret_command;
use super::objects::{GPU_TAINT, Metadata, Named, Number};
use super::planner::Planner;
use super::request::{
    Cache, Enabled, Features, Hardware, Job, Load, Overrides, Pod, Request, Spec, Targets, Template,
};
use super::{Command, File, Manifest, Options, PlannerUse, Selection, Strategy, finish};
use crate::custom::UNNAMED;
use crate::format::{ms, rate, typed};
use crate::manifest::check::{DGDR_API_VERSION, DGDR_KIND};
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
    let (checks, sku) = possible(selection, options);
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
        metadata: Metadata::new(&name, options.namespace.as_deref()),
        spec: Spec {
            model: &model.id,
            backend: scenario.backend.name(),
            image: &image,
            runtime_version_override: image_version(&image).is_none().then_some(release.tag()),
            search_strategy: match options.extras.strategy {
                Strategy::Rapid => "rapid",
                Strategy::Thorough => "thorough",
            },
            auto_apply: options.auto_apply,
            hardware: Hardware {
                gpu_sku,
                vram_mb: vram_mb(system),
                num_gpus_per_node: system.gpus_per_node,
                total_gpus,
            },
            workload: load(scenario),
            sla: targets(scenario),
            model_cache: options.extras.model_cache.as_ref().map(|cache| Cache {
                claim: &cache.claim,
                mount: cache.mount.as_deref(),
                folder: cache.path.as_deref(),
            }),
            features: features(scenario, point, options, total_gpus),
            overrides: overrides(options),
        },
    };
    let yaml = serde_yaml::to_string(&request).map_err(|error| {
        vec![Check::error("", "yaml", format!("The request cannot be written: {error}."))]
    })?;
    let text = annotate(&yaml, &header(point, options), &notes(scenario, point, options));
    let file_name = format!("{name}.yaml");
    let place = options.namespace.as_ref().map_or_else(String::new, |namespace| format!(" -n {namespace}"));
    let results = "-o jsonpath='{.status.profilingResults.selectedConfig}'";
    let commands = vec![
        Command::new("Apply it", format!("kubectl apply -f {file_name}")),
        secret_command(&place),
        Command::new("See how far it is", format!("kubectl get dgdr {name}{place}")),
        Command::new("See what came of it", format!("kubectl get dgdr {name}{place} {results}")),
    ];
    let draft = File::new(file_name, text);
    let checks = left_out(scenario, point, options);
    finish(Manifest { name, files: Vec::new(), commands, checks }, vec![draft], release)
}

fn features(scenario: &Scenario, point: &Point, options: &Options, total_gpus: u32) -> Option<Features> {
    let extras = &options.extras;
    let is_planned = point.is_disagg() && extras.planner != PlannerUse::Off;
    let features = Features {
        planner: is_planned.then(|| Planner::of_request(scenario, point, options, total_gpus)),
        kv_router: (extras.kv_router && options.release.facts().request_router)
            .then_some(Enabled { enabled: true }),
        mocker: extras.mocker.then_some(Enabled { enabled: true }),
    };
    let any = features.planner.is_some() || features.kv_router.is_some() || features.mocker.is_some();
    any.then_some(features)
}

fn overrides(options: &Options) -> Option<Overrides<'_>> {
    let extras = &options.extras;
    let secret = extras.pull_secret.as_deref();
    let trusts = extras.trust_remote_code && options.release.facts().request_remote_code;
    let has_job = secret.is_some() || extras.pin_nodes;
    (trusts || has_job).then(|| Overrides {
        trust_remote_code: trusts.then_some(true),
        profiling_job: has_job.then(|| Job {
            template: Template {
                spec: Pod {
                    containers: [],
                    image_pull_secrets: secret.map(|name| Named { name }).into_iter().collect(),
                    tolerations: extras.pin_nodes.then_some(GPU_TAINT).into_iter().collect(),
                },
            },
        }),
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
    checks.extend(senseless_extras(&options.extras));
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

fn notes(scenario: &Scenario, point: &Point, options: &Options) -> Vec<Note> {
    let budget = match scenario.goal {
        Goal::Gpus(_) => "The GPU budget.",
        Goal::RequestRate(_) | Goal::Concurrency(_) => "GPUs of the selected point.",
    };
    let apply = if options.auto_apply {
        "The outcome is deployed at once."
    } else {
        "The outcome waits for review in the status; true deploys it at once."
    };
    let search = match options.extras.strategy {
        Strategy::Rapid => "Performance model only: no GPU time is spent on measuring.",
        Strategy::Thorough => "Candidates are measured on real GPUs, which takes hours.",
    };
    let mut notes = vec![
        Note::reason("metadata.name", "The deployment will be called so, with -dgd behind it."),
        Note::reason("spec.model", "The model of the question."),
        Note::comment("spec.backend", format!("{}, as searched.", scenario.backend.label())),
        Note::comment("spec.image", "The profiler; the engine and planner images are derived from it."),
        Note::reason("spec.runtimeVersionOverride", "The tag of the image does not say its version."),
        Note::comment("spec.searchStrategy", search),
        Note::comment("spec.autoApply", apply),
        Note::comment("spec.hardware", "All four fields together, so that nothing has to be discovered."),
        Note::reason("spec.hardware.gpuSku", "The GPU of the question, as this release calls it."),
        Note::reason("spec.hardware.vramMb", "Memory of one GPU, MiB."),
        Note::reason("spec.hardware.numGpusPerNode", "GPUs of a node of this system."),
        Note::comment("spec.hardware.totalGpus", budget),
        Note::comment("spec.workload", "Mean tokens of a request."),
        Note::reason("spec.workload.isl", "ISL of the question."),
        Note::reason("spec.workload.osl", "OSL of the question."),
        Note::reason("spec.workload.requestRate", "The load of the question, requests per second."),
        Note::reason("spec.workload.concurrency", "The load of the question, requests in flight."),
        Note::comment("spec.sla", "Milliseconds; itl leaves the first token out."),
        Note::reason("spec.sla.ttft", "TTFT target of the question."),
        Note::reason("spec.sla.itl", "ITL target of the question."),
        Note::reason(
            "spec.sla.e2eLatency",
            "Request latency target of the question; it replaces both others.",
        ),
        Note::comment("spec.modelCache", "The volume with the model; it must exist in the namespace."),
        Note::comment("spec.features.kvRouter", "Requests go where their prefix is cached."),
        Note::comment("spec.features.mocker", "Workers that only pretend, to try the rest out."),
        Note::comment("spec.overrides.trustRemoteCode", "Code of the model's own is allowed."),
        Note::comment("spec.overrides.profilingJob", "What the pods of the profiler need to start."),
    ];
    if point.is_disagg() {
        let planner = if options.extras.planner == PlannerUse::Advises {
            "The planner computes and logs how it would scale, and changes nothing."
        } else {
            "The planner scales prefill and decode workers to keep the SLA."
        };
        let at = |key: &str| format!("spec.features.planner.{key}");
        notes.push(Note::comment("spec.features", planner));
        notes.push(Note::comment(at("optimization_target"), "Any other target ignores the SLA."));
        notes.push(Note::comment(at("max_gpu_budget"), "As totalGpus; the default is 8."));
        let split = "The planner knows no end-to-end target: the latencies of the selected point.";
        notes.push(Note::comment(at("ttft_ms"), split));
        notes.push(Note::reason(at("itl_ms"), split));
        notes.push(Note::reason(at("backend"), "The same engine as above; the planner does not look there."));
        notes.push(Note::reason(at("mode"), "Prefill and decode workers are scaled apart."));
        notes.push(Note::reason(at("advisory"), "It changes nothing."));
    }
    notes
}

/// What the scenario or the point says and a request cannot.
fn left_out(scenario: &Scenario, point: &Point, options: &Options) -> Vec<Check> {
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
    checks.extend(newer(options));
    if options.extras.strategy == Strategy::Thorough && !point.is_disagg() {
        let message =
            "A thorough search measures disaggregated layouts only, and the selected point is aggregated.";
        checks.push(Check::warning("spec.searchStrategy", "mode", message));
    }
    checks
}

/// What was chosen and cannot be said in a request, or not in one for this release.
fn newer(options: &Options) -> Vec<Check> {
    let (extras, facts, tag) = (&options.extras, options.release.facts(), options.release.tag());
    let mut checks = Vec::new();
    let mut warn = |path: &str, message: String| checks.push(Check::warning(path, "left-out", message));
    let newer = [
        (extras.kv_router && !facts.request_router, "spec.features.kvRouter", "routing by cached prefixes"),
        (
            extras.trust_remote_code && !facts.request_remote_code,
            "spec.overrides.trustRemoteCode",
            "code of the model's own",
        ),
    ];
    for (path, what) in newer.into_iter().filter_map(|(is_left, path, what)| is_left.then_some((path, what)))
    {
        warn(
            path,
            format!(
                "A request for Dynamo {tag} has no field for {what}; it is left out. A newer release has."
            ),
        );
    }
    if extras.pin_nodes {
        warn(
            "spec.hardware.gpuSku",
            "A request finds nodes by the GPU type alone; the selector is left out, the toleration is not."
                .to_owned(),
        );
    }
    if !extras.env.is_empty() {
        warn(
            "spec",
            "A request has no field for environment variables of workers; they are left out.".to_owned(),
        );
    }
    checks
}
