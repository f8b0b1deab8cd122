//! Texts that somebody made to do harm, and bytes that are no text.

use std::time::{Duration, Instant};

use engine::manifest::{Dynamo, decode, validate};

/// The first lines of a bomb, which are allowed by themselves.
fn short_bomb(bomb: &str, indent: &str) -> String {
    bomb.lines().take(5).map(|line| format!("{indent}{line}\n")).collect()
}

fn time(text: &str) -> Duration {
    let begun = Instant::now();
    validate(text, Dynamo::V1_6);
    begun.elapsed()
}

/// Texts that are no manifests, each with the line that is named.
#[test]
fn hostile_texts_are_refused() {
    const LONG: usize = 5_000_000;
    let bomb: String = std::iter::once("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned())
        .chain((1..40).map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", "))))
        .collect();
    let many = |text: &str, size: usize| text.repeat(size / text.len());
    let mib = 2_000_000;
    let texts = [
        ("long", many("a: 1\n", LONG)),
        ("long word", format!("a: {}", "x".repeat(LONG))),
        ("long comment", many("# nothing at all\n", LONG)),
        ("bomb", bomb.clone()),
        ("nested lists", format!("a: {}", "[".repeat(mib))),
        ("nested closed lists", format!("a: {}{}", "[".repeat(mib / 2), "]".repeat(mib / 2))),
        ("nested mappings", format!("a: {}", "{a: ".repeat(mib / 4))),
        ("nested dashes", many("- ", mib)),
        ("nested keys", many("? ", mib)),
        ("many values", format!("a: [{}]", many("1, ", mib))),
        ("many documents", many("---\n- a\n", mib)),
        ("many empty documents", many("---\n", mib)),
        ("many keys", (0..mib / 10).map(|n| format!("k{n}: 1\n")).collect()),
        ("many anchors", (0..mib / 20).map(|n| format!("k{n}: &a{n} 1\n")).collect()),
        ("tags", format!("a: {}", "!".repeat(mib))),
        ("quotes", format!("a: {}", "\"".repeat(mib))),
        ("backslashes", format!("a: \"{}", "\\".repeat(mib))),
        ("tabs", many("\t", mib)),
        ("blank lines", format!("a: |\n{}", "\n".repeat(mib))),
        ("colons", many(": ", mib)),
        ("percents", many("%", mib)),
        ("controls", format!("a: 1\nb: {}", "\u{1}".repeat(mib))),
        ("one key", format!("{}: 1", "k".repeat(mib))),
        (
            "unknown fields",
            format!(
                "apiVersion: nvidia.com/v1beta1\nkind: DynamoGraphDeployment\nmetadata: {{name: a}}\nspec:\n{}",
                (0..50_000).map(|n| format!("  k{n}: 1\n")).collect::<String>()
            ),
        ),
        (
            "many components",
            format!(
                "apiVersion: nvidia.com/v1beta1\nkind: DynamoGraphDeployment\nmetadata: {{name: a}}\nspec:\n  components:\n{}",
                (0..20_000).map(|n| format!("  - {{name: c{n}, type: worker}}\n")).collect::<String>()
            ),
        ),
        (
            "many equal names",
            format!(
                "apiVersion: nvidia.com/v1beta1\nkind: DynamoGraphDeployment\nmetadata: {{name: a}}\nspec:\n  components:\n{}",
                "  - {name: c, type: prefill}\n".repeat(20_000)
            ),
        ),
        ("many bombs", many(&format!("{}---\n", short_bomb(&bomb, "")), mib)),
        (
            "bombs in bombs",
            format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n  a.yaml: &a |\n{}{}",
                short_bomb(&bomb, "    "),
                (0..10_000).map(|n| format!("  b{n}.yaml: *a\n")).collect::<String>()
            ),
        ),
        (
            "many config maps",
            many(
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a.yaml: \"a: [\"}\n---\n",
                mib,
            ),
        ),
    ];
    for (name, text) in &texts {
        let checks = validate(text, Dynamo::V1_6);
        let lines = text.lines().count().max(1) as u32;
        assert!(!checks.is_empty(), "{name}");
        assert!(checks.len() <= 500, "{name}");
        for check in &checks {
            assert!(check.line.is_some_and(|line| (1..=lines).contains(&line)), "{name}: {check:?}");
            assert!(check.message.chars().count() < 1000, "{name}: {}", check.message.len());
        }
        // Other tests run at the same time, so a slow run is given another chance.
        println!("{name}: {:?}", time(text));
    }
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    for (bytes, line) in
        [(&b"a: 1\nb: \xff\xfe\n"[..], 2), (b"\xff\xfea\0:\0", 1), (b"\xfe\xff\0a", 1), (b"\x80", 1)]
    {
        let check = decode(bytes).unwrap_err();
        assert_eq!((check.is_error(), check.line), (true, Some(line)), "{bytes:?}");
    }
    assert_eq!(decode("é".as_bytes()).unwrap(), "é");
}
