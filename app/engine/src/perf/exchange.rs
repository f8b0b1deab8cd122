//! All-to-all exchanges around experts: one view over the tables of several collectors.

use std::collections::{BTreeMap, BTreeSet};

use perf_data::{Grid, Key};

use super::{Part, PerfDb};
use crate::ops::{Leg, Transport};

/// What is exchanged.
#[derive(Clone, Copy, Debug)]
pub struct Parcel<'a> {
    /// How tokens travel.
    pub transport: Transport,
    /// Which leg.
    pub leg: Leg,
    /// Precision on the wire.
    pub dtype: &'a str,
    /// Elements per token.
    pub hidden: u32,
    /// Experts per token.
    pub topk: u32,
    /// Experts in all.
    pub experts: u32,
}

/// Latency in ms by multiprocessors and tokens.
pub type Rows = BTreeMap<u32, BTreeMap<u32, f64>>;

/// GPUs and nodes of an expert parallel group.
pub type Group = (u32, u32);

impl PerfDb {
    /// Groups at which an exchange was measured.
    pub fn exchange_groups(&self, parcel: Parcel<'_>) -> BTreeSet<Group> {
        let mut out = BTreeSet::new();
        self.each_exchange(parcel, &mut |group, _| {
            out.insert(group);
        });
        out
    }

    /// What was measured of an exchange at one group; the newer collector's value where two have one.
    pub fn exchange_rows(&self, parcel: Parcel<'_>, group: Group) -> Rows {
        let mut out = Rows::new();
        self.each_exchange(parcel, &mut |at, (grid, scale)| {
            if at == group {
                add(&mut out, grid, scale);
            }
        });
        out
    }

    /// Visits the slices of an exchange, those of the newest collector last.
    fn each_exchange(&self, parcel: Parcel<'_>, visit: &mut dyn FnMut(Group, (&Grid, f64))) {
        let Parcel { transport, leg, dtype, hidden, topk, experts } = parcel;
        let shape = [Part::Int(hidden), Part::Int(topk), Part::Int(experts)];
        let size = |key: &Key| key.as_int().and_then(|size| u32::try_from(size).ok());
        let legacy = match transport {
            Transport::DeepepHt => Some("wideep_deepep_normal"),
            Transport::DeepepLl => Some("wideep_deepep_ll"),
            _ => None,
        };
        for slice in legacy.into_iter().flat_map(|table| self.slices(table)) {
            if let [at, nodes, rest @ ..] = slice.key.as_slice()
                && Part::Text(leg.name()).is(at)
                && super::matches(rest, &shape)
                && dtype == "default"
                && let Some(nodes) = size(nodes)
            {
                visit((8 * nodes, nodes), (&slice.grid, 1e-3));
            }
        }
        for slice in self.slices("trtllm_alltoall") {
            if let [kernel, op, stored, nodes, rest @ .., ep] = slice.key.as_slice()
                && legacy_kernel(transport).is_some_and(|name| Part::Text(name).is(kernel))
                && legacy_leg(op.as_text(), stored.as_text()) == Some((leg, dtype))
                && super::matches(rest, &shape)
                && let (Some(nodes), Some(ep)) = (size(nodes), size(ep))
            {
                visit((ep, nodes), (&slice.grid, 1.0));
            }
        }
        let name = [Part::Text(transport.name()), Part::Text(leg.name()), Part::Text(dtype)];
        for slice in self.slices("moe_a2a") {
            if let [a, b, c, ep, nodes, rest @ ..] = slice.key.as_slice()
                && name[0].is(a)
                && name[1].is(b)
                && name[2].is(c)
                && super::matches(rest, &shape)
                && let (Some(ep), Some(nodes)) = (size(ep), size(nodes))
            {
                visit((ep, nodes), (&slice.grid, 1e-3));
            }
        }
    }
}

fn legacy_kernel(transport: Transport) -> Option<&'static str> {
    match transport {
        Transport::NvlinkTwoSided => Some("NVLinkTwoSided"),
        Transport::NvlinkOneSided => Some("NVLinkOneSided"),
        _ => None,
    }
}

fn legacy_leg<'a>(op: Option<&str>, dtype: Option<&'a str>) -> Option<(Leg, &'a str)> {
    Some(match op? {
        "alltoall_prepare" => (Leg::Prepare, dtype?),
        "alltoall_dispatch" => (Leg::Dispatch, dtype?),
        "alltoall_combine" => (Leg::Combine, dtype?),
        "alltoall_combine_low_precision" => (Leg::Combine, "fp4"),
        _ => return None,
    })
}

/// Adds a slice over (multiprocessors, tokens) or over tokens alone.
fn add(out: &mut Rows, grid: &Grid, scale: f64) {
    match grid.levels.as_slice() {
        [tokens] => {
            let row = out.entry(0).or_default();
            row.extend(tokens.keys.iter().copied().zip(grid.values.iter().map(|value| value * scale)));
        }
        [sms, tokens] => {
            for (node, &sms) in sms.keys.iter().enumerate() {
                let row = out.entry(sms).or_default();
                for at in tokens.range(node) {
                    row.insert(tokens.keys[at], grid.values[at] * scale);
                }
            }
        }
        _ => {}
    }
}
