//! Times of day, times since a beginning, and how long something takes.

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Milliseconds since a beginning as `m:ss`, from an hour on as `h:mm:ss`.
pub fn elapsed(ms: u64) -> String {
    let (hours, minutes, seconds) = (ms / HOUR, ms % HOUR / MINUTE, ms % MINUTE / SECOND);
    if hours == 0 { format!("{minutes}:{seconds:02}") } else { format!("{hours}:{minutes:02}:{seconds:02}") }
}

/// Milliseconds since a beginning as hours and minutes, such as `1:05 h`.
pub fn elapsed_hours(ms: u64) -> String {
    format!("{}:{:02} h", ms / HOUR, ms % HOUR / MINUTE)
}

/// The time of day of a Unix time, ms, as `hh:mm` or `hh:mm:ss`, so many minutes ahead of UTC.
pub fn time_of_day(unix_ms: u64, ahead_min: i32, seconds: bool) -> String {
    let local = i128::from(unix_ms) + i128::from(ahead_min) * i128::from(MINUTE);
    let day = local.rem_euclid(i128::from(DAY));
    let part = |unit: u64, most: i128| day / i128::from(unit) % most;
    let (hours, minutes) = (part(HOUR, 24), part(MINUTE, 60));
    if seconds {
        format!("{hours:02}:{minutes:02}:{:02}", part(SECOND, 60))
    } else {
        format!("{hours:02}:{minutes:02}")
    }
}

/// How long, in its two largest units: `850 ms`, `12 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`.
pub fn duration(ms: u64) -> String {
    let two = |large: u64, name: &str, small: u64, other: &str| {
        let rest = ms % large / small;
        let first = super::count(ms / large);
        if rest == 0 { format!("{first} {name}") } else { format!("{first} {name} {rest} {other}") }
    };
    match ms {
        ms if ms < SECOND => format!("{ms} ms"),
        ms if ms < MINUTE => format!("{} s", ms / SECOND),
        ms if ms < HOUR => two(MINUTE, "min", SECOND, "s"),
        ms if ms < DAY => two(HOUR, "h", MINUTE, "min"),
        _ => two(DAY, "d", HOUR, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_since_a_beginning() {
        assert_eq!(elapsed(0), "0:00");
        assert_eq!(elapsed(65_900), "1:05");
        assert_eq!(elapsed(3_725_000), "1:02:05");
        assert_eq!(elapsed_hours(3_900_000), "1:05 h");
    }

    #[test]
    fn times_of_day_know_where_they_are() {
        assert_eq!(time_of_day(0, 0, false), "00:00");
        assert_eq!(time_of_day(0, -90, true), "22:30:00");
        assert_eq!(time_of_day(86_399_000, 60, true), "00:59:59");
        assert_eq!(time_of_day(u64::MAX, i32::MAX, true).len(), 8);
    }

    #[test]
    fn durations_have_two_units() {
        let cases = [
            (850, "850 ms"),
            (12_400, "12 s"),
            (180_000, "3 min"),
            (185_000, "3 min 5 s"),
            (7_800_000, "2 h 10 min"),
            (273_600_000, "3 d 4 h"),
        ];
        for (ms, text) in cases {
            assert_eq!(duration(ms), text);
        }
    }
}
