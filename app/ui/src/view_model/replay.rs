//! The form of a replay: its fields, what is wrong with them, and its words in the address.

use engine::cluster::Slo;
use engine::format::{self, NONE};
use engine::planner::{Config, PerRole, PredictorKind, Target};
use engine::point::{Layout, Point};
use engine::scenario::Scenario;
use engine::simulate::story::{Kind, Outline, Settings, storm};
use engine::simulate::{Percentiles, Summary};
use worker::replay::{Crowd, Job};

use super::form::{number, show_number};

/// What a run is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Against {
    /// The same fleet without a planner.
    #[default]
    Static,
    /// Settings kept before.
    Kept,
    /// Nothing.
    Nothing,
}

/// What is decided on the screen.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    /// Whether a trace is replayed rather than the story.
    pub traced: bool,
    /// How many times as fast.
    pub trace_speed: f64,
    /// The story.
    pub outline: Outline,
    /// Whether the workers are those of the point on Explore rather than the storm's.
    pub own: bool,
    /// Workers at the beginning.
    pub count: PerRole<u32>,
    /// Targets.
    pub slo: Slo,
    /// Whether the planner is on.
    pub planned: bool,
    /// Its settings, kept while it is off.
    pub planner: Config,
    /// The rest; its planner is not read.
    pub settings: Settings,
    /// What it is compared with.
    pub against: Against,
}

impl Form {
    /// The airline storm.
    pub fn storm() -> Self {
        let storm = storm();
        let planner = storm.settings.planner.clone().unwrap_or_default();
        Self {
            traced: false,
            trace_speed: 1.0,
            outline: storm.outline,
            own: false,
            count: PerRole { prefill: 1, decode: 1 },
            slo: storm.slo,
            planned: true,
            planner,
            settings: Settings { planner: None, ..storm.settings },
            against: Against::Static,
        }
    }

    /// The workers and the traffic of a point, at four fifths of what it can serve and half as much again in the rush.
    pub fn take_point(&mut self, scenario: &Scenario, point: &Point) {
        self.own = true;
        self.count = match &point.layout {
            Layout::Agg { worker, .. } => PerRole { prefill: 0, decode: worker.count },
            Layout::Disagg { prefill, decode, .. } => {
                PerRole { prefill: prefill.count, decode: decode.count }
            }
        };
        self.slo = Slo { ttft_ms: Some(scenario.sla.ttft_ms), itl_ms: Some(scenario.sla.itl_ms) };
        let tenth = |value: f64| (value * 10.0).round().max(1.0) / 10.0;
        let outline = &mut self.outline;
        (outline.isl, outline.osl) = (scenario.workload.isl, scenario.workload.osl);
        (outline.calm_isl, outline.calm_osl) = (outline.isl, outline.osl);
        outline.calm_per_sec = tenth(point.requests_per_sec * 0.5);
        outline.peak_per_sec = tenth(point.requests_per_sec * 1.2);
        outline.burst = (point.requests_per_sec * 5.0).round() as u32;
        self.planner.max_gpu_budget = i64::from(point.gpus_used) * 2;
    }

    /// The run of this form, but for the workers of a point.
    pub fn job(&self) -> Job {
        let crowd =
            if self.traced { Crowd::Trace { speed: self.trace_speed } } else { Crowd::Story(self.outline) };
        let planner = self.planned.then(|| self.planner.clone());
        let settings = Settings { planner, ..self.settings.clone() };
        Job { crowd, fleets: None, count: self.count, slo: self.slo, settings }
    }

    /// The same without a planner.
    #[must_use]
    pub fn without_planner(&self) -> Self {
        Self { planned: false, ..self.clone() }
    }
}

/// A number on the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Minutes of the busy part.
    Busy,
    /// Calm requests per second.
    Calm,
    /// Requests per second at the peak.
    Peak,
    /// Requests at once.
    Burst,
    /// Prompt tokens in calm.
    CalmIsl,
    /// Answer tokens in calm.
    CalmOsl,
    /// Prompt tokens.
    Isl,
    /// Answer tokens.
    Osl,
    /// Spread of lengths, percent.
    Spread,
    /// Speed of a trace.
    TraceSpeed,
    /// Prefill workers at the beginning.
    Prefill,
    /// Decode workers at the beginning.
    Decode,
    /// Start of a worker, s.
    Start,
    /// Cached prompt tokens, percent.
    Hit,
    /// TTFT target.
    Ttft,
    /// ITL target.
    Itl,
    /// Most GPUs.
    Gpus,
    /// Fewest workers of a role.
    Floor,
    /// Between two looks at the queues, s.
    Look,
    /// Between two forecasts, s.
    Forecast,
    /// Sensitivity of scaling down.
    Sensitivity,
    /// Seed.
    Seed,
}

/// A group of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Who arrives.
    Traffic,
    /// Who serves.
    Workers,
    /// Who decides.
    Planner,
}

struct Facts {
    word: &'static str,
    label: &'static str,
    unit: &'static str,
    group: Group,
    least: f64,
    most: f64,
    whole: bool,
}

impl Field {
    /// All, in the order of the form.
    pub const ALL: [Self; 22] = [
        Self::Busy,
        Self::Peak,
        Self::Isl,
        Self::Osl,
        Self::Burst,
        Self::Calm,
        Self::CalmIsl,
        Self::CalmOsl,
        Self::Spread,
        Self::TraceSpeed,
        Self::Prefill,
        Self::Decode,
        Self::Start,
        Self::Hit,
        Self::Ttft,
        Self::Itl,
        Self::Gpus,
        Self::Floor,
        Self::Look,
        Self::Forecast,
        Self::Sensitivity,
        Self::Seed,
    ];

    const fn facts(self) -> Facts {
        const fn facts(
            word: &'static str,
            (label, unit): (&'static str, &'static str),
            group: Group,
            (least, most): (f64, f64),
            whole: bool,
        ) -> Facts {
            Facts { word, label, unit, group, least, most, whole }
        }
        use Group::{Planner, Traffic, Workers};
        match self {
            Self::Busy => facts("min", ("Busy for", "min"), Traffic, (0.1, 10_080.0), false),
            Self::Calm => facts("calm", ("Calm rate", "req/s"), Traffic, (0.0, 100_000.0), false),
            Self::Peak => facts("peak", ("Busy rate", "req/s"), Traffic, (0.0, 100_000.0), false),
            Self::Burst => facts("burst", ("All at once", "req"), Traffic, (0.0, 1e6), true),
            Self::CalmIsl => facts("cisl", ("Calm ISL", "tok"), Traffic, (1.0, 4e6), true),
            Self::CalmOsl => facts("cosl", ("Calm OSL", "tok"), Traffic, (1.0, 1e6), true),
            Self::Isl => facts("isl", ("ISL", "tok"), Traffic, (1.0, 4e6), true),
            Self::Osl => facts("osl", ("OSL", "tok"), Traffic, (1.0, 1e6), true),
            Self::Spread => facts("spread", ("Lengths vary", "±%"), Traffic, (0.0, 100.0), true),
            Self::TraceSpeed => facts("speed", ("Speed", "×"), Traffic, (0.01, 1000.0), false),
            Self::Prefill => facts("p", ("Prefill at start", ""), Workers, (1.0, 1024.0), true),
            Self::Decode => facts("d", ("Decode at start", ""), Workers, (1.0, 1024.0), true),
            Self::Start => facts("start", ("A start takes", "s"), Workers, (0.0, 86_400.0), false),
            Self::Hit => facts("hit", ("Cached prompts", "%"), Workers, (0.0, 99.0), true),
            Self::Ttft => facts("ttft", ("TTFT", "ms"), Workers, (1.0, 1e6), false),
            Self::Itl => facts("itl", ("ITL", "ms"), Workers, (0.1, 1e5), false),
            Self::Gpus => facts("gpus", ("Most GPUs", ""), Planner, (1.0, 100_000.0), true),
            Self::Floor => facts("floor", ("Fewest per role", ""), Planner, (1.0, 1024.0), true),
            Self::Look => facts("look", ("Load loop every", "s"), Planner, (1.0, 3600.0), true),
            Self::Forecast => facts("forecast", ("Forecast every", "s"), Planner, (2.0, 86_400.0), true),
            Self::Sensitivity => facts("sense", ("Shrink below", "%"), Planner, (0.0, 100.0), true),
            Self::Seed => facts("seed", ("Seed", ""), Traffic, (0.0, 4e9), true),
        }
    }

    /// Its caption.
    pub const fn label(self) -> &'static str {
        self.facts().label
    }

    /// Its unit.
    pub const fn unit(self) -> &'static str {
        self.facts().unit
    }

    /// Id of its input.
    pub const fn word(self) -> &'static str {
        self.facts().word
    }

    /// Where it stands.
    pub fn group(self) -> Group {
        self.facts().group
    }

    /// Whether it means anything with the rest of the form.
    pub fn counts(self, form: &Form) -> bool {
        let story = !form.traced;
        let kind = form.outline.kind;
        match self {
            Self::Calm => story && kind != Kind::Constant,
            Self::CalmIsl | Self::CalmOsl => story && matches!(kind, Kind::Storm | Kind::Burst),
            Self::Burst => story && matches!(kind, Kind::Storm | Kind::Burst),
            Self::Peak => story && kind != Kind::Burst,
            Self::Busy | Self::Isl | Self::Osl | Self::Spread => story,
            Self::TraceSpeed => form.traced,
            Self::Prefill => form.count.prefill > 0,
            Self::Gpus | Self::Floor | Self::Look | Self::Sensitivity => form.planned,
            Self::Forecast => form.planned && form.planner.throughput_loop(),
            _ => true,
        }
    }

    /// Its value.
    pub fn get(self, form: &Form) -> f64 {
        let Form { outline, settings, planner, .. } = form;
        match self {
            Self::Busy => outline.busy_minutes,
            Self::Calm => outline.calm_per_sec,
            Self::Peak => outline.peak_per_sec,
            Self::Burst => outline.burst.into(),
            Self::CalmIsl => outline.calm_isl.into(),
            Self::CalmOsl => outline.calm_osl.into(),
            Self::Isl => outline.isl.into(),
            Self::Osl => outline.osl.into(),
            Self::Spread => (outline.spread * 100.0).round(),
            Self::TraceSpeed => form.trace_speed,
            Self::Prefill => form.count.prefill.into(),
            Self::Decode => form.count.decode.into(),
            Self::Start => settings.start.secs,
            Self::Hit => (settings.hit_rate * 100.0).round(),
            Self::Ttft => form.slo.ttft_ms.unwrap_or(0.0),
            Self::Itl => form.slo.itl_ms.unwrap_or(0.0),
            Self::Gpus => planner.max_gpu_budget as f64,
            Self::Floor => planner.min_endpoint.into(),
            Self::Look => planner.load_interval_secs.into(),
            Self::Forecast => planner.throughput_interval_secs.into(),
            Self::Sensitivity => planner.load_scaling_down_sensitivity,
            Self::Seed => settings.seed as f64,
        }
    }

    fn put(self, form: &mut Form, value: f64) {
        let count = value as u32;
        let Form { outline, settings, planner, .. } = form;
        match self {
            Self::Busy => outline.busy_minutes = value,
            Self::Calm => outline.calm_per_sec = value,
            Self::Peak => outline.peak_per_sec = value,
            Self::Burst => outline.burst = count,
            Self::CalmIsl => outline.calm_isl = count,
            Self::CalmOsl => outline.calm_osl = count,
            Self::Isl => outline.isl = count,
            Self::Osl => outline.osl = count,
            Self::Spread => outline.spread = value / 100.0,
            Self::TraceSpeed => form.trace_speed = value,
            Self::Prefill => form.count.prefill = count,
            Self::Decode => form.count.decode = count,
            Self::Start => settings.start.secs = value,
            Self::Hit => settings.hit_rate = value / 100.0,
            Self::Ttft => form.slo.ttft_ms = Some(value),
            Self::Itl => form.slo.itl_ms = Some(value),
            Self::Gpus => planner.max_gpu_budget = value as i64,
            Self::Floor => planner.min_endpoint = count,
            Self::Look => planner.load_interval_secs = count,
            Self::Forecast => planner.throughput_interval_secs = count,
            Self::Sensitivity => planner.load_scaling_down_sensitivity = value,
            Self::Seed => settings.seed = value as u64,
        }
    }

    /// Takes what was typed, or says what is wrong with it.
    pub fn set(self, form: &mut Form, text: &str) -> Result<(), String> {
        let value = number(text)?;
        let Facts { least, most, whole, .. } = self.facts();
        if whole && value.fract() != 0.0 {
            return Err("A whole number.".to_owned());
        }
        if !(least..=most).contains(&value) {
            return Err(format!("From {} to {}.", show_number(least), show_number(most)));
        }
        self.put(form, value);
        Ok(())
    }
}

/// A switch on the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// Requests come at random.
    Random,
    /// The planner is on.
    Planned,
    /// Queues scale.
    Load,
    /// Forecasts scale.
    Throughput,
    /// Starting workers can be taken back.
    Pending,
    /// Waiting prompts move to new workers.
    Rebalance,
}

impl Switch {
    /// All, with the word in the address for the state that is not the storm's.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Random, "even"),
        (Self::Planned, "static"),
        (Self::Load, "noload"),
        (Self::Throughput, "noforecast"),
        (Self::Pending, "nocancel"),
        (Self::Rebalance, "rebalance"),
    ];

    /// Its caption.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Random => "Requests come at random",
            Self::Planned => "The planner changes replicas",
            Self::Load => "Load loop: reacts to queues",
            Self::Throughput => "Throughput loop: holds what forecasts need",
            Self::Pending => "Starting workers may be taken back",
            Self::Rebalance => "What if: waiting prompts move to a new worker",
        }
    }

    /// Where it stands.
    pub const fn group(self) -> Group {
        match self {
            Self::Random => Group::Traffic,
            Self::Rebalance => Group::Workers,
            _ => Group::Planner,
        }
    }

    /// Whether it means anything with the rest of the form.
    pub fn counts(self, form: &Form) -> bool {
        match self {
            Self::Random => !form.traced,
            Self::Load | Self::Throughput => form.planned && form.planner.target == Target::Sla,
            Self::Pending => form.planned,
            Self::Planned | Self::Rebalance => true,
        }
    }

    /// Whether it is on.
    pub const fn get(self, form: &Form) -> bool {
        match self {
            Self::Random => form.outline.random,
            Self::Planned => form.planned,
            Self::Load => form.planner.enable_load_scaling,
            Self::Throughput => form.planner.enable_throughput_scaling,
            Self::Pending => form.settings.pending,
            Self::Rebalance => form.settings.rebalance,
        }
    }

    /// Turns it.
    pub const fn set(self, form: &mut Form, on: bool) {
        match self {
            Self::Random => form.outline.random = on,
            Self::Planned => form.planned = on,
            Self::Load => form.planner.enable_load_scaling = on,
            Self::Throughput => form.planner.enable_throughput_scaling = on,
            Self::Pending => form.settings.pending = on,
            Self::Rebalance => form.settings.rebalance = on,
        }
    }
}

/// What the planner can aim at: word, target, name.
pub const TARGETS: [(&str, Target, &str); 3] = [
    ("sla", Target::Sla, "TTFT and ITL (sla)"),
    ("throughput", Target::Throughput, "full engines (throughput)"),
    ("latency", Target::Latency, "empty queues (latency)"),
];

/// How it forecasts: word, kind, name.
pub const PREDICTORS: [(&str, PredictorKind, &str); 3] = [
    ("constant", PredictorKind::Constant, "the last window"),
    ("kalman", PredictorKind::Kalman, "Kalman filter"),
    ("average", PredictorKind::MovingAverage, "moving average"),
];

/// Word of a target.
pub fn target_word(target: Target) -> &'static str {
    TARGETS.iter().find(|(_, one, _)| *one == target).map_or("sla", |(word, ..)| word)
}

/// Word of a predictor.
pub fn predictor_word(kind: PredictorKind) -> &'static str {
    PREDICTORS.iter().find(|(_, one, _)| *one == kind).map_or("constant", |(word, ..)| word)
}

/// Word of what a run is compared with.
const fn against_word(against: Against) -> &'static str {
    match against {
        Against::Static => "fixed",
        Against::Kept => "kept",
        Against::Nothing => "alone",
    }
}

/// The form in a few words for the address: what differs from the storm. A trace and kept settings stay here.
pub fn write(form: &Form) -> Option<String> {
    let storm = Form::storm();
    let mut words: Vec<String> = Vec::new();
    if form.outline.kind != Kind::Storm {
        words.push(form.outline.kind.word().to_owned());
    }
    if form.own {
        words.push("own".to_owned());
    }
    for field in Field::ALL {
        let value = field.get(form);
        if value != field.get(&storm) {
            words.push(format!("{}{value}", field.word()));
        }
    }
    for (switch, word) in Switch::ALL {
        if switch.get(form) != switch.get(&storm) {
            words.push(word.to_owned());
        }
    }
    if form.planner.target != storm.planner.target {
        words.push(target_word(form.planner.target).to_owned());
    }
    if form.planner.predictor != storm.planner.predictor {
        words.push(predictor_word(form.planner.predictor).to_owned());
    }
    if form.against == Against::Nothing {
        words.push(against_word(form.against).to_owned());
    }
    (!words.is_empty()).then(|| words.join("-"))
}

/// The form of these words; what is not understood is left as in the storm.
pub fn read(text: &str) -> Form {
    let mut form = Form::storm();
    for word in text.split('-') {
        take(&mut form, word);
    }
    form
}

fn take(form: &mut Form, word: &str) {
    if let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.word() == word) {
        form.outline.kind = kind;
    } else if word == "own" {
        form.own = true;
    } else if word == against_word(Against::Nothing) {
        form.against = Against::Nothing;
    } else if let Some((switch, _)) = Switch::ALL.into_iter().find(|(_, other)| *other == word) {
        let on = switch.get(form);
        switch.set(form, !on);
    } else if let Some((_, target, _)) = TARGETS.iter().find(|(other, ..)| *other == word) {
        form.planner.target = *target;
    } else if let Some((_, kind, _)) = PREDICTORS.iter().find(|(other, ..)| *other == word) {
        form.planner.predictor = *kind;
    } else {
        let split = word.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(word.len());
        let (name, value) = word.split_at(split);
        if let Some(field) = Field::ALL.into_iter().find(|field| field.word() == name) {
            // An aggregated point has no prefill workers.
            if field == Field::Prefill && value == "0" {
                form.count.prefill = 0;
            }
            // A value out of range leaves the storm's.
            let _ = field.set(form, value);
        }
    }
}

/// A row of the figures of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FigureRow {
    /// What it is.
    pub name: &'static str,
    /// Of the run.
    pub first: String,
    /// Of what it is compared with.
    pub second: String,
}

/// The figures of a run and of what it is compared with, each with its changes of replicas; a dash until it is over.
pub fn figures(first: Option<(Summary, usize)>, second: Option<(Summary, usize)>) -> Vec<FigureRow> {
    type Show = fn(&Summary, usize) -> String;
    fn latency(of: Option<Percentiles>, pick: fn(&Percentiles) -> f64) -> String {
        of.map_or_else(|| NONE.to_owned(), |of| format!("{} ms", format::ms(pick(&of))))
    }
    let rows: [(&'static str, Show); 11] = [
        ("Within both targets", |run, _| {
            run.attainment().map_or_else(
                || NONE.to_owned(),
                |share| format::percent(share).trim_start_matches('+').to_owned(),
            )
        }),
        ("Goodput, req/s", |run, _| format::rate(run.goodput_per_sec())),
        ("TTFT, median", |run, _| latency(run.ttft, |all| all.p50)),
        ("TTFT, p95", |run, _| latency(run.ttft, |all| all.p95)),
        ("TTFT, p99", |run, _| latency(run.ttft, |all| all.p99)),
        ("TTFT, longest", |run, _| latency(run.ttft, |all| all.max)),
        ("ITL, median", |run, _| latency(run.itl, |all| all.p50)),
        ("ITL, p99", |run, _| latency(run.itl, |all| all.p99)),
        ("Requests served", |run, _| format::count(run.done)),
        ("GPU-hours", |run, _| format!("{:.2}", run.gpu_hours)),
        ("Changes of replicas", |_, changes| format::count(changes as u64)),
    ];
    let told = |run: Option<(Summary, usize)>, show: Show| {
        run.map_or_else(|| NONE.to_owned(), |(summary, changes)| show(&summary, changes))
    };
    let row = |(name, show)| FigureRow { name, first: told(first, show), second: told(second, show) };
    rows.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storm() -> Form {
        Form::storm()
    }

    #[test]
    fn the_storm_needs_no_words() {
        assert_eq!(write(&storm()), None);
        assert_eq!(read(""), storm());
    }

    #[test]
    fn forms_come_back() {
        let mut form = storm();
        form.outline.kind = Kind::Wave;
        form.own = true;
        form.planner.target = Target::Latency;
        form.planner.predictor = PredictorKind::Kalman;
        form.against = Against::Nothing;
        for (switch, _) in Switch::ALL {
            let on = switch.get(&form);
            switch.set(&mut form, !on);
        }
        for (at, field) in Field::ALL.into_iter().enumerate() {
            let value = field.facts().least.max(1.0) + at as f64;
            field.set(&mut form, &show_number(value)).unwrap();
        }
        let text = write(&form).unwrap();
        assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c)), "{text}");
        assert_eq!(read(&text), form, "{text}");
    }

    #[test]
    fn words_that_mean_nothing_change_nothing() {
        for text in ["x", "peak", "peak-1", "peaknan", "min1e99", "start99999999", "seed1.5", "--", "p0.5"] {
            let form = read(text);
            assert_eq!(form.outline, storm().outline, "{text}");
            assert_eq!((form.count, form.settings), (storm().count, storm().settings), "{text}");
        }
    }

    #[test]
    fn wrong_numbers_say_what_is_allowed() {
        let mut form = storm();
        assert_eq!(Field::Burst.set(&mut form, "1.5"), Err("A whole number.".to_owned()));
        assert!(Field::Hit.set(&mut form, "150").unwrap_err().contains("99"));
        assert!(Field::Ttft.set(&mut form, "x").is_err());
        assert_eq!(form, storm());
    }

    #[test]
    fn every_word_is_its_own() {
        let mut words: Vec<&str> = Field::ALL.iter().map(|field| field.word()).collect();
        words.extend(Switch::ALL.iter().map(|(_, word)| word));
        words.extend(Kind::ALL.iter().map(|kind| kind.word()));
        words.extend(TARGETS.iter().map(|(word, ..)| word));
        words.extend(PREDICTORS.iter().map(|(word, ..)| word));
        words.extend(["own", "alone"]);
        let all = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), all);
    }
}
