//! Patches over the model servers of the guides of llm-d.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    VLLM_IMAGE, Variable, env, failed, flags, impossible, model_label, port, secret_command, warnings,
};
use crate::backend::Backend;
use crate::manifest::Check;
use crate::manifest::sku::gpu_product;
use crate::manifest::write::annotate::{Annotated, Note, annotate};
use crate::manifest::write::deployment::Deployment;
use crate::manifest::write::objects::{
    Env, GPU_TAINT, Metadata, Mount, Named, Resources, Toleration, Volume,
};
use crate::manifest::write::pool::{Pool, Role, number_of};
use crate::manifest::write::{Command, File, Manifest, Options, Selection, finish};

/// The release of llm-d whose guides are patched.
const GUIDES: &str = "v0.7.0";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Kustomization<'a> {
    api_version: &'static str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    resources: [String; 1],
    images: [Image; 1],
    labels: [Labels; 1],
    patches: Vec<Patch>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    name: &'static str,
    new_tag: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Labels {
    pairs: BTreeMap<&'static str, String>,
    include_selectors: bool,
}

#[derive(Serialize)]
struct Patch {
    path: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Deployed<'a> {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata<'static>,
    spec: Spec<'a>,
}

#[derive(Serialize)]
struct Spec<'a> {
    replicas: u32,
    template: Template<'a>,
}

#[derive(Serialize)]
struct Template<'a> {
    spec: Pod<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pod<'a> {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    node_selector: BTreeMap<&'static str, &'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tolerations: Vec<Toleration>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    image_pull_secrets: Vec<Named<'a>>,
    containers: [Container<'a>; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    volumes: Vec<Volume<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Container<'a> {
    name: &'static str,
    command: [&'static str; 2],
    args: Vec<String>,
    env: Vec<Variable<'a>>,
    resources: Resources,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    volume_mounts: Vec<Mount<'a>>,
}

/// Writes the patches of a selected point, or says what keeps them back.
pub(in crate::manifest::write) fn write(
    selection: &Selection<'_>,
    options: &Options,
) -> Result<Manifest, Vec<Check>> {
    let deployment = Deployment::new(selection, options)?;
    let mut refused = impossible(&deployment);
    if selection.scenario.backend == Backend::Sglang {
        let message = "The guides of llm-d for Kustomize run vLLM; SGLang is exported as values for Helm.";
        refused.push(Check::error("", "backend", message));
    }
    if !refused.is_empty() {
        return Err(refused);
    }
    let names: Vec<String> =
        deployment.pools.iter().map(|pool| format!("patch-{}.yaml", patch(pool.role))).collect();
    let mut drafts = vec![File::new("kustomization.yaml".to_owned(), kustomization(&deployment, &names)?)];
    for (pool, name) in deployment.pools.iter().zip(names) {
        drafts.push(File::new(name, patched(&deployment, pool)?));
    }
    let place = deployment.place();
    let commands = vec![
        secret_command(&deployment),
        Command::new("Look at the outcome", "kubectl kustomize ."),
        Command::new("Apply it", format!("kubectl apply{place} -k .")),
        Command::new(
            "See its pods",
            format!("kubectl get pods{place} -l llm-d.ai/model={}", model_label(&deployment)),
        ),
    ];
    let checks = warnings(&deployment);
    let name = deployment.name.clone();
    finish(Manifest { name, files: Vec::new(), commands, checks }, drafts, options.release)
}

/// What the patch of a role is called.
const fn patch(role: Role) -> &'static str {
    match role {
        Role::Worker => "vllm",
        other => other.name(),
    }
}

fn kustomization(deployment: &Deployment<'_>, patches: &[String]) -> Result<Annotated, Vec<Check>> {
    let guide =
        if deployment.selection.point.is_disagg() { "pd-disaggregation" } else { "optimized-baseline" };
    let (name, new_tag) = VLLM_IMAGE;
    let document = Kustomization {
        api_version: "kustomize.config.k8s.io/v1beta1",
        kind: "Kustomization",
        namespace: deployment.options.namespace.as_deref(),
        resources: [format!(
            "https://github.com/llm-d/llm-d//guides/{guide}/modelserver/gpu/vllm/base?ref={GUIDES}"
        )],
        images: [Image { name, new_tag }],
        labels: [Labels {
            pairs: BTreeMap::from([("llm-d.ai/model", model_label(deployment))]),
            include_selectors: true,
        }],
        patches: patches.iter().map(|path| Patch { path: path.clone() }).collect(),
    };
    let header =
        deployment.header(&format!("{} on llm-d, for kubectl apply -k.", deployment.selection.model.id));
    let notes = [
        Note::comment("resources", format!("The guide of llm-d {GUIDES}, changed by the patches below.")),
        Note::reason("images", "An image with every flag of the patches."),
        Note::reason("labels", "The router finds the workers by it."),
        Note::reason("patches", "Sizes, limits and counts of the selected point."),
    ];
    Ok(annotate(&serde_yaml::to_string(&document).map_err(|error| failed(&error))?, &header, &notes))
}

fn patched(deployment: &Deployment<'_>, pool: &Pool<'_>) -> Result<Annotated, Vec<Check>> {
    let args = flags(deployment, pool)?;
    let mut words = vec![deployment.model_path()];
    words.extend(args.iter().flat_map(|arg| arg.words.iter().cloned()));
    words.push(format!("--port={}", port(pool.role)));
    let product = gpu_product(&pool.system.id).filter(|_| pins(deployment));
    let volume = deployment.volume();
    let mut variables = env(deployment, pool);
    variables.extend(deployment.hub_cache().map(|value| Variable::Value(Env { name: "HF_HOME", value })));
    // The guide for aggregated serving calls its one Deployment `decode` as well.
    let name = if pool.role == Role::Prefill { "prefill" } else { "decode" };
    let document = Deployed {
        api_version: "apps/v1",
        kind: "Deployment",
        metadata: Metadata::new(name, None),
        spec: Spec {
            replicas: pool.count,
            template: Template {
                spec: Pod {
                    node_selector: product
                        .map(|product| ("nvidia.com/gpu.product", product))
                        .into_iter()
                        .collect(),
                    tolerations: product.map(|_| GPU_TAINT).into_iter().collect(),
                    image_pull_secrets: deployment
                        .options
                        .extras
                        .pull_secret
                        .iter()
                        .map(|name| Named { name })
                        .collect(),
                    containers: [Container {
                        name: "modelserver",
                        command: ["vllm", "serve"],
                        args: words,
                        env: variables,
                        resources: Resources::gpus(pool.gpus()),
                        volume_mounts: volume
                            .map(|(at, _)| Mount::new("model-cache", at))
                            .into_iter()
                            .collect(),
                    }],
                    volumes: volume
                        .map(|(_, claim)| Volume::claimed("model-cache", claim))
                        .into_iter()
                        .collect(),
                },
            },
        },
    };
    let main = "spec.template.spec.containers.modelserver";
    let mut notes = vec![
        Note::comment("spec", pool.sentence()),
        Note::reason("spec.replicas", format!("{} of the selected point.", pool.count)),
        Note::reason(
            format!("{main}.resources.limits.nvidia.com/gpu"),
            format!("{} of a worker.", number_of(pool.gpus().into(), "GPU")),
        ),
        Note::reason(format!("{main}.args.--port"), "Where the proxy, or decode, reaches it."),
    ];
    notes.extend(args.iter().map(|arg| {
        let note = if arg.is_told { Note::comment } else { Note::reason };
        note(format!("{main}.args.{}", arg.words[0]), arg.why.as_str())
    }));
    Ok(annotate(&serde_yaml::to_string(&document).map_err(|error| failed(&error))?, &[], &notes))
}

/// Whether pods must find their own kind of GPU.
fn pins(deployment: &Deployment<'_>) -> bool {
    deployment.options.extras.pin_nodes || deployment.has_two_systems()
}
