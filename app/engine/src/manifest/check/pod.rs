//! Pods: names, environment, mounts.

use std::collections::BTreeSet;

use serde_json::Value;

use super::files::{Files, Source};
use super::schema::{quoted, shown};
use crate::manifest::Check;
use crate::manifest::names::{is_dns_1123_label, is_env_name, is_port_name};
use crate::manifest::yaml::join;

/// Items of a list below a value, with their paths.
pub(super) fn items<'a>(value: &'a Value, key: &str, path: &str) -> Vec<(&'a Value, String)> {
    let list = value.get(key).and_then(Value::as_array).into_iter().flatten();
    let path = join(path, key);
    list.enumerate().map(|(at, item)| (item, join(&path, &at.to_string()))).collect()
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

/// Checks the specification of a pod at a path.
pub(super) fn check(spec: &Value, path: &str, out: &mut Vec<Check>) {
    let volumes = volumes(spec, path, out);
    for list in ["initContainers", "containers"] {
        for (item, path) in items(spec, list, path) {
            container(item, &path, &volumes, out);
        }
    }
}

/// Names of the volumes of a pod.
pub(super) fn volumes<'a>(spec: &'a Value, path: &str, out: &mut Vec<Check>) -> BTreeSet<&'a str> {
    let mut names = BTreeSet::new();
    for (volume, path) in items(spec, "volumes", path) {
        let Some(name) = text(volume, "name") else { continue };
        names.insert(name);
        label(name, "volume", &join(&path, "name"), out);
    }
    names
}

/// Checks a container that may mount these volumes.
pub(super) fn container(item: &Value, path: &str, volumes: &BTreeSet<&str>, out: &mut Vec<Check>) {
    if let Some(name) = text(item, "name") {
        label(name, "container", &join(path, "name"), out);
    }
    for (port, path) in items(item, "ports", path) {
        if let Some(name) = text(port, "name").filter(|name| !is_port_name(name)) {
            let message = format!(
                "The port's name {} must be at most 15 lower-case letters, digits and dashes, with a letter among them.",
                quoted(name)
            );
            out.push(Check::error(join(&path, "name"), "name", message));
        }
        if let Some(port) =
            port.get("containerPort").and_then(Value::as_i64).filter(|port| !(1..=65535).contains(port))
        {
            let message = format!("The port {port} must be between 1 and 65535.");
            out.push(Check::error(join(&path, "containerPort"), "range", message));
        }
    }
    environment(item, "env", path, out);
    for (mount, path) in items(item, "volumeMounts", path) {
        if let Some(name) = text(mount, "name").filter(|name| !volumes.contains(name)) {
            let message =
                format!("No volume is named {}; add it to volumes, or correct the name.", quoted(name));
            out.push(Check::error(join(&path, "name"), "volume", message));
        }
    }
}

/// Checks names and values of environment variables.
pub(super) fn environment(item: &Value, key: &str, path: &str, out: &mut Vec<Check>) {
    for (variable, path) in items(item, key, path) {
        let Some(name) = text(variable, "name") else { continue };
        if !is_env_name(name) {
            let message = format!(
                "The variable's name {} must be letters, digits and underscores, and not begin with a digit.",
                quoted(name)
            );
            out.push(Check::error(join(&path, "name"), "env-name", message));
        }
        if let Some(value) = variable.get("value").filter(|value| !value.is_string() && !value.is_null()) {
            let message =
                format!("The value of {name} must be a text, not {}; put it in quotes.", shown(value));
            out.push(Check::error(join(&path, "value"), "type", message));
        }
        if name == "HF_TOKEN" && text(variable, "value").is_some_and(|value| !value.is_empty()) {
            let message =
                "A token is written into the manifest; take it from a Secret by valueFrom or envFrom.";
            out.push(Check::warning(join(&path, "value"), "secret", message));
        }
    }
}

fn label(name: &str, what: &str, path: &str, out: &mut Vec<Check>) {
    if !is_dns_1123_label(name) {
        let message = format!(
            "The {what}'s name {} must be at most 63 lower-case letters, digits and dashes, with no dash at either end.",
            quoted(name)
        );
        out.push(Check::error(path, "name", message));
    }
}

/// Checks that the `ConfigMap`s a pod refers to are in the file, if it is meant to be whole.
pub(super) fn references(spec: &Value, path: &str, files: &Files<'_>, out: &mut Vec<Check>) {
    for (volume, path) in items(spec, "volumes", path) {
        let Some(map) = volume.get("configMap").filter(|map| map.get("optional") != Some(&Value::Bool(true)))
        else {
            continue;
        };
        let path = join(&path, "configMap");
        if let Some(name) = text(map, "name").filter(|name| files.lacks(name)) {
            out.push(absent(name, join(&path, "name")));
        }
        for (item, path) in items(map, "items", &path) {
            missing_key(text(map, "name"), text(item, "key"), join(&path, "key"), files, out);
        }
    }
    for list in ["initContainers", "containers"] {
        for (item, path) in items(spec, list, path) {
            container_references(item, &path, files, out);
        }
    }
}

/// The same for one container.
pub(super) fn container_references(item: &Value, path: &str, files: &Files<'_>, out: &mut Vec<Check>) {
    for (source, path) in items(item, "envFrom", path) {
        if let Some(name) =
            source.get("configMapRef").and_then(|map| text(map, "name")).filter(|name| files.lacks(name))
        {
            out.push(absent(name, join(&path, "configMapRef.name")));
        }
    }
    for (variable, path) in items(item, "env", path) {
        let Some(map) = variable.pointer("/valueFrom/configMapKeyRef") else { continue };
        let path = join(&path, "valueFrom.configMapKeyRef");
        if let Some(name) = text(map, "name").filter(|name| files.lacks(name)) {
            out.push(absent(name, join(&path, "name")));
        }
        missing_key(text(map, "name"), text(map, "key"), join(&path, "key"), files, out);
    }
}

fn absent(name: &str, path: String) -> Check {
    let message = format!(
        "No document here is the ConfigMap {name}; it must exist in the cluster before this is applied."
    );
    Check::warning(path, "config-map", message)
}

fn missing_key(map: Option<&str>, key: Option<&str>, path: String, files: &Files<'_>, out: &mut Vec<Check>) {
    let Some((map, key)) = map.zip(key) else { return };
    if let Source::NoKey = files.find(map, key) {
        let message = format!("The ConfigMap {map} has no text named {key}.");
        out.push(Check::error(path, "config-map", message));
    }
}
