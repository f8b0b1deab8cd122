//! All that is known of one deployment, and the status made of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::cluster::{
    ClusterStatus, Count, Deployment, Event as Report, Gpus, Measured, Pool, Sample, Signal, SourceKind,
    Trouble, WorkerState,
};

use super::ask::Fault;
use super::facts::{Adapter, Component, Event, Fact, Graph, Phase, Pod, Settings, Wanted};
use super::feed::{Told, Word};
use super::kind::{Kind, Scope};
use super::settings::Planned;
use super::{past, workers};

/// Most events that are kept, those that turn out to be about something else included.
const KEPT: usize = 1000;

/// Most events that are told.
const EVENTS: usize = 50;

/// Most names of pods that are remembered beside those that are there, so that events about pods that are gone still
/// find their place.
const NAMES: usize = 4096;

/// What is known.
pub(super) struct Picture {
    scope: Arc<Scope>,
    graph: Option<Graph>,
    adapters: BTreeMap<String, Adapter>,
    requests: BTreeMap<String, Wanted>,
    /// None where pods may not be read.
    pods: Option<BTreeMap<String, Pod>>,
    names: BTreeSet<String>,
    events: BTreeMap<String, Event>,
    planned: Planned,
    /// Since when the counts of a component are what they are.
    since: BTreeMap<String, (Count, u64)>,
    /// Kinds that have answered, one way or the other.
    heard: BTreeSet<Kind>,
    /// What is wrong with each kind.
    faults: BTreeMap<Kind, Fault>,
    /// Whether the deployment, known or not, cannot be read now.
    down: bool,
}

/// What news mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing new.
    Nothing,
    /// The status is another one.
    News,
    /// The deployment cannot be read.
    Failed(Fault),
    /// The deployment is gone.
    Lost,
}

impl Picture {
    /// Nothing is known yet.
    pub(super) fn new(scope: Arc<Scope>) -> Self {
        Self {
            scope,
            graph: None,
            adapters: BTreeMap::new(),
            requests: BTreeMap::new(),
            pods: None,
            names: BTreeSet::new(),
            events: BTreeMap::new(),
            planned: Planned::default(),
            since: BTreeMap::new(),
            heard: BTreeSet::new(),
            faults: BTreeMap::new(),
            down: false,
        }
    }

    /// Whether the deployment is known and answers.
    pub(super) fn is_live(&self) -> bool {
        self.graph.is_some() && !self.down
    }

    /// Why the deployment, known or not, cannot be read now.
    pub(super) fn failure(&self) -> Option<&Fault> {
        self.faults.get(&Kind::Graphs).filter(|_| self.down)
    }

    /// Whether each kind has answered.
    pub(super) fn is_whole(&self) -> bool {
        super::kind::WATCHED.iter().all(|kind| self.heard.contains(kind))
            && (self.heard.contains(&Kind::Settings) || !matches!(self.settings(), Some(Settings::Map(..))))
    }

    /// Where the planner's configuration stands.
    pub(super) fn settings(&self) -> Option<&Settings> {
        self.graph.as_ref()?.settings.as_ref()
    }

    /// Takes in what the configuration says, or that there is none.
    pub(super) fn plan(&mut self, planned: Planned) {
        self.planned = planned;
        self.faults.remove(&Kind::Settings);
    }

    /// Takes in news.
    pub(super) fn take(&mut self, told: Told) -> Change {
        let Told { kind, word } = told;
        match word {
            Word::Heard => {
                self.down &= kind != Kind::Graphs;
                return if self.faults.remove(&kind).is_some() { Change::News } else { Change::Nothing };
            }
            Word::All(facts) => {
                let planned = self.planned;
                let same = kind == Kind::Settings && self.heard.contains(&kind);
                self.heard.insert(kind);
                let healed = self.faults.remove(&kind).is_some();
                self.down &= kind != Kind::Graphs;
                self.clear(kind);
                for (name, fact) in facts {
                    self.put(name, fact);
                }
                if same && !healed && self.planned == planned {
                    return Change::Nothing;
                }
                if kind == Kind::Graphs && self.graph.is_none() {
                    return Change::Lost;
                }
            }
            Word::Put(name, fact) => self.put(name, fact),
            // Also told of what is about other deployments; a busy namespace is no news.
            Word::Gone(name) if !self.remove(kind, &name) => return Change::Nothing,
            Word::Gone(_) => {
                if kind == Kind::Graphs && self.graph.is_none() {
                    return Change::Lost;
                }
            }
            Word::Fault { fault, listed } => {
                self.heard.insert(kind);
                if !listed && kind == Kind::Pods && matches!(fault.code, Some(403 | 404)) {
                    self.pods = None;
                }
                // Whoever may list but not watch is asked again and again: worth a note, no more.
                let needed = kind == Kind::Graphs && !(listed && matches!(fault.code, Some(403 | 405)));
                let before = self.faults.insert(kind, fault.clone());
                if needed {
                    self.down = true;
                    return Change::Failed(fault);
                }
                return if before.as_ref() == Some(&fault) { Change::Nothing } else { Change::News };
            }
        }
        Change::News
    }

    fn clear(&mut self, kind: Kind) {
        match kind {
            Kind::Graphs => self.graph = None,
            Kind::Pods => self.pods = Some(BTreeMap::new()),
            Kind::Adapters => self.adapters.clear(),
            Kind::Events => self.events.clear(),
            Kind::Requests => self.requests.clear(),
            Kind::Settings => self.planned = Planned::default(),
        }
    }

    fn put(&mut self, name: String, fact: Fact) {
        match fact {
            Fact::Graph(graph) => self.graph = Some(*graph),
            Fact::Adapter(adapter) => _ = self.adapters.insert(name, adapter),
            Fact::Request(wanted) => _ = self.requests.insert(name, wanted),
            Fact::Settings(planned) => self.planned = planned,
            Fact::Event(event) => {
                self.events.insert(name, event);
                if self.events.len() > KEPT {
                    let oldest = self.events.iter().min_by_key(|(_, event)| event.at_ms);
                    if let Some(name) = oldest.map(|(name, _)| name.clone()) {
                        self.events.remove(&name);
                    }
                }
            }
            Fact::Pod(pod) => {
                let pods = self.pods.get_or_insert_default();
                if self.names.len() >= NAMES {
                    self.names.retain(|name| pods.contains_key(name));
                }
                self.names.insert(name.clone());
                pods.insert(name, *pod);
            }
        }
    }

    /// Whether there was such a thing.
    fn remove(&mut self, kind: Kind, name: &str) -> bool {
        match kind {
            Kind::Graphs if name == self.scope.graph => self.graph.take().is_some(),
            Kind::Pods => self.pods.as_mut().is_some_and(|pods| pods.remove(name).is_some()),
            Kind::Adapters => self.adapters.remove(name).is_some(),
            Kind::Events => self.events.remove(name).is_some(),
            Kind::Requests => self.requests.remove(name).is_some(),
            Kind::Graphs | Kind::Settings => false,
        }
    }

    /// What is worth knowing although the deployment can be read: first what is forbidden, all of it in one.
    pub(super) fn note(&self) -> Option<Trouble> {
        let forbidden: Vec<&str> = self
            .faults
            .values()
            .filter_map(|fault| match &fault.trouble {
                Trouble::Forbidden { what } => Some(what.as_str()),
                _ => None,
            })
            .collect();
        if !forbidden.is_empty() {
            return Some(Trouble::Forbidden { what: forbidden.join(", ") });
        }
        self.faults.values().next().map(|fault| fault.trouble.clone())
    }

    /// The status, as far as a cluster tells it.
    pub(super) fn status(&mut self, now_ms: u64) -> Option<ClusterStatus> {
        let graph = self.graph.as_ref()?;
        let events = self.events_about(graph);
        let pools: Vec<Pool> =
            graph.components.iter().filter_map(|one| self.pool(graph, one, &events)).collect();
        let told = told(&events);
        let wanted = self.requests.values().next();
        let deployment = Deployment {
            name: Some(graph.name.clone()),
            namespace: graph.namespace.clone().or_else(|| Some(self.scope.namespace.clone())),
            model: graph.model.clone().or_else(|| wanted?.model.clone()),
            system: None,
            state: graph.state.clone(),
            ready: graph.ready.clone(),
            rollout: graph.rollout.clone(),
            request: wanted.map(|wanted| wanted.request.clone()),
            observed: graph.observed,
        };
        let mut slo = self.planned.slo;
        slo.ttft_ms = slo.ttft_ms.or_else(|| wanted?.ttft_ms);
        slo.itl_ms = slo.itl_ms.or_else(|| wanted?.itl_ms);
        let mut status = ClusterStatus {
            now_ms,
            deployment,
            slo,
            gpus: gpus(&pools, &self.planned),
            pools,
            events: told,
            signals: vec![Signal { what: Measured::Replicas, at_ms: now_ms, source: SourceKind::Kubernetes }],
            ..ClusterStatus::default()
        };
        self.remember(&mut status);
        Some(status)
    }

    /// Fills in what only whoever watches knows: since when.
    fn remember(&mut self, status: &mut ClusterStatus) {
        let now_ms = status.now_ms;
        let scaled_ms: BTreeMap<String, u64> = self
            .adapters
            .values()
            .filter_map(|adapter| Some((adapter.component.clone(), adapter.scaled_ms?)))
            .collect();
        for pool in &mut status.pools {
            let name = pool.name.clone().unwrap_or_default();
            let transitions = pool.workers.iter().filter_map(|worker| worker.since_ms);
            let newest = transitions.chain(scaled_ms.get(&name).copied()).filter(|&at| at <= now_ms).max();
            pool.since_ms = match self.since.get(&name) {
                Some((count, since)) if *count == pool.count => Some(*since),
                Some((_, since)) => Some(newest.filter(|at| at >= since).unwrap_or(now_ms)),
                None => newest,
            };
            if let Some(since) = pool.since_ms {
                self.since.insert(name, (pool.count, since));
            }
        }
    }

    /// Earlier moments that the cluster still tells of.
    pub(super) fn past(&self, status: &ClusterStatus) -> Vec<Sample> {
        let about = |event: &&Event| self.adapters.contains_key(&event.name);
        let scaled: Vec<&Event> = self.events.values().filter(about).collect();
        past::past(&scaled, &status.pools)
    }

    /// Events about what is known to belong to the deployment, oldest first.
    fn events_about(&self, graph: &Graph) -> Vec<&Event> {
        let ours = |event: &&Event| match event.kind.as_str() {
            "Pod" => self.names.contains(&event.name) || self.pods.is_none(),
            "DynamoGraphDeploymentScalingAdapter" => self.adapters.contains_key(&event.name),
            "DynamoGraphDeploymentRequest" => self.requests.contains_key(&event.name),
            "DynamoGraphDeployment" => event.name == graph.name,
            _ => false,
        };
        let mut events: Vec<&Event> = self.events.values().filter(ours).collect();
        events.sort_by_key(|event| event.at_ms);
        events
    }

    fn pool(&self, graph: &Graph, component: &Component, events: &[&Event]) -> Option<Pool> {
        let role = component.role?;
        let warnings: BTreeMap<&str, &Event> = events
            .iter()
            .filter(|event| event.warning && event.kind == "Pod")
            .map(|event| (event.name.as_str(), *event))
            .collect();
        let pods = || self.pods.as_ref().map(BTreeMap::values);
        let workers = pods().map(|pods| workers::of(component, pods, &warnings));
        let alive = |states: &[WorkerState]| {
            let all = workers.as_ref()?.iter().filter(|worker| states.contains(&worker.state));
            u32::try_from(all.count()).ok()
        };
        let desired = self.desired(component);
        let ready = component.ready.or_else(|| alive(&[WorkerState::Ready]));
        let count = Count {
            desired,
            scheduled: component.scheduled.or_else(|| Some(workers::scheduled(component, pods()?))),
            starting: if self.is_settled(graph) {
                desired.zip(ready).map(|(desired, ready)| desired.saturating_sub(ready))
            } else {
                alive(&[WorkerState::Waiting, WorkerState::Starting]).or_else(|| {
                    let replicas = component.replicas.filter(|_| graph.observed != Some(false))?;
                    Some(replicas.saturating_sub(ready?))
                })
            },
            ready,
            draining: alive(&[WorkerState::Draining]),
        };
        Some(Pool {
            role,
            name: Some(component.name.clone()),
            count,
            gpus_per_replica: component.gpus,
            since_ms: None,
            lower_bound: None,
            capacity_per_sec: None,
            queued_tokens: None,
            kv_usage: None,
            workers: workers.unwrap_or_default(),
        })
    }

    /// The adapter's wish leads the deployment's.
    fn desired(&self, component: &Component) -> Option<u32> {
        let mut adapters = self.adapters.values();
        let adapter = adapters.find(|adapter| adapter.component.eq_ignore_ascii_case(&component.name));
        adapter.and_then(|adapter| adapter.replicas).or(component.desired)
    }

    /// Whether the planner itself would take desired minus ready for workers on the way: the deployment is stable, or
    /// it only starts workers and there is no doubt about it.
    fn is_settled(&self, graph: &Graph) -> bool {
        let Some(pods) = self.pods.as_ref().filter(|pods| !pods.is_empty()) else { return false };
        let rolled = matches!(graph.rollout.as_deref(), None | Some("" | "Completed"));
        let calm = pods.values().all(|pod| pod.alive && pod.phase != Phase::Ending);
        let sound = graph.components.iter().filter(|one| !one.planner).all(|one| {
            let counts = (one.ready, one.replicas, one.updated, self.desired(one));
            let (Some(ready), Some(replicas), Some(updated), Some(desired)) = counts else { return false };
            let newest = if one.grouped { updated == ready } else { updated == replicas };
            ready <= replicas && replicas <= desired && newest && (ready == desired || one.role.is_some())
        });
        graph.observed == Some(true) && rolled && calm && sound
    }
}

/// The last events.
fn told(events: &[&Event]) -> Vec<Report> {
    let last = &events[events.len().saturating_sub(EVENTS)..];
    last.iter()
        .map(|event| Report {
            at_ms: event.at_ms,
            warning: event.warning,
            about: format!("{}/{}", event.kind, event.name),
            reason: event.reason.clone(),
            message: event.message.clone(),
        })
        .collect()
}

/// GPUs of all pools; unknown as soon as one pool's are.
fn gpus(pools: &[Pool], planned: &Planned) -> Gpus {
    let sum = |workers: &dyn Fn(&Count) -> Option<u32>| {
        let each =
            pools.iter().map(|pool| Some(workers(&pool.count)?.saturating_mul(pool.gpus_per_replica?)));
        (!pools.is_empty()).then(|| each.sum::<Option<u32>>()).flatten()
    };
    Gpus {
        used: sum(&|count| Some(count.ready?.saturating_add(count.draining.unwrap_or_default()))),
        starting: sum(&|count| count.starting),
        most: planned.most,
        fewest: planned.fewest,
    }
}
