//! Prometheus: traffic, latencies, the planner's gauges and the engines' load, asked for every few seconds.
//!
//! `ask` holds the questions, `which` finds the deployment among all that answer, `read` makes a status of it.

mod ask;
mod client;
mod read;
mod which;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use engine::cluster::{Sample, SourceKind, Trouble};
use futures_util::future::try_join_all;
use reqwest::Url;
use tokio::time::Instant;
use tracing::warn;

use super::{PlannerSource, SourceError, Update};
use client::{Client, Series};
use read::Row;
use which::{Wanted, Which};

/// Longest time for all questions of one round.
const PATIENCE: Duration = Duration::from_secs(10);
/// Rounds per window, and the bounds of the time between two.
const ROUNDS_PER_WINDOW: u32 = 36;
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How far back the past is asked for, with the step: coarse for all of it, fine for the end of it.
const PAST: [(u64, u64); 2] = [(6 * 3_600_000, 60_000), (30 * 60_000, 5_000)];
/// How often the past is asked for when it is not told.
const TRIES: u32 = 3;

/// Where Prometheus is and what to look for in it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its address, a path prefix included.
    pub url: Url,
    /// A file with a bearer token.
    pub token_file: Option<PathBuf>,
    /// A PEM file with the authorities to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// Kubernetes namespace of the deployment.
    pub namespace: Option<String>,
    /// Name of the deployment.
    pub deployment: Option<String>,
    /// Time over which traffic is averaged.
    pub window: Duration,
}

/// A Prometheus and what has been read of it.
#[derive(Debug)]
pub struct Prometheus {
    client: Client,
    wanted: Wanted,
    window: Duration,
    asks: [String; 5],
    due: Option<Instant>,
    heard_ms: Option<u64>,
    gap: Option<Gap>,
}

/// A time that nothing is known of.
#[derive(Clone, Copy, Debug)]
struct Gap {
    from_ms: Option<u64>,
    tries: u32,
}

impl Prometheus {
    /// Asks nothing yet. Fails with a sentence when the authorities cannot be read.
    pub fn new(settings: Settings) -> Result<Self, String> {
        Ok(Self {
            client: Client::new(&settings.url, settings.token_file, settings.ca.as_deref())?,
            wanted: Wanted { namespace: settings.namespace, deployment: settings.deployment },
            window: settings.window,
            asks: ask::all(settings.window),
            due: None,
            heard_ms: None,
            gap: Some(Gap { from_ms: None, tries: TRIES }),
        })
    }

    fn pause(&self) -> Duration {
        (self.window / ROUNDS_PER_WINDOW).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
    }

    async fn round(&mut self) -> Result<(Update, Which), SourceError> {
        let answers = try_join_all(self.asks.iter().map(|ask| self.client.now(ask))).await?;
        let series: Vec<Series> = answers.into_iter().flatten().collect();
        let rows: Vec<Row<'_>> = series.iter().flat_map(Row::all).collect();
        let which = which::choose(&rows, &self.wanted)?;
        let status = read::status(&rows, &which, self.window);
        let trouble = read::lacks(&status);
        Ok((Update { status, trouble, past: Vec::new() }, which))
    }

    /// The moments that were missed, as far as Prometheus remembers them.
    async fn past(&self, which: &Which, gap: Gap, now_ms: u64) -> Result<Vec<Sample>, SourceError> {
        let mut past = Vec::new();
        let ranges = PAST.map(|(reach, step)| {
            let from = now_ms.saturating_sub(reach).max(gap.from_ms.unwrap_or(0));
            (from - from % step, step)
        });
        for (from, step) in ranges {
            let asked = self.asks.iter().map(|ask| self.client.range(ask, (from, now_ms), step));
            let series: Vec<Series> = try_join_all(asked).await?.into_iter().flatten().collect();
            let mut moments: BTreeMap<u64, Vec<Row<'_>>> = BTreeMap::new();
            for row in series.iter().flat_map(Row::all) {
                moments.entry(row.at_ms).or_default().push(row);
            }
            past.extend(moments.values().map(|rows| read::status(rows, which, self.window).sample()));
        }
        // Coarse and fine moments in one order; of two at the same time one is enough.
        past.sort_by_key(|sample| sample.at_ms);
        past.dedup_by_key(|sample| sample.at_ms);
        Ok(past)
    }

    async fn fill_gap(&mut self, which: &Which, now_ms: u64) -> Vec<Sample> {
        let missed = self.heard_ms.filter(|heard| now_ms.saturating_sub(*heard) > 3 * ms(LONGEST_PAUSE));
        if let Some(heard) = missed
            && self.gap.is_none()
        {
            self.gap = Some(Gap { from_ms: Some(heard), tries: TRIES });
        }
        let Some(gap) = self.gap else { return Vec::new() };
        let told = match tokio::time::timeout(PATIENCE, self.past(which, gap, now_ms)).await {
            Ok(told) => told,
            Err(_) => Err(self.slow()),
        };
        match told {
            Ok(past) => {
                self.gap = None;
                past
            }
            Err(error) => {
                warn!("the past is not known yet: {error}");
                self.gap = (gap.tries > 1).then_some(Gap { tries: gap.tries - 1, ..gap });
                Vec::new()
            }
        }
    }

    fn slow(&self) -> SourceError {
        Trouble::Slow { url: self.client.address().to_owned(), waited_ms: ms(PATIENCE) }.into()
    }
}

impl PlannerSource for Prometheus {
    const KIND: SourceKind = SourceKind::Prometheus;

    async fn next(&mut self) -> Result<Update, SourceError> {
        if let Some(due) = self.due {
            tokio::time::sleep_until(due).await;
        }
        // After an error it is the hub that says when.
        self.due = None;
        let begun = Instant::now();
        let (mut update, which) = match tokio::time::timeout(PATIENCE, self.round()).await {
            Ok(told) => told?,
            Err(_) => return Err(self.slow()),
        };
        let now_ms = update.status.now_ms;
        update.past = self.fill_gap(&which, now_ms).await;
        self.heard_ms = Some(now_ms);
        self.due = Some(begun + self.pause());
        Ok(update)
    }
}

fn ms(time: Duration) -> u64 {
    time.as_millis() as u64
}
