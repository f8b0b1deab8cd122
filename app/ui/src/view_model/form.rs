//! Fields of the scenario bar: reading what was typed, writing what is set, saying what is closed away.

use engine::backend::Backend;
use engine::link;
use engine::order;
use engine::scenario::{EncoderPlace, Goal, Images, Place, Policy, Scenario, Serving};
use engine::source::DataMode;
use engine::text;
use perf_data::{Index, PackEntry};

use super::catalog::{self, Model};

/// Reads a number as people type it: thousands separators, spaces and a unit at the end are fine.
pub fn number(text: &str) -> Result<f64, String> {
    let plain: String =
        text.trim().chars().filter(|c| !matches!(c, ',' | ' ' | '\u{a0}' | '_' | '\'')).collect();
    let plain = plain.strip_suffix("ms").unwrap_or(&plain);
    let (plain, factor) = match plain.strip_suffix(['k', 'K']) {
        Some(thousands) => (thousands, 1000.0),
        None => (plain, 1.0),
    };
    match plain.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value * factor),
        _ if plain.is_empty() => Err("Type a number.".to_owned()),
        _ => Err(format!("“{}” is not a number.", text.trim())),
    }
}

/// Reads a whole number that is not negative.
pub fn whole(text: &str) -> Result<u32, String> {
    let value = number(text)?;
    if value.fract() != 0.0 {
        return Err("This must be a whole number.".to_owned());
    }
    if (0.0..=f64::from(u32::MAX)).contains(&value) {
        Ok(value as u32)
    } else {
        Err(format!("This must be between 0 and {}.", engine::format::count(u64::from(u32::MAX))))
    }
}

/// A whole number for a field.
pub fn show_whole(value: u32) -> String {
    engine::format::count(u64::from(value))
}

/// A number for a field: shortest digits that read back.
pub fn show_number(value: f64) -> String {
    if value.fract() == 0.0 && (0.0..1e12).contains(&value) {
        engine::format::count(value as u64)
    } else {
        value.to_string()
    }
}

/// One model in the list of models.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelOption {
    /// Full id.
    pub id: String,
    /// Family and precision.
    pub detail: String,
}

fn model_option(model: &Model) -> ModelOption {
    ModelOption {
        id: model.id.to_owned(),
        detail: format!("{} · {}", family_label(model.family), model.gemm),
    }
}

/// Name of a family for people: what its models have in common.
pub fn family_label(name: &str) -> &str {
    match name {
        "LLAMA" => "Dense",
        "MOE" => "Mixture of experts",
        "DEEPSEEK" => "DeepSeek V3",
        "KIMIK25" => "Kimi K2.5",
        "DEEPSEEKV32" => "DeepSeek V3.2 and GLM-5",
        "DEEPSEEKV4" => "DeepSeek V4",
        "HYBRIDMOE" => "Llama 4 and MiMo-V2",
        "STEP3P7" => "Step 3.7",
        "GEMMA4MIX" => "Gemma 4",
        "MINIMAXM3" => "MiniMax M3",
        "NEMOTRONH" => "Nemotron-H",
        "NEMOTRONNAS" => "Nemotron NAS",
        "QWEN35" => "Qwen3.5",
        "KIMIK3" => "Kimi K3",
        "QWEN3VL" => "Qwen3-VL",
        "QWEN3VL_MOE" => "Qwen3-VL, experts",
        other => other,
    }
}

/// Models whose id, family or precision has every word of `query`; those named by it first, then those that can
/// be answered for.
pub fn models(query: &str) -> Vec<ModelOption> {
    let query = query.to_lowercase();
    let words: Vec<&str> = query.split_whitespace().collect();
    let mut found: Vec<ModelOption> = catalog::models()
        .iter()
        .map(model_option)
        .filter(|option| {
            let text = format!("{} {}", option.id, option.detail).to_lowercase();
            words.iter().all(|word| text.contains(word))
        })
        .collect();
    // A word of the id says more than a word of the family: every Qwen3 of this list is of the Llama family.
    let named = |option: &ModelOption| {
        let id = option.id.to_lowercase();
        words.iter().all(|word| id.contains(word))
    };
    order::sort_by(&mut found, |a, b| named(b).cmp(&named(a)).then_with(|| a.id.cmp(&b.id)));
    found
}

/// The model id without its organisation.
pub fn short_model(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

/// A choice of a select.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Value in the scenario.
    pub value: String,
    /// What people read.
    pub label: String,
}

impl Choice {
    fn new(value: &str, label: impl Into<String>) -> Self {
        Self { value: value.to_owned(), label: label.into() }
    }
}

/// Systems, with what the data lacks for `backend`, or for all of them; `current` is always among them.
pub fn systems(index: Option<&Index>, backend: Option<Backend>, current: &str) -> Vec<Choice> {
    let mut choices: Vec<Choice> = catalog::systems()
        .iter()
        .map(|system| {
            let measured = index.is_none_or(|index| match backend {
                Some(backend) => index.pack(system.id, backend.name()).is_some(),
                None => index.packs.iter().any(|pack| pack.system == system.id),
            });
            let note = if measured { "" } else { " (no data)" };
            Choice::new(system.id, format!("{}{note}", system.name))
        })
        .collect();
    keep(&mut choices, current);
    choices
}

fn keep(choices: &mut Vec<Choice>, current: &str) {
    if !choices.iter().any(|choice| choice.value == current) {
        choices.insert(0, Choice::new(current, current));
    }
}

/// Name of a system for people.
pub fn system_name(id: &str) -> &str {
    catalog::system(id).map_or(id, |system| system.name)
}

/// Name of a place for people.
pub fn place_name(place: &Place) -> String {
    engine::text::place(place.backend, system_name(&place.system))
}

/// Systems to search: one of them, or all.
pub fn searched_systems(index: Option<&Index>, scenario: &Scenario) -> Vec<Choice> {
    let mut choices = systems(index, scenario.one_backend(), &scenario.system);
    choices.push(Choice::new(link::ANY, "Any GPU"));
    choices
}

/// Backends to search, with what the data lacks on `system`: one of them, or all.
pub fn backends(index: Option<&Index>, system: Option<&str>) -> Vec<Choice> {
    let lacks = |backend: Backend| {
        index.zip(system).is_some_and(|(index, system)| index.pack(system, backend.name()).is_none())
    };
    let mut choices: Vec<Choice> = [Backend::Trtllm, Backend::Vllm, Backend::Sglang]
        .into_iter()
        .map(|backend| {
            let note = if lacks(backend) { " (no data)" } else { "" };
            Choice::new(backend.name(), format!("{}{note}", backend.label()))
        })
        .collect();
    choices.push(Choice::new(link::AUTO, "Auto"));
    choices
}

/// Data versions of a backend on a system; the empty value is the current one.
pub fn versions(index: Option<&Index>, scenario: &Scenario) -> Vec<Choice> {
    let entry: Option<&PackEntry> = index
        .filter(|_| !scenario.reach.is_wide())
        .and_then(|index| index.pack(&scenario.system, scenario.backend.name()));
    let current = entry.map_or_else(|| "current".to_owned(), |entry| entry.version.clone());
    let mut choices = vec![Choice::new("", current)];
    if let Some(version) = &scenario.version {
        keep(&mut choices, version);
    }
    choices
}

/// Which kind of goal is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoalKind {
    /// A number of GPUs.
    Gpus,
    /// Requests per second.
    Rate,
    /// Requests in flight.
    Concurrency,
}

impl GoalKind {
    /// The kinds, in the order of the switch.
    pub const ALL: [Self; 3] = [Self::Gpus, Self::Rate, Self::Concurrency];

    /// The kind of a goal.
    pub fn of(goal: Goal) -> Self {
        match goal {
            Goal::Gpus(_) => Self::Gpus,
            Goal::RequestRate(_) => Self::Rate,
            Goal::Concurrency(_) => Self::Concurrency,
        }
    }

    /// Name in the switch.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Gpus => "GPUs",
            Self::Rate => "req/s",
            Self::Concurrency => "in flight",
        }
    }

    /// Value in the switch.
    pub const fn value(self) -> &'static str {
        match self {
            Self::Gpus => "gpus",
            Self::Rate => "rate",
            Self::Concurrency => "concurrency",
        }
    }

    /// Entry in the switch.
    pub fn choice(self) -> Choice {
        Choice::new(self.value(), self.label())
    }

    /// The kind with this value.
    pub fn from_value(value: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.value() == value)
    }

    /// A goal of this kind that asks for about what is on screen.
    pub fn like(self, gpus: u32, rate: f64, concurrency: u32) -> Goal {
        match self {
            Self::Gpus => Goal::Gpus(gpus.max(1)),
            Self::Rate => Goal::RequestRate((rate * 10.0).round().max(1.0) / 10.0),
            Self::Concurrency => Goal::Concurrency(concurrency.max(1)),
        }
    }

    /// The goal of this kind with a typed number.
    pub fn with(self, text: &str) -> Result<Goal, String> {
        Ok(match self {
            Self::Gpus => Goal::Gpus(whole(text)?),
            Self::Rate => Goal::RequestRate(number(text)?),
            Self::Concurrency => Goal::Concurrency(whole(text)?),
        })
    }
}

/// The number of a goal, for its field.
pub fn show_goal(goal: Goal) -> String {
    match goal {
        Goal::Gpus(count) | Goal::Concurrency(count) => show_whole(count),
        Goal::RequestRate(rate) => show_number(rate),
    }
}

/// What can answer for an operator.
pub fn data_modes() -> Vec<Choice> {
    let label =
        |&mode: &DataMode| Choice { value: mode.name().to_owned(), label: text::data_mode(mode).to_owned() };
    DataMode::ALL.iter().map(label).collect()
}

/// Values of the closed group, most telling first.
pub fn more_summary(scenario: &Scenario) -> String {
    let Scenario { decode_system, version, sla, serving, quant, engine, policy, mode, .. } = scenario;
    let kv = quant.kv.or_else(|| catalog::precision(scenario).map(|(_, kv)| kv));
    let mut parts = Vec::new();
    parts.extend(scenario.custom.is_some().then(|| "own model".to_owned()));
    parts.extend(version.as_ref().map(|version| format!("data {version}")));
    parts.extend(decode_system.as_ref().map(|id| format!("decode on {}", system_name(id))));
    parts.push(
        match serving {
            Serving::Both => "agg + disagg",
            Serving::Agg => "agg only",
            Serving::Disagg => "disagg only",
        }
        .to_owned(),
    );
    parts.extend(kv.map(|kv| format!("{} KV", kv.name().to_uppercase().replace("BFLOAT16", "BF16"))));
    parts.extend(quant.gemm.map(|gemm| format!("GEMM {gemm}")));
    parts.extend(quant.fmha.map(|fmha| format!("attention {fmha}")));
    parts.push(
        engine
            .free_memory_fraction
            .map_or_else(|| "default KV memory".to_owned(), |share| format!("{share} mem")),
    );
    parts.extend(engine.max_seq_len.map(|tokens| format!("max {} tokens", show_whole(tokens))));
    if engine.draft_tokens > 0 {
        parts.push(format!("MTP {}, {} accepted", engine.draft_tokens, show_number(engine.draft_accepted)));
    }
    parts.extend(scenario.workload.images.as_ref().map(engine::text::images));
    if scenario.has_encoder_workers() {
        parts.push("encoder workers".to_owned());
    }
    if engine.chunked_prefill {
        parts.push("chunked prefill".to_owned());
    }
    if engine.pipeline {
        parts.push("PP 1, 2, 4".to_owned());
    }
    if sla.request_latency_ms.is_some() {
        parts.push("whole-request latency".to_owned());
    }
    if sla.strict {
        parts.push("strict".to_owned());
    }
    if *policy == Policy::Reference {
        parts.push("reference search".to_owned());
    }
    if *mode != DataMode::Silicon {
        parts.push(text::data_mode(*mode).to_owned());
    }
    parts.join(" · ")
}

/// The two lines a phone shows instead of the bar.
pub fn folded(scenario: &Scenario) -> (String, String) {
    let system = scenario.one_system().map_or(engine::text::ANY_SYSTEM, system_name);
    let goal = match scenario.goal {
        Goal::Gpus(count) => format!("{} × {system}", show_whole(count)),
        Goal::RequestRate(rate) => format!("{} req/s on {system}", show_number(rate)),
        Goal::Concurrency(count) => format!("{} in flight on {system}", show_whole(count)),
    };
    let second = scenario.sla.request_latency_ms.map_or_else(
        || format!("ITL ≤ {} ms", show_number(scenario.sla.itl_ms)),
        |latency| format!("request ≤ {} ms", show_number(latency)),
    );
    (
        format!("{} · {goal}", short_model(&scenario.model)),
        format!(
            "{} → {} · TTFT ≤ {} · {second}",
            show_whole(scenario.workload.isl),
            show_whole(scenario.workload.osl),
            show_number(scenario.sla.ttft_ms),
        ),
    )
}

/// A number of the images of a request; empty without images.
pub fn show_image(scenario: &Scenario, get: fn(&Images) -> u32) -> String {
    scenario.workload.images.as_ref().map(get).map_or_else(String::new, show_whole)
}

/// Sets a number of the images of a request; zero removes them, and their encoder workers.
pub fn set_image(scenario: &mut Scenario, number: u32, set: fn(&mut Images, u32)) {
    if number == 0 {
        scenario.workload.images = None;
        scenario.engine.encoder = EncoderPlace::default();
    } else {
        set(scenario.workload.images.get_or_insert_default(), number);
    }
}

/// Moves the vision encoder to workers of its own, for at least one image, or back.
pub fn set_encoder_workers(scenario: &mut Scenario, on: bool) {
    scenario.engine.encoder = if on { EncoderPlace::Workers } else { EncoderPlace::default() };
    if on {
        scenario.workload.images.get_or_insert_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_type_them() {
        assert_eq!(number("4,000"), Ok(4000.0));
        assert_eq!(number(" 29.5 ms "), Ok(29.5));
        assert_eq!(whole("32k"), Ok(32_000));
        assert!(
            whole("1.5").is_err() && whole("-1").is_err() && number("").is_err() && number("NaN").is_err()
        );
        assert!(number("abc").is_err_and(|why| why.contains("abc")));
    }

    #[test]
    fn fields_read_back_what_they_show() {
        for value in [0.1, 6.7, 30.0, 500.0, 12_345.0, 0.000_1] {
            assert_eq!(number(&show_number(value)), Ok(value));
        }
        assert_eq!(whole(&show_whole(4000)), Ok(4000));
    }

    #[test]
    fn models_are_found_by_words() {
        let found = models("qwen3 32b fp8");
        assert!(found.iter().any(|option| option.id == "Qwen/Qwen3-32B-FP8"));
        assert!(models("llama")[0].id.to_lowercase().contains("llama"));
        let all = models("");
        assert_eq!(all.len(), catalog::models().len());
        assert!(all.windows(2).all(|pair| pair[0].id < pair[1].id));
    }

    #[test]
    fn closed_groups_show_their_values() {
        let mut scenario = Scenario::default();
        assert_eq!(more_summary(&scenario), "agg + disagg · FP8 KV · default KV memory");
        scenario.engine.free_memory_fraction = Some(0.9);
        scenario.serving = Serving::Agg;
        assert_eq!(more_summary(&scenario), "agg only · FP8 KV · 0.9 mem");
    }

    #[test]
    fn a_phone_reads_two_lines() {
        let (first, second) = folded(&Scenario::default());
        assert_eq!(first, "Qwen3-32B-FP8 · 32 × H100 SXM");
        assert_eq!(second, "4,000 → 500 · TTFT ≤ 500 · ITL ≤ 30 ms");
    }

    #[test]
    fn all_backends_and_all_systems_can_be_chosen() {
        let mut scenario = Scenario::default();
        scenario.set_system(None);
        let systems = searched_systems(None, &scenario);
        assert!(systems.iter().any(|choice| choice.value == link::ANY));
        assert_eq!(systems.len(), catalog::systems().len() + 1);
        let backends = backends(None, scenario.one_system());
        assert_eq!(backends.last().map(|choice| choice.value.as_str()), Some(link::AUTO));
        assert_eq!(folded(&scenario).0, "Qwen3-32B-FP8 · 32 × any GPU with data");
    }

    #[test]
    fn a_goal_keeps_its_size_when_its_kind_changes() {
        assert_eq!(GoalKind::Rate.like(32, 47.616, 768), Goal::RequestRate(47.6));
        assert_eq!(GoalKind::Gpus.like(0, 0.0, 0), Goal::Gpus(1));
        assert!(GoalKind::Gpus.with("many").is_err());
    }

    #[test]
    fn images_come_and_go_as_a_whole() {
        let mut scenario = Scenario::default();
        assert_eq!(show_image(&scenario, |images| images.width), "");
        set_image(&mut scenario, 640, |images, width| images.width = width);
        assert_eq!(scenario.workload.images, Some(Images { width: 640, ..Images::default() }));
        set_encoder_workers(&mut scenario, true);
        assert!(scenario.has_encoder_workers());
        set_image(&mut scenario, 0, |images, count| images.count = count);
        assert_eq!((scenario.workload.images, scenario.engine.encoder), (None, EncoderPlace::Images));
        set_encoder_workers(&mut scenario, true);
        assert_eq!(show_image(&scenario, |images| images.count), "1");
    }
}
