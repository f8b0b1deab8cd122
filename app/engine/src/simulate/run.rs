//! A run, event by event.

use super::event::{Kind, Queue, Side};
use super::fleet::Fleet;
use super::measure::Measures;
use super::pilot::Pilot;
use super::report::{Report, Summary};
use super::request::{Request, Requests, Slot};
use super::traffic::Arrivals;
use super::worker::State;
use super::{Setup, SetupError};
use crate::cluster::{Decision, Sample};
use crate::planner::{PerRole, Record};

/// Samples that observed figures are means of, unless they are far apart.
const SMOOTH_MS: f64 = 10_000.0;

/// A run under way.
#[derive(Clone, Debug)]
pub struct Run {
    pub(super) setup: Setup,
    pub(super) now_ms: f64,
    queue: Queue,
    arrivals: Arrivals,
    /// The next arrival, already in the queue.
    next: Option<super::Arrival>,
    pub(super) requests: Requests,
    pub(super) prefill: Option<Fleet>,
    pub(super) decode: Fleet,
    /// Requests for which no worker is ready.
    stranded: Vec<Slot>,
    pub(super) pilot: Option<Pilot>,
    pub(super) measures: Measures,
    pub(super) refused: u64,
    pub(super) samples: Vec<Sample>,
    pub(super) decisions: Vec<Decision>,
    /// GPU × ms until `gpu_since_ms`.
    gpu_ms: f64,
    gpu_since_ms: f64,
    ended: bool,
}

impl Run {
    /// Prepares a run.
    pub fn new(setup: Setup) -> Result<Self, SetupError> {
        setup.check()?;
        let pilot = Pilot::new(&setup)?;
        let super::Fleets { prefill, decode, .. } = &setup.fleets;
        let aggregated = prefill.is_none();
        let prefill =
            prefill.as_ref().map(|pool| Fleet::new(pool, setup.start.prefill, false, setup.seed ^ 1));
        let decode = Fleet::new(decode, setup.start.decode, aggregated, setup.seed ^ 2);
        let mut arrivals = setup.traffic.arrivals(setup.seed);
        let mut queue = Queue::default();
        let next = arrivals.next();
        if let Some(first) = &next {
            queue.push(first.at_ms, Kind::Arrival);
        }
        queue.push(setup.sample_ms, Kind::Sample);
        queue.push(setup.length_ms(), Kind::End);
        if let Some(pilot) = &pilot {
            queue.push(pilot.next_ms(), Kind::Tick);
        }
        let smooth = (SMOOTH_MS / setup.sample_ms).ceil() as usize;
        let measures = Measures::new(setup.slo, smooth, 1);
        Ok(Self {
            now_ms: 0.0,
            queue,
            arrivals,
            next,
            requests: Requests::default(),
            prefill,
            decode,
            stranded: Vec::new(),
            pilot,
            measures,
            refused: 0,
            samples: Vec::new(),
            decisions: Vec::new(),
            gpu_ms: 0.0,
            gpu_since_ms: 0.0,
            ended: false,
            setup,
        })
    }

    /// Goes on for so many events; false once the run is over.
    pub fn advance(&mut self, events: u32) -> bool {
        for _ in 0..events {
            if !self.step() {
                return false;
            }
        }
        !self.ended
    }

    /// Goes on until a moment of the run; false once it is over.
    pub fn advance_to(&mut self, to_ms: f64) -> bool {
        while !self.ended && self.queue.next_ms().is_some_and(|next| next <= to_ms) {
            self.step();
        }
        if !self.ended {
            self.now_ms = self.now_ms.max(to_ms);
        }
        !self.ended
    }

    fn step(&mut self) -> bool {
        if self.ended {
            return false;
        }
        let Some(event) = self.queue.pop() else {
            self.ended = true;
            return false;
        };
        self.now_ms = event.at_ms;
        match event.kind {
            Kind::WorkerReady { side, worker } => self.worker_ready(side, worker),
            Kind::Arrival => self.arrive(),
            Kind::PrefillStep { worker, plan } => self.prefill_step(worker, plan),
            Kind::Transfer { slot } => self.send_decode(slot),
            Kind::DecodeStep { worker, plan } => self.decode_step(worker, plan),
            Kind::Tick => self.tick(),
            Kind::Sample => self.sample(),
            Kind::End => self.end(),
        }
        !self.ended
    }

    /// Everything has happened.
    pub fn is_over(&self) -> bool {
        self.ended
    }

    /// Share of the run that is done, 0 to 1.
    pub fn share(&self) -> f64 {
        if self.ended { 1.0 } else { (self.now_ms / self.setup.length_ms().max(1.0)).min(1.0) }
    }

    fn arrive(&mut self) {
        let Some(arrival) = self.next.take() else { return };
        self.next = self.arrivals.next();
        if let Some(next) = &self.next {
            self.queue.push(next.at_ms.max(self.now_ms), Kind::Arrival);
        }
        self.measures.arrival();
        if !self.can_hold(arrival.isl, arrival.osl) {
            self.refused += 1;
            return;
        }
        let slot = self.requests.add(Request::new(&arrival, self.setup.hit_rate));
        self.send_prefill(slot);
    }

    /// Whether one decode worker could hold the whole request.
    fn can_hold(&self, isl: u32, osl: u32) -> bool {
        let limits = self.decode.limits();
        let context = u64::from(isl) + u64::from(osl);
        context < limits.max_kv_tokens && limits.context_length.is_none_or(|most| context <= u64::from(most))
    }

    fn send_prefill(&mut self, slot: Slot) {
        let side = if self.prefill.is_some() { Side::Prefill } else { Side::Decode };
        let fleet = self.prefill.as_mut().unwrap_or(&mut self.decode);
        let Some(id) = fleet.for_prompt() else {
            self.stranded.push(slot);
            return;
        };
        if let Some((worker, _)) = fleet.worker(id) {
            worker.push(slot, &self.requests);
        }
        self.plan(side, id);
    }

    /// Lets a worker begin its next step.
    fn plan(&mut self, side: Side, id: u64) {
        let fleet = match (side, self.prefill.as_mut()) {
            (Side::Prefill, Some(fleet)) => fleet,
            _ => &mut self.decode,
        };
        let Some((worker, rules)) = fleet.worker(id) else { return };
        if let Some(ends_ms) = worker.plan(self.now_ms, &rules, &mut self.requests) {
            let plan = worker.plan;
            let kind = match side {
                Side::Prefill => Kind::PrefillStep { worker: id, plan },
                Side::Decode => Kind::DecodeStep { worker: id, plan },
            };
            self.queue.push(ends_ms, kind);
        }
    }

    fn prefill_step(&mut self, id: u64, plan: u32) {
        let Some((worker, rules)) = self.prefill.as_mut().and_then(|fleet| fleet.worker(id)) else { return };
        if worker.plan != plan {
            return;
        }
        let ended = worker.end(&rules, &mut self.requests);
        for slot in ended.prefilled {
            self.first_token(slot);
            let request = *self.requests.get(slot);
            if request.osl <= 1 {
                self.finish(slot);
            } else if self.setup.fleets.transfer_ms_per_token > 0.0 {
                let transfer = f64::from(request.isl) * self.setup.fleets.transfer_ms_per_token;
                self.queue.push(self.now_ms + transfer, Kind::Transfer { slot });
            } else {
                self.send_decode(slot);
            }
        }
        self.plan(Side::Prefill, id);
        self.sweep();
    }

    fn first_token(&mut self, slot: Slot) {
        let request = self.requests.get_mut(slot);
        request.first_token_ms = self.now_ms;
        request.written = 1;
        let ttft_ms = self.now_ms - request.arrived_ms;
        self.measures.first_token(ttft_ms);
    }

    fn send_decode(&mut self, slot: Slot) {
        let Some(id) = self.decode.for_decode() else {
            self.stranded.push(slot);
            return;
        };
        if let Some((worker, _)) = self.decode.worker(id) {
            worker.push_decode(slot, &self.requests);
        }
        self.plan(Side::Decode, id);
    }

    fn decode_step(&mut self, id: u64, plan: u32) {
        let aggregated = self.prefill.is_none();
        let Some((worker, rules)) = self.decode.worker(id) else { return };
        if worker.plan != plan {
            return;
        }
        let ended = worker.end(&rules, &mut self.requests);
        for slot in ended.done {
            self.finish(slot);
        }
        for slot in ended.prefilled {
            self.first_token(slot);
            if self.requests.get(slot).osl <= 1 {
                self.finish(slot);
            } else if aggregated && let Some((worker, _)) = self.decode.worker(id) {
                worker.go_on(slot, &self.requests);
            }
        }
        self.plan(Side::Decode, id);
        self.sweep();
    }

    fn finish(&mut self, slot: Slot) {
        let request = *self.requests.get(slot);
        let later = f64::from(request.osl.saturating_sub(1));
        let itl_ms = (later > 0.0).then(|| (self.now_ms - request.first_token_ms) / later);
        let ttft_ms = request.first_token_ms - request.arrived_ms;
        self.measures.done(request.isl, request.osl, ttft_ms, itl_ms);
        self.requests.remove(slot);
    }

    fn worker_ready(&mut self, side: Side, id: u64) {
        let fleet = match (side, self.prefill.as_mut()) {
            (Side::Prefill, Some(fleet)) => fleet,
            _ => &mut self.decode,
        };
        if !fleet.is_ready(id, self.now_ms) {
            return;
        }
        let moved = if self.setup.rebalance { fleet.take_untouched(&self.requests) } else { Vec::new() };
        self.mark_ready(side);
        let stranded = std::mem::take(&mut self.stranded);
        for slot in stranded {
            if self.requests.get(slot).written > 0 { self.send_decode(slot) } else { self.send_prefill(slot) }
        }
        for slot in moved {
            self.send_prefill(slot);
        }
    }

    /// The newest decision that waits for workers of this role has them.
    fn mark_ready(&mut self, side: Side) {
        let role = self.role(side);
        let ready = match (side, &self.prefill) {
            (Side::Prefill, Some(fleet)) => fleet.count(State::Ready),
            _ => self.decode.count(State::Ready),
        };
        let now = self.now_ms as u64;
        for decision in self.decisions.iter_mut().rev() {
            if decision.role == role && decision.to > decision.from && decision.ready_ms.is_none() {
                if ready >= decision.to {
                    decision.ready_ms = Some(now);
                }
                break;
            }
        }
    }

    fn tick(&mut self) {
        let Some(mut pilot) = self.pilot.take() else { return };
        pilot.tick(self);
        self.queue.push(pilot.next_ms(), Kind::Tick);
        self.pilot = Some(pilot);
    }

    /// What the engines report now.
    pub(super) fn records(&self) -> PerRole<Vec<Record>> {
        let of =
            |fleet: &Fleet| fleet.ready().map(|worker| worker.record(self.now_ms, &fleet.rules())).collect();
        PerRole { prefill: self.prefill.as_ref().map_or_else(Vec::new, of), decode: of(&self.decode) }
    }

    /// Changes the number of replicas.
    pub(super) fn scale(&mut self, side: Side, desired: u32) -> super::fleet::Change {
        self.count_gpus();
        let now_ms = self.now_ms;
        let fleet = match (side, self.prefill.as_mut()) {
            (Side::Prefill, Some(fleet)) => fleet,
            _ => &mut self.decode,
        };
        let change = fleet.target(desired, now_ms);
        for &(worker, ready_ms) in &change.started {
            self.queue.push(ready_ms, Kind::WorkerReady { side, worker });
        }
        change
    }

    pub(super) fn role(&self, side: Side) -> crate::cluster::Role {
        match (side, &self.prefill) {
            (Side::Prefill, _) => crate::cluster::Role::Prefill,
            (Side::Decode, Some(_)) => crate::cluster::Role::Decode,
            (Side::Decode, None) => crate::cluster::Role::Agg,
        }
    }

    fn fleets(&self) -> impl Iterator<Item = &Fleet> {
        self.prefill.iter().chain(std::iter::once(&self.decode))
    }

    /// GPUs held: starting and draining workers too.
    pub(super) fn gpus(&self) -> u32 {
        self.fleets().map(|fleet| fleet.workers.len() as u32 * fleet.gpus_per_replica()).sum()
    }

    /// Drained workers go.
    fn sweep(&mut self) {
        if self.fleets().any(Fleet::has_drained) {
            self.count_gpus();
            for fleet in self.prefill.iter_mut().chain(std::iter::once(&mut self.decode)) {
                fleet.sweep();
            }
        }
    }

    fn count_gpus(&mut self) {
        self.gpu_ms += f64::from(self.gpus()) * (self.now_ms - self.gpu_since_ms);
        self.gpu_since_ms = self.now_ms;
    }

    fn sample(&mut self) {
        self.count_gpus();
        let sample = self.moment();
        self.samples.push(sample);
        self.measures.samples.turn();
        self.queue.push(self.now_ms + self.setup.sample_ms, Kind::Sample);
    }

    /// No more traffic: what is in flight is served to the end, within the time given for it.
    fn end(&mut self) {
        let last_ms = self.setup.length_ms() + self.setup.drain_ms;
        if self.requests.is_empty() || self.now_ms >= last_ms {
            self.ended = true;
        } else {
            self.queue.push((self.now_ms + self.setup.sample_ms).min(last_ms), Kind::End);
        }
    }

    /// The run so far.
    pub fn report(&self) -> Report {
        Report { samples: self.samples.clone(), decisions: self.decisions.clone(), summary: self.summary() }
    }

    /// Samples and decisions from these on: what a watcher has not seen.
    pub fn since(&self, samples: usize) -> &[Sample] {
        self.samples.get(samples..).unwrap_or(&[])
    }

    /// Every change of replicas so far.
    pub fn decisions(&self) -> &[Decision] {
        &self.decisions
    }

    pub(super) fn gpu_hours(&self) -> f64 {
        (self.gpu_ms + f64::from(self.gpus()) * (self.now_ms - self.gpu_since_ms)) / 3_600_000.0
    }

    /// Figures so far.
    pub fn summary(&self) -> Summary {
        Summary {
            length_ms: self.now_ms,
            arrived: self.measures.arrived,
            done: self.measures.done,
            in_flight: self.requests.len() as u64,
            refused: self.refused,
            preempted: self.fleets().map(Fleet::preempted).sum(),
            met: self.measures.met,
            output_tokens: self.measures.tokens,
            ttft: self.measures.ttft(),
            itl: self.measures.itl(),
            gpu_hours: self.gpu_hours(),
        }
    }
}
