//! The server's clock: asked for its time, and carried on in between. And how far this machine's clock is from it,
//! which decides nothing, but shows in what people compare.

use std::sync::atomic::{AtomicBool, Ordering};

use broadcast::{Millis, StoreTime};
use redis::RedisResult;
use redis::aio::MultiplexedConnection;
use service::Clock;

use super::RedisMetrics;
use crate::running::RunningTime;

/// How far the two clocks may be apart before somebody is told.
const OFFSET_MAX: Millis = Millis(1_000);

#[derive(Debug)]
pub(super) struct ServerClock {
    ours: Clock,
    time: RunningTime,
    metrics: RedisMetrics,
    was_told: AtomicBool,
}

impl ServerClock {
    pub(super) fn new(ours: Clock, metrics: RedisMetrics) -> Self {
        Self { time: RunningTime::new(ours.clone()), ours, metrics, was_told: AtomicBool::new(false) }
    }

    /// The server's time, or a little less: by as much as its last answer was on its way. `None` before the first.
    pub(super) fn now(&self) -> Option<StoreTime> {
        self.time.now()
    }

    /// Asks for the time.
    pub(super) async fn ask(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        let asked_ms = self.ours.now_ms();
        let (secs, micros): (i64, i64) = redis::cmd("TIME").query_async(connection).await?;
        let theirs_ms = secs * 1000 + micros / 1000;
        self.time.heard(StoreTime(theirs_ms));
        let offset = Offset { least: Millis(asked_ms - theirs_ms), most: Millis(self.ours.now_ms() - theirs_ms) };
        self.metrics.clock_offset.set(offset.middle_secs());
        if self.is_to_be_told(offset) {
            let (least_ms, most_ms) = (offset.least.0, offset.most.0);
            tracing::warn!(least_ms, most_ms, "this machine's clock is not that of redis: set one of them right");
        }
        Ok(())
    }

    /// Once for each time that it goes wrong.
    fn is_to_be_told(&self, offset: Offset) -> bool {
        let is_wrong = offset.is_beyond(OFFSET_MAX);
        !self.was_told.swap(is_wrong, Ordering::Relaxed) && is_wrong
    }
}

/// By how much our clock is ahead. More is not known: the answer was on its way.
#[derive(Clone, Copy, Debug)]
struct Offset {
    least: Millis,
    most: Millis,
}

impl Offset {
    fn middle_secs(self) -> f64 {
        Millis(self.least.0 + self.most.0).as_secs_f64() / 2.0
    }

    /// Whether it is, however long the answer was on its way.
    fn is_beyond(self, limit: Millis) -> bool {
        self.least > limit || self.most < Millis(-limit.0)
    }
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;

    use super::*;

    #[tokio::test]
    async fn a_wrong_clock_is_told_once() {
        let metrics = RedisMetrics::register(&Registry::new()).unwrap();
        let clock = ServerClock::new(Clock::system(), metrics);
        let told = |(least, most)| clock.is_to_be_told(Offset { least: Millis(least), most: Millis(most) });
        let asked = [(0, 5), (-1_000, 1_000), (1_001, 1_005), (2_000, 2_001), (900, 1_900), (-9_000, -1_001), (-9, 0)];
        // Wrong, still wrong, perhaps right, wrong again.
        assert_eq!(asked.map(told), [false, false, true, false, false, true, false]);
    }

    #[test]
    fn the_middle_is_shown() {
        assert_eq!(Offset { least: Millis(-100), most: Millis(300) }.middle_secs(), 0.1);
    }
}
