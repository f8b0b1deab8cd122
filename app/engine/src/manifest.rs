//! A selected point as a Kubernetes manifest, and the checks that run before it leaves the page.

mod names;
mod sku;
mod yaml;
mod annotate;
mod schema;
mod planner;
mod rules;
mod request;
mod dgdr;

pub use dgdr::{DgdrOptions, dgdr};
pub use names::{MAX_REQUEST_NAME, request_name};
pub use rules::validate_dgdr;
pub use sku::gpu_sku;

/// A release of NVIDIA Dynamo that a manifest is written for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
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

/// A manifest that passed its checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Name of the object.
    pub name: String,
    /// File name.
    pub file_name: String,
    /// YAML.
    pub text: String,
    /// The command that applies it.
    pub kubectl: String,
    /// The command that shows what came of it.
    pub inspect: String,
    /// Warnings; an error would have kept the manifest back.
    pub checks: Vec<Check>,
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The cluster would reject the manifest or do something else than it says.
    Error,
    /// It works, but somebody should know.
    Warning,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Where, such as `spec.sla.itl`.
    pub path: String,
    /// Short name of the rule, stable across versions.
    pub rule: &'static str,
    /// How grave it is.
    pub severity: Severity,
    /// What is wrong and what to do.
    pub message: String,
}

impl Check {
    fn error(path: impl Into<String>, rule: &'static str, message: impl Into<String>) -> Self {
        Self { path: path.into(), rule, severity: Severity::Error, message: message.into() }
    }

    fn warning(path: impl Into<String>, rule: &'static str, message: impl Into<String>) -> Self {
        Self { path: path.into(), rule, severity: Severity::Warning, message: message.into() }
    }

    /// Whether it keeps the manifest back.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
