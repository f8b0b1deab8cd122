//! How a cluster is laid out, in words.

use super::number_of;
use crate::scenario::{Goal, Scenario};
use crate::view::{EncoderPool, Layout, Point};

/// `aggregated` or `disaggregated`.
pub fn serving(point: &Point) -> &'static str {
    if point.is_disagg() { "disaggregated" } else { "aggregated" }
}

/// One replica: `5P (tp2) : 6D (tp1)`, or `tp4`; with encoder workers `1E (tp1) : 3A (tp2)`.
pub fn layout_short(point: &Point) -> String {
    let others = match &point.layout {
        Layout::Agg { worker, encoders: None, .. } => worker.parallel.to_string(),
        Layout::Agg { worker, .. } => format!("{}A ({})", per_replica(worker.count, point), worker.parallel),
        Layout::Disagg { prefill, decode, .. } => format!(
            "{}P ({}) : {}D ({})",
            per_replica(prefill.count, point),
            prefill.parallel,
            per_replica(decode.count, point),
            decode.parallel
        ),
    };
    match point.layout.encoders() {
        None => others,
        Some(encoders) => format!("{}E (tp{}) : {others}", per_replica(encoders.count, point), encoders.tp),
    }
}

/// `2 encoder workers of 1 GPU`.
pub fn layout_encoders(encoders: &EncoderPool) -> String {
    let gpus = number_of(encoders.tp, "GPU");
    format!("{} of {gpus}", number_of(encoders.count, "encoder worker"))
}

/// The whole cluster: `2 replicas × 16 GPUs = 32`.
pub fn layout_total(point: &Point) -> String {
    format!(
        "{} × {} = {}",
        number_of(point.replicas, "replica"),
        number_of(point.gpus_per_replica(), "GPU"),
        crate::format::count(u64::from(point.gpus_used))
    )
}

/// Where the GPUs go: `40 GPUs = 5 replicas × 8 (tp8)`, or
/// `32 GPUs = 2 replicas × 16 (5 × 2 prefill + 6 × 1 decode)`.
pub fn gpus_decomposed(point: &Point) -> String {
    let others = match &point.layout {
        Layout::Agg { worker, encoders: None, .. } => worker.parallel.to_string(),
        Layout::Agg { worker, .. } => {
            format!("{} × {} prefill and decode", per_replica(worker.count, point), worker.parallel.gpus())
        }
        Layout::Disagg { prefill, decode, .. } => format!(
            "{} × {} prefill + {} × {} decode",
            per_replica(prefill.count, point),
            prefill.parallel.gpus(),
            per_replica(decode.count, point),
            decode.parallel.gpus()
        ),
    };
    let inside = match point.layout.encoders() {
        None => others,
        Some(encoders) => {
            format!("{} × {} encoder + {others}", per_replica(encoders.count, point), encoders.tp)
        }
    };
    format!(
        "{} = {} × {} ({inside})",
        number_of(point.gpus_used, "GPU"),
        number_of(point.replicas, "replica"),
        point.gpus_per_replica()
    )
}

/// GPUs of the budget that this cluster leaves idle: `4 of 32 GPUs stay idle`; none when all are in use.
pub fn gpus_idle(point: &Point, scenario: &Scenario) -> Option<String> {
    let Goal::Gpus(budget) = scenario.goal else {
        return None;
    };
    let idle = budget.checked_sub(point.gpus_used).filter(|&idle| idle > 0)?;
    Some(format!("{idle} of {} stay idle", number_of(budget, "GPU")))
}

fn per_replica(count: u32, point: &Point) -> u32 {
    count / point.replicas.max(1)
}

#[cfg(test)]
pub(super) mod samples {
    use super::*;
    use crate::parallel::Parallel;
    use crate::rows::MemoryUse;
    use crate::source::Evidence;
    use crate::view::Worker;

    fn worker(tp: u32, batch: u32, count: u32) -> Worker {
        let memory = MemoryUse { capacity: 1.0, ..MemoryUse::default() };
        Worker { parallel: Parallel::dense(tp, 1, 1), batch, count, memory }
    }

    fn point(layout: Layout, replicas: u32, gpus_used: u32) -> Point {
        Point {
            place: 0,
            layout,
            replicas,
            gpus_used,
            ttft_ms: 340.0,
            itl_ms: 29.5,
            request_latency_ms: 340.0 + 29.5 * 499.0,
            tokens_per_sec_per_gpu: 800.0,
            tokens_per_sec_per_user: 33.9,
            requests_per_sec: 51.2,
            concurrency: 700,
            evidence: Evidence { measured: 0.93, held: 0.04, ..Evidence::default() },
            meets_ttft: true,
            meets_itl: true,
        }
    }

    /// 2 × (5P tp2 : 6D tp1) on 32 GPUs.
    pub(crate) fn disagg() -> Point {
        point(Layout::Disagg { prefill: worker(2, 1, 10), decode: worker(1, 22, 12), encoders: None }, 2, 32)
    }

    /// 5 × tp8 on 40 GPUs.
    pub(crate) fn agg() -> Point {
        point(Layout::Agg { worker: worker(8, 16, 5), ctx_tokens: 4096, encoders: None }, 5, 40)
    }

    /// 2 × (1E tp2 : 3A tp2) on 16 GPUs.
    pub(crate) fn agg_with_encoders() -> Point {
        let encoders = Some(EncoderPool { tp: 2, batch: 4, count: 2, memory_bytes: 0.0 });
        point(Layout::Agg { worker: worker(2, 16, 6), ctx_tokens: 4096, encoders }, 2, 16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_short_and_totals_decomposed() {
        let point = samples::disagg();
        assert_eq!(layout_short(&point), "5P (tp2) : 6D (tp1)");
        assert_eq!(layout_total(&point), "2 replicas × 16 GPUs = 32");
        assert_eq!(gpus_decomposed(&point), "32 GPUs = 2 replicas × 16 (5 × 2 prefill + 6 × 1 decode)");
        assert_eq!(serving(&point), "disaggregated");
        let point = samples::agg();
        assert_eq!(layout_short(&point), "tp8");
        assert_eq!(gpus_decomposed(&point), "40 GPUs = 5 replicas × 8 (tp8)");
        assert_eq!(serving(&point), "aggregated");
        let point = samples::agg_with_encoders();
        assert_eq!(layout_short(&point), "1E (tp2) : 3A (tp2)");
        assert_eq!(
            gpus_decomposed(&point),
            "16 GPUs = 2 replicas × 8 (1 × 2 encoder + 3 × 2 prefill and decode)"
        );
    }

    #[test]
    fn one_is_singular_and_none_does_not_divide_by_zero() {
        let mut point = samples::agg();
        (point.replicas, point.gpus_used) = (1, 1);
        assert_eq!(layout_total(&point), "1 replica × 1 GPU = 1");
        point.replicas = 0;
        assert!(layout_total(&point).starts_with("0 replicas"));
    }

    #[test]
    fn idle_gpus_are_named() {
        let scenario = Scenario { goal: Goal::Gpus(36), ..Scenario::default() };
        assert_eq!(gpus_idle(&samples::disagg(), &scenario).unwrap(), "4 of 36 GPUs stay idle");
        assert_eq!(gpus_idle(&samples::disagg(), &Scenario::default()), None);
        let load = Scenario { goal: Goal::RequestRate(3.0), ..Scenario::default() };
        assert_eq!(gpus_idle(&samples::disagg(), &load), None);
    }
}
