//! The one place that reads the time. Everybody else is given a [`Clock`].
//!
//! Wall time follows tokio's timer, so that a test which pauses tokio's clock moves both together.

#[cfg(feature = "simulation")]
use std::sync::Arc;
#[cfg(feature = "simulation")]
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

/// Wall time in milliseconds since the Unix epoch, and time to wait by.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Tokio {
        start_ms: i64,
        started: Instant,
        #[cfg(feature = "simulation")]
        set_by_ms: Arc<AtomicI64>,
        #[cfg(feature = "simulation")]
        slept_ms: Arc<AtomicI64>,
    },
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// Starts at `start_ms` and goes on with tokio's timer: in a test with paused time, only when the test says so.
    #[expect(clippy::disallowed_methods, reason = "the place where time comes from")]
    pub fn from_tokio(start_ms: i64) -> Self {
        Self(Source::Tokio {
            start_ms,
            started: Instant::now(),
            #[cfg(feature = "simulation")]
            set_by_ms: Arc::default(),
            #[cfg(feature = "simulation")]
            slept_ms: Arc::default(),
        })
    }

    /// Somebody sets the clock by so much, forwards or backwards; all clones of it too. Time to wait by goes on as before.
    /// The machine's own clock is left alone.
    #[cfg(feature = "simulation")]
    pub fn set_by_ms(&self, ms: i64) {
        if let Source::Tokio { set_by_ms, .. } = &self.0 {
            set_by_ms.fetch_add(ms, Ordering::SeqCst);
        }
    }

    /// The machine sleeps for so long: time to wait by stands still meanwhile, and no other. All clones of the clock see it.
    #[cfg(feature = "simulation")]
    pub fn sleep_machine_ms(&self, ms: i64) {
        if let Source::Tokio { slept_ms, .. } = &self.0 {
            slept_ms.fetch_add(ms, Ordering::SeqCst);
        }
    }

    /// Milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> i64 {
        match &self.0 {
            Source::System => system_now_ms(),
            #[cfg(not(feature = "simulation"))]
            Source::Tokio { start_ms, .. } => start_ms + self.running_ms(),
            #[cfg(feature = "simulation")]
            Source::Tokio { start_ms, set_by_ms, .. } => {
                start_ms + self.running_ms() + set_by_ms.load(Ordering::SeqCst)
            }
        }
    }

    /// Milliseconds since some moment: they go on when somebody sets the clock, as [`instant`](Self::instant) does, and
    /// while the machine sleeps, as that does not.
    pub fn running_ms(&self) -> i64 {
        match &self.0 {
            Source::System => system_running_ms(),
            #[cfg(not(feature = "simulation"))]
            Source::Tokio { started, .. } => millis(started.elapsed()),
            #[cfg(feature = "simulation")]
            Source::Tokio { started, slept_ms, .. } => millis(started.elapsed()) + slept_ms.load(Ordering::SeqCst),
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

/// Elsewhere than on Linux, the monotonic clock may stand still while the machine sleeps.
fn system_running_ms() -> i64 {
    #[cfg(target_os = "linux")]
    let clock = ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = ClockId::Monotonic;
    let time = clock_gettime(clock);
    time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
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

    #[cfg(feature = "simulation")]
    #[tokio::test(start_paused = true)]
    async fn a_simulated_clock_can_be_set() {
        let clock = Clock::from_tokio(1_000);
        let (another, began) = (clock.clone(), clock.instant());
        another.set_by_ms(-400);
        clock.sleep(Duration::from_millis(100)).await;
        assert_eq!((clock.now_ms(), clock.instant() - began), (700, Duration::from_millis(100)));
        assert_eq!(clock.running_ms(), 100);
    }

    #[cfg(feature = "simulation")]
    #[tokio::test(start_paused = true)]
    async fn time_to_wait_by_alone_stands_still_while_the_machine_sleeps() {
        let clock = Clock::from_tokio(1_000);
        let began = clock.instant();
        clock.clone().sleep_machine_ms(5_000);
        assert_eq!((clock.now_ms(), clock.running_ms(), clock.instant() - began), (6_000, 5_000, Duration::ZERO));
    }

    #[test]
    fn the_machine_has_been_running() {
        let clock = Clock::system();
        let (before, after) = (clock.running_ms(), clock.running_ms());
        assert!(0 < before && before <= after);
    }
}
