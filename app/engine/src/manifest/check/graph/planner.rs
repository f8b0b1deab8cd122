//! The planner of a deployment: its own settings, and whether they fit what stands around it.

use serde_json::Value;

use super::trtllm::Engine;
use super::{Component, Framework, Graph, Role, gpus};
use crate::manifest::check::files::{Files, Source, Text};
use crate::manifest::check::planner::Planner;
use crate::manifest::names::image_name;
use crate::manifest::yaml::join;
use crate::manifest::{Check, Dynamo};

const CONFIG: &[&str] = &["--config"];

pub(super) fn check(graph: &Graph<'_>, release: Dynamo, files: &Files<'_>, out: &mut Vec<Check>) {
    let Some(component) = graph.planner() else { return };
    image(component, release, out);
    let Some(flag) = component.args.flag(CONFIG) else {
        if component.args.module().is_some() {
            let message = "The planner needs --config with its settings: JSON, or the path of a file.";
            out.push(Check::error(join(&component.main_path, "args"), "planner-config", message));
        }
        scaled(graph, Role::Prefill, out);
        scaled(graph, Role::Decode, out);
        return;
    };
    let value = flag.values.first().map(String::as_str).unwrap_or_default();
    if value.trim_start().starts_with('{') {
        match serde_json::from_str::<Value>(value) {
            Ok(value) => {
                if let Some(planner) = Planner::new(&value, flag.value_path()) {
                    planner.check(component.version(release), out);
                    fits(graph, planner, files, out);
                }
            }
            Err(error) => {
                let message = format!("The planner's settings are no JSON: {error}.");
                out.push(Check::error(flag.value_path(), "planner-config", message));
            }
        }
        return;
    }
    match component.file(value, files) {
        Some((Source::Text(text), ..)) => in_file(graph, component, text, release, files, out),
        Some((Source::NoKey, map, key)) => {
            let message = format!("{value} would be {key} in the ConfigMap {map}, which has no such text.");
            out.push(Check::error(flag.value_path(), "planner-config", message));
        }
        Some((Source::Elsewhere, ..)) | None => {
            scaled(graph, Role::Prefill, out);
            scaled(graph, Role::Decode, out);
        }
    }
}

/// Name of the `ConfigMap` and of the text in it that hold the planner's settings.
pub(in crate::manifest::check) fn file<'a>(
    graph: &Graph<'a>,
    files: &Files<'_>,
) -> Option<(&'a str, String)> {
    let component = graph.planner()?;
    let (_, map, key) = component.file(component.args.value(CONFIG)?, files)?;
    Some((map, key))
}

fn in_file(
    graph: &Graph<'_>,
    component: &Component<'_>,
    text: &Text<'_>,
    release: Dynamo,
    files: &Files<'_>,
    out: &mut Vec<Check>,
) {
    let mut inside = Vec::new();
    let planner = text.value().and_then(|value| Planner::new(value, &text.path));
    let Some(planner) = planner else {
        let message = format!("{} holds no mapping of settings for the planner.", text.key);
        out.push(text.placed(Check::error(&text.path, "planner-config", message)));
        return;
    };
    planner.check(component.version(release), &mut inside);
    fits(graph, planner, files, &mut inside);
    // Some findings are about the deployment, whose lines its own document knows.
    out.extend(inside.into_iter().map(|check| {
        if check.line.is_none() && check.path.starts_with(&text.path) { text.placed(check) } else { check }
    }));
}

fn image(component: &Component<'_>, release: Dynamo, out: &mut Vec<Check>) {
    let image = image_name(component.image().unwrap_or_default());
    let engines = Framework::ALL.map(Framework::image);
    if component.version(release) >= (1, 1, 0) && (engines.contains(&image) || image == "dynamo-frontend") {
        let message = format!("{image} holds no planner since Dynamo 1.1; use the image dynamo-planner.");
        out.push(Check::error(join(&component.main_path, "image"), "planner-image", message));
    }
}

/// Workers of a role can be scaled: there are some, and an adapter owns their replicas.
fn scaled(graph: &Graph<'_>, role: Role, out: &mut Vec<Check>) {
    let adapter = if graph.alpha { "scalingAdapter: {enabled: true}" } else { "scalingAdapter: {}" };
    for component in graph.with_role(role).filter(|component| !component.scaled) {
        let message = format!("The planner cannot scale {}: add {adapter} to it.", component.name);
        out.push(Check::error(component.at("scalingAdapter"), "scaling-adapter", message));
    }
}

fn fits(graph: &Graph<'_>, planner: Planner<'_>, files: &Files<'_>, out: &mut Vec<Check>) {
    if let Some(framework) = graph.framework.filter(|_| planner.text("backend", "vllm") != "mocker") {
        planner.serves(framework.name(), "deployment", out);
    }
    let roles: &[(Role, &str)] = match planner.mode() {
        "prefill" => &[(Role::Prefill, "prefill")],
        "decode" | "agg" => &[(Role::Decode, "decode")],
        _ => &[(Role::Prefill, "prefill"), (Role::Decode, "decode")],
    };
    for (role, name) in roles {
        // It finds workers by their type, whatever their flags say.
        let typed = graph.components.iter().any(|component| component.role == *role);
        if !typed {
            let message = format!(
                "Mode {} scales components of type {name}, and there is none; change the mode, or the type of the workers.",
                planner.mode()
            );
            out.push(Check::error(planner.at("mode"), "planner-mode", message));
        }
        if !planner.flag("advisory", false) {
            scaled(graph, *role, out);
        }
    }
    budget(graph, planner, out);
    for (key, role) in [("prefill_engine_num_gpu", Role::Prefill), ("decode_engine_num_gpu", Role::Decode)] {
        let told = planner.get(key).and_then(Value::as_u64);
        if let Some((told, has)) = told.zip(gpus::told(graph, role)).filter(|(told, has)| told != has) {
            let message =
                format!("{key} is {told}, and one replica of these workers has {has} GPUs; write {has}.");
            out.push(Check::error(planner.at(key), "planner-gpus", message));
        }
    }
    let tokens = |key: &str| planner.get("aic_interpolation")?.get(key)?.as_u64();
    if let Some((isl, osl)) = tokens("isl").zip(tokens("osl")) {
        for component in graph.components.iter().filter(|component| component.role.is_worker()) {
            component.holds(isl, osl, out);
            longest(component, graph, files, (isl, osl), out);
        }
    }
}

/// Sum of the GPUs of the deployment against what the planner may use.
fn budget(graph: &Graph<'_>, planner: Planner<'_>, out: &mut Vec<Check>) {
    let (Some(total), Ok(most)) = (gpus::total(graph), u64::try_from(planner.max_gpus())) else { return };
    if total > most {
        let default = if planner.get("max_gpu_budget").is_none() { " by default" } else { "" };
        let message = format!(
            "The deployment begins with {total} GPUs, and the planner may use {most}{default}; set max_gpu_budget to {total} at least."
        );
        out.push(Check::error(planner.at("max_gpu_budget"), "planner-budget", message));
    }
}

/// The longest request of an engine whose settings stand in a file.
fn longest(
    component: &Component<'_>,
    graph: &Graph<'_>,
    files: &Files<'_>,
    (isl, osl): (u64, u64),
    out: &mut Vec<Check>,
) {
    if component.framework(graph) != Some(Framework::TrtLlm) {
        return;
    }
    let engine = Engine::new(component, files);
    let Some(text) = engine.file else { return };
    let length = text.value().and_then(|value| value.get("max_seq_len")).and_then(Value::as_u64);
    if let Some(length) = length.filter(|&length| length < isl.saturating_add(osl)) {
        let message = format!("max_seq_len is {length}, and a request has {isl} + {osl} tokens; raise it.");
        out.push(text.placed(Check::error(join(&text.path, "max_seq_len"), "length", message)));
    }
}
