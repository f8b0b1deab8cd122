//! What both loops share: settings, workers, what was learned, the bound between them.

use serde::{Deserialize, Serialize};

use super::average::Averages;
use super::budget::{Band, Budget, SingleBudget};
use super::capacity::Engine;
use super::config::Config;
use super::reason::{LoadReason, ThroughputReason};
use super::shape::{Estimator, PerRole, Role, Shape};
use super::signal::{Count, Inventory, Record, Targets};

/// What the load loop decided.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadDecision {
    /// Replicas wanted; none to hold.
    pub targets: Option<Targets>,
    /// Why.
    pub reason: LoadReason,
    /// Why for prefill; mode disagg alone.
    pub prefill: Option<LoadReason>,
    /// Why for decode; mode disagg alone.
    pub decode: Option<LoadReason>,
    /// Time to the first token of the next request on the worst engine, ms.
    pub estimated_ttft_ms: Option<f64>,
    /// Time between tokens with one request more on the worst engine, ms.
    pub estimated_itl_ms: Option<f64>,
}

/// What the throughput loop decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ThroughputDecision {
    /// Replicas wanted; none to hold, or when the load loop got a bound instead.
    pub targets: Option<Targets>,
    /// Why; none while workers start and nothing is to be done.
    pub reason: Option<ThroughputReason>,
    /// Why for prefill; mode disagg alone.
    pub prefill: Option<ThroughputReason>,
    /// Why for decode; mode disagg alone.
    pub decode: Option<ThroughputReason>,
    /// Requests per second that one worker carries; for aggregated workers the same in both.
    pub capacity_per_sec: PerRole<Option<f64>>,
}

/// Decisions without a clock: [`Planner`](super::Planner) says when they are made and what becomes of them.
#[derive(Clone, Debug)]
pub struct Scaler<E> {
    pub(super) config: Config,
    pub(super) shape: Shape,
    pub(super) estimator: E,
    pub(super) averages: PerRole<Averages>,
    pub(super) inventory: Inventory,
    pub(super) lower_bound: PerRole<u32>,
    pub(super) kv_hit_rate: Option<f64>,
    pub(super) accept_length: f64,
}

/// Records of the ranks that step together.
pub(super) type Ranks<'a> = Vec<&'a Record>;

impl<E: Estimator> Scaler<E> {
    /// Nothing seen yet; settings are taken as they are, see [`Config::check_with`].
    pub fn new(config: Config, shape: Shape, estimator: E) -> Self {
        let averages = Averages::new(config.max_num_fpm_samples);
        Self {
            averages: PerRole { prefill: averages.clone(), decode: averages },
            config,
            shape,
            estimator,
            inventory: Inventory::default(),
            lower_bound: PerRole { prefill: 1, decode: 1 },
            kv_hit_rate: None,
            accept_length: 1.0,
        }
    }

    /// Settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What a pass costs.
    pub fn estimator(&self) -> &E {
        &self.estimator
    }

    /// Replicas as they are; roles that the mode does not scale are left out.
    pub fn set_inventory(&mut self, inventory: Inventory) {
        let scaled = |scaled: bool, count: Count| if scaled { count } else { Count::default() };
        self.inventory = PerRole {
            prefill: scaled(self.config.mode.has_prefill(), inventory.prefill),
            decode: scaled(self.config.mode.has_decode(), inventory.decode),
        };
    }

    /// Replicas that the load loop must leave, as the throughput loop set them; 1 of each before.
    pub fn lower_bound(&self) -> PerRole<u32> {
        self.lower_bound
    }

    /// Sets that bound.
    pub fn set_lower_bound(&mut self, bound: PerRole<u32>) {
        self.lower_bound = bound;
    }

    /// The last known rates: share of prompt tokens in the KV cache, tokens accepted per pass.
    pub fn set_rates(&mut self, kv_hit_rate: Option<f64>, accept_length: f64) {
        self.kv_hit_rate = kv_hit_rate.filter(|rate| rate.is_finite());
        self.accept_length = if accept_length.is_finite() { accept_length.max(1.0) } else { 1.0 };
    }

    /// Learns from finished passes.
    pub fn observe(&mut self, prefill: &[Record], decode: &[Record]) {
        let roles = [(Role::Prefill, prefill), (self.config.mode.decode_role(), decode)];
        for (role, records) in roles {
            if role == Role::Prefill && !self.config.mode.has_prefill()
                || role != Role::Prefill && !self.config.mode.has_decode()
            {
                continue;
            }
            for ranks in self.steps(role, records) {
                self.averages.of_mut(role).observe(&ranks);
            }
            for record in records {
                self.estimator.observe(role, record);
            }
        }
    }

    /// Records by the ranks that step together, in the order of workers and ranks.
    pub(super) fn steps<'a>(&self, role: Role, records: &'a [Record]) -> Vec<Ranks<'a>> {
        let mut sorted: Ranks<'a> = records.iter().collect();
        sorted.sort_by_key(|record| (record.worker_id, record.dp_rank));
        let together = self.config.ranks(role) > 1;
        let same = |a: &&Record, b: &&Record| together && a.worker_id == b.worker_id;
        sorted.chunk_by(same).map(<[&Record]>::to_vec).collect()
    }

    /// An engine of a role as the estimator sees it.
    pub(super) fn engine(&self, role: Role) -> Engine<'_, E> {
        let limits = self.shape.of(role).limits;
        Engine { estimator: &self.estimator, role, limits, ranks: self.config.ranks(role) }
    }

    /// GPUs of all replicas.
    pub(super) fn budget(&self) -> Budget {
        Budget {
            band: Band::new(self.config.min_gpu_budget, self.config.max_gpu_budget),
            cost: self.shape.map(|role| i128::from(role.gpus_per_replica)),
            floor: self.config.floors(),
        }
    }

    /// GPUs of the replicas of the only role that is scaled.
    pub(super) fn single_budget(&self, role: Role) -> SingleBudget {
        let budget = self.budget();
        SingleBudget { band: budget.band, cost: *budget.cost.of(role), floor: *budget.floor.of(role) }
    }
}

/// Targets for one role alone.
pub(super) fn only(role: Role, replicas: u32) -> Targets {
    let mut targets = Targets::default();
    *targets.of_mut(role) = Some(replicas);
    targets
}
