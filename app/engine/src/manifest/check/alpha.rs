//! A request in the old version of its API, where most of it is free form.

use serde_json::Value;

use super::dgdr;
use super::planner::Planner;
use super::schema::quoted;
use crate::manifest::names::{image_version, is_dns_1123_subdomain, semver_core};
use crate::manifest::yaml::join;
use crate::manifest::{Check, Dynamo};

const CONFIG: &str = "spec.profilingConfig.config";

/// Checks a request of v1alpha1 as the operator and the profiler of this release would.
pub(super) fn check(document: &Value, release: Dynamo, out: &mut Vec<Check>) {
    let message = "v1alpha1 of a request is deprecated; write it as nvidia.com/v1beta1.";
    out.push(Check::warning("apiVersion", "deprecated", message));
    if document.pointer("/spec/deploymentOverrides/name").is_none_or(Value::is_null) {
        dgdr::name(document, None, out);
    }
    let Some(spec) = document.get("spec").filter(|spec| spec.is_object()) else { return };
    let profiling = spec.get("profilingConfig").unwrap_or(&Value::Null);
    let image = profiling.get("profilerImage").and_then(Value::as_str);
    let overridden = spec.get("runtimeVersionOverride").and_then(Value::as_str);
    if let Some(image) = image.filter(|image| image_version(image).is_none() && overridden.is_none()) {
        let message = format!(
            "The image {} has no version tag such as {}; set runtimeVersionOverride to the version it holds.",
            quoted(image),
            release.tag()
        );
        out.push(Check::error("spec.runtimeVersionOverride", "image-version", message));
    }
    if let Some(claim) =
        profiling.get("outputPVC").and_then(Value::as_str).filter(|name| !is_dns_1123_subdomain(name))
    {
        let message = format!("{} cannot be the name of a volume claim.", quoted(claim));
        out.push(Check::error("spec.profilingConfig.outputPVC", "name", message));
    }
    let Some(config) = profiling.get("config").filter(|config| config.is_object()) else { return };
    if let Some(sla) = config.get("sla") {
        dgdr::positive(sla, &join(CONFIG, "sla"), &["isl", "osl", "ttft", "itl"], out);
    }
    let path = join(CONFIG, "planner");
    if let Some(planner) = config.get("planner").and_then(|planner| Planner::new(planner, &path)) {
        let version = overridden.and_then(semver_core).or_else(|| image.and_then(image_version));
        planner.check(version.unwrap_or_else(|| semver_core(release.tag()).unwrap_or_default()), out);
        if let Some(backend) = spec.get("backend").and_then(Value::as_str) {
            planner.serves(backend, "request", out);
        }
    }
}
