//! What a request must satisfy beyond its schema: admission, controller and profiler would say so later.

use serde_json::Value;

use super::graph::Graph;
use super::object;
use super::planner::{Planner, Version};
use super::schema::Schemas;
use crate::manifest::grove::GROVE_NAME;
use crate::manifest::names::{MAX_REQUEST_NAME, image_version, is_dns_1123_subdomain, semver_core};
use crate::manifest::yaml::join;
use crate::manifest::{Check, Dynamo};

pub(in crate::manifest) const API_VERSION: &str = "nvidia.com/v1beta1";
pub(in crate::manifest) const KIND: &str = "DynamoGraphDeploymentRequest";

/// Checks a request as the operator and the profiler of this release would.
pub(super) fn check(document: &Value, release: Dynamo, schemas: &Schemas, out: &mut Vec<Check>) {
    name(document, document.pointer("/spec/overrides/dgd/metadata/name"), out);
    let Some(spec) = document.get("spec").filter(|spec| spec.is_object()) else {
        return;
    };
    engine(spec, release, out);
    load(spec, out);
    targets(spec, out);
    hardware(spec, release, out);
    extras(spec, schemas, out);
    let version = runtime_version(spec).unwrap_or_else(|| semver_core(release.tag()).unwrap_or_default());
    planner(spec, version, out);
}

/// The generated deployment is named after the request, unless it is given a name; it may not grow too long.
pub(super) fn name(document: &Value, given: Option<&Value>, out: &mut Vec<Check>) {
    let frontend = "Frontend".len();
    let (name, path, most) = match given.and_then(Value::as_str) {
        Some(name) => (name, "spec.overrides.dgd.metadata.name", GROVE_NAME - frontend),
        None => match object::name(document) {
            Some(name) => (name, "metadata.name", MAX_REQUEST_NAME),
            None => return,
        },
    };
    let length = name.chars().count();
    if length > most && length <= 63 {
        let message = format!(
            "The name has {length} characters; at most {most} leave room for what is added to it and for the component names."
        );
        out.push(Check::error(path, "name-length", message));
    }
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

fn runtime_version(spec: &Value) -> Option<Version> {
    text(spec, "runtimeVersionOverride")
        .and_then(semver_core)
        .or_else(|| text(spec, "image").and_then(image_version))
}

fn engine(spec: &Value, release: Dynamo, out: &mut Vec<Check>) {
    if text(spec, "searchStrategy") == Some("thorough")
        && matches!(text(spec, "backend"), None | Some("auto"))
    {
        let message = "A thorough search needs one backend; set spec.backend to vllm, sglang or trtllm.";
        out.push(Check::error("spec.searchStrategy", "thorough-backend", message));
    }
    if let Some(image) = text(spec, "image")
        && image_version(image).is_none()
        && text(spec, "runtimeVersionOverride").is_none()
    {
        let message = format!(
            "The image {image:?} has no version tag such as {}; set runtimeVersionOverride to the version it holds.",
            release.tag()
        );
        out.push(Check::error("spec.runtimeVersionOverride", "image-version", message));
    }
}

/// Numbers that must be above 0.
pub(super) fn positive(parent: &Value, path: &str, keys: &[&str], out: &mut Vec<Check>) {
    for key in keys {
        if let Some(number) = parent.get(key).and_then(Value::as_f64).filter(|&number| number <= 0.0) {
            let message = format!("{key} is {}; it must be above 0.", crate::format::plain(number));
            out.push(Check::error(join(path, key), "positive", message));
        }
    }
}

fn load(spec: &Value, out: &mut Vec<Check>) {
    let Some(workload) = spec.get("workload") else {
        return;
    };
    positive(workload, "spec.workload", &["isl", "osl", "concurrency", "requestRate"], out);
    if is_set(workload, "concurrency") && is_set(workload, "requestRate") {
        let message = "concurrency and requestRate exclude each other; keep one.";
        out.push(Check::error("spec.workload", "one-load", message));
    }
}

fn targets(spec: &Value, out: &mut Vec<Check>) {
    let Some(sla) = spec.get("sla") else { return };
    positive(sla, "spec.sla", &["ttft", "itl", "e2eLatency"], out);
    if is_set(sla, "e2eLatency") && (is_set(sla, "ttft") || is_set(sla, "itl")) {
        let message = "e2eLatency excludes ttft and itl; keep either the one or the two.";
        out.push(Check::error("spec.sla", "one-sla", message));
    }
    if is_set(sla, "optimizationType") {
        let message = "optimizationType has no effect; remove it.";
        out.push(Check::warning("spec.sla.optimizationType", "no-effect", message));
    }
}

fn is_set(parent: &Value, key: &str) -> bool {
    parent.get(key).is_some_and(|value| !value.is_null())
}

fn hardware(spec: &Value, release: Dynamo, out: &mut Vec<Check>) {
    const FIELDS: [&str; 4] = ["gpuSku", "vramMb", "numGpusPerNode", "totalGpus"];
    let path = "spec.hardware";
    let missing: Vec<&str> = match spec.get("hardware") {
        Some(hardware) => FIELDS.into_iter().filter(|field| !is_set(hardware, field)).collect(),
        None => FIELDS.to_vec(),
    };
    if !missing.is_empty() {
        let message = format!(
            "Without {} the operator has to discover the hardware, which may be off or see at most 32 GPUs. Set all four of {}.",
            missing.join(", "),
            FIELDS.join(", ")
        );
        out.push(Check::warning(path, "hardware", message));
    }
    let Some(hardware) = spec.get("hardware") else {
        return;
    };
    positive(hardware, path, &FIELDS, out);
    if release >= Dynamo::V1_6 && text(hardware, "gpuSku") == Some("gb200_sxm") {
        let message = "gb200_sxm is deprecated since 1.6; write gb200.";
        out.push(Check::warning("spec.hardware.gpuSku", "deprecated", message));
    }
}

fn extras(spec: &Value, schemas: &Schemas, out: &mut Vec<Check>) {
    if let Some(claim) = spec.get("modelCache").and_then(|cache| text(cache, "pvcName"))
        && !is_dns_1123_subdomain(claim)
    {
        let message = format!("{claim:?} cannot be the name of a volume claim.");
        out.push(Check::error("spec.modelCache.pvcName", "name", message));
    }
    let Some(dgd) =
        spec.get("overrides").and_then(|overrides| overrides.get("dgd")).filter(|dgd| dgd.is_object())
    else {
        return;
    };
    let path = "spec.overrides.dgd";
    let version = text(dgd, "apiVersion").and_then(|version| version.strip_prefix("nvidia.com/"));
    match version.filter(|version| ["v1alpha1", "v1beta1"].contains(version)) {
        Some(version) if text(dgd, "kind") == Some("DynamoGraphDeployment") => {
            schemas.check_partial(dgd, &format!("DynamoGraphDeployment/{version}"), path, out);
            length(spec, dgd, path, out);
        }
        _ => {
            let message = "An overriding deployment needs apiVersion nvidia.com/v1beta1 (or v1alpha1) and kind DynamoGraphDeployment.";
            out.push(Check::error(path, "embedded-kind", message));
        }
    }
}

/// A length that overrides the generated one must hold a whole request.
fn length(spec: &Value, dgd: &Value, path: &str, out: &mut Vec<Check>) {
    let tokens = |key: &str, default| {
        spec.pointer(key).map_or(Some(default), Value::as_u64).filter(|&tokens| u32::try_from(tokens).is_ok())
    };
    let Some(whole) = tokens("/workload/isl", 4000).zip(tokens("/workload/osl", 1000)) else { return };
    for component in Graph::below(dgd, path).components {
        component.holds(whole.0, whole.1, out);
    }
}

fn planner(spec: &Value, version: Version, out: &mut Vec<Check>) {
    let Some(features) = spec.get("features") else { return };
    let path = "spec.features.planner";
    let Some(planner) = features.get("planner").and_then(|planner| Planner::new(planner, path)) else {
        return;
    };
    planner.check(version, out);
    let mocker = features.pointer("/mocker/enabled").and_then(Value::as_bool).unwrap_or(false);
    // With a planner, the profiler turns `auto` into vLLM.
    let served = text(spec, "backend").filter(|backend| *backend != "auto").unwrap_or("vllm");
    if !(mocker && planner.text("backend", "vllm") == "mocker") {
        planner.serves(served, "request", out);
    }
    if mocker && planner.text("pre_deployment_sweeping_mode", "rapid") == "none" {
        let message =
            "Mocked engines need a sweep before deployment; set pre_deployment_sweeping_mode to rapid.";
        out.push(Check::error(planner.at("pre_deployment_sweeping_mode"), "planner-sweep", message));
    }
    let has_sla = spec.get("sla").and_then(Value::as_object).is_some_and(|sla| !sla.is_empty());
    if has_sla && planner.target() != "sla" {
        let message = format!(
            "The target is {}, so the planner ignores the SLA; set optimization_target to sla.",
            planner.target()
        );
        out.push(Check::warning(planner.at("optimization_target"), "planner-target", message));
    }
    let total = spec.pointer("/hardware/totalGpus").and_then(Value::as_i64);
    if let Some(total) = total.filter(|&total| total != planner.max_gpus()) {
        let message = format!(
            "The planner may use {} GPUs, the request has {total}; set max_gpu_budget to {total}.",
            planner.max_gpus()
        );
        out.push(Check::warning(planner.at("max_gpu_budget"), "planner-budget", message));
    }
}
