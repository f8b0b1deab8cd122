//! What time it is.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// The server's clock.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The system's.
    System,
    /// Counts on from a moment, and stands still where the runtime's time does.
    Anchored {
        /// Unix ms at the anchor.
        unix_ms: u64,
        /// The anchor.
        at: Instant,
    },
}

impl Clock {
    /// A clock that shows `unix_ms` now.
    pub fn anchored(unix_ms: u64) -> Self {
        Self::Anchored { unix_ms, at: Instant::now() }
    }

    /// Unix ms.
    pub fn now_ms(&self) -> u64 {
        match self {
            // Before 1970 there were no clusters.
            Self::System => ms(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()),
            Self::Anchored { unix_ms, at } => unix_ms + ms(at.elapsed()),
        }
    }
}

fn ms(time: Duration) -> u64 {
    time.as_millis() as u64
}
