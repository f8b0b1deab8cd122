//! Whether a layout has an answer at all, without searching it.

use super::{Drop, agg_row, decode_row, prefill_row, side, worker};
use crate::parallel::Parallel;
use crate::problem::Problem;
use crate::space::WorkerRole;

/// Batches that are tried: where the smallest one lacks data, a larger one may have it.
const BATCHES: [u32; 4] = [1, 4, 16, 64];

/// Whether some batch of a layout fits and is priced; else what its smallest batch failed at.
pub fn probe(problem: &Problem, role: WorkerRole, parallel: Parallel) -> Result<(), Drop> {
    let wide = side(problem, role).wide.plan(role, parallel);
    let mut worker = worker(problem, role, parallel, wide).map_err(Drop::Data)?;
    let workload = problem.scenario.workload;
    let mut first = None;
    for batch in BATCHES {
        let outcome = match role {
            WorkerRole::Agg => agg_row(&mut worker, batch, workload.isl).map(drop),
            WorkerRole::Prefill => prefill_row(&worker, batch).map(drop),
            WorkerRole::Decode => decode_row(&worker, batch, workload.osl).map(drop),
        };
        match outcome {
            Ok(()) => return Ok(()),
            Err(failed @ Drop::Data(_)) => {
                first.get_or_insert(failed);
            }
            // A larger batch needs more memory.
            Err(failed) => return Err(*first.get_or_insert(failed)),
        }
    }
    first.map_or(Ok(()), Err)
}
