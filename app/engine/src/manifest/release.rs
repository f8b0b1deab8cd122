//! What changes with a release of NVIDIA Dynamo.

use serde::{Deserialize, Serialize};

/// A release of NVIDIA Dynamo that a manifest is written for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each variant is named by the release it stands for")]
pub enum Dynamo {
    V1_4,
    V1_5,
    #[default]
    V1_6,
}

impl Dynamo {
    /// Every release, newest first.
    pub const ALL: &'static [Self] = &[Self::V1_6, Self::V1_5, Self::V1_4];

    /// The image tag, such as `1.6.1`.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::V1_4 => "1.4.0",
            Self::V1_5 => "1.5.0",
            Self::V1_6 => "1.6.1",
        }
    }

    /// The release with this tag.
    pub fn from_tag(tag: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|release| release.tag() == tag)
    }
}
