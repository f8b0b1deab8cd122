//! What every object of a cluster must satisfy, and the few rules of ordinary kinds.

use serde_json::Value;

use super::pod;
use super::schema::{nearest, quoted, shown};
use crate::manifest::Check;
use crate::manifest::names::{
    is_dns_1035_label, is_dns_1123_label, is_dns_1123_subdomain, is_label_key, is_label_value, is_quantity,
};
use crate::manifest::yaml::join;

/// Kinds whose names alone are checked here.
const ORDINARY: &[&str] = &[
    "ClusterRole",
    "ClusterRoleBinding",
    "ComputeDomain",
    "ConfigMap",
    "CronJob",
    "DaemonSet",
    "Deployment",
    "Gateway",
    "HTTPRoute",
    "HorizontalPodAutoscaler",
    "InferencePool",
    "Ingress",
    "Job",
    "Kustomization",
    "LeaderWorkerSet",
    "Namespace",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Pod",
    "PodMonitor",
    "ResourceClaim",
    "ResourceClaimTemplate",
    "Role",
    "RoleBinding",
    "ScaledObject",
    "Secret",
    "Service",
    "ServiceAccount",
    "ServiceMonitor",
    "StatefulSet",
    "StorageClass",
];

/// Most bytes of a `ConfigMap`.
const CONFIG_MAP_BYTES: usize = 1 << 20;
/// Most bytes of an object that `kubectl apply` can keep in an annotation.
const APPLIED_BYTES: usize = 256 << 10;

/// Name of an object.
pub(super) fn name(document: &Value) -> Option<&str> {
    document.pointer("/metadata/name").and_then(Value::as_str)
}

/// Whether a kind is known here as one that needs no more than its names checked.
pub(super) fn is_ordinary(kind: &str) -> bool {
    ORDINARY.contains(&kind)
}

/// The known kind that is spelt almost like this.
pub(super) fn ordinary_near(kind: &str) -> Option<&'static str> {
    nearest(kind, ORDINARY.iter().copied())
}

/// Checks what surrounds the specification of any object.
pub(super) fn check(document: &Value, kind: &str, out: &mut Vec<Check>) {
    if kind == "Kustomization" {
        // Read by kubectl, never stored, so it needs no name.
        return;
    }
    object_name(document, kind, out);
    let Some(metadata) = document.get("metadata").filter(|metadata| !metadata.is_null()) else { return };
    if let Some(namespace) = metadata.get("namespace").filter(|namespace| !namespace.is_null())
        && !namespace.as_str().is_some_and(is_dns_1123_label)
    {
        let message = format!(
            "The namespace {} must be a text of at most 63 lower-case letters, digits and dashes, with no dash at either end.",
            shown(namespace)
        );
        out.push(Check::error("metadata.namespace", "name", message));
    }
    labels(metadata, "metadata", out);
    size(document, kind, out);
}

/// Checks the specification of an ordinary kind.
pub(super) fn ordinary(document: &Value, kind: &str, out: &mut Vec<Check>) {
    let spec = document.get("spec").unwrap_or(&Value::Null);
    match kind {
        "ConfigMap" => config_map(document, out),
        "PersistentVolumeClaim" => claim(spec, out),
        "Pod" => pod::check(spec, "spec", out),
        "Job" => {
            if let Some(template) = spec.pointer("/template/spec") {
                let policy = template.get("restartPolicy").and_then(Value::as_str);
                if !matches!(policy, Some("Never" | "OnFailure")) {
                    let message = "A job's pods need restartPolicy Never or OnFailure.";
                    out.push(Check::error("spec.template.spec.restartPolicy", "job", message));
                }
                pod::check(template, "spec.template.spec", out);
            } else {
                let message = "A job needs spec.template.spec with its containers.";
                out.push(Check::error("spec.template", "required", message));
            }
        }
        "Deployment" | "StatefulSet" | "DaemonSet" => {
            if let Some(template) = spec.pointer("/template/spec") {
                pod::check(template, "spec.template.spec", out);
            }
        }
        _ => {}
    }
}

fn object_name(document: &Value, kind: &str, out: &mut Vec<Check>) {
    let path = "metadata.name";
    let name = match document.pointer("/metadata/name") {
        Some(Value::String(name)) => name,
        Some(Value::Null) | None => {
            if document.pointer("/metadata/generateName").is_none_or(Value::is_null) {
                out.push(Check::error(path, "name", format!("The {kind} needs a name.")));
            }
            return;
        }
        Some(other) => {
            out.push(Check::error(
                path,
                "name",
                format!("The name must be a text, not {}; put it in quotes.", shown(other)),
            ));
            return;
        }
    };
    let (fits, wanted) = match kind {
        "DynamoGraphDeployment" | "DynamoComponentDeployment" => (
            name.len() <= 63
                && name.split('.').all(is_dns_1123_label)
                && name.starts_with(|c: char| c.is_ascii_lowercase()),
            LETTER_FIRST,
        ),
        "DynamoGraphDeploymentRequest" | "Service" => (is_dns_1035_label(name), LETTER_FIRST),
        "Namespace" | "Job" => (is_dns_1123_label(name), LABEL),
        // Names of roles may hold colons.
        "ClusterRole" | "ClusterRoleBinding" | "Role" | "RoleBinding" => {
            (!name.contains(['/', '%']), "without / and %")
        }
        _ => (is_dns_1123_subdomain(name), "at most 253 lower-case letters, digits, dashes and dots"),
    };
    if !fits {
        out.push(Check::error(path, "name", format!("The name {} must be {wanted}.", quoted(name))));
    } else if kind == "DynamoGraphDeployment" && name.contains('.') {
        let message = format!(
            "The name {name} has a dot, which becomes a dash in the names of Services and of the Dynamo namespace; write a dash."
        );
        out.push(Check::warning(path, "name-dot", message));
    }
}

const LABEL: &str = "at most 63 lower-case letters, digits and dashes, with no dash at either end";
const LETTER_FIRST: &str =
    "at most 63 lower-case letters, digits and dashes, beginning with a letter and with no dash at its end";

/// Checks labels and annotations below a path.
pub(super) fn labels(metadata: &Value, path: &str, out: &mut Vec<Check>) {
    for group in ["labels", "annotations"] {
        for (key, value) in metadata.get(group).and_then(Value::as_object).into_iter().flatten() {
            let path = join(&join(path, group), key);
            let Some(text) = value.as_str() else {
                out.push(Check::error(
                    path,
                    "type",
                    format!("{key} must be a text, not {}; put it in quotes.", shown(value)),
                ));
                continue;
            };
            if !is_label_key(key) {
                let message = format!(
                    "The key {} must be a name of at most 63 letters, digits, dashes, dots and underscores, perhaps after a domain and a slash.",
                    quoted(key)
                );
                out.push(Check::error(path, "label", message));
            } else if group == "labels" && !is_label_value(text) {
                let message = format!(
                    "The label's value {} must be at most 63 letters, digits, dashes, dots and underscores, with a letter or digit at either end.",
                    quoted(text)
                );
                out.push(Check::error(path, "label", message));
            }
        }
    }
}

fn size(document: &Value, kind: &str, out: &mut Vec<Check>) {
    let bytes = document.to_string().len();
    if kind == "ConfigMap" && bytes > CONFIG_MAP_BYTES {
        let message =
            format!("The ConfigMap has {} KiB; a cluster stores at most 1024 KiB. Split it.", bytes >> 10);
        out.push(Check::error("data", "size", message));
    } else if bytes > APPLIED_BYTES {
        let message = format!(
            "The object has {} KiB; `kubectl apply` keeps a copy in an annotation of at most 256 KiB. Use `kubectl apply --server-side`.",
            bytes >> 10
        );
        out.push(Check::warning("", "size", message));
    }
}

fn config_map(document: &Value, out: &mut Vec<Check>) {
    for (key, value) in document.get("data").and_then(Value::as_object).into_iter().flatten() {
        let path = join("data", key);
        let is_key = !key.is_empty()
            && key.len() <= 253
            && !matches!(key.as_str(), "." | "..")
            && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if !is_key {
            let message =
                format!("The key {} must be letters, digits, dashes, dots and underscores.", quoted(key));
            out.push(Check::error(&path, "name", message));
        }
        if !value.is_string() {
            let message =
                format!("The value of {key} must be a text; write it as a block after `|`, or in quotes.");
            out.push(Check::error(path, "type", message));
        }
    }
    if let Some(data) = document.get("data").filter(|data| !data.is_object() && !data.is_null()) {
        let message = format!("data must be a mapping of names to texts, not {}.", shown(data));
        out.push(Check::error("data", "type", message));
    }
}

fn claim(spec: &Value, out: &mut Vec<Check>) {
    if spec.get("accessModes").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        let message =
            "A claim needs accessModes, such as [ReadWriteMany] where several nodes read the model.";
        out.push(Check::error("spec.accessModes", "required", message));
    }
    let path = "spec.resources.requests.storage";
    match spec.pointer("/resources/requests/storage") {
        None | Some(Value::Null) => {
            out.push(Check::error(path, "required", "A claim needs a size, such as 200Gi."));
        }
        Some(Value::String(size)) if !is_quantity(size) => {
            let message = format!("The size {} must be a quantity such as 200Gi.", quoted(size));
            out.push(Check::error(path, "pattern", message));
        }
        Some(_) => {}
    }
}
