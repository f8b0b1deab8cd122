//! Whether a cluster would take a manifest, and whether it would do what it says.

mod schema;
mod planner;
mod files;
mod pod;
mod object;
mod graph;
mod dgdr;
mod alpha;
mod llmd;

pub(super) use dgdr::{API_VERSION as DGDR_API_VERSION, KIND as DGDR_KIND};

use serde_json::Value;

use self::files::Files;
use self::planner::Planner;
use self::schema::{Schemas, nearest, quoted};
use super::names::semver_core;
use super::yaml::{self, Document};
use super::{Check, Dynamo};

/// The group of Dynamo's kinds.
const GROUP: &str = "nvidia.com/";
/// Kinds of Dynamo whose schemas are known.
const KINDS: &[&str] = &[DGDR_KIND, "DynamoGraphDeployment", "DynamoGraphDeploymentScalingAdapter"];
/// Kinds that its operator writes itself.
const OPERATORS_OWN: &[&str] =
    &["DynamoComponentDeployment", "DynamoGraphDeploymentRun", "DynamoGraphDeploymentCandidate"];
/// More findings than this help nobody.
const MAX_FINDINGS: usize = 500;

/// Checks every document of a text as the cluster, its operator, the profiler, the planner and the engines of this
/// release would. Errors come first, then by line.
pub fn validate(text: &str, release: Dynamo) -> Vec<Check> {
    let mut checks = match yaml::documents(text) {
        Ok(documents) => all(&documents, release),
        Err(check) => vec![check],
    };
    checks.sort_by(|a, b| (a.severity, a.line, &a.path).cmp(&(b.severity, b.line, &b.path)));
    checks.dedup();
    checks.truncate(MAX_FINDINGS);
    checks
}

fn all(documents: &[Document], release: Dynamo) -> Vec<Check> {
    let (schemas, files) = (Schemas::new(release), Files::new(documents));
    let mut checks = Vec::new();
    for (at, document) in documents.iter().enumerate() {
        let mut found = document.notes.clone();
        one(&document.value, at, release, &schemas, &files, &mut found);
        let line = |check: Check| Check { line: check.line.or_else(|| document.line(&check.path)), ..check };
        checks.extend(found.into_iter().map(line));
    }
    twice(documents, &mut checks);
    checks
}

fn one(
    document: &Value,
    at: usize,
    release: Dynamo,
    schemas: &Schemas,
    files: &Files<'_>,
    out: &mut Vec<Check>,
) {
    let Some(kind) = document.get("kind").filter(|kind| !kind.is_null()) else {
        bare(document, release, out);
        return;
    };
    let Some(kind) = kind.as_str() else {
        out.push(Check::error("kind", "identity", format!("kind is {kind}; it must be a text.")));
        return;
    };
    let Some(version) = document.get("apiVersion").and_then(Value::as_str) else {
        let wanted = if KINDS.contains(&kind) { ": nvidia.com/v1beta1" } else { " as a text" };
        let message = format!("apiVersion is missing; a {kind} needs it{wanted}.");
        out.push(Check::error("apiVersion", "identity", message));
        return;
    };
    if KINDS.contains(&kind) {
        ours(document, kind, version, release, (schemas, files), out);
        return;
    }
    object::check(document, kind, out);
    if OPERATORS_OWN.contains(&kind) {
        let message = format!("Dynamo's operator writes every {kind} itself; leave it out.");
        out.push(Check::warning("kind", "unknown-kind", message));
    } else if !object::is_ordinary(kind) {
        let near = nearest(kind, KINDS.iter().copied()).or_else(|| object::ordinary_near(kind));
        let hint = near.map_or_else(String::new, |near| format!(" Is {near} meant?"));
        let message = format!("{} is not known here; only its names were checked.{hint}", quoted(kind));
        out.push(Check::warning("kind", "unknown-kind", message));
    }
    object::ordinary(document, kind, out);
    if kind == "ConfigMap" {
        config_map(at, release, files, out);
    }
}

/// A kind of Dynamo.
fn ours(
    document: &Value,
    kind: &str,
    version: &str,
    release: Dynamo,
    (schemas, files): (&Schemas, &Files<'_>),
    out: &mut Vec<Check>,
) {
    let Some(version @ ("v1alpha1" | "v1beta1")) = version.strip_prefix(GROUP) else {
        let message = format!("apiVersion is {}; it must be nvidia.com/v1beta1.", quoted(version));
        out.push(Check::error("apiVersion", "identity", message));
        return;
    };
    object::check(document, kind, out);
    schemas.check(document, &format!("{kind}/{version}"), out);
    if document.get("spec").is_none_or(Value::is_null) {
        out.push(Check::error(
            "spec",
            "required",
            format!("spec is missing; a {kind} is nothing without it."),
        ));
    }
    match (kind, version) {
        ("DynamoGraphDeployment", _) => graph::check(document, release, files, out),
        (DGDR_KIND, "v1beta1") => dgdr::check(document, release, schemas, out),
        (DGDR_KIND, _) => alpha::check(document, release, out),
        _ => {
            let message = "The operator makes scaling adapters itself, for components with scalingAdapter; leave it out.";
            out.push(Check::warning("kind", "operator-made", message));
        }
    }
}

/// A mapping that is no object of a cluster: settings of the planner or of an engine, or values of a chart.
fn bare(document: &Value, release: Dynamo, out: &mut Vec<Check>) {
    if llmd::looks_like(document) {
        llmd::check(document, out);
    } else if graph::looks_like_engine(document) {
        graph::check_engine(document, "", out);
    } else if let Some(planner) = Planner::new(document, "").filter(|_| planner::looks_like(document)) {
        planner.check(semver_core(release.tag()).unwrap_or_default(), out);
    } else {
        for key in
            ["kind", "apiVersion"].into_iter().filter(|key| document.get(key).is_none_or(Value::is_null))
        {
            let message = format!(
                "{key} is missing; a manifest says what it is, such as kind: DynamoGraphDeployment with apiVersion: nvidia.com/v1beta1."
            );
            out.push(Check::error(key, "identity", message));
        }
    }
}

/// Texts that are settings of a planner or of an engine.
fn config_map(document: usize, release: Dynamo, files: &Files<'_>, out: &mut Vec<Check>) {
    let version = semver_core(release.tag()).unwrap_or_default();
    for text in files.of(document) {
        out.extend(text.problem());
        out.extend(text.notes());
        let Some(value) = text.value() else { continue };
        let mut found = Vec::new();
        if graph::looks_like_engine(value) {
            graph::check_engine(value, &text.path, &mut found);
        } else if planner::looks_like(value)
            && !files.is_planners(text)
            && let Some(planner) = Planner::new(value, &text.path)
        {
            planner.check(version, &mut found);
        }
        out.extend(found.into_iter().map(|check| text.placed(check)));
    }
}

/// The same object twice in one file: the later one would replace the first.
fn twice(documents: &[Document], out: &mut Vec<Check>) {
    let mut seen = std::collections::BTreeSet::new();
    for document in documents {
        let text = |pointer: &str| document.value.pointer(pointer).and_then(Value::as_str);
        let Some((kind, name)) = text("/kind").zip(text("/metadata/name")) else { continue };
        if !seen.insert((kind, text("/metadata/namespace"), name)) {
            let path = "metadata.name";
            let message =
                format!("The {kind} {name} stands in this file twice; the later one would win. Rename one.");
            let check = Check::error(path, "twice", message);
            out.push(Check { line: document.line(path), ..check });
        }
    }
}
