//! A request: what is wanted, without a layout.

use super::node::Node;
use super::planner;
use super::question::Question;
use crate::scenario::Goal;
use crate::text::Why;

pub(super) fn read(root: &Node<'_>, question: &mut Question<'_>) {
    let Some(spec) = root.group("spec", &mut question.notes) else {
        return root.unread(&mut question.notes, &Why::NotMap);
    };
    if let Some(said) = spec.get("model").and_then(|node| node.text(&mut question.notes)) {
        question.model(&said);
    }
    if let Some(said) = spec.get("backend").and_then(|node| node.text(&mut question.notes)) {
        question.backend_name(&said);
    }
    if let Some(profiling) = spec.group("profilingConfig", &mut question.notes) {
        return alpha(&spec, &profiling, question);
    }
    let known = [
        "model",
        "backend",
        "image",
        "runtimeVersionOverride",
        "searchStrategy",
        "autoApply",
        "workload",
        "sla",
        "hardware",
        "modelCache",
        "features",
        "overrides",
    ];
    spec.only(&known, &mut question.notes);
    if let Some(workload) = spec.group("workload", &mut question.notes) {
        tokens(&workload, question);
        if let Some(said) = workload.get("requestRate").and_then(|node| node.number(&mut question.notes)) {
            question.goal(Goal::RequestRate(said.value), said.line);
        }
        // The schema allows fractions; a part of a request is one more in flight.
        if let Some(said) = workload.get("concurrency").and_then(|node| node.number(&mut question.notes)) {
            question.goal(Goal::Concurrency(said.value.ceil() as u32), said.line);
        }
        workload.only(&["isl", "osl", "requestRate", "concurrency"], &mut question.notes);
    }
    if let Some(sla) = spec.group("sla", &mut question.notes) {
        targets(&sla, question);
        sla.only(&["ttft", "itl", "e2eLatency", "optimizationType"], &mut question.notes);
    }
    if let Some(hardware) = spec.group("hardware", &mut question.notes) {
        if let Some(said) = hardware.get("gpuSku").and_then(|node| node.text(&mut question.notes)) {
            question.system(&said);
        }
        if let Some(said) = hardware.get("totalGpus").and_then(|node| node.whole(&mut question.notes)) {
            question.goal(Goal::Gpus(said.value), said.line);
        }
        let known = ["gpuSku", "vramMb", "totalGpus", "numGpusPerNode", "interconnect", "rdma"];
        hardware.only(&known, &mut question.notes);
    }
    if let Some(features) = spec.group("features", &mut question.notes) {
        if let Some(planner) = features.group("planner", &mut question.notes) {
            planner::read(&planner, question);
        }
        features.only(&["planner", "kvRouter", "mocker"], &mut question.notes);
    }
}

/// The older form, whose settings stand in a configuration of the profiler.
fn alpha(spec: &Node<'_>, profiling: &Node<'_>, question: &mut Question<'_>) {
    let known = [
        "model",
        "backend",
        "profilingConfig",
        "useMocker",
        "autoApply",
        "enableGpuDiscovery",
        "deploymentOverrides",
        "runtimeVersionOverride",
    ];
    spec.only(&known, &mut question.notes);
    let Some(config) = profiling.group("config", &mut question.notes) else { return };
    let known = ["sla", "hardware", "sweep", "deployment", "engine", "planner", "output_dir", "outputDir"];
    config.only(&known, &mut question.notes);
    if let Some(sla) = config.group("sla", &mut question.notes) {
        tokens(&sla, question);
        targets(&sla, question);
        sla.only(&["isl", "osl", "ttft", "itl", "e2eLatency"], &mut question.notes);
    }
    for (group, key) in [("sweep", "aicSystem"), ("sweep", "aic_system"), ("hardware", "gpuSku")] {
        let node = config.group(group, &mut question.notes).and_then(|group| group.get(key));
        if let Some(said) = node.and_then(|node| node.text(&mut question.notes)) {
            question.system(&said);
        }
    }
    for key in ["totalGpus", "total_gpus"] {
        let node = config.at(&["hardware", key]);
        if let Some(said) = node.and_then(|node| node.whole(&mut question.notes)) {
            question.goal(Goal::Gpus(said.value), said.line);
        }
    }
    if let Some(planner) = config.group("planner", &mut question.notes) {
        planner::read(&planner, question);
    }
}

fn tokens(group: &Node<'_>, question: &mut Question<'_>) {
    for key in ["isl", "osl"] {
        if let Some(said) = group.get(key).and_then(|node| node.whole(&mut question.notes)) {
            question.tokens(key, &said);
        }
    }
}

fn targets(group: &Node<'_>, question: &mut Question<'_>) {
    for (key, input) in [("ttft", "ttft"), ("itl", "itl"), ("e2eLatency", "latency")] {
        if let Some(said) = group.get(key).and_then(|node| node.number(&mut question.notes)) {
            question.target(input, &said);
        }
    }
}
