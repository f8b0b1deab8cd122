//! A job that measures a deployment around its predicted operating point.

use std::collections::BTreeSet;

use serde::Serialize;

use super::annotate::{Note, annotate};
use super::deployment::{Deployment, TOKEN_SECRET};
use super::objects::{Env, EnvFrom, Metadata, Mount, Named, Volume};
use super::shell::quote;
use super::{Command, File, Manifest, Options, Selection, finish};
use crate::format::count;
use crate::manifest::Check;

const KIND: &str = "Job";
const AIPERF: &str = "0.10.0";
/// Concurrencies that are measured besides the operating point.
const AROUND: [u64; 7] = [1, 2, 8, 16, 32, 64, 128];
/// Requests of a run for each of its concurrent ones, and those that warm up before.
const REQUESTS: u64 = 50;
const WARM_UP: u64 = 2;

#[derive(Serialize)]
struct Job<'a> {
    #[serde(rename = "apiVersion")]
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata<'a>,
    spec: JobSpec<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JobSpec<'a> {
    backoff_limit: u32,
    template: Template<'a>,
}

#[derive(Serialize)]
struct Template<'a> {
    spec: Pod<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pod<'a> {
    restart_policy: &'static str,
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
    image: &'static str,
    command: [&'static str; 2],
    args: [&'a str; 1],
    env: Vec<Env<'a>>,
    env_from: [EnvFrom; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    volume_mounts: Vec<Mount<'a>>,
}

/// Concurrencies to measure at: some small ones, and 5 % around the predicted one.
fn concurrencies(predicted: u64) -> BTreeSet<u64> {
    let around = [95, 100, 105].map(|percent| predicted * percent / 100);
    AROUND.into_iter().chain(around).filter(|&concurrency| concurrency > 0).collect()
}

/// Writes the job, or says what keeps it back.
pub(super) fn write(selection: &Selection<'_>, options: &Options) -> Result<Manifest, Vec<Check>> {
    let deployment = Deployment::new(selection, options)?;
    let name = format!("{}-benchmark", deployment.name);
    let script = script(&deployment);
    let mut env = vec![Env { name: "AIPERF_SERVICE_PROFILE_START_TIMEOUT", value: "400" }];
    let (mut volumes, mut volume_mounts) = (Vec::new(), Vec::new());
    if let Some((mount_path, claim_name)) = deployment.volume() {
        // The tokenizer is found there, and the results stay there.
        volumes.push(Volume::claimed("model-cache", claim_name));
        volume_mounts.push(Mount::new("model-cache", mount_path));
    }
    env.extend(deployment.hub_cache().map(|value| Env { name: "HF_HOME", value }));
    let job = Job {
        api_version: "batch/v1",
        kind: KIND,
        metadata: Metadata::new(&name, options.namespace.as_deref()),
        spec: JobSpec {
            backoff_limit: 0,
            template: Template {
                spec: Pod {
                    restart_policy: "Never",
                    image_pull_secrets: options
                        .extras
                        .pull_secret
                        .iter()
                        .map(|name| Named { name })
                        .collect(),
                    containers: [Container {
                        name: "aiperf",
                        image: "python:3.12-slim",
                        command: ["/bin/bash", "-c"],
                        args: [&script],
                        env,
                        env_from: [EnvFrom { secret_ref: Named { name: TOKEN_SECRET } }],
                        volume_mounts,
                    }],
                    volumes,
                },
            },
        },
    };
    let yaml = serde_yaml::to_string(&job)
        .map_err(|error| vec![Check::error("", "yaml", format!("The job cannot be written: {error}."))])?;
    let header = deployment.header(&format!("Measures the deployment {} with aiperf.", deployment.name));
    let file = format!("{name}.yaml");
    let place = deployment.place();
    let commands = vec![
        Command::new("Run it", format!("kubectl apply{place} -f {file}")),
        Command::new("Follow it", format!("kubectl logs{place} -f job/{name}")),
        Command::new("Remove it", format!("kubectl delete{place} job {name}")),
    ];
    let mut checks = deployment.warnings();
    if let Some(images) = &selection.scenario.workload.images {
        let message = format!(
            "The job sends the text alone, without {} and their tokens.",
            crate::text::images(images)
        );
        checks.push(Check::warning("spec", "left-out", message));
    }
    let draft = File::new(file, annotate(&yaml, &header, &notes(&deployment)));
    finish(Manifest { name, files: Vec::new(), commands, checks }, vec![draft], options.release)
}

/// Waits until the model is served, then measures one concurrency after the other.
fn script(deployment: &Deployment<'_>) -> String {
    let Selection { scenario, model, .. } = deployment.selection;
    let host = match &deployment.options.namespace {
        Some(namespace) => format!("{}-frontend.{namespace}.svc.cluster.local", deployment.name),
        None => format!("{}-frontend", deployment.name),
    };
    let url = format!("http://{host}:8000");
    let workload = &scenario.workload;
    let fresh = workload.isl - workload.prefix.min(workload.isl.saturating_sub(1));
    let list: Vec<_> = concurrencies(deployment.concurrency()).iter().map(ToString::to_string).collect();
    let tokenizer = deployment.model_folder().unwrap_or_else(|| model.id.clone());
    let folder = deployment.volume().map_or("/tmp/aiperf".to_owned(), |(mount, _)| format!("{mount}/aiperf"));
    let prefix = match workload.prefix {
        0 => String::new(),
        prefix => format!("    --prefix-prompt-length {prefix} --num-prefix-prompts 1 \\\n"),
    };
    [
        "set -euo pipefail".to_owned(),
        format!("pip install --quiet aiperf=={AIPERF}"),
        format!("url={}", quote(&url)),
        format!("model={}", quote(&model.id)),
        "until python3 -c 'import sys, urllib.request as r; sys.exit(sys.argv[2] not in r.urlopen(sys.argv[1]).read().decode())' \"$url/v1/models\" \"$model\" 2>/dev/null; do".to_owned(),
        "  echo 'waiting for the model'; sleep 10".to_owned(),
        "done".to_owned(),
        format!("for concurrency in {}; do", list.join(" ")),
        "  aiperf profile \\".to_owned(),
        format!("    -m \"$model\" --tokenizer {} \\", quote(&tokenizer)),
        "    --endpoint-type chat --streaming -u \"$url\" \\".to_owned(),
        format!("    --isl {fresh} --isl-stddev 0 --osl {} --osl-stddev 0 \\", workload.osl),
        "    --extra-inputs ignore_eos:true --extra-inputs '{\"nvext\":{\"ignore_eos\":true}}' \\".to_owned(),
        format!("{prefix}    --concurrency \"$concurrency\" --num-requests \"$((concurrency * {REQUESTS}))\" \\"),
        format!("    --warmup-request-count \"$((concurrency * {WARM_UP}))\" \\"),
        format!("    --random-seed 100 --artifact-dir {}\"/concurrency_$concurrency\" --ui simple", quote(&folder)),
        "done".to_owned(),
        String::new(),
    ]
    .join("\n")
}

fn notes(deployment: &Deployment<'_>) -> Vec<Note> {
    let predicted = deployment.concurrency();
    let why = format!(
        "Waits for the model, then measures small loads and 5 % around the predicted {} requests in flight.",
        count(predicted)
    );
    let main = "spec.template.spec.containers.aiperf";
    vec![
        Note::reason("metadata.name", "The deployment it measures, with -benchmark behind it."),
        Note::reason("spec.backoffLimit", "A failed run is not repeated."),
        Note::reason(format!("{main}.image"), format!("aiperf {AIPERF} is installed into it.")),
        Note::comment(format!("{main}.args"), why),
        Note::reason(format!("{main}.envFrom"), "The tokenizer is read from the Hugging Face Hub."),
        Note::reason(format!("{main}.volumeMounts"), "Models and results stay on the volume."),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operating_point_is_in_the_middle() {
        let at = |predicted| concurrencies(predicted).into_iter().collect::<Vec<_>>();
        assert_eq!(at(112), [1, 2, 8, 16, 32, 64, 106, 112, 117, 128]);
        assert_eq!(at(88), [1, 2, 8, 16, 32, 64, 83, 88, 92, 128]);
        assert_eq!(at(0), AROUND);
    }
}
