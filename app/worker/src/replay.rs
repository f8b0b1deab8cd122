//! Traffic is replayed in a worker of its own: up to two runs at a time, told as they go, and traces read piece by
//! piece. Neither the page nor the search carries the simulator for it. The worker starts when it is first needed.

pub mod client;
mod unpack;

use engine::cluster::{Decision, Sample, Slo};
use engine::planner::PerRole;
use engine::simulate::story::{self, Outline, Settings};
use engine::simulate::trace::{Trace, TraceFacts};
use engine::simulate::{Arrival, Fleets, Run, Summary, Traffic};
use engine::text::{self, Message};
use serde::{Deserialize, Serialize};

use unpack::Unpack;

/// Events of a run between two messages: a few milliseconds.
const SLICE: u32 = 10_000;

/// Which of the runs that stand side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seat {
    /// The run itself.
    First,
    /// What it is compared with.
    Second,
}

/// Who arrives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Crowd {
    /// A story.
    Story(Outline),
    /// The trace read last, so many times as fast.
    Trace {
        /// 2 halves the time between requests.
        speed: f64,
    },
}

/// A run to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Who arrives.
    pub crowd: Crowd,
    /// Who serves; none for the workers of the storm.
    pub fleets: Option<Fleets>,
    /// How many of them at the beginning.
    pub count: PerRole<u32>,
    /// Targets.
    pub slo: Slo,
    /// The rest.
    pub settings: Settings,
}

/// What the page asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Ask {
    /// Begin a run; replaces the one in its seat.
    Run {
        /// Comes back with everything about it.
        id: u32,
        /// Where it stands.
        seat: Seat,
        /// What to do.
        job: Box<Job>,
    },
    /// Give up the run of a seat.
    Stop {
        /// Which.
        seat: Seat,
    },
    /// The next piece of a trace.
    Piece {
        /// Comes back with everything about it; another number begins another trace.
        id: u32,
        /// Bytes of the file.
        bytes: Vec<u8>,
        /// Whether the file ends with it.
        ends_file: bool,
        /// Whether the trace ends with it.
        ends: bool,
    },
}

/// News of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct News {
    /// Which run.
    pub id: u32,
    /// Where it stands.
    pub seat: Seat,
    /// Moments since the last news.
    pub samples: Vec<Sample>,
    /// Every change of replicas so far.
    pub decisions: Vec<Decision>,
    /// Share done, 0 to 1.
    pub share: f64,
    /// Figures of the whole, once it is over.
    pub summary: Option<Summary>,
}

/// From the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// The worker listens. Stays the first variant, so that builds can always tell each other apart.
    Ready {
        /// Its build.
        build: String,
    },
    /// A run goes on.
    News(News),
    /// A run cannot begin.
    Refused {
        /// Which.
        id: u32,
        /// Why.
        message: Message,
    },
    /// A piece of a trace was read; the next may come.
    Read {
        /// Which trace.
        id: u32,
        /// Requests so far.
        requests: u64,
    },
    /// A trace was read, or why it cannot be.
    Traced {
        /// Which trace.
        id: u32,
        /// What it is like.
        facts: Result<TraceFacts, Message>,
    },
    /// The worker stopped working.
    Crashed {
        /// What it said last.
        why: String,
    },
}

struct Seated {
    id: u32,
    seat: Seat,
    run: Run,
    told: usize,
}

/// The worker's side, without a browser.
#[derive(Default)]
pub struct Host {
    runs: Vec<Seated>,
    reading: Option<(u32, Unpack)>,
    trace: Option<Trace>,
}

impl Host {
    /// Nothing to do yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a run is under way.
    pub fn is_busy(&self) -> bool {
        !self.runs.is_empty()
    }

    /// Does what is asked for, or begins it.
    pub fn handle(&mut self, ask: Ask) -> Option<Reply> {
        match ask {
            Ask::Run { id, seat, job } => {
                self.runs.retain(|seated| seated.seat != seat);
                match self.begin(*job) {
                    Ok(run) => {
                        self.runs.push(Seated { id, seat, run, told: 0 });
                        None
                    }
                    Err(message) => Some(Reply::Refused { id, message }),
                }
            }
            Ask::Stop { seat } => {
                self.runs.retain(|seated| seated.seat != seat);
                None
            }
            Ask::Piece { id, bytes, ends_file, ends } => self.read(id, &bytes, ends_file, ends),
        }
    }

    /// Every run goes on for a while.
    pub fn advance(&mut self) -> Vec<Reply> {
        let news = self.runs.iter_mut().map(|seated| {
            let more = seated.run.advance(SLICE);
            let samples = seated.run.since(seated.told).to_vec();
            seated.told += samples.len();
            Reply::News(News {
                id: seated.id,
                seat: seated.seat,
                samples,
                decisions: seated.run.decisions().to_vec(),
                share: seated.run.share(),
                summary: (!more).then(|| seated.run.summary()),
            })
        });
        let news = news.collect();
        self.runs.retain(|seated| !seated.run.is_over());
        news
    }

    fn begin(&self, job: Job) -> Result<Run, Message> {
        let traffic = match job.crowd {
            Crowd::Story(outline) => Traffic::Story(outline.story()),
            Crowd::Trace { speed } => {
                let trace = self.trace.as_ref().ok_or_else(text::replay::no_trace)?;
                faster(trace, speed)
            }
        };
        let mut fleets = match job.fleets {
            Some(fleets) => fleets,
            None => story::storm_fleets().map_err(|error| text::replay::damaged(&error.to_string()))?,
        };
        if let Some(prefill) = &mut fleets.prefill {
            prefill.count = job.count.prefill;
        }
        fleets.decode.count = job.count.decode;
        let setup = job.settings.setup(traffic, fleets, job.slo);
        Run::new(setup).map_err(|error| text::replay::refused(&error))
    }

    fn read(&mut self, id: u32, bytes: &[u8], ends_file: bool, ends: bool) -> Option<Reply> {
        if self.reading.as_ref().is_none_or(|(reading, _)| *reading != id) {
            self.reading = Some((id, Unpack::default()));
        }
        let (_, unpack) = self.reading.as_mut()?;
        let mut outcome = unpack.push(bytes);
        if ends_file && outcome.is_ok() {
            outcome = unpack.end_file();
        }
        match outcome {
            Ok(requests) if !ends => return Some(Reply::Read { id, requests }),
            Ok(_) => {}
            Err(error) => {
                self.reading = None;
                return Some(Reply::Traced { id, facts: Err(text::replay::unread(&error)) });
            }
        }
        let (_, unpack) = self.reading.take()?;
        let facts = unpack.finish().map_err(|error| text::replay::unread(&error)).map(|trace| {
            let facts = trace.facts();
            self.trace = Some(trace);
            facts
        });
        Some(Reply::Traced { id, facts })
    }
}

/// The requests of a trace, closer together or further apart.
fn faster(trace: &Trace, speed: f64) -> Traffic {
    if speed == 1.0 || !(speed.is_finite() && speed > 0.0) {
        return trace.traffic();
    }
    let row = |row: &Arrival| Arrival { at_ms: row.at_ms / speed, ..*row };
    Traffic::Trace(trace.rows.iter().map(row).collect())
}
