//! The order in which attention lanes (kernels) are consulted.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use anyhow::Result;
use perf_data::Key;
use serde_yaml::Value;

use crate::merge::Merge;
use crate::wheel::Wheel;

/// Lanes that backends share.
const KNOWN: [&str; 5] = ["fa3", "fla", "flashinfer", "triton", "trtllm_mha"];
const DEFAULT: &str = "default";

/// The lane that `backend` runs by default on chips of `sm`, if that is documented.
pub(crate) fn default_lane(
    wheel: &mut Wheel,
    backend: &str,
    version: &str,
    sm: Option<u64>,
) -> Result<Option<String>> {
    let all = wheel.yaml("attention_lane_defaults.yaml")?;
    let versions = all.get(backend).and_then(Value::as_mapping).into_iter().flatten();
    let applicable = versions
        .filter_map(|(name, lanes)| Some((release(name.as_str()?), lanes)))
        .filter(|(found, _)| *found <= release(version))
        .max_by_key(|(found, _)| found.clone());
    let lane = applicable.and_then(|(_, lanes)| lanes.get(Value::from(sm?))?.as_str());
    Ok(lane.map(String::from))
}

/// The leading numbers of a version.
fn release(version: &str) -> Vec<u64> {
    let mut numbers = Vec::new();
    for segment in version.split('.') {
        let digits = segment.find(|c: char| !c.is_ascii_digit()).unwrap_or(segment.len());
        numbers.extend(segment[..digits].parse::<u64>().ok());
        if digits < segment.len() {
            break;
        }
    }
    numbers
}

/// Slices and rows of each lane.
type Cover<'a> = BTreeMap<&'a str, (usize, usize)>;

/// All lanes of a settled table, in the order in which they are consulted.
pub(crate) fn order(merge: &Merge, default: Option<&str>) -> Vec<String> {
    let mut seen = Vec::new();
    let mut merged = Cover::new();
    let mut primary = Cover::new();
    for (key, leaves) in &merge.slices {
        let Some(lane) = key.first().and_then(Key::as_text) else {
            continue;
        };
        if !seen.contains(&lane) {
            seen.push(lane);
        }
        let own = leaves.iter().filter(|leaf| leaf.primary).count();
        for (cover, rows) in [(&mut merged, leaves.len()), (&mut primary, own)] {
            if rows > 0 {
                let (slices, total) = cover.entry(lane).or_default();
                *slices += 1;
                *total += rows;
            }
        }
    }
    let preferred = match default {
        // Nothing documented: the order of first measurement decides.
        None => vec![DEFAULT],
        Some(DEFAULT) => [walk(&primary), walk(&merged)].concat(),
        Some(pinned) => [vec![pinned], walk(&primary), walk(&merged)].concat(),
    };
    let mut lanes: Vec<String> = Vec::new();
    for lane in preferred.into_iter().filter(|lane| merged.contains_key(lane)).chain(seen) {
        if lanes.iter().all(|other| other != lane) {
            lanes.push(lane.into());
        }
    }
    lanes
}

/// Shared lanes, the default lane, all others; among them the one that covers most first.
fn walk<'a>(cover: &Cover<'a>) -> Vec<&'a str> {
    let group = |lane: &str| {
        if KNOWN.contains(&lane) { 0 } else { 1 + u8::from(lane != DEFAULT) }
    };
    let mut lanes: Vec<_> = cover.iter().collect();
    lanes.sort_by_key(|(lane, (slices, rows))| (group(lane), Reverse(*slices), Reverse(*rows), **lane));
    lanes.into_iter().map(|(lane, _)| *lane).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge::Leaf;

    /// A table with one slice for each (lane, rows, own).
    fn table(slices: &[(&str, usize, bool)]) -> Merge {
        let mut merge = Merge::default();
        for (number, (lane, rows, primary)) in (0..).zip(slices) {
            for row in 0..*rows {
                let key = vec![Key::from(*lane), Key::Int(number)];
                let place = [row as u32, 0, 0, 0];
                merge.add(key, Leaf { place, value: 1.0, source: 0, sequence: 0, primary: *primary });
            }
        }
        merge
    }

    #[test]
    fn undocumented_lanes_keep_the_order_of_measurement() {
        let merge = table(&[("z", 1, true), ("a", 9, true), ("default", 1, true)]);
        assert_eq!(order(&merge, None), ["default", "z", "a"]);
    }

    #[test]
    fn documented_lane_then_own_lanes_then_borrowed_ones() {
        let merge = table(&[("other", 9, true), ("triton", 5, false), ("fa3", 1, true), ("fla", 2, true)]);
        assert_eq!(order(&merge, Some("fa3")), ["fa3", "fla", "other", "triton"]);
        assert_eq!(order(&merge, Some("default")), ["fla", "fa3", "other", "triton"]);
    }

    #[test]
    fn versions_compare_by_number() {
        assert!(release("0.10.1") > release("0.9"));
        assert_eq!(release("1.3.0rc20"), [1, 3, 0]);
    }
}
