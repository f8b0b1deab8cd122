//! What the vertical axis of the frontier chart can show.

use engine::format;
use engine::scenario::Goal;
use engine::view::{Point, View};

use super::frontier::ChartInput;

/// What the vertical axis shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum YAxis {
    /// Output tokens per second and GPU.
    #[default]
    PerGpu,
    /// Requests per second of the cluster.
    Requests,
    /// GPUs for one and the same load.
    Gpus,
    /// Cost of a million output tokens; needs a price.
    Money,
}

impl YAxis {
    /// Short name for the switch.
    pub const fn label(self) -> &'static str {
        match self {
            Self::PerGpu => "tok/s/GPU",
            Self::Requests => "req/s",
            Self::Gpus => "GPUs needed",
            Self::Money => "$/M tok",
        }
    }

    /// The axes on offer: money only once a price is known.
    pub fn offered(price: Option<f64>) -> Vec<Self> {
        let mut axes = vec![Self::PerGpu, Self::Requests, Self::Gpus];
        axes.extend(price.map(|_| Self::Money));
        axes
    }
}

/// Cost of a million output tokens at a price per GPU-hour.
pub fn cost_per_million(price: f64, tokens_per_sec_per_gpu: f64) -> f64 {
    price * 1e6 / (3600.0 * tokens_per_sec_per_gpu)
}

/// Height of a point.
pub(super) fn y_value(input: &ChartInput<'_>, point: &Point) -> f64 {
    match input.y {
        YAxis::PerGpu => point.tokens_per_sec_per_gpu,
        YAxis::Requests => point.requests_per_sec,
        YAxis::Gpus => gpus_needed(input, point),
        YAxis::Money => {
            input.price.map_or(f64::NAN, |price| cost_per_million(price, point.tokens_per_sec_per_gpu))
        }
    }
}

/// GPUs in use under a load goal; else the GPUs this layout would need for the load of the best one.
fn gpus_needed(input: &ChartInput<'_>, point: &Point) -> f64 {
    match (input.scenario.goal, reference_rate(input.view)) {
        (Goal::Gpus(_), Some(rate)) => rate * f64::from(point.gpus_used) / point.requests_per_sec,
        _ => f64::from(point.gpus_used),
    }
}

fn reference_rate(view: &View) -> Option<f64> {
    view.best().or_else(|| view.points.first()).map(|point| point.requests_per_sec)
}

/// Title of the axis.
pub(super) fn y_title(input: &ChartInput<'_>) -> String {
    match input.y {
        YAxis::PerGpu => "tokens/s per GPU (cheaper ↑)".to_owned(),
        YAxis::Requests => "requests/s of the cluster (more ↑)".to_owned(),
        YAxis::Gpus => match (input.scenario.goal, reference_rate(input.view)) {
            (Goal::Gpus(_), Some(rate)) => {
                format!("GPUs needed for {} requests/s (cheaper ↓)", format::rate(rate))
            }
            _ => "GPUs needed for the load (cheaper ↓)".to_owned(),
        },
        YAxis::Money => "$ per million output tokens (cheaper ↓)".to_owned(),
    }
}
