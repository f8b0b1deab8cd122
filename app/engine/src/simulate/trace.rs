//! Reads traces of real traffic, piece by piece: Mooncake JSONL, Dynamo request traces, `BurstGPT` CSV.
//!
//! Bytes come in whatever pieces a file is read in; a line may span several. Compressed files are unpacked before.

mod csv;
mod json;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::traffic::{Arrival, Traffic};

/// Longest line, bytes.
const MAX_LINE: usize = 16 << 20;
/// Most rows.
const MAX_ROWS: usize = 20_000_000;
/// Blocks of prompts remembered to find shared prefixes; a power of two.
const SEEN: usize = 1 << 20;
/// Tokens of a block, where the trace does not say.
const BLOCK: u32 = 512;

/// Kinds of traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// One JSON object a line: `timestamp`, `input_length`, `output_length`, `hash_ids`.
    Mooncake,
    /// `dynamo.request.trace.v1`, one event a line.
    DynamoRequests,
    /// `Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type`.
    BurstGpt,
}

impl Format {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mooncake => "Mooncake JSONL",
            Self::DynamoRequests => "Dynamo request trace",
            Self::BurstGpt => "BurstGPT CSV",
        }
    }
}

/// Why a trace cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum TraceError {
    /// There is nothing in it.
    #[error("the trace has no requests")]
    Empty,
    /// The first line fits no format.
    #[error("line {line} is neither Mooncake or Dynamo JSON nor a BurstGPT header: {start}")]
    Unknown {
        /// Its number.
        line: u64,
        /// How it begins.
        start: String,
    },
    /// A format that is known and not read.
    #[error(
        "line {line} says {name}, which describes agents rather than requests; export it as Mooncake JSONL"
    )]
    Unsupported {
        /// Its number.
        line: u64,
        /// Name of the format.
        name: String,
    },
    /// A line is wrong.
    #[error("line {line}: {why}")]
    Line {
        /// Its number.
        line: u64,
        /// What is wrong.
        why: String,
    },
    /// A line is too long to be one.
    #[error("line {line} is longer than 16 MB")]
    Long {
        /// Its number.
        line: u64,
    },
    /// Too many rows.
    #[error("the trace has more than 20 million requests; cut it first")]
    Large,
    /// Shards of different kinds.
    #[error("line {line} belongs to a {found}, the lines before to a {first}: read them one after the other")]
    Mixed {
        /// Its number.
        line: u64,
        /// What the lines before are.
        first: String,
        /// What this one is.
        found: String,
    },
    /// Damaged or not what its name says.
    #[error("the file cannot be unpacked: {0}")]
    Unpack(String),
}

/// A trace.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// What it is.
    pub format: Format,
    /// Its requests by time; the first is at 0.
    pub rows: Arc<[Arrival]>,
    /// Lines read.
    pub lines: u64,
    /// Requests left out because they have no prompt or no answer.
    pub empty: u64,
    /// Requests placed by the delay after their session's previous turn rather than by a time of their own.
    pub placed: u64,
    /// Whether shared prefixes are known.
    pub prefixes: bool,
}

/// What a trace is like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TraceFacts {
    /// What it is.
    pub format: Format,
    /// Requests.
    pub requests: u64,
    /// From the first to the last, ms.
    pub length_ms: f64,
    /// Mean tokens of a prompt.
    pub isl: f64,
    /// Mean tokens of an answer.
    pub osl: f64,
    /// Share of prompt tokens that an endless cache would have, where prefixes are known.
    pub hit_rate: Option<f64>,
    /// Requests left out because they have no prompt or no answer.
    pub empty: u64,
    /// Requests placed by the delay after their session's previous turn.
    pub placed: u64,
}

impl Trace {
    /// What it is like.
    pub fn facts(&self) -> TraceFacts {
        let count = self.rows.len().max(1) as f64;
        let sum = |part: fn(&Arrival) -> f64| self.rows.iter().map(part).sum::<f64>();
        let isl = sum(|row| f64::from(row.isl));
        let cached = sum(|row| f64::from(row.cached.unwrap_or(0)));
        TraceFacts {
            format: self.format,
            requests: self.rows.len() as u64,
            length_ms: self.rows.last().map_or(0.0, |row| row.at_ms),
            isl: isl / count,
            osl: sum(|row| f64::from(row.osl)) / count,
            hit_rate: self.prefixes.then(|| cached / isl.max(1.0)),
            empty: self.empty,
            placed: self.placed,
        }
    }

    /// As the traffic of a run.
    pub fn traffic(&self) -> Traffic {
        Traffic::Trace(Arc::clone(&self.rows))
    }
}

/// A row as it stands in a file.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Row {
    at_ms: f64,
    isl: u64,
    osl: u64,
    block: u32,
}

/// Reads a trace.
#[derive(Debug, Default)]
pub struct Reader {
    format: Option<Format>,
    columns: Option<csv::Columns>,
    sessions: json::Sessions,
    /// The beginning of a line whose end has not come yet.
    part: Vec<u8>,
    line: u64,
    rows: Vec<Arrival>,
    empty: u64,
    placed: u64,
    seen: Vec<u64>,
    prefixes: bool,
}

impl Reader {
    /// Nothing read yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Requests so far.
    pub fn requests(&self) -> usize {
        self.rows.len()
    }

    /// More of the file.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), TraceError> {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            bytes = rest;
            if self.part.is_empty() {
                self.line(line)?;
            } else {
                let mut whole = std::mem::take(&mut self.part);
                whole.extend_from_slice(line);
                self.line(&whole)?;
                whole.clear();
                self.part = whole;
            }
        }
        if self.part.len() + bytes.len() > MAX_LINE {
            return Err(TraceError::Long { line: self.line + 1 });
        }
        self.part.extend_from_slice(bytes);
        Ok(())
    }

    /// The file ends; another shard of the same trace may follow.
    pub fn end_file(&mut self) -> Result<(), TraceError> {
        let rest = std::mem::take(&mut self.part);
        if !rest.is_empty() {
            self.line(&rest)?;
        }
        self.columns = None;
        Ok(())
    }

    /// The trace.
    pub fn finish(mut self) -> Result<Trace, TraceError> {
        self.end_file()?;
        let Some(format) = self.format.filter(|_| !self.rows.is_empty()) else {
            return Err(TraceError::Empty);
        };
        self.rows.sort_by(|a, b| a.at_ms.total_cmp(&b.at_ms));
        let first = self.rows.first().map_or(0.0, |row| row.at_ms);
        for row in &mut self.rows {
            row.at_ms -= first;
            if !self.prefixes {
                row.cached = None;
            }
        }
        Ok(Trace {
            format,
            rows: self.rows.into(),
            lines: self.line,
            empty: self.empty,
            placed: self.placed,
            prefixes: self.prefixes,
        })
    }

    fn line(&mut self, bytes: &[u8]) -> Result<(), TraceError> {
        self.line += 1;
        let line = self.line;
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let bytes = if line == 1 { bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes) } else { bytes };
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        if self.rows.len() >= MAX_ROWS {
            return Err(TraceError::Large);
        }
        let wrong = |why: String| TraceError::Line { line, why };
        let is_json = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
        if !is_json {
            return self.csv_line(line, bytes);
        }
        let entry = json::read(bytes, line)?;
        match entry {
            json::Entry::Other => self.settle(Format::DynamoRequests, line),
            json::Entry::Mooncake(row) => {
                self.settle(Format::Mooncake, line)?;
                let (at_ms, placed) = self.sessions.place(&row).map_err(wrong)?;
                self.placed += u64::from(placed);
                let block = BLOCK;
                self.add(Row { at_ms, isl: row.input_length, osl: row.output_length, block }, &row.hash_ids);
                Ok(())
            }
            json::Entry::Dynamo(row, hashes) => {
                self.settle(Format::DynamoRequests, line)?;
                self.add(row, &hashes);
                Ok(())
            }
        }
    }

    fn csv_line(&mut self, line: u64, bytes: &[u8]) -> Result<(), TraceError> {
        let wrong = |why: String| TraceError::Line { line, why };
        let text = std::str::from_utf8(bytes).map_err(|_| wrong("it is not text".to_owned()))?;
        let Some(columns) = &self.columns else {
            let Some(columns) = csv::Columns::find(text) else {
                let start: String = text.chars().take(60).collect();
                return Err(TraceError::Unknown { line, start });
            };
            self.settle(Format::BurstGpt, line)?;
            self.columns = Some(columns);
            return Ok(());
        };
        let (secs, isl, osl) = columns.read(text).map_err(wrong)?;
        self.add(Row { at_ms: secs * 1000.0, isl, osl, block: BLOCK }, &[]);
        Ok(())
    }

    /// Every line is of the first line's kind.
    fn settle(&mut self, format: Format, line: u64) -> Result<(), TraceError> {
        match self.format {
            Some(first) if first != format => Err(TraceError::Mixed {
                line,
                first: first.name().to_owned(),
                found: format.name().to_owned(),
            }),
            _ => {
                self.format = Some(format);
                Ok(())
            }
        }
    }

    fn add(&mut self, row: Row, hashes: &[u64]) {
        if row.isl == 0 || row.osl == 0 {
            self.empty += 1;
            return;
        }
        let small = |tokens: u64| u32::try_from(tokens).unwrap_or(u32::MAX);
        let shared = self.shared(hashes);
        self.prefixes |= !hashes.is_empty();
        let cached = u64::from(shared) * u64::from(row.block);
        let cached = small(cached.min(row.isl - 1));
        let (isl, osl) = (small(row.isl), small(row.osl));
        self.rows.push(Arrival { at_ms: row.at_ms, isl, osl, cached: Some(cached) });
    }

    /// Leading blocks that were seen before. The newest block takes the place of an older one of the same slot, so that
    /// memory stays bounded.
    fn shared(&mut self, hashes: &[u64]) -> u32 {
        if hashes.is_empty() {
            return 0;
        }
        if self.seen.is_empty() {
            self.seen.resize(SEEN, u64::MAX);
        }
        let mut shared = 0;
        let mut leading = true;
        for &hash in hashes {
            // The greatest number marks slots without a block.
            let hash = hash.min(u64::MAX - 1);
            // Spreads ids that are counted one by one as well as hashes.
            let slot = (hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44) as usize;
            leading &= self.seen[slot] == hash;
            shared += u32::from(leading);
            self.seen[slot] = hash;
        }
        shared
    }
}

#[cfg(test)]
mod tests;
