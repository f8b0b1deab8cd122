//! The time axis.

use engine::format::{elapsed, elapsed_hours, time_of_day};

/// How times are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clock {
    /// Since the start of the run.
    #[default]
    Elapsed,
    /// As the clock on the wall, so many minutes ahead of UTC.
    Wall {
        /// Minutes ahead of UTC.
        ahead_min: i32,
    },
}

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// Steps between ticks that people count in, ms.
const STEPS: [u64; 19] = [
    1_000,
    2_000,
    5_000,
    10_000,
    15_000,
    30_000,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    24 * HOUR,
    168 * HOUR,
];

impl Clock {
    /// A moment to the second.
    pub fn exact(self, at_ms: u64) -> String {
        match self {
            Self::Elapsed => elapsed(at_ms),
            Self::Wall { ahead_min } => time_of_day(at_ms, ahead_min, true),
        }
    }

    fn tick(self, at_ms: u64, step_ms: u64, long: bool) -> String {
        match self {
            Self::Elapsed if long && step_ms >= MINUTE => elapsed_hours(at_ms),
            Self::Elapsed => elapsed(at_ms),
            Self::Wall { ahead_min } => time_of_day(at_ms, ahead_min, step_ms < MINUTE),
        }
    }

    /// How far the wall is ahead of the last round moment of UTC.
    fn ahead_ms(self, step_ms: u64) -> u64 {
        match self {
            Self::Elapsed => 0,
            Self::Wall { ahead_min } => {
                let ahead = i128::from(ahead_min) * i128::from(MINUTE);
                u64::try_from(ahead.rem_euclid(i128::from(step_ms.max(1)))).unwrap_or_default()
            }
        }
    }
}

/// At most `most` round moments of a window.
pub(super) fn ticks((from, to): (u64, u64), most: usize, clock: Clock) -> Vec<(u64, String)> {
    let span = to.saturating_sub(from);
    let most = most.max(2) as u64;
    let longest = STEPS[STEPS.len() - 1];
    let step = STEPS
        .into_iter()
        .find(|step| span / step <= most)
        .unwrap_or_else(|| (span / most).div_ceil(longest).saturating_mul(longest));
    // Round on the wall, not in UTC.
    let late = from.saturating_add(clock.ahead_ms(step)) % step;
    let first = if late == 0 { from } else { from.saturating_add(step - late) };
    let mut out = Vec::new();
    let mut at = first;
    while at <= to && out.len() as u64 <= most {
        out.push((at, clock.tick(at, step, to >= HOUR)));
        at = at.saturating_add(step);
        if at == u64::MAX {
            break;
        }
    }
    out
}

/// Where a key moves the cursor: arrows by a step, pages by a tenth of the window.
pub fn step(key: &str, at: u64, (from, to): (u64, u64), step_ms: u64) -> Option<u64> {
    let span = to.saturating_sub(from);
    let small = step_ms.max(span / 240).max(1);
    let large = (span / 10).max(small);
    let moved = match key {
        "ArrowRight" | "ArrowUp" => at.saturating_add(small),
        "ArrowLeft" | "ArrowDown" => at.saturating_sub(small),
        "PageUp" => at.saturating_add(large),
        "PageDown" => at.saturating_sub(large),
        "Home" => from,
        "End" => to,
        _ => return None,
    };
    Some(moved.clamp(from, to.max(from)))
}
