//! Points to write, and deployments read back.

use std::collections::BTreeMap;

use engine::backend::Backend;
use engine::catalog::Catalog;
use engine::manifest::{Check, File, Format, Manifest, Options, Selection, write};
use engine::parallel::Parallel;
use engine::rows::MemoryUse;
use engine::scenario::{Goal, Scenario};
use engine::source::Evidence;
use engine::view::{Layout, Point, Worker};
use serde::Deserialize;
use serde_json::Value;
pub(crate) const DENSE: &str = "Qwen/Qwen3-32B-FP8";
pub(crate) const EXPERTS: &str = "Qwen/Qwen3-235B-A22B-FP8";

pub(crate) fn worker(parallel: Parallel, batch: u32, count: u32) -> Worker {
    Worker { parallel, batch, count, memory: MemoryUse { capacity: 1.0, ..MemoryUse::default() } }
}

pub(crate) fn experts(tp: u32, dp: u32, moe_tp: u32, moe_ep: u32) -> Parallel {
    Parallel { tp, pp: 1, dp, moe_tp, moe_ep, cp: 1 }
}

pub(crate) fn at(layout: Layout, gpus_used: u32) -> Point {
    Point {
        place: 0,
        layout,
        replicas: 1,
        gpus_used,
        ttft_ms: 340.0,
        itl_ms: 29.5,
        request_latency_ms: 15_060.5,
        tokens_per_sec_per_gpu: 800.0,
        tokens_per_sec_per_user: 33.9,
        requests_per_sec: 51.2,
        concurrency: 700,
        evidence: Evidence::default(),
        meets_ttft: true,
        meets_itl: true,
    }
}

pub(crate) fn agg(parallel: Parallel, batch: u32, count: u32) -> Point {
    let layout = Layout::Agg { worker: worker(parallel, batch, count), ctx_tokens: 4000, encoders: None };
    at(layout, parallel.gpus() * count)
}

/// 2 prefill workers of 2 GPUs and 4 decode workers of one.
pub(crate) fn disagg() -> Point {
    let (prefill, decode) = (Parallel::dense(2, 1, 1), Parallel::dense(1, 1, 1));
    let layout =
        Layout::Disagg { prefill: worker(prefill, 1, 2), decode: worker(decode, 22, 4), encoders: None };
    at(layout, 8)
}

pub(crate) fn question(model: &str, backend: Backend, gpus: u32) -> Scenario {
    Scenario {
        model: model.to_owned(),
        system: "h200_sxm".to_owned(),
        backend,
        goal: Goal::Gpus(gpus),
        ..Scenario::default()
    }
}

pub(crate) fn export(
    format: Format,
    scenario: &Scenario,
    point: &Point,
    options: &Options,
) -> Result<Manifest, Vec<Check>> {
    let catalog = Catalog::embedded();
    let model = catalog.model(&scenario.model).unwrap();
    let system = catalog.system(&scenario.system).unwrap();
    let decode_system = scenario.decode_system.as_ref().map(|decode| catalog.system(decode).unwrap());
    write(format, &Selection { scenario, model, system, decode_system, point }, options)
}

pub(crate) fn documents(text: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(text).map(|document| Value::deserialize(document).unwrap()).collect()
}

/// A component of a deployment in either version of the API.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) value: Value,
    pub(crate) main: Value,
    pub(crate) gpus: u64,
    pub(crate) nodes: u64,
}

impl Part {
    pub(crate) fn replicas(&self) -> u64 {
        self.value["replicas"].as_u64().unwrap()
    }

    pub(crate) fn args(&self) -> Vec<&str> {
        self.main["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect()
    }

    /// Value of a flag, as a number.
    pub(crate) fn flag(&self, name: &str) -> Option<u32> {
        let args = self.args();
        let at = args.iter().position(|word| *word == name)?;
        args.get(at + 1)?.parse().ok()
    }

    pub(crate) fn pod(&self) -> &Value {
        if self.value["podTemplate"].is_null() {
            &self.value["extraPodSpec"]
        } else {
            &self.value["podTemplate"]["spec"]
        }
    }
}

/// A deployment, read back.
#[derive(Debug)]
pub(crate) struct Deployment {
    pub(crate) documents: Vec<Value>,
    pub(crate) parts: BTreeMap<String, Part>,
}

impl Deployment {
    pub(crate) fn of(manifest: &Manifest) -> Self {
        let documents = documents(&manifest.files[0].text);
        let spec = &documents.last().unwrap()["spec"];
        let number = |value: &Value| value.as_str().map_or(0, |text| text.parse().unwrap());
        let part = |name: &str, value: &Value, main: &Value, gpus: &Value| {
            let nodes = value["multinode"]["nodeCount"].as_u64().unwrap_or(1);
            (name.to_owned(), Part { value: value.clone(), main: main.clone(), gpus: number(gpus), nodes })
        };
        let parts = match (spec["components"].as_array(), spec["services"].as_object()) {
            (Some(components), _) => components
                .iter()
                .map(|value| {
                    let main = &value["podTemplate"]["spec"]["containers"][0];
                    let gpus = &main["resources"]["limits"]["nvidia.com/gpu"];
                    part(value["name"].as_str().unwrap(), value, main, gpus)
                })
                .collect(),
            (_, Some(services)) => services
                .iter()
                .map(|(name, value)| {
                    let main = &value["extraPodSpec"]["mainContainer"];
                    part(name, value, main, &value["resources"]["limits"]["gpu"])
                })
                .collect(),
            _ => panic!("no components: {spec}"),
        };
        Self { documents, parts }
    }

    pub(crate) fn gpus(&self) -> u64 {
        self.parts.values().map(|part| part.gpus * part.nodes * part.replicas()).sum()
    }

    /// Settings of TensorRT-LLM for a role.
    pub(crate) fn engine(&self, role: &str) -> Value {
        let file = format!("{role}.yaml");
        let text = self.documents.iter().find_map(|document| document["data"][&file].as_str()).unwrap();
        serde_yaml::from_str(text).unwrap()
    }

    pub(crate) fn planner(&self) -> Value {
        let text = self.documents.iter().find_map(|d| d["data"]["planner_config.json"].as_str()).unwrap();
        serde_json::from_str(text).unwrap()
    }
}

pub(crate) fn deployment(scenario: &Scenario, point: &Point, options: &Options) -> Deployment {
    Deployment::of(&export(Format::Dgd, scenario, point, options).unwrap())
}

pub(crate) fn rules(checks: &[Check]) -> Vec<&str> {
    checks.iter().map(|check| check.rule.as_ref()).collect()
}

/// Whether a file has this ending.
pub(crate) fn is_kind(file: &File, kind: &str) -> bool {
    file.name.rsplit('.').next() == Some(kind)
}
