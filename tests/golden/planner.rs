//! Decisions of the SLO planner.

mod inputs;

use engine::planner::budget::{Band, Budget, SingleBudget};
use engine::planner::capacity::{Ask, Engine, batches};
use engine::planner::power::{Power, PowerCut};
use engine::planner::predict::Predictor;
use engine::planner::regression::{DecodeAsk, Regression};
use engine::planner::{
    Config, Count, Forecast, Forecaster, Inventory, LoadReason, MovingAverage, PerRole, Planner, Record,
    Role, ThroughputReason, Verdict, Window, Work,
};
use serde_json::{Value, json};

use self::inputs::{Affine, config, limits, maybe, records, scaler, settings, shape, shown, signed, window};
use crate::report::Report;
use crate::{load, number, text, whole};

const RELATIVE: f64 = 1e-9;
const FITTED: f64 = 1e-7;

#[test]
fn planner() {
    let Some(golden) = load("planner.json") else {
        return Report::skipped("planner");
    };
    let mut report = Report::new("planner");
    for case in golden["cases"].as_array().expect("cases") {
        let kind = text(case, "kind");
        let Some((got, relative)) = answer(kind, &case["input"]) else {
            report.not_built(kind);
            continue;
        };
        report.case(kind);
        let mut want = case["expected"].clone();
        if kind == "bounds" {
            // Whether there is a reason, not its sentence.
            want["reason"] = json!(!text(&want, "reason").is_empty());
        }
        compare(&mut report, kind, text(case, "id"), &got, &want, relative);
    }
    report.finish();
}

/// Everything that is expected, number by number; what is no number must be equal.
fn compare(report: &mut Report, kind: &str, path: &str, got: &Value, want: &Value, relative: f64) {
    match (got, want) {
        (Value::Object(_), Value::Object(fields)) => {
            for (key, want) in fields {
                compare(report, kind, &format!("{path}.{key}"), &got[key], want, relative);
            }
        }
        (Value::Array(got), Value::Array(want)) if got.len() == want.len() => {
            for (index, (got, want)) in got.iter().zip(want).enumerate() {
                compare(report, kind, &format!("{path}[{index}]"), got, want, relative);
            }
        }
        (Value::Number(got), Value::Number(want)) => {
            let exact = want.is_i64() || want.is_u64();
            let (got, want) = (got.as_f64().expect("a number"), want.as_f64().expect("a number"));
            report.compare(kind, path, got, want, if exact { 0.0 } else { relative }, 0.0);
        }
        _ => report.equal(path, got, want),
    }
}

/// What the engine answers, and how near it must be; none for a kind that is unknown here.
fn answer(kind: &str, input: &Value) -> Option<(Value, f64)> {
    let exact = |value: Value| Some((value, RELATIVE));
    match kind {
        "bounds" => exact(bounds(input)),
        "clamp_pair" => {
            let budget = budget(input);
            let fitted =
                budget.clamp(PerRole { prefill: whole(input, "num_p"), decode: whole(input, "num_d") });
            exact(json!({"p": fitted.prefill, "d": fitted.decode, "total_gpus": budget.total(fitted) as i64}))
        }
        "clamp_single" => exact(json!({"replicas": single(input).clamp(whole(input, "desired"))})),
        "directional" => {
            let (from, to) = from_to(input);
            let fitted = budget(input).fit(from, to);
            exact(json!({"p": fitted.prefill, "d": fitted.decode}))
        }
        "guard_disagg" => {
            let (from, to) = from_to(input);
            let (fitted, verdict) = budget(input).guard(from, to);
            let reason = verdict.map(Verdict::name);
            exact(json!({"p": fitted.prefill, "d": fitted.decode, "reason": reason}))
        }
        "guard_single" => {
            let (fitted, verdict) = single(input).guard(whole(input, "current"), whole(input, "proposed"));
            exact(json!({"replicas": fitted, "reason": verdict.map(Verdict::name)}))
        }
        "power" => exact(power(input)),
        "predict_constant" => exact(predictions(input, &json!({"load_predictor": "constant"}))),
        "predict_kalman" => {
            let mut config = json!({"load_predictor": "kalman"});
            for (ours, theirs) in [
                ("kalman_q_level", "q_level"),
                ("kalman_q_trend", "q_trend"),
                ("kalman_r", "r"),
                ("kalman_min_points", "min_points"),
                ("load_predictor_log1p", "log1p"),
            ] {
                config[ours] = input[theirs].clone();
            }
            exact(predictions(input, &config))
        }
        "predict_stage" => exact(predict_stage(input)),
        "moving_average" => {
            let mut average = MovingAverage::new(whole(input, "window"));
            let series = input["series"].as_array().expect("a series").iter();
            let values: Vec<f64> = series
                .map(|value| {
                    average.add(value.as_f64().unwrap_or(f64::NAN));
                    average.value()
                })
                .collect();
            exact(json!({"values": values}))
        }
        "capacity_grid" => {
            let grid: Vec<u64> = batches(u64::from(whole(input, "max_batch"))).collect();
            let last = &grid[grid.len().saturating_sub(3)..];
            let first = &grid[..grid.len().min(3)];
            exact(json!({"count": grid.len(), "first": first, "last": last, "sum": grid.iter().sum::<u64>()}))
        }
        "capacity_prefill" | "capacity_decode" | "capacity_agg" => exact(capacity(input)),
        "load" => exact(load_decision(input)),
        "throughput" => exact(throughput_decision(input)),
        "ticks" => exact(ticks(input)),
        _ => regression(kind, input).map(|value| (value, FITTED)),
    }
}

fn bounds(input: &Value) -> Value {
    let band = Band::new(signed(input, "min_gpus"), signed(input, "max_gpus"));
    let inside = band.holds(signed(input, "total").into(), signed(input, "tolerance").into());
    json!({"in_bounds": inside, "reason": !inside})
}

fn budget(input: &Value) -> Budget {
    let pair = |p: &str, d: &str| PerRole { prefill: whole(input, p), decode: whole(input, d) };
    Budget {
        band: Band::new(signed(input, "min_gpus"), signed(input, "max_gpus")),
        cost: pair("p_gpu", "d_gpu").map(i128::from),
        floor: pair("min_p", "min_d"),
    }
}

fn single(input: &Value) -> SingleBudget {
    SingleBudget {
        band: Band::new(signed(input, "min_gpus"), signed(input, "max_gpus")),
        cost: whole(input, "gpu").into(),
        floor: whole(input, "min_endpoint"),
    }
}

fn from_to(input: &Value) -> (PerRole<u32>, PerRole<u32>) {
    let pair = |p: &str, d: &str| PerRole { prefill: whole(input, p), decode: whole(input, d) };
    (pair("cur_p", "cur_d"), pair("prop_p", "prop_d"))
}

fn power(input: &Value) -> Value {
    let power = Power {
        watts: PerRole { prefill: input["p_watts"].as_f64(), decode: input["d_watts"].as_f64() },
        most_watts: number(input, "total_watts"),
        floor: PerRole { prefill: whole(input, "min_p"), decode: whole(input, "min_d") },
    };
    let ready = PerRole { prefill: &input["cur_p"], decode: &input["cur_d"] };
    let wish = PerRole { prefill: maybe(&input["prop_p"]), decode: maybe(&input["prop_d"]) };
    let (targets, cut) = power.apply(ready.map(|count| maybe(count).unwrap_or(0)), wish);
    json!({"p": targets.prefill, "d": targets.decode, "reason": cut.map(PowerCut::name)})
}

fn predictions(input: &Value, settings: &Value) -> Value {
    let mut predictor = Predictor::new(&config(settings));
    let series = input["series"].as_array().expect("a series").iter();
    let predictions: Vec<f64> = series
        .map(|point| {
            predictor.observe(point.as_f64().unwrap_or(f64::NAN));
            predictor.forecast()
        })
        .collect();
    json!({"predictions": predictions})
}

fn predict_stage(input: &Value) -> Value {
    let mut forecaster = Forecaster::new(&config(&json!({"load_predictor": input["predictor"]})));
    let observations = input["observations"].as_array().expect("observations").iter();
    let predictions: Vec<Value> = observations
        .map(|observation| {
            let forecast = forecaster.next(&window(observation)).expect("a forecast");
            json!({
                "num_req": forecast.requests,
                "isl": forecast.isl,
                "osl": forecast.osl,
                "kv_hit_rate": forecast.kv_hit_rate,
                "accept_length": forecast.accept_length,
            })
        })
        .collect();
    json!({"predictions": predictions})
}

fn capacity(input: &Value) -> Value {
    let role = match text(input, "worker_type") {
        "prefill" => Role::Prefill,
        "decode" => Role::Decode,
        _ => Role::Aggregated,
    };
    let estimator = Affine::new(&json!({ Affine::name(role): input["affine"] }));
    let engine = Engine { estimator: &estimator, role, limits: limits(input), ranks: 1 };
    let target = |key: &str| input[key].as_f64().map_or(f64::INFINITY, |secs| secs * 1000.0);
    let ask = Ask {
        isl: number(input, "isl"),
        osl: number(input, "osl"),
        ttft_ms: target("ttft_sla_s"),
        itl_ms: target("itl_sla_s"),
        kv_hit_rate: input["kv_hit_rate"].as_f64(),
        accept_length: input["accept_length"].as_f64().unwrap_or(1.0),
    };
    let Some(capacity) = engine.capacity(&ask) else { return Value::Null };
    let secs = |ms: Option<f64>| ms.map(|ms| ms / 1000.0);
    json!({
        "rps": capacity.per_sec,
        "ttft_s": secs(capacity.ttft_ms),
        "itl_s": secs(capacity.itl_ms),
        "e2e_s": secs(capacity.e2e_ms),
        "eligible": capacity.eligible,
    })
}

fn load_decision(input: &Value) -> Value {
    let mut scaler = scaler(input);
    for record in records(&input["observe_prefill"]) {
        scaler.observe(&[record], &[]);
    }
    for record in records(&input["observe_decode"]) {
        scaler.observe(&[], &[record]);
    }
    let bound = &input["lower_bound"];
    if bound.is_object() {
        scaler.set_lower_bound(PerRole { prefill: whole(bound, "p"), decode: whole(bound, "d") });
    }
    scaler.set_rates(input["kv_hit_rate"].as_f64(), 1.0);
    let decision = scaler.load(&records(&input["prefill_fpm"]), &records(&input["decode_fpm"]));
    json!({
        "decision": shown(decision.targets),
        "reason": decision.reason.name(),
        "reason_p": decision.prefill.map(LoadReason::name),
        "reason_d": decision.decode.map(LoadReason::name),
        "estimated_ttft_ms": decision.estimated_ttft_ms,
        "estimated_itl_ms": decision.estimated_itl_ms,
    })
}

fn throughput_decision(input: &Value) -> Value {
    let mut scaler = scaler(input);
    let forecast = Forecast {
        requests: number(input, "num_req"),
        isl: number(input, "isl"),
        osl: number(input, "osl"),
        kv_hit_rate: input["kv_hit_rate"].as_f64(),
        accept_length: 1.0,
    };
    let decision = scaler.throughput(&forecast, number(input, "duration_s"));
    let bound = scaler.lower_bound();
    json!({
        "decision": shown(decision.targets),
        "reason": decision.reason.map(ThroughputReason::name),
        "reason_p": decision.prefill.map(ThroughputReason::name),
        "reason_d": decision.decode.map(ThroughputReason::name),
        "engine_rps_p": decision.capacity_per_sec.prefill,
        "engine_rps_d": decision.capacity_per_sec.decode,
        "bound_p": bound.prefill,
        "bound_d": bound.decode,
    })
}

fn ticks(input: &Value) -> Value {
    let mut planner =
        Planner::new(settings(input), shape(input), Affine::new(&input["affine"])).expect("settings");
    let steps = input["steps"].as_array().expect("steps");
    let ticks: Vec<Value> = steps
        .iter()
        .map(|step| {
            let (at_secs, needs) = (planner.next_tick_secs(), planner.needs());
            let count = |ready: &str, expected: &str, pending: &str| Count {
                ready: whole(step, ready),
                expected: step.get(expected).map_or(Some(whole(step, ready)), maybe),
                pending: maybe(&step[pending]).unwrap_or(0),
                scaling: step["scaling"].as_bool().unwrap_or(false),
            };
            let inventory = Inventory { prefill: count("p", "ep", "pp"), decode: count("d", "ed", "pd") };
            let traffic = step["traffic"].as_array().map(|traffic| Window {
                requests: traffic[0].as_f64(),
                isl: traffic[1].as_f64(),
                osl: traffic[2].as_f64(),
                ..Window::default()
            });
            let traffic = traffic.filter(|_| needs.traffic);
            let outcome = planner.tick(
                at_secs,
                inventory,
                traffic.as_ref(),
                &records(&step["pf"]),
                &records(&step["df"]),
            );
            json!({
                "at_s": outcome.at_secs,
                "run_load": outcome.ran.load,
                "run_throughput": outcome.ran.throughput,
                "need_traffic": needs.traffic,
                "scale_to": shown(outcome.targets),
                "load_reason": outcome.load_reason().map(LoadReason::name),
                "throughput_reason": outcome.throughput_reason().map(ThroughputReason::name),
                "bound_p": outcome.lower_bound.prefill,
                "bound_d": outcome.lower_bound.decode,
            })
        })
        .collect();
    json!({"ticks": ticks})
}

/// Least squares over the points of a case.
fn fitted(role: Role, input: &Value) -> Regression {
    let mut regression = Regression::new(role, &Config::default());
    for point in input["points"].as_array().expect("points") {
        let count = |key: &str| point[key].as_u64().unwrap_or(0);
        let scheduled = Work {
            prefill_requests: u64::from(point.get("tokens").is_some()),
            prefill_tokens: count("tokens"),
            decode_requests: count("requests"),
            decode_kv_tokens: count("kv"),
        };
        let wall_secs = number(point, "wall_s");
        regression.observe(&Record { wall_secs, scheduled, ..Record::default() });
    }
    regression
}

fn regression(kind: &str, input: &Value) -> Option<Value> {
    let hits = input["kv_hit_rate"].as_f64();
    let prefill = || fitted(Role::Prefill, input);
    let decode = || fitted(Role::Decode, input);
    let most_tokens = || whole(input, "max_num_batched_tokens");
    Some(match kind {
        "reg_prefill_ttft" | "reg_rejected" => {
            let model = prefill();
            json!({
                "coef": model.line().map(|line| line.slope[0]),
                "intercept": model.line().map(|line| line.intercept),
                "avg_isl": model.averages().isl(),
                "ttft_s": model.ttft_secs(number(input, "queued_tokens"), most_tokens(), hits),
            })
        }
        "reg_prefill_rps" => {
            let (per_sec, secs) = prefill().prefill_per_sec(number(input, "isl"), most_tokens())?;
            json!({"rps": per_sec, "ttft_ms": secs * 1000.0})
        }
        "reg_decode_itl" => {
            let model = decode();
            let kv = number(input, "scheduled_kv") + number(input, "queued_kv");
            json!({
                "coef": model.line().map(|line| line.slope),
                "intercept": model.line().map(|line| line.intercept),
                "avg_decode_length": model.averages().context(),
                "itl_s": model.itl_secs(kv),
            })
        }
        "reg_decode_rps" => {
            let (per_sec, secs) = decode().decode_per_sec(DecodeAsk {
                context: number(input, "context"),
                osl: number(input, "osl"),
                itl_ms: number(input, "itl_ms"),
                max_kv_tokens: u64::from(whole(input, "max_kv_tokens")),
                max_sequences: whole(input, "max_num_seqs"),
                accept_length: number(input, "accept_length"),
            })?;
            json!({"rps": per_sec, "itl_ms": secs * 1000.0})
        }
        _ => return None,
    })
}
