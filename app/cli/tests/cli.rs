//! The program as people run it, on the real tables.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use engine::format::{ms, rate};
use serde_json::Value;

fn packs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../perf-data/packs")
}

fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_configurator"));
    command.args(args).env("CONFIGURATOR_DATA", packs()).stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    program(args).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn json(args: &[&str]) -> Value {
    let output = run(args);
    assert_eq!(code(&output), 0, "{}", err(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn search_answers_the_default_question() {
    let output = run(&["search", "--top", "2"]);
    assert_eq!(code(&output), 0);
    assert_eq!(err(&output), "");
    let text = out(&output);
    let answer = json(&["search", "--json", "--top", "2"]);
    let picks = answer["picks"].as_array().unwrap();
    assert_eq!(picks.len(), 2);
    for (pick, rank) in picks.iter().zip(1..) {
        let line = text.lines().find(|line| line.starts_with(&format!("{rank}  "))).unwrap();
        assert!(line.contains(pick["replica"].as_str().unwrap()), "{line}");
        for digits in [
            rate(pick["tokens_per_sec_per_gpu"].as_f64().unwrap()),
            ms(pick["ttft_ms"].as_f64().unwrap()),
            ms(pick["itl_ms"].as_f64().unwrap()),
        ] {
            assert!(line.split_whitespace().any(|cell| cell == digits), "{digits} is not in {line}");
        }
        assert!(pick["ttft_ms"].as_f64().unwrap() <= 500.0);
        assert!(pick["itl_ms"].as_f64().unwrap() <= 30.0);
        assert!(pick["gpus_used"].as_u64().unwrap() <= 32);
    }
    let scores: Vec<_> = picks.iter().map(|pick| pick["tokens_per_sec_per_gpu"].as_f64().unwrap()).collect();
    assert!(scores[0] >= scores[1]);
    assert!(text.contains(answer["limited_by"].as_str().unwrap()));
    assert!(text.contains(answer["link"].as_str().unwrap()));
}

#[test]
fn a_link_a_file_and_flags_ask_the_same() {
    let flags = [
        "--gpus",
        "13",
        "--itl",
        "25",
        "--isl",
        "3333",
        "--osl",
        "777",
        "--serving",
        "disagg",
        "--kv",
        "fp8",
    ];
    let asked = json(&[&["search", "--json"], &flags[..]].concat());
    assert_eq!(asked["scenario"]["goal"]["Gpus"], 13);
    let link = asked["link"].as_str().unwrap();
    assert_eq!(json(&["search", "--json", link]), asked);
    assert_eq!(out(&run(&[&["link"], &flags[..]].concat())).trim_end(), link);

    for text in [asked["scenario"].to_string(), format!("https://example.org/plan/{link}\n")] {
        let mut child = program(&["search", "--json", "--scenario", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap(), asked);
    }
    // A flag wins over the link.
    assert_eq!(json(&["search", "--json", "--gpus", "16", link])["scenario"]["goal"]["Gpus"], 16);
}

#[test]
fn what_a_link_says_in_vain_is_noted() {
    let output = run(&["link", "?v=1&gpus=8&data=00000000&colour=red"]);
    assert_eq!(code(&output), 0);
    let notes = err(&output);
    assert!(notes.lines().all(|line| line.starts_with("note: ")));
    assert!(notes.contains("colour") && notes.contains("00000000"), "{notes}");
    assert!(out(&output).contains("gpus=8"));
    let base = run(&["link", "--base", "https://example.org/"]);
    assert!(out(&base).starts_with("https://example.org/?v=1&"));
}

#[test]
fn every_backend_and_system_are_ranked_together() {
    let both = ["--backend", "auto", "--system", "any", "--top", "400"];
    let answer = json(&[&["search", "--json"], &both[..]].concat());
    let picks = answer["picks"].as_array().unwrap();
    let scores: Vec<_> = picks.iter().map(|pick| pick["tokens_per_sec_per_gpu"].as_f64().unwrap()).collect();
    assert!(scores.is_sorted_by(|a, b| a >= b));
    let distinct = |key: &str| {
        picks.iter().map(|pick| pick[key].as_str().unwrap()).collect::<std::collections::BTreeSet<_>>().len()
    };
    assert!(distinct("system") > 3 && distinct("backend") == 3);
    let left = answer["not_searched"].as_array().unwrap();
    assert!(left.iter().any(|left| left["system"] == "b60" && left["why"] == "not measured"), "{left:?}");
    // The best is the best of its own place, and its manifest names that place.
    let best = &picks[0];
    let (system, backend) = (best["system"].as_str().unwrap(), best["backend"].as_str().unwrap());
    let alone = json(&["search", "--json", "--system", system, "--backend", backend, "--top", "1"]);
    assert_eq!(alone["picks"][0]["layout"], best["layout"]);
    assert_eq!(alone["funnel"]["frontier"].as_u64().map(|points| points > 0), Some(true));
    let text = out(&run(&[&["search"], &both[..]].concat()));
    let row = text.lines().find(|line| line.starts_with("  1  ")).unwrap();
    assert!(row.contains(system) && row.contains(backend), "{row}");
    assert!(text.contains("Not searched: ") && text.contains("count alike"), "{text}");
    let found = json(&["search", "--json", "--backend", "auto", "--top", "1"]);
    let request: Value = serde_yaml::from_slice(&run(&["export", "--backend", "auto"]).stdout).unwrap();
    assert_eq!(request["spec"]["backend"], found["picks"][0]["backend"]);
}

#[test]
fn nothing_feasible_is_exit_code_1_with_a_way_out() {
    let output = run(&["search", "--ttft", "20"]);
    assert_eq!(code(&output), 1);
    assert!(out(&output).contains("Nothing meets the SLO"));
    let found = run(&["search", "--json", "--ttft", "20"]);
    let answer: Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(answer["picks"].as_array().unwrap().len(), 0);
    let enough = answer["nearest"]["ttft_ms"].as_f64().unwrap().to_string();
    assert_eq!(code(&run(&["search", "--ttft", &enough])), 0);
    let export = run(&["export", "--ttft", "20"]);
    assert_eq!((code(&export), out(&export).as_str()), (1, ""));
}

#[test]
fn bad_input_is_exit_code_2_and_names_the_value() {
    let cases: &[(&[&str], &str)] = &[
        (&["search", "--model", "nobody/nothing"], "nobody/nothing"),
        (&["search", "--system", "h1000"], "h1000"),
        (&["search", "--backend", "tgi"], "trtllm"),
        (&["search", "--gemm", "fp7"], "fp8_block"),
        (&["search", "--isl", "0"], "ISL is 0"),
        (&["search", "--isl", "-4"], "-4"),
        (&["search", "--ttft", "-1"], "-1"),
        (&["search", "--itl", "nan"], "ITL"),
        (&["search", "--gpus", "8", "--rate", "3"], "--rate"),
        (&["search", "--prefix", "4000"], "4000"),
        (&["search", "--scenario", "no-such-file.yaml"], "no-such-file.yaml"),
        (&["search", "--data", "no-such-folder"], "no-such-folder"),
        (&["search", "--images", "2"], "has no vision encoder"),
        (&["search", "--images", "2", "--image-size", "big"], "1024x768"),
        (&["search", "--encoder", "workers"], "images"),
        (&["estimate"], "--batch"),
        (&["estimate", "--batch", "1", "--backend", "auto"], "one backend"),
        (&["estimate", "--batch", "1", "--tp", "3"], "TP"),
        (&["estimate", "--batch", "1", "--tp", "1025"], "1025"),
        (&["export", "--pick", "1000"], "pick 1000"),
        (&["export", "--name", "Not A Name"], "metadata.name"),
        (&["export", "--dynamo", "0.1"], "1.6.1"),
        (&["deploy"], "deploy"),
    ];
    for (args, says) in cases {
        let output = run(args);
        assert_eq!(code(&output), 2, "{args:?}");
        assert_eq!(out(&output), "", "{args:?}");
        let message = err(&output);
        assert!(message.starts_with("error: ") && message.contains(says), "{args:?}: {message}");
    }
}

#[test]
fn a_scenario_file_with_a_wrong_field_is_refused_by_name() {
    let file = std::env::temp_dir().join(format!("configurator-{}.yaml", std::process::id()));
    for (text, says) in [
        ("workload: {islands: 4}\n", "workload.islands"),
        ("goal: {Gpus: many}\n", "many"),
        ("[1, 2]\n", "neither"),
        ("{model: [", "neither JSON nor YAML"),
    ] {
        std::fs::write(&file, text).unwrap();
        let output = run(&["search", "--scenario", file.to_str().unwrap()]);
        assert_eq!(code(&output), 2, "{text}");
        assert!(err(&output).contains(says), "{text}: {}", err(&output));
    }
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn estimate_prices_what_search_found() {
    let found = json(&["search", "--json", "--serving", "disagg", "--top", "1"]);
    let pick = &found["picks"][0];
    let layout = &pick["layout"]["Disagg"];
    let number = |side: &str, key: &str| match key {
        "tp" => layout[side]["parallel"]["tp"].to_string(),
        _ => layout[side][key].to_string(),
    };
    let priced = json(&[
        "estimate",
        "--json",
        "--mode",
        "disagg",
        "--prefill-tp",
        &number("prefill", "tp"),
        "--prefill-batch",
        &number("prefill", "batch"),
        "--prefill-workers",
        &number("prefill", "count"),
        "--decode-tp",
        &number("decode", "tp"),
        "--decode-batch",
        &number("decode", "batch"),
        "--decode-workers",
        &number("decode", "count"),
    ]);
    for key in ["ttft_ms", "itl_ms", "requests_per_sec", "request_latency_ms"] {
        let (a, b) = (pick[key].as_f64().unwrap(), priced[key].as_f64().unwrap());
        assert!((a / b - 1.0).abs() < 1e-9, "{key}: {a} searched, {b} priced");
    }
    assert_eq!(pick["gpus_used"], priced["gpus"]);
}

#[test]
fn images_are_encoded_before_prefill_or_on_workers_of_their_own() {
    let question = ["--model", "Qwen/Qwen3-VL-2B-Instruct", "--system", "l40s", "--backend", "vllm"];
    let images =
        ["--isl", "500", "--osl", "50", "--ttft", "3000", "--images", "2", "--image-size", "800x600"];
    let apart = ["--encoder", "workers"];
    let estimate = [&["estimate", "--json", "--batch", "4"], &question[..], &images[..]].concat();
    let beside =
        json(&[&estimate[..], &apart[..], &["--encoder-batch", "2", "--encoder-workers", "3"]].concat());
    assert_eq!(json(&estimate)["gpus"], 1);
    assert_eq!((&beside["gpus"], beside["memory"].as_array().unwrap().len()), (&Value::from(4), 2));
    let search = [&["search", "--gpus", "3", "--serving", "agg"], &question[..], &images[..]].concat();
    let text = out(&run(&search));
    assert!(text.contains("2 images of 800 × 600 px"), "{text}");
    let answer = json(&[&search[..], &apart[..], &["--json", "--top", "1"]].concat());
    let pick = &answer["picks"][0];
    assert!(pick["replica"].as_str().unwrap().contains("E (tp"), "{pick}");
    assert!(pick["gpus"].as_str().unwrap().contains("encoder"), "{pick}");
    assert!(answer["link"].as_str().unwrap().contains("images=2&image=800x600"), "{answer}");
}

#[test]
fn attention_and_ffn_nodes_are_priced() {
    let afd = ["estimate", "--mode", "afd", "--system", "h200_sxm", "--ffn-nodes", "2", "--batch", "32"];
    let answer = json(&[&afd[..], &["--json"]].concat());
    assert_eq!((&answer["gpus"], &answer["concurrency"]), (&Value::from(24), &Value::from(8 * 32)));
    assert!(out(&run(&afd)).contains("FFN GiB/GPU"));
    let refused = run(&[&afd[..], &["--tp", "3"]].concat());
    assert!(code(&refused) == 2 && err(&refused).contains("attention workers"), "{}", err(&refused));
}

#[test]
fn an_estimate_that_does_not_fit_says_how_much_is_missing() {
    let output = run(&["estimate", "--batch", "1000000"]);
    assert_eq!(code(&output), 1);
    assert!(err(&output).contains("does not fit") && err(&output).contains("80.0 GiB"), "{}", err(&output));
    for mode in ["static", "prefill", "decode"] {
        let output = run(&["estimate", "--mode", mode, "--tp", "4", "--batch", "2"]);
        assert_eq!(code(&output), 0, "{mode}: {}", err(&output));
        assert_eq!(out(&output).contains("TTFT"), mode != "decode");
        assert_eq!(out(&output).contains("ITL"), mode != "prefill");
    }
}

#[test]
fn export_prints_a_manifest() {
    let output = run(&["export", "--namespace", "serving"]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    let request: Value = serde_yaml::from_slice(&output.stdout).unwrap();
    assert_eq!(request["kind"], "DynamoGraphDeploymentRequest");
    assert_eq!(request["metadata"]["namespace"], "serving");
    assert_eq!(request["spec"]["model"], "Qwen/Qwen3-32B-FP8");
    let whole = json(&["export", "--namespace", "serving", "--json"]);
    assert_eq!(whole["files"][0]["text"].as_str().unwrap(), out(&output));
    assert_ne!(run(&["export", "--pick", "2"]).stdout, run(&["export"]).stdout);
}

#[test]
fn export_writes_every_format() {
    let folder = std::env::temp_dir().join(format!("configurator-export-{}", std::process::id()));
    let question = ["export", "--backend", "vllm", "--serving", "disagg", "--format"];
    for (format, files) in [
        ("dgdr", 1),
        ("dgd", 1),
        ("planner", 1),
        ("launch", 4),
        ("benchmark", 1),
        ("llm-d", 3),
        ("llm-d-helm", 1),
    ] {
        let below = folder.join(format);
        let args = [&question[..], &[format, "--out", below.to_str().unwrap()]].concat();
        let output = run(&args);
        assert_eq!(code(&output), 0, "{format}: {}", err(&output));
        let names: Vec<_> = std::fs::read_dir(&below).unwrap().map(|file| file.unwrap().path()).collect();
        assert_eq!(names.len(), files, "{format}: {names:?}");
        assert!(names.iter().all(|name| out(&output).contains(name.to_str().unwrap())), "{}", out(&output));
        // Printed, several files stand under their names.
        let printed = out(&run(&args[..args.len() - 2]));
        assert_eq!(printed.matches("# file: ").count(), if files == 1 { 0 } else { files }, "{format}");
    }
    std::fs::remove_dir_all(folder).unwrap();
    let output = run(&["export", "--backend", "trtllm", "--format", "llm-d"]);
    assert_eq!(code(&output), 2);
    assert!(err(&output).contains("TensorRT-LLM"), "{}", err(&output));
}

#[test]
fn the_lists_cover_the_catalogue() {
    let models = json(&["models", "--json"]);
    let models = models.as_array().unwrap();
    let airline = models.iter().find(|model| model["model"] == "Qwen/Qwen3-32B-FP8").unwrap();
    assert!(airline["measured_on"].as_array().unwrap().iter().any(|place| place["system"] == "h100_sxm"));
    let text = out(&run(&["models"]));
    assert_eq!(text.lines().count(), models.len() + 1);
    let systems = json(&["systems", "--json"]);
    let h100 = systems.as_array().unwrap().iter().find(|system| system["system"] == "h100_sxm").unwrap();
    assert_eq!(h100["measured_with"].as_array().unwrap().len(), 3);
    assert!(h100["models"].as_u64().unwrap() > 40);
}

#[test]
fn support_names_the_reason_and_what_answers_instead() {
    let text = out(&run(&["support"]));
    assert!(
        text.lines().any(|line| line.starts_with("Qwen/Qwen3-32B-FP8 ") && line.contains("stv")),
        "{text}"
    );
    let refused = run(&["support", "--model", "Qwen/Qwen3-32B-FP8", "--system", "a100_sxm"]);
    assert_eq!(code(&refused), 1);
    let text = out(&refused);
    assert!(
        text.contains("no fp8 tensor cores") && text.contains("Qwen/Qwen3-32B in the same place"),
        "{text}"
    );
    let cells = json(&["support", "--model", "openai/gpt-oss-20b", "--backend", "trtllm", "--json"]);
    let cell = |system: &str| {
        cells.as_array().unwrap().iter().find(|cell| cell["system"] == system).unwrap().clone()
    };
    assert_eq!(
        (cell("b200_sxm")["agg"].as_str(), &cell("b200_sxm")["nearest"]),
        (Some("Measured"), &Value::Null)
    );
    let link = cell("l40s")["nearest"]["link"].as_str().unwrap().to_owned();
    assert!(link.contains("backend=sglang"), "{link}");
    let nothing = run(&["support", "--system", "b60", "--backend", "trtllm"]);
    assert_eq!((code(&nothing), err(&nothing).contains("trtllm was not measured on b60")), (1, true));
    let unknown = run(&["support", "--model", "Qwen/Qwen3-32"]);
    assert_eq!(
        (code(&unknown), err(&unknown).contains("Did you mean") || err(&unknown).contains("Qwen/Qwen3-32B")),
        (2, true)
    );
}

/// A folder whose atlas is missing or of other data is asked anew.
#[test]
fn coverage_of_other_data_is_found_anew() {
    let folder = std::env::temp_dir().join(format!("coverage-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut index: Value =
        serde_json::from_slice(&std::fs::read(packs().join("index.json")).unwrap()).unwrap();
    let b60: Vec<_> =
        index["packs"].as_array().unwrap().iter().filter(|pack| pack["system"] == "b60").cloned().collect();
    for file in b60.iter().flat_map(|pack| pack["files"].as_array().unwrap()) {
        let name = file["name"].as_str().unwrap();
        std::fs::copy(packs().join(name), folder.join(name)).unwrap();
    }
    index["packs"] = Value::Array(b60);
    std::fs::write(folder.join("index.json"), index.to_string()).unwrap();
    std::fs::copy(packs().join("coverage.bin"), folder.join("coverage.bin")).unwrap();
    let asked = ["support", "--system", "b60", "--json"];
    let anew = run(&[&asked[..], &["--data", folder.to_str().unwrap()]].concat());
    std::fs::remove_dir_all(&folder).unwrap();
    let (anew, shipped): (Value, Value) = (serde_json::from_slice(&anew.stdout).unwrap(), json(&asked));
    let verdicts = |cells: &Value| -> Vec<Value> {
        cells.as_array().unwrap().iter().map(|cell| cell["agg"]["Impossible"]["why"].clone()).collect()
    };
    assert_eq!(verdicts(&anew), verdicts(&shipped));
}

#[test]
fn the_packs_are_found_from_inside_the_workspace() {
    let output = Command::new(env!("CARGO_BIN_EXE_configurator"))
        .args(["search", "--top", "1"])
        .env_remove("CONFIGURATOR_DATA")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{}", err(&output));
}

#[test]
fn a_reader_that_leaves_is_no_fault() {
    let mut child =
        program(&["models", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), err(&output).as_str()), (0, ""));
}

const MANIFESTS: &str = "../../tests/fixtures/manifests";

#[test]
fn validate_says_nothing_about_a_manifest_without_faults() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(MANIFESTS);
    let files: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().display().to_string()).collect();
    assert_eq!(files.len(), 6);
    let args: Vec<&str> = ["validate"].into_iter().chain(files.iter().map(String::as_str)).collect();
    let output = run(&args);
    assert_eq!((code(&output), out(&output), err(&output)), (0, String::new(), String::new()));
}

#[test]
fn validate_reads_standard_input_and_names_the_line() {
    let validate = |text: &[u8], args: &[&str]| {
        let mut child = program(&[&["validate", "-"], args].concat())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(text).unwrap();
        child.wait_with_output().unwrap()
    };
    let request = "apiVersion: nvidia.com/v1beta1\nkind: DynamoGraphDeploymentRequest\nmetadata: {name: a}\nspec:\n  model: m\n";
    let output = validate(request.as_bytes(), &[]);
    assert_eq!(code(&output), 0);
    assert!(
        out(&output).starts_with("<stdin>:4: warning spec.hardware: ")
            && out(&output).ends_with(" [hardware]\n")
    );

    let newer = format!("{request}  features: {{kvRouter: {{enabled: true}}}}\n");
    assert_eq!(code(&validate(newer.as_bytes(), &[])), 0);
    let output = validate(newer.as_bytes(), &["--dynamo", "1.5.0"]);
    assert_eq!(code(&output), 1);
    assert!(out(&output).starts_with("<stdin>:6: error spec.features.kvRouter: "), "{}", out(&output));

    let output = validate(newer.as_bytes(), &["--dynamo", "1.5.0", "--json"]);
    assert_eq!(code(&output), 1);
    let files: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(files[0]["file"], "<stdin>");
    assert_eq!(files[0]["checks"][0]["line"], 6);
    assert_eq!(files[0]["checks"][0]["severity"], "error");
    assert_eq!(files[0]["checks"][1]["severity"], "warning");

    let output = validate(b"a: 1\nb: \xff\n", &[]);
    assert_eq!(code(&output), 1);
    assert!(out(&output).starts_with("<stdin>:2: error: ") && out(&output).ends_with(" [yaml]\n"));
}

#[test]
fn validate_says_what_it_cannot_read() {
    let good = Path::new(env!("CARGO_MANIFEST_DIR")).join(MANIFESTS).join("dgdr-airline-v1beta1.yaml");
    let output = run(&["validate", good.to_str().unwrap(), "no-such-file.yaml"]);
    assert_eq!(code(&output), 2);
    assert!(err(&output).starts_with("error: no-such-file.yaml cannot be read: "), "{}", err(&output));
    assert_eq!(code(&run(&["validate"])), 2);
    assert_eq!(code(&run(&["validate", good.to_str().unwrap(), "--dynamo", "0.1.0"])), 2);
}
