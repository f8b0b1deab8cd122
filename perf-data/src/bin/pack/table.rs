//! One table of one pack: read, merged, ordered.

use std::collections::HashMap;

use anyhow::{Context, Result};
use perf_data::Key;

use crate::bucket;
use crate::frame::{Frame, Row};
use crate::merge::{Leaf, Merge};
use crate::sources::Source;
use crate::spec::Spec;
use crate::wheel::Wheel;

/// Reads and merges `sources`. `eager` keeps all-reduce rows that were measured without a graph.
pub(crate) fn read(wheel: &mut Wheel, spec: &Spec, sources: &[Source], eager: bool) -> Result<Merge> {
    let mut merge = Merge::default();
    let mut sequence = 0;
    for (number, source) in sources.iter().enumerate() {
        let frame =
            Frame::read(wheel.read(&source.path)?).with_context(|| format!("reading {}", source.path))?;
        for row in frame.rows() {
            let kernel = row.text("kernel_source");
            let other = |kernels: &std::collections::BTreeSet<String>| {
                kernel.is_none_or(|name| !kernels.contains(&**name))
            };
            let skipped =
                source.kernels.as_ref().is_some_and(other) || (!eager && is_eager(row)) || !(spec.keep)(row);
            if skipped {
                continue;
            }
            add(&mut merge, spec, row, number, source.primary, sequence)
                .with_context(|| format!("row {sequence} of {}", source.path))?;
            sequence += 1;
        }
    }
    merge.settle(spec.wins);
    if spec.key.last().is_some_and(|(name, _)| *name == bucket::COLUMN) {
        bucket::join(&mut merge);
    }
    if spec.name == "gemm" {
        order_sites(&mut merge);
    }
    Ok(merge)
}

fn add(
    merge: &mut Merge,
    spec: &Spec,
    row: Row<'_>,
    number: usize,
    primary: bool,
    sequence: u32,
) -> Result<()> {
    for value in spec.values {
        let key = spec.key_of(row, value.phase)?;
        let leaf = Leaf {
            place: spec.place_of(row)?,
            value: value.read(row)?,
            source: number as u32,
            sequence,
            primary,
        };
        if spec.key.last().is_some_and(|(name, _)| *name == bucket::COLUMN) {
            bucket::add(merge, key, leaf);
        } else {
            merge.add(key, leaf);
        }
    }
    Ok(())
}

fn is_eager(row: Row<'_>) -> bool {
    ["kernel_source", "backend"]
        .iter()
        .any(|column| row.text(column).is_some_and(|name| name.ends_with("_eager")))
}

/// Sorts GEMM sites (n, k) of each data type by their first appearance on a walk along m, then n, then k, each in the
/// order of first measurement: between equally near sites the earlier one counts.
fn order_sites(merge: &mut Merge) {
    /// Earliest row of each data type and m, and of each data type, m and n.
    #[derive(Default)]
    struct First {
        m: HashMap<(Key, u32), u32>,
        n: HashMap<(Key, u32, Key), u32>,
    }
    let mut first = First::default();
    for (key, leaves) in &merge.slices {
        for Leaf { place: [m, ..], sequence, .. } in leaves {
            let at = first.m.entry((key[0].clone(), *m)).or_insert(*sequence);
            *at = (*at).min(*sequence);
            let at = first.n.entry((key[0].clone(), *m, key[1].clone())).or_insert(*sequence);
            *at = (*at).min(*sequence);
        }
    }
    let mut dtypes: Vec<Key> = Vec::new();
    for (key, _) in &merge.slices {
        if !dtypes.contains(&key[0]) {
            dtypes.push(key[0].clone());
        }
    }
    merge.slices.sort_by_cached_key(|(key, leaves)| {
        let appearance = leaves.iter().map(|Leaf { place: [m, ..], sequence, .. }| {
            let n = first.n[&(key[0].clone(), *m, key[1].clone())];
            (first.m[&(key[0].clone(), *m)], n, *sequence)
        });
        (dtypes.iter().position(|dtype| *dtype == key[0]), appearance.min())
    });
}
