//! A running cluster in words: what its timelines show, how its sources fare, whether it keeps the promise.

use crate::format::percent;

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
