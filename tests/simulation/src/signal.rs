//! A value that may change, and those who wait for it to. They are woken in the order in which they came: tokio's
//! `watch` wakes in random order, and a seed would not tell all.

use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use crate::network::lock;

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
