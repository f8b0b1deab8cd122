//! Utilisation of attention at a head size that may not have been measured: the own slice with the window,
//! else another head size with it, else the same without the window.

use perf_data::{Grid, Slice};

use super::Binder;
use crate::backend::Backend;
use crate::perf::estimate::Estimate;
use crate::perf::util::Samples;
use crate::perf::{Part, PerfDb};

/// The head size that most was measured at.
const COMMON: u32 = 128;
const SIZES: [f64; 5] = [64.0, 128.0, 192.0, 256.0, 512.0];

/// Slices of an attention table for one precision and number of shared KV heads.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeadSlices<'a> {
    pub table: &'static str,
    pub precision: &'a [Part<'a>],
    /// KV heads; 0 when every query head has its own.
    pub shared: u32,
}

impl HeadSlices<'_> {
    fn key(&self, head_dim: u32, window: u32) -> Vec<Part<'_>> {
        let sizes = [self.shared, head_dim, window].map(Part::Int);
        self.precision.iter().copied().chain(sizes).collect()
    }

    /// The slice in the first kernel lane that has it.
    pub(super) fn slice<'d>(&self, db: &'d PerfDb, head_dim: u32, window: u32) -> Option<&'d Slice> {
        db.lane_slice(self.table, &self.key(head_dim, window))
    }

    /// Another head size with this window, in the first kernel lane that has its reference size so.
    fn borrowed<'d>(&self, db: &'d PerfDb, head_dim: u32, window: u32) -> Option<(u32, &'d Slice)> {
        let lead = self.precision.len() + 1;
        let mut lanes = db.lanes(self.table);
        if !has_preferred_kernel(db) {
            // Without a preference the publisher looks kernels up by name.
            lanes.sort_by(|a, b| {
                a.first().map(|slice| &slice.key[0]).cmp(&b.first().map(|slice| &slice.key[0]))
            });
        }
        lanes.into_iter().find_map(|lane| {
            let mut sizes: Vec<u32> = lane
                .iter()
                .filter(|slice| crate::perf::matches(&slice.key[1..=lead], &self.key(0, 0)[..lead]))
                .filter_map(|slice| u32::try_from(slice.key[lead + 1].as_int()?).ok())
                .filter(|&size| size > 0)
                .collect();
            sizes.sort_unstable();
            let far = |&size: &u32| (libm::log(f64::from(size)) - libm::log(f64::from(head_dim))).abs();
            let nearest = || sizes.iter().copied().min_by(|a, b| far(a).total_cmp(&far(b)));
            let size = if sizes.contains(&COMMON) { COMMON } else { nearest()? };
            let key = self.key(size, window);
            let slice = lane.into_iter().find(|slice| crate::perf::matches(&slice.key[1..], &key))?;
            Some((size, slice))
        })
    }

    /// The estimate; `samples` are those of a slice at a head size and window, `gain` what share of the
    /// roofline a head size reaches.
    pub(super) fn estimate(
        &self,
        db: &PerfDb,
        head_dim: u32,
        window: u32,
        samples: impl Fn(&Grid, u32, u32) -> Option<Samples>,
        gain: impl Fn(u32) -> f64,
    ) -> Option<Estimate> {
        let all = if window > 0 { &[window, 0][..] } else { &[0] };
        all.iter().find_map(|&window| {
            let own = || samples(&self.slice(db, head_dim, window)?.grid, head_dim, window);
            let other = || {
                let (size, slice) = self.borrowed(db, head_dim, window)?;
                let scale = gain(head_dim) / gain(size);
                Some(Estimate::scaled(samples(&slice.grid, size, window)?, scale))
            };
            own().map(Estimate::own).or_else(other)
        })
    }
}

/// Whether the engine is known to prefer an attention kernel on the GPU.
fn has_preferred_kernel(db: &PerfDb) -> bool {
    match (db.backend(), db.system().sm_version) {
        (Some(Backend::Sglang), Some(sm)) => sm >= 90,
        (Some(Backend::Vllm), Some(sm)) => (90..120).contains(&sm),
        _ => false,
    }
}

impl Binder<'_> {
    /// How much more of the roofline prefill attention reaches at a head size than at the common one, as the
    /// publisher found for an engine (see NOTICE).
    pub(super) fn size_gain(self) -> impl Fn(u32) -> f64 {
        let gains = match self.db().backend() {
            Some(Backend::Trtllm) => [0.58, 1.0, 1.10, 1.17, 1.20],
            Some(Backend::Sglang) => [0.60, 1.0, 1.18, 1.32, 1.38],
            Some(Backend::Vllm) => [0.60, 1.0, 1.27, 1.51, 1.60],
            None => [1.0; 5],
        };
        move |head_dim| {
            let size = f64::from(head_dim);
            let above = SIZES.partition_point(|&known| known < size);
            if above == 0 || above == SIZES.len() || SIZES[above] == size {
                return gains[above.min(SIZES.len() - 1)];
            }
            let (lo, hi) = (libm::log2(SIZES[above - 1]), libm::log2(SIZES[above]));
            let share = (libm::log2(size) - lo) / (hi - lo);
            gains[above - 1] + share * (gains[above] - gains[above - 1])
        }
    }
}
