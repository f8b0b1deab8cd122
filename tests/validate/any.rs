//! Any text, any value anywhere: always a verdict, always within the text.

use engine::manifest::{Check, Dynamo, decode, validate};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{EXAMPLES, documents, joined};

/// Replaces the n-th value of a document.
fn replace(value: &mut Value, left: &mut usize, with: &Value) -> bool {
    let children: Vec<&mut Value> = match value {
        Value::Object(map) => map.values_mut().collect(),
        Value::Array(items) => items.iter_mut().collect(),
        _ => Vec::new(),
    };
    for child in children {
        if *left == 0 {
            *child = with.clone();
            return true;
        }
        *left -= 1;
        if replace(child, left, with) {
            return true;
        }
    }
    false
}

fn judged(text: &str, release: Dynamo) -> Result<Vec<Check>, TestCaseError> {
    let checks = validate(text, release);
    let lines = text.lines().count().max(1) as u32;
    for check in &checks {
        prop_assert!(check.line.is_some_and(|line| (1..=lines).contains(&line)), "{check:?}");
        prop_assert!(!check.message.is_empty() && !check.rule.is_empty());
    }
    prop_assert!(
        checks.windows(2).all(|pair| (pair[0].severity, pair[0].line) <= (pair[1].severity, pair[1].line))
    );
    Ok(checks)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn no_text_makes_the_checks_fail(
        example in 0..EXAMPLES.len(),
        at in 0.0..1.0_f64,
        cut in 0..60_usize,
        insert in "[ -~\\n\\t\u{1}é\u{2028}&*!|>%@`:{}\\[\\]]{0,16}",
    ) {
        let text = EXAMPLES[example].1;
        let from = (at * text.len() as f64) as usize;
        let until = (from + cut).min(text.len());
        // Every example is ASCII.
        let changed = format!("{}{insert}{}", &text[..from], &text[until..]);
        for &release in Dynamo::ALL {
            judged(&changed, release)?;
        }
        judged(&text[..from], Dynamo::V1_6)?;
        judged(&insert, Dynamo::V1_6)?;
    }

    #[test]
    fn lines_in_any_order_get_a_verdict(example in 0..EXAMPLES.len(), moved in 0..200_usize, to in 0..200_usize) {
        let mut lines: Vec<&str> = EXAMPLES[example].1.lines().collect();
        let line = lines.remove(moved % lines.len());
        lines.insert(to % (lines.len() + 1), line);
        judged(&lines.join("\n"), Dynamo::V1_6)?;
    }

    #[test]
    fn any_value_anywhere_gets_a_verdict(example in 0..EXAMPLES.len(), at in 0..160_usize, kind in 0..12_usize) {
        let mut documents = documents(EXAMPLES[example].1);
        let values = [
            json!(null), json!(-1), json!(1e300), json!(u64::MAX), json!("x"), json!(""), json!("é\n"), json!([1]),
            json!([]), json!({"a": {}}), json!({}), json!(true),
        ];
        let mut left = at;
        for document in &mut documents {
            if replace(document, &mut left, &values[kind]) {
                break;
            }
        }
        judged(&joined(&documents), Dynamo::V1_6)?;
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        match decode(&bytes) {
            Ok(text) => drop(judged(text, Dynamo::V1_6)?),
            Err(check) => prop_assert!(check.is_error() && check.line.is_some()),
        }
    }
}
