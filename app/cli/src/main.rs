//! `configurator`: the page's search on the command line, with the same digits.

mod args;
mod model;
mod question;
mod data;
mod answer;
mod report;
mod table;
mod command;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::args::Args;
use crate::report::Report;

/// Something meets the targets, or there was nothing to search.
const FOUND: u8 = 0;
/// Nothing meets the targets.
const NOTHING: u8 = 1;
/// The question cannot be answered as it stands.
const BAD_INPUT: u8 = 2;

fn main() -> ExitCode {
    let report = match command::run(Args::parse().command) {
        Ok(report) => report,
        Err(failure) => Report { error: Some(failure.to_string()), code: BAD_INPUT, ..Report::default() },
    };
    match say(&report) {
        // Whoever reads has seen enough, as `head` does.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::from(BAD_INPUT),
        _ => ExitCode::from(report.code),
    }
}

fn say(report: &Report) -> io::Result<()> {
    let mut err = io::stderr().lock();
    for note in &report.notes {
        writeln!(err, "note: {note}")?;
    }
    if let Some(error) = &report.error {
        writeln!(err, "error: {error}")?;
    }
    let mut out = io::stdout().lock();
    out.write_all(report.text.as_bytes())?;
    out.flush()
}
