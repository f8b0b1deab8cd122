//! One JSON object a line: Mooncake rows, or events of a Dynamo request trace.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{BLOCK, Row, TraceError};

/// Most sessions remembered.
const MAX_SESSIONS: usize = 1_000_000;

/// A Mooncake row. Booleans and negative numbers are refused by the types.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Mooncake {
    timestamp: Option<f64>,
    pub(super) input_length: u64,
    pub(super) output_length: u64,
    #[serde(default)]
    pub(super) hash_ids: Vec<u64>,
    session_id: Option<Name>,
    delay: Option<f64>,
}

/// Sessions are named by text or number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(untagged)]
enum Name {
    Text(String),
    Number(u64),
}

/// What a line may hold; tells its kind.
#[derive(Deserialize)]
struct Probe {
    schema: Option<String>,
    event_type: Option<String>,
    input_length: Option<IgnoredAny>,
    output_length: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Event {
    event_time_unix_ms: Option<f64>,
    request: EventRequest,
}

#[derive(Deserialize)]
struct EventRequest {
    request_received_ms: Option<f64>,
    output_tokens: Option<u64>,
    replay: Option<Replay>,
    input_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct Replay {
    trace_block_size: Option<u32>,
    input_length: u64,
    #[serde(default)]
    input_sequence_hashes: Vec<u64>,
}

/// A line.
pub(super) enum Entry {
    Mooncake(Mooncake),
    Dynamo(Row, Vec<u64>),
    /// An event that is no request.
    Other,
}

/// Reads a line.
pub(super) fn read(bytes: &[u8], line: u64) -> Result<Entry, TraceError> {
    let wrong = |error: serde_json::Error| TraceError::Line { line, why: plain(&error) };
    // Almost every line of a trace is of the most common kind.
    if let Ok(row) = serde_json::from_slice::<Mooncake>(bytes) {
        return Ok(Entry::Mooncake(row));
    }
    let probe: Probe = serde_json::from_slice(bytes).map_err(wrong)?;
    if let Some(schema) = &probe.schema
        && schema != "dynamo.request.trace.v1"
    {
        return Err(TraceError::Unsupported { line, name: schema.chars().take(60).collect() });
    }
    match probe.event_type.as_deref() {
        Some("request_end") => {
            let event: Event = serde_json::from_slice(bytes).map_err(wrong)?;
            event.row(line)
        }
        Some(_) => Ok(Entry::Other),
        None if probe.input_length.is_some() || probe.output_length.is_some() => {
            // The first attempt says what is wrong.
            serde_json::from_slice::<Mooncake>(bytes).map(Entry::Mooncake).map_err(wrong)
        }
        None => {
            let start = String::from_utf8_lossy(bytes).chars().take(60).collect();
            Err(TraceError::Unknown { line, start })
        }
    }
}

/// The column is of use, the line is always 1.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let cut = text.rfind(" at line ").unwrap_or(text.len());
    format!("{} (column {})", &text[..cut], error.column())
}

impl Event {
    fn row(self, line: u64) -> Result<Entry, TraceError> {
        let missing = |name: &str| TraceError::Line { line, why: format!("{name} is missing") };
        let request = self.request;
        let at_ms = request.request_received_ms.or(self.event_time_unix_ms);
        let at_ms = at_ms.ok_or_else(|| missing("request.request_received_ms"))?;
        if !(at_ms.is_finite() && at_ms >= 0.0) {
            let why = format!("request.request_received_ms is {at_ms}, which is no time");
            return Err(TraceError::Line { line, why });
        }
        let osl = request.output_tokens.ok_or_else(|| missing("request.output_tokens"))?;
        let (isl, block, hashes) = match request.replay {
            Some(replay) => {
                (replay.input_length, replay.trace_block_size.unwrap_or(BLOCK), replay.input_sequence_hashes)
            }
            None => (request.input_tokens.ok_or_else(|| missing("request.replay"))?, BLOCK, Vec::new()),
        };
        Ok(Entry::Dynamo(Row { at_ms, isl, osl, block }, hashes))
    }
}

/// When the last turn of each session came.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    last_ms: BTreeMap<Name, f64>,
}

impl Sessions {
    /// When a row comes, and whether only its delay says so. Delays count from the arrival of the previous turn: when
    /// that is answered depends on the cluster.
    pub(super) fn place(&mut self, row: &Mooncake) -> Result<(f64, bool), String> {
        let time = |name: &str, value: f64| {
            let sound = value.is_finite() && value >= 0.0;
            if sound { Ok(value) } else { Err(format!("{name} is {value}, which is no time in ms")) }
        };
        let last = row.session_id.as_ref().and_then(|session| self.last_ms.get(session)).copied();
        let (at_ms, placed) = match (row.timestamp, row.delay) {
            (Some(at), _) => (time("timestamp", at)?, false),
            (None, Some(delay)) => {
                let last = last.ok_or("it has a delay and no turn of its session before it")?;
                (last + time("delay", delay)?, true)
            }
            (None, None) => return Err("timestamp is missing".to_owned()),
        };
        if let Some(session) = &row.session_id
            && (self.last_ms.len() < MAX_SESSIONS || last.is_some())
        {
            self.last_ms.insert(session.clone(), at_ms);
        }
        Ok((at_ms, placed))
    }
}
