//! Planning with live traffic: what a snapshot tells becomes a question; what it does not is named.

use engine::cluster::{ClusterStatus, Pool, Role, Traffic};
use engine::format::{self, count, ms, rate};
use engine::parallel::Parallel;
use engine::point::{Layout, MemoryUse, Point, Worker};
use engine::problem::MAX_TOKENS;
use engine::scenario::{Goal, Place, Scenario};
use engine::text::live::difference;

use crate::view_model::today::Today;
use crate::view_model::{catalog, form};

/// A question made of live traffic.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The question; what is not known keeps its value.
    pub scenario: Scenario,
    /// What runs, where its layout can be named.
    pub today: Option<Today>,
    /// What is copied, in words.
    pub copied: Vec<String>,
    /// What is not known, and what stands instead.
    pub unknown: Vec<String>,
}

/// The question that live traffic asks, over the one on the form; none until traffic is known.
pub fn plan(status: &ClusterStatus, form: &Scenario, before: Option<&Today>) -> Option<Plan> {
    let traffic = status.observed;
    let tokens = |value: Option<f64>| {
        let whole = value.filter(|value| value.is_finite())?.round();
        (1.0..=f64::from(MAX_TOKENS)).contains(&whole).then_some(whole as u32)
    };
    let (isl, osl) = (tokens(traffic.isl)?, tokens(traffic.osl)?);
    let arriving = traffic.requests_per_sec.filter(|rate| rate.is_finite() && *rate > 0.0)?;
    let mut scenario = form.clone();
    let (mut copied, mut unknown) = (Vec::new(), Vec::new());
    (scenario.workload.isl, scenario.workload.osl) = (isl, osl);
    copied.push(format!("ISL {}", count(u64::from(isl))));
    copied.push(format!("OSL {}", count(u64::from(osl))));
    let hit = traffic.kv_hit_rate.filter(|hit| (0.0..=1.0).contains(hit));
    match hit {
        Some(hit) => {
            scenario.workload.prefix = ((hit * f64::from(isl)) as u32).min(isl - 1);
            copied.push(format!("prefix {}", count(u64::from(scenario.workload.prefix))));
        }
        None => unknown.push(format!(
            "How much of a prompt is cached is not told; prefix {} is kept.",
            count(u64::from(scenario.workload.prefix.min(isl - 1)))
        )),
    }
    scenario.workload.prefix = scenario.workload.prefix.min(isl - 1);
    // Three digits are what is shown, and what a link should hold.
    let load = round(arriving);
    scenario.goal = Goal::RequestRate(load);
    copied.push(format!("{} requests/s", rate(load)));
    if let Some(target) = status.slo.ttft_ms.filter(|target| target.is_finite() && *target > 0.0) {
        scenario.sla.ttft_ms = target;
        copied.push(format!("TTFT ≤ {} ms", format::typed(target)));
    }
    if let Some(target) = status.slo.itl_ms.filter(|target| target.is_finite() && *target > 0.0) {
        (scenario.sla.itl_ms, scenario.sla.request_latency_ms) = (target, None);
        copied.push(format!("ITL ≤ {} ms", format::typed(target)));
    }
    model(status, &mut scenario, &mut copied, &mut unknown);
    unknown.push(format!("The backend is not told; {} is kept.", engine::text::asked_backend(&scenario)));
    let today = today(status, &scenario, before, &mut unknown);
    Some(Plan { scenario, today, copied, unknown })
}

fn model(
    status: &ClusterStatus,
    scenario: &mut Scenario,
    copied: &mut Vec<String>,
    unknown: &mut Vec<String>,
) {
    match &status.deployment.model {
        Some(name) if *name == scenario.model => copied.push(name.clone()),
        Some(name) if catalog::model(name).is_some() => {
            scenario.choose(name);
            copied.push(name.clone());
        }
        Some(name) => unknown.push(format!(
            "The model “{}” is not in the model list; {} is kept.",
            name.chars().take(60).collect::<String>(),
            scenario.model
        )),
        None => unknown.push(format!("The model is not told; {} is kept.", scenario.model)),
    }
    match status.deployment.system.as_deref().filter(|id| catalog::system(id).is_some()) {
        Some(id) => {
            scenario.set_system(Some(id));
            scenario.decode_system = None;
            copied.push(form::system_name(id).to_owned());
        }
        None => {
            unknown.push(format!("The GPU is not told; {} is kept.", form::system_name(&scenario.system)));
        }
    }
}

/// The fleet as a layout: of shapes that were brought along before, else of workers of one GPU.
fn today(
    status: &ClusterStatus,
    scenario: &Scenario,
    before: Option<&Today>,
    unknown: &mut Vec<String>,
) -> Option<Today> {
    let place = scenario.home();
    let layout = before
        .and_then(|before| scaled(&before.layout, &before.place, &place, status))
        .or_else(|| single(status, unknown));
    if layout.is_none() {
        unknown.push(
            "Parallel sizes and batches of the workers are not told, so what runs cannot be priced. Bring its manifest \
             along first: “Where are you today?”."
                .to_owned(),
        );
    }
    layout.map(|layout| Today { layout, place })
}

fn serving(pool: Option<&Pool>) -> Option<u32> {
    pool?.count.ready.filter(|&ready| ready > 0)
}

/// A layout that was brought along, with as many workers as serve now; none where the fleet has another shape.
fn scaled(layout: &Layout, at: &Place, place: &Place, status: &ClusterStatus) -> Option<Layout> {
    let fits = |worker: &Worker, role: Role| {
        let pool = status.pool(role)?;
        let gpus = worker.parallel.checked_gpus()?;
        let count = serving(Some(pool))?;
        pool.gpus_per_replica.is_none_or(|have| have == gpus).then_some(Worker { count, ..*worker })
    };
    if at != place {
        return None;
    }
    Some(match layout {
        Layout::Agg { worker, ctx_tokens, encoders } => {
            let worker = fits(worker, Role::Agg)?;
            Layout::Agg { worker, ctx_tokens: *ctx_tokens, encoders: *encoders }
        }
        Layout::Disagg { prefill, decode, encoders } => Layout::Disagg {
            prefill: fits(prefill, Role::Prefill)?,
            decode: fits(decode, Role::Decode)?,
            encoders: *encoders,
        },
    })
}

/// Workers of one GPU have no parallel sizes to guess; the batch is what is in flight.
fn single(status: &ClusterStatus, unknown: &mut Vec<String>) -> Option<Layout> {
    let of = |role: Role| {
        let pool = status.pool(role)?;
        (pool.gpus_per_replica == Some(1)).then(|| serving(Some(pool)))?
    };
    let (prefill, decode) = (of(Role::Prefill)?, of(Role::Decode)?);
    let in_flight = status.observed.in_flight.filter(|some| some.is_finite() && *some > 0.0)?;
    let batch = (in_flight / f64::from(decode)).ceil().clamp(1.0, 1_000_000.0) as u32;
    unknown.push(format!(
        "Batches are not told; what runs is priced at prefill batch 1 and decode batch {batch}, the requests in flight per \
         decode worker."
    ));
    let worker = |count, batch| Worker {
        parallel: Parallel::dense(1, 1, 1),
        batch,
        count,
        memory: MemoryUse::default(),
    };
    Some(Layout::Disagg { prefill: worker(prefill, 1), decode: worker(decode, batch), encoders: None })
}

fn round(value: f64) -> f64 {
    let digits = (2 - value.log10().floor() as i32).clamp(0, 6);
    let factor = 10f64.powi(digits);
    (value * factor).round() / factor
}

/// A predicted value beside the observed one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// What it is.
    pub name: &'static str,
    /// As predicted.
    pub predicted: String,
    /// As observed.
    pub observed: String,
    /// The difference in words.
    pub difference: String,
}

/// What the search predicts for what runs, against what is observed; only what both know.
pub fn compare(point: &Point, observed: &Traffic) -> Vec<Compared> {
    let row = |name, predicted: f64, observed: Option<f64>| {
        let observed = observed.filter(|value| value.is_finite())?;
        let difference = difference(observed, predicted);
        Some(Compared { name, predicted: ms(predicted), observed: ms(observed), difference })
    };
    [row("TTFT", point.ttft_ms, observed.ttft_ms), row("ITL", point.itl_ms, observed.itl_ms)]
        .into_iter()
        .flatten()
        .collect()
}
