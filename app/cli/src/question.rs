//! From flags, link and file to a scenario.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use engine::link;
use engine::scenario::{EncoderPlace, Goal, Images, Policy, Scenario, Serving};
use engine::text;
use serde_json::Value;

use crate::args;
use crate::model::model;
use crate::report::Failure;

/// A question as it was asked.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) scenario: Scenario,
    /// Identity of the data that a link was made on.
    pub(crate) data: Option<String>,
    /// What was not understood.
    pub(crate) notes: Vec<String>,
}

/// The scenario of a command line: flags over the link or the file over the defaults.
pub(crate) fn ask(question: &args::Question, space: &args::Space) -> Result<Asked, Failure> {
    let mut asked = match (&question.link, &question.scenario) {
        (Some(link), _) => follow(link),
        (None, Some(path)) => open(path)?,
        (None, None) => Asked::default(),
    };
    model(question, &mut asked)?;
    apply(question, &mut asked.scenario);
    narrow(space, &mut asked.scenario);
    Ok(asked)
}

fn follow(link: &str) -> Asked {
    let parsed = link::parse(link);
    Asked {
        scenario: parsed.scenario,
        data: parsed.data,
        notes: parsed.notices.iter().map(text::notice).collect(),
    }
}

fn open(path: &Path) -> Result<Asked, Failure> {
    let read = if path == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(path)
    };
    let file = path.display();
    let text = read.map_err(|error| {
        Failure(format!("The scenario {file} cannot be read ({error}). Check the name and that it is text."))
    })?;
    // JSON is YAML, and a link is a YAML text.
    let value: Value = serde_yaml::from_str(&text).map_err(|error| {
        Failure(format!(
            "The scenario {file} is neither JSON nor YAML ({error}). See `configurator search --json` for its fields."
        ))
    })?;
    match value {
        Value::String(link) => Ok(follow(&link)),
        Value::Object(_) => {
            let scenario = complete(value).map_err(|why| {
                Failure(format!("The scenario {file} is not usable: {why}. See `configurator search --json` for its fields."))
            })?;
            Ok(Asked { scenario, ..Asked::default() })
        }
        _ => Err(Failure(format!(
            "The scenario {file} holds neither the fields of a scenario nor a share link. See `configurator search --json` for its fields."
        ))),
    }
}

/// A scenario from some of its fields; the others keep their defaults.
fn complete(given: Value) -> Result<Scenario, String> {
    let mut whole = serde_json::to_value(Scenario::default()).map_err(|error| error.to_string())?;
    overlay(&mut whole, given, "")?;
    serde_json::from_value(whole).map_err(|error| error.to_string())
}

fn overlay(base: &mut Value, given: Value, path: &str) -> Result<(), String> {
    match (base, given) {
        // The goal is one of several things, not a group of fields.
        (Value::Object(base), Value::Object(given)) if path != "goal" => {
            for (key, value) in given {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match base.get_mut(&key) {
                    Some(field) => overlay(field, value, &path)?,
                    None => return Err(format!("there is no field {path:?}")),
                }
            }
        }
        (base, given) => *base = given,
    }
    Ok(())
}

fn apply(flags: &args::Question, scenario: &mut Scenario) {
    // In full, so that a new flag cannot be forgotten here.
    let args::Question {
        link: _,
        scenario: _,
        model: _,
        config: _,
        quant_config: _,
        system,
        decode_system,
        gpus,
        rate,
        concurrency,
        backend,
        version,
        isl,
        osl,
        prefix,
        images,
        image_size,
        encoder,
        ttft,
        itl,
        latency,
        gemm,
        kv,
        fmha,
        mem,
        max_seq_len,
        mtp,
        mtp_accepted,
        database_mode,
    } = flags;
    if let Some(system) = system {
        scenario.set_system((system != link::ANY).then_some(system));
    }
    set_some(&mut scenario.decode_system, decode_system.as_ref());
    let goal = gpus.map(Goal::Gpus).or(rate.map(Goal::RequestRate)).or(concurrency.map(Goal::Concurrency));
    set(&mut scenario.goal, goal.as_ref());
    if let Some(args::BackendChoice(backend)) = backend {
        scenario.set_backend(*backend);
    }
    set_some(&mut scenario.version, version.as_ref());
    set(&mut scenario.workload.isl, isl.as_ref());
    set(&mut scenario.workload.osl, osl.as_ref());
    set(&mut scenario.workload.prefix, prefix.as_ref());
    if let Some(count) = *images {
        let kept = scenario.workload.images.unwrap_or_default();
        scenario.workload.images = (count > 0).then_some(Images { count, ..kept });
    }
    if let (Some((width, height)), true) = (*image_size, *images != Some(0)) {
        let kept = scenario.workload.images.unwrap_or_default();
        scenario.workload.images = Some(Images { width, height, ..kept });
    }
    let encoder = encoder.map(|encoder| match encoder {
        args::Encoder::Images => EncoderPlace::Images,
        args::Encoder::Weights => EncoderPlace::Weights,
        args::Encoder::Workers => EncoderPlace::Workers,
    });
    set(&mut scenario.engine.encoder, encoder.as_ref());
    set(&mut scenario.sla.ttft_ms, ttft.as_ref());
    set(&mut scenario.sla.itl_ms, itl.as_ref());
    set_some(&mut scenario.sla.request_latency_ms, latency.as_ref());
    set_some(&mut scenario.quant.gemm, gemm.as_ref());
    set_some(&mut scenario.quant.kv, kv.as_ref());
    set_some(&mut scenario.quant.fmha, fmha.as_ref());
    set_some(&mut scenario.engine.free_memory_fraction, mem.as_ref());
    set_some(&mut scenario.engine.max_seq_len, max_seq_len.as_ref());
    set(&mut scenario.engine.draft_tokens, mtp.as_ref());
    set(&mut scenario.engine.draft_accepted, mtp_accepted.as_ref());
    set(&mut scenario.mode, database_mode.as_ref());
}

fn narrow(flags: &args::Space, scenario: &mut Scenario) {
    let &args::Space { strict, serving, chunked, pp, policy } = flags;
    let serving = serving.map(|serving| match serving {
        args::Serving::Both => Serving::Both,
        args::Serving::Agg => Serving::Agg,
        args::Serving::Disagg => Serving::Disagg,
    });
    let policy = policy.map(|policy| match policy {
        args::Policy::Exhaustive => Policy::Exhaustive,
        args::Policy::Reference => Policy::Reference,
    });
    set(&mut scenario.sla.strict, strict.as_ref());
    set(&mut scenario.serving, serving.as_ref());
    set(&mut scenario.engine.chunked_prefill, chunked.as_ref());
    set(&mut scenario.engine.pipeline, pp.map(|pp| matches!(pp, args::Pipeline::Deep)).as_ref());
    set(&mut scenario.policy, policy.as_ref());
}

fn set<T: Clone>(field: &mut T, flag: Option<&T>) {
    if let Some(value) = flag {
        field.clone_from(value);
    }
}

fn set_some<T: Clone>(field: &mut Option<T>, flag: Option<&T>) {
    if flag.is_some() {
        *field = flag.cloned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_fields_are_enough() {
        let text = "model: Qwen/Qwen3-8B\nworkload: {isl: 900}\ngoal: {RequestRate: 2.5}\nquant: {kv: fp8}\n";
        let scenario = complete(serde_yaml::from_str(text).unwrap()).unwrap();
        assert_eq!(scenario.model, "Qwen/Qwen3-8B");
        assert_eq!((scenario.workload.isl, scenario.workload.osl), (900, 500));
        assert_eq!(scenario.goal, Goal::RequestRate(2.5));
        assert_eq!(scenario.quant.kv, Some(engine::quant::KvQuant::Fp8));
        let whole = serde_json::to_value(&scenario).unwrap();
        assert_eq!(complete(whole), Ok(scenario));
    }

    #[test]
    fn wrong_fields_are_named() {
        let refuse = |text: &str| complete(serde_yaml::from_str(text).unwrap()).unwrap_err();
        assert!(refuse("workload: {islands: 3}").contains("workload.islands"));
        assert!(refuse("backend: trt").contains("trt"));
        assert!(refuse("sla: fast").contains("fast"));
    }
}
