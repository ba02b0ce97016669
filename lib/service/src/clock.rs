//! The one place that reads the time. Everybody else is given a [`Clock`].
//!
//! Wall time follows tokio's timer, so that a test which pauses tokio's clock moves both together.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Wall time in milliseconds since the Unix epoch, and time to wait by.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Tokio { start_ms: i64, started: Instant },
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// Starts at `start_ms` and goes on with tokio's timer: in a test with paused time, only when the test says so.
    #[expect(clippy::disallowed_methods, reason = "the place where time comes from")]
    pub fn from_tokio(start_ms: i64) -> Self {
        Self(Source::Tokio { start_ms, started: Instant::now() })
    }

    /// Milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> i64 {
        match &self.0 {
            Source::System => system_now_ms(),
            Source::Tokio { start_ms, started } => start_ms + millis(started.elapsed()),
        }
    }

    pub async fn sleep(&self, for_how_long: Duration) {
        tokio::time::sleep(for_how_long).await;
    }

    /// Waits until [`now_ms`](Self::now_ms) is at least `at_ms`; at once if it is already.
    pub async fn sleep_until_ms(&self, at_ms: i64) {
        // The wall clock may be set while we wait: look again each time.
        while let Ok(left @ 1..) = u64::try_from(at_ms - self.now_ms()) {
            self.sleep(Duration::from_millis(left)).await;
        }
    }

    /// A moment to measure elapsed time from.
    #[expect(clippy::disallowed_methods, reason = "the place where time comes from")]
    pub fn instant(&self) -> Instant {
        Instant::now()
    }
}

#[expect(clippy::disallowed_methods, reason = "the place where time comes from")]
fn system_now_ms() -> i64 {
    let now = SystemTime::now();
    match now.duration_since(UNIX_EPOCH) {
        Ok(since) => millis(since),
        Err(before) => -millis(before.duration()),
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_simulated_clock_moves_only_with_the_timer() {
        let clock = Clock::from_tokio(1_000);
        assert_eq!(clock.now_ms(), 1_000);
        clock.sleep(Duration::from_millis(250)).await;
        assert_eq!(clock.now_ms(), 1_250);
        clock.sleep_until_ms(5_000).await;
        assert_eq!(clock.now_ms(), 5_000);
        clock.sleep_until_ms(0).await;
        assert_eq!(clock.now_ms(), 5_000);
    }
}
