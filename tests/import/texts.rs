//! Manifests and launch commands with the question and layout that they mean.

use std::fs;

use engine::catalog::Catalog;
use engine::link::{layout_name, write};
use engine::manifest::{Imported, Kind, Unread, import};
use engine::scenario::{Goal, Scenario};
use engine::search::price_limits;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Command {
    name: String,
    text: String,
    backend: String,
    layout: Option<String>,
    /// Parts of the link.
    #[serde(default)]
    link: String,
    #[serde(default)]
    unread: Vec<String>,
}

fn read(folder: &str, name: &str) -> String {
    let path = tests::root().join("tests/fixtures").join(folder).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn imported(text: &str) -> Imported {
    import(text, &Scenario::default(), None, Catalog::embedded())
        .unwrap_or_else(|checks| panic!("{checks:?}"))
}

fn listed(unread: &[Unread]) -> Vec<String> {
    unread.iter().map(|one| format!("{} {}", one.line.map_or(0, u32::from), one.text)).collect()
}

fn name(imported: &Imported) -> Option<String> {
    imported.layout.as_ref().map(layout_name)
}

/// Whether the link of the question has all these pairs.
fn says(imported: &Imported, pairs: &str) {
    let link = format!("{}&", write(&imported.scenario, None));
    for pair in pairs.split_whitespace() {
        assert!(link.contains(&format!("&{pair}&")), "{pair} is not in {link}");
    }
}

#[test]
fn launch_commands_become_layouts() {
    let commands: Vec<Command> = serde_yaml::from_str(&read("import", "commands.yaml")).expect("valid cases");
    assert!(commands.len() > 20);
    for case in &commands {
        let found = imported(&case.text);
        assert_eq!(found.kind, Kind::Launch, "{}", case.name);
        assert_eq!(name(&found), case.layout, "{}: {found:#?}", case.name);
        assert_eq!(listed(&found.unread), case.unread, "{}: {found:#?}", case.name);
        assert_eq!(found.scenario.backend.name(), case.backend, "{}", case.name);
        says(&found, &case.link);
        assert!(found.unread.iter().all(|one| one.why.ends_with('.')), "{found:#?}");
    }
}

#[test]
fn reference_manifests_become_layouts() {
    let airline = "model=Qwen/Qwen3-32B-FP8 isl=4000 osl=500 ttft=500 itl=30 gpus=8";
    let cases = [
        (
            "dgd-vllm-disagg-planner-v1beta1.yaml",
            Some("d2.tp2.b1-4.tp1.b22"),
            format!("{airline} system=h200_sxm backend=vllm kv=fp8"),
        ),
        (
            "dgd-sglang-disagg-planner-v1beta1.yaml",
            Some("d2.tp1.b1-4.tp1.b64"),
            format!("{airline} backend=sglang kv=fp8"),
        ),
        (
            "dgd-sglang-moe-multinode-agg-v1beta1.yaml",
            Some("a1.tp1.dp16.ep16.b32.c512"),
            "model=deepseek-ai/DeepSeek-V3 backend=sglang gpus=16 mem=0.82 kv=fp8".to_owned(),
        ),
        (
            "dgd-trtllm-disagg-planner-v1beta1.yaml",
            Some("d3.tp2.b1-1.tp2.b128"),
            format!("{airline} backend=trtllm mem=0.8 kv=fp8"),
        ),
        ("dgd-vllm-disagg-v1alpha1.yaml", Some("d2.tp2.b2-4.tp1.b1024"), format!("{airline} backend=vllm")),
        ("dgdr-airline-v1beta1.yaml", None, format!("{airline} system=h200_sxm backend=vllm")),
    ];
    for (file, layout, link) in cases {
        let found = imported(&read("manifests", file));
        assert_eq!(name(&found).as_deref(), layout, "{file}: {found:#?}");
        says(&found, &link);
        assert_eq!(listed(&found.unread), Vec::<String>::new(), "{file}: {found:#?}");
        let kind = if file.starts_with("dgdr") { Kind::Request } else { Kind::Deployment };
        assert_eq!(found.kind, kind, "{file}");
        if let Some(layout) = &found.layout {
            let problem = tests::problem(&found.scenario).expect("resolves");
            let priced = price_limits(&problem, layout);
            println!("{file}: {:?}", priced.map(|priced| (priced.point.itl_ms, priced.cut)));
        }
    }
}

#[test]
fn lines_are_those_of_the_text() {
    let text = read("manifests", "dgd-vllm-disagg-planner-v1beta1.yaml");
    let found = imported(&text);
    let line = |input: &str| {
        let fixed = found.fixed.iter().find(|fixed| fixed.input == input);
        text.lines().nth(fixed.unwrap_or_else(|| panic!("{input}")).line as usize - 1).expect("a line").trim()
    };
    assert_eq!(line("prefill.tp"), "- \"2\"");
    assert_eq!(line("decode.batch"), "- \"22\"");
    assert_eq!(line("decode.workers"), "replicas: 4");
    assert_eq!(line("backend"), "backendFramework: vllm");
    assert!(line("isl").starts_with("planner_config.json:"));
}

#[test]
fn a_deployment_with_errors_shows_each_with_its_line() {
    let found = imported(&read("import", "dgd-errors.yaml"));
    assert_eq!(
        listed(&found.unread),
        [
            "7 compnents:",
            "14 replica: 3",
            "18 NVIDIA-H20",
            "29 --max-num-seqs many",
            "31 --gpu-memory-utilization 1.4",
            "33 --kv-transfer-config {\"kv_role\":",
            "34 --warp-speed 9",
            "36 --enforce-eager",
            "39 4",
            "54 --max-num-seqs $SEQS",
            "54 fp7",
            "55 /etc/vllm.yaml",
            "67 itl_ms: -3",
            "67 max_gpu_bugdet: 8",
        ],
        "{found:#?}"
    );
    assert_eq!(name(&found).as_deref(), Some("d1.tp2.b2-2.tp2.b1024"));
}

#[test]
fn a_link_in_the_text_brings_its_question_and_what_arguments_cannot_say() {
    let text = read("manifests", "dgd-vllm-disagg-planner-v1beta1.yaml");
    let link = "https://a.b/?v=1&model=Qwen/Qwen3-32B-FP8&system=h200_sxm&gpus=8&backend=vllm&isl=4000&osl=500&\
                prefix=100&ttft=400&itl=20&data=abc#explore:d2.tp2.b1-4.tp1.b20";
    let commented = format!("# From: {link}\n{text}");
    let annotated = text.replace(
        "  name: qwen3-32b-fp8\n",
        &format!("  name: qwen3-32b-fp8\n  annotations:\n    ai-configurator/link: '{link}'\n"),
    );
    for text in [commented, annotated] {
        let found = imported(&text);
        // The planner's own targets win over those of the link, which fills in the prefix.
        says(&found, "prefix=100 ttft=500 itl=30 gpus=8");
        assert_eq!(found.data.as_deref(), Some("abc"));
        // 20 requests are within the limit of 22 that the arguments set.
        assert_eq!(name(&found).as_deref(), Some("d2.tp2.b1-4.tp1.b20"), "{found:#?}");
        assert_eq!(found.unread, [], "{found:#?}");
        // Arguments that disagree win, and it is said where.
        let found = imported(&text.replace("\"22\"", "\"16\"").replace("replicas: 4", "replicas: 3"));
        assert_eq!(name(&found).as_deref(), Some("d2.tp2.b1-3.tp1.b16"), "{found:#?}");
        let whys: Vec<_> = found.unread.iter().map(|one| one.why.as_str()).collect();
        assert_eq!(whys.len(), 2, "{whys:?}");
        assert!(whys[0].contains("4 workers") && whys[1].contains("a batch of 20"), "{whys:?}");
    }
    let request = read("manifests", "dgdr-airline-v1beta1.yaml");
    let found = imported(&format!("# From: {link}\n{request}"));
    assert_eq!(name(&found).as_deref(), Some("d2.tp2.b1-4.tp1.b20"));
}

#[test]
fn planner_settings_and_engine_files_stand_alone() {
    let found = imported(
        "{\"optimization_target\": \"sla\", \"ttft_ms\": 250, \"max_gpu_budget\": 24, \"mode\": \"disagg\"}",
    );
    assert_eq!((found.kind, found.layout, found.scenario.goal), (Kind::Planner, None, Goal::Gpus(24)));
    says(&found, "ttft=250");
    let found = imported("tensor_parallel_size: 4\nmax_batch_size: 32\nwarp: 9\n");
    assert_eq!((found.kind, name(&found).as_deref()), (Kind::Engine, Some("a1.tp4.b32.c8000")));
    assert_eq!(listed(&found.unread), ["3 warp: 9"]);
}

#[test]
fn older_forms_and_loads() {
    let request = "apiVersion: nvidia.com/v1alpha1\nkind: DynamoGraphDeploymentRequest\nspec:\n  model: Qwen/Qwen3-32B-FP8\n  \
                   backend: sglang\n  profilingConfig:\n    config:\n      sla: {isl: 3000, osl: 150, ttft: 200.0, itl: 20.0}\n      \
                   sweep: {aicSystem: h200_sxm}\n  warp: 1\n";
    let found = imported(request);
    says(&found, "backend=sglang isl=3000 osl=150 ttft=200 itl=20 system=h200_sxm");
    assert_eq!(listed(&found.unread), ["10 warp: 1"]);
    let request = "kind: DynamoGraphDeploymentRequest\napiVersion: nvidia.com/v1beta1\nspec:\n  model: Qwen/Qwen3-32B-FP8\n  \
                   backend: auto\n  hardware: {gpuSku: gb200_sxm, totalGpus: 8}\n  workload: {requestRate: 12.5}\n  sla: {e2eLatency: 9000}\n";
    let found = imported(request);
    says(&found, "backend=auto system=gb200 rate=12.5 latency=9000");
    let taken = import(
        "vllm serve Qwen/Qwen3-32B-FP8",
        &Scenario::default(),
        Some(Goal::RequestRate(2.0)),
        Catalog::embedded(),
    );
    assert_eq!(taken.expect("a command").scenario.goal, Goal::RequestRate(2.0));
}
