//! The server's clock: asked for its time, and carried on in between.

use broadcast::StoreTime;
use redis::RedisResult;
use redis::aio::MultiplexedConnection;
use service::Clock;

use crate::running::RunningTime;

#[derive(Debug)]
pub(super) struct ServerClock {
    time: RunningTime,
}

impl ServerClock {
    pub(super) fn new(clock: Clock) -> Self {
        Self { time: RunningTime::new(clock) }
    }

    /// The server's time, or a little less: by as much as its last answer was on its way. `None` before the first.
    pub(super) fn now(&self) -> Option<StoreTime> {
        self.time.now()
    }

    /// Asks for the time.
    pub(super) async fn ask(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        let (secs, micros): (i64, i64) = redis::cmd("TIME").query_async(connection).await?;
        self.time.heard(StoreTime(secs * 1000 + micros / 1000));
        Ok(())
    }
}
