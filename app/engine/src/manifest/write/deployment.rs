//! A selected point with everything the user decided, ready to be written for an engine.

use super::limits::Limits;
use super::pool::{Pool, Role, pools};
use super::{Extras, ModelCache, Options, PlannerUse, Selection};
use crate::custom::UNNAMED;
use crate::format::{ms, rate};
use crate::manifest::Check;
use crate::manifest::names::{
    MAX_DEPLOYMENT_NAME, deployment_name, is_dns_1035_label, is_dns_1123_label, is_dns_1123_subdomain,
    is_env_name,
};
use crate::manifest::release::runtime_image;
use crate::manifest::sku::is_rack;
use crate::quant::KvQuant;
use crate::scenario::{Goal, QuantChoice};
use crate::text::{gpus_idle, layout_short, layout_total, serving};

/// Secret with the token of the Hugging Face Hub.
pub(super) const TOKEN_SECRET: &str = "hf-token-secret";
/// Where a volume with models is mounted unless the user chose.
const MOUNT: &str = "/opt/model-cache";

/// A selected point with everything the user decided.
#[derive(Clone, Debug)]
pub(super) struct Deployment<'a> {
    pub(super) selection: &'a Selection<'a>,
    pub(super) options: &'a Options,
    pub(super) pools: Vec<Pool<'a>>,
    pub(super) name: String,
}

impl<'a> Deployment<'a> {
    /// Puts it together, or says what keeps it back.
    pub(super) fn new(selection: &'a Selection<'a>, options: &'a Options) -> Result<Self, Vec<Check>> {
        let checks = senseless(selection, options);
        if !checks.is_empty() {
            return Err(checks);
        }
        let pools = pools(selection)?;
        let components = pools.iter().map(|pool| (pool.role.name(), pool.nodes));
        let name = options.name.clone().unwrap_or_else(|| {
            deployment_name(selection.model.short_name(), components.chain([("Frontend", 1), ("Planner", 1)]))
        });
        Ok(Self { selection, options, pools, name })
    }

    /// The kind of worker with this role.
    pub(super) fn pool(&self, role: Role) -> Option<&Pool<'a>> {
        self.pools.iter().find(|pool| pool.role == role)
    }

    /// Limits of a kind of worker.
    pub(super) fn limits(&self, pool: &Pool<'_>) -> Limits {
        Limits::of(pool, self.selection.scenario, self.selection.model)
    }

    /// Precision of the KV cache.
    pub(super) fn kv(&self) -> KvQuant {
        self.selection.scenario.quant.kv.unwrap_or(self.selection.model.quant.kv)
    }

    /// Whether a planner comes with the workers.
    pub(super) fn has_planner(&self) -> bool {
        self.selection.point.is_disagg() && self.options.extras.planner != PlannerUse::Off
    }

    /// Whether the planner may change the number of workers.
    pub(super) fn is_scaled(&self) -> bool {
        self.has_planner() && self.options.extras.planner == PlannerUse::Scales
    }

    /// GPUs that may be used: the budget, or those of the point where there is none.
    pub(super) fn budget(&self) -> u32 {
        match self.selection.scenario.goal {
            Goal::Gpus(budget) => budget,
            Goal::RequestRate(_) | Goal::Concurrency(_) => self.selection.point.gpus_used,
        }
    }

    /// Whether workers run on different GPUs, so that each must find its own.
    pub(super) fn has_two_systems(&self) -> bool {
        self.pools.windows(2).any(|pools| pools[0].system.id != pools[1].system.id)
    }

    /// Requests in flight at the predicted operating point.
    pub(super) fn concurrency(&self) -> u64 {
        let decoding = self.pools.iter().filter(|pool| matches!(pool.role, Role::Worker | Role::Decode));
        decoding.map(|pool| u64::from(pool.requests()) * u64::from(pool.count)).sum()
    }

    /// The image of the engine.
    pub(super) fn engine_image(&self) -> String {
        self.options.released_image(runtime_image(self.selection.scenario.backend))
    }

    /// Where a volume with models is mounted, and its claim.
    pub(super) fn volume(&self) -> Option<(&str, &str)> {
        let cache = self.options.extras.model_cache.as_ref()?;
        Some((mount(cache), &cache.claim))
    }

    /// Folder that serves as the cache of the Hugging Face Hub: a mounted volume without a folder of the model.
    pub(super) fn hub_cache(&self) -> Option<&str> {
        let cache = self.options.extras.model_cache.as_ref().filter(|cache| folder(cache).is_none())?;
        Some(mount(cache))
    }

    /// What the engine loads: the folder on the volume, or the model by its name.
    pub(super) fn model_path(&self) -> String {
        self.model_folder().unwrap_or_else(|| self.selection.model.id.clone())
    }

    /// Folder of the model on the mounted volume.
    pub(super) fn model_folder(&self) -> Option<String> {
        let cache = self.options.extras.model_cache.as_ref()?;
        Some(format!("{}/{}", mount(cache), folder(cache)?))
    }

    /// What was selected and what it is predicted to do, after a line that says what this is.
    pub(super) fn header(&self, what: &str) -> Vec<String> {
        let &Selection { scenario, point, .. } = self.selection;
        let mut lines = vec![
            what.to_owned(),
            format!("Selected: {} {}, {}.", serving(point), layout_short(point), layout_total(point)),
            format!(
                "Predicted: TTFT {} ms, ITL {} ms, {} tokens/s/GPU.",
                ms(point.ttft_ms),
                ms(point.itl_ms),
                rate(point.tokens_per_sec_per_gpu)
            ),
        ];
        lines.extend(gpus_idle(point, scenario).map(|idle| format!("Of the budget, {idle}.")));
        lines.extend(self.options.link.as_ref().map(|link| format!("From: {link}")));
        lines
    }

    /// ` -n NAMESPACE`, or nothing.
    pub(super) fn place(&self) -> String {
        self.options.namespace.as_ref().map_or_else(String::new, |namespace| format!(" -n {namespace}"))
    }

    /// What the scenario or the point says and no engine setting can, and what else somebody should know.
    pub(super) fn warnings(&self) -> Vec<Check> {
        let &Selection { scenario, model, point, .. } = self.selection;
        let mut checks = Vec::new();
        let mut warn = |path: &str, rule, message: String| checks.push(Check::warning(path, rule, message));
        if !point.meets() {
            warn("", "misses-slo", "The selected point misses the SLO.".to_owned());
        }
        if self.pools.iter().any(|pool| pool.parallel.cp > 1) {
            let message = "Prompts are split over GPUs (context parallel). SGLang has renamed these flags more than once; try the file with your image before you rely on it.";
            warn("", "context-parallel", message.to_owned());
        }
        let QuantChoice { gemm, fmha, .. } = scenario.quant;
        if gemm.is_some_and(|gemm| gemm != model.quant.gemm) || fmha.is_some() {
            let message = "Engines take the precision of weights and attention from the checkpoint; the ones chosen here are left out.";
            warn("", "left-out", message.to_owned());
        }
        if self.kv() == KvQuant::Int8 {
            warn(
                "",
                "left-out",
                "No engine setting asks for an 8-bit integer KV cache; it is left out.".to_owned(),
            );
        }
        if scenario.custom.is_some() && self.model_folder().is_none() {
            let message =
                format!("The engines look for {} on the Hugging Face Hub or in the model cache.", model.id);
            warn("", "custom-model", message);
        }
        for pool in &self.pools {
            let limits = self.limits(pool);
            let longest = limits.isl.saturating_add(scenario.workload.osl);
            if longest > model.max_pos {
                let message = format!(
                    "Requests of {longest} tokens exceed the {} tokens that the checkpoint supports; the engine refuses them unless the checkpoint says otherwise.",
                    model.max_pos
                );
                warn(pool.role.name(), "too-long", message);
                break;
            }
        }
        for pool in self.pools.iter().filter(|pool| pool.nodes > 1 && is_rack(pool.system)) {
            let message = format!(
                "{} over {} nodes of {} need a ComputeDomain in the cluster to use NVLink between them.",
                pool.role.name(),
                pool.nodes,
                pool.system.name
            );
            warn(pool.role.name(), "compute-domain", message);
        }
        checks
    }
}

fn mount(cache: &ModelCache) -> &str {
    cache.mount.as_deref().map_or(MOUNT, |mount| mount.trim_end_matches('/'))
}

/// Folder of the model, relative to the volume: it may be given as a path inside the container as well.
fn folder(cache: &ModelCache) -> Option<&str> {
    let path = cache.path.as_deref()?;
    let inside = path.strip_prefix(mount(cache)).filter(|rest| rest.starts_with('/')).unwrap_or(path);
    Some(inside.trim_matches('/')).filter(|folder| !folder.is_empty())
}

/// What the user typed and no manifest can carry.
fn senseless(selection: &Selection<'_>, options: &Options) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut refuse = |path: &str, rule, message: String| checks.push(Check::error(path, rule, message));
    if let Some(name) = &options.name
        && !(is_dns_1035_label(name) && name.len() <= MAX_DEPLOYMENT_NAME)
    {
        let message = format!(
            "The name must begin with a lower-case letter and hold at most {MAX_DEPLOYMENT_NAME} lower-case letters, digits and dashes, not at its end."
        );
        refuse("metadata.name", "name", message);
    }
    if options.namespace.as_ref().is_some_and(|namespace| !is_dns_1123_label(namespace)) {
        let message =
            "A namespace holds at most 63 lower-case letters, digits and dashes, with no dash at either end.";
        refuse("metadata.namespace", "name", message.to_owned());
    }
    let words = [("model", Some(&selection.model.id)), ("registry", options.registry.as_ref())];
    for (path, text) in words {
        if text.is_some_and(|text| !is_word(text)) {
            refuse(path, "one-word", format!("The {path} must be a single word without spaces."));
        }
    }
    if selection.scenario.custom.is_some() && selection.model.id == UNNAMED {
        let message =
            "The engine finds the model by its name. Give the name it has on the Hub, organisation/name.";
        refuse("model", "unnamed", message.to_owned());
    }
    checks.extend(senseless_extras(&options.extras));
    checks
}

/// The part of it that a request has as well.
pub(super) fn senseless_extras(extras: &Extras) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut refuse = |path: &str, rule, message: String| checks.push(Check::error(path, rule, message));
    let claim = extras.model_cache.as_ref().map(|cache| &cache.claim);
    for (path, text) in [("pull secret", extras.pull_secret.as_ref()), ("volume claim", claim)] {
        if text.is_some_and(|text| !is_dns_1123_subdomain(text)) {
            let message =
                format!("The name of the {path} holds only lower-case letters, digits, dashes and dots.");
            refuse(path, "name", message);
        }
    }
    if let Some(cache) = &extras.model_cache {
        if cache
            .mount
            .as_ref()
            .is_some_and(|mount| !is_word(mount) || mount.len() < 2 || !mount.starts_with('/'))
        {
            refuse("mount", "path", "The mount of the model cache is a path that begins with /.".to_owned());
        }
        let leaves = |path: &String| !is_word(path) || path.split('/').any(|step| step == "..");
        if cache.path.as_ref().is_some_and(leaves) {
            refuse(
                "path",
                "path",
                "The folder of the model lies on the volume, without spaces and ..".to_owned(),
            );
        }
    }
    for (name, value) in &extras.env {
        if !is_env_name(name) {
            refuse("env", "env-name", format!("{name:?} is no name of an environment variable."));
        }
        if value.chars().any(char::is_control) {
            refuse("env", "env-value", format!("The value of {name} must be one line."));
        }
    }
    checks
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}
