//! Defects that people run into elsewhere, one by one.

use std::process::Command;

use engine::backend::Backend;
use engine::manifest::{Dynamo, Extras, Format, MAX_DEPLOYMENT_NAME, Options};
use engine::parallel::Parallel;
use engine::scenario::Scenario;
use serde_json::{Value, json};

use crate::deployment::{
    DENSE, Deployment, EXPERTS, agg, deployment, disagg, documents, experts, export, is_kind, question, rules,
};
#[test]
fn defect_1_attention_ranks_are_not_counted_twice() {
    for backend in [Backend::Trtllm, Backend::Sglang, Backend::Vllm] {
        let scenario = question(EXPERTS, backend, 32);
        let found = deployment(&scenario, &agg(experts(1, 4, 1, 4), 24, 8), &Options::default());
        let worker = &found.parts["worker"];
        assert_eq!((worker.gpus, worker.nodes, worker.replicas()), (4, 1, 8), "{backend}");
        assert_eq!(found.gpus(), 32);
    }
    let sglang = deployment(
        &question(EXPERTS, Backend::Sglang, 8),
        &agg(experts(1, 4, 2, 2), 28, 2),
        &Options::default(),
    );
    let worker = &sglang.parts["worker"];
    let sizes = ["--tp", "--dp", "--ep", "--max-running-requests"].map(|flag| worker.flag(flag));
    assert_eq!(sizes, [Some(4), Some(4), Some(2), Some(112)]);
    assert!(worker.args().contains(&"--enable-dp-attention"));
}

#[test]
fn defect_2_no_pod_has_more_gpus_than_a_node() {
    for (system, nodes, gpus) in [("h200_sxm", 2, 8), ("gb200", 4, 4)] {
        let mut scenario = question("deepseek-ai/DeepSeek-V3", Backend::Sglang, 16);
        system.clone_into(&mut scenario.system);
        let found = deployment(&scenario, &agg(experts(1, 16, 1, 16), 32, 1), &Options::default());
        let worker = &found.parts["worker"];
        assert_eq!((worker.nodes, worker.gpus), (nodes, gpus), "{system}");
        // The operator adds what the nodes need to find each other.
        for flag in ["--nnodes", "--node-rank", "--dist-init-addr", "--master-addr"] {
            assert!(!worker.args().contains(&flag));
        }
    }
}

#[test]
fn defect_3_no_compute_domain_unasked() {
    let scenario = question("deepseek-ai/DeepSeek-V3", Backend::Sglang, 16);
    let point = agg(experts(1, 16, 1, 16), 32, 1);
    let manifest = export(Format::Dgd, &scenario, &point, &Options::default()).unwrap();
    assert!(!manifest.files[0].text.contains("ComputeDomain"));
    assert!(!manifest.files[0].text.contains("resourceClaims"));
    assert!(!rules(&manifest.checks).contains(&"compute-domain"));
    let rack = Scenario { system: "gb200".to_owned(), ..scenario };
    let manifest = export(Format::Dgd, &rack, &point, &Options::default()).unwrap();
    assert!(rules(&manifest.checks).contains(&"compute-domain"));
    assert_eq!(documents(&manifest.files[0].text).len(), 1);
}

#[test]
fn defect_4_no_namespace_is_no_namespace() {
    let scenario = question(DENSE, Backend::Vllm, 8);
    let manifest = export(Format::Benchmark, &scenario, &disagg(), &Options::default()).unwrap();
    let job = &documents(&manifest.files[0].text)[0];
    assert!(job["metadata"].get("namespace").is_none());
    assert!(!manifest.files[0].text.contains("None"));
    assert!(manifest.files[0].text.contains("url=http://qwen3-32b-fp8-frontend:8000\n"));
    let options = Options { namespace: Some("prod".to_owned()), ..Options::default() };
    let text = export(Format::Benchmark, &scenario, &disagg(), &options).unwrap().files.remove(0).text;
    assert!(text.contains("url=http://qwen3-32b-fp8-frontend.prod.svc.cluster.local:8000\n"), "{text}");
}

#[test]
fn defect_5_graph_sizes_rise_to_the_batch() {
    for batch in [1, 7, 22, 80, 512] {
        let point = agg(Parallel::dense(4, 1, 1), batch, 2);
        let trtllm = deployment(&question(DENSE, Backend::Trtllm, 8), &point, &Options::default());
        let sizes: Vec<u64> = trtllm.engine("worker")["cuda_graph_config"]["batch_sizes"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_u64)
            .collect();
        assert!(sizes.is_sorted_by(|a, b| a < b) && sizes.last() == Some(&u64::from(batch)), "{sizes:?}");
        let sglang = deployment(&question(DENSE, Backend::Sglang, 8), &point, &Options::default());
        let args = sglang.parts["worker"].args();
        let flag = args.iter().position(|word| *word == "--cuda-graph-bs-decode").unwrap();
        let given: Vec<u64> = args[flag + 1..].iter().map_while(|word| word.parse().ok()).collect();
        assert_eq!(given, sizes);
    }
}

#[test]
fn defect_6_the_batch_is_the_one_that_was_found() {
    let found = deployment(&question(DENSE, Backend::Vllm, 8), &disagg(), &Options::default());
    assert_eq!(found.parts["decode"].flag("--max-num-seqs"), Some(22));
    assert_eq!(found.parts["prefill"].flag("--max-num-seqs"), Some(1));
    let found = deployment(&question(DENSE, Backend::Sglang, 8), &disagg(), &Options::default());
    assert_eq!(found.parts["decode"].flag("--max-running-requests"), Some(22));
    let found = deployment(&question(DENSE, Backend::Trtllm, 8), &disagg(), &Options::default());
    assert_eq!(found.engine("decode")["max_batch_size"], 22);
}

#[test]
fn defect_7_flags_and_images_are_those_of_the_release() {
    for (release, tag, flag) in [
        (Dynamo::V1_6, "1.6.1", "--cuda-graph-bs-decode"),
        (Dynamo::V1_5, "1.5.0", "--cuda-graph-bs"),
        (Dynamo::V1_4, "1.4.0", "--cuda-graph-bs"),
    ] {
        let options = Options { release, ..Options::default() };
        let found = deployment(&question(DENSE, Backend::Sglang, 8), &disagg(), &options);
        assert_eq!(found.documents.last().unwrap()["apiVersion"], "nvidia.com/v1beta1");
        assert!(found.parts["decode"].args().contains(&flag), "{release:?}");
        for part in found.parts.values() {
            assert!(part.main["image"].as_str().unwrap().ends_with(tag), "{}", part.main["image"]);
        }
    }
}

#[test]
fn defect_8_every_attention_rank_counts_at_the_operating_point() {
    let scenario = question(EXPERTS, Backend::Sglang, 8);
    let manifest =
        export(Format::Benchmark, &scenario, &agg(experts(1, 4, 2, 2), 28, 2), &Options::default()).unwrap();
    // 2 workers × 28 requests × 4 ranks.
    assert!(
        manifest.files[0].text.contains("for concurrency in 1 2 8 16 32 64 128 212 224 235; do"),
        "{}",
        manifest.files[0].text
    );
}

#[test]
fn defect_9_names_are_short_and_have_no_dots() {
    let mut scenario = question("meta-llama/Meta-Llama-3.1-70B", Backend::Vllm, 16);
    scenario.system = "h200_sxm".to_owned();
    let manifest = export(Format::Dgd, &scenario, &agg(Parallel::dense(16, 1, 1), 8, 1), &Options::default());
    let manifest = manifest.unwrap();
    assert_eq!(manifest.name, "meta-llama-3-1-70b");
    let longest = Deployment::of(&manifest).parts.keys().map(String::len).max().unwrap();
    assert!(longest <= 16 && manifest.name.len() + 2 * longest + 4 <= 45);
    let named = |name: String| Options { name: Some(name), ..Options::default() };
    for bad in ["a.b", "1a", "A", "", "a_b", &"a".repeat(MAX_DEPLOYMENT_NAME + 1)] {
        for format in [Format::Dgd, Format::Launch, Format::Benchmark, Format::LlmdHelm] {
            let checks = export(format, &scenario, &disagg(), &named(bad.to_owned())).unwrap_err();
            assert_eq!(checks[0].path, "metadata.name", "{bad:?}");
        }
    }
    assert!(export(Format::Dgd, &scenario, &disagg(), &named("a".repeat(MAX_DEPLOYMENT_NAME))).is_ok());
}

#[test]
fn defect_10_llm_d_hands_over_its_cache_and_its_labels_fit() {
    let scenario = question(DENSE, Backend::Vllm, 8);
    let transfer = r#"{"kv_connector":"NixlConnector","kv_role":"kv_both"}"#;
    let helm = export(Format::LlmdHelm, &scenario, &disagg(), &Options::default()).unwrap();
    let values = &documents(&helm.files[0].text)[0];
    for side in ["prefill", "decode"] {
        let args = values[side]["containers"][0]["args"].as_array().unwrap();
        let at = args.iter().position(|word| word == "--kv-transfer-config").unwrap();
        assert_eq!(args[at + 1], transfer);
    }
    let label = values["modelArtifacts"]["labels"]["llm-d.ai/model"].as_str().unwrap();
    assert_eq!(label, "Qwen_Qwen3_32B_FP8");
    let patches = export(Format::LlmdKustomize, &scenario, &disagg(), &Options::default()).unwrap();
    let names: Vec<&str> = patches.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["kustomization.yaml", "patch-prefill.yaml", "patch-decode.yaml"]);
    for (file, port) in patches.files[1..].iter().zip(["--port=8000", "--port=8200"]) {
        let deployment = &documents(&file.text)[0];
        let main = &deployment["spec"]["template"]["spec"]["containers"][0];
        let args: Vec<&str> = main["args"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!(args[0], DENSE);
        assert!(args.contains(&transfer) && args.contains(&port), "{args:?}");
    }
    let single =
        export(Format::LlmdKustomize, &scenario, &agg(Parallel::dense(1, 1, 1), 14, 8), &Options::default());
    assert_eq!(single.unwrap().files[1].name, "patch-vllm.yaml");
    for (format, backend, refused) in [
        (Format::LlmdKustomize, Backend::Trtllm, true),
        (Format::LlmdHelm, Backend::Trtllm, true),
        (Format::LlmdKustomize, Backend::Sglang, true),
        (Format::LlmdHelm, Backend::Sglang, false),
    ] {
        let outcome = export(format, &question(DENSE, backend, 8), &disagg(), &Options::default());
        assert_eq!(outcome.is_err(), refused, "{format:?} {backend}");
    }
}

#[test]
fn defect_11_only_workers_are_pinned() {
    let options = Options { extras: Extras { pin_nodes: true, ..Extras::default() }, ..Options::default() };
    let found = deployment(&question(DENSE, Backend::Vllm, 8), &disagg(), &options);
    for (name, part) in &found.parts {
        let is_pinned = ["prefill", "decode"].contains(&name.as_str());
        assert_eq!(part.pod().get("nodeSelector").is_some(), is_pinned, "{name}");
        assert_eq!(part.pod().get("tolerations").is_some(), is_pinned, "{name}");
    }
    let labels = json!({"nvidia.com/gpu.product": "NVIDIA-H200"});
    assert_eq!(found.parts["decode"].pod()["nodeSelector"], labels);
}

#[test]
fn defect_12_plain_nodes_get_commands_for_every_engine() {
    let options = Options { link: Some("?v=1\nrm -rf /".to_owned()), ..Options::default() };
    for &backend in Backend::ALL {
        for (point, nodes) in
            [(disagg(), 1), (agg(Parallel::dense(4, 1, 1), 8, 4), 2), (agg(experts(1, 16, 1, 16), 8, 2), 4)]
        {
            let model = if nodes == 4 { "deepseek-ai/DeepSeek-V3" } else { DENSE };
            let manifest = export(Format::Launch, &question(model, backend, 32), &point, &options).unwrap();
            let scripts: Vec<_> = manifest.files.iter().filter(|file| is_kind(file, "sh")).collect();
            assert_eq!(scripts.len(), nodes, "{backend}");
            for script in &scripts {
                assert!(script.text.contains("# From: ?v=1 rm -rf /\n"), "{}", script.text);
                let outcome = Command::new("bash").args(["-n", "-c", &script.text]).output().unwrap();
                assert!(outcome.status.success(), "{}\n{:?}", script.text, outcome);
            }
            assert!(scripts[0].text.contains("python3 -m dynamo.frontend --http-port 8000 &"));
            let settings = manifest.files.iter().filter(|file| is_kind(file, "yaml")).count();
            assert_eq!(settings > 0, backend == Backend::Trtllm);
        }
    }
}

/// Runs the scripts with the programs replaced: what the engine would be given, word for word.
#[test]
fn commands_give_every_word_as_it_is() {
    let scenario = question(DENSE, Backend::Vllm, 8);
    let extras = Extras { env: vec![("X".to_owned(), "a b'$(c)".to_owned())], ..Extras::default() };
    let options = Options { extras, ..Options::default() };
    let manifest = export(Format::Launch, &scenario, &disagg(), &options).unwrap();
    let body = manifest.files[0].text.replace("cd \"$(dirname \"$0\")\"", "");
    let told = r#"python3() { printf '<%s>' "$X" "$CUDA_VISIBLE_DEVICES" "$@"; echo; }; export -f python3; NODE_0=h
"#;
    let body = body
        .replace(" &\n", "\n")
        .replace("wait -n\n", "")
        .replace("kill $(jobs -p) 2>/dev/null || true", "");
    let outcome = Command::new("bash").args(["-c", &format!("CUDA_VISIBLE_DEVICES=\n{told}{body}")]).output();
    let outcome = outcome.unwrap();
    let text = String::from_utf8(outcome.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 7, "{text}\n{}", String::from_utf8_lossy(&outcome.stderr));
    assert!(lines[1].starts_with("<a b'$(c)><0,1><-m><dynamo.vllm>"), "{text}");
    assert!(
        lines[1]
            .contains(r#"<--kv-transfer-config><{"kv_connector":"NixlConnector","kv_role":"kv_producer"}>"#)
    );
    assert!(lines[6].starts_with("<a b'$(c)><7><-m><dynamo.vllm>"), "{text}");
}

#[test]
fn defect_13_idle_gpus_are_said() {
    let scenario = question(DENSE, Backend::Sglang, 10);
    let manifest = export(Format::Dgd, &scenario, &disagg(), &Options::default()).unwrap();
    assert!(manifest.files[0].text.contains("# Of the budget, 2 of 10 GPUs stay idle.\n"));
}
