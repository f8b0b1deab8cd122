//! The last six hours: fine steps for what just happened, coarser ones for what is longer ago, bounded memory.

use std::collections::BTreeMap;

use engine::cluster::{Count, Sample};

/// Steps and how far back each of them reaches, ms, finest first.
const LEVELS: [(u64, u64); 3] = [(5_000, 30 * MINUTE), (15_000, 120 * MINUTE), (60_000, SPAN_MS)];
const MINUTE: u64 = 60_000;

/// How far back anything is kept, ms.
pub(crate) const SPAN_MS: u64 = 360 * MINUTE;

/// Moments by level and by step. A step shows the last of its moments.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    levels: [BTreeMap<u64, Sample>; LEVELS.len()],
}

impl Samples {
    /// What is now.
    pub(crate) fn add(&mut self, sample: &Sample) {
        for (level, (step, span)) in self.levels.iter_mut().zip(LEVELS) {
            level.insert(sample.at_ms / step, *sample);
            trim(level, step, span);
        }
    }

    /// What was: known moments keep what they have, and learn what they lack.
    pub(crate) fn remember(&mut self, sample: &Sample) {
        for (level, (step, span)) in self.levels.iter_mut().zip(LEVELS) {
            level.entry(sample.at_ms / step).and_modify(|known| fill(known, sample)).or_insert(*sample);
            trim(level, step, span);
        }
    }

    /// Moments from `since_ms`, in steps of at least `step_ms`: the finest level that reaches back far enough. Without
    /// a beginning it is the finest level that holds everything known.
    pub(crate) fn since(&self, since_ms: Option<u64>, step_ms: Option<u64>) -> (u64, Vec<Sample>) {
        let bounds = |level: &BTreeMap<u64, Sample>| {
            Some((level.values().next()?.at_ms, level.values().next_back()?.at_ms))
        };
        let known = self.levels.iter().filter_map(bounds).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let Some((first, last)) = known else { return (step_ms.unwrap_or(LEVELS[0].0), Vec::new()) };
        let from = since_ms.unwrap_or(first).max(first);
        let asked = step_ms.unwrap_or(0);
        let at = LEVELS
            .iter()
            .enumerate()
            .position(|(at, &(_, span))| at + 1 == LEVELS.len() || last.saturating_sub(from) <= span)
            .unwrap_or(0);
        let step = asked.max(LEVELS[at].0);
        let mut chosen: BTreeMap<u64, Sample> = BTreeMap::new();
        for sample in self.levels[at].values().filter(|sample| sample.at_ms >= from) {
            chosen.insert(sample.at_ms / step, *sample);
        }
        (step, chosen.into_values().collect())
    }
}

fn trim(level: &mut BTreeMap<u64, Sample>, step: u64, span: u64) {
    let Some((&newest, _)) = level.last_key_value() else { return };
    let oldest = newest.saturating_sub(span / step);
    while level.first_key_value().is_some_and(|(&at, _)| at < oldest) {
        level.pop_first();
    }
}

fn fill(known: &mut Sample, past: &Sample) {
    let fills: [(&mut Option<f64>, Option<f64>); 12] = [
        (&mut known.requests_per_sec, past.requests_per_sec),
        (&mut known.predicted_per_sec, past.predicted_per_sec),
        (&mut known.capacity_per_sec, past.capacity_per_sec),
        (&mut known.isl, past.isl),
        (&mut known.osl, past.osl),
        (&mut known.ttft_ms, past.ttft_ms),
        (&mut known.itl_ms, past.itl_ms),
        (&mut known.estimated_ttft_ms, past.estimated_ttft_ms),
        (&mut known.estimated_itl_ms, past.estimated_itl_ms),
        (&mut known.attainment, past.attainment),
        (&mut known.queued_tokens, past.queued_tokens),
        (&mut known.kv_usage, past.kv_usage),
    ];
    for (known, past) in fills {
        *known = known.or(past);
    }
    for (known, past) in [(&mut known.prefill, past.prefill), (&mut known.decode, past.decode)] {
        if *known == Count::default() {
            *known = past;
        }
    }
    known.gpus = known.gpus.or(past.gpus);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(at_ms: u64) -> Sample {
        Sample { at_ms, requests_per_sec: Some(at_ms as f64), ..Sample::default() }
    }

    #[test]
    fn memory_is_bounded_and_six_hours_are_kept() {
        let mut samples = Samples::default();
        let end = 12 * 3_600_000;
        for at_ms in (0..=end).step_by(1_000) {
            samples.add(&at(at_ms));
        }
        let kept: usize = samples.levels.iter().map(BTreeMap::len).sum();
        let most: u64 = LEVELS.iter().map(|(step, span)| span / step + 1).sum();
        assert!(kept as u64 <= most, "{kept} of {most}");
        let (step, all) = samples.since(None, None);
        assert_eq!((step, all.len()), (60_000, 361));
        assert_eq!(all.last().unwrap().at_ms, end);
        let (step, recent) = samples.since(Some(end - 600_000), None);
        assert_eq!((step, recent.len()), (5_000, 121));
        let (step, middle) = samples.since(Some(end - 3_600_000), None);
        assert_eq!((step, middle.len()), (15_000, 241));
        let (step, thin) = samples.since(Some(end - 600_000), Some(60_000));
        assert_eq!(step, 60_000);
        assert!(thin.len() <= 11 && thin.windows(2).all(|pair| pair[0].at_ms < pair[1].at_ms));
        assert_eq!(samples.since(Some(u64::MAX), Some(u64::MAX)).1, []);
    }

    #[test]
    fn what_was_fills_gaps_and_changes_nothing_that_is_known() {
        let mut samples = Samples::default();
        samples.add(&at(100_000));
        let known =
            Sample { at_ms: 100_000, requests_per_sec: Some(1.0), isl: Some(3000.0), ..Sample::default() };
        samples.remember(&known);
        samples.remember(&at(40_000));
        let (_, all) = samples.since(None, None);
        assert_eq!(all.iter().map(|sample| sample.at_ms).collect::<Vec<_>>(), [40_000, 100_000]);
        assert_eq!((all[1].requests_per_sec, all[1].isl), (Some(100_000.0), Some(3000.0)));
    }

    #[test]
    fn nothing_known_is_an_empty_answer() {
        assert_eq!(Samples::default().since(None, None), (5_000, Vec::new()));
    }
}
