//! A small answer for tests: the shape of the airline preset with made-up figures.

use std::sync::Arc;

use engine::parallel::Parallel;
use engine::rows::MemoryUse;
use engine::scenario::Scenario;
use engine::source::Evidence;
use engine::view::{Funnel, Layout, Point, View, Worker};

use super::shown::Shown;

fn memory() -> MemoryUse {
    MemoryUse {
        weights: 3.2e10,
        kv_cache: 2.0e10,
        activations: 2.0e9,
        comm: 4.0e8,
        encoder: 0.0,
        other: 3.5e9,
        capacity: 8.5e10,
    }
}

fn worker(tp: u32, batch: u32, count: u32) -> Worker {
    Worker { parallel: Parallel::dense(tp, 1, 1), batch, count, memory: memory() }
}

fn point(layout: Layout, replicas: u32, per_gpu: f64, ttft_ms: f64, itl_ms: f64) -> Point {
    Point {
        place: 0,
        layout,
        replicas,
        gpus_used: 32,
        ttft_ms,
        itl_ms,
        request_latency_ms: ttft_ms + itl_ms * 499.0,
        tokens_per_sec_per_gpu: per_gpu,
        tokens_per_sec_per_user: 1000.0 / itl_ms,
        requests_per_sec: per_gpu * 32.0 / 500.0,
        concurrency: 768,
        evidence: Evidence { measured: 0.93, held: 0.02, ..Evidence::default() },
        meets_ttft: ttft_ms <= 500.0,
        meets_itl: itl_ms <= 30.0,
    }
}

/// Two disaggregated and three aggregated points; one misses the ITL, one the TTFT.
pub(crate) fn view() -> View {
    let agg =
        |tp, batch, count| Layout::Agg { worker: worker(tp, batch, count), ctx_tokens: 4000, encoders: None };
    let points = vec![
        point(
            Layout::Disagg { prefill: worker(2, 1, 10), decode: worker(1, 64, 12), encoders: None },
            2,
            744.0,
            340.0,
            29.5,
        ),
        point(agg(4, 128, 8), 8, 730.0, 480.0, 36.0),
        point(
            Layout::Disagg { prefill: worker(2, 1, 10), decode: worker(4, 128, 3), encoders: None },
            1,
            691.0,
            340.0,
            16.0,
        ),
        point(agg(4, 80, 8), 8, 674.0, 472.0, 29.1),
        point(agg(2, 96, 16), 16, 640.0, 900.0, 28.0),
    ];
    View {
        points,
        frontier: vec![0, 2],
        frontier_agg: vec![1, 3],
        frontier_disagg: vec![0, 2],
        picks: vec![0, 2, 3],
        funnel: Funnel {
            tried: 12_408,
            fit_memory: 4_211,
            fit_kv: 3_000,
            measured: 3_000,
            meet_ttft: 1_902,
            meet_itl: 310,
            frontier: 23,
        },
        nearest: None,
    }
}

/// The same as an answer to the opening question.
pub(crate) fn shown() -> Shown {
    let scenario = Scenario::default();
    let places = Arc::new(vec![scenario.home()]);
    Shown { view: view(), scenario, places, left: None, stale: false, data: "1a2b3c4d".to_owned() }
}
