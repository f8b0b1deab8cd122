//! One leg of the all-to-all exchange around experts.

use std::sync::Arc;

use perf_data::{Grid, Level};

use super::{Binder, Gap, Measure, Roofline, Shape, Timing};
use crate::explain::Bound;
use crate::ops::{Exchange, Leg, Transport};
use crate::perf::curve::Curve;
use crate::perf::exchange::{Parcel, Rows};
use crate::perf::grid::{GridTable, Miss, Reading};

/// How a leg is read from its table.
#[derive(Clone, Debug)]
enum Table {
    /// At the multiprocessors in use.
    Tokens(Curve),
    /// Between measured numbers of multiprocessors.
    Both { sms: f64, grid: GridTable },
    /// The same, as this leg's share of both legs together: this leg, the other one, both.
    Share { sms: f64, grids: Box<[GridTable; 3]> },
}

/// One leg, over tokens of one rank.
#[derive(Clone, Debug)]
struct Leap {
    table: Table,
    /// Whether one node's measurement stands in for several.
    borrowed: bool,
    /// Roofline, ms per token.
    sol_ms_per_token: f64,
}

fn tokens_only(q: &[f64]) -> f64 {
    q[1]
}

impl Measure for Leap {
    fn latency(&self, _: Shape, tokens: f64) -> Result<Timing, Miss> {
        let mut reading = match &self.table {
            Table::Tokens(curve) => curve.query(tokens, |tokens| tokens)?,
            Table::Both { sms, grid } => grid.query(&[*sms, tokens], &tokens_only)?,
            Table::Share { sms, grids } => {
                let [grid, other, both] = grids.as_ref();
                let at = [*sms, tokens];
                let here = grid.query(&at, &tokens_only)?;
                let there = other.query(&at, &tokens_only)?.value;
                let sum = here.value + there;
                if sum > 0.0 {
                    let both = both.query(&at, &tokens_only)?.value;
                    Reading { value: here.value * both / sum, ..here }
                } else {
                    here
                }
            }
        };
        reading.inside &= !self.borrowed;
        Ok(reading.into())
    }

    fn roofline(&self, _: Shape, tokens: f64) -> Roofline {
        Roofline { ms: Some(tokens * self.sol_ms_per_token), bound: Bound::Network }
    }
}

fn grid(rows: &Rows) -> GridTable {
    let mut inner = Level { keys: Vec::new(), starts: vec![0] };
    let mut values = Vec::new();
    for row in rows.values() {
        inner.keys.extend(row.keys());
        inner.starts.push(inner.keys.len() as u32);
        values.extend(row.values());
    }
    let outer = Level { keys: rows.keys().copied().collect(), starts: vec![0, rows.len() as u32] };
    GridTable::new(Grid { levels: vec![outer, inner], values, tiers: Vec::new() }, None, |_, ms| ms)
}

/// Both legs together, where both were measured.
fn sums(here: &Rows, there: &Rows) -> Rows {
    let mut out = Rows::new();
    for (sms, row) in here {
        for (tokens, ms) in row {
            if let Some(other) = there.get(sms).and_then(|row| row.get(tokens)) {
                out.entry(*sms).or_default().insert(*tokens, ms + other);
            }
        }
    }
    out
}

impl Binder<'_> {
    pub(super) fn exchange(self, exchange: Exchange) -> Result<Arc<dyn Measure>, Gap> {
        let Exchange { leg, transport, dtype, hidden, topk, experts, ep, nodes, backend } = exchange;
        self.needs_tables("all-to-all exchange")?;
        let system = self.db().system();
        let parcel = Parcel { transport, leg, dtype, hidden, topk, experts };
        let mut group = (ep, nodes);
        let mut rows = self.db().exchange_rows(parcel, group);
        let borrowed = rows.is_empty() && nodes > 1;
        if borrowed && let Some(stand_in) = transport.stand_in(backend, system.gpus_per_node) {
            group = stand_in;
            rows = self.db().exchange_rows(parcel, group);
        }
        if rows.is_empty() {
            return Err(Gap::NoData("all-to-all exchange"));
        }
        let sms = transport.sms();
        let deep = transport == Transport::DeepepHt;
        let exact = rows.get(&sms).filter(|_| !deep || (group.1 == 1 && sms == 20));
        let curve =
            exact.and_then(|row| Curve::new(row.keys().copied().collect(), row.values().copied().collect()));
        let table = if let Some(curve) = curve {
            Table::Tokens(curve)
        } else {
            let other = if leg == Leg::Dispatch { Leg::Combine } else { Leg::Dispatch };
            let there = self.db().exchange_rows(Parcel { leg: other, ..parcel }, group);
            let both = if deep { sums(&rows, &there) } else { Rows::new() };
            let (sms, here) = (f64::from(sms), grid(&rows));
            if both.is_empty() {
                Table::Both { sms, grid: here }
            } else {
                Table::Share { sms, grids: Box::new([here, grid(&there), grid(&both)]) }
            }
        };
        // Every token is sent, in 16 bits at most, to each of its experts.
        let bytes = 2.0 * f64::from(hidden) * f64::from(topk) * f64::from(ep - 1) / f64::from(ep);
        let sol_ms_per_token = bytes / system.fan_out_bw(ep) * 1e3;
        Ok(Arc::new(Leap { table, borrowed, sol_ms_per_token }))
    }
}
