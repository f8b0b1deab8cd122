//! Requests in flight, kept in slots that are used again: a trace of millions holds only those being served.

use super::traffic::Arrival;

/// Number of a slot.
pub(super) type Slot = u32;

/// A request being served.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Request {
    pub(super) arrived_ms: f64,
    pub(super) isl: u32,
    pub(super) osl: u32,
    /// Prompt tokens still to compute.
    pub(super) remaining: u32,
    /// Prompt tokens to compute in all.
    pub(super) fresh: u32,
    pub(super) first_token_ms: f64,
    /// Tokens written.
    pub(super) written: u32,
    /// Whether its KV cache was given up and has to be computed again.
    pub(super) preempted: bool,
}

impl Request {
    pub(super) fn new(arrival: &Arrival, hit_rate: f64) -> Self {
        let fresh = match arrival.cached {
            Some(cached) => arrival.isl.saturating_sub(cached).max(1),
            None => (f64::from(arrival.isl) * (1.0 - hit_rate)).ceil().max(1.0) as u32,
        };
        Self {
            arrived_ms: arrival.at_ms,
            isl: arrival.isl,
            osl: arrival.osl,
            remaining: fresh,
            fresh,
            ..Self::default()
        }
    }

    /// Tokens in the KV cache while it is decoded: the newest token has none yet.
    pub(super) fn context(&self) -> u64 {
        u64::from(self.isl) + u64::from(self.written.saturating_sub(1))
    }

    /// Prompt tokens that wait, as an engine reports them: before what the cache saves.
    pub(super) fn waiting_tokens(&self) -> u64 {
        if self.remaining == self.fresh {
            return u64::from(self.isl);
        }
        u64::from(self.isl) * u64::from(self.remaining) / u64::from(self.fresh.max(1))
    }
}

/// The slots.
#[derive(Clone, Debug, Default)]
pub(super) struct Requests {
    slots: Vec<Request>,
    free: Vec<Slot>,
}

impl Requests {
    pub(super) fn add(&mut self, request: Request) -> Slot {
        if let Some(slot) = self.free.pop() {
            self.slots[slot as usize] = request;
            return slot;
        }
        self.slots.push(request);
        (self.slots.len() - 1) as Slot
    }

    pub(super) fn remove(&mut self, slot: Slot) {
        self.free.push(slot);
    }

    pub(super) fn get(&self, slot: Slot) -> &Request {
        &self.slots[slot as usize]
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> &mut Request {
        &mut self.slots[slot as usize]
    }

    /// Requests being served.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
