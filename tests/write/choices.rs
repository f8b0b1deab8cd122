//! What the user decides at export, and what an engine cannot be asked for.

use engine::backend::Backend;
use engine::manifest::{DgdApi, Dynamo, Extras, Format, ModelCache, Options, PlannerUse, Strategy, validate};
use engine::parallel::Parallel;
use engine::scenario::{EncoderPlace, Images, Scenario};
use engine::view::{EncoderPool, Layout, Point};
use serde_json::{Value, json};

use crate::deployment::{
    DENSE, EXPERTS, agg, deployment, disagg, documents, experts, export, question, rules,
};
#[test]
fn what_an_engine_cannot_be_asked_for_is_refused_with_the_reason() {
    let refused = |scenario: &Scenario, point: &Point, format: Format| {
        let checks = export(format, scenario, point, &Options::default()).unwrap_err();
        assert!(checks.iter().all(|check| check.is_error() && check.message.len() > 20), "{checks:?}");
        checks[0].rule.to_string()
    };
    let split = agg(Parallel::dense(1, 1, 2), 8, 2);
    for backend in [Backend::Vllm, Backend::Trtllm] {
        assert_eq!(refused(&question(DENSE, backend, 8), &split, Format::Dgd), "context-parallel");
    }
    let both = agg(experts(2, 2, 1, 4), 8, 2);
    assert_eq!(refused(&question(EXPERTS, Backend::Trtllm, 8), &both, Format::Dgd), "attention-dp");
    assert!(export(Format::Dgd, &question(EXPERTS, Backend::Vllm, 8), &both, &Options::default()).is_ok());
    assert_eq!(refused(&question(DENSE, Backend::Vllm, 7), &disagg(), Format::Dgd), "over-budget");
    let single = agg(Parallel::dense(1, 1, 1), 8, 1);
    assert_eq!(refused(&question(DENSE, Backend::Vllm, 8), &single, Format::Planner), "planner-agg");
    let wide = agg(Parallel::dense(16, 1, 1), 8, 1);
    assert_eq!(refused(&question(DENSE, Backend::Vllm, 16), &wide, Format::LlmdHelm), "multinode");
    let arc = Scenario { system: "b60".to_owned(), ..question(DENSE, Backend::Vllm, 8) };
    assert_eq!(refused(&arc, &single, Format::Dgd), "no-nvidia");
}

#[test]
fn sglang_splits_prompts_with_the_flags_of_its_release() {
    let split = agg(Parallel::dense(2, 1, 2), 8, 2);
    let scenario = question(DENSE, Backend::Sglang, 8);
    for (release, flags) in [
        (Dynamo::V1_6, ["--enable-prefill-cp", "--cp-strategy zigzag"].as_slice()),
        (Dynamo::V1_5, ["--enable-prefill-context-parallel"].as_slice()),
    ] {
        let options = Options { release, ..Options::default() };
        let manifest = export(Format::Launch, &scenario, &split, &options).unwrap();
        // TP is the whole worker; each part of a prompt has two of its four GPUs.
        for flag in ["--tp 4", "--attn-cp-size 2"].iter().chain(flags) {
            assert!(manifest.files[0].text.contains(flag), "{flag}: {}", manifest.files[0].text);
        }
        assert!(manifest.checks.iter().any(|check| check.rule == "context-parallel"));
    }
}

#[test]
fn encoders_are_workers_of_vllm_alone() {
    let mut point = disagg();
    let Layout::Disagg { encoders, .. } = &mut point.layout else { panic!("disaggregated") };
    *encoders = Some(EncoderPool { tp: 2, batch: 3, count: 1, memory_bytes: 1e9 });
    let model = "Qwen/Qwen3-VL-8B-Instruct";
    let mut scenario = question(model, Backend::Vllm, 10);
    scenario.workload.images = Some(Images::default());
    scenario.engine.encoder = EncoderPlace::Workers;
    let found = deployment(&scenario, &point, &Options::default());
    let encode = &found.parts["encode"];
    assert_eq!((encode.gpus, encode.flag("--max-num-seqs")), (2, Some(3)));
    assert_eq!(encode.value["type"], "worker");
    let args = encode.args();
    let at = args.iter().position(|word| *word == "--disaggregation-mode").unwrap();
    assert_eq!(args[at + 1], "encode");
    for backend in [Backend::Sglang, Backend::Trtllm] {
        let other = Scenario { backend, ..scenario.clone() };
        let checks = export(Format::Dgd, &other, &point, &Options::default()).unwrap_err();
        assert_eq!(rules(&checks), ["encoders"]);
    }
}

#[test]
fn two_gpu_types_find_their_own_nodes() {
    let mut scenario = question(DENSE, Backend::Vllm, 8);
    scenario.system = "h100_sxm".to_owned();
    scenario.decode_system = Some("gb200".to_owned());
    let found = deployment(&scenario, &disagg(), &Options::default());
    let labels = |role: &str| found.parts[role].pod()["nodeSelector"].clone();
    assert_eq!(labels("prefill"), json!({"nvidia.com/gpu.product": "NVIDIA-H100-SXM5-80GB"}));
    let decode = json!({"nvidia.com/gpu.product": "NVIDIA-GB200", "kubernetes.io/arch": "arm64"});
    assert_eq!(labels("decode"), decode);
    assert_eq!(found.planner()["enable_throughput_scaling"], false);
    let manifest = export(Format::Launch, &scenario, &disagg(), &Options::default()).unwrap();
    assert_eq!(manifest.files.len(), 2, "a node of each kind");
}

#[test]
fn the_planner_scales_advises_or_stays_away() {
    let scenario = question(DENSE, Backend::Vllm, 8);
    for (planner, scaled, present) in [
        (PlannerUse::Scales, true, true),
        (PlannerUse::Advises, false, true),
        (PlannerUse::Off, false, false),
    ] {
        for api in [DgdApi::V1Beta1, DgdApi::V1Alpha1] {
            let extras = Extras { planner, api, ..Extras::default() };
            let options = Options { extras, ..Options::default() };
            let found = deployment(&scenario, &disagg(), &options);
            let adapter = &found.parts["decode"].value["scalingAdapter"];
            let wanted = if api == DgdApi::V1Beta1 { json!({}) } else { json!({"enabled": true}) };
            assert_eq!(*adapter, if scaled { wanted } else { Value::Null });
            assert_eq!(found.parts.contains_key("Planner"), present);
            if present {
                let settings = found.planner();
                assert_eq!(settings["advisory"].as_bool().unwrap_or(false), !scaled);
                assert_eq!(settings["max_gpu_budget"], 8);
                assert_eq!(settings["optimization_target"], "sla");
                assert_eq!((&settings["ttft_ms"], &settings["itl_ms"]), (&json!(500), &json!(30)));
                assert_eq!(settings["prefill_engine_num_gpu"], 2);
                let pick = json!({"tp": 2, "pp": 1, "dp": 1, "moe_tp": 1, "moe_ep": 1});
                assert_eq!(settings["aic_interpolation"]["prefill_pick"], pick);
                let alone = export(Format::Planner, &scenario, &disagg(), &options).unwrap();
                assert_eq!(documents(&alone.files[0].text), [settings]);
            }
        }
    }
}

#[test]
fn a_model_on_a_volume_is_mounted_and_loaded() {
    let scenario = question(DENSE, Backend::Vllm, 8);
    let cache = |mount: Option<&str>, path: Option<&str>| {
        let model_cache = Some(ModelCache {
            claim: "models".to_owned(),
            mount: mount.map(str::to_owned),
            path: path.map(str::to_owned),
        });
        Options { extras: Extras { model_cache, ..Extras::default() }, ..Options::default() }
    };
    let loaded = |options: &Options| {
        let found = deployment(&scenario, &disagg(), options);
        for name in ["Frontend", "prefill", "decode"] {
            assert_eq!(found.parts[name].pod()["volumes"][0]["persistentVolumeClaim"]["claimName"], "models");
        }
        let part = &found.parts["decode"];
        let home = part.main["env"].as_array().unwrap().iter().find(|pair| pair["name"] == "HF_HOME");
        let home = home.map(|pair| pair["value"].as_str().unwrap().to_owned());
        (part.args()[1].to_owned(), home)
    };
    let hub = (DENSE.to_owned(), Some("/opt/model-cache".to_owned()));
    assert_eq!(loaded(&cache(None, None)), hub);
    for path in ["qwen/32b", "/qwen/32b", "/m/qwen/32b", "/m/qwen/32b/"] {
        assert_eq!(loaded(&cache(Some("/m/"), Some(path))), ("/m/qwen/32b".to_owned(), None), "{path}");
    }
    for (mount, path) in [(Some("m"), None), (Some("/"), None), (None, Some("../x")), (None, Some("a b"))] {
        assert!(
            export(Format::Dgd, &scenario, &disagg(), &cache(mount, path)).is_err(),
            "{mount:?} {path:?}"
        );
    }
}

#[test]
fn extras_reach_what_can_carry_them() {
    let extras = Extras {
        kv_router: true,
        trust_remote_code: true,
        pin_nodes: true,
        mocker: true,
        strategy: Strategy::Thorough,
        pull_secret: Some("regcred".to_owned()),
        env: vec![("NCCL_DEBUG".to_owned(), "on".to_owned())],
        ..Extras::default()
    };
    let options = Options { extras: extras.clone(), ..Options::default() };
    let request = export(Format::Dgdr, &question(DENSE, Backend::Vllm, 8), &disagg(), &options).unwrap();
    assert_eq!(validate(&request.files[0].text, Dynamo::V1_6), vec![]);
    let spec = &documents(&request.files[0].text)[0]["spec"];
    assert_eq!(spec["searchStrategy"], "thorough");
    assert_eq!(spec["features"]["kvRouter"], json!({"enabled": true}));
    assert_eq!(spec["features"]["mocker"], json!({"enabled": true}));
    assert_eq!(spec["overrides"]["trustRemoteCode"], true);
    let pod = &spec["overrides"]["profilingJob"]["template"]["spec"];
    assert_eq!(pod["imagePullSecrets"], json!([{"name": "regcred"}]));
    // What the release does not know is left out and said.
    let older = Options { release: Dynamo::V1_5, ..options.clone() };
    let request = export(Format::Dgdr, &question(DENSE, Backend::Vllm, 8), &disagg(), &older).unwrap();
    let spec = &documents(&request.files[0].text)[0]["spec"];
    assert!(spec["features"].get("kvRouter").is_none() && spec["overrides"].get("trustRemoteCode").is_none());
    let paths: Vec<&str> = request.checks.iter().map(|check| check.path.as_str()).collect();
    assert!(paths.contains(&"spec.features.kvRouter") && paths.contains(&"spec.overrides.trustRemoteCode"));
    for backend in [Backend::Vllm, Backend::Sglang, Backend::Trtllm] {
        let found = deployment(&question(DENSE, backend, 8), &disagg(), &options);
        let env = |name: &str| found.parts[name].main["env"].as_array().unwrap().clone();
        assert!(env("Frontend").contains(&json!({"name": "DYN_ROUTER_MODE", "value": "kv"})));
        assert!(env("decode").contains(&json!({"name": "NCCL_DEBUG", "value": "on"})));
        for part in found.parts.values() {
            assert_eq!(part.pod()["imagePullSecrets"], json!([{"name": "regcred"}]));
        }
        if backend == Backend::Trtllm {
            assert_eq!(found.engine("decode")["trust_remote_code"], true);
            assert_eq!(found.engine("decode")["kv_cache_config"]["enable_block_reuse"], true);
        } else {
            assert!(found.parts["decode"].args().contains(&"--trust-remote-code"));
        }
    }
    for (name, value) in [("1A", "x"), ("A-B", "x"), ("", "x"), ("A", "x\ny")] {
        let env = vec![(name.to_owned(), value.to_owned())];
        let options = Options { extras: Extras { env, ..extras.clone() }, ..Options::default() };
        assert!(export(Format::Dgd, &question(DENSE, Backend::Vllm, 8), &disagg(), &options).is_err());
    }
}

#[test]
fn drafts_and_memory_shares_are_asked_for() {
    let mut scenario = question("deepseek-ai/DeepSeek-V3", Backend::Vllm, 16);
    scenario.engine.draft_tokens = 2;
    scenario.engine.free_memory_fraction = Some(0.85);
    let point = agg(experts(1, 8, 1, 8), 16, 2);
    let found = deployment(&scenario, &point, &Options::default());
    let args = found.parts["worker"].args();
    assert!(args.contains(&r#"{"method":"mtp","num_speculative_tokens":2}"#));
    assert!(args.windows(2).any(|pair| pair == ["--gpu-memory-utilization", "0.85"]));
    assert!(args.contains(&"--enable-expert-parallel"));
    scenario.backend = Backend::Sglang;
    let found = deployment(&scenario, &point, &Options::default());
    let part = &found.parts["worker"];
    assert_eq!(part.flag("--speculative-num-draft-tokens"), Some(3));
    assert!(part.args().windows(2).any(|pair| pair == ["--mem-fraction-static", "0.85"]));
    scenario.backend = Backend::Trtllm;
    let engine = deployment(&scenario, &point, &Options::default()).engine("worker");
    assert_eq!(engine["speculative_config"], json!({"decoding_type": "MTP", "num_nextn_predict_layers": 2}));
    assert_eq!(engine["kv_cache_config"]["free_gpu_memory_fraction"], 0.85);
    assert_eq!(engine["enable_attention_dp"], true);
    assert_eq!(engine["tensor_parallel_size"], 8);
}

#[test]
fn the_link_is_in_the_comment_and_in_the_annotation() {
    let options =
        Options { link: Some("https://x.example/?v=1&a=b#c: 'd'".to_owned()), ..Options::default() };
    let manifest = export(Format::Dgd, &question(DENSE, Backend::Trtllm, 8), &disagg(), &options).unwrap();
    assert!(manifest.files[0].text.contains("# From: https://x.example/?v=1&a=b#c: 'd'\n"));
    let document = documents(&manifest.files[0].text).pop().unwrap();
    assert_eq!(document["metadata"]["annotations"]["ai-configurator/link"], *options.link.as_ref().unwrap());
    for format in [Format::Dgdr, Format::Planner, Format::Benchmark, Format::Launch] {
        let manifest = export(format, &question(DENSE, Backend::Trtllm, 8), &disagg(), &options).unwrap();
        assert!(manifest.files[0].text.contains("# From: https://x.example/"), "{format:?}");
    }
}

#[test]
fn lines_say_which_choice_made_them() {
    let scenario = question(DENSE, Backend::Trtllm, 8);
    for &format in &[Format::Dgdr, Format::Dgd, Format::Planner, Format::Launch] {
        let manifest = export(format, &scenario, &disagg(), &Options::default()).unwrap();
        let file = &manifest.files[0];
        let lines: Vec<&str> = file.text.lines().collect();
        let reason = |needle: &str| {
            let line = lines.iter().position(|line| line.trim() == needle);
            let line = line.unwrap_or_else(|| panic!("{needle}:\n{}", file.text)) as u32 + 1;
            let said = file.reasons.iter().find(|(at, _)| *at == line);
            said.unwrap_or_else(|| panic!("no reason for {needle}")).1.clone()
        };
        match format {
            Format::Dgdr => assert_eq!(reason("totalGpus: 8"), "The GPU budget."),
            Format::Dgd => {
                assert_eq!(reason("tensor_parallel_size: 2"), "TP 2 of the selected point.");
                assert!(reason("max_batch_size: 22").starts_with("Batch 22 of the selected point"));
                assert_eq!(reason("replicas: 4"), "4 of the selected point.");
                assert_eq!(reason("nvidia.com/gpu: '2'"), "2 GPUs of a worker.");
                assert_eq!(reason("- --extra-engine-args"), reason("- /engine/prefill.yaml"));
                assert!(reason("\"itl_ms\": 30,").contains("target of the question"));
            }
            Format::Planner => assert!(reason("max_gpu_budget: 8").starts_with("The GPU budget")),
            _ => assert!(reason("--disaggregation-mode prefill &").contains("separate")),
        }
    }
}
