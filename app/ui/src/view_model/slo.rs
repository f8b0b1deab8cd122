//! The arithmetic of the SLO handles.

/// Smallest and largest target that a handle can reach, ms.
const ITL_RANGE: (f64, f64) = (1.0, 10_000.0);
const TTFT_RANGE: (f64, f64) = (1.0, 1_000_000.0);

/// A sensible step at a latency, ms: about one percent of it, and round.
pub fn step(ms: f64) -> f64 {
    match ms {
        ms if ms < 10.0 => 0.1,
        ms if ms < 50.0 => 0.5,
        ms if ms < 200.0 => 1.0,
        ms if ms < 1_000.0 => 10.0,
        ms if ms < 10_000.0 => 50.0,
        _ => 500.0,
    }
}

fn snap(ms: f64, (low, high): (f64, f64)) -> f64 {
    if !ms.is_finite() {
        return high;
    }
    let step = step(ms);
    // The reciprocal is a whole number or exact, so the quotient prints without noise digits.
    let snapped =
        if step < 1.0 { (ms / step).round() / (1.0 / step).round() } else { (ms / step).round() * step };
    snapped.clamp(low, high)
}

/// The ITL target for a handle at this many tokens per second and user.
pub fn itl_at(tokens_per_sec_per_user: f64) -> f64 {
    snap(1000.0 / tokens_per_sec_per_user.max(1e-3), ITL_RANGE)
}

/// The TTFT target for a handle at this latency.
pub fn ttft_at(ms: f64) -> f64 {
    snap(ms, TTFT_RANGE)
}

/// A target moved by `steps` (negative: tighter); every step changes it.
pub fn nudge_itl(ms: f64, steps: i32) -> f64 {
    nudge(ms, steps, ITL_RANGE)
}

/// A target moved by `steps` (negative: tighter); every step changes it.
pub fn nudge_ttft(ms: f64, steps: i32) -> f64 {
    nudge(ms, steps, TTFT_RANGE)
}

fn nudge(ms: f64, steps: i32, range: (f64, f64)) -> f64 {
    // Tightening from a boundary takes the finer step below it.
    let size = if steps < 0 { step(ms - 1e-9) } else { step(ms) };
    let moved = ms + f64::from(steps) * size;
    snap(moved.max(range.0), range)
}

/// What a key does to a handle: steps towards looser (positive) or tighter (negative).
pub fn key_steps(key: &str, shift: bool, right_is_tighter: bool) -> Option<i32> {
    let size = if shift { 10 } else { 1 };
    let right = if right_is_tighter { -size } else { size };
    match key {
        "ArrowRight" | "ArrowUp" => Some(right),
        "ArrowLeft" | "ArrowDown" => Some(-right),
        "PageUp" => Some(right.signum() * 10),
        "PageDown" => Some(-right.signum() * 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_land_on_round_numbers() {
        assert_eq!(itl_at(33.4), 30.0);
        assert_eq!(itl_at(150.0), 6.7);
        assert_eq!(ttft_at(503.0), 500.0);
        assert_eq!(itl_at(0.0), 10_000.0);
    }

    #[test]
    fn every_nudge_moves() {
        let mut itl = 30.0;
        for _ in 0..80 {
            let next = nudge_itl(itl, -1);
            assert!(next < itl || itl <= 1.0, "{itl} stayed");
            itl = next;
        }
        assert_eq!(nudge_itl(30.0, 1), 30.5);
        assert_eq!(nudge_itl(10.0, -1), 9.9);
        assert_eq!(nudge_ttft(500.0, -10), 400.0);
        assert_eq!(nudge_ttft(1.0, -10), 1.0);
    }

    #[test]
    fn right_on_the_chart_is_tighter() {
        assert_eq!(key_steps("ArrowRight", false, true), Some(-1));
        assert_eq!(key_steps("ArrowLeft", true, true), Some(10));
        assert_eq!(key_steps("PageUp", false, false), Some(10));
        assert_eq!(key_steps("x", false, true), None);
    }
}
