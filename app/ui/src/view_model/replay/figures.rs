//! What a run came to, in rows.

use engine::format::{self, NONE};
use engine::simulate::{Percentiles, Summary};

/// A row of the figures of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FigureRow {
    /// What it is.
    pub name: &'static str,
    /// Of the run.
    pub first: String,
    /// Of what it is compared with.
    pub second: String,
}

/// The figures of a run and of what it is compared with, each with its changes of replicas; a dash until it is over.
pub fn figures(first: Option<(Summary, usize)>, second: Option<(Summary, usize)>) -> Vec<FigureRow> {
    type Show = fn(&Summary, usize) -> String;
    fn latency(of: Option<Percentiles>, pick: fn(&Percentiles) -> f64) -> String {
        of.map_or_else(|| NONE.to_owned(), |of| format!("{} ms", format::ms(pick(&of))))
    }
    let rows: [(&'static str, Show); 11] = [
        ("Within both targets", |run, _| {
            run.attainment().map_or_else(
                || NONE.to_owned(),
                |share| format::percent(share).trim_start_matches('+').to_owned(),
            )
        }),
        ("Goodput, req/s", |run, _| format::rate(run.goodput_per_sec())),
        ("TTFT, median", |run, _| latency(run.ttft, |all| all.p50)),
        ("TTFT, p95", |run, _| latency(run.ttft, |all| all.p95)),
        ("TTFT, p99", |run, _| latency(run.ttft, |all| all.p99)),
        ("TTFT, longest", |run, _| latency(run.ttft, |all| all.max)),
        ("ITL, median", |run, _| latency(run.itl, |all| all.p50)),
        ("ITL, p99", |run, _| latency(run.itl, |all| all.p99)),
        ("Requests served", |run, _| format::count(run.done)),
        ("GPU-hours", |run, _| format!("{:.2}", run.gpu_hours)),
        ("Changes of replicas", |_, changes| format::count(changes as u64)),
    ];
    let told = |run: Option<(Summary, usize)>, show: Show| {
        run.map_or_else(|| NONE.to_owned(), |(summary, changes)| show(&summary, changes))
    };
    let row = |(name, show)| FigureRow { name, first: told(first, show), second: told(second, show) };
    rows.into_iter().map(row).collect()
}
