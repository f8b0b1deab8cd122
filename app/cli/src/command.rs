//! One module per command.

mod estimate;
mod export;
mod import;
mod link;
mod models;
mod search;
mod support;
mod systems;
mod validate;

use crate::args::Command;
use crate::report::{Failure, Report};

/// Does what was asked.
pub(crate) fn run(command: Command) -> Result<Report, Failure> {
    match command {
        Command::Search(args) => search::run(&args),
        Command::Estimate(args) => estimate::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Link(args) => link::run(&args),
        Command::Support(args) => support::run(&args),
        Command::Models(args) => models::run(&args),
        Command::Systems(args) => systems::run(&args),
        Command::Validate(args) => validate::run(&args),
    }
}
