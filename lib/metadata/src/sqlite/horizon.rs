//! Until when the log is settled: a transaction is dated before it is on the disk, and readable only after.
//!
//! The writer and those who ask share two numbers and no lock. The order in which each side touches them is what
//! makes this right.

use std::sync::atomic::{AtomicI64, Ordering};

use broadcast::StoreTime;
use service::Clock;

use crate::running::RunningTime;

/// Dates transactions, and knows what is not settled yet.
#[derive(Debug)]
pub(super) struct Horizon {
    clock: Clock,
    time: RunningTime,
    /// No transaction that is at work has an earlier date; or `SETTLED`.
    unsettled: AtomicI64,
}

const SETTLED: i64 = i64::MAX;

impl Horizon {
    pub(super) fn new(clock: Clock) -> Self {
        Self { time: RunningTime::new(clock.clone()), clock, unsettled: AtomicI64::new(SETTLED) }
    }

    /// Whatever is dated before this moment is readable now.
    pub(super) fn get(&self) -> StoreTime {
        let now = self.now();
        // Looked at after the time: if there is no date yet, the one that comes will not be before `now`.
        now.min(StoreTime(self.unsettled.load(Ordering::SeqCst)))
    }

    /// The date of a transaction that begins. There is one at a time.
    pub(super) fn date(&self) -> StoreTime {
        // Said first, and the date taken after it. It is kept if what failed before may still come to light.
        self.unsettled.fetch_min(self.now().0, Ordering::SeqCst);
        self.now()
    }

    /// What was dated is readable, or will never be.
    pub(super) fn settle(&self) {
        self.unsettled.store(SETTLED, Ordering::SeqCst);
    }

    /// The wall clock, but where that is set back the time goes on.
    pub(super) fn now(&self) -> StoreTime {
        self.time.not_before(StoreTime(self.clock.now_ms()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_stands_still_while_there_is_something_to_settle() {
        let horizon = Horizon::new(Clock::from_tokio(5_000));
        let pass = async |ms| tokio::time::advance(Duration::from_millis(ms)).await;
        assert_eq!(horizon.get(), StoreTime(5_000));
        pass(10).await;
        assert_eq!(horizon.date(), StoreTime(5_010));
        pass(60_000).await;
        assert_eq!(horizon.get(), StoreTime(5_010));
        // The transaction failed, and may yet come to light; another one begins.
        assert_eq!(horizon.date(), StoreTime(65_010));
        assert_eq!(horizon.get(), StoreTime(5_010));
        horizon.settle();
        assert_eq!(horizon.get(), StoreTime(65_010));
    }
}
