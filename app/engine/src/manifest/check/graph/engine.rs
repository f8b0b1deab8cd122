//! What the engines refuse at their start, and what they would do otherwise than meant.

use serde_json::Value;

use super::trtllm::{Engine, graph_sizes};
use super::{Component, Framework, Graph, Role, experts};
use crate::manifest::check::files::Files;
use crate::manifest::check::schema::quoted;
use crate::manifest::yaml::join;
use crate::manifest::{Check, Dynamo};

type Version = (u16, u16, u16);

/// A flag that came or went: framework, name, since when, what to write instead.
type Changed = (Framework, &'static str, Version, &'static str);

/// Flags that a release took away.
const GONE: &[Changed] = &[
    (Framework::Vllm, "--is-prefill-worker", (1, 4, 0), "--disaggregation-mode prefill"),
    (Framework::Vllm, "--is-decode-worker", (1, 4, 0), "--disaggregation-mode decode"),
    (Framework::Sglang, "--cuda-graph-bs", (1, 6, 0), "--cuda-graph-bs-decode"),
    (Framework::Sglang, "--cuda-graph-max-bs", (1, 6, 0), "--cuda-graph-max-bs-decode"),
];

/// Flags that a release brought.
const NEW: &[Changed] = &[
    (Framework::Vllm, "--disaggregation-mode", (1, 0, 0), "--is-prefill-worker or --is-decode-worker"),
    (Framework::Sglang, "--cuda-graph-bs-decode", (1, 6, 0), "--cuda-graph-bs"),
    (Framework::Sglang, "--cuda-graph-max-bs-decode", (1, 6, 0), "--cuda-graph-max-bs"),
];

/// Flags that the operator adds to workers on several nodes.
const OPERATORS_OWN: &[&str] = &[
    "--nnodes",
    "--node-rank",
    "--master-addr",
    "--master-port",
    "--headless",
    "--dist-init-addr",
    "--data-parallel-address",
    "--data-parallel-start-rank",
];

const MODE: &[&str] = &["--disaggregation-mode"];
const TRANSFER: &[&str] = &["--kv-transfer-config"];
const MODEL_LENGTH: &[&str] =
    &["--max-model-len", "--context-length", "--max-seq-len", "--trtllm.max_seq_len"];

pub(super) fn check(graph: &Graph<'_>, release: Dynamo, files: &Files<'_>, out: &mut Vec<Check>) {
    roles(graph, out);
    for component in graph.components.iter().filter(|component| component.role.is_worker()) {
        let Some(framework) = component.framework(graph) else { continue };
        changed_flags(component, framework, component.version(release), out);
        mode(component, graph, out);
        experts::check(component, framework, files, out);
        limits(component, framework, out);
        match framework {
            Framework::Vllm => transfer(component, out),
            Framework::Sglang => {}
            Framework::TrtLlm => {
                let engine = Engine::new(component, files);
                engine.check(files, out);
                transceiver(component, &engine, out);
            }
        }
    }
}

/// Prefill without decode serves nothing, and the reverse.
fn roles(graph: &Graph<'_>, out: &mut Vec<Check>) {
    let has = |role| graph.with_role(role).next().is_some();
    let path = graph.at(if graph.alpha { "services" } else { "components" });
    if has(Role::Prefill) && !has(Role::Decode) {
        let message = "There are prefill workers and no decode workers; add a component of type decode.";
        out.push(Check::error(&path, "one-role", message));
    }
    let split = |component: &&Component<'_>| component.args.disaggregation() == Some("decode");
    if !has(Role::Prefill) && graph.components.iter().find(split).is_some() {
        let message = "There are decode workers that wait for prefill workers, and none of those; add a component of type prefill.";
        out.push(Check::error(path, "one-role", message));
    }
}

fn changed_flags(component: &Component<'_>, framework: Framework, version: Version, out: &mut Vec<Check>) {
    let (major, minor, _) = version;
    for (list, gone) in [(GONE, true), (NEW, false)] {
        for (of, name, since, instead) in
            list.iter().filter(|(of, _, since, _)| *of == framework && (version >= *since) == gone)
        {
            let Some(flag) = component.args.flag(&[name]) else { continue };
            let change = if gone { "is gone since" } else { "exists only since" };
            let message = format!(
                "{name} of {} {change} Dynamo {}.{}, and this runs {major}.{minor}; write {instead}.",
                of.name(),
                since.0,
                since.1
            );
            out.push(Check::error(&flag.path, "flag-release", message));
        }
    }
    if component.nodes > 1 {
        for flag in component.args.flags().iter().filter(|flag| OPERATORS_OWN.contains(&flag.name.as_str())) {
            let message = format!("The operator adds {} to workers on several nodes; remove it.", flag.name);
            out.push(Check::warning(&flag.path, "flag-operator", message));
        }
    }
}

/// The flags say the same as the type.
fn mode(component: &Component<'_>, graph: &Graph<'_>, out: &mut Vec<Check>) {
    const MODES: [&str; 6] = ["agg", "prefill", "decode", "pd", "encode", "null"];
    let by_type = match component.role {
        Role::Prefill => Some("prefill"),
        Role::Decode => Some("decode"),
        _ => None,
    };
    if let Some((flag, value)) = component.args.flag(MODE).zip(component.args.value(MODE)) {
        if !MODES.contains(&value) {
            let message =
                format!("{} is no disaggregation mode; write prefill, decode or agg.", quoted(value));
            out.push(Check::error(flag.value_path(), "mode", message));
        } else if let Some(by_type) =
            by_type.filter(|by_type| ["prefill", "decode"].contains(&value) && *by_type != value)
        {
            let message =
                format!("The component's type is {by_type}, and it is started for {value}; they must agree.");
            out.push(Check::error(flag.value_path(), "mode", message));
        }
        return;
    }
    // A planner scales a lone decode worker that serves whole requests.
    let alone = by_type == Some("decode") && graph.with_role(Role::Prefill).next().is_none();
    if let Some(by_type) = by_type
        .filter(|_| !alone && component.args.disaggregation().is_none() && component.args.module().is_some())
    {
        let message = format!(
            "The component's type is {by_type}, but nothing starts it as such; add --disaggregation-mode {by_type}."
        );
        out.push(Check::error(join(&component.main_path, "args"), "mode", message));
    }
}

/// vLLM moves its KV cache only when it is told how.
fn transfer(component: &Component<'_>, out: &mut Vec<Check>) {
    let role = match component.args.disaggregation() {
        Some("prefill") => Role::Prefill,
        Some("decode") => Role::Decode,
        _ => return,
    };
    let Some((flag, value)) = component.args.flag(TRANSFER).zip(component.args.value(TRANSFER)) else {
        let path = join(&component.main_path, "args");
        let example = r#"--kv-transfer-config '{"kv_connector":"NixlConnector","kv_role":"kv_both"}'"#;
        out.push(if role == Role::Prefill {
            let message = format!("A prefill worker of vLLM does not start without {example}; add it.");
            Check::error(path, "kv-transfer", message)
        } else {
            let message = format!("Without {example} the decode worker cannot take over a KV cache; add it.");
            Check::warning(path, "kv-transfer", message)
        });
        return;
    };
    let config = serde_json::from_str::<Value>(value).ok().filter(Value::is_object);
    let wrong = match &config {
        None => Some(format!("{} is no JSON object; write it in single quotes.", quoted(value))),
        Some(config) if config.get("kv_connector").is_none_or(|name| !name.is_string()) => {
            Some("kv_connector is missing, such as NixlConnector.".to_owned())
        }
        Some(config) => {
            let found = config.get("kv_role").and_then(Value::as_str);
            let other = if role == Role::Prefill { "kv_consumer" } else { "kv_producer" };
            (found == Some(other))
                .then(|| format!("kv_role {other} is that of the other side; write kv_both."))
        }
    };
    if let Some(wrong) = wrong {
        out.push(Check::error(flag.value_path(), "kv-transfer", format!("--kv-transfer-config: {wrong}")));
    }
}

fn transceiver(component: &Component<'_>, engine: &Engine<'_, '_, '_>, out: &mut Vec<Check>) {
    let split = matches!(component.args.disaggregation(), Some("prefill" | "decode"));
    if split && engine.known && !engine.get("cache_transceiver_config").is_some_and(|value| value.is_object())
    {
        let check = |path: String| {
            let message = "Separate prefill and decode workers need cache_transceiver_config, such as {backend: DEFAULT}.";
            Check::error(path, "kv-transfer", message)
        };
        out.push(match engine.file {
            Some(text) => text.placed(check(text.path.clone())),
            None => check(join(&component.main_path, "args")),
        });
    }
}

/// Limits that contradict each other.
fn limits(component: &Component<'_>, framework: Framework, out: &mut Vec<Check>) {
    let args = &component.args;
    for name in ["--gpu-memory-utilization", "--mem-fraction-static", "--free-gpu-memory-fraction"] {
        let Some(flag) = args.flag(&[name]) else { continue };
        let share = flag.values.first().and_then(|value| value.parse::<f64>().ok());
        if let Some(share) = share.filter(|share| !(*share > 0.0 && *share <= 1.0)) {
            let message = format!("{name} is {share}; it must be above 0 and at most 1.");
            out.push(Check::error(flag.value_path(), "share", message));
        }
    }
    let (batch, sizes) = match framework {
        Framework::Vllm => (args.given(&["--max-num-seqs"]), "--cudagraph-capture-sizes"),
        Framework::Sglang => (args.given(&["--max-running-requests"]), "--cuda-graph-bs-decode"),
        Framework::TrtLlm => return,
    };
    if let Some(flag) = args.flag(&[sizes, "--cuda-graph-bs"]) {
        graph_sizes(flag.values.iter().map(|size| size.parse().ok()), batch, flag.value_path(), out);
    }
    if framework != Framework::Vllm {
        return;
    }
    let tokens = ["--max-num-batched-tokens"];
    let Some((flag, tokens)) = args.flag(&tokens).zip(args.given(&tokens)) else { return };
    if let Some(batch) = batch.filter(|&batch| tokens < batch) {
        let message = format!(
            "--max-num-batched-tokens is {tokens}, below --max-num-seqs, which is {batch}; vLLM does not start. Raise it."
        );
        out.push(Check::error(flag.value_path(), "batch-tokens", message));
    }
    if args.has(&["--no-enable-chunked-prefill"])
        && let Some(length) = args.given(&["--max-model-len"]).filter(|&length| tokens < length)
    {
        let message = format!(
            "Without chunked prefill a prompt must fit into one step: --max-num-batched-tokens is {tokens}, --max-model-len {length}."
        );
        out.push(Check::error(flag.value_path(), "batch-tokens", message));
    }
}

impl Component<'_> {
    /// Whether its longest request holds these tokens.
    pub(in crate::manifest::check) fn holds(&self, isl: u64, osl: u64, out: &mut Vec<Check>) {
        let Some((flag, length)) = self.args.flag(MODEL_LENGTH).zip(self.args.given(MODEL_LENGTH)) else {
            return;
        };
        if length < isl.saturating_add(osl) {
            let message = format!(
                "{} is {length}, and a request has {isl} + {osl} tokens; raise it to {} at least.",
                flag.name,
                isl.saturating_add(osl)
            );
            out.push(Check::error(flag.value_path(), "length", message));
        }
    }
}
