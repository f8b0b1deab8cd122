//! Commands that start a selected point on plain nodes, without Kubernetes.
//!
//! What the operator would add in a cluster stands here: addresses, ranks and ports.

mod node;

use std::collections::BTreeSet;

use self::node::{Member, place};
use super::annotate::Annotated;
use super::deployment::Deployment;
use super::engine::sglang::{BOOTSTRAP_PORT, EVENT_PORT};
use super::engine::{Arg, Engine, engine, module};
use super::pool::Pool;
use super::shell::{Word, quote};
use super::{Command, File, Manifest, Options, Selection, finish};
use crate::backend::Backend;
use crate::manifest::Check;
use crate::manifest::sku::collective_env;

/// First port of what the workers of a node need one of each.
const SYSTEM_PORT: u32 = 9_090;
const SIDE_CHANNEL_PORT: u32 = 20_100;
const EVENTS_PORT: u32 = 21_100;
const ENGINE_PORT: u32 = 30_000;
const MASTER_PORT: u32 = 29_500;
/// Ports that one worker may count up from its first one.
const PORTS_APIECE: u32 = 100;

/// Writes a script for every node, or says what keeps them back.
pub(super) fn write(selection: &Selection<'_>, options: &Options) -> Result<Manifest, Vec<Check>> {
    let deployment = Deployment::new(selection, options)?;
    let engines: Vec<Engine> = deployment
        .pools
        .iter()
        .map(|pool| engine(&deployment, pool, &format!("{}.yaml", pool.role.name())))
        .collect::<Result<_, _>>()?;
    let checks: Vec<Check> = deployment.pools.iter().filter_map(|pool| unplaced(&deployment, pool)).collect();
    if !checks.is_empty() {
        return Err(checks);
    }
    let nodes = place(&deployment.pools);
    let mut drafts: Vec<File> = nodes
        .iter()
        .enumerate()
        .map(|(at, members)| File::new(format!("node-{at}.sh"), script(&deployment, &engines, at, members)))
        .collect();
    for (pool, engine) in deployment.pools.iter().zip(&engines) {
        if let Some((file, _)) = &engine.file {
            drafts.push(File::new(format!("{}.yaml", pool.role.name()), file.clone()));
        }
    }
    let commands = commands(&deployment, nodes.len());
    let checks = warnings(&deployment);
    let name = deployment.name.clone();
    finish(Manifest { name, files: Vec::new(), commands, checks }, drafts, options.release)
}

/// Why no command line can spread this worker over nodes.
fn unplaced(deployment: &Deployment<'_>, pool: &Pool<'_>) -> Option<Check> {
    let is_vllm = deployment.selection.scenario.backend == Backend::Vllm;
    let rank = pool.gpus() / pool.parallel.dp;
    let fits = rank <= pool.gpus_per_node && pool.parallel.dp.is_multiple_of(pool.nodes);
    if !is_vllm || pool.nodes == 1 || pool.parallel.dp == 1 || fits {
        return None;
    }
    let message = format!(
        "{} attention ranks of {rank} GPUs do not divide evenly over {} nodes, so plain commands cannot start them. Export a DynamoGraphDeployment.",
        pool.parallel.dp, pool.nodes
    );
    Some(Check::error(pool.role.name(), "rank-over-nodes", message))
}

fn warnings(deployment: &Deployment<'_>) -> Vec<Check> {
    let extras = &deployment.options.extras;
    let mut checks = deployment.warnings();
    let mut warn = |message: &str| checks.push(Check::warning("", "left-out", message));
    if extras.pull_secret.is_some() || extras.pin_nodes {
        warn("Pull secrets and node labels exist in Kubernetes alone; they are left out.");
    }
    if extras.mocker {
        warn("Mocked workers belong to a request; these commands start real ones.");
    }
    checks
}

fn commands(deployment: &Deployment<'_>, nodes: usize) -> Vec<Command> {
    let image = deployment.engine_image();
    vec![
        Command::new(
            "On every node, in the folder with these files",
            format!(
                "docker run --rm -it --gpus all --network host --ipc host -e HF_TOKEN -v \"$PWD:/launch\" -w /launch {} bash",
                quote(&image)
            ),
        ),
        Command::new(
            "Inside, once on node 0: the services that workers find each other by",
            "etcd --listen-client-urls http://0.0.0.0:2379 --advertise-client-urls http://0.0.0.0:2379 & nats-server -js &",
        ),
        Command::new(
            format!("Inside, on each of {nodes} nodes with its own number"),
            "NODE_0=ADDRESS_OF_NODE_0 bash node-0.sh",
        ),
        Command::new("Ask what it serves", "curl http://localhost:8000/v1/models"),
    ]
}

/// The script of one node.
fn script(deployment: &Deployment<'_>, engines: &[Engine], at: usize, members: &[Member]) -> Annotated {
    let mut out = Annotated::default();
    out.line("#!/usr/bin/env bash");
    let what = format!(
        "Node {at} of {} on {} with NVIDIA Dynamo {}.",
        deployment.selection.model.id,
        deployment.selection.scenario.backend.label(),
        deployment.options.release.tag()
    );
    for line in deployment.header(&what) {
        out.comment("", &line);
    }
    out.line("set -euo pipefail");
    out.line("cd \"$(dirname \"$0\")\"");
    let mut others: BTreeSet<usize> = members.iter().map(|member| member.first_node).collect();
    if deployment.selection.scenario.backend == Backend::Trtllm {
        others.extend(members.iter().filter(|member| member.rank == 0).flat_map(Member::nodes));
    }
    others.insert(0);
    for node in others {
        out.line(&format!(": \"${{NODE_{node}:?Set NODE_{node} to the address of node {node}.}}\""));
        out.because("How the nodes reach each other.");
    }
    out.line("export ETCD_ENDPOINTS=\"${ETCD_ENDPOINTS:-http://$NODE_0:2379}\"");
    out.line("export NATS_SERVER=\"${NATS_SERVER:-nats://$NODE_0:4222}\"");
    let exported = environment(deployment, members);
    for (name, value) in &exported {
        out.line(&format!("export {name}={}", quote(value)));
    }
    if at == 0 {
        out.comment("", "The frontend: one address for clients.");
        let mut words = ["python3", "-m", "dynamo.frontend", "--http-port", "8000"].map(Word::text).to_vec();
        if let Some(folder) = deployment.model_folder() {
            let name = deployment.selection.model.id.as_str();
            words.extend(["--model-name", name, "--model-path", &folder].map(Word::text));
        }
        let router = deployment.options.extras.kv_router.then_some("DYN_ROUTER_MODE=kv ");
        out.line(&format!("{}{} &", router.unwrap_or_default(), line(&words)));
    }
    for (slot, member) in members.iter().enumerate() {
        let (pool, engine) = (&deployment.pools[member.pool], &engines[member.pool]);
        worker(deployment, pool, engine, (member, slot as u32), &exported, &mut out);
    }
    // One that ends takes the others along.
    out.line("wait -n");
    out.line("kill $(jobs -p) 2>/dev/null || true");
    out
}

/// Variables of every worker on a node.
fn environment(deployment: &Deployment<'_>, members: &[Member]) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    if let Some(member) = members.first() {
        let wanted = collective_env(deployment.pools[member.pool].system);
        out.extend(wanted.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    out.extend(deployment.hub_cache().map(|cache| ("HF_HOME".to_owned(), cache.to_owned())));
    out.extend(deployment.options.extras.env.iter().cloned());
    out
}

fn line(words: &[Word]) -> String {
    words.iter().map(Word::written).collect::<Vec<_>>().join(" ")
}

/// One worker, or the part of one, on this node.
fn worker(
    deployment: &Deployment<'_>,
    pool: &Pool<'_>,
    engine: &Engine,
    (member, slot): (&Member, u32),
    exported: &[(String, String)],
    out: &mut Annotated,
) {
    let backend = deployment.selection.scenario.backend;
    let part = match pool.nodes {
        1 => String::new(),
        nodes => format!(", node {} of {nodes}", member.rank + 1),
    };
    let about = format!("{} {}{part}: {}.", pool.role.name(), member.number, pool.parallel);
    out.comment("", &about);
    if backend == Backend::Trtllm && member.rank > 0 {
        out.comment(
            "",
            &format!("Started from node {} by mpirun, which reaches this node over SSH.", member.first_node),
        );
        out.line("sleep infinity &");
        return;
    }
    let gpus: Vec<_> =
        (member.first_gpu..member.first_gpu + pool.gpus_per_node).map(|gpu| gpu.to_string()).collect();
    let mut env =
        vec![("CUDA_VISIBLE_DEVICES", gpus.join(",")), ("DYN_SYSTEM_PORT", (SYSTEM_PORT + slot).to_string())];
    if backend == Backend::Vllm {
        env.push(("VLLM_NIXL_SIDE_CHANNEL_PORT", (SIDE_CHANNEL_PORT + slot * PORTS_APIECE).to_string()));
        env.push(("DYN_VLLM_KV_EVENT_PORT", (EVENTS_PORT + slot * PORTS_APIECE).to_string()));
    }
    for (name, value) in &env {
        out.line(&format!("{name}={value} \\"));
    }
    out.because("Its own GPUs and ports on this node.");
    let mut start: Vec<Word> = Vec::new();
    if pool.nodes > 1 && backend == Backend::Trtllm {
        let hosts: Vec<_> =
            member.nodes().map(|node| format!("$NODE_{node}:{}", pool.gpus_per_node)).collect();
        let hosts = Word::Expression(format!("\"{}\"", hosts.join(",")));
        start.extend(
            ["mpirun", "--allow-run-as-root", "-np", &pool.gpus().to_string(), "--host"].map(Word::text),
        );
        start.push(hosts);
        // The other nodes get the variables by name.
        let names = exported.iter().map(|(name, _)| name.as_str());
        for name in ["ETCD_ENDPOINTS", "NATS_SERVER"].into_iter().chain(names) {
            start.extend(["-x", name].map(Word::text));
        }
        start.push(Word::text("trtllm-llmapi-launch"));
    }
    start.extend(["python3", "-m", module(backend)].map(Word::text));
    out.line(&format!("{} \\", line(&start)));
    let mut rows: Vec<(Vec<Word>, &str)> = engine
        .args
        .iter()
        .map(|arg| (own(arg, slot).into_iter().map(Word::Text).collect(), arg.why.as_str()))
        .collect();
    let why = "What the operator adds in a cluster.";
    rows.extend(joined(backend, pool, member, slot).into_iter().map(|words| (words, why)));
    let last = rows.len().saturating_sub(1);
    for (at, (words, why)) in rows.iter().enumerate() {
        out.line(&format!("  {} {}", line(words), if at == last { "&" } else { "\\" }));
        out.because(*why);
    }
}

/// The words of a flag, with a port of its own where workers of one node would share it.
fn own(arg: &Arg, slot: u32) -> Vec<String> {
    let mut words = arg.words.clone();
    if let [flag, value] = words.as_mut_slice() {
        match flag.as_str() {
            "--disaggregation-bootstrap-port" => *value = (BOOTSTRAP_PORT + slot).to_string(),
            "--kv-events-config" => {
                *value = value.replace(&EVENT_PORT.to_string(), &(EVENT_PORT + slot).to_string());
            }
            _ => {}
        }
    }
    words
}

/// Flags by which the parts of a worker find each other.
fn joined(backend: Backend, pool: &Pool<'_>, member: &Member, slot: u32) -> Vec<Vec<Word>> {
    let head = || Word::Expression(format!("\"$NODE_{}\"", member.first_node));
    let flag = |flag: &str, value: u32| vec![Word::text(flag), Word::text(value.to_string())];
    let mut out = Vec::new();
    if backend == Backend::Sglang {
        out.push(flag("--port", ENGINE_PORT + slot * PORTS_APIECE));
    }
    if pool.nodes == 1 {
        return out;
    }
    match backend {
        Backend::Trtllm => {}
        Backend::Sglang => {
            let address = format!("\"$NODE_{}:{}\"", member.first_node, MASTER_PORT + member.number);
            out.push(vec![Word::text("--dist-init-addr"), Word::Expression(address)]);
            out.push(flag("--nnodes", pool.nodes));
            out.push(flag("--node-rank", member.rank));
        }
        Backend::Vllm if pool.parallel.dp > 1 => {
            let local = pool.parallel.dp / pool.nodes;
            out.push(flag("--data-parallel-size-local", local));
            out.push(flag("--data-parallel-start-rank", member.rank * local));
            out.push(vec![Word::text("--data-parallel-address"), head()]);
            out.push(flag("--data-parallel-rpc-port", MASTER_PORT + member.number));
            out.push(vec![Word::text("--data-parallel-hybrid-lb")]);
        }
        Backend::Vllm => {
            out.push(["--distributed-executor-backend", "mp"].map(Word::text).to_vec());
            out.push(flag("--nnodes", pool.nodes));
            out.push(vec![Word::text("--master-addr"), head()]);
            out.push(flag("--master-port", MASTER_PORT + member.number));
            out.push(flag("--node-rank", member.rank));
            if member.rank > 0 {
                out.push(vec![Word::text("--headless")]);
            }
        }
    }
    out
}
