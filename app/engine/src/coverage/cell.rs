//! One cell: a model on a system with an engine in one serving mode.

use std::cell::OnceCell;
use std::sync::Arc;

use perf_data::{Index, Pack};
use serde::{Deserialize, Serialize};

use super::{MODES, ask};
use crate::catalog::Catalog;
use crate::kernel::Gap;
use crate::model::ModelSpec;
use crate::ops::ROUTED_EXPERTS;
use crate::point::MemoryUse;
use crate::problem::{Plan, Problem, ScenarioError};
use crate::quant::{FmhaQuant, KvQuant, Pipe, Quant};
use crate::scenario::{Place, QuantChoice, Scenario, Serving, Workload};
use crate::search::{self, Drop};
use crate::source::DataMode;
use crate::space::WorkerRole;

/// Requests that a cell is asked about: short, so that memory decides only where weights do not fit.
pub const WORKLOAD: Workload = Workload { isl: 256, osl: 256, prefix: 128, images: None };

/// Why a cell has no answer from measurements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reason {
    /// A table that every layout needs is missing, or the GPU lacks the arithmetic.
    Refused(ScenarioError),
    /// Layouts fit, but an operator of theirs was not measured at their shapes.
    NotMeasured {
        /// Workers it concerns.
        role: WorkerRole,
        /// The operator.
        operator: String,
    },
    /// The GPU has no such tensor cores.
    NoPeak(Pipe),
    /// No layout fits into GPU memory.
    TooLarge {
        /// Workers it concerns.
        role: WorkerRole,
        /// What the smallest share of a GPU needs, bytes.
        needs_bytes: u64,
        /// What a GPU has, bytes.
        has_bytes: u64,
    },
    /// No parallel sizes divide the model.
    NoLayout(WorkerRole),
}

/// What is known of a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Verdict {
    /// Some layout fits and every operator of it was measured.
    Measured,
    /// Not measured, but another data mode answers.
    Inferable {
        /// The mode that is nearest to measurements.
        mode: DataMode,
        /// Why measurements do not answer.
        why: Reason,
        /// Precisions that are measured in the same place, where the checkpoint's are not.
        with: Option<QuantChoice>,
    },
    /// No layout has an answer in any data mode.
    Impossible {
        /// Why.
        why: Reason,
        /// Precisions that have an answer in the same place, where the checkpoint's have none.
        with: Option<QuantChoice>,
    },
}

impl Verdict {
    /// Whether measurements answer.
    pub fn is_measured(&self) -> bool {
        *self == Self::Measured
    }

    /// Why not.
    pub fn why(&self) -> Option<&Reason> {
        match self {
            Self::Measured => None,
            Self::Inferable { why, .. } | Self::Impossible { why, .. } => Some(why),
        }
    }

    /// Other precisions that are measured in the same place.
    pub fn with(&self) -> Option<QuantChoice> {
        match self {
            Self::Measured => None,
            Self::Inferable { with, .. } | Self::Impossible { with, .. } => *with,
        }
    }

    /// The data mode that answers where measurements do not.
    pub fn mode(&self) -> Option<DataMode> {
        match self {
            Self::Inferable { mode, .. } => Some(*mode),
            Self::Measured | Self::Impossible { .. } => None,
        }
    }
}

/// The 16-bit precisions that are tried in place of a checkpoint's, smallest change first.
const WIDER: [QuantChoice; 5] = {
    let none = QuantChoice { gemm: None, kv: None, fmha: None };
    let fmha = QuantChoice { fmha: Some(FmhaQuant::Bf16), ..none };
    let kv = QuantChoice { kv: Some(KvQuant::Bf16), ..none };
    let both = QuantChoice { kv: Some(KvQuant::Bf16), ..fmha };
    let weights = QuantChoice { gemm: Some(Quant::Bf16), ..none };
    [fmha, kv, both, weights, QuantChoice { gemm: Some(Quant::Bf16), ..both }]
};

/// Data modes that are asked where measurements do not answer, nearest to them first.
const INFERRING: [DataMode; 2] = [DataMode::Hybrid, DataMode::Sol];

/// Verdicts on every model of a catalogue in one place, by serving mode (see [`MODES`]).
///
/// `pack` finds a decoded file of that place by name.
pub fn column(
    catalog: &Catalog,
    index: &Index,
    place: &Place,
    pack: impl Fn(&str) -> Option<Arc<Pack>>,
) -> Vec<[Verdict; 2]> {
    catalog.models.iter().map(|model| judge(catalog, index, model, place, &pack)).collect()
}

/// Verdicts on one model in one place, by serving mode.
pub fn judge(
    catalog: &Catalog,
    index: &Index,
    model: &ModelSpec,
    place: &Place,
    pack: impl Fn(&str) -> Option<Arc<Pack>>,
) -> [Verdict; 2] {
    let like = Scenario { workload: WORKLOAD, ..Scenario::default() };
    let asked = ask(&like, &model.id, place);
    let problem = |quant: QuantChoice, mode: DataMode| {
        let plan = Plan::resolve(&Scenario { quant, mode, ..asked.clone() }, catalog, index)?;
        Problem::new(plan, &pack)
    };
    let check = |problem: &Result<Problem, ScenarioError>, serving| match problem {
        Ok(problem) => self::check(problem, serving),
        Err(refused) => Err(Reason::Refused(refused.clone())),
    };
    let own = problem(QuantChoice::default(), DataMode::Silicon);
    let inferred = INFERRING.map(|mode| (mode, OnceCell::new()));
    MODES.map(|serving| match check(&own, serving) {
        Ok(()) => Verdict::Measured,
        Err(why) => {
            let mut wider = WIDER.iter().filter(|&&choice| could_help(choice, &own, &why));
            let measured = |choice| check(&problem(choice, DataMode::Silicon), serving).is_ok();
            let with = wider.find(|&&choice| measured(choice)).copied();
            // Memory and parallel sizes are the same in every data mode.
            let data = !matches!(why, Reason::TooLarge { .. } | Reason::NoLayout(_));
            let answers = |(mode, problem_of): &&(DataMode, OnceCell<_>)| {
                check(problem_of.get_or_init(|| problem(QuantChoice::default(), *mode)), serving).is_ok()
            };
            match inferred.iter().filter(|_| data).find(answers) {
                Some(&(mode, _)) => Verdict::Inferable { mode, why, with },
                None => Verdict::Impossible { why, with },
            }
        }
    })
}

/// Whether other precisions are worth a try: each is another, and neither memory nor experts are the matter.
fn could_help(choice: QuantChoice, own: &Result<Problem, ScenarioError>, why: &Reason) -> bool {
    let precision = match (own, why) {
        (_, Reason::TooLarge { .. } | Reason::NoLayout(_)) => return false,
        (_, Reason::NotMeasured { operator, .. }) if operator == ROUTED_EXPERTS => return false,
        (Err(_), _) => return true,
        (Ok(problem), _) => problem.prefill.precision,
    };
    choice.gemm.is_none_or(|gemm| gemm != precision.gemm)
        && choice.kv.is_none_or(|kv| kv != precision.kv)
        && choice.fmha.is_none_or(|fmha| fmha != precision.fmha)
}

/// Whether some layout of a serving mode fits and is priced by tables; stops at the first that is.
fn check(problem: &Problem, serving: Serving) -> Result<(), Reason> {
    let layouts = search::layouts(problem);
    let roles: &[WorkerRole] = match serving {
        Serving::Agg => &[WorkerRole::Agg],
        Serving::Disagg => &[WorkerRole::Prefill, WorkerRole::Decode],
        Serving::Both => &[WorkerRole::Agg, WorkerRole::Prefill, WorkerRole::Decode],
    };
    for &role in roles {
        let mut misses = Vec::new();
        let mine = layouts.iter().filter(|(of, _)| *of == role).map(|&(_, parallel)| parallel);
        let answers = |parallel| match search::probe(problem, role, parallel) {
            Ok(()) => true,
            Err(miss) => {
                misses.push(miss);
                false
            }
        };
        if !mine.into_iter().any(answers) {
            return Err(reason(role, &misses));
        }
    }
    Ok(())
}

/// The reason that is nearest to an answer: a missing measurement, then too little memory.
fn reason(role: WorkerRole, misses: &[Drop]) -> Reason {
    let gap = misses.iter().find_map(|miss| match miss {
        Drop::Data(gap) => Some(*gap),
        Drop::Memory(_) | Drop::Kv(_) => None,
    });
    match gap {
        Some(Gap::NoData(operator) | Gap::NoEstimate(operator)) => {
            return Reason::NotMeasured { role, operator: operator.to_owned() };
        }
        Some(Gap::NoPeak(pipe)) => return Reason::NoPeak(pipe),
        None => {}
    }
    let needs = misses.iter().filter_map(|miss| match miss {
        Drop::Memory(memory) | Drop::Kv(memory) => Some(*memory),
        Drop::Data(_) => None,
    });
    let least = needs.min_by(|a: &MemoryUse, b| a.total().total_cmp(&b.total()));
    least.map_or(Reason::NoLayout(role), |memory| Reason::TooLarge {
        role,
        needs_bytes: memory.total() as u64,
        has_bytes: memory.capacity as u64,
    })
}
