//! Blocking reload (RFC 8216bis, 6.2.5.2): an answer that waits until the playlist has the entry asked for.
//!
//! Those who wait are woken when the log grows or when time changes the view, never by looking again and again.

use std::sync::Arc;
use std::time::Duration;

use service::Problem;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::cache::{CacheKey, Finished, Freshness, Sheet};
use crate::metrics::Metrics;
use crate::playlists::Server;

/// How many entries beyond the last one a client may ask for.
pub(crate) const AHEAD_MAX: u64 = 2;
/// How long an answer may wait, in target durations.
const WAIT_MAX: u32 = 3;

/// Those who wait. Bounded.
#[derive(Debug)]
pub(crate) struct Waiters {
    max: usize,
    places: Semaphore,
}

impl Waiters {
    pub(crate) fn new(max: usize) -> Self {
        let max = max.min(Semaphore::MAX_PERMITS);
        Self { max, places: Semaphore::new(max) }
    }

    fn join<'a>(&'a self, metrics: &'a Metrics) -> Option<Waiter<'a>> {
        let place = self.places.try_acquire().ok()?;
        metrics.waiters.inc();
        Some(Waiter { metrics, _place: place })
    }
}

/// One who waits, until dropped.
struct Waiter<'a> {
    metrics: &'a Metrics,
    _place: SemaphorePermit<'a>,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.metrics.waiters.dec();
    }
}

impl Server {
    /// A playlist that seems not to have begun: another server may know more, and have told this client of it.
    pub(crate) async fn finished_elsewhere(&self, key: &CacheKey) -> Result<Arc<Finished>, Problem> {
        let refreshed = self.follow(key.id).await?.refresh().await;
        refreshed.map_err(|error| self.problems.metadata(&error))?;
        self.finished(key).await
    }

    /// The playlist once it has an entry `msn`, or once it has ended.
    pub(crate) async fn finished_with(&self, key: &CacheKey, msn: u64) -> Result<Arc<Finished>, Problem> {
        let mut finished = self.finished(key).await?;
        if is_too_far_ahead(&finished, msn) {
            // Another server may know more, and have told this client of it.
            finished = self.finished_elsewhere(key).await?;
        }
        let Some(target) = self.should_wait(&finished, msn)? else { return Ok(finished) };
        let Some(_waiter) = self.waiters.join(&self.metrics) else {
            self.metrics.waiters_refused.inc();
            return Err(self.problems.too_many_wait(self.waiters.max, target));
        };
        let in_time = self.clock.sleep(Duration::from_secs((WAIT_MAX * target.secs()).into()));
        tokio::pin!(in_time);
        loop {
            tokio::select! {
                () = self.changed(&finished.freshness) => {}
                () = &mut in_time => {
                    self.metrics.waits_in_vain.inc();
                    return Err(self.problems.waited_in_vain(msn, target));
                }
            }
            finished = self.finished(key).await?;
            if self.should_wait(&finished, msn)?.is_none() {
                return Ok(finished);
            }
        }
    }

    /// The target duration if there is no such entry yet; an error if there will not be one for long.
    fn should_wait(&self, finished: &Finished, msn: u64) -> Result<Option<broadcast::TargetDuration>, Problem> {
        let sheet = finished.outcome.as_ref().map_err(|absence| self.problems.absence(absence))?;
        let facts = &sheet.facts;
        match facts.last_msn {
            Some(last) if facts.is_final || msn <= last => Ok(None),
            Some(last) if is_too_far_ahead(finished, msn) => Err(self.problems.too_far_ahead(msn, last)),
            Some(_) => Ok(Some(facts.target)),
            None => Ok(None),
        }
    }

    /// Ends when a finished playlist may no longer be what would be made anew.
    async fn changed(&self, freshness: &Freshness) {
        let (log, until) = match freshness {
            Freshness::Forever => return std::future::pending().await,
            Freshness::While { log, until } => (log, *until),
            Freshness::Still { log, until, .. } => (log, Some(*until)),
        };
        let mut log = log.clone();
        let by_time = async {
            match until {
                Some(until) => self.broadcasts.reached(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // An error means that nobody follows the log any more: look again, and somebody will.
            _ = log.changed() => {}
            () = by_time => {}
        }
    }
}

fn is_too_far_ahead(finished: &Finished, msn: u64) -> bool {
    let Ok(Sheet { facts, .. }) = &finished.outcome else { return false };
    facts.last_msn.is_some_and(|last| !facts.is_final && msn > last.saturating_add(AHEAD_MAX))
}
