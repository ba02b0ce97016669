//! A value that may change, and those who wait for it to. They are woken in the order in which they came: tokio's
//! `watch` wakes in random order, and a seed would not tell all.

use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::network::{lock, tokio_now};

/// Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Signal<T>(Arc<(Mutex<T>, Notify)>);

impl<T: Copy> Signal<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Arc::new((Mutex::new(value), Notify::new())))
    }

    pub(crate) fn get(&self) -> T {
        *lock(&self.0.0)
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut T)) {
        change(&mut lock(&self.0.0));
        self.0.1.notify_waiters();
    }

    pub(crate) async fn until(&self, holds: impl Fn(T) -> bool) {
        loop {
            let changed = self.0.1.notified();
            if holds(self.get()) {
                return;
            }
            changed.await;
        }
    }
}

/// Whether something is away, and since when it is not. Several may have taken it away: it is back once all say so.
#[derive(Clone, Debug)]
pub(crate) struct Away(Signal<(u32, Instant)>);

impl Default for Away {
    fn default() -> Self {
        Self(Signal::new((0, tokio_now())))
    }
}

impl Away {
    pub(crate) fn is(&self) -> bool {
        self.0.get().0 > 0
    }

    pub(crate) fn goes(&self) {
        self.0.change(|(count, _)| *count += 1);
    }

    pub(crate) fn comes_back(&self) {
        self.0.change(|(count, since)| (*count, *since) = (count.saturating_sub(1), tokio_now()));
    }

    /// Since when it is there, if it is.
    pub(crate) fn back_since(&self) -> Option<Instant> {
        let (count, since) = self.0.get();
        (count == 0).then_some(since)
    }

    pub(crate) async fn until_back(&self) {
        self.0.until(|(count, _)| count == 0).await;
    }
}
