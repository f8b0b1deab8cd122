//! What an unquoted word means: the rules of `kubectl`, which are those of YAML 1.1 with few exceptions.

use serde_json::{Number, Value};

/// What a word means.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Meaning {
    /// What everybody expects.
    Plain(Value),
    /// What YAML 1.1 makes of it, and YAML 1.2 does not.
    Surprising(Value),
    /// A number that cannot be stored.
    NoNumber,
}

/// The meaning of an unquoted word.
pub(super) fn meaning(word: &str) -> Meaning {
    match word {
        "" | "~" | "null" | "Null" | "NULL" => Meaning::Plain(Value::Null),
        "true" | "True" | "TRUE" => Meaning::Plain(Value::Bool(true)),
        "false" | "False" | "FALSE" => Meaning::Plain(Value::Bool(false)),
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Meaning::Surprising(Value::Bool(true)),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Meaning::Surprising(Value::Bool(false)),
        _ => number(word).unwrap_or_else(|| Meaning::Plain(Value::String(word.to_owned()))),
    }
}

fn number(word: &str) -> Option<Meaning> {
    if !word.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return None;
    }
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(word, ".nan" | ".NaN" | ".NAN") {
        return Some(Meaning::NoNumber);
    }
    let digits = unsigned.replace('_', "");
    let negative = word.starts_with('-');
    let (radix, rest) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits.as_str()),
    };
    let surprising = digits.len() != unsigned.len() || !matches!(radix, 10 | 16);
    let value = match whole(rest, radix, negative) {
        Some(number) => Value::Number(number),
        None if is_decimal_float(&digits) => {
            let number: f64 = digits.parse().ok()?;
            let Some(number) = Number::from_f64(if negative { -number } else { number }) else {
                return Some(Meaning::NoNumber);
            };
            Value::Number(number)
        }
        None => return None,
    };
    let fraction = digits.starts_with("0.") || matches!(digits.as_bytes(), [b'0', b'e' | b'E', ..]);
    let plain = digits.len() == unsigned.len() && (fraction || !surprising);
    Some(if plain { Meaning::Plain(value) } else { Meaning::Surprising(value) })
}

fn whole(digits: &str, radix: u32, negative: bool) -> Option<Number> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let size = u64::from_str_radix(digits, radix).ok()?;
    if negative { 0_i64.checked_sub_unsigned(size).map(Number::from) } else { Some(Number::from(size)) }
}

/// Digits, perhaps with a point, perhaps with an exponent.
fn is_decimal_float(text: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (text, None),
    };
    let (before, after) = number.split_once('.').unwrap_or((number, ""));
    digits(before)
        && digits(after)
        && !(before.is_empty() && after.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(exponent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn words_mean_what_a_cluster_reads() {
        let plain = [
            ("", json!(null)),
            ("NULL", json!(null)),
            ("True", json!(true)),
            ("0", json!(0)),
            ("-3", json!(-3)),
            ("+7", json!(7)),
            ("0x1F", json!(31)),
            ("2.50", json!(2.5)),
            (".5", json!(0.5)),
            ("0.5", json!(0.5)),
            ("1.", json!(1.0)),
            ("1e3", json!(1000.0)),
            ("0e1", json!(0.0)),
            ("-1.5e-2", json!(-0.015)),
            ("18446744073709551615", json!(u64::MAX)),
            ("18446744073709551616", json!(18_446_744_073_709_551_616.0)),
            ("1.6.1", json!("1.6.1")),
            ("64Gi", json!("64Gi")),
            ("-", json!("-")),
            ("--tp", json!("--tp")),
            (".", json!(".")),
            ("1e", json!("1e")),
            ("0x", json!("0x")),
            ("12:30:45", json!("12:30:45")),
            ("2026-01-01", json!("2026-01-01")),
            ("tRue", json!("tRue")),
            ("yEs", json!("yEs")),
            ("_1", json!("_1")),
        ];
        for (word, value) in plain {
            assert_eq!(meaning(word), Meaning::Plain(value), "{word}");
        }
        let surprising = [
            ("yes", json!(true)),
            ("off", json!(false)),
            ("N", json!(false)),
            ("0777", json!(511)),
            ("-010", json!(-8)),
            ("08", json!(8.0)),
            ("0o17", json!(15)),
            ("0b101", json!(5)),
            ("1_000", json!(1000)),
            ("1_0.5", json!(10.5)),
        ];
        for (word, value) in surprising {
            assert_eq!(meaning(word), Meaning::Surprising(value), "{word}");
        }
        for word in [".nan", "-.inf", "1e999"] {
            assert_eq!(meaning(word), Meaning::NoNumber, "{word}");
        }
    }
}
