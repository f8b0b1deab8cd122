//! Stories to replay, and the one that is shown first.

use serde::{Deserialize, Serialize};

use super::{Fleets, Phase, Setup, Spacing, Start, Story, Traffic};
use crate::cluster::Slo;
use crate::planner::{Config, Mode, PerRole, Target};

/// How traffic goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Calm chat; then a crowd with long questions all at once, who keep coming; then calm again.
    #[default]
    Storm,
    /// The same rate throughout.
    Constant,
    /// From the calm rate to the peak.
    Ramp,
    /// Calm, with one burst.
    Burst,
    /// From calm to the peak and back, as over a day.
    Wave,
}

impl Kind {
    /// All.
    pub const ALL: [Self; 5] = [Self::Storm, Self::Constant, Self::Ramp, Self::Burst, Self::Wave];

    /// Name in an address.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Storm => "storm",
            Self::Constant => "constant",
            Self::Ramp => "ramp",
            Self::Burst => "burst",
            Self::Wave => "wave",
        }
    }
}

/// A story in a few figures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outline {
    /// How traffic goes.
    pub kind: Kind,
    /// Minutes of the busy part.
    pub busy_minutes: f64,
    /// Requests per second in calm.
    pub calm_per_sec: f64,
    /// Requests per second at the peak.
    pub peak_per_sec: f64,
    /// Requests that arrive all at once.
    pub burst: u32,
    /// Mean tokens of a prompt in calm.
    pub calm_isl: u32,
    /// Mean tokens of an answer in calm.
    pub calm_osl: u32,
    /// Mean tokens of a prompt when busy.
    pub isl: u32,
    /// Mean tokens of an answer when busy.
    pub osl: u32,
    /// Whether requests come at random.
    pub random: bool,
    /// Lengths vary by this share to both sides of the mean, 0 to 1.
    pub spread: f64,
}

/// Seconds of calm before the busy part.
const BEFORE_SECS: f64 = 122.0;
/// Seconds of calm after it.
const AFTER_SECS: f64 = 300.0;
/// Pieces of a wave.
const PIECES: u32 = 24;

impl Outline {
    /// The phases of it.
    pub fn story(&self) -> Story {
        let busy = self.busy_minutes * 60.0;
        let phase = |secs, from_per_sec, to_per_sec, burst, isl, osl| Phase {
            secs,
            from_per_sec,
            to_per_sec,
            burst,
            isl,
            osl,
        };
        let (calm, peak) = (self.calm_per_sec, self.peak_per_sec);
        let calmly = |secs| phase(secs, calm, calm, 0, self.calm_isl, self.calm_osl);
        let busily = |secs, from, to, burst| phase(secs, from, to, burst, self.isl, self.osl);
        let phases = match self.kind {
            Kind::Storm => {
                vec![calmly(BEFORE_SECS), busily(busy, peak, peak, self.burst), calmly(AFTER_SECS)]
            }
            Kind::Constant => vec![busily(busy, peak, peak, 0)],
            Kind::Ramp => vec![busily(busy, calm, peak, 0)],
            Kind::Burst => vec![calmly(BEFORE_SECS), busily(1e-3, 0.0, 0.0, self.burst), calmly(busy)],
            Kind::Wave => {
                let rate = |at: u32| {
                    let turn = f64::from(at) / f64::from(PIECES) * std::f64::consts::TAU;
                    calm + (peak - calm) * (1.0 - libm::cos(turn)) / 2.0
                };
                let piece = busy / f64::from(PIECES);
                (0..PIECES).map(|at| busily(piece, rate(at), rate(at + 1), 0)).collect()
            }
        };
        let spacing = if self.random { Spacing::Random } else { Spacing::Even };
        Story { phases, spacing, spread: self.spread }
    }
}

/// Samples of a run, about: as many as a screen can show.
const SAMPLES: f64 = 4000.0;
/// Time after the last arrival for what is in flight, ms.
const DRAIN_MS: f64 = 900_000.0;

/// What is decided beside the traffic and the workers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Who changes the number of workers; none for a fleet that stays as it is.
    pub planner: Option<Config>,
    /// How long a new worker takes until it serves.
    pub start: Start,
    /// Whether the planner is told which workers are starting.
    pub pending: bool,
    /// Whether prompts that wait move to a worker that has become ready.
    pub rebalance: bool,
    /// Share of prompt tokens that the KV cache has, 0 to 1, where the traffic does not say.
    pub hit_rate: f64,
    /// For everything that is left to chance.
    pub seed: u64,
}

impl Settings {
    /// The run of these settings.
    pub fn setup(&self, traffic: Traffic, fleets: Fleets, slo: Slo) -> Setup {
        let sample_ms = (traffic.length_ms() / SAMPLES / 1000.0).ceil().max(1.0) * 1000.0;
        let mut planner = self.planner.clone();
        if let Some(config) = &mut planner {
            config.mode = if fleets.prefill.is_some() { Mode::Disagg } else { Mode::Agg };
            // Without one of its targets the planner keeps its own.
            config.ttft_ms = slo.ttft_ms.unwrap_or(config.ttft_ms);
            config.itl_ms = slo.itl_ms.unwrap_or(config.itl_ms);
        }
        Setup {
            traffic,
            fleets,
            start: PerRole { prefill: self.start, decode: self.start },
            slo,
            planner,
            pending: self.pending,
            rebalance: self.rebalance,
            hit_rate: self.hit_rate,
            seed: self.seed,
            sample_ms,
            drain_ms: DRAIN_MS,
        }
    }
}

/// Everything about a run but its workers.
#[derive(Clone, Debug, PartialEq)]
pub struct Preset {
    /// Traffic.
    pub outline: Outline,
    /// Targets.
    pub slo: Slo,
    /// The rest.
    pub settings: Settings,
}

impl Preset {
    /// Its run on these workers.
    pub fn setup(&self, fleets: Fleets) -> Setup {
        self.settings.setup(Traffic::Story(self.outline.story()), fleets, self.slo)
    }
}

/// The airline storm: calm chat, when 200 travellers send their whole bookings at once and others keep coming for twelve
/// minutes. Three GPUs are all there is.
pub fn storm() -> Preset {
    let outline = Outline {
        kind: Kind::Storm,
        busy_minutes: 12.0,
        calm_per_sec: 1.0,
        peak_per_sec: 5.0,
        burst: 200,
        calm_isl: 500,
        calm_osl: 150,
        isl: 3000,
        osl: 150,
        random: true,
        spread: 0.2,
    };
    let planner = Config {
        target: Target::Sla,
        enable_load_scaling: true,
        enable_throughput_scaling: true,
        throughput_interval_secs: 60,
        max_gpu_budget: 3,
        ..Config::default()
    };
    let settings = Settings {
        planner: Some(planner),
        start: Start { secs: 180.0, spread: 0.0 },
        pending: true,
        rebalance: false,
        hit_rate: 0.0,
        seed: 1,
    };
    Preset { outline, slo: Slo { ttft_ms: Some(500.0), itl_ms: Some(30.0) }, settings }
}

/// The workers of the storm: Qwen3-32B-FP8 on H100 SXM with TensorRT-LLM, one for prefill and one for decode, each on one
/// GPU, with the step times of the performance model (see NOTICE).
///
/// # Errors
/// None, unless the embedded table is damaged.
pub fn storm_fleets() -> Result<Fleets, serde_json::Error> {
    serde_json::from_str(include_str!("storm.json"))
}
