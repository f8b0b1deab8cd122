//! One worker: what waits, what runs, how long its next step takes.
//!
//! Between two events the decoding batch of a worker does not change, so that a run of steps is one event; it is cut at
//! the end of a step when a request joins.

use std::collections::VecDeque;

use super::request::{Request, Requests, Slot};
use super::speed::{Speed, Step};
use crate::planner::{Limits, Record, Work};

/// Longest run of decode steps taken as one event: its steps are timed at their mean context.
const LONGEST_RUN: u64 = 128;

/// State of a worker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum State {
    Starting,
    Ready,
    /// Takes nothing new.
    Draining,
}

/// A request being decoded.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Running {
    slot: Slot,
    /// Count of the worker's decode steps at which it has all its tokens.
    done_at: u64,
}

/// What a worker does now.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Busy {
    began_ms: f64,
    /// Prompt tokens of the step; runs of several steps have none.
    tokens: u64,
    prompts: u32,
    /// Decoding requests.
    decodes: u32,
    /// Their KV tokens at the first step.
    kv: u64,
    /// Decode steps of the run; 0 without decoding requests.
    steps: u64,
    /// Time before the first step to compute preempted requests again, ms.
    again_ms: f64,
    ends_ms: f64,
}

/// What ends with a step.
#[derive(Clone, Debug, Default)]
pub(super) struct Ended {
    /// Requests whose prompt is read.
    pub(super) prefilled: Vec<Slot>,
    /// Requests with all their tokens.
    pub(super) done: Vec<Slot>,
}

/// A worker.
#[derive(Clone, Debug)]
pub(super) struct Worker {
    pub(super) id: u64,
    pub(super) state: State,
    /// When its state began, ms.
    pub(super) since_ms: f64,
    /// When it was asked for, ms.
    pub(super) created_ms: f64,
    /// When it first served, where it was asked for in the run.
    pub(super) ready_ms: Option<f64>,
    /// Whether prompts are followed by decoding here.
    aggregated: bool,
    queue: VecDeque<Slot>,
    /// Prompt tokens to compute in `queue`.
    queued: u64,
    /// The same as the engine reports them.
    queued_raw: u64,
    waiting: VecDeque<Slot>,
    waiting_kv: u64,
    running: Vec<Running>,
    kv: u64,
    /// KV tokens promised to prompts being read here.
    reserved: u64,
    /// Requests at the front of `queue` that have a place in the KV cache.
    admitted: u32,
    decoded: u64,
    again_ms: f64,
    /// Times that a request's KV cache was given up.
    pub(super) preempted: u64,
    busy: Option<Busy>,
    /// Steps planned so far: an event of an older plan is void.
    pub(super) plan: u32,
    last: (f64, Work),
}

impl Worker {
    pub(super) fn new(id: u64, aggregated: bool, state: State, now_ms: f64) -> Self {
        Self {
            id,
            state,
            since_ms: now_ms,
            created_ms: now_ms,
            ready_ms: None,
            aggregated,
            queue: VecDeque::new(),
            queued: 0,
            queued_raw: 0,
            waiting: VecDeque::new(),
            waiting_kv: 0,
            running: Vec::new(),
            kv: 0,
            reserved: 0,
            admitted: 0,
            decoded: 0,
            again_ms: 0.0,
            preempted: 0,
            busy: None,
            plan: 0,
            last: (0.0, Work::default()),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.busy.is_none() && self.queue.is_empty() && self.waiting.is_empty() && self.running.is_empty()
    }

    /// Whether it was drained to the end.
    pub(super) fn has_drained(&self) -> bool {
        self.state == State::Draining && self.is_idle()
    }

    /// Prompt tokens to compute, what is being computed included.
    pub(super) fn load(&self) -> u64 {
        self.queued
    }

    /// Prompt tokens waiting, as the engine reports them.
    pub(super) fn queued_raw(&self) -> u64 {
        self.queued_raw
    }

    /// KV tokens held and asked for.
    pub(super) fn kv_load(&self) -> u64 {
        self.kv + self.waiting_kv + self.reserved
    }

    /// KV tokens held.
    pub(super) fn kv(&self) -> u64 {
        self.kv
    }

    /// A prompt to read.
    pub(super) fn push(&mut self, slot: Slot, requests: &Requests) {
        let request = requests.get(slot);
        self.queued += u64::from(request.remaining);
        self.queued_raw += request.waiting_tokens();
        self.queue.push_back(slot);
    }

    /// A request to decode.
    pub(super) fn push_decode(&mut self, slot: Slot, requests: &Requests) {
        self.waiting_kv += requests.get(slot).context();
        self.waiting.push_back(slot);
    }

    /// Takes back the prompts that no step has touched.
    pub(super) fn take_untouched(&mut self, requests: &Requests) -> Vec<Slot> {
        let touched = self.busy.map_or(0, |busy| busy.prompts).max(self.admitted) as usize;
        let touched = touched.max(usize::from(
            self.queue.front().is_some_and(|&slot| requests.get(slot).remaining < requests.get(slot).fresh),
        ));
        let taken: Vec<Slot> = self.queue.split_off(touched.min(self.queue.len())).into();
        for &slot in &taken {
            self.queued -= u64::from(requests.get(slot).remaining);
            self.queued_raw -= requests.get(slot).waiting_tokens();
        }
        taken
    }

    /// Begins the next step, or cuts a run of steps that a waiting request can join. Returns when it ends, if that is new.
    pub(super) fn plan(&mut self, now_ms: f64, rules: &Rules<'_>, requests: &mut Requests) -> Option<f64> {
        if let Some(busy) = self.busy {
            return self.cut(now_ms, busy, rules, requests);
        }
        self.admit(rules, requests);
        let (tokens, prompts) = self.prompts(rules, requests);
        self.make_room(rules, requests);
        let decodes = self.running.len() as u32;
        if tokens == 0 && decodes == 0 {
            return None;
        }
        let steps = if decodes == 0 {
            0
        } else if tokens > 0 {
            1
        } else {
            self.steps(rules)
        };
        let again_ms = std::mem::take(&mut self.again_ms);
        let mut busy = Busy {
            began_ms: now_ms,
            tokens,
            prompts,
            decodes,
            kv: self.kv,
            steps,
            again_ms,
            ends_ms: now_ms,
        };
        busy.ends_ms = now_ms + busy.ms(steps, rules.speed);
        self.busy = Some(busy);
        self.plan = self.plan.wrapping_add(1);
        Some(busy.ends_ms)
    }

    /// Ends the step that runs.
    pub(super) fn end(&mut self, rules: &Rules<'_>, requests: &mut Requests) -> Ended {
        let mut ended = Ended::default();
        let Some(busy) = self.busy.take() else { return ended };
        self.last = busy.last(rules.speed, busy.steps);
        if busy.steps > 0 {
            self.decoded += busy.steps;
            self.kv += u64::from(busy.decodes) * busy.steps;
            let decoded = self.decoded;
            let kv = &mut self.kv;
            self.running.retain(|running| {
                let request = requests.get_mut(running.slot);
                request.written += busy.steps as u32;
                if running.done_at > decoded {
                    return true;
                }
                *kv = kv.saturating_sub(request.context());
                ended.done.push(running.slot);
                false
            });
        }
        self.read(busy.tokens, requests, &mut ended);
        ended
    }

    /// The prompts of the step have been read.
    fn read(&mut self, mut tokens: u64, requests: &mut Requests, ended: &mut Ended) {
        while tokens > 0 {
            let Some(&slot) = self.queue.front() else { return };
            let request = requests.get_mut(slot);
            let raw = request.waiting_tokens();
            let part = tokens.min(u64::from(request.remaining));
            tokens -= part;
            self.queued -= part;
            request.remaining -= part as u32;
            if request.remaining > 0 {
                self.queued_raw -= raw - request.waiting_tokens();
                return;
            }
            self.queued_raw -= raw;
            self.queue.pop_front();
            if self.aggregated {
                self.admitted = self.admitted.saturating_sub(1);
                self.reserved -= u64::from(request.isl) + 1;
            }
            ended.prefilled.push(slot);
        }
    }

    /// A prompt read here goes on decoding here.
    pub(super) fn go_on(&mut self, slot: Slot, requests: &Requests) {
        let request = requests.get(slot);
        self.kv += request.context();
        self.running.push(Running { slot, done_at: self.decoded + left(request) });
    }

    /// Lets waiting requests into the running batch.
    fn admit(&mut self, rules: &Rules<'_>, requests: &mut Requests) {
        while let Some(&slot) = self.waiting.front() {
            if !self.fits(requests.get(slot).context(), rules) {
                break;
            }
            self.waiting.pop_front();
            let request = requests.get_mut(slot);
            self.waiting_kv -= request.context();
            self.kv += request.context();
            if std::mem::take(&mut request.preempted) {
                let tokens = request.context() as f64;
                self.again_ms += rules.speed.ms(Step { tokens, prompts: 1.0, ..Step::default() });
            }
            self.running.push(Running { slot, done_at: self.decoded + left(request) });
        }
    }

    fn fits(&self, context: u64, rules: &Rules<'_>) -> bool {
        let seats = u64::from(rules.limits.max_sequences);
        ((self.running.len() as u64) + u64::from(self.admitted)) < seats
            && self.kv + self.reserved + context < rules.limits.max_kv_tokens
    }

    /// Prompt tokens of the next step, and the requests they belong to.
    fn prompts(&mut self, rules: &Rules<'_>, requests: &Requests) -> (u64, u32) {
        let decodes = self.running.len() as u64;
        let mut room = u64::from(rules.limits.max_batched_tokens).saturating_sub(decodes);
        let (mut tokens, mut prompts) = (0, 0);
        for at in 0..self.queue.len() {
            if prompts >= rules.limits.max_sequences {
                break;
            }
            let request = requests.get(self.queue[at]);
            let remaining = u64::from(request.remaining);
            // Only the first may be cut.
            if remaining > room && prompts > 0 || room == 0 {
                break;
            }
            if self.aggregated && at as u32 >= self.admitted {
                // Preempted requests go first, and a place is promised for the whole prompt.
                if !self.waiting.is_empty() || !self.fits(u64::from(request.isl), rules) {
                    break;
                }
                self.admitted += 1;
                self.reserved += u64::from(request.isl) + 1;
            }
            let part = remaining.min(room);
            tokens += part;
            prompts += 1;
            room -= part;
        }
        (tokens, prompts)
    }

    /// Gives up the newest requests until one more step fits into the KV cache.
    fn make_room(&mut self, rules: &Rules<'_>, requests: &mut Requests) {
        // One alone always goes on: requests that are too long never get here.
        while self.running.len() > 1
            && self.kv + self.reserved + self.running.len() as u64 > rules.limits.max_kv_tokens
        {
            let Some(newest) = self.running.pop() else { break };
            let request = requests.get_mut(newest.slot);
            request.preempted = true;
            self.kv = self.kv.saturating_sub(request.context());
            self.waiting_kv += request.context();
            self.waiting.push_front(newest.slot);
            self.preempted += 1;
        }
    }

    /// Decode steps until a request is done, the KV cache is full or the run is long enough.
    fn steps(&self, rules: &Rules<'_>) -> u64 {
        let first = self.running.iter().map(|running| running.done_at).min().unwrap_or(self.decoded + 1);
        let batch = self.running.len() as u64;
        let room = rules.limits.max_kv_tokens.saturating_sub(self.kv + self.reserved) / batch.max(1);
        (first - self.decoded).min(room).clamp(1, LONGEST_RUN)
    }

    /// Cuts a run at the end of its current step, where a request waits that can join.
    fn cut(&mut self, now_ms: f64, busy: Busy, rules: &Rules<'_>, requests: &Requests) -> Option<f64> {
        if busy.steps < 2 {
            return None;
        }
        let joins = match (self.waiting.front(), self.queue.front()) {
            (Some(&slot), _) => self.fits(requests.get(slot).context(), rules),
            (None, Some(&slot)) if self.aggregated => self.fits(u64::from(requests.get(slot).isl), rules),
            _ => false,
        };
        let done = busy.steps_by(now_ms, rules.speed);
        let steps = if now_ms > busy.began_ms + busy.ms(done, rules.speed) { done + 1 } else { done };
        let steps = steps.max(1);
        if !joins || steps >= busy.steps {
            return None;
        }
        let ends_ms = busy.began_ms + busy.ms(steps, rules.speed);
        self.busy = Some(Busy { steps, ends_ms, ..busy });
        self.plan = self.plan.wrapping_add(1);
        Some(ends_ms)
    }

    /// What the engine reports at this moment: the last finished step and what waits.
    pub(super) fn record(&self, now_ms: f64, rules: &Rules<'_>) -> Record {
        let idle = self.is_idle();
        let (wall_ms, scheduled) = match self.busy {
            _ if idle => (0.0, Work::default()),
            Some(busy) => match busy.steps_by(now_ms, rules.speed) {
                0 => self.last,
                steps => busy.last(rules.speed, steps.min(busy.steps)),
            },
            None => self.last,
        };
        let queued = Work {
            prefill_requests: self.queue.len() as u64,
            prefill_tokens: self.queued_raw,
            decode_requests: self.waiting.len() as u64,
            decode_kv_tokens: self.waiting_kv,
        };
        Record { worker_id: self.id, dp_rank: 0, wall_secs: wall_ms / 1000.0, scheduled, queued }
    }
}

/// Tokens a request still has to write.
fn left(request: &Request) -> u64 {
    u64::from(request.osl.saturating_sub(request.written)).max(1)
}

/// What holds for every worker of a role.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'a> {
    pub(super) speed: &'a Speed,
    pub(super) limits: Limits,
}

impl Busy {
    /// Milliseconds of the first steps of the run.
    fn ms(&self, steps: u64, speed: &Speed) -> f64 {
        let decodes = f64::from(self.decodes);
        let step = |kv_tokens: f64| {
            let (tokens, prompts) = (self.tokens as f64, f64::from(self.prompts));
            speed.ms(Step { tokens, prompts, decodes, kv_tokens })
        };
        if self.steps == 0 {
            return self.again_ms + step(0.0);
        }
        if steps == 0 {
            return 0.0;
        }
        // Context grows by one token a request and step: the mean step stands for all.
        let count = steps as f64;
        self.again_ms + count * step(self.kv as f64 + decodes * (count - 1.0) / 2.0)
    }

    /// Whole steps of the run that are over.
    fn steps_by(&self, now_ms: f64, speed: &Speed) -> u64 {
        let (mut over, mut not) = (0, self.steps + 1);
        while not - over > 1 {
            let mid = u64::midpoint(over, not);
            if self.began_ms + self.ms(mid, speed) <= now_ms { over = mid } else { not = mid }
        }
        over
    }

    /// The last of the first `steps` steps.
    fn last(&self, speed: &Speed, steps: u64) -> (f64, Work) {
        let before = steps.saturating_sub(1);
        let kv = self.kv + u64::from(self.decodes) * before;
        let work = Work {
            prefill_requests: u64::from(self.prompts),
            prefill_tokens: self.tokens,
            decode_requests: u64::from(self.decodes),
            decode_kv_tokens: kv,
        };
        let step = Step {
            tokens: self.tokens as f64,
            prompts: f64::from(self.prompts),
            decodes: f64::from(self.decodes),
            kv_tokens: kv as f64,
        };
        (speed.ms(step), work)
    }
}
