//! Values for the chart `llm-d-modelservice`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    SGLANG_IMAGE, VLLM_IMAGE, Variable, env, failed, flags, impossible, model_label, port, secret_command,
    warnings,
};
use crate::backend::Backend;
use crate::manifest::Check;
use crate::manifest::write::annotate::{Note, annotate};
use crate::manifest::write::deployment::{Deployment, TOKEN_SECRET};
use crate::manifest::write::objects::Resources;
use crate::manifest::write::pool::{Pool, Role, number_of};
use crate::manifest::write::{Command, File, Manifest, Options, Selection, finish};

const PROXY_IMAGE: &str = "ghcr.io/llm-d/llm-d-routing-sidecar:v0.4.0";
const CHART: &str = "llm-d-modelservice/llm-d-modelservice";
const CHART_REPOSITORY: &str = "https://llm-d-incubation.github.io/llm-d-modelservice/";
/// Where the chart puts the model.
const MOUNT: &str = "/model-cache";
const GIB: f64 = (1u64 << 30) as f64;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Values<'a> {
    enabled: bool,
    model_artifacts: Artifacts<'a>,
    accelerator: Accelerator,
    routing: Routing,
    multinode: bool,
    decode: Workers<'a>,
    prefill: Workers<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Artifacts<'a> {
    name: &'a str,
    labels: BTreeMap<&'static str, String>,
    uri: String,
    size: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_secret_name: Option<&'static str>,
    mount_path: &'static str,
}

#[derive(Serialize)]
struct Accelerator {
    #[serde(rename = "type")]
    kind: &'static str,
    dra: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Routing {
    service_port: u32,
    proxy: Proxy,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Proxy {
    enabled: bool,
    image: &'static str,
    image_pull_policy: &'static str,
    target_port: u32,
    connector: &'static str,
    zap_log_level: &'static str,
}

#[derive(Serialize)]
struct Workers<'a> {
    create: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    replicas: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallelism: Option<Parallelism>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    containers: Vec<Container<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Parallelism {
    tensor: u32,
    data: u32,
    data_local: u32,
    workers: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Container<'a> {
    name: &'static str,
    image: String,
    model_command: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    command: Vec<&'static str>,
    args: Vec<String>,
    env: Vec<Variable<'a>>,
    ports: [Port; 1],
    resources: Resources,
    mount_model_volume: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Port {
    container_port: u32,
    protocol: &'static str,
}

/// Writes the values of a selected point, or says what keeps them back.
pub(in crate::manifest::write) fn write(
    selection: &Selection<'_>,
    options: &Options,
) -> Result<Manifest, Vec<Check>> {
    let deployment = Deployment::new(selection, options)?;
    let mut refused = impossible(&deployment);
    if deployment.has_two_systems() {
        let message = "The chart of llm-d cannot tell prefill and decode workers to look for different GPUs. Choose one GPU type.";
        refused.push(Check::error("", "mixed-gpus", message));
    }
    if !refused.is_empty() {
        return Err(refused);
    }
    let (values, notes) = values(&deployment)?;
    let header = deployment.header(&format!("{} on llm-d, values for its Helm chart.", selection.model.id));
    let yaml = serde_yaml::to_string(&values).map_err(|error| failed(&error))?;
    let name = deployment.name.clone();
    let place = deployment.place();
    let commands = vec![
        secret_command(&deployment),
        Command::new("Once: add the chart", format!("helm repo add llm-d-modelservice {CHART_REPOSITORY}")),
        Command::new("Install it", format!("helm install{place} {name} {CHART} -f values.yaml")),
    ];
    let mut checks = warnings(&deployment);
    if options.extras.pin_nodes || options.extras.pull_secret.is_some() {
        let message = "Node labels and pull secrets are no values of the chart; they are left out.";
        checks.push(Check::warning("", "left-out", message));
    }
    let draft = File::new("values.yaml".to_owned(), annotate(&yaml, &header, &notes));
    finish(Manifest { name, files: Vec::new(), commands, checks }, vec![draft], options.release)
}

fn values<'a>(deployment: &'a Deployment<'_>) -> Result<(Values<'a>, Vec<Note>), Vec<Check>> {
    let model = deployment.selection.model;
    let volume = deployment.options.extras.model_cache.as_ref();
    let connector =
        if deployment.selection.scenario.backend == Backend::Sglang { "sglang" } else { "nixlv2" };
    let mut notes = vec![
        Note::reason("modelArtifacts.name", "The model of the question."),
        Note::reason("modelArtifacts.labels", "The router finds the workers by it."),
        Note::reason("modelArtifacts.size", "Room for the weights."),
        Note::reason("modelArtifacts.uri", "Where the model comes from."),
        Note::comment("routing.proxy", "It asks prefill first, then hands the request to decode beside it."),
        Note::reason("multinode", "A worker fits into a node."),
    ];
    let mut sides = [Role::Prefill, Role::Decode].map(|_| Workers {
        create: false,
        replicas: None,
        parallelism: None,
        containers: Vec::new(),
    });
    for pool in &deployment.pools {
        let side = usize::from(pool.role != Role::Prefill);
        let (workers, reasons) = workers(deployment, pool)?;
        let path = if side == 0 { "prefill" } else { "decode" };
        notes.extend(reasons.iter().map(|note| note.below(path)));
        sides[side] = workers;
    }
    let [prefill, decode] = sides;
    let values = Values {
        enabled: true,
        model_artifacts: Artifacts {
            name: &model.id,
            labels: BTreeMap::from([
                ("llm-d.ai/inference-serving", "true".to_owned()),
                ("llm-d.ai/model", model_label(deployment)),
            ]),
            uri: match volume {
                Some(cache) => {
                    let folder = deployment.model_folder().and_then(|folder| {
                        let (mount, _) = deployment.volume()?;
                        Some(folder.strip_prefix(mount)?.trim_start_matches('/').to_owned())
                    });
                    format!("pvc://{}/{}", cache.claim, folder.unwrap_or_else(|| model.id.clone()))
                }
                None => format!("hf://{}", model.id),
            },
            size: format!("{}Gi", size(deployment)),
            auth_secret_name: volume.is_none().then_some(TOKEN_SECRET),
            mount_path: MOUNT,
        },
        accelerator: Accelerator { kind: "nvidia", dra: false },
        routing: Routing {
            service_port: super::PORT,
            proxy: Proxy {
                enabled: true,
                image: PROXY_IMAGE,
                image_pull_policy: "IfNotPresent",
                target_port: super::PROXIED_PORT,
                connector,
                zap_log_level: "info",
            },
        },
        multinode: false,
        decode,
        prefill,
    };
    Ok((values, notes))
}

/// Room for the weights, GiB: in hundreds, at least one.
fn size(deployment: &Deployment<'_>) -> u64 {
    let weights = deployment.pools.iter().map(|pool| pool.memory.weights * f64::from(pool.gpus()));
    let most = weights.fold(0.0, f64::max) * 1.1 / GIB;
    ((most / 100.0).ceil() as u64).max(1) * 100
}

fn workers<'a>(
    deployment: &'a Deployment<'_>,
    pool: &Pool<'_>,
) -> Result<(Workers<'a>, Vec<Note>), Vec<Check>> {
    let is_sglang = deployment.selection.scenario.backend == Backend::Sglang;
    let args = flags(deployment, pool)?;
    let port = port(pool.role);
    let mut words: Vec<String> = args.iter().flat_map(|arg| arg.words.iter().cloned()).collect();
    if is_sglang {
        words.extend(["--port".to_owned(), port.to_string()]);
    }
    let (image, tag) = if is_sglang { SGLANG_IMAGE } else { VLLM_IMAGE };
    let (tensor, data) = (pool.parallel.tp, pool.parallel.dp);
    let container = Container {
        name: if is_sglang { "sglang" } else { "vllm" },
        image: format!("{image}:{tag}"),
        model_command: if is_sglang { "custom" } else { "vllmServe" },
        command: if is_sglang { vec!["python3", "-m", "sglang.launch_server"] } else { Vec::new() },
        args: words,
        env: env(deployment, pool),
        ports: [Port { container_port: port, protocol: "TCP" }],
        resources: Resources::gpus(pool.gpus()),
        mount_model_volume: true,
    };
    let main = format!("containers.{}", container.name);
    let mut notes = vec![
        Note::comment("create", pool.sentence()),
        Note::reason("replicas", format!("{} of the selected point.", pool.count)),
        Note::reason("parallelism.tensor", format!("TP {tensor} of the selected point.")),
        Note::reason("parallelism.data", format!("Attention DP {data} of the selected point.")),
        Note::reason(
            format!("{main}.resources.limits.nvidia.com/gpu"),
            format!("{} of a worker.", number_of(pool.gpus().into(), "GPU")),
        ),
    ];
    notes.extend(args.iter().map(|arg| {
        let note = if arg.is_told { Note::comment } else { Note::reason };
        note(format!("{main}.args.{}", arg.words[0]), arg.why.as_str())
    }));
    let workers = Workers {
        create: true,
        replicas: Some(pool.count),
        parallelism: Some(Parallelism { tensor, data, data_local: data, workers: 1 }),
        containers: vec![container],
    };
    Ok((workers, notes))
}
