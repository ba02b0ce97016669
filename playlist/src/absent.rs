//! Broadcasts that somebody asked for and that are not there, so that asking again and again does not cost the
//! metadata store a look each time.
//!
//! Only a look that found nothing puts one here, and only for a moment. An id is made up when its broadcast is created,
//! so that nobody has asked for it before, and its creator finds it at once.

use std::time::Duration;

use broadcast::BroadcastId;
use moka::future::Cache;
use service::Clock;
use tokio::time::Instant;

/// How many are remembered.
const ABSENT_MAX: u64 = 10_000;
/// For how long: as long as caches are told that a broadcast is not there.
const ABSENT_FOR: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
pub(crate) struct Absent {
    clock: Clock,
    /// When each was looked for.
    looked: Cache<BroadcastId, Instant>,
}

impl Absent {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, looked: Cache::new(ABSENT_MAX) }
    }

    /// Whether somebody has just looked for it in vain.
    pub(crate) async fn is_known(&self, id: BroadcastId) -> bool {
        let looked = self.looked.get(&id).await;
        looked.is_some_and(|at| self.clock.instant().duration_since(at) < ABSENT_FOR)
    }

    /// There was no such broadcast a moment ago.
    pub(crate) async fn note(&self, id: BroadcastId) {
        self.looked.insert(id, self.clock.instant()).await;
    }
}
