//! The fields of a `DynamoGraphDeploymentRequest` that are written, in the order they appear.

use serde::{Serialize, Serializer};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request<'a> {
    pub(super) api_version: &'static str,
    pub(super) kind: &'static str,
    pub(super) metadata: Metadata<'a>,
    pub(super) spec: Spec<'a>,
}

#[derive(Serialize)]
pub(super) struct Metadata<'a> {
    pub(super) name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<&'a str>,
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
    pub(super) features: Option<Features>,
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
pub(super) struct Features {
    pub(super) planner: Planner,
}

#[derive(Serialize)]
pub(super) struct Planner {
    pub(super) backend: &'static str,
    pub(super) mode: &'static str,
    pub(super) optimization_target: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ttft_ms: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) itl_ms: Option<Number>,
    pub(super) pre_deployment_sweeping_mode: &'static str,
    pub(super) enable_throughput_scaling: bool,
    pub(super) enable_load_scaling: bool,
    pub(super) throughput_adjustment_interval_seconds: u32,
    pub(super) load_adjustment_interval_seconds: u32,
    pub(super) max_gpu_budget: u32,
    pub(super) min_endpoint: u32,
}

/// A number without a needless `.0`.
#[derive(Clone, Copy)]
pub(super) struct Number(pub(super) f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.fract() == 0.0 && self.0.abs() < 1e15 {
            serializer.serialize_i64(self.0 as i64)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}
