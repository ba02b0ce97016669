//! Whether commits have failed lately: what a store knows of its health without trying anything.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use service::Clock;
use tokio::time::Instant;

use crate::error::MetadataError;

/// How long a failure counts if nothing was committed since. Whoever is told to stay away sends nothing that could
/// succeed.
const FAILURE_COUNTS: Duration = Duration::from_secs(10);

/// The last commit, if it failed.
#[derive(Debug)]
pub(crate) struct Writes {
    clock: Clock,
    failed: Mutex<Option<(Instant, MetadataError)>>,
}

impl Writes {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, failed: Mutex::default() }
    }

    /// What became of a commit. A refusal is an answer, and so a success of the store.
    pub(crate) fn note<T>(&self, done: &Result<T, MetadataError>) {
        let failure = done.as_ref().err().filter(|error| error.is_retryable());
        let failure = failure.map(|error| (self.clock.instant(), error.clone()));
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }

    /// The failure of the last commit, if that was lately.
    pub(crate) fn health(&self) -> Result<(), MetadataError> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        match &*failed {
            Some((at, error)) if self.clock.instant().duration_since(*at) < FAILURE_COUNTS => Err(error.clone()),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use broadcast::EventIndex;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_failure_counts_until_something_succeeds_or_for_a_while() {
        let writes = Writes::new(Clock::from_tokio(0));
        let fail = || writes.note::<()>(&Err(MetadataError::unavailable("the disk is full")));
        assert!(writes.health().is_ok());
        fail();
        assert!(writes.health().is_err_and(|error| error.is_retryable()));
        writes.note(&Ok(()));
        assert!(writes.health().is_ok());
        fail();
        writes.note::<()>(&Err(MetadataError::Stale { len: EventIndex(1) }));
        assert!(writes.health().is_ok(), "it answered");
        fail();
        tokio::time::advance(FAILURE_COUNTS - Duration::from_millis(1)).await;
        assert!(writes.health().is_err());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(writes.health().is_ok());
    }
}
