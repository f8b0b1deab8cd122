//! A selected point as a `DynamoGraphDeployment`: the layout itself.

mod alpha;
mod beta;

use std::collections::BTreeMap;

use serde::Serialize;

use super::annotate::{Annotated, Note, annotate};
use super::deployment::{Deployment, TOKEN_SECRET};
use super::graph::{ConfigMap, Fields, Graph, Source, graph};
use super::objects::{Claim, Metadata, Mount, Named, Volume};
use super::planner::only_separate;
use super::{Command, DgdApi, File, Manifest, Options, PlannerUse, Selection, finish};
use crate::manifest::Check;

const KIND: &str = "DynamoGraphDeployment";
/// Annotation with the link to question and point.
const LINK: &str = "ai-configurator/link";

#[derive(Serialize)]
struct Document<'a, S> {
    #[serde(rename = "apiVersion")]
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata<'a>,
    spec: S,
}

#[derive(Serialize)]
struct Config<'a> {
    #[serde(rename = "apiVersion")]
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata<'a>,
    data: BTreeMap<&'a str, &'a str>,
}

fn volumes(part: &super::graph::Part) -> (Vec<Volume<'_>>, Vec<Mount<'_>>) {
    let sources = part.volumes.iter().map(|one| {
        let (persistent_volume_claim, config_map) = match &one.source {
            Source::Claim(claim_name) => (Some(Claim { claim_name }), None),
            Source::ConfigMap(name) => (None, Some(Named { name })),
        };
        Volume { name: one.name, persistent_volume_claim, config_map }
    });
    let mounts = part.volumes.iter().map(|one| Mount {
        name: one.name,
        at: &one.mount,
        // Settings are read; a cache of the Hub is written as well.
        is_read_only: matches!(one.source, Source::ConfigMap(_)).then_some(true),
    });
    (sources.collect(), mounts.collect())
}

/// Writes the deployment of a selected point, or says what keeps it back.
pub(super) fn write(selection: &Selection<'_>, options: &Options) -> Result<Manifest, Vec<Check>> {
    let deployment = Deployment::new(selection, options)?;
    let graph = graph(&deployment)?;
    let mut out = Annotated::default();
    for config in &graph.configs {
        out.append(config_map(&deployment, config)?);
    }
    out.append(document(&deployment, &graph)?);
    let header = deployment.header(&format!(
        "A deployment for NVIDIA Dynamo {}: {} on {}.",
        options.release.tag(),
        selection.model.id,
        selection.scenario.backend.label()
    ));
    let mut whole = Annotated::default();
    for line in &header {
        whole.comment("", line);
    }
    whole.join(out);
    let mut checks = deployment.warnings();
    if options.extras.mocker {
        let message = "Mocked workers belong to a request; this deployment has real ones.";
        checks.push(Check::warning("spec", "left-out", message));
    }
    // Without a choice there is a planner wherever it has something to do; a choice that is lost is said.
    if !selection.point.is_disagg() && options.extras.planner == PlannerUse::Advises {
        let (path, rule, message) = only_separate("spec");
        checks.push(Check::warning(path, rule, message));
    }
    let file = format!("{}.yaml", deployment.name);
    let commands = commands(&deployment, &file);
    let draft = File::new(file, whole);
    finish(
        Manifest { name: deployment.name, files: Vec::new(), commands, checks },
        vec![draft],
        options.release,
    )
}

fn yaml(value: &impl Serialize) -> Result<String, Vec<Check>> {
    serde_yaml::to_string(value).map_err(|error| {
        vec![Check::error("", "yaml", format!("The deployment cannot be written: {error}."))]
    })
}

fn metadata<'a>(deployment: &'a Deployment<'_>, name: &'a str) -> Metadata<'a> {
    Metadata::new(name, deployment.options.namespace.as_deref())
}

fn config_map(deployment: &Deployment<'_>, config: &ConfigMap) -> Result<Annotated, Vec<Check>> {
    let data = config.files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let metadata = metadata(deployment, &config.name);
    let document = Config { api_version: "v1", kind: "ConfigMap", metadata, data };
    Ok(annotate(&yaml(&document)?, &[], &config.notes))
}

fn document(deployment: &Deployment<'_>, graph: &Graph) -> Result<Annotated, Vec<Check>> {
    let options = deployment.options;
    let api = options.extras.api;
    let mut metadata = metadata(deployment, &deployment.name);
    metadata.annotations.extend(options.link.as_deref().map(|link| (LINK, link)));
    let text = match api {
        DgdApi::V1Beta1 => {
            let spec = beta::spec(deployment, graph);
            yaml(&Document { api_version: "nvidia.com/v1beta1", kind: KIND, metadata, spec })?
        }
        DgdApi::V1Alpha1 => {
            let spec = alpha::spec(deployment, graph);
            yaml(&Document { api_version: "nvidia.com/v1alpha1", kind: KIND, metadata, spec })?
        }
    };
    let mut notes: Vec<Note> = vec![
        Note::reason("apiVersion", "The version of the API chosen at export."),
        Note::reason("metadata.name", "Services and pods are named after it."),
        Note::reason(format!("metadata.annotations.{LINK}"), "Question and point, to open them again."),
        Note::reason(
            "spec.backendFramework",
            format!("{}, as searched.", deployment.selection.scenario.backend.label()),
        ),
    ];
    notes.extend(graph.parts.iter().flat_map(|part| Fields::of(api, part).notes(part, deployment)));
    Ok(annotate(&text, &[], &notes))
}

fn commands(deployment: &Deployment<'_>, file: &str) -> Vec<Command> {
    let (name, place) = (&deployment.name, deployment.place());
    vec![
        secret_command(&place),
        Command::new("Apply it", format!("kubectl apply{place} -f {file}")),
        Command::new("Watch it start", format!("kubectl get dgd {name}{place} -w")),
        Command::new("See its pods", format!("kubectl get pods{place} | grep {name}")),
        Command::new("Reach it", format!("kubectl port-forward svc/{name}-frontend{place} 8000:8000")),
        Command::new("Ask what it serves", "curl http://localhost:8000/v1/models"),
    ]
}

/// How the secret comes about; the token itself stays with the user.
pub(super) fn secret_command(place: &str) -> Command {
    let text =
        format!("kubectl create secret generic {TOKEN_SECRET}{place} --from-literal=HF_TOKEN=\"$HF_TOKEN\"");
    Command::new("Once: let pods read the Hugging Face Hub", text)
}
