//! A running cluster in words: what its timelines show, how its sources fare, whether it keeps the promise.

use super::{Message, alternatives, capital, excerpt, number_of};
use crate::cluster::{Gpus, Health, Measured, Simulated, Source, SourceKind, Trouble, WorkerState};
use crate::format::{change, count, duration, percent, rate, typed};

/// What is said of one lane of the timelines; digits are ready to be read.
#[derive(Clone, Debug, Default)]
pub struct LaneFacts {
    /// Its title, with the unit.
    pub title: &'static str,
    /// The last known value.
    pub last: Option<String>,
    /// The highest value, and when it was.
    pub highest: Option<(String, String)>,
    /// Target or budget.
    pub limit: Option<String>,
    /// Share of the moments beyond it.
    pub over: Option<f64>,
}

/// `TTFT, ms: 190 at the end, highest 36,920 at 1:05. Target or budget 500, beyond it 38 % of the time.`
pub fn lane_summary(facts: &LaneFacts) -> String {
    let Some(last) = &facts.last else { return format!("{}: nothing known in this window.", facts.title) };
    let highest =
        facts.highest.as_ref().map_or_else(String::new, |(value, at)| format!(", highest {value} at {at}"));
    let limit = facts.limit.as_ref().map_or_else(String::new, |limit| match facts.over {
        Some(share) if share > 0.0 => format!(" Limit {limit}, beyond it {} of the time.", percent(share)),
        Some(_) => format!(" Limit {limit}, never beyond it."),
        None => format!(" Limit {limit}."),
    });
    format!("{}: {last} at the end{highest}.{limit}", facts.title)
}

/// `Prometheus`.
pub const fn source(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Simulated => "Simulation",
        SourceKind::Prometheus => "Prometheus",
        SourceKind::Kubernetes => "Kubernetes",
    }
}

/// `traffic`.
pub const fn measured(what: Measured) -> &'static str {
    match what {
        Measured::Traffic => "traffic",
        Measured::Replicas => "replicas",
        Measured::Planner => "planner",
        Measured::Engines => "engines",
    }
}

/// How a source fares, in a few words: `stale for 2 min, asked again in 8 s`.
pub fn health(source: &Source, now_ms: u64) -> String {
    let since = |at: u64| duration(now_ms.saturating_sub(at));
    // Below a second nobody reads the difference.
    let heard = |at: u64| {
        if now_ms.saturating_sub(at) < 1_000 {
            "heard just now".to_owned()
        } else {
            format!("heard {} ago", since(at))
        }
    };
    let state = match source.health {
        Health::Starting => "starting".to_owned(),
        Health::Live => {
            return source.heard_ms.map_or_else(|| "live".to_owned(), |at| format!("live, {}", heard(at)));
        }
        Health::Stale => format!("stale, last {}", heard(source.heard_ms.unwrap_or(source.since_ms))),
        Health::Down => format!("has never answered, for {}", since(source.since_ms)),
    };
    match source.retry_ms {
        Some(retry) if retry > now_ms => format!("{state}, asked again in {}", duration(retry - now_ms)),
        Some(_) => format!("{state}, being asked again"),
        None => state,
    }
}

/// What is wrong with a source, and what to do about it.
pub fn trouble(kind: SourceKind, trouble: &Trouble) -> Message {
    let name = source(kind);
    let again = "It is asked again by itself.";
    match trouble {
        Trouble::Unreachable { url, why } => Message::new(
            format!("{name} cannot be reached"),
            format!("Nobody answers at {}: {}.", excerpt(url), excerpt(why)),
            format!("Check that it runs and that the server reaches this address. {again}"),
        ),
        Trouble::Slow { url, waited_ms } => Message::new(
            format!("{name} is too slow"),
            format!("{} did not answer within {}.", excerpt(url), duration(*waited_ms)),
            format!("Check its load and the network between. {again}"),
        ),
        Trouble::Unauthorized { url } => Message::new(
            format!("{name} does not accept the credentials"),
            format!("{} answers 401: credentials are missing, wrong or expired.", excerpt(url)),
            "Give the server a valid token for it and start the server again.",
        ),
        Trouble::Forbidden { what } => Message::new(
            format!("{name} does not allow this"),
            format!("The credentials may not read {}.", excerpt(what)),
            "Add get, list and watch for it to the role of the server; it needs nothing more.",
        ),
        Trouble::Missing { what } => Message::new(
            format!("{name} does not have this"),
            format!("There is no {}.", excerpt(what)),
            "Check the name and the namespace that the server was started with.",
        ),
        Trouble::Throttled { url } => Message::new(
            format!("{name} is asked too often"),
            format!("{} answers 429.", excerpt(url)),
            format!("Let the server ask less often, or raise the limit. {again}"),
        ),
        Trouble::Status { url, code, why } => Message::new(
            format!("{name} answers with an error"),
            format!("{} answers {code}: {}.", excerpt(url), excerpt(why)),
            format!("Look into its log. {again}"),
        ),
        Trouble::Malformed { url, why } => Message::new(
            format!("{name} cannot be understood"),
            format!("The answer of {} makes no sense: {}.", excerpt(url), excerpt(why)),
            "Check that the address leads to the right service and version.",
        ),
        Trouble::Empty { what } => Message::new(
            format!("{name} has no such figures"),
            format!("There is none of {}.", excerpt(what)),
            "Check that the planner runs and that its metrics are collected.",
        ),
        Trouble::Ambiguous { names } => Message::new(
            "Several deployments were found",
            format!(
                "None was chosen of {}.",
                alternatives(&names.iter().map(|name| excerpt(name)).collect::<Vec<_>>())
            ),
            "Start the server with the name of one of them.",
        ),
    }
}

/// What is simulated, so that nobody takes it for a cluster.
pub fn simulated(story: &Simulated) -> String {
    let round = if story.round == 0 {
        String::new()
    } else {
        format!(", round {}", count(story.round.saturating_add(1)))
    };
    format!(
        "Simulated: a story of {} plays at {} times its speed{round}. No cluster is connected.",
        duration(story.length_ms),
        typed(story.speed)
    )
}

/// Why there is no live status, and what to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Away {
    /// Nobody answers, or something that has no live status.
    Nobody,
    /// There was one, and the connection broke.
    Lost,
    /// It answers with an error, and maybe says why.
    Status(u16, Option<Message>),
    /// It makes no sense.
    Garbled(String),
    /// It speaks another version.
    Schema(u32),
}

/// Why there is no live status, and what to do.
pub fn away(away: &Away) -> Message {
    const START: &str =
        "Start the server, which simulates a cluster until it is given one: make run, then open its address.";
    match away {
        Away::Nobody => Message::new(
            "No server with live status here",
            "This page works without one; only this screen needs it.",
            START,
        ),
        Away::Lost => Message::new(
            "The server has gone",
            "What was known last stays on screen and grows old.",
            "It is tried again by itself; if it was stopped, start it again.",
        ),
        Away::Status(_, Some(message)) => message.clone(),
        Away::Status(code, None) => Message::new(
            "The server has no live status",
            format!("It answers {code}."),
            "Look into its log. It is tried again by itself.",
        ),
        Away::Garbled(why) => Message::new(
            "The live status cannot be understood",
            format!("{}.", capital(&excerpt(why))),
            "Reload the page, so that page and server are of one version.",
        ),
        Away::Schema(schema) => Message::new(
            "The server speaks another version",
            format!(
                "Its live status has version {schema}, this page reads version {}.",
                crate::cluster::SCHEMA
            ),
            "Reload the page, so that page and server are of one version.",
        ),
    }
}

/// What a token is asked for with.
pub fn locked() -> Message {
    Message::new(
        "The live status needs a token",
        "The server prints one when it starts, or was given one.",
        "It is sent to this server alone and kept in a cookie that scripts cannot read.",
    )
}

/// How a value stands against its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    /// At most the target.
    Within,
    /// Over it.
    Over,
    /// Value or target is not known.
    Unknown,
}

/// How an observed latency stands against its target, and that in words.
pub fn against(observed: Option<f64>, target: Option<f64>) -> (Stand, String) {
    match (observed.filter(|value| value.is_finite()), target.filter(|value| *value > 0.0)) {
        (Some(value), Some(target)) if value >= 2.0 * target => {
            (Stand::Over, format!("{} times the target of {} ms", rate(value / target), typed(target)))
        }
        (Some(value), Some(target)) if value > target => {
            (Stand::Over, format!("{} over the target of {} ms", change(value / target - 1.0), typed(target)))
        }
        (Some(_), Some(target)) => (Stand::Within, format!("within the target of {} ms", typed(target))),
        (Some(_), None) => (Stand::Unknown, "no target is known".to_owned()),
        (None, Some(target)) => (Stand::Unknown, format!("not measured; the target is {} ms", typed(target))),
        (None, None) => (Stand::Unknown, "not measured".to_owned()),
    }
}

/// `14 % more than predicted`.
pub fn difference(observed: f64, predicted: f64) -> String {
    let ratio = observed / predicted - 1.0;
    if !ratio.is_finite() {
        return "no comparison".to_owned();
    }
    let more = if ratio < 0.0 { "less" } else { "more" };
    format!("{} {more} than predicted", change(ratio))
}

/// `2 GPUs in use, 1 starting, at most 8`.
pub fn gpus(gpus: &Gpus) -> String {
    let mut parts = Vec::new();
    parts.extend(gpus.used.map(|used| format!("{} in use", number_of(used, "GPU"))));
    parts.extend(
        gpus.starting.filter(|&some| some > 0).map(|some| format!("{} starting", count(u64::from(some)))),
    );
    parts.extend(gpus.most.map(|most| format!("at most {}", count(u64::from(most)))));
    parts.extend(gpus.fewest.filter(|&few| few > 0).map(|few| format!("at least {}", count(u64::from(few)))));
    if parts.is_empty() { "GPUs are not known".to_owned() } else { parts.join(", ") }
}

/// `starting`.
pub const fn worker(state: WorkerState) -> &'static str {
    match state {
        WorkerState::Waiting => "waiting for a node",
        WorkerState::Starting => "starting",
        WorkerState::Ready => "ready",
        WorkerState::Draining => "draining",
        WorkerState::Failed => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_in_words() {
        let facts = LaneFacts {
            title: "TTFT, ms",
            last: Some("190".to_owned()),
            highest: Some(("36,920".to_owned(), "1:05".to_owned())),
            limit: Some("500".to_owned()),
            over: Some(0.38),
        };
        assert_eq!(
            lane_summary(&facts),
            "TTFT, ms: 190 at the end, highest 36,920 at 1:05. Limit 500, beyond it 38 % of the time."
        );
        assert!(lane_summary(&LaneFacts { over: Some(0.0), ..facts }).ends_with("never beyond it."));
        assert_eq!(
            lane_summary(&LaneFacts { title: "GPUs", ..LaneFacts::default() }),
            "GPUs: nothing known in this window."
        );
    }

    #[test]
    fn every_trouble_says_what_to_do() {
        let url = "http://prometheus:9090".to_owned();
        let why = "connection refused".to_owned();
        let all = [
            Trouble::Unreachable { url: url.clone(), why: why.clone() },
            Trouble::Slow { url: url.clone(), waited_ms: 5000 },
            Trouble::Unauthorized { url: url.clone() },
            Trouble::Forbidden { what: "pods in namespace serving".to_owned() },
            Trouble::Missing { what: "deployment storm in namespace serving".to_owned() },
            Trouble::Throttled { url: url.clone() },
            Trouble::Status { url: url.clone(), code: 503, why: why.clone() },
            Trouble::Malformed { url, why },
            Trouble::Empty { what: "dynamo_planner_num_prefill_replicas".to_owned() },
            Trouble::Ambiguous { names: vec!["a/b".to_owned(), "a/c".to_owned()] },
        ];
        let said: Vec<Message> = all.iter().map(|one| trouble(SourceKind::Prometheus, one)).collect();
        for (at, message) in said.iter().enumerate() {
            assert!(message.detail.ends_with('.') && message.action.ends_with('.'), "{message}");
            assert!(said[..at].iter().all(|other| other.title != message.title), "{message}");
        }
        assert!(said[0].detail.contains("http://prometheus:9090: connection refused"), "{}", said[0]);
        assert!(said[9].detail.contains("a/b or a/c"), "{}", said[9]);
    }

    #[test]
    fn sources_tell_their_age_and_when_they_are_asked_again() {
        let source = Source {
            kind: SourceKind::Kubernetes,
            health: Health::Stale,
            since_ms: 10_000,
            heard_ms: Some(8_000),
            retry_ms: Some(136_000),
            trouble: None,
        };
        assert_eq!(health(&source, 128_000), "stale, last heard 2 min ago, asked again in 8 s");
        assert_eq!(health(&source, 140_000), "stale, last heard 2 min 12 s ago, being asked again");
        let live = Source { health: Health::Live, ..source.clone() };
        assert_eq!(health(&live, 9_000), "live, heard 1 s ago");
        let down = Source { health: Health::Down, heard_ms: None, retry_ms: None, ..source };
        assert_eq!(health(&down, 70_000), "has never answered, for 1 min");
    }

    #[test]
    fn values_stand_against_their_targets() {
        assert_eq!(
            against(Some(690.0), Some(500.0)),
            (Stand::Over, "38 % over the target of 500 ms".to_owned())
        );
        assert_eq!(against(Some(36_920.0), Some(500.0)).1, "73.8 times the target of 500 ms");
        assert_eq!(against(Some(190.0), Some(500.0)).0, Stand::Within);
        assert_eq!(against(Some(f64::NAN), Some(500.0)).0, Stand::Unknown);
        assert_eq!(against(None, None).1, "not measured");
        assert_eq!(difference(114.0, 100.0), "14 % more than predicted");
        assert_eq!(difference(1.0, 0.0), "no comparison");
    }

    #[test]
    fn budgets_and_stories() {
        let have = Gpus { used: Some(2), starting: Some(1), most: Some(8), fewest: Some(0) };
        assert_eq!(gpus(&have), "2 GPUs in use, 1 starting, at most 8");
        assert_eq!(gpus(&Gpus::default()), "GPUs are not known");
        let story = Simulated { speed: 10.0, length_ms: 720_000, round: 1 };
        assert_eq!(
            simulated(&story),
            "Simulated: a story of 12 min plays at 10 times its speed, round 2. No cluster is connected."
        );
    }

    #[test]
    fn absence_says_how_to_start() {
        assert!(away(&Away::Nobody).action.contains("make run"));
        assert!(away(&Away::Schema(9)).detail.contains("version 9"));
        assert_eq!(away(&Away::Garbled("expected value".to_owned())).detail, "Expected value.");
        assert!(locked().action.contains("cookie"));
    }
}
