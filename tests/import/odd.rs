//! Malformed, huge and hostile texts: an answer or a reason, at once.

use std::time::Instant;

use engine::catalog::Catalog;
use engine::manifest::import;
use engine::scenario::Scenario;
use proptest::prelude::*;
use proptest::sample::select;

use crate::runner;

fn check(text: &str) -> Result<(), TestCaseError> {
    match import(text, &Scenario::default(), None, Catalog::embedded()) {
        Ok(found) => {
            let lines = text.lines().count() as u32 + 1;
            for line in
                found.unread.iter().filter_map(|one| one.line).chain(found.fixed.iter().map(|one| one.line))
            {
                prop_assert!((1..=lines).contains(&line), "line {} of {}", line, lines);
            }
            prop_assert!(found.unread.iter().all(|one| one.text.chars().count() <= 61));
        }
        Err(checks) => {
            prop_assert!(checks.iter().all(|check| check.message.len() > 10) && !checks.is_empty());
        }
    }
    Ok(())
}

fn fixtures() -> Vec<String> {
    let root = tests::root().join("tests/fixtures");
    let mut out = Vec::new();
    for folder in ["manifests", "import"] {
        let files = std::fs::read_dir(root.join(folder)).expect("a folder");
        let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
        paths.sort();
        out.extend(paths.iter().map(|path| std::fs::read_to_string(path).expect("text")));
    }
    out
}

#[test]
fn damaged_texts_are_answered_or_refused() {
    let fixtures = fixtures();
    let pieces = vec![
        "",
        "'",
        "\"",
        "\\",
        "\n",
        "$",
        "$(",
        "${",
        "<<EOF\n",
        "&",
        "*",
        "- ",
        ": ",
        "{",
        "[",
        "]",
        "\t",
        "\u{0}",
        "é",
        "--",
        "-1",
        "0",
        "99999999999",
        "4294967295",
        "null",
        "!x",
        "#",
        "# From: ?v=1#explore:a1.tp1.b1.c1\n",
        "=",
    ];
    let edits = proptest::collection::vec((any::<prop::sample::Index>(), 0..40_usize, select(pieces)), 1..6);
    let outcome = runner(600).run(&(0..fixtures.len(), edits), |(at, edits)| {
        let mut text: Vec<char> = fixtures[at].chars().collect();
        for (place, length, piece) in edits {
            let start = place.index(text.len().max(1)).min(text.len());
            let end = (start + length).min(text.len());
            text.splice(start..end, piece.chars());
        }
        check(&text.into_iter().collect::<String>())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn any_arguments_are_answered() {
    let words = vec![
        "vllm",
        "serve",
        "python3",
        "-m",
        "dynamo.vllm",
        "dynamo.sglang",
        "dynamo.trtllm",
        "sglang.launch_server",
        "trtllm-serve",
        "Qwen/Qwen3-32B-FP8",
        "deepseek-ai/DeepSeek-V3",
        "--model",
        "--tp",
        "-tp",
        "--dp",
        "--ep",
        "-pp",
        "--enable-expert-parallel",
        "--enable-dp-attention",
        "--enable-attention-dp",
        "--moe-a2a-backend",
        "8",
        "3",
        "0",
        "-1",
        "4294967295",
        "16384",
        "--max-num-seqs",
        "--max-running-requests",
        "--max-num-batched-tokens",
        "--config",
        "x.yaml",
        "--trtllm.moe_tensor_parallel_size",
        "--override-engine-args",
        "{\"a\": [1]}",
        "{\"tensor_parallel_size\": 1e99}",
        "--disaggregation-mode",
        "prefill",
        "decode",
        "\n",
        "&&",
        "bash",
        "-c",
        "'vllm serve m'",
        "--speculative-config",
        "--speculative-config.method",
        "--chunked-prefill-size",
        "--attn-cp-size",
        "=",
        "--=",
        "-",
        "--max-model-len=1k",
    ];
    let texts = proptest::collection::vec(select(words), 0..30).prop_map(|words| words.join(" "));
    let outcome = runner(3_000).run(&texts, |text| check(&format!("vllm serve m\n{text}")).and(check(&text)));
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn huge_and_hostile_texts_are_refused_or_answered_soon() {
    let mib = 1 << 20;
    let repeat = |piece: &str, bytes: usize| piece.repeat(bytes / piece.len());
    let manifest = "apiVersion: nvidia.com/v1beta1\nkind: DynamoGraphDeployment\nspec:\n";
    let texts = [
        repeat("x", 5 * mib),
        repeat("vllm serve m --warp 9\n", 5 * mib),
        repeat("vllm serve m --warp 9\n", mib),
        format!("vllm serve m {}", repeat("--a ", mib)),
        format!("vllm serve m {}", repeat("'", mib - 1)),
        format!("vllm serve m {}", repeat("$(", mib)),
        format!("vllm serve m {}", repeat("bash -c \"", mib)),
        format!("vllm serve m\n{}", repeat("cat <<E\n", mib)),
        format!("vllm serve m\n{}", repeat("A=1\n", mib)),
        format!("{manifest}  components:\n{}", repeat("  - name: a\n", mib)),
        format!("{manifest}  components: {}", repeat("[", mib)),
        format!("{manifest}{}", repeat("  a.b.c.d.e.f.g.h: 1\n", mib / 8)),
        format!("{manifest}  services:\n{}", repeat("    a: {componentType: worker}\n", mib / 8)),
        format!("kind: {}", repeat("a", mib)),
        repeat("\u{0}", 1000),
        String::new(),
        "kind: DynamoGraphDeployment".to_owned(),
        "kind: DynamoGraphDeploymentRequest\nspec: 3".to_owned(),
        "kind: Pod".to_owned(),
        "hello".to_owned(),
    ];
    for text in texts {
        let start = Instant::now();
        check(&text).unwrap_or_else(|error| panic!("{error}"));
        let took = start.elapsed();
        let beginning: String = text.chars().take(80).collect();
        println!("{took:?} for {beginning:?}");
    }
}
