//! A store's time, carried on by what has passed here since it was last heard. It does not follow this machine's
//! clock, which may be wrong or be set.

use std::sync::atomic::{AtomicI64, Ordering};

use broadcast::StoreTime;
use service::Clock;
use tokio::time::Instant;

/// Time that runs.
#[derive(Debug)]
pub(crate) struct RunningTime {
    clock: Clock,
    began: Instant,
    /// What the store's time was when this began, in milliseconds; or `NEVER_HEARD`.
    at_first: AtomicI64,
}

const NEVER_HEARD: i64 = i64::MIN;

impl RunningTime {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { began: clock.instant(), clock, at_first: AtomicI64::new(NEVER_HEARD) }
    }

    /// The store's time was `at`, or may have passed it, by the time of this call. Exchanges what was heard before.
    pub(crate) fn heard(&self, at: StoreTime) {
        // Rounded so that the answers are never later than the truth.
        let passed = self.clock.instant().duration_since(self.began).as_micros().div_ceil(1_000);
        self.at_first.store(at.0.saturating_sub(millis(passed)), Ordering::SeqCst);
    }

    /// The store's time, which is by definition never before `at`, nor before what this has answered.
    pub(crate) fn not_before(&self, at: StoreTime) -> StoreTime {
        let passed = self.passed_ms();
        let at_first = at.0.saturating_sub(passed);
        let heard = self.at_first.fetch_max(at_first, Ordering::SeqCst);
        StoreTime(heard.max(at_first) + passed)
    }

    /// The store's time, or a little less. `None` if it was never heard.
    pub(crate) fn now(&self) -> Option<StoreTime> {
        let at_first = self.at_first.load(Ordering::SeqCst);
        (at_first != NEVER_HEARD).then(|| StoreTime(at_first.saturating_add(self.passed_ms())))
    }

    fn passed_ms(&self) -> i64 {
        millis(self.clock.instant().duration_since(self.began).as_millis())
    }
}

fn millis(count: u128) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn pass(micros: u64) {
        tokio::time::advance(Duration::from_micros(micros)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_heard_is_carried_on_and_never_ahead_of_the_truth() {
        let time = RunningTime::new(Clock::from_tokio(0));
        assert_eq!(time.now(), None);
        pass(300).await;
        time.heard(StoreTime(5_000));
        assert_eq!(time.now(), Some(StoreTime(4_999)));
        pass(700).await;
        assert_eq!(time.now(), Some(StoreTime(5_000)));
        pass(3_600_000_000).await;
        assert_eq!(time.now(), Some(StoreTime(3_605_000)));
        time.heard(StoreTime(7));
        assert_eq!(time.now(), Some(StoreTime(7)), "the store's clock was set back");
    }

    #[tokio::test(start_paused = true)]
    async fn when_the_clock_is_set_back_time_goes_on_and_when_it_is_set_ahead_time_follows() {
        let time = RunningTime::new(Clock::from_tokio(0));
        assert_eq!(time.not_before(StoreTime(5_000)), StoreTime(5_000));
        pass(10_000).await;
        assert_eq!(time.not_before(StoreTime(1_000)), StoreTime(5_010));
        pass(10_000).await;
        assert_eq!(time.not_before(StoreTime(9_000)), StoreTime(9_000));
        pass(10_000).await;
        assert_eq!(time.not_before(StoreTime(9_009)), StoreTime(9_010));
    }
}
