//! Traffic of the next window.

use serde::{Deserialize, Serialize};

use super::average::MovingAverage;
use super::config::{Config, PredictorKind};
use super::signal::Window;

/// What the next window is expected to bring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// Requests.
    pub requests: f64,
    /// Mean prompt tokens.
    pub isl: f64,
    /// Mean output tokens.
    pub osl: f64,
    /// The last known share of prompt tokens found in the KV cache; none before the first.
    pub kv_hit_rate: Option<f64>,
    /// The last known tokens accepted per pass, at least 1.
    pub accept_length: f64,
}

/// Beyond any traffic, small enough for sums and squares.
const MOST: f64 = 1e15;

/// Forecasts one figure from its past.
#[derive(Clone, Debug)]
pub struct Predictor {
    model: Model,
    last: f64,
    points: u32,
    seen_traffic: bool,
}

#[derive(Clone, Debug)]
enum Model {
    Constant,
    Kalman { filter: Kalman, least_points: u32, log1p: bool },
    MovingAverage(MovingAverage),
}

impl Predictor {
    /// A predictor of these settings; ARIMA and Prophet, which [`Config::check`] refuses, repeat the last value.
    pub fn new(config: &Config) -> Self {
        let model = match config.predictor {
            PredictorKind::Constant | PredictorKind::Arima | PredictorKind::Prophet => Model::Constant,
            PredictorKind::Kalman => Model::Kalman {
                filter: Kalman::new(config.kalman_q_level, config.kalman_q_trend, config.kalman_r),
                least_points: config.kalman_min_points,
                log1p: config.log1p,
            },
            PredictorKind::MovingAverage => {
                Model::MovingAverage(MovingAverage::new(config.moving_average_window))
            }
        };
        Self { model, last: 0.0, points: 0, seen_traffic: false }
    }

    /// Takes the figure of a window. What is no number or below 0 counts as 0; zeros before the first traffic are
    /// skipped.
    pub fn observe(&mut self, value: f64) {
        let value = if value.is_finite() { value.clamp(0.0, MOST) } else { 0.0 };
        if value == 0.0 && !self.seen_traffic {
            return;
        }
        self.seen_traffic = true;
        self.last = value;
        self.points = self.points.saturating_add(1);
        match &mut self.model {
            Model::Constant => {}
            Model::Kalman { filter, log1p, .. } => {
                filter.observe(if *log1p { libm::log1p(value) } else { value });
            }
            Model::MovingAverage(average) => average.add(value),
        }
    }

    /// The figure of the next window.
    pub fn forecast(&mut self) -> f64 {
        match &mut self.model {
            Model::Kalman { filter, least_points, log1p } if self.points >= *least_points => {
                let level = filter.forecast();
                let value = if *log1p { libm::expm1(level) } else { level };
                if value.is_finite() { value.max(0.0) } else { self.last }
            }
            Model::Constant | Model::Kalman { .. } => self.last,
            Model::MovingAverage(average) => average.value(),
        }
    }

    /// Zeros are skipped again until traffic comes, as after a warm-up with an earlier trace.
    pub fn rest(&mut self) {
        self.seen_traffic = false;
    }
}

/// Level and trend, and how well they are known.
#[derive(Clone, Debug)]
struct Kalman {
    state: Option<[f64; 2]>,
    spread: [[f64; 2]; 2],
    noise: [f64; 2],
    measured: f64,
    /// Whether the state is already that of the next window.
    ahead: bool,
}

impl Kalman {
    fn new(level: f64, trend: f64, measured: f64) -> Self {
        let spread = [[1000.0, 0.0], [0.0, 1000.0]];
        Self { state: None, spread, noise: [level, trend], measured, ahead: false }
    }

    /// To the next window: the level moves by the trend, both are less certain.
    fn advance(&mut self) {
        if let Some([level, trend]) = &mut self.state
            && !self.ahead
        {
            *level += *trend;
            let [[a, b], [c, d]] = self.spread;
            self.spread = [[a + b + c + d + self.noise[0], b + d], [c + d, d + self.noise[1]]];
            self.ahead = true;
        }
    }

    fn observe(&mut self, value: f64) {
        self.advance();
        self.ahead = false;
        let Some([level, trend]) = self.state else {
            self.state = Some([value, 0.0]);
            return;
        };
        let [[a, b], [c, d]] = self.spread;
        let certainty = a + self.measured;
        if certainty <= 0.0 {
            return;
        }
        let gain = [a / certainty, c / certainty];
        let surprise = value - level;
        self.state = Some([level + gain[0] * surprise, trend + gain[1] * surprise]);
        // Joseph's form stays symmetric and positive.
        let keep = 1.0 - gain[0];
        let (r, g) = (self.measured, gain[1]);
        let (top, side) = ([keep * a, keep * b], [c - g * a, d - g * b]);
        self.spread = [
            [top[0] * keep + gain[0] * r * gain[0], top[1] - top[0] * g + gain[0] * r * g],
            [side[0] * keep + g * r * gain[0], side[1] - side[0] * g + g * r * g],
        ];
    }

    fn forecast(&mut self) -> f64 {
        self.advance();
        self.state.map_or(0.0, |[level, _]| level)
    }
}

/// Forecasts of requests and their lengths, and the last known rates.
#[derive(Clone, Debug)]
pub struct Forecaster {
    requests: Predictor,
    isl: Predictor,
    osl: Predictor,
    last_lengths: (f64, f64),
    seen_traffic: bool,
    rates: Rates,
}

impl Forecaster {
    /// A forecaster of these settings.
    pub fn new(config: &Config) -> Self {
        let predictor = Predictor::new(config);
        Self {
            requests: predictor.clone(),
            isl: predictor.clone(),
            osl: predictor,
            last_lengths: (0.0, 0.0),
            seen_traffic: false,
            rates: Rates::new(config.speculative_nextn),
        }
    }

    /// Windows of an earlier trace, oldest first.
    pub fn warm_up(&mut self, windows: &[Window]) {
        for window in windows {
            self.lengths(window);
        }
        for predictor in [&mut self.requests, &mut self.isl, &mut self.osl] {
            predictor.rest();
        }
        self.seen_traffic = false;
    }

    /// Takes a window and forecasts the next; none when its request count is unknown, which skips it.
    pub fn next(&mut self, window: &Window) -> Option<Forecast> {
        window.requests.filter(|requests| requests.is_finite())?;
        self.lengths(window);
        self.rates.observe(window);
        Some(Forecast {
            requests: self.requests.forecast(),
            isl: self.isl.forecast(),
            osl: self.osl.forecast(),
            kv_hit_rate: self.rates.kv_hit_rate,
            accept_length: self.rates.accept_length,
        })
    }

    /// An idle window has no lengths of its own: the last known are repeated.
    fn lengths(&mut self, window: &Window) {
        let requests = window.requests.unwrap_or(0.0);
        let known = |value: Option<f64>| value.filter(|value| value.is_finite()).unwrap_or(0.0);
        let lengths = (known(window.isl), known(window.osl));
        self.requests.observe(requests);
        if requests > 0.0 {
            self.seen_traffic = true;
            self.last_lengths = lengths;
        }
        let idle = requests == 0.0 && self.seen_traffic;
        let (isl, osl) = if idle { self.last_lengths } else { lengths };
        self.isl.observe(isl);
        self.osl.observe(osl);
    }
}

/// Figures that are never forecast: the last valid one stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rates {
    pub(super) kv_hit_rate: Option<f64>,
    pub(super) accept_length: f64,
    drafted: u32,
}

impl Rates {
    pub(super) fn new(drafted: u32) -> Self {
        Self { kv_hit_rate: None, accept_length: 1.0, drafted }
    }

    pub(super) fn observe(&mut self, window: &Window) {
        let valid = |value: Option<f64>| value.filter(|value| value.is_finite());
        self.kv_hit_rate = valid(window.kv_hit_rate).or(self.kv_hit_rate);
        if let Some(length) = valid(window.accept_length) {
            self.accept_length = length.clamp(1.0, f64::from(self.drafted) + 1.0);
        }
    }
}
