//! `configurator validate`.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use engine::manifest::{Check, Severity, decode, validate};
use serde::Serialize;

use crate::BAD_INPUT;
use crate::args;
use crate::report::{Failure, Report, json};

/// Longer files are no manifests; the rest of them is not read.
const MOST_BYTES: u64 = 16 << 20;

#[derive(Serialize)]
struct Checked {
    file: String,
    checks: Vec<Check>,
}

pub(super) fn run(args: &args::Validate) -> Result<Report, Failure> {
    let (mut checked, mut unread) = (Vec::new(), Vec::new());
    for path in &args.files {
        let file = if is_stdin(path) { "<stdin>".to_owned() } else { path.display().to_string() };
        match read(path) {
            Ok(bytes) => {
                let checks = match decode(&bytes) {
                    Ok(text) => validate(text, args.dynamo),
                    Err(check) => vec![check],
                };
                checked.push(Checked { file, checks });
            }
            Err(error) => unread.push(format!("{file} cannot be read: {error}.")),
        }
    }
    let faultless = !checked.iter().flat_map(|file| &file.checks).any(Check::is_error);
    let text = if args.json { json(&checked)? } else { lines(&checked) };
    let report = Report::new(text, Vec::new(), faultless);
    if unread.is_empty() {
        return Ok(report);
    }
    Ok(Report { error: Some(unread.join("\n")), code: BAD_INPUT, ..report })
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if is_stdin(path) {
        io::stdin().lock().take(MOST_BYTES).read_to_end(&mut bytes)?;
    } else {
        File::open(path)?.take(MOST_BYTES).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// `FILE:LINE: error path: message [rule]`, as compilers write.
fn lines(checked: &[Checked]) -> String {
    let mut text = String::new();
    for Checked { file, checks } in checked {
        for Check { path, line, rule, severity, message } in checks {
            let line = line.map_or_else(String::new, |line| format!(":{line}"));
            let grade = match severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            let path = if path.is_empty() { String::new() } else { format!(" {path}") };
            // Writing to a text cannot fail.
            let _ = writeln!(text, "{file}{line}: {grade}{path}: {message} [{rule}]");
        }
    }
    text
}
