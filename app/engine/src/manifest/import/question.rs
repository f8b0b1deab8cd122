//! The question of a text: the base, overlaid with what the text says.

use super::command::Worker;
use super::settings::{Notes, Said, Settings};
use super::{gpu, model};
use crate::backend::Backend;
use crate::catalog::Catalog;
use crate::models;
use crate::quant::{KvQuant, Pipe, Quant};
use crate::scenario::{Goal, Scenario};
use crate::text::{Assumed, Why};

/// A question in the making.
pub(super) struct Question<'a> {
    pub scenario: Scenario,
    pub catalog: &'a Catalog,
    pub notes: Notes,
    /// The longest request that the engines take, tokens.
    longest: Option<Said<u32>>,
    /// Inputs that the text says, by their keys.
    said: Vec<(&'static str, String)>,
}

impl<'a> Question<'a> {
    pub(super) fn new(base: &Scenario, catalog: &'a Catalog) -> Self {
        Self { scenario: base.clone(), catalog, notes: Notes::default(), longest: None, said: Vec::new() }
    }

    pub(super) fn says(&self, key: &str) -> bool {
        self.said.iter().any(|(said, _)| *said == key)
    }

    /// Whether a value is the first of its input; another one is noted.
    fn first(&mut self, key: &'static str, value: &str, line: u32) -> bool {
        match self.said.iter().find(|(said, _)| *said == key) {
            None => {
                self.said.push((key, value.to_owned()));
                self.notes.fix(key, value, line);
                true
            }
            Some((_, first)) if first == value => false,
            Some((_, first)) => {
                let first = first.clone();
                self.notes.unread(Some(line), value, &Why::OtherValue(&first));
                false
            }
        }
    }

    pub(super) fn model(&mut self, said: &Said<String>) {
        // A name of the user's own stays theirs.
        let own = self.scenario.custom.is_some() && self.scenario.model == said.value;
        let found = model::known(&said.value, self.catalog).or(own.then(|| said.value.clone()));
        let name = found.as_deref().unwrap_or(&said.value);
        if self.first("model", name, said.line) && !own {
            self.scenario.choose(name);
            if found.is_none() {
                self.notes.unread(Some(said.line), &said.value, &Why::UnknownModel);
            }
        }
    }

    pub(super) fn system(&mut self, said: &Said<String>) {
        match gpu::system(&said.value, self.catalog) {
            Some(system) => {
                if self.first("system", &system, said.line) {
                    self.scenario.system = system;
                    self.scenario.reach.every_system = false;
                    self.scenario.decode_system = None;
                }
            }
            None => self.notes.unread(Some(said.line), &said.value, &Why::UnknownGpu),
        }
    }

    /// GPUs of the decode workers, which may differ.
    pub(super) fn decode_system(&mut self, said: &Said<String>) {
        match gpu::system(&said.value, self.catalog) {
            Some(system) if system == self.scenario.system => {}
            Some(system) => {
                if self.first("decode", &system, said.line) {
                    self.scenario.decode_system = Some(system);
                }
            }
            None => self.notes.unread(Some(said.line), &said.value, &Why::UnknownGpu),
        }
    }

    /// The engine; whether others are searched beside it stays as it was.
    pub(super) fn backend(&mut self, backend: Backend, line: u32) {
        if self.first("backend", backend.name(), line) {
            self.scenario.backend = backend;
        }
    }

    pub(super) fn backend_name(&mut self, said: &Said<String>) {
        match said.value.as_str() {
            "auto" => {
                if self.first("backend", "auto", said.line) {
                    self.scenario.reach.every_backend = true;
                }
            }
            name => {
                if let Some(backend) = Backend::from_name(name) {
                    self.backend(backend, said.line);
                } else {
                    let names = ["vllm", "sglang", "trtllm"];
                    self.notes.unread(Some(said.line), name, &Why::NotOneOf(&names));
                }
            }
        }
    }

    pub(super) fn tokens(&mut self, key: &'static str, said: &Said<u32>) {
        if self.first(key, &said.value.to_string(), said.line) {
            match key {
                "isl" => self.scenario.workload.isl = said.value,
                _ => self.scenario.workload.osl = said.value,
            }
        }
    }

    /// A latency target, ms.
    pub(super) fn target(&mut self, key: &'static str, said: &Said<f64>) {
        if self.first(key, &said.value.to_string(), said.line) {
            let sla = &mut self.scenario.sla;
            match key {
                "ttft" => sla.ttft_ms = said.value,
                "itl" => {
                    sla.itl_ms = said.value;
                    sla.request_latency_ms = None;
                }
                _ => sla.request_latency_ms = Some(said.value),
            }
        }
    }

    /// A load goes before a budget.
    pub(super) fn goal(&mut self, goal: Goal, line: u32) {
        let (key, value) = match goal {
            Goal::Gpus(gpus) => ("gpus", gpus.to_string()),
            Goal::RequestRate(rate) => ("rate", rate.to_string()),
            Goal::Concurrency(requests) => ("concurrency", requests.to_string()),
        };
        let load = self.says("rate") || self.says("concurrency");
        if self.first(key, &value, line) && (!load || key != "gpus") {
            self.scenario.goal = goal;
        }
    }

    pub(super) fn has_goal(&self) -> bool {
        ["gpus", "rate", "concurrency"].iter().any(|key| self.says(key))
    }

    /// What the arguments of a worker say about the question.
    pub(super) fn worker(&mut self, worker: &Worker) {
        let Settings { model, served, kv, weights, memory, length, .. } = &worker.settings;
        self.backend(worker.backend, worker.line);
        if let Some(said) = model {
            // A folder says less than the name it is served under.
            let by_path = model::known(&said.value, self.catalog);
            let served = served.as_ref().filter(|served| model::known(&served.value, self.catalog).is_some());
            self.model(by_path.map_or(served, |_| None).unwrap_or(said));
        }
        if let Some(said) = kv {
            self.kv(said);
        }
        if let Some(said) = weights {
            self.weights(said);
        }
        if let Some(said) = memory
            && self.first("mem", &said.value.to_string(), said.line)
        {
            self.scenario.engine.free_memory_fraction = Some(said.value);
        }
        if let Some(said) = length {
            self.longest.get_or_insert_with(|| said.clone());
        }
        self.drafts(worker);
    }

    fn kv(&mut self, said: &Said<String>) {
        let quant = match said.value.as_str() {
            "auto" => None,
            "fp8" | "fp8_e4m3" | "fp8_e5m2" => Some(KvQuant::Fp8),
            "bfloat16" | "bf16" | "float16" | "fp16" => Some(KvQuant::Bf16),
            "int8" => Some(KvQuant::Int8),
            _ => {
                let names = ["auto", "fp8", "bfloat16", "int8"];
                return self.notes.unread(Some(said.line), &said.value, &Why::NotOneOf(&names));
            }
        };
        if self.first("kv", quant.map_or("auto", KvQuant::name), said.line) {
            self.scenario.quant.kv = quant;
        }
    }

    /// Weights that are quantised on loading; a checkpoint that already is says the same once more.
    fn weights(&mut self, said: &Said<String>) {
        let of_model = self.scenario.spec(self.catalog).map(|spec| spec.quant);
        let full = of_model.is_none_or(|quant| quant.gemm == Quant::Bf16 && quant.moe == Quant::Bf16);
        match said.value.as_str() {
            "fp8" | "w8a8_fp8" if full => {
                if self.first("gemm", Quant::Fp8.name(), said.line) {
                    self.scenario.quant.gemm = Some(Quant::Fp8);
                }
            }
            "fp8" | "w8a8_fp8" if of_model.is_some_and(|quant| quant.gemm.pipe() == Pipe::Fp8) => {}
            "modelopt" | "modelopt_fp8" | "modelopt_fp4" | "nvfp4" | "compressed-tensors" | "mxfp4"
                if !full => {}
            "none" | "auto" => {}
            _ => self.notes.unread(Some(said.line), &said.value, &Why::NotModelled),
        }
    }

    /// Speculative decoding: only that of the model's own draft layers is predicted.
    fn drafts(&mut self, worker: &Worker) {
        let drafts = &worker.settings.drafts;
        let Some(said) = &drafts.tokens else {
            if let Some(method) = &drafts.method {
                self.notes.unread(Some(method.line), &method.value, &Why::NotModelled);
            }
            return;
        };
        let method = drafts.method.as_ref().map_or("", |method| method.value.as_str());
        let can = self.scenario.spec(self.catalog).is_some_and(|spec| models::can_draft(spec.family));
        let own = match worker.backend {
            Backend::Vllm => method == "mtp" || method.ends_with("_mtp"),
            // SGLang drafts with the model's own layers under either name.
            Backend::Sglang => matches!(method, "nextn" | "eagle") && drafts.model.is_none(),
            Backend::Trtllm => method == "mtp",
        };
        let branches = drafts.branches.as_ref().is_some_and(|branches| branches.value > 1);
        if !own || branches || !can {
            self.notes.unread(Some(said.line), method, &Why::NotModelled);
        } else if self.first("mtp", &said.value.to_string(), said.line) {
            let engine = &mut self.scenario.engine;
            if engine.draft_tokens != said.value {
                engine.draft_tokens = said.value;
                engine.draft_accepted = 0.0;
            }
            if engine.draft_accepted == 0.0 {
                self.notes.assume(&Assumed::Accepted(said.value));
            }
        }
    }

    /// Notes an engine that takes no requests as long as those of the question.
    pub(super) fn check_length(&mut self) {
        let workload = self.scenario.workload;
        let whole = workload.isl.saturating_add(workload.osl);
        if let Some(said) = self.longest.take().filter(|said| said.value < whole) {
            self.notes.unread(Some(said.line), &said.value.to_string(), &Why::TooShort(whole));
        }
    }

    /// Says which inputs the text leaves open.
    pub(super) fn close(&mut self) {
        use crate::format::typed;
        let Scenario { model, system, backend, workload, sla, .. } = &self.scenario;
        let second = match sla.request_latency_ms {
            Some(latency) => format!("request latency {} ms", typed(latency)),
            None => format!("ITL {} ms", typed(sla.itl_ms)),
        };
        let system = if self.scenario.reach.every_system { "any" } else { system.as_str() };
        let open = [
            (&["model"][..], "model", model.clone()),
            (&["system"], "GPU system", system.to_owned()),
            (&["backend"], "backend", backend.label().to_owned()),
            (&["isl"], "ISL", workload.isl.to_string()),
            (&["osl"], "OSL", workload.osl.to_string()),
            (&["ttft", "latency"], "TTFT target", format!("{} ms", typed(sla.ttft_ms))),
            (&["itl", "latency"], "latency target beside it", second),
        ];
        for (keys, name, value) in open {
            if !keys.iter().any(|key| self.says(key)) {
                self.notes.assume(&Assumed::Kept(name, &value));
            }
        }
    }
}
