//! A scenario as a readable query string, and back.
//!
//! Core inputs are always written, in one order; the others only while they differ from the default. Reading
//! never fails: what is not understood keeps its default and becomes a notice. A number that can be read but
//! makes no sense is kept, and refused later with a message, so that nobody loses what they typed.

mod layout;

pub use layout::{Pointed, layout_name, parse_layout, place_suffix, pointed};

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::backend::Backend;
use crate::custom::Custom;
use crate::format::plain;
use crate::quant::{FmhaQuant, KvQuant, Quant};
use crate::scenario::{EncoderPlace, Goal, Images, Policy, Scenario, Serving};
use crate::source::DataMode;

/// Version of the keys and units.
pub const VERSION: &str = "1";

/// A query string, understood as far as it could be.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The question.
    pub scenario: Scenario,
    /// Identity of the measured data that the link was made on.
    pub data: Option<String>,
    /// What was not understood, in the order of the link.
    pub notices: Vec<Notice>,
}

/// Something in a link that was not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The key.
    pub key: String,
    /// Its value as it was written.
    pub value: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a key or value of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// No input has this name.
    UnknownKey,
    /// The key stands there more than once; the first one counts.
    Repeated,
    /// Only one of `gpus`, `rate` and `concurrency` can be set; the first one counts.
    SecondGoal,
    /// The link was written for another version of the keys.
    OtherVersion,
    /// The value is no whole number from 0 to 4,294,967,295.
    NotWhole,
    /// The value is no number.
    NotNumber,
    /// The value is no size of an image, such as `1024x768`.
    NotSize,
    /// The value is none of these.
    NotOneOf(&'static [&'static str]),
    /// The value is none of the precisions.
    NotPrecision,
    /// The value describes no model, or one that this version does not understand.
    NotModel,
    /// The value is not readable text.
    NotText,
}

/// The query string of a scenario, without `?`.
pub fn write(scenario: &Scenario, data: Option<&str>) -> String {
    // In full, so that a new input cannot be forgotten here.
    let Scenario {
        model,
        custom,
        system,
        decode_system,
        backend,
        reach,
        version,
        workload,
        sla,
        goal,
        serving,
        quant,
        engine,
        policy,
        mode,
    } = scenario;
    let mut out = Query(format!("v={VERSION}"));
    out.text("model", model);
    if let Some(custom) = custom {
        out.text("facts", custom.text());
    }
    out.text("system", if reach.every_system { ANY } else { system });
    match goal {
        Goal::Gpus(gpus) => out.raw("gpus", gpus),
        Goal::RequestRate(rate) => out.raw("rate", plain(*rate)),
        Goal::Concurrency(requests) => out.raw("concurrency", requests),
    }
    out.raw("backend", if reach.every_backend { AUTO } else { backend.name() });
    out.raw("isl", workload.isl);
    out.raw("osl", workload.osl);
    out.raw("prefix", workload.prefix);
    if let Some(Images { count, width, height }) = workload.images {
        out.raw("images", count);
        out.raw("image", format_args!("{width}x{height}"));
    }
    out.raw("ttft", plain(sla.ttft_ms));
    out.raw("itl", plain(sla.itl_ms));
    if let Some(latency) = sla.request_latency_ms {
        out.raw("latency", plain(latency));
    }
    if sla.strict {
        out.raw("strict", 1);
    }
    if let Some(system) = decode_system {
        out.text("decode", system);
    }
    if let Some(version) = version {
        out.text("version", version);
    }
    match serving {
        Serving::Both => {}
        Serving::Agg => out.raw("serving", "agg"),
        Serving::Disagg => out.raw("serving", "disagg"),
    }
    if let Some(gemm) = quant.gemm {
        out.raw("gemm", gemm);
    }
    if let Some(kv) = quant.kv {
        out.raw("kv", kv);
    }
    if let Some(fmha) = quant.fmha {
        out.raw("fmha", fmha);
    }
    if engine.chunked_prefill {
        out.raw("chunked", 1);
    }
    if let Some(fraction) = engine.free_memory_fraction {
        out.raw("mem", plain(fraction));
    }
    if let Some(tokens) = engine.max_seq_len {
        out.raw("maxseq", tokens);
    }
    if engine.pipeline {
        out.raw("pp", PIPELINE);
    }
    if engine.draft_tokens > 0 {
        out.raw("mtp", engine.draft_tokens);
    }
    if engine.draft_accepted != 0.0 {
        out.raw("mtpacc", plain(engine.draft_accepted));
    }
    match engine.encoder {
        EncoderPlace::Images => {}
        EncoderPlace::Weights => out.raw("encoder", "weights"),
        EncoderPlace::Workers => out.raw("encoder", "workers"),
    }
    if *policy == Policy::Reference {
        out.raw("policy", "reference");
    }
    if *mode != DataMode::Silicon {
        out.raw("mode", mode);
    }
    if let Some(data) = data {
        out.text("data", data);
    }
    out.0
}

/// Reads a query string, with or without its `?`, or a whole address.
pub fn parse(link: &str) -> Parsed {
    let mut reader = Reader {
        parsed: Parsed { scenario: Scenario::default(), data: None, notices: Vec::new() },
        seen: BTreeSet::new(),
        has_goal: false,
    };
    for pair in query(link).split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        reader.pair(key, value);
    }
    reader.parsed
}

/// Every GPU system.
pub const ANY: &str = "any";
/// Every backend.
pub const AUTO: &str = "auto";
const PIPELINE: &str = "1,2,4";

/// The query of an address; a text that is no address is taken as the query itself.
fn query(link: &str) -> &str {
    let link = link.trim();
    let link = link.split('#').next().unwrap_or(link);
    let first_pair = link.find('=').unwrap_or(link.len());
    match link.find('?') {
        Some(mark) if mark < first_pair => &link[mark + 1..],
        _ if link[..first_pair].contains("://") || link.starts_with('/') => "",
        _ => link,
    }
}

struct Query(String);

impl Query {
    /// A value that needs no escaping.
    fn raw(&mut self, key: &str, value: impl std::fmt::Display) {
        // Writing into a string cannot fail.
        let _ = write!(self.0, "&{key}={value}");
    }

    fn text(&mut self, key: &str, value: &str) {
        let _ = write!(self.0, "&{key}=");
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~/:,@!$*()".contains(&byte) {
                self.0.push(char::from(byte));
            } else {
                let _ = write!(self.0, "%{byte:02X}");
            }
        }
    }
}

/// Undoes the escaping of a query; none when the bytes are no text.
fn decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escaped = if byte == b'%' { hex(bytes.get(at + 1)).zip(hex(bytes.get(at + 2))) } else { None };
        match (byte, escaped) {
            (_, Some((high, low))) => {
                out.push(high * 16 + low);
                at += 2;
            }
            // Forms write a space this way.
            (b'+', None) => out.push(b' '),
            (byte, None) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8(out).ok()
}

fn hex(byte: Option<&u8>) -> Option<u8> {
    char::from(*byte?).to_digit(16).map(|digit| digit as u8)
}

struct Reader {
    parsed: Parsed,
    seen: BTreeSet<String>,
    has_goal: bool,
}

impl Reader {
    fn pair(&mut self, raw_key: &str, raw_value: &str) {
        let (Some(key), Some(value)) = (decode(raw_key), decode(raw_value)) else {
            return self.notice(raw_key, raw_value, Problem::NotText);
        };
        if self.seen.contains(&key) {
            return self.notice(&key, &value, Problem::Repeated);
        }
        if let Err(problem) = self.set(&key, &value) {
            self.notice(&key, &value, problem);
        }
        self.seen.insert(key);
    }

    fn notice(&mut self, key: &str, value: &str, problem: Problem) {
        self.parsed.notices.push(Notice { key: key.to_owned(), value: value.to_owned(), problem });
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), Problem> {
        let Scenario { workload, sla, quant, engine, .. } = &mut self.parsed.scenario;
        match key {
            "v" if value == VERSION => {}
            "v" => return Err(Problem::OtherVersion),
            "gpus" | "rate" | "concurrency" => self.set_goal(key, value)?,
            "isl" => workload.isl = whole(value)?,
            "osl" => workload.osl = whole(value)?,
            "prefix" => workload.prefix = whole(value)?,
            "images" => {
                let count = whole(value)?;
                workload.images.get_or_insert_default().count = count;
            }
            "image" => {
                let (width, height) = size(value)?;
                let images = workload.images.get_or_insert_default();
                (images.width, images.height) = (width, height);
            }
            "ttft" => sla.ttft_ms = number(value)?,
            "itl" => sla.itl_ms = number(value)?,
            "latency" => sla.request_latency_ms = Some(number(value)?),
            "strict" => sla.strict = choice(value, FLAGS)?,
            "gemm" => quant.gemm = Some(precision(value, Quant::from_name)?),
            "kv" => quant.kv = Some(precision(value, KvQuant::from_name)?),
            "fmha" => quant.fmha = Some(precision(value, FmhaQuant::from_name)?),
            "chunked" => engine.chunked_prefill = choice(value, FLAGS)?,
            "mem" => engine.free_memory_fraction = Some(number(value)?),
            "maxseq" => engine.max_seq_len = Some(whole(value)?),
            "pp" => engine.pipeline = choice(value, PIPELINES)?,
            "mtp" => engine.draft_tokens = whole(value)?,
            "mtpacc" => engine.draft_accepted = number(value)?,
            "encoder" => engine.encoder = choice(value, ENCODERS)?,
            "data" => self.parsed.data = Some(value.to_owned()),
            _ => return self.set_name(key, value),
        }
        Ok(())
    }

    fn set_name(&mut self, key: &str, value: &str) -> Result<(), Problem> {
        let scenario = &mut self.parsed.scenario;
        match key {
            "facts" => scenario.custom = Some(Custom::parse(value).map_err(|_| Problem::NotModel)?),
            "model" => value.clone_into(&mut scenario.model),
            "system" => scenario.set_system((value != ANY).then_some(value)),
            "decode" => scenario.decode_system = Some(value.to_owned()),
            "version" => scenario.version = Some(value.to_owned()),
            "backend" => scenario.set_backend(choice(value, BACKENDS)?),
            "serving" => scenario.serving = choice(value, SERVING)?,
            "policy" => scenario.policy = choice(value, POLICIES)?,
            "mode" => scenario.mode = choice(value, MODES)?,
            _ => return Err(Problem::UnknownKey),
        }
        Ok(())
    }

    fn set_goal(&mut self, key: &str, value: &str) -> Result<(), Problem> {
        if self.has_goal {
            return Err(Problem::SecondGoal);
        }
        self.parsed.scenario.goal = match key {
            "rate" => Goal::RequestRate(number(value)?),
            "concurrency" => Goal::Concurrency(whole(value)?),
            _ => Goal::Gpus(whole(value)?),
        };
        self.has_goal = true;
        Ok(())
    }
}

/// Names of a value and what they stand for.
type Names<T> = (&'static [&'static str], &'static [T]);

const BACKENDS: Names<Option<Backend>> = (
    &["trtllm", "sglang", "vllm", AUTO],
    &[Some(Backend::Trtllm), Some(Backend::Sglang), Some(Backend::Vllm), None],
);
const SERVING: Names<Serving> = (&["both", "agg", "disagg"], &[Serving::Both, Serving::Agg, Serving::Disagg]);
const PIPELINES: Names<bool> = (&["1", PIPELINE], &[false, true]);
const ENCODERS: Names<EncoderPlace> = (
    &["images", "weights", "workers"],
    &[EncoderPlace::Images, EncoderPlace::Weights, EncoderPlace::Workers],
);
const POLICIES: Names<Policy> = (&["exhaustive", "reference"], &[Policy::Exhaustive, Policy::Reference]);
const MODES: Names<DataMode> = (&["silicon", "hybrid", "empirical", "sol"], DataMode::ALL);
const FLAGS: Names<bool> = (&["0", "1", "false", "true"], &[false, true, false, true]);

fn whole(value: &str) -> Result<u32, Problem> {
    value.parse().map_err(|_| Problem::NotWhole)
}

/// Width and height, `1024x768`.
fn size(value: &str) -> Result<(u32, u32), Problem> {
    let sides = value.split_once('x').ok_or(Problem::NotSize)?;
    let side = |text: &str| text.parse().map_err(|_| Problem::NotSize);
    Ok((side(sides.0)?, side(sides.1)?))
}

fn number(value: &str) -> Result<f64, Problem> {
    let number: f64 = value.parse().map_err(|_| Problem::NotNumber)?;
    if number.is_finite() { Ok(number) } else { Err(Problem::NotNumber) }
}

fn precision<T>(value: &str, from_name: fn(&str) -> Option<T>) -> Result<T, Problem> {
    from_name(value).ok_or(Problem::NotPrecision)
}

fn choice<T: Copy>(value: &str, (names, values): Names<T>) -> Result<T, Problem> {
    let at = names.iter().position(|&name| name == value);
    at.and_then(|at| values.get(at).copied()).ok_or(Problem::NotOneOf(names))
}

#[cfg(test)]
mod tests;
