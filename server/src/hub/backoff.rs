//! Pauses after errors: twice as long each time, spread at random, never longer than half a minute.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);
/// A wish to be asked later is honoured up to here.
const PATIENCE: Duration = Duration::from_mins(5);

/// The pauses of one source.
#[derive(Debug)]
pub(crate) struct Backoff {
    failures: u32,
    random: u64,
}

impl Backoff {
    /// The same seed gives the same pauses.
    pub(crate) fn new(seed: u64) -> Self {
        Self { failures: 0, random: seed }
    }

    /// It answered: the next pause is short again.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The next pause: between half and the whole of 1, 2, 4 … 30 s, or longer where the other side asks for it.
    pub(crate) fn next(&mut self, retry_after: Option<Duration>) -> Duration {
        let whole = FIRST.saturating_mul(1 << self.failures.min(10)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let pause = whole.mul_f64(0.5 + 0.5 * self.share());
        retry_after.map_or(pause, |wish| wish.min(PATIENCE).max(pause))
    }

    /// A number from 0 to 1, by `SplitMix64`.
    fn share(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) as f64 / u64::MAX as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_half_a_minute_and_start_again() {
        let mut pauses = Backoff::new(7);
        let taken: Vec<f64> = (0..12).map(|_| pauses.next(None).as_secs_f64()).collect();
        for (at, pause) in taken.iter().enumerate() {
            let whole = f64::from(1u32 << at).min(30.0);
            assert!((whole / 2.0..=whole).contains(pause), "{at}: {pause}");
        }
        pauses.reset();
        assert!(pauses.next(None) <= FIRST);
        let mut again = Backoff::new(7);
        assert_eq!(again.next(None).as_secs_f64(), taken[0]);
        assert_ne!(Backoff::new(8).next(None).as_secs_f64(), taken[0]);
    }

    #[test]
    fn a_wish_to_be_asked_later_is_honoured_within_reason() {
        let ask = |seconds| Backoff::new(1).next(Some(Duration::from_secs(seconds)));
        assert_eq!(ask(45), Duration::from_secs(45));
        assert_eq!(ask(86_400), PATIENCE);
        assert!(ask(0) >= FIRST / 2);
    }
}
