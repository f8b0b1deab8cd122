//! The fields of a `DynamoGraphDeploymentRequest` that are written, in the order they appear.

use serde::Serialize;

use super::objects::{Metadata, Named, Number, Toleration};
use super::planner::Planner;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request<'a> {
    pub(super) api_version: &'static str,
    pub(super) kind: &'static str,
    pub(super) metadata: Metadata<'a>,
    pub(super) spec: Spec<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec<'a> {
    pub(super) model: &'a str,
    pub(super) backend: &'static str,
    pub(super) image: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) runtime_version_override: Option<&'static str>,
    pub(super) search_strategy: &'static str,
    pub(super) auto_apply: bool,
    pub(super) hardware: Hardware,
    pub(super) workload: Load,
    pub(super) sla: Targets,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) model_cache: Option<Cache<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) features: Option<Features>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) overrides: Option<Overrides<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Hardware {
    pub(super) gpu_sku: &'static str,
    pub(super) vram_mb: u64,
    pub(super) num_gpus_per_node: u32,
    pub(super) total_gpus: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Load {
    pub(super) isl: u32,
    pub(super) osl: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request_rate: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) concurrency: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Targets {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ttft: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) itl: Option<Number>,
    #[serde(rename = "e2eLatency", skip_serializing_if = "Option::is_none")]
    pub(super) e2e_latency: Option<Number>,
}

#[derive(Serialize)]
pub(super) struct Cache<'a> {
    #[serde(rename = "pvcName")]
    pub(super) claim: &'a str,
    #[serde(rename = "pvcMountPath", skip_serializing_if = "Option::is_none")]
    pub(super) mount: Option<&'a str>,
    #[serde(rename = "pvcModelPath", skip_serializing_if = "Option::is_none")]
    pub(super) folder: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Features {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) planner: Option<Planner>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kv_router: Option<Enabled>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mocker: Option<Enabled>,
}

#[derive(Serialize)]
pub(super) struct Enabled {
    pub(super) enabled: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Overrides<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) trust_remote_code: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) profiling_job: Option<Job<'a>>,
}

#[derive(Serialize)]
pub(super) struct Job<'a> {
    pub(super) template: Template<'a>,
}

#[derive(Serialize)]
pub(super) struct Template<'a> {
    pub(super) spec: Pod<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pod<'a> {
    /// Required, and empty: they are the operator's.
    pub(super) containers: [(); 0],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) image_pull_secrets: Vec<Named<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tolerations: Vec<Toleration>,
}
