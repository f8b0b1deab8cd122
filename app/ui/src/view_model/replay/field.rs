//! The numbers of the form.

use engine::simulate::story::Kind;

use super::Form;
use crate::view_model::form::{number, show_number};

/// A number on the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Minutes of the busy part.
    Busy,
    /// Calm requests per second.
    Calm,
    /// Requests per second at the peak.
    Peak,
    /// Requests at once.
    Burst,
    /// Prompt tokens in calm.
    CalmIsl,
    /// Answer tokens in calm.
    CalmOsl,
    /// Prompt tokens.
    Isl,
    /// Answer tokens.
    Osl,
    /// Spread of lengths, percent.
    Spread,
    /// Speed of a trace.
    TraceSpeed,
    /// Prefill workers at the beginning.
    Prefill,
    /// Decode workers at the beginning.
    Decode,
    /// Start of a worker, s.
    Start,
    /// Cached prompt tokens, percent.
    Hit,
    /// TTFT target.
    Ttft,
    /// ITL target.
    Itl,
    /// Most GPUs.
    Gpus,
    /// Fewest workers of a role.
    Floor,
    /// Between two looks at the queues, s.
    Look,
    /// Between two forecasts, s.
    Forecast,
    /// Sensitivity of scaling down.
    Sensitivity,
    /// Seed.
    Seed,
}

/// A group of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Who arrives.
    Traffic,
    /// Who serves.
    Workers,
    /// Who decides.
    Planner,
}

pub(super) struct Facts {
    word: &'static str,
    label: &'static str,
    unit: &'static str,
    group: Group,
    pub(super) least: f64,
    most: f64,
    whole: bool,
}

impl Field {
    /// All, in the order of the form.
    pub const ALL: [Self; 22] = [
        Self::Busy,
        Self::Peak,
        Self::Isl,
        Self::Osl,
        Self::Burst,
        Self::Calm,
        Self::CalmIsl,
        Self::CalmOsl,
        Self::Spread,
        Self::TraceSpeed,
        Self::Prefill,
        Self::Decode,
        Self::Start,
        Self::Hit,
        Self::Ttft,
        Self::Itl,
        Self::Gpus,
        Self::Floor,
        Self::Look,
        Self::Forecast,
        Self::Sensitivity,
        Self::Seed,
    ];

    pub(super) const fn facts(self) -> Facts {
        const fn facts(
            word: &'static str,
            (label, unit): (&'static str, &'static str),
            group: Group,
            (least, most): (f64, f64),
            whole: bool,
        ) -> Facts {
            Facts { word, label, unit, group, least, most, whole }
        }
        use Group::{Planner, Traffic, Workers};
        match self {
            Self::Busy => facts("min", ("Busy for", "min"), Traffic, (0.1, 10_080.0), false),
            Self::Calm => facts("calm", ("Calm rate", "req/s"), Traffic, (0.0, 100_000.0), false),
            Self::Peak => facts("peak", ("Busy rate", "req/s"), Traffic, (0.0, 100_000.0), false),
            Self::Burst => facts("crowd", ("All at once", "req"), Traffic, (0.0, 1e6), true),
            Self::CalmIsl => facts("cisl", ("Calm ISL", "tok"), Traffic, (1.0, 4e6), true),
            Self::CalmOsl => facts("cosl", ("Calm OSL", "tok"), Traffic, (1.0, 1e6), true),
            Self::Isl => facts("isl", ("ISL", "tok"), Traffic, (1.0, 4e6), true),
            Self::Osl => facts("osl", ("OSL", "tok"), Traffic, (1.0, 1e6), true),
            Self::Spread => facts("spread", ("Lengths vary", "±%"), Traffic, (0.0, 100.0), true),
            Self::TraceSpeed => facts("speed", ("Speed", "×"), Traffic, (0.01, 1000.0), false),
            Self::Prefill => facts("p", ("Prefill at start", ""), Workers, (1.0, 1024.0), true),
            Self::Decode => facts("d", ("Decode at start", ""), Workers, (1.0, 1024.0), true),
            Self::Start => facts("start", ("A start takes", "s"), Workers, (0.0, 86_400.0), false),
            Self::Hit => facts("hit", ("Cached prompts", "%"), Workers, (0.0, 99.0), true),
            Self::Ttft => facts("ttft", ("TTFT", "ms"), Workers, (1.0, 1e6), false),
            Self::Itl => facts("itl", ("ITL", "ms"), Workers, (0.1, 1e5), false),
            Self::Gpus => facts("gpus", ("Most GPUs", ""), Planner, (1.0, 100_000.0), true),
            Self::Floor => facts("floor", ("Fewest per role", ""), Planner, (1.0, 1024.0), true),
            Self::Look => facts("look", ("Load loop every", "s"), Planner, (1.0, 3600.0), true),
            Self::Forecast => facts("forecast", ("Forecast every", "s"), Planner, (2.0, 86_400.0), true),
            Self::Sensitivity => facts("sense", ("Shrink below", "%"), Planner, (0.0, 100.0), true),
            Self::Seed => facts("seed", ("Seed", ""), Traffic, (0.0, 4e9), true),
        }
    }

    /// Its caption.
    pub const fn label(self) -> &'static str {
        self.facts().label
    }

    /// Its unit.
    pub const fn unit(self) -> &'static str {
        self.facts().unit
    }

    /// Id of its input.
    pub const fn word(self) -> &'static str {
        self.facts().word
    }

    /// Where it stands.
    pub fn group(self) -> Group {
        self.facts().group
    }

    /// Whether it means anything with the rest of the form.
    pub fn counts(self, form: &Form) -> bool {
        let story = !form.traced;
        let kind = form.outline.kind;
        match self {
            Self::Calm => story && kind != Kind::Constant,
            Self::CalmIsl | Self::CalmOsl => story && matches!(kind, Kind::Storm | Kind::Burst),
            Self::Burst => story && matches!(kind, Kind::Storm | Kind::Burst),
            Self::Peak => story && kind != Kind::Burst,
            Self::Busy | Self::Isl | Self::Osl | Self::Spread => story,
            Self::TraceSpeed => form.traced,
            Self::Prefill => form.count.prefill > 0,
            Self::Gpus | Self::Floor | Self::Look | Self::Sensitivity => form.planned,
            Self::Forecast => form.planned && form.planner.throughput_loop(),
            _ => true,
        }
    }

    /// Its value.
    pub fn get(self, form: &Form) -> f64 {
        let Form { outline, settings, planner, .. } = form;
        match self {
            Self::Busy => outline.busy_minutes,
            Self::Calm => outline.calm_per_sec,
            Self::Peak => outline.peak_per_sec,
            Self::Burst => outline.burst.into(),
            Self::CalmIsl => outline.calm_isl.into(),
            Self::CalmOsl => outline.calm_osl.into(),
            Self::Isl => outline.isl.into(),
            Self::Osl => outline.osl.into(),
            Self::Spread => (outline.spread * 100.0).round(),
            Self::TraceSpeed => form.trace_speed,
            Self::Prefill => form.count.prefill.into(),
            Self::Decode => form.count.decode.into(),
            Self::Start => settings.start.secs,
            Self::Hit => (settings.hit_rate * 100.0).round(),
            Self::Ttft => form.slo.ttft_ms.unwrap_or(0.0),
            Self::Itl => form.slo.itl_ms.unwrap_or(0.0),
            Self::Gpus => planner.max_gpu_budget as f64,
            Self::Floor => planner.min_endpoint.into(),
            Self::Look => planner.load_interval_secs.into(),
            Self::Forecast => planner.throughput_interval_secs.into(),
            Self::Sensitivity => planner.load_scaling_down_sensitivity,
            Self::Seed => settings.seed as f64,
        }
    }

    fn put(self, form: &mut Form, value: f64) {
        let count = value as u32;
        let Form { outline, settings, planner, .. } = form;
        match self {
            Self::Busy => outline.busy_minutes = value,
            Self::Calm => outline.calm_per_sec = value,
            Self::Peak => outline.peak_per_sec = value,
            Self::Burst => outline.burst = count,
            Self::CalmIsl => outline.calm_isl = count,
            Self::CalmOsl => outline.calm_osl = count,
            Self::Isl => outline.isl = count,
            Self::Osl => outline.osl = count,
            Self::Spread => outline.spread = value / 100.0,
            Self::TraceSpeed => form.trace_speed = value,
            Self::Prefill => form.count.prefill = count,
            Self::Decode => form.count.decode = count,
            Self::Start => settings.start.secs = value,
            Self::Hit => settings.hit_rate = value / 100.0,
            Self::Ttft => form.slo.ttft_ms = Some(value),
            Self::Itl => form.slo.itl_ms = Some(value),
            Self::Gpus => planner.max_gpu_budget = value as i64,
            Self::Floor => planner.min_endpoint = count,
            Self::Look => planner.load_interval_secs = count,
            Self::Forecast => planner.throughput_interval_secs = count,
            Self::Sensitivity => planner.load_scaling_down_sensitivity = value,
            Self::Seed => settings.seed = value as u64,
        }
    }

    /// Takes what was typed, or says what is wrong with it.
    pub fn set(self, form: &mut Form, text: &str) -> Result<(), String> {
        let value = number(text)?;
        let Facts { least, most, whole, .. } = self.facts();
        if whole && value.fract() != 0.0 {
            return Err("A whole number.".to_owned());
        }
        if !(least..=most).contains(&value) {
            return Err(format!("From {} to {}.", show_number(least), show_number(most)));
        }
        self.put(form, value);
        Ok(())
    }
}
