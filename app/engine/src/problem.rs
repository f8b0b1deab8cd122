//! From what the user typed to what the engine needs; every user-input error lives here.

mod error;
mod numbers;
mod precision;
mod tables;

pub use error::{Field, ScenarioError, Skipped};

use std::sync::Arc;

use perf_data::{Index, Pack, PackFile};

use crate::backend::Backend;
use crate::catalog::Catalog;
use crate::custom::is_name;
use crate::model::ModelSpec;
use crate::models::{self, Setup};
use crate::parallel::Parallel;
use crate::perf::PerfDb;
use crate::quant::{Precision, Quant};
use crate::scenario::{Policy, Scenario, Workload};
use crate::source::DataMode;
use crate::system::SystemSpec;
use crate::wide::Coverage;
use precision::{measured_latent_attention, precision, promotes_experts};
use tables::{files, no_table};

/// Most GPUs a scenario may ask for.
pub const MAX_GPUS: u32 = 16_384;
/// Most draft tokens per step.
pub const MAX_DRAFT_TOKENS: u32 = 16;
/// Longest input or output, tokens.
pub const MAX_TOKENS: u32 = 10_000_000;
/// Most images of a request.
pub const MAX_IMAGES: u32 = 1000;
/// Longest side of an image, pixels.
pub const MAX_IMAGE_SIDE: u32 = 16_384;

/// Identity of no data.
const NO_DATA: &str = "none";

/// One side of a deployment, before its tables are loaded.
#[derive(Clone, Debug)]
struct SidePlan {
    system: Arc<SystemSpec>,
    version: String,
    data_id: String,
    precision: Precision,
    /// Experts as the checkpoint states them, where a search runs them at another precision.
    stated_experts: Option<Quant>,
    files: Vec<PackFile>,
}

/// A checked scenario: what it means and which tables it needs.
#[derive(Clone, Debug)]
pub struct Plan {
    scenario: Scenario,
    requests: Workload,
    model: Arc<ModelSpec>,
    prefill: SidePlan,
    decode: Option<SidePlan>,
}

/// One side of a deployment with its tables.
#[derive(Clone, Debug)]
pub struct Side {
    /// GPU system.
    pub system: Arc<SystemSpec>,
    /// Data version.
    pub version: String,
    /// Precisions it runs with.
    pub precision: Precision,
    /// Precision of experts that the reference prices a named deployment at, where its search takes another.
    pub stated_experts: Option<Quant>,
    /// Measured tables.
    pub db: PerfDb,
    /// Where experts can be reached by an all-to-all exchange.
    pub wide: Coverage,
}

/// Everything a search needs.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The question.
    pub scenario: Scenario,
    /// Requests as the language model sees them: the tokens of images are input tokens.
    pub requests: Workload,
    /// The model.
    pub model: Arc<ModelSpec>,
    /// Aggregated and prefill workers.
    pub prefill: Side,
    /// Decode workers, when their system differs.
    pub decode: Option<Side>,
}

impl Plan {
    /// Checks a scenario and finds out which pack files it needs.
    pub fn resolve(scenario: &Scenario, catalog: &Catalog, index: &Index) -> Result<Self, ScenarioError> {
        numbers::check_numbers(scenario)?;
        numbers::check_drafts(scenario)?;
        if scenario.custom.is_some() && !is_name(&scenario.model) {
            return Err(ScenarioError::ModelName { name: scenario.model.clone() });
        }
        let model = scenario.spec(catalog).ok_or_else(|| unknown_model(catalog, &scenario.model))?;
        if scenario.engine.draft_tokens > 0 && !models::can_draft(model.family) {
            let must = format!("0 for {}, which has no draft layers", model.id);
            let value = scenario.engine.draft_tokens.to_string();
            return Err(ScenarioError::Number { field: Field::DraftTokens, value, must });
        }
        let requests = numbers::requests(scenario, &model, catalog)?;
        let prefill = side(scenario, &model, &scenario.system, catalog, index)?;
        let decode = match &scenario.decode_system {
            Some(system) if *system != scenario.system && scenario.serving.disagg() => {
                Some(side(scenario, &model, system, catalog, index)?)
            }
            _ => None,
        };
        Ok(Self {
            scenario: scenario.clone(),
            requests,
            model: Arc::new(model.into_owned()),
            prefill,
            decode,
        })
    }

    /// The question.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    fn sides(&self) -> impl Iterator<Item = &SidePlan> {
        std::iter::once(&self.prefill).chain(&self.decode)
    }

    /// Pack files that must be loaded first.
    pub fn files(&self) -> Vec<&PackFile> {
        self.sides().flat_map(|side| &side.files).collect()
    }

    /// Identity of the data the answer rests on.
    pub fn data_id(&self) -> String {
        self.sides().map(|side| side.data_id.as_str()).collect::<Vec<_>>().join("-")
    }

    /// Precisions of aggregated and prefill workers.
    pub fn precision(&self) -> Precision {
        self.prefill.precision
    }
}

impl Problem {
    /// Joins a plan with its tables; `pack` finds a decoded file by name.
    pub fn new(plan: Plan, pack: impl Fn(&str) -> Option<Arc<Pack>>) -> Result<Self, ScenarioError> {
        let (backend, mode) = (plan.scenario.backend, plan.scenario.mode);
        let inferred = plan.scenario.quant.fmha.is_none();
        let load = |side: SidePlan| {
            let load =
                |file: &PackFile| pack(&file.name).ok_or_else(|| no_table(&side.system, backend, file, &[]));
            let packs = side.files.iter().map(load).collect::<Result<Vec<_>, _>>()?;
            let db = PerfDb::new(Arc::clone(&side.system), packs, mode);
            let mut precision = side.precision;
            if inferred {
                precision.fmha = measured_latent_attention(&db, precision);
            }
            // Only measurements answer for an all-to-all exchange.
            let wide = match mode {
                DataMode::Silicon | DataMode::Hybrid => {
                    Coverage::of(&db, &plan.model, precision.moe, backend)
                }
                DataMode::Empirical | DataMode::Sol => Coverage::default(),
            };
            let SidePlan { system, version, stated_experts, .. } = side;
            Ok(Side { system, version, precision, stated_experts, db, wide })
        };
        let prefill = load(plan.prefill)?;
        let decode = plan.decode.map(load).transpose()?;
        Ok(Self { scenario: plan.scenario, requests: plan.requests, model: plan.model, prefill, decode })
    }

    /// The side that decode workers run on.
    pub fn decode_side(&self) -> &Side {
        self.decode.as_ref().unwrap_or(&self.prefill)
    }
}

fn side(
    scenario: &Scenario,
    model: &ModelSpec,
    system: &str,
    catalog: &Catalog,
    index: &Index,
) -> Result<SidePlan, ScenarioError> {
    let spec = self::system(catalog, system)?;
    let backend = scenario.backend;
    let pack = index.pack(system, backend.name());
    let pack = pack.map(Some).or((scenario.mode == DataMode::Sol).then_some(None));
    let pack = pack.ok_or_else(|| no_pack(index, system, backend))?;
    let measured = pack.map_or_else(|| tables::common_version(index, backend), |pack| pack.version.clone());
    if let Some(version) = scenario.version.as_ref().filter(|v| *v != "current" && **v != measured) {
        return Err(ScenarioError::UnknownVersion {
            system: system.to_owned(),
            backend: backend.name().to_owned(),
            version: version.clone(),
            have: vec![measured],
        });
    }
    let precision = precision(scenario, model, spec, pack);
    let pipes = [precision.gemm.pipe(), precision.fmha.pipe()];
    if let Some(pipe) = pipes.into_iter().find(|&pipe| spec.peak(pipe).is_none()) {
        return Err(ScenarioError::NoPeak { system: system.to_owned(), pipe: pipe.name().to_owned() });
    }
    // Which tables are read does not depend on the layout.
    let setup = Setup {
        model,
        parallel: Parallel::dense(1, 1, 1),
        precision,
        backend,
        gemm_chosen: scenario.quant.gemm.is_some(),
        draft_tokens: 0,
        wide: None,
    };
    let mut tables = models::tables(&setup);
    // Decode workers see no images.
    if scenario.workload.images.is_some() && system == scenario.system {
        tables.push((models::vision::TABLE, String::new()));
    }
    let mut files = match pack {
        Some(pack) => files(tables, &setup, scenario.mode, spec, pack)?,
        None => Vec::new(),
    };
    let stated_experts = (scenario.policy == Policy::Reference && promotes_experts(model, backend, spec))
        .then_some(model.quant.moe)
        .filter(|&stated| stated != precision.moe);
    let stated_file = stated_experts.and_then(|stated| pack?.file("moe", stated.name()));
    files.extend(stated_file.filter(|file| !files.contains(file)).cloned());
    let data_id = pack.map_or_else(|| NO_DATA.to_owned(), |pack| pack.id.clone());
    Ok(SidePlan {
        system: Arc::new(spec.clone()),
        version: measured,
        data_id,
        precision,
        stated_experts,
        files,
    })
}

/// The model with this id; the error names the closest ones.
pub fn model<'a>(catalog: &'a Catalog, id: &str) -> Result<&'a ModelSpec, ScenarioError> {
    catalog.model(id).ok_or_else(|| unknown_model(catalog, id))
}

fn unknown_model(catalog: &Catalog, id: &str) -> ScenarioError {
    let close = closest(id, catalog.models.iter().map(|model| &model.id));
    ScenarioError::UnknownModel { id: id.to_owned(), close }
}

/// The system with this id; the error names the closest ones.
pub fn system<'a>(catalog: &'a Catalog, id: &str) -> Result<&'a SystemSpec, ScenarioError> {
    catalog.system(id).ok_or_else(|| ScenarioError::UnknownSystem {
        id: id.to_owned(),
        close: closest(id, catalog.systems.iter().map(|system| &system.id)),
    })
}

/// Nothing was measured for an engine on a system; names the systems where something was.
pub fn no_pack(index: &Index, system: &str, backend: Backend) -> ScenarioError {
    let with = index.packs.iter().filter(|pack| pack.backend == backend.name());
    ScenarioError::NoPack {
        system: system.to_owned(),
        backend: backend.name().to_owned(),
        systems: with.map(|pack| pack.system.clone()).collect(),
    }
}

/// Up to three known ids that share the most with what was asked for.
fn closest<'a>(wanted: &str, known: impl Iterator<Item = &'a String>) -> Vec<String> {
    let pairs = |text: &str| {
        let text = text.to_lowercase();
        let bytes = text.as_bytes();
        bytes.windows(2).map(|pair| [pair[0], pair[1]]).collect::<Vec<_>>()
    };
    let wanted = pairs(wanted);
    let mut scored: Vec<(usize, &String)> = known
        .map(|id| {
            let have = pairs(id);
            (wanted.iter().filter(|pair| have.contains(pair)).count() * 100 / have.len().max(1), id)
        })
        .filter(|(score, _)| *score > 0)
        .collect();
    scored.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    scored.into_iter().take(3).map(|(_, id)| id.clone()).collect()
}
