//! `configurator estimate`.

use engine::afd::{AfdShape, Pipeline};
use engine::catalog::Catalog;
use engine::estimate::{Deployment, Estimate, EstimateError, Held, Phase, Pool, estimate};
use engine::format::{count, gib, ms, rate};
use engine::kernel::Gap;
use engine::memory::Fit;
use engine::parallel::Parallel;
use engine::point::MemoryUse;
use engine::problem::Plan;
use engine::scenario::Scenario;
use engine::source::Evidence;
use engine::text;
use serde::Serialize;

use crate::args::{self, Mode, Overlap};
use crate::data::Data;
use crate::question::ask;
use crate::report::{Failure, Report, json};
use crate::table::{Align, table};

/// The answer for programs.
#[derive(Serialize)]
struct Json<'a> {
    scenario: &'a Scenario,
    data: &'a str,
    ttft_ms: f64,
    itl_ms: f64,
    request_latency_ms: f64,
    requests_per_sec: f64,
    tokens_per_sec: f64,
    tokens_per_sec_per_gpu: f64,
    tokens_per_sec_per_user: f64,
    concurrency: u32,
    gpus: u32,
    memory: Vec<Memory>,
    evidence: Evidence,
}

#[derive(Serialize)]
struct Memory {
    fits: bool,
    #[serde(flatten)]
    used: MemoryUse,
}

pub(super) fn run(args: &args::Estimate) -> Result<Report, Failure> {
    let data = Data::open(args.output.data.as_deref())?;
    let asked = ask(&args.question, &args::Space::default())?;
    let scenario = asked.scenario;
    if scenario.reach.is_wide() {
        return Err(Failure("One layout has one backend and one GPU system: name them.".to_owned()));
    }
    let deployment = deployment(&args.layout, &scenario)?;
    let plan = Plan::resolve(&scenario, Catalog::embedded(), &data.index)?;
    let id = plan.data_id();
    let mut notes = asked.notes;
    notes.extend(
        asked
            .data
            .filter(|linked| *linked != id)
            .map(|linked| text::different_data(&id, &linked).to_string()),
    );
    let outcome = match estimate(&data.load(plan)?, &deployment) {
        Ok(outcome) => outcome,
        Err(EstimateError::DoesNotFit(memory)) => {
            let why = format!(
                "It does not fit: {} GiB per GPU are needed, {} GiB are there. Use a larger TP or a smaller batch.",
                gib(memory.total()),
                gib(memory.capacity)
            );
            return Ok(Report { error: Some(why), ..Report::new(String::new(), notes, false) });
        }
        Err(error) => return Err(refusal(&error)),
    };
    notes.extend(outcome.memory.iter().filter_map(overflow));
    let text = if args.output.json {
        json(&for_programs(&scenario, &id, &outcome))?
    } else {
        for_people(args.layout.mode, &outcome)
    };
    Ok(Report::new(text, notes, true))
}

fn deployment(layout: &args::Layout, scenario: &Scenario) -> Result<Deployment, Failure> {
    let parallel = Parallel::dense(layout.tp, layout.pp, layout.cp);
    let batch = |batch: Option<u32>| {
        batch.ok_or_else(|| Failure("The batch is not known. Name it with --batch N.".to_owned()))
    };
    let encoders = scenario.has_encoder_workers().then(|| Pool {
        parallel: Parallel::dense(layout.encoder_tp, 1, 1),
        batch: layout.encoder_batch,
        count: layout.encoder_workers,
    });
    let fixed = |phase| Ok(Deployment::Static { parallel, batch: batch(layout.batch)?, phase });
    match layout.mode {
        Mode::Agg => {
            let ctx_tokens = layout.ctx_tokens.unwrap_or(scenario.workload.isl);
            Ok(Deployment::Agg { parallel, batch: batch(layout.batch)?, ctx_tokens, encoders })
        }
        Mode::Afd => {
            let shape = AfdShape {
                attention_nodes: layout.attention_nodes,
                ffn_nodes: layout.ffn_nodes,
                attention_tp: layout.tp,
                ffn_ep: layout.ffn_ep,
                microbatches: layout.microbatches,
                pipeline: match layout.overlap {
                    Overlap::Optimistic => Pipeline::Optimistic,
                    Overlap::Conservative => Pipeline::Conservative,
                },
            };
            Ok(Deployment::Afd { shape, batch: batch(layout.batch)? })
        }
        Mode::Static => fixed(Phase::Both),
        Mode::Prefill => fixed(Phase::Prefill),
        Mode::Decode => fixed(Phase::Decode),
        Mode::Disagg => {
            let pool = |tp: Option<u32>, pp: Option<u32>, cp, batch, count| Pool {
                parallel: Parallel::dense(tp.unwrap_or(layout.tp), pp.unwrap_or(layout.pp), cp),
                batch,
                count,
            };
            let decode_batch = batch(layout.decode_batch.or(layout.batch))?;
            Ok(Deployment::Disagg {
                prefill: pool(
                    layout.prefill_tp,
                    layout.prefill_pp,
                    layout.cp,
                    layout.prefill_batch,
                    layout.prefill_workers,
                ),
                decode: pool(layout.decode_tp, layout.decode_pp, 1, decode_batch, layout.decode_workers),
                encoders,
            })
        }
    }
}

fn refusal(error: &EstimateError) -> Failure {
    Failure(match error {
        EstimateError::Gap(Gap::NoData(table)) => {
            format!(
                "There is no measured data for {table} in this layout. Choose other parallel sizes or precisions."
            )
        }
        EstimateError::Gap(Gap::NoEstimate(table)) => {
            format!(
                "Nothing was measured that {table} in this layout could be estimated from. Choose other parallel sizes or precisions, or another data mode."
            )
        }
        EstimateError::Gap(Gap::NoPeak(pipe)) => {
            format!("The GPU has no {} tensor cores. Choose another precision or system.", pipe.name())
        }
        EstimateError::Shape(_) | EstimateError::DoesNotFit(_) => {
            format!("The layout makes no sense: {error}. Change the sizes or batches.")
        }
    })
}

fn overflow(held: &Held) -> Option<String> {
    let why = match held.fit {
        Fit::Yes => return None,
        Fit::NoKv => "the KV cache of the batch does not fit",
        Fit::No => "weights and activations do not fit",
    };
    let (need, have) = (gib(held.memory.total()), gib(held.memory.capacity));
    Some(format!("In fact {why}: {need} GiB per GPU are needed of {have} GiB."))
}

fn for_programs<'a>(scenario: &'a Scenario, data: &'a str, outcome: &Estimate) -> Json<'a> {
    let memory = outcome.memory.iter().map(|held| Memory { fits: held.fit == Fit::Yes, used: held.memory });
    Json {
        scenario,
        data,
        ttft_ms: outcome.ttft_ms,
        itl_ms: outcome.itl_ms,
        request_latency_ms: outcome.request_latency_ms,
        requests_per_sec: outcome.requests_per_sec,
        tokens_per_sec: outcome.tokens_per_sec,
        tokens_per_sec_per_gpu: outcome.tokens_per_sec_per_gpu,
        tokens_per_sec_per_user: outcome.tokens_per_sec_per_user,
        concurrency: outcome.concurrency,
        gpus: outcome.gpus,
        memory: memory.collect(),
        evidence: outcome.evidence,
    }
}

fn for_people(mode: Mode, outcome: &Estimate) -> String {
    let mut rows = vec![("GPUs", count(u64::from(outcome.gpus)))];
    if !matches!(mode, Mode::Decode | Mode::Afd) {
        rows.push(("TTFT ms", ms(outcome.ttft_ms)));
    }
    if mode != Mode::Prefill {
        rows.push(("ITL ms", ms(outcome.itl_ms)));
        rows.push(("tok/s/user", rate(outcome.tokens_per_sec_per_user)));
    }
    rows.push(("request latency ms", ms(outcome.request_latency_ms)));
    rows.push(("req/s", rate(outcome.requests_per_sec)));
    rows.push(("tok/s", rate(outcome.tokens_per_sec)));
    rows.push(("tok/s/GPU", rate(outcome.tokens_per_sec_per_gpu)));
    rows.push(("in flight", count(u64::from(outcome.concurrency))));
    let names: &[&str] = match mode {
        Mode::Afd => &["attention GiB/GPU", "FFN GiB/GPU"],
        Mode::Disagg => &["prefill GiB/GPU", "decode GiB/GPU", "encoder GiB/GPU"],
        _ => &["GiB/GPU", "encoder GiB/GPU"],
    };
    for (&name, held) in names.iter().zip(&outcome.memory) {
        let used = format!("{} of {}", gib(held.memory.total()), gib(held.memory.capacity));
        rows.push((name, used));
    }
    rows.push(("evidence", text::evidence(outcome.evidence)));
    let rows: Vec<_> = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    table(&[("estimate", Align::Left), ("value", Align::Left)], &rows)
}
