//! The only number formatter: page and command line print the same digits.
//!
//! Every function returns digits without a unit, so that table columns and sentences can share them; only
//! [`percent`] carries its sign, and durations their units. What is not a number is shown as a dash.

mod time;

pub use time::{duration, elapsed, elapsed_hours, time_of_day};

/// Shown for what is not a number.
pub const NONE: &str = "–";

/// A latency in milliseconds: three digits that matter, such as `9.84`, `29.5`, `340`, `12,480`.
pub fn ms(value: f64) -> String {
    three_digits(value)
}

/// A rate, such as tokens or requests per second: three digits that matter, whole above 100.
pub fn rate(value: f64) -> String {
    three_digits(value)
}

/// A count with thousands separators, such as `12,408`.
pub fn count(value: u64) -> String {
    grouped(&value.to_string())
}

/// Bytes as GiB with one decimal, such as `74.2`.
pub fn gib(bytes: f64) -> String {
    fixed(bytes / f64::from(1 << 30), 1)
}

/// A share as a whole percentage, such as `93 %`; rounded down, so that only all of it is `100 %`.
pub fn percent(share: f64) -> String {
    if !share.is_finite() {
        return NONE.to_owned();
    }
    // Sums of shares end a few bits short of one.
    let floor = (share * 100.0 + 1e-9).floor();
    format!("{} %", fixed(floor, 0))
}

/// A relative change as a whole percentage without its sign, such as `14 %`; below one per cent, one decimal.
pub fn change(ratio: f64) -> String {
    let percent = (ratio * 100.0).abs();
    let decimals = usize::from(percent < 0.95);
    format!("{} %", fixed(percent, decimals))
}

/// All digits of a number, the shortest text that reads back as the same value.
pub fn plain(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-6..1e16).contains(&size) { format!("{value:e}") } else { format!("{value}") }
}

/// A number that the user typed, as typed but for thousands separators: `30`, `29.5`, `12,000`.
pub fn typed(value: f64) -> String {
    if !value.is_finite() {
        return NONE.to_owned();
    }
    let digits = plain(value);
    if digits.contains('e') { digits } else { grouped(&digits) }
}

/// The smallest number of three digits that is not below `value`: a target somebody can read and still meet.
pub fn round_up(value: f64) -> f64 {
    if !value.is_finite() {
        return value;
    }
    let decimals = decimals(value);
    let shown = parse(&format!("{value:.decimals$}"), value);
    if shown >= value {
        return shown;
    }
    let unit = [1.0, 0.1, 0.01, 0.001][decimals.min(3)];
    parse(&format!("{:.decimals$}", shown + unit), value)
}

fn parse(digits: &str, otherwise: f64) -> f64 {
    digits.parse().unwrap_or(otherwise)
}

fn three_digits(value: f64) -> String {
    fixed(value, decimals(value))
}

/// Decimals that leave three digits; the limits are where rounding would carry into a fourth.
fn decimals(value: f64) -> usize {
    match value.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.0995 || size == 0.0 => 2,
        _ => 3,
    }
}

fn fixed(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return NONE.to_owned();
    }
    let digits = format!("{value:.decimals$}");
    let digits = if digits.bytes().all(|byte| matches!(byte, b'-' | b'0' | b'.')) {
        // A tiny negative number must not read "-0.00".
        digits.trim_start_matches('-').to_owned()
    } else {
        digits
    };
    grouped(&digits)
}

fn grouped(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let (whole, fraction) = digits.find('.').map_or((digits, ""), |dot| digits.split_at(dot));
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    out.push_str(sign);
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out.push_str(fraction);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_have_three_digits() {
        let cases = [
            (9.84, "9.84"),
            (9.994, "9.99"),
            (9.996, "10.0"),
            (29.5, "29.5"),
            (99.94, "99.9"),
            (99.96, "100"),
            (340.4, "340"),
            (12480.2, "12,480"),
            (0.0123, "0.012"),
            (0.0, "0.00"),
            (-0.0001, "0.000"),
            (-12.34, "-12.3"),
            (f64::NAN, NONE),
            (f64::INFINITY, NONE),
        ];
        for (value, text) in cases {
            assert_eq!(ms(value), text, "{value}");
        }
    }

    #[test]
    fn counts_are_grouped() {
        for (value, text) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (12408, "12,408"), (1_234_567, "1,234,567")]
        {
            assert_eq!(count(value), text);
        }
    }

    #[test]
    fn shares_reach_a_hundred_only_when_complete() {
        assert_eq!(percent(0.93), "93 %");
        assert_eq!(percent(0.29), "29 %");
        assert_eq!(percent(0.9999), "99 %");
        assert_eq!(percent(0.1 + 0.2 + 0.7), "100 %");
        assert_eq!(change(-0.142), "14 %");
        assert_eq!(change(0.004), "0.4 %");
        assert_eq!(change(0.0096), "1 %");
    }

    #[test]
    fn sizes() {
        assert_eq!(gib(80.0 * 1024.0 * 1024.0 * 1024.0), "80.0");
        assert_eq!(gib(f64::NAN), NONE);
    }

    #[test]
    fn plain_reads_back() {
        for value in [0.0, 500.0, 29.5, 0.1 + 0.2, 1e300, 5e-324, f64::MAX, -3.25, 1e16, 123_456_789.125] {
            assert_eq!(plain(value).parse::<f64>().unwrap(), value);
        }
        assert_eq!(plain(500.0), "500");
        assert!(plain(f64::MAX).len() < 25);
    }

    #[test]
    fn typed_numbers_stay_as_typed() {
        for (value, text) in
            [(30.0, "30"), (29.5, "29.5"), (12000.0, "12,000"), (-1500.25, "-1,500.25"), (1e300, "1e300")]
        {
            assert_eq!(typed(value), text);
        }
    }

    #[test]
    fn rounding_up_never_goes_below() {
        for (value, up) in
            [(29.41, 29.5), (29.4, 29.4), (9.991, 10.0), (340.2, 341.0), (0.0, 0.0), (1234.5, 1235.0)]
        {
            assert_eq!(round_up(value), up, "{value}");
        }
        for step in 1..4000 {
            let value = f64::from(step) * 0.7131;
            assert!(round_up(value) >= value && round_up(value) < value * 1.011 + 0.01, "{value}");
        }
    }
}
