//! Whether a cluster would take a manifest, and whether it would do what it says.

mod schema;
mod planner;
mod dgdr;

pub(super) use dgdr::{API_VERSION as DGDR_API_VERSION, KIND as DGDR_KIND};

use super::yaml;
use super::{Check, Dynamo, Severity};

/// Checks a manifest as the cluster, its operator, the profiler and the planner of this release would; errors first.
pub fn validate(text: &str, release: Dynamo) -> Vec<Check> {
    let documents = match yaml::documents(text) {
        Ok(documents) => documents,
        Err(check) => return vec![check],
    };
    let mut checks = Vec::new();
    for document in documents {
        let found = dgdr::check(&document.value, release).into_iter().chain(document.notes.clone());
        checks.extend(found.map(|check| Check { line: check.line.or(document.line(&check.path)), ..check }));
    }
    checks.sort_by_key(|check| check.severity != Severity::Error);
    checks
}
