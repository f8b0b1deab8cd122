//! `configurator import` as people run it, on the real tables.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs it with this text on standard input.
fn run(text: &str, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_configurator"));
    command.args(["import", "-"]).args(args).env("CONFIGURATOR_DATA", root().join("perf-data/packs"));
    let streams = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = streams.spawn().unwrap();
    // What is refused early is not read to its end.
    let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
    child.wait_with_output().unwrap()
}

fn texts(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_deployment_is_priced_and_told_what_to_change() {
    let file = root().join("tests/fixtures/manifests/dgd-vllm-disagg-planner-v1beta1.yaml");
    let text = std::fs::read_to_string(file).unwrap();
    let (code, out, err) = texts(&run(&text, &[]));
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    for part in
        ["DynamoGraphDeployment.", "decode.batch", "29.3", "#explore:d2.tp2.b1-4.tp1.b22", "within the SLO"]
    {
        assert!(out.contains(part), "{part} is not in {out}");
    }
    assert!(!out.contains("Not counted"), "{out}");
    let (_, out, _) = texts(&run(&text, &["--json"]));
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(answer["layout"], "d2.tp2.b1-4.tp1.b22");
    assert_eq!(answer["point"]["gpus_used"], 8);
    assert_eq!(answer["scenario"]["system"], "h200_sxm");
    let figure = |path: &str| answer.pointer(path).unwrap().as_f64().unwrap();
    let (own, best) = (figure("/point/tokens_per_sec_per_gpu"), figure("/best/tokens_per_sec_per_gpu"));
    assert!((figure("/gap/best_more") - (best / own - 1.0)).abs() < 1e-12);
    assert!(figure("/gap/closes") >= 0.8);
}

#[test]
fn what_was_exported_comes_back_as_its_point() {
    let mut export = Command::new(env!("CARGO_BIN_EXE_configurator"));
    export.args(["export", "--json", "--format", "dgd", "--backend", "vllm", "--serving", "agg"]);
    export.env("CONFIGURATOR_DATA", root().join("perf-data/packs"));
    let exported: Value = serde_json::from_slice(&export.output().unwrap().stdout).unwrap();
    let name = exported["link"].as_str().unwrap().split_once("#explore:").unwrap().1;
    let (code, out, err) = texts(&run(exported["files"][0]["text"].as_str().unwrap(), &["--json"]));
    assert_eq!((code, err.as_str()), (0, ""));
    let answer: Value = serde_json::from_str(&out).unwrap();
    // The tokens of a mixed step stand in the link alone.
    assert_eq!(answer["layout"], name);
}

#[test]
fn flags_fill_what_a_command_does_not_say() {
    let command = "vllm serve Qwen/Qwen3-32B-FP8 --tensor-parallel-size 2 --warp 9";
    let (code, out, err) =
        texts(&run(command, &["--system", "h200_sxm", "--isl", "3000", "--gpus", "16", "--json"]));
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(answer["scenario"]["system"], "h200_sxm");
    assert_eq!(answer["scenario"]["workload"]["isl"], 3000);
    assert_eq!(answer["scenario"]["goal"]["Gpus"], 16);
    assert_eq!(answer["unread"][0]["text"], "--warp 9");
    // vLLM would let in more requests than fit, and so many miss the targets.
    assert_eq!((code, answer["point"]["meets_itl"].as_bool()), (1, Some(false)), "{err}");
    assert!(err.contains("Of 1,024 requests"), "{err}");
    assert!(answer["gap"]["sentences"][0].as_str().unwrap().contains("misses the SLO"), "{out}");
}

#[test]
fn other_backends_are_compared_where_they_are_asked_for() {
    let command =
        "python3 -m sglang.launch_server --model-path Qwen/Qwen3-32B-FP8 --tp 4 --max-running-requests 8";
    let (code, out, err) = texts(&run(command, &["--backend", "auto", "--json"]));
    assert_eq!(code, 0, "{err}");
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(answer["scenario"]["backend"], "sglang");
    assert!(answer["layout"].as_str().unwrap().ends_with(".sglang.h100-sxm"), "{out}");
}

#[test]
fn what_is_no_deployment_is_refused_with_its_line() {
    for (text, part) in [
        ("hello", "line 1: This is none of"),
        ("", "This is none of"),
        ("apiVersion: v1\nkind: DynamoGraphDeployment\nspec: [", "line 3"),
        ("kind: Pod", "This is none of"),
    ] {
        let (code, out, err) = texts(&run(text, &[]));
        assert_eq!((code, out.as_str()), (2, ""), "{text}");
        assert!(err.contains(part), "{err}");
    }
    let (code, _, err) = texts(&run(&"x".repeat(5 << 20), &[]));
    assert!(code == 2 && err.contains("longer than 2 MiB"), "{err}");
}
