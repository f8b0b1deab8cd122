//! The card of one point: its number, its shape, its figures.

use engine::format;
use engine::scenario::{Goal, Scenario};
use engine::text;
use engine::view::{Layout, Point, Worker};

use super::form::show_number;
use super::frontier::cost_per_million;

/// One figure of the card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What it is; a glossary term where there is one.
    pub term: &'static str,
    /// The number.
    pub value: String,
    /// What follows it in small print.
    pub rest: String,
}

/// Workers of one role in one replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeRow {
    /// Prefill, decode, or both.
    pub role: &'static str,
    /// Workers drawn.
    pub drawn: u32,
    /// Workers that are there but not drawn.
    pub hidden: u32,
    /// GPUs of each.
    pub gpus: u32,
    /// Whether the role is decode: its own colour.
    pub decode: bool,
}

impl ShapeRow {
    /// Classes of the box of one worker: wider for more GPUs.
    pub const fn class(&self) -> &'static str {
        match self.gpus {
            1 => "w",
            2 => "w g2",
            3..=4 => "w g4",
            _ => "w g8",
        }
    }
}

/// The card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BestVm {
    /// The big number.
    pub hero: String,
    /// Its unit.
    pub unit: &'static str,
    /// Aggregated or disaggregated, behind backend and system where several were asked for.
    pub mode: String,
    /// The GPUs, decomposed.
    pub total: String,
    /// Workers of one replica.
    pub shape: Vec<ShapeRow>,
    /// The shape in words.
    pub shape_text: String,
    /// Figures.
    pub facts: Vec<Fact>,
    /// How far measurements carry the figures.
    pub evidence: String,
    /// Whether nothing was held outside the measured range and little was modelled.
    pub solid: bool,
}

/// More boxes than this do not fit beside each other.
const DRAWN: u32 = 12;

impl BestVm {
    /// The card of `point` as an answer to `scenario`; `place` is its backend and system, where several were
    /// asked for.
    pub fn new(point: &Point, scenario: &Scenario, place: Option<String>, price: Option<f64>) -> Self {
        let by_gpus = !matches!(scenario.goal, Goal::Gpus(_));
        let (hero, unit) = if by_gpus {
            (
                format::count(u64::from(point.gpus_used)),
                if point.gpus_used == 1 { "GPU for the load" } else { "GPUs for the load" },
            )
        } else {
            (format::rate(point.tokens_per_sec_per_gpu), "tokens/s per GPU")
        };
        let shape = shape(point);
        Self {
            hero,
            unit,
            mode: match place {
                Some(place) => format!("{place}: {}", text::serving(point)),
                None if point.is_disagg() => "Disaggregated".to_owned(),
                None => "Aggregated".to_owned(),
            },
            total: text::layout_total(point),
            shape_text: shape_text(&shape, point.replicas),
            shape,
            facts: facts(point, scenario, price, by_gpus),
            evidence: text::evidence(point.evidence),
            solid: is_solid(point),
        }
    }
}

/// Whether little was modelled and little was held outside the measured range.
pub fn is_solid(point: &Point) -> bool {
    point.evidence.measured >= 0.75 && point.evidence.held <= 0.1
}

fn facts(point: &Point, scenario: &Scenario, price: Option<f64>, by_gpus: bool) -> Vec<Fact> {
    let fact = |term, value: String, rest: String| Fact { term, value, rest };
    let per_replica = point.concurrency / point.replicas.max(1);
    let in_flight = if point.replicas > 1 && per_replica * point.replicas == point.concurrency {
        format!("= {} × {}", format::count(u64::from(per_replica)), point.replicas)
    } else {
        String::new()
    };
    let target = |ms: f64| format!("of {} ms", show_number(ms));
    let mut facts = vec![fact("TTFT", format::ms(point.ttft_ms), target(scenario.sla.ttft_ms))];
    facts.push(match scenario.sla.request_latency_ms {
        Some(latency) => fact("Request", format::ms(point.request_latency_ms), target(latency)),
        None => fact("ITL", format::ms(point.itl_ms), target(scenario.sla.itl_ms)),
    });
    facts.push(fact("Per user", format::rate(point.tokens_per_sec_per_user), "tok/s".to_owned()));
    facts.push(fact("Cluster", format::rate(point.requests_per_sec), "req/s".to_owned()));
    facts.push(fact("In flight", format::count(u64::from(point.concurrency)), in_flight));
    if by_gpus {
        facts.push(fact("Per GPU", format::rate(point.tokens_per_sec_per_gpu), "tok/s".to_owned()));
    }
    if let Some(price) = price {
        let cost = cost_per_million(price, point.tokens_per_sec_per_gpu);
        facts.push(fact("Cost", format!("${}", format::rate(cost)), "per M tokens".to_owned()));
    }
    facts
}

fn shape(point: &Point) -> Vec<ShapeRow> {
    let replicas = point.replicas.max(1);
    let row = |role, count: u32, gpus: u32, decode| {
        let count = (count / replicas).max(1);
        ShapeRow { role, drawn: count.min(DRAWN), hidden: count.saturating_sub(DRAWN), gpus, decode }
    };
    let of = |role, worker: &Worker, decode| row(role, worker.count, worker.parallel.gpus(), decode);
    let mut rows: Vec<ShapeRow> =
        point.layout.encoders().map(|pool| row("encoder", pool.count, pool.tp, false)).into_iter().collect();
    match &point.layout {
        Layout::Agg { worker, .. } => rows.push(of("prefill + decode", worker, true)),
        Layout::Disagg { prefill, decode, .. } => {
            rows.extend([of("prefill", prefill, false), of("decode", decode, true)]);
        }
    }
    rows
}

fn shape_text(shape: &[ShapeRow], replicas: u32) -> String {
    let parts: Vec<String> = shape
        .iter()
        .map(|row| {
            let count = row.drawn + row.hidden;
            let workers = if count == 1 { "worker" } else { "workers" };
            let gpus = if row.gpus == 1 { "GPU" } else { "GPUs" };
            format!("{count} {} {workers} of {} {gpus}", row.role, row.gpus)
        })
        .collect();
    let of = if replicas == 1 { "The replica" } else { "Each of the replicas" };
    format!("{of}: {}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view_model::fixture;

    #[test]
    fn totals_are_decomposed() {
        let view = fixture::view();
        let card = BestVm::new(&view.points[0], &Scenario::default(), None, None);
        assert_eq!((card.hero.as_str(), card.unit), ("744", "tokens/s per GPU"));
        assert_eq!(card.total, "2 replicas × 16 GPUs = 32");
        assert_eq!(
            card.shape_text,
            "Each of the replicas: 5 prefill workers of 2 GPUs, 6 decode workers of 1 GPU"
        );
        let in_flight = card.facts.iter().find(|fact| fact.term == "In flight").expect("shown");
        assert_eq!((in_flight.value.as_str(), in_flight.rest.as_str()), ("768", "= 384 × 2"));
        assert!(card.facts.iter().all(|fact| fact.term != "Cost"));
    }

    #[test]
    fn a_load_goal_leads_with_gpus() {
        let view = fixture::view();
        let scenario = Scenario { goal: Goal::RequestRate(40.0), ..Scenario::default() };
        let card = BestVm::new(&view.points[3], &scenario, None, Some(2.0));
        assert_eq!((card.hero.as_str(), card.unit), ("32", "GPUs for the load"));
        assert_eq!(card.shape.len(), 1);
        assert!(card.facts.iter().any(|fact| fact.term == "Cost" && fact.value.starts_with('$')));
    }
}
