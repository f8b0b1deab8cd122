//! Where a latency comes from.

use serde::{Deserialize, Serialize};

/// What answers for an operator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DataMode {
    /// Measured tables; where they have nothing, there is no answer.
    #[default]
    Silicon,
    /// Measured tables; where they have nothing, the roofline at the utilisation of measured neighbours.
    Hybrid,
    /// The roofline at the utilisation of measured neighbours, everywhere.
    Empirical,
    /// The roofline: nothing can be faster.
    Sol,
}

crate::quant::names!(DataMode {
    Silicon => "silicon",
    Hybrid => "hybrid",
    Empirical => "empirical",
    Sol => "sol",
});

/// Provenance of a latency; travels with every number to the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Source {
    /// Measured on the GPU, at the point or between measured points.
    Silicon,
    /// Composed of measured parts that were not measured together.
    Estimated,
    /// A formula fitted to measurements.
    Empirical,
    /// The roofline bound alone.
    Sol,
    /// A sum of parts with different provenance.
    Mixed,
}

impl Source {
    /// Provenance of a sum.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        if self == other { self } else { Self::Mixed }
    }

    /// Name in exports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Silicon => "silicon",
            Self::Estimated => "estimated",
            Self::Empirical => "empirical",
            Self::Sol => "sol",
            Self::Mixed => "mixed",
        }
    }
}

/// How much of a predicted step time rests on measurements; shares of the total, the rest are formulas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// From tables, inside the measured range.
    pub measured: f64,
    /// From tables, outside the measured range: the nearest measured utilisation is held.
    pub held: f64,
    /// The roofline at the utilisation of measured neighbours.
    #[serde(default)]
    pub empirical: f64,
    /// The roofline itself.
    #[serde(default)]
    pub sol: f64,
}

impl Evidence {
    /// The weaker of two: smallest measured share, largest shares of anything else.
    #[must_use]
    pub fn weaker(self, other: Self) -> Self {
        Self {
            measured: self.measured.min(other.measured),
            held: self.held.max(other.held),
            empirical: self.empirical.max(other.empirical),
            sol: self.sol.max(other.sol),
        }
    }
}
