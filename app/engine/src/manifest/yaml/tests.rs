use std::fmt::Write;

use serde_json::json;

use super::*;

fn one(text: &str) -> Document {
    let mut documents = documents(text).unwrap_or_else(|check| panic!("{text}: {check:?}"));
    assert_eq!(documents.len(), 1, "{text}");
    documents.remove(0)
}

#[test]
fn what_is_no_manifest_is_refused_with_a_reason_and_its_line() {
    let deep = format!("a: {}1{}", "[".repeat(5000), "]".repeat(5000));
    let mut steps = String::new();
    for n in 0..300 {
        writeln!(steps, "{}a:", " ".repeat(n)).unwrap();
    }
    let long = format!("a: {}", "x".repeat(MAX_BYTES));
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..12 {
        writeln!(bomb, "a{n}: &a{n} [{}]", vec![format!("*a{}", n - 1); 10].join(", ")).unwrap();
    }
    let mut text_bomb = format!("a0: &a0 {}\n", "x".repeat(1 << 20));
    for n in 1..20 {
        writeln!(text_bomb, "a{n}: *a0").unwrap();
    }
    let long_key = format!("? {}\n: 1", "k".repeat(2000));
    let cases: &[(&str, u32)] = &[
        ("", 1),
        ("~", 1),
        ("# nothing\n---\n---\n", 1),
        ("- 1", 1),
        ("\n\njust text", 3),
        ("a: 1\nb: 2\na: 3", 3),
        ("x: {a: 1,\n b: 2,\n a: 3}", 3),
        ("a: [\n1,\n", 2),
        ("a:\n\tb: 1", 2),
        ("a: 1\nb: .nan", 2),
        ("a: 1\nb: -.inf", 2),
        ("a: 1\nb: 1e999", 2),
        ("1: a", 1),
        ("a: 1\nyes: 1", 2),
        ("a:\n  null: 1", 2),
        ("a:\n  ? [x]\n  : 1", 2),
        ("a:\n  ? {x: y}\n  : 1", 2),
        ("a: 1\nb: !x 1", 2),
        ("a: 1\nb: !x {}", 2),
        ("a: 1\nb: !!int x", 2),
        ("a: 1\nb: !!binary x", 2),
        ("a: 1\nb: !!set {x}", 2),
        (&long_key, 1),
        ("a: *missing", 1),
        ("a: &a\n  b: *a", 2),
        ("a: &a x\n*a : 1", 2),
        ("a: 1\nb: \"\u{0}\"", 2),
        ("a: 1\nb: \u{1b}", 2),
        ("a: 1\nb: \u{9f}", 2),
        ("a:\n  <<: 3", 2),
        ("a: &a 1\nb:\n  <<: [*a]", 3),
        ("a: 'never closed\n", 1),
        ("a: b: c", 1),
        ("a: 1\n---\nb: [\n", 3),
        ("a: &a\n", 1),
        (&deep, 1),
        (&steps, 101),
        (&long, 1),
        (&bomb, 5),
        (&text_bomb, 7),
    ];
    for (text, line) in cases {
        let shown = text.chars().take(60).collect::<String>();
        match documents(text) {
            Ok(found) => assert_eq!(*text, "a: &a\n", "accepted: {shown}: {found:?}"),
            Err(check) => {
                assert!(check.is_error() && check.rule == "yaml" && check.message.len() > 10, "{check:?}");
                assert_eq!(check.line, Some(*line), "{shown}: {check:?}");
            }
        }
    }
}

#[test]
fn every_document_is_read() {
    let text = "# c\n---\na: {b: [1, 2.5, 'yes', null, -3, '4']}\n...\n---\n# nothing\n---\nb: |\n  1\n  2\n--- {c: d}\n";
    let values: Vec<Value> = documents(text).unwrap().into_iter().map(|document| document.value).collect();
    let expected =
        [json!({"a": {"b": [1, 2.5, "yes", null, -3, "4"]}}), json!({"b": "1\n2\n"}), json!({"c": "d"})];
    assert_eq!(values, expected);
}

#[test]
fn shared_values_are_written_out() {
    let text = "a: &a {x: 1, z: [2]}\nb: *a\nc:\n  <<: *a\n  x: 3\nd:\n  <<: [{x: 5}, *a]\ne: &e s\nf: *e\n&k k: 1\ng: *k\n";
    let expected = json!({
        "a": {"x": 1, "z": [2]}, "b": {"x": 1, "z": [2]}, "c": {"x": 3, "z": [2]}, "d": {"x": 5, "z": [2]},
        "e": "s", "f": "s", "k": 1, "g": "k",
    });
    assert_eq!(one(text).value, expected);
    assert_eq!(one("a: !!str 1\nb: !!int 2\nc: !!float 3\nd: !!seq [!!null '']\n'1': x").value["a"], "1");
}

#[test]
fn words_that_mean_something_else_are_noted() {
    let document = one("a:\n- x\n- on\nb: {c: 0777, d: \"no\", e: No}\n");
    assert_eq!(document.value, json!({"a": ["x", true], "b": {"c": 511, "d": "no", "e": false}}));
    let notes: Vec<_> = document.notes.iter().map(|note| (note.path.as_str(), note.line)).collect();
    assert_eq!(notes, [("a.1", Some(3)), ("b.c", Some(4)), ("b.e", Some(4))]);
    assert!(document.notes.iter().all(|note| !note.is_error() && note.message.contains("in quotes")));
}

#[test]
fn paths_lead_to_lines() {
    let text = "\u{feff}# c\r\n---\r\nx: 0\r\n---\r\nspec:\r\n  items:\r\n  - a: 1\r\n    b: |\r\n      p\r\n      q\r\n  -\r\n    c: 2\r\n  limits:\r\n    nvidia.com/gpu: 1\r\n    nvidia: {com/gpu: 2}\r\n";
    let documents = documents(text).unwrap();
    assert_eq!(documents[0].line("x"), Some(3));
    let second = &documents[1];
    for (path, line) in [
        ("", 5),
        ("spec", 5),
        ("spec.items", 6),
        ("spec.items.0", 7),
        ("spec.items.0.a", 7),
        ("spec.items.0.b", 8),
        ("spec.items.1", 12),
        ("spec.items.1.c", 12),
        ("spec.items.1.c.d", 12),
        ("spec.items.7", 6),
        ("spec.items.x.y", 6),
        ("spec.limits.nvidia.com/gpu", 14),
        ("spec.limits.nvidia.com/cpu", 15),
        ("spec.gone.a", 5),
        ("gone", 5),
        (".", 5),
        ("spec..a", 5),
    ] {
        assert_eq!(second.line(path), Some(line), "{path}");
    }
    assert_eq!(second.block_line("spec.items.0.b"), Some(9));
    assert_eq!(second.block_line("spec.items.0.a"), None);
    assert_eq!(second.block_line("spec.items.0.x"), None);
}

#[test]
fn blocks_of_text_have_lines() {
    for (text, line) in
        [("a: |\n  x\n", 2), ("a: |2-\n    x\n", 2), ("a: | # c\n\n\n  x\n", 2), ("b: 1\na:\n  |\n  x\n", 4)]
    {
        assert_eq!(one(text).block_line("a"), Some(line), "{text}");
    }
    for text in ["a: >\n  x\n", "a: !!str |\n  x\n", "a: &a |\n  x\n", "a: x\n"] {
        assert_eq!(one(text).block_line("a"), None, "{text}");
    }
}

#[test]
fn only_utf_8_is_read() {
    assert_eq!(decode(b"a: 1"), Ok("a: 1"));
    for (bytes, line) in [(&b"a: 1\nb: \xff"[..], 2), (b"\xff\xfea\0", 1), (b"\xc3", 1), (b"\n\n\xc3(", 3)] {
        let check = decode(bytes).unwrap_err();
        assert_eq!((check.line, check.rule.as_ref()), (Some(line), "yaml"), "{bytes:?}");
    }
}

#[test]
fn json_is_yaml() {
    let text = "{\n\t\"kind\": \"x\",\n\t\"a\": [1, {\"b\": \"\\u00e9\\/\"}],\n\t\"c\":\"d\"\n}\n";
    let document = one(text);
    assert_eq!(document.value, json!({"kind": "x", "a": [1, {"b": "é/"}], "c": "d"}));
    assert_eq!(document.line("a.1.b"), Some(3));
}
