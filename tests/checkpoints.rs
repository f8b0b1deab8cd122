//! Descriptions of checkpoints, as the Hub has them, read as the facts of the catalogue.

use engine::backend::Backend;
use engine::catalog::Catalog;
use engine::checkpoint::{ARCHITECTURES, read};
use engine::custom::{Custom, UNNAMED};
use engine::estimate::{Deployment, estimate};
use engine::model::ModelSpec;
use engine::parallel::Parallel;
use engine::scenario::{Images, Scenario, Workload};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Fixtures {
    models: Vec<Fixture>,
}

/// The files of one model, shortened to the keys that are read.
#[derive(Deserialize)]
struct Fixture {
    id: String,
    config: Value,
    quant: Option<Value>,
}

fn fixtures() -> Vec<Fixture> {
    let path = tests::root().join("tests/fixtures/checkpoints.json");
    let text = std::fs::read_to_string(path).expect("a file");
    serde_json::from_str::<Fixtures>(&text).expect("fixtures").models
}

#[test]
fn every_model_of_the_catalogue_is_read_as_it_stands_there() {
    let fixtures = fixtures();
    let ids: Vec<_> = fixtures.iter().map(|fixture| &fixture.id).collect();
    let known: Vec<_> = Catalog::embedded().models.iter().map(|model| &model.id).collect();
    assert_eq!(ids, known);
    let mut wrong = Vec::new();
    for (Fixture { id, config, quant }, model) in fixtures.iter().zip(&Catalog::embedded().models) {
        let quant = quant.as_ref().map(Value::to_string);
        match read(&config.to_string(), quant.as_deref()) {
            Ok(checkpoint) => {
                let spec = ModelSpec { id: id.clone(), ..checkpoint.spec };
                if spec != *model {
                    wrong.push(format!("{id}\n  read {spec:?}\n  want {model:?}"));
                }
            }
            Err(error) => wrong.push(format!("{id}: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), known.len(), wrong.join("\n"));
}

/// Values that a key may be changed to: limits, their neighbours, other kinds, names that mean something.
fn replacements() -> Vec<Value> {
    let numbers = [
        0,
        1,
        2,
        3,
        7,
        8,
        64,
        127,
        128,
        1023,
        1024,
        1025,
        4096,
        65_535,
        65_536,
        65_537,
        1 << 20,
        (1 << 20) + 1,
        1 << 23,
        1 << 30,
        4_294_967_295,
        4_294_967_296,
        -1,
        i64::MAX,
        i64::MIN,
    ];
    let texts = [
        "",
        "fp8",
        "FP8",
        "nvfp4",
        "mxfp4",
        "mixed_precision",
        "compressed-tensors",
        "bfloat16",
        "gptq",
        "full_attention",
        "sliding_attention",
        "linear_attention",
        "ME*-",
        "model.layers.0.mlp.experts.0.up_proj",
        "0,1,2",
        "é\u{0}\"",
    ];
    let rest = [
        json!(null),
        json!(true),
        json!(false),
        json!(0.5),
        json!(1e300),
        json!([]),
        json!({}),
        json!([0]),
        json!([4, 128]),
        json!([null]),
        json!([["x"]]),
        json!({"a": 1}),
        json!({"num_bits": 4, "type": "float"}),
        json!("x".repeat(300)),
    ];
    let numbers = numbers.into_iter().map(|number: i64| json!(number));
    let architectures = ARCHITECTURES.iter().map(|known| json!([known.name]));
    numbers.chain(texts.map(|text| json!(text))).chain(rest).chain(architectures).collect()
}

/// One change of a file.
#[derive(Clone, Debug)]
enum Change {
    Drop(usize),
    Replace(usize, usize),
    /// The value of one key under another.
    Move(usize, usize),
    /// Every size times a power of two.
    Scale(i32),
}

fn change() -> impl Strategy<Value = Change> {
    let (key, value) = (0..10_000_usize, 0..replacements().len());
    prop_oneof![
        1 => key.clone().prop_map(Change::Drop),
        4 => (key.clone(), value).prop_map(|(key, value)| Change::Replace(key, value)),
        1 => (key.clone(), key).prop_map(|(from, to)| Change::Move(from, to)),
        2 => (-6..=8_i32).prop_map(Change::Scale),
    ]
}

/// Pointers to every value below the top.
fn pointers(value: &Value, at: &str, out: &mut Vec<String>) {
    let mut below = |key: String, value: &Value| {
        let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
        out.push(at.clone());
        pointers(value, &at, out);
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| below(key.clone(), value)),
        // The first few entries of a list stand for all.
        Value::Array(items) => {
            items.iter().take(3).enumerate().for_each(|(at, item)| below(at.to_string(), item));
        }
        _ => {}
    }
}

/// Facts that count layers of a kind, or follow from others.
const COUNTS: [&str; 12] = [
    "swa",
    "full",
    "linear",
    "M",
    "E",
    "A",
    "D",
    "global_moe",
    "swa_moe",
    "swa_dense",
    "global_dense",
    "vit",
];

fn scale(value: &mut Value, by: f64) {
    match value {
        Value::Object(map) => {
            let sizes =
                map.iter_mut().filter(|(key, _)| !key.contains("layers") && !COUNTS.contains(&key.as_str()));
            sizes.for_each(|(_, value)| scale(value, by));
        }
        Value::Number(number) if number.as_u64().is_some_and(|number| number > 1) => {
            *value = json!((number.as_f64().unwrap_or_default() * by).ceil() as u64);
        }
        _ => {}
    }
}

fn apply(config: &mut Value, change: &Change, values: &[Value]) {
    let mut places = Vec::new();
    pointers(config, "", &mut places);
    if places.is_empty() {
        return;
    }
    let place = |at: usize| places[at % places.len()].clone();
    match *change {
        Change::Drop(at) => {
            let path = place(at);
            let (above, key) = path.rsplit_once('/').unwrap_or_default();
            if let Some(Value::Object(map)) = config.pointer_mut(above) {
                map.remove(key);
            }
        }
        Change::Replace(at, value) => set(config, &place(at), values[value].clone()),
        Change::Move(from, to) => {
            let value = config.pointer(&place(from)).cloned().unwrap_or_default();
            set(config, &place(to), value);
        }
        Change::Scale(power) => scale(config, f64::from(power).exp2()),
    }
}

fn set(config: &mut Value, path: &str, value: Value) {
    if let Some(place) = config.pointer_mut(path) {
        *place = value;
    }
}

/// Where accepted models are priced: every engine, with and without 4-bit arithmetic.
const PLACES: [(&str, Backend); 4] = [
    ("h100_sxm", Backend::Trtllm),
    ("b200_sxm", Backend::Sglang),
    ("h200_sxm", Backend::Sglang),
    ("b200_sxm", Backend::Vllm),
];

/// Prices one layout of a model; whether that gave a number.
fn price(custom: Custom, place: usize, tp: u32) -> bool {
    let (system, backend) = PLACES[place % PLACES.len()];
    let images = custom.spec().vit.as_ref().map(|_| Images { count: 4, width: 4096, height: 64 });
    let scenario = Scenario {
        model: UNNAMED.to_owned(),
        custom: Some(custom),
        workload: Workload { images, ..Scenario::default().workload },
        system: system.to_owned(),
        backend,
        ..Scenario::default()
    };
    let Ok(problem) = tests::problem(&scenario) else { return false };
    let moe_tp = if problem.model.has_expert_layout() { tp } else { 1 };
    let parallel = Parallel { moe_tp, ..Parallel::dense(tp, 1, 1) };
    let deployment = Deployment::Agg { parallel, batch: 4, ctx_tokens: 1000, encoders: None };
    let Ok(estimate) = estimate(&problem, &deployment) else { return false };
    let numbers = [
        estimate.ttft_ms,
        estimate.itl_ms,
        estimate.request_latency_ms,
        estimate.tokens_per_sec,
        estimate.requests_per_sec,
        estimate.tokens_per_sec_per_gpu,
        estimate.tokens_per_sec_per_user,
    ];
    assert!(numbers.iter().all(|number| number.is_finite() && *number >= 0.0), "{numbers:?} {scenario:?}");
    assert!(estimate.memory.iter().all(|held| held.memory.total().is_finite()), "{scenario:?}");
    true
}

#[test]
fn mutated_files_never_panic_and_what_is_read_can_be_priced() {
    let (fixtures, values) = (fixtures(), replacements());
    let cases = (0..fixtures.len(), proptest::collection::vec(change(), 1..4), 0..PLACES.len(), 0..4_u32);
    let mut runner = TestRunner::new_with_rng(Config { cases: 8000, ..Config::default() }, rng());
    let (mut read_ones, mut priced) = (0, 0);
    let outcome = std::cell::RefCell::new((&mut read_ones, &mut priced));
    let result = runner.run(&cases, |(at, changes, place, power)| {
        let mut config = fixtures[at].config.clone();
        for change in &changes {
            apply(&mut config, change, &values);
        }
        let quant = fixtures[at].quant.as_ref().map(Value::to_string);
        if let Ok(checkpoint) = read(&config.to_string(), quant.as_deref()) {
            let custom = Custom::of(&checkpoint.spec);
            prop_assert!(custom.is_ok(), "{:?} {:?}", custom, checkpoint.spec);
            let mut counts = outcome.borrow_mut();
            *counts.0 += 1;
            *counts.1 += u32::from(custom.is_ok_and(|custom| price(custom, place, 1 << power)));
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    // A reader that refuses everything would pass, too.
    assert!(read_ones > 1500 && priced > 400, "{read_ones} read, {priced} priced");
}

fn any_json() -> impl Strategy<Value = Value> {
    let keys = prop_oneof![
        Just("architectures".to_owned()),
        Just("hidden_size".to_owned()),
        Just("quantization_config".to_owned()),
        "\\PC{0,6}",
    ];
    let leaf = proptest::sample::select(replacements());
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(keys.clone(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn rng() -> TestRng {
    TestRng::deterministic_rng(RngAlgorithm::ChaCha)
}

#[test]
fn anything_can_be_given() {
    let mut runner = TestRunner::new_with_rng(Config { cases: 2000, ..Config::default() }, rng());
    let given = (any_json(), proptest::collection::vec(any::<u8>(), 0..60), 0..2000_usize);
    let whole = fixtures()[0].config.to_string();
    let result = runner.run(&given, |(value, bytes, cut)| {
        let bytes = String::from_utf8_lossy(&bytes);
        let value = value.to_string();
        let cut = whole.get(..cut).unwrap_or(&whole);
        for (config, quant) in
            [(&*value, None), (&*bytes, Some(&*value)), (cut, Some(&*bytes)), (&*whole, Some(&*value))]
        {
            let read = read(config, quant);
            prop_assert!(
                read.is_ok() || !engine::text::checkpoint_error(&read.unwrap_err()).action.is_empty()
            );
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

/// The largest and smallest sizes that are accepted, in every family.
#[test]
fn sizes_at_the_limits_stay_inside_their_numbers() {
    let mut priced = 0;
    for Fixture { id, config, quant } in &fixtures() {
        let quant = quant.as_ref().map(Value::to_string);
        let spec = read(&config.to_string(), quant.as_deref()).expect("a model").spec;
        let mut accepted = 0;
        for power in -8..=16 {
            let mut facts = serde_json::to_value(&spec).expect("facts");
            scale(&mut facts, f64::from(power).exp2());
            // What stands at its limit already stays there.
            for (key, limit) in [
                ("heads", 1024),
                ("kv_heads", 1024),
                ("head_dim", 1024),
                ("hidden", 65_536),
                ("layers", 1024),
            ] {
                if facts[key].as_u64().is_some_and(|number| number > limit) {
                    facts[key] = json!(limit);
                }
            }
            let Ok(spec) = serde_json::from_value::<ModelSpec>(facts) else { continue };
            let Ok(custom) = Custom::of(&spec) else { continue };
            accepted += 1;
            for (place, tp) in [(0, 1), (1, 8), (2, 2), (3, 4)] {
                priced += u32::from(price(custom.clone(), place, tp));
            }
        }
        assert!(accepted > 1, "{id}");
    }
    assert!(priced > 200, "{priced}");
}
