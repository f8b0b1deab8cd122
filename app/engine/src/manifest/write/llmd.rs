//! A selected point for llm-d: patches for Kustomize, or values for the Helm chart.

mod helm;
mod kustomize;

pub(super) use helm::write as write_helm;
pub(super) use kustomize::write as write_kustomize;

use serde::Serialize;

use super::deployment::{Deployment, TOKEN_SECRET};
use super::engine::{Arg, engine, vllm};
use super::objects::Env;
use super::pool::{Pool, Role};
use super::{Command, DgdApi, PlannerUse};
use crate::backend::Backend;
use crate::manifest::Check;
use crate::manifest::names::label_value;
use crate::manifest::sku::collective_env;

/// Images that are known to have every flag that is written.
const VLLM_IMAGE: (&str, &str) = ("docker.io/vllm/vllm-openai", "v0.31.0");
const SGLANG_IMAGE: (&str, &str) = ("docker.io/lmsysorg/sglang", "v0.5.21");

/// Port of a worker behind the routing proxy, and of one that clients of the proxy reach.
const PROXIED_PORT: u32 = 8_200;
const PORT: u32 = 8_000;

/// An environment variable: a value, or where it comes from.
#[derive(Serialize)]
#[serde(untagged)]
enum Variable<'a> {
    Value(Env<'a>),
    From {
        name: &'static str,
        #[serde(rename = "valueFrom")]
        source: Source,
    },
}

/// One of both.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Source {
    #[serde(skip_serializing_if = "Option::is_none")]
    field_ref: Option<Field>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_key_ref: Option<Key>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Field {
    field_path: &'static str,
}

#[derive(Serialize)]
struct Key {
    name: &'static str,
    key: &'static str,
}

/// What neither variant can say.
fn impossible(deployment: &Deployment<'_>) -> Vec<Check> {
    let backend = deployment.selection.scenario.backend;
    let mut checks = Vec::new();
    let mut refuse = |rule, message: String| checks.push(Check::error("", rule, message));
    if backend == Backend::Trtllm {
        let message =
            "llm-d runs vLLM and SGLang; TensorRT-LLM is none of them. Select a point of another backend.";
        refuse("backend", message.to_owned());
    }
    if deployment.pool(Role::Encode).is_some() {
        let message = "llm-d has prefill and decode workers and none that only encode images. Select a point that encodes images before prefill.";
        refuse("encoders", message.to_owned());
    }
    for pool in deployment.pools.iter().filter(|pool| pool.nodes > 1) {
        let message = format!(
            "A {} worker spans {} nodes, and a worker of llm-d written here is one pod. Select a smaller worker or export a DynamoGraphDeployment.",
            pool.role.name(),
            pool.nodes
        );
        refuse("multinode", message);
    }
    checks
}

/// Choices that belong to Dynamo.
fn warnings(deployment: &Deployment<'_>) -> Vec<Check> {
    let extras = &deployment.options.extras;
    let mut checks = deployment.warnings();
    let mut warn = |message: &str| checks.push(Check::warning("", "left-out", message));
    if extras.planner == PlannerUse::Advises || extras.mocker || extras.api == DgdApi::V1Alpha1 {
        warn("Planner, mocked workers and API version belong to Dynamo; they are left out.");
    }
    if extras.kv_router {
        warn("How requests are routed is a setting of llm-d's own router; it is left out.");
    }
    checks
}

/// Flags of a worker outside Dynamo, without the model.
fn flags(deployment: &Deployment<'_>, pool: &Pool<'_>) -> Result<Vec<Arg>, Vec<Check>> {
    let backend = deployment.selection.scenario.backend;
    let mut args = engine(deployment, pool, "")?.args;
    if backend == Backend::Vllm {
        // The model is no flag of `vllm serve`, and the role is none of its business: both sides do both.
        args.retain(|arg| !matches!(arg.words[0].as_str(), "--model" | "--disaggregation-mode"));
        for arg in args.iter_mut().filter(|arg| arg.words[0] == "--kv-transfer-config") {
            arg.words = vec![arg.words[0].clone(), vllm::transfer("kv_both")];
        }
    }
    Ok(args)
}

/// Port that a worker listens on: decode and aggregated workers stand behind the proxy.
const fn port(role: Role) -> u32 {
    match role {
        Role::Prefill | Role::Encode => PORT,
        Role::Worker | Role::Decode => PROXIED_PORT,
    }
}

fn env<'a>(deployment: &'a Deployment<'_>, pool: &Pool<'_>) -> Vec<Variable<'a>> {
    let value = |(name, value): (&'a str, &'a str)| Variable::Value(Env { name, value });
    let mut out: Vec<Variable<'a>> = collective_env(pool.system).into_iter().map(value).collect();
    if pool.role != Role::Worker && deployment.selection.scenario.backend == Backend::Vllm {
        let field_ref = Some(Field { field_path: "status.podIP" });
        let source = Source { field_ref, ..Source::default() };
        out.push(Variable::From { name: "VLLM_NIXL_SIDE_CHANNEL_HOST", source });
    }
    let secret_key_ref = Some(Key { name: TOKEN_SECRET, key: "HF_TOKEN" });
    let source = Source { secret_key_ref, ..Source::default() };
    out.push(Variable::From { name: "HF_TOKEN", source });
    out.extend(deployment.options.extras.env.iter().map(|(name, text)| value((name, text))));
    out
}

/// The model as a label.
fn model_label(deployment: &Deployment<'_>) -> String {
    label_value(&deployment.selection.model.id)
}

fn secret_command(deployment: &Deployment<'_>) -> Command {
    super::dgd::secret_command(&deployment.place())
}

fn failed(error: &serde_yaml::Error) -> Vec<Check> {
    vec![Check::error("", "yaml", format!("The files cannot be written: {error}."))]
}
