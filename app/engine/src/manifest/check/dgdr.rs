//! What a request must satisfy beyond its schema: admission, controller and profiler would say so later.

use serde_json::Value;

use super::{planner, schema};
use crate::manifest::names::{
    MAX_REQUEST_NAME, image_version, is_dns_1035_label, is_dns_1123_label, is_dns_1123_subdomain, semver_core,
};
use crate::manifest::yaml::join;
use crate::manifest::{Check, Dynamo};

pub(in crate::manifest) const API_VERSION: &str = "nvidia.com/v1beta1";
pub(in crate::manifest) const KIND: &str = "DynamoGraphDeploymentRequest";

/// Checks a request as the cluster, its operator and the profiler of this release would.
pub(super) fn check(document: &Value, release: Dynamo) -> Vec<Check> {
    let mut checks = Vec::new();
    if !identity(document, &mut checks) {
        return checks;
    }
    checks.extend(schema::check(document, release));
    metadata(document, &mut checks);
    if let Some(spec) = document.get("spec").filter(|spec| spec.is_object()) {
        engine(spec, release, &mut checks);
        load(spec, &mut checks);
        targets(spec, &mut checks);
        hardware(spec, release, &mut checks);
        extras(spec, &mut checks);
        let version = runtime_version(spec).unwrap_or_else(|| semver_core(release.tag()).unwrap_or_default());
        planner::check(spec, version, &mut checks);
    }
    checks
}

/// Whether the document is a request of the version that the schema describes.
fn identity(document: &Value, out: &mut Vec<Check>) -> bool {
    for (key, wanted) in [("apiVersion", API_VERSION), ("kind", KIND)] {
        match document.get(key) {
            Some(Value::String(found)) if found == wanted => {}
            Some(Value::String(found)) => {
                out.push(Check::error(key, "identity", format!("{key} is {found:?}; it must be {wanted}.")));
            }
            _ => out.push(Check::error(key, "identity", format!("{key} is missing; it must be {wanted}."))),
        }
    }
    out.is_empty()
}

fn metadata(document: &Value, out: &mut Vec<Check>) {
    let Some(metadata) = document.get("metadata") else {
        return;
    };
    let path = "metadata.name";
    match metadata.get("name") {
        Some(Value::String(name)) if !is_dns_1123_subdomain(name) || !is_dns_1035_label(name) => {
            let message = format!(
                "The name {name:?} must begin with a lower-case letter and hold only lower-case letters, digits and dashes, not at its end."
            );
            out.push(Check::error(path, "name", message));
        }
        Some(Value::String(name)) if name.len() > MAX_REQUEST_NAME => {
            let message = format!(
                "The name has {} characters; at most {MAX_REQUEST_NAME} leave room for “-dgd” and the component names.",
                name.len()
            );
            out.push(Check::error(path, "name-length", message));
        }
        Some(Value::String(_)) => {}
        Some(_) => out.push(Check::error(path, "name", "The name must be a text; put it in quotes.")),
        None => out.push(Check::error(path, "name", "The request needs a name.")),
    }
    if let Some(namespace) = metadata.get("namespace")
        && !namespace.as_str().is_some_and(is_dns_1123_label)
    {
        let message = format!(
            "The namespace {namespace} must be a text of at most 63 lower-case letters, digits and dashes, with no dash at either end."
        );
        out.push(Check::error("metadata.namespace", "name", message));
    }
    for group in ["labels", "annotations"] {
        for (key, value) in metadata.get(group).and_then(Value::as_object).into_iter().flatten() {
            if !value.is_string() {
                let path = join(&join("metadata", group), key);
                out.push(Check::error(path, "type", format!("{key} must be a text; put {value} in quotes.")));
            }
        }
    }
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

fn runtime_version(spec: &Value) -> Option<(u16, u16, u16)> {
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

fn positive(parent: &Value, path: &str, keys: &[&str], out: &mut Vec<Check>) {
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

fn extras(spec: &Value, out: &mut Vec<Check>) {
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
    let version = text(dgd, "apiVersion");
    if text(dgd, "kind") != Some("DynamoGraphDeployment")
        || !matches!(version, Some("nvidia.com/v1alpha1" | "nvidia.com/v1beta1"))
    {
        let message = "An overriding deployment needs apiVersion nvidia.com/v1beta1 (or v1alpha1) and kind DynamoGraphDeployment.";
        out.push(Check::error(path, "embedded-kind", message));
    }
}
