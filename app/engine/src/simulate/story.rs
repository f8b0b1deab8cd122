//! Stories to replay, and the one that is shown first.

use serde::{Deserialize, Serialize};

use super::{Phase, Spacing, Story};

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
const BEFORE_SECS: f64 = 120.0;
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
