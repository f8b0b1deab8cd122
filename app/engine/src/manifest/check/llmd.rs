//! Values of the llm-d chart for model services.

use serde_json::Value;

use super::pod::{environment, items};
use super::schema::{quoted, shown};
use crate::manifest::Check;
use crate::manifest::names::{is_label_key, is_label_value};
use crate::manifest::yaml::join;

/// Whether a mapping holds values of the chart.
pub(super) fn looks_like(document: &Value) -> bool {
    document.get("modelArtifacts").is_some_and(Value::is_object)
}

/// Checks the values.
pub(super) fn check(document: &Value, out: &mut Vec<Check>) {
    let artifacts = &document["modelArtifacts"];
    for (key, value) in artifacts.get("labels").and_then(Value::as_object).into_iter().flatten() {
        let path = join("modelArtifacts.labels", key);
        if !is_label_key(key) || !value.as_str().is_some_and(is_label_value) {
            let message = format!(
                "{} must be a text of at most 63 letters, digits, dashes, dots and underscores, with a letter or digit at either end.",
                shown(value)
            );
            out.push(Check::error(path, "label", message));
        }
    }
    if artifacts.get("authSecretName").is_some_and(Value::is_null) {
        let message = "authSecretName is empty; leave it out, or name the Secret with the token.";
        out.push(Check::error("modelArtifacts.authSecretName", "required", message));
    }
    let created = |role: &str| {
        let role = document.get(role)?;
        role.get("create").and_then(Value::as_bool).unwrap_or(true).then_some(role)
    };
    let (prefill, decode) = (created("prefill"), created("decode"));
    if decode.is_none() {
        out.push(Check::error(
            "decode",
            "one-role",
            "Decode workers are missing; nothing serves without them.",
        ));
    }
    for (role, name) in [(prefill, "prefill"), (decode, "decode")] {
        let Some(role) = role else { continue };
        for (container, path) in items(role, "containers", name) {
            worker(container, &path, prefill.is_some() && decode.is_some(), out);
            gpus(role, container, &path, out);
        }
    }
}

fn worker(container: &Value, path: &str, disaggregated: bool, out: &mut Vec<Check>) {
    environment(container, "env", path, out);
    if let Some(image) = container.get("image").and_then(Value::as_str) {
        let tagged = image.contains('@') || image.rsplit('/').next().is_some_and(|last| last.contains(':'));
        if image.ends_with(":latest") || !tagged {
            let message = format!("{} may change under the same name; pin a version.", quoted(image));
            out.push(Check::warning(join(path, "image"), "image", message));
        }
    }
    // SGLang has flags of its own for the transfer.
    let names_sglang = |key: &str| match container.get(key) {
        Some(Value::String(text)) => text.contains("sglang"),
        Some(Value::Array(words)) => {
            words.iter().filter_map(Value::as_str).any(|word| word.contains("sglang"))
        }
        _ => false,
    };
    let is_sglang = names_sglang("image") || names_sglang("command");
    let mut args =
        container.get("args").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    if disaggregated && !is_sglang && !args.any(|word| word.starts_with("--kv-transfer-config")) {
        let message = r#"Separate prefill and decode need --kv-transfer-config '{"kv_connector":"NixlConnector","kv_role":"kv_both"}'."#;
        out.push(Check::error(join(path, "args"), "kv-transfer", message));
    }
}

/// GPUs of a container are those that its parallelism uses.
fn gpus(role: &Value, container: &Value, path: &str, out: &mut Vec<Check>) {
    let size = |key: &str| role.pointer(key).map_or(Some(1), Value::as_u64);
    let limit = match container.pointer("/resources/limits/nvidia.com~1gpu") {
        Some(Value::String(text)) => text.parse().ok(),
        Some(value) => value.as_u64(),
        None => None,
    };
    let used = size("/parallelism/tensor")
        .zip(size("/parallelism/dataLocal"))
        .and_then(|(tp, dp)| tp.checked_mul(dp));
    if let Some((limit, used)) = limit.zip(used).filter(|(limit, used)| limit < used) {
        let message =
            format!("The engine uses {used} GPUs, and the container gets {limit}; set the limit to {used}.");
        out.push(Check::error(join(path, "resources.limits.nvidia.com/gpu"), "gpus-used", message));
    }
}
