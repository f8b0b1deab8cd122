//! Collects the outcome of a suite, prints it case by case, fails once at the end.

use std::collections::BTreeMap;

/// Outcome of a suite.
pub(crate) struct Report {
    suite: &'static str,
    worst: BTreeMap<String, f64>,
    /// What was compared, in the order of the file, with its relative error.
    compared: Vec<(String, f64)>,
    cases: BTreeMap<String, usize>,
    failures: Vec<String>,
    not_built: BTreeMap<String, usize>,
}

impl Report {
    pub(crate) fn new(suite: &'static str) -> Self {
        let (worst, cases, failures) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        Self { suite, worst, compared: Vec::new(), cases, failures, not_built: BTreeMap::new() }
    }

    /// A suite whose file is absent.
    pub(crate) fn skipped(suite: &str) {
        println!("{suite}: skipped, the golden folder has no such file");
    }

    /// A case that this build cannot answer by design.
    pub(crate) fn not_built(&mut self, what: &str) {
        *self.not_built.entry(what.to_owned()).or_default() += 1;
    }

    /// Counts a case of a kind.
    pub(crate) fn case(&mut self, kind: &str) {
        *self.cases.entry(kind.to_owned()).or_default() += 1;
    }

    /// Compares two numbers: relative, or absolute below `absolute`.
    #[allow(clippy::too_many_arguments, reason = "what, got, want and two tolerances")]
    pub(crate) fn compare(
        &mut self,
        kind: &str,
        what: &str,
        got: f64,
        want: f64,
        relative: f64,
        absolute: f64,
    ) {
        let difference = (got - want).abs();
        let error = if difference == 0.0 { 0.0 } else { difference / want.abs().max(f64::MIN_POSITIVE) };
        self.compared.push((what.to_owned(), error));
        let within = error <= relative || difference <= absolute;
        let worst = self.worst.entry(kind.to_owned()).or_default();
        if difference > absolute || error <= relative {
            *worst = worst.max(error);
        }
        if !within || !got.is_finite() {
            self.failures.push(format!("{what}: got {got}, want {want} (relative error {error:.2e})"));
        }
    }

    /// Compares two values that are no numbers.
    pub(crate) fn equal(&mut self, what: &str, got: &serde_json::Value, want: &serde_json::Value) {
        self.compared.push((what.to_owned(), if got == want { 0.0 } else { f64::INFINITY }));
        if got != want {
            self.fail(format!("{what}: got {got}, want {want}"));
        }
    }

    /// A failure that is not about a number.
    pub(crate) fn fail(&mut self, what: String) {
        self.failures.push(what);
    }

    /// Prints the summary; panics when anything failed.
    pub(crate) fn finish(self) {
        for (what, error) in &self.compared {
            println!("{}: {what}: relative error {error:.1e}", self.suite);
        }
        for (kind, count) in &self.cases {
            let worst = self.worst.get(kind).copied().unwrap_or_default();
            println!("{}: {kind}: {count} cases, worst relative error {worst:.1e}", self.suite);
        }
        for (what, count) in &self.not_built {
            println!("{}: {count} cases not built: {what}", self.suite);
        }
        assert!(
            self.failures.is_empty(),
            "{}: {} beyond tolerance:\n{}",
            self.suite,
            self.failures.len(),
            self.failures.join("\n")
        );
    }
}
