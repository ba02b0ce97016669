//! Work that may block, done on other threads.
//!
//! A file system on the network may hang for as long as its server is away, and the threads that ask it hang with it.
//! Of such a one, only so many calls are at work at a time, and none is waited for longer than a limit: what else this
//! process does goes on.

use std::sync::Arc;
use std::time::Duration;

use service::Tasks;
use tokio::sync::Semaphore;

use crate::error::StoreError;

/// How to get to where one may block. By default without limits: for a disk of this machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hop(Option<Arc<Limits>>);

#[derive(Debug)]
struct Limits {
    store: String,
    wait_max: Duration,
    at_once: Arc<Semaphore>,
}

impl Hop {
    /// At most `at_once` calls to `store` at a time, each waited for at most `wait_max`.
    pub(crate) fn limited(store: String, at_once: usize, wait_max: Duration) -> Self {
        Self(Some(Arc::new(Limits { store, wait_max, at_once: Arc::new(Semaphore::new(at_once)) })))
    }

    /// Does `work`. Once begun, it goes on even if nobody waits for its answer.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let Some(limits) = &self.0 else { return Tasks::blocking(work).await };
        let done = async {
            let permit = limits.at_once.clone().acquire_owned().await.expect("it is never closed");
            // Given back when the thread is free again, not when its answer is no longer waited for.
            Tasks::blocking(move || {
                let done = work();
                drop(permit);
                done
            })
            .await
        };
        tokio::time::timeout(limits.wait_max, done).await.unwrap_or_else(|_| {
            let source = format!("no answer for {} s", limits.wait_max.as_secs());
            Err(StoreError::Away { store: limits.store.clone(), operation, source: source.into() })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_hangs_is_given_up_and_takes_no_more_threads() {
        let hop = Hop::limited("there".into(), 1, Duration::from_secs(3));
        assert_eq!(hop.run("look", || Ok(7)).await.unwrap(), 7);
        let hangs = hop.0.as_ref().unwrap().at_once.clone().acquire_owned().await.unwrap();
        let error = hop.run("look", || Ok(7)).await.unwrap_err();
        assert_eq!(error.to_string(), "there is away: cannot look");
        assert!(error.is_retryable());
        drop(hangs);
        assert_eq!(hop.run("look", || Ok(8)).await.unwrap(), 8);
    }
}
