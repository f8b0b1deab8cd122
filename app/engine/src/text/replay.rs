//! What a replayed run tells: its course in sentences, and what keeps it from beginning.

use super::{Message, capital};
use crate::cluster::Decision;
use crate::format::{count, duration, percent, typed};
use crate::simulate::story::Kind;
use crate::simulate::trace::{TraceError, TraceFacts};
use crate::simulate::{Course, SetupError, Summary};

/// Name of a kind of story.
pub const fn story_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Storm => "Airline storm",
        Kind::Constant => "Constant",
        Kind::Ramp => "Ramp",
        Kind::Burst => "One burst",
        Kind::Wave => "Daily wave",
    }
}

/// One sentence about it.
pub const fn story_sentence(kind: Kind) -> &'static str {
    match kind {
        Kind::Storm => {
            "Calm chat; then a storm grounds flights: a crowd of travellers sends whole bookings at once, others keep coming, and it is calm again."
        }
        Kind::Constant => "The same rate from beginning to end.",
        Kind::Ramp => "From the calm rate to the peak, evenly.",
        Kind::Burst => "Calm, and once a crowd that comes all at once.",
        Kind::Wave => "From calm to the peak and back, as over a day.",
    }
}

/// The course of a run under the planner, or of a fleet that stays as it is.
pub fn course(course: &Course, planned: bool) -> Vec<String> {
    let mut out = Vec::new();
    match (course.missed_ms, course.kept_ms) {
        (None, _) => out.push("The SLO is kept throughout.".to_owned()),
        (Some(missed), Some(kept)) => out.push(format!(
            "The SLO is missed at {} and kept again from {}, {} later.",
            clock(missed),
            clock(kept),
            duration(kept - missed),
        )),
        (Some(missed), None) => {
            out.push(format!("The SLO is missed at {} and not kept again.", clock(missed)));
        }
    }
    if !planned {
        return out;
    }
    let Some(up) = &course.first_up else {
        out.push(match course.missed_ms {
            None => "The planner never asks for more workers: those there are suffice.".to_owned(),
            Some(_) => "The planner never asks for more workers; the decisions below say why.".to_owned(),
        });
        return out;
    };
    out.push(asked(up, course.cancelled_ms));
    out
}

fn asked(up: &Decision, cancelled_ms: Option<u64>) -> String {
    let at = clock(up.at_ms);
    match (up.ready_ms, cancelled_ms) {
        (Some(ready), _) => format!(
            "The first worker more is asked for at {at} and serves from {}, after {}: until then those there were carry the burst alone.",
            clock(ready),
            duration(ready - up.at_ms),
        ),
        (None, Some(cancelled)) => format!(
            "The first worker more is asked for at {at} and taken back at {}, before it could serve: the burst is shorter than the start of a worker. Only a worker that is ready beforehand, a faster start or a lower bound of the throughput loop would have helped.",
            clock(cancelled),
        ),
        (None, None) => {
            format!("The first worker more is asked for at {at} and does not serve before the end.")
        }
    }
}

fn clock(at_ms: u64) -> String {
    let secs = at_ms / 1000;
    let (hours, minutes, secs) = (secs / 3600, secs / 60 % 60, secs % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{secs:02}") } else { format!("{minutes}:{secs:02}") }
}

/// What became of the requests.
pub fn requests(summary: &Summary) -> String {
    let Summary { arrived, done, in_flight, refused, preempted, .. } = *summary;
    let mut parts = vec![format!("{} requests: {} served", count(arrived), count(done))];
    if in_flight > 0 {
        parts.push(format!("{} still waiting or being served", count(in_flight)));
    }
    if refused > 0 {
        parts.push(format!("{} too long for a worker", count(refused)));
    }
    if preempted > 0 {
        parts.push(format!("{} times a request lost its KV cache and was computed again", count(preempted)));
    }
    parts.join(", ") + "."
}

/// What a trace is like.
pub fn trace(facts: &TraceFacts) -> String {
    let TraceFacts { format, requests, length_ms, isl, osl, hit_rate, empty, placed } = *facts;
    let mut said = vec![format!(
        "{}: {} requests over {}, on average {} tokens in and {} out{}.",
        format.name(),
        count(requests),
        duration(length_ms as u64),
        count(isl.round() as u64),
        count(osl.round() as u64),
        hit_rate.map_or_else(String::new, |rate| {
            format!(", {} of the prompt tokens seen before", percent(rate).trim_start_matches('+'))
        }),
    )];
    if empty > 0 {
        said.push(format!("{} without a prompt or an answer were left out.", count(empty)));
    }
    if placed > 0 {
        said.push(format!(
            "{} have no time of their own and follow the previous turn of their session by its delay.",
            count(placed)
        ));
    }
    said.join(" ")
}

/// A trace that cannot be read.
pub fn unread(error: &TraceError) -> Message {
    let action = match error {
        TraceError::Empty | TraceError::Unknown { .. } => {
            "Choose a Mooncake JSONL, a Dynamo request trace (JSONL, plain or .gz) or a BurstGPT CSV."
        }
        TraceError::Unsupported { .. } | TraceError::Large => "",
        TraceError::Line { .. } | TraceError::Long { .. } => {
            "Mend or remove that line, then choose the file again."
        }
        TraceError::Mixed { .. } => "Choose files of one kind.",
        TraceError::Unpack(_) => "Unpack it yourself, or fetch it again: it may have been cut short.",
    };
    Message::new("This trace cannot be read", capital(&error.to_string()), action)
}

/// A file that the browser cannot read.
pub fn unreadable(name: &str) -> Message {
    Message::new(
        "The browser cannot read this file",
        name,
        "Choose it again; it may have been moved or changed meanwhile.",
    )
}

/// A replay of a trace before one was chosen.
pub fn no_trace() -> Message {
    Message::new("There is no trace yet", "The story says to replay a trace.", "Choose a file with one.")
}

/// The table of the storm is damaged.
pub fn damaged(why: &str) -> Message {
    Message::new("The step times of the storm cannot be read", why, "Reload the page.")
}

/// A run that cannot begin.
pub fn refused(error: &SetupError) -> Message {
    match error {
        SetupError::Range { what, value, range } => Message::new(
            "This run cannot begin",
            format!("{} is {}", capital(what), typed(*value)),
            format!("It must be {range}."),
        ),
        SetupError::Planner(errors) => {
            let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
            Message::new("The planner refuses these settings", capital(&said.join("; ")), "")
        }
        SetupError::Speed => Message::new(
            "This point cannot be replayed",
            "The step times of its workers are incomplete",
            "Choose another point on Explore.",
        ),
    }
}
